// SPDX-License-Identifier: MIT OR Apache-2.0
// The weir command: looks into shared segments, repairs them, measures and demonstrates them.
#include "command_line.hpp"
#include "error.hpp"

#include <cstdio>
#include <exception>

#include <fmt/format.h>

int main(int argc, char **argv)
{
    try {
        tool::Request const request = tool::read_command_line(argc, argv);
        return request.action ? request.action() : request.code;
    } catch (tool::BadUsage const &error) {
        fmt::print(stderr, "weir: {}\n", error.what());
        return tool::kBadUsage;
    } catch (tool::Unanswered const &error) {
        fmt::print(stderr, "weir: {}\n", error.what());
        return 3;
    } catch (std::exception const &error) {
        fmt::print(stderr, "weir: {}\n", error.what());
        return 1;
    }
}
