// SPDX-License-Identifier: MIT OR Apache-2.0
// Owning handles over weir.h, and its callbacks as loops that lambdas can be given to.
#pragma once

#include <exception>
#include <memory>
#include <string>

#include <weir.h>

namespace tool {

struct Unref {
    void operator()(weir_matrix *matrix) const noexcept { weir_matrix_unref(matrix); }
    void operator()(weir_channel *channel) const noexcept { weir_channel_unref(channel); }
    void operator()(weir_subscription *reader) const noexcept { weir_subscription_close(reader); }
};

using Matrix = std::unique_ptr<weir_matrix, Unref>;
using Channel = std::unique_ptr<weir_channel, Unref>;
using Subscription = std::unique_ptr<weir_subscription, Unref>;

/// Default options with the participant's name set, cut to what fits.
weir_matrix_options matrix_options(std::string const &participant);

/// As must(), for what attaches to the matrix of this name.
void must_attach(int code, std::string const &name, bool foreign);
/// Attaches to the matrix NAME of the command line.
Matrix attach_matrix(std::string const &name, bool foreign);
/// The same for looking alone: needs no right to write and no participant slot.
Matrix observe_matrix(std::string const &name, bool foreign);

/// Becomes a reader; none if the channel was retired.
Subscription subscribe(Channel const &channel);

weir_matrix_info stats_of(Matrix const &matrix);
weir_memory_info memory_of(Matrix const &matrix);
std::string uuid_of(Matrix const &matrix);

namespace detail {
/// What travels through a C callback: the lambda, and what it threw.
template <typename Body> struct Loop {
    Body &body;
    std::exception_ptr thrown;

    template <typename Info> static int step(Info const *info, void *userdata)
    {
        auto &loop = *static_cast<Loop *>(userdata);
        try {
            loop.body(*info);
            return 0;
        } catch (...) {
            loop.thrown = std::current_exception(); // must not cross the library's C frames
            return 1;
        }
    }
};

template <typename Info, typename Walker, typename Body>
int run_loop(Walker walker, Matrix const &matrix, Body &body)
{
    Loop<Body> loop{body, nullptr};
    int const code = walker(matrix.get(), &Loop<Body>::template step<Info>, &loop);
    if (loop.thrown)
        std::rethrow_exception(loop.thrown);
    return code;
}
} // namespace detail

template <typename Body> int each_block(Matrix const &matrix, Body body)
{
    return detail::run_loop<weir_block_info>(weir_matrix_walk, matrix, body);
}

template <typename Body> int each_participant(Matrix const &matrix, Body body)
{
    return detail::run_loop<weir_participant_info>(weir_matrix_participants, matrix, body);
}

template <typename Body> int each_root(Matrix const &matrix, Body body)
{
    return detail::run_loop<weir_root_info>(weir_matrix_roots, matrix, body);
}

} // namespace tool
