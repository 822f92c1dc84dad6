// SPDX-License-Identifier: MIT OR Apache-2.0
// Messages that come in by a pipe: lines or frames.
#pragma once

#include "channels.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tool::channels {

constexpr std::size_t kPrefixBytes = 4; ///< of a frame

/// A length as frames have it: 32 bits, least significant byte first.
void put_length(unsigned char *to, std::size_t length);
std::size_t length_at(unsigned char const *from);

/// Reads stdin. take() gives what is there; fill() waits for more.
class Source {
  public:
    /// A message may have at most `longest` bytes.
    Source(Framing framing, std::size_t longest) : framing_(framing), longest_(longest) {}

    /// The next message that has come in whole; valid until fill().
    bool take(std::string_view &ret_message);
    /// False: there is no more. Throws if the input is not what it should be.
    bool fill();

  private:
    bool take_line(std::string_view &ret_message);
    bool take_frame(std::string_view &ret_message);
    void make_room();
    std::size_t left() const { return end_ - at_; }

    Framing framing_;
    std::size_t longest_;
    std::vector<char> buffer_ = std::vector<char>(1 << 16);
    std::size_t at_ = 0;   ///< where the next message begins
    std::size_t seen_ = 0; ///< no line ends before
    std::size_t end_ = 0;
    bool ended_ = false;
    std::string problem_; ///< told when all in front of it has been taken
};

/// Reads what a descriptor has, up to `size` bytes; 0 at its end. Throws if it cannot, or if the
/// command is interrupted meanwhile.
std::size_t read_some(int fd, void *to, std::size_t size, std::string const &what);

} // namespace tool::channels
