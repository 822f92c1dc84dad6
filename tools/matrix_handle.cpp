// SPDX-License-Identifier: MIT OR Apache-2.0
// Owning handles over weir.h: the ways in which the command gets them.
#include "matrix_handle.hpp"

#include "error.hpp"
#include "output.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace tool {

weir_matrix_options matrix_options(std::string const &participant)
{
    weir_matrix_options options = WEIR_MATRIX_OPTIONS_INIT;
    std::size_t const fits = std::min(participant.size(), sizeof options.participant_name - 1);
    std::copy_n(participant.data(), fits, options.participant_name);
    return options;
}

void must_attach(int code, std::string const &name, bool foreign)
{
    if (code == -EPERM && !foreign)
        throw Failure(printable(name) +
                      ": not permitted; --foreign opens what belongs to another user (EPERM)");
    must(code, printable(name));
}

namespace {
Matrix attach_with(std::string const &name, bool foreign, weir_matrix_flags flags)
{
    weir_matrix_options options = matrix_options("weir");
    options.flags = flags | (foreign ? WEIR_MATRIX_ALLOW_FOREIGN : 0);
    weir_matrix *matrix = nullptr;
    must_attach(weir_matrix_attach(name.c_str(), &options, &matrix), name, foreign);
    return Matrix(matrix);
}
} // namespace

Matrix attach_matrix(std::string const &name, bool foreign)
{
    return attach_with(name, foreign, 0);
}

Matrix observe_matrix(std::string const &name, bool foreign)
{
    return attach_with(name, foreign, WEIR_MATRIX_READ_ONLY);
}

Subscription subscribe(Channel const &channel)
{
    weir_subscription *reader = nullptr;
    int const code = weir_channel_subscribe(channel.get(), &reader);
    if (code == -ENOSPC)
        throw Failure("the channel has 64 subscribers, which is the most (ENOSPC)");
    if (code != -WEIR_E_RETIRED)
        must(code, "subscribe");
    return Subscription(reader);
}

weir_matrix_info stats_of(Matrix const &matrix)
{
    weir_matrix_info stats = WEIR_MATRIX_INFO_INIT;
    must(weir_matrix_stats(matrix.get(), &stats), "stats");
    return stats;
}

weir_memory_info memory_of(Matrix const &matrix)
{
    weir_memory_info info = WEIR_MEMORY_INFO_INIT;
    must(weir_matrix_memory(matrix.get(), &info), "memory");
    return info;
}

std::string uuid_of(Matrix const &matrix)
{
    weir_uuid uuid{};
    must(weir_matrix_uuid(matrix.get(), &uuid), "uuid");
    std::string text;
    for (std::size_t i = 0; i < sizeof uuid.value; ++i)
        text += fmt::format("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                            uuid.value[i]);
    return text;
}

} // namespace tool
