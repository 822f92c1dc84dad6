// SPDX-License-Identifier: MIT OR Apache-2.0
// A yard-stick for fragmentation, not an allocator: the placement policy of TLSF (Masmano et al.,
// ECRTS 2004) on numbers alone. Two-level size classes of 32 steps per power of two, the newest
// block of the first class that surely fits, the rest split off, neighbours merged at once, 8 bytes
// of header per block. Its memory is one area that grows at its end when nothing fits.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <unordered_map>

namespace bench {

class GoodFit {
  public:
    using Offset = std::uint64_t;

    /// Where a block for `size` bytes would be placed.
    Offset allocate(std::uint64_t size);
    void release(Offset offset);

    std::uint64_t committed() const { return end_; }
    std::uint64_t free_bytes() const { return free_bytes_; }
    std::uint64_t largest_free() const;

  private:
    using List = std::list<Offset>;
    struct Part {
        std::uint64_t size = 0;
        bool free = false;
        List::iterator place{}; ///< in its class's list, if free
    };
    using Parts = std::map<Offset, Part>; ///< without gaps

    void make_free(Parts::iterator part);
    void unlink(Parts::iterator part);
    Parts::iterator grow(std::uint64_t need);

    static constexpr std::uint64_t kHeader = 8, kStep = 8, kSmallest = 32;
    static constexpr std::uint64_t kGrowth = std::uint64_t{64} << 10;
    Parts parts_;
    std::map<unsigned, List> classes_; ///< not empty ones; newest first
    Offset end_ = 0;
    std::uint64_t free_bytes_ = 0;
};

} // namespace bench
