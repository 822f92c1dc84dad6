// SPDX-License-Identifier: MIT OR Apache-2.0
// How the readers of a channel learn that no more is coming.
//
// A channel has no end: whoever has it may post. So publishers keep a block beside it, which a root
// names: who publishes now, and how often one of them has said that this was all. It is the end
// when somebody has said so since the last publisher came, and none is at work. A publisher that is
// killed says nothing, so readers wait for its successor. Because the end is no message, any number
// of readers may find it, also one that comes late or for the second time.
#pragma once

#include "../matrix_handle.hpp"

#include <atomic>
#include <cstdint>
#include <string>

namespace tool::channels {

/// The block's words; anybody may write them.
struct EndWords {
    static constexpr std::size_t kPublishers = 62;

    std::atomic<std::uint64_t> said;                   ///< how often a publisher said that was all
    std::atomic<std::uint64_t> undone;                 ///< so many of those came before a new one
    std::atomic<std::uint64_t> publisher[kPublishers]; ///< participants at work; 0: none
};

/// One publisher at work, from its construction to its end.
class Publishing {
  public:
    Publishing(Matrix const &matrix, std::string const &channel);
    Publishing(Publishing const &) = delete;
    Publishing &operator=(Publishing const &) = delete;
    ~Publishing();

    /// This was all.
    void say_end();

  private:
    void enter(EndWords &words);

    Matrix const &matrix_;
    std::string channel_;
    std::size_t place_ = EndWords::kPublishers;
};

/// Whether that was all: nobody is at work, and the last one to end has said so. What was posted
/// before is in the channel, or was read, by then.
bool is_end(Matrix const &matrix, std::string const &channel);

/// What was said of a channel that is retired does not hold for the next one of its name.
void forget_end(Matrix const &matrix, std::string const &channel);

} // namespace tool::channels
