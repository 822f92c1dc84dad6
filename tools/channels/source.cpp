// SPDX-License-Identifier: MIT OR Apache-2.0
// Lines or frames out of a stream of bytes.
#include "source.hpp"

#include "../error.hpp"
#include "../interrupt.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace tool::channels {

void put_length(unsigned char *to, std::size_t length)
{
    for (std::size_t i = 0; i < kPrefixBytes; ++i)
        to[i] = static_cast<unsigned char>(length >> 8 * i);
}

std::size_t length_at(unsigned char const *from)
{
    std::size_t length = 0;
    for (std::size_t i = 0; i < kPrefixBytes; ++i)
        length |= std::size_t{from[i]} << 8 * i;
    return length;
}

std::size_t read_some(int fd, void *to, std::size_t size, std::string const &what)
{
    for (;;) {
        if (was_interrupted())
            throw Failure("interrupted");
        ssize_t const got = read(fd, to, size);
        if (got >= 0)
            return static_cast<std::size_t>(got);
        if (errno != EINTR)
            fail_errno("cannot read " + what);
    }
}

bool Source::take(std::string_view &ret_message)
{
    return framing_ == Framing::frames ? take_frame(ret_message) : take_line(ret_message);
}

bool Source::take_line(std::string_view &ret_message)
{
    char const *const from = buffer_.data() + at_;
    std::size_t const looked = seen_ - at_;
    auto const *const stop =
        static_cast<char const *>(std::memchr(from + looked, '\n', left() - looked));
    if (stop == nullptr) {
        seen_ = end_;
        if (!ended_ || left() == 0)
            return false;
        ret_message = {from, left()}; // the last one may lack its end
        at_ = end_;
        return true;
    }
    ret_message = {from, static_cast<std::size_t>(stop - from)};
    at_ += ret_message.size() + 1;
    seen_ = at_;
    return true;
}

bool Source::take_frame(std::string_view &ret_message)
{
    if (left() < kPrefixBytes)
        return false;
    auto const *const from = reinterpret_cast<unsigned char const *>(buffer_.data() + at_);
    std::size_t const length = length_at(from);
    if (length > longest_)
        problem_ = fmt::format("a frame of {} bytes does not fit in the matrix", length);
    if (!problem_.empty() || left() - kPrefixBytes < length)
        return false;
    ret_message = {buffer_.data() + at_ + kPrefixBytes, length};
    at_ += kPrefixBytes + length;
    return true;
}

/// Moves what is left to the front, and doubles the buffer if it is full of one message.
void Source::make_room()
{
    std::memmove(buffer_.data(), buffer_.data() + at_, left());
    seen_ = seen_ > at_ ? seen_ - at_ : 0;
    end_ -= at_;
    at_ = 0;
    if (end_ < buffer_.size())
        return;
    if (end_ > longest_ + kPrefixBytes)
        throw Failure("a line does not fit in the matrix");
    buffer_.resize(buffer_.size() * 2);
}

bool Source::fill()
{
    if (!problem_.empty())
        throw Failure(problem_);
    if (ended_)
        return false;
    make_room();
    std::size_t const got =
        read_some(STDIN_FILENO, buffer_.data() + end_, buffer_.size() - end_, "stdin");
    end_ += got;
    ended_ = got == 0;
    if (ended_ && framing_ == Framing::frames && left() != 0)
        throw Failure("the input ends in the middle of a frame");
    return !ended_ || left() != 0;
}

} // namespace tool::channels
