// SPDX-License-Identifier: MIT OR Apache-2.0
// Attaching to a channel, or making it and its matrix.
#pragma once

#include "../clock.hpp"
#include "../matrix_handle.hpp"
#include "channels.hpp"

namespace tool::channels {

/// How long a wait lasts before the next look for a signal or the end.
constexpr std::int64_t kTurnNs = 50 * kMillisecond;

/// Whether a call came to nothing because it could not be done now.
bool is_turn_over(int code);

struct OpenChannel {
    Matrix matrix;
    Channel channel;
    weir_channel_info info; ///< as it was then
};

/// Fails if the channel is of another mode than was asked for.
OpenChannel open_channel(Choice const &choice);

weir_channel_info inquire(Channel const &channel);
/// Attaches to a channel that must be there.
Channel attach_channel(Matrix const &matrix, std::string const &name);
char const *mode_name(weir_channel_mode mode);
char const *overflow_name(weir_channel_overflow overflow);

} // namespace tool::channels
