// SPDX-License-Identifier: MIT OR Apache-2.0
// Attaching to a channel, or making it and its matrix.
#include "open.hpp"

#include "../error.hpp"
#include "../output.hpp"

#include <cerrno>

#include <fmt/format.h>

namespace tool::channels {

bool is_turn_over(int code) { return code == -EAGAIN || code == -ETIMEDOUT || code == -EBUSY; }

char const *mode_name(weir_channel_mode mode)
{
    return mode == WEIR_CHANNEL_BROADCAST ? "broadcast" : "queue";
}

char const *overflow_name(weir_channel_overflow overflow)
{
    switch (overflow) {
    case WEIR_CHANNEL_BLOCK:
        return "block";
    case WEIR_CHANNEL_FAIL:
        return "fail";
    case WEIR_CHANNEL_DROP_NEW:
        return "drop-new";
    case WEIR_CHANNEL_DROP_OLDEST:
        return "drop-oldest";
    default:
        return "unknown";
    }
}

weir_channel_info inquire(Channel const &channel)
{
    weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
    must(weir_channel_inquire(channel.get(), &info), "inquire");
    return info;
}

Channel attach_channel(Matrix const &matrix, std::string const &name)
{
    weir_channel *channel = nullptr;
    must(weir_channel_attach(matrix.get(), name.c_str(), nullptr, &channel), printable(name));
    return Channel(channel);
}

OpenChannel open_channel(Choice const &choice)
{
    weir_matrix_options with = matrix_options("weir");
    with.capacity = choice.matrix_capacity;
    with.flags = choice.foreign ? WEIR_MATRIX_ALLOW_FOREIGN : 0;
    weir_matrix *matrix = nullptr;
    must_attach(weir_matrix_open(choice.matrix.c_str(), &with, &matrix), choice.matrix,
                choice.foreign);
    OpenChannel open{Matrix(matrix), {}, WEIR_CHANNEL_INFO_INIT};

    weir_channel *channel = nullptr;
    must(weir_channel_open(matrix, choice.channel.c_str(), &choice.options, &channel),
         printable(choice.channel));
    open.channel = Channel(channel);
    open.info = inquire(open.channel);
    if (!choice.mode.empty() && choice.mode != mode_name(open.info.mode))
        throw Failure(fmt::format("{}: is a {} channel, and no {} one", printable(choice.channel),
                                  mode_name(open.info.mode), choice.mode));
    return open;
}

} // namespace tool::channels
