// SPDX-License-Identifier: MIT OR Apache-2.0
// The allocators of private memory, all in one program: glibc's is the program's own, the others
// are loaded beside it, out of sight of its malloc.
#pragma once

#include "allocators.hpp"

#include <cstddef>
#include <string>

namespace bench {

struct MallocLibrary {
    void *(*allocate)(std::size_t) = nullptr;
    void (*release)(void *) = nullptr;
    std::string version;
    std::string missing; ///< why it could not be loaded; empty: it could
};

MallocLibrary const &glibc();
MallocLibrary const &mimalloc();
MallocLibrary const &jemalloc();

/// Both libraries want more thread-local memory than the loader keeps for late comers. Starts this
/// program anew with more of it if that is needed; returns if all is well.
void make_room_for_libraries(char **arguments);

/// One of them in the shape of the others. The calls go through pointers, as they would go through
/// the linkage table of a program that is linked with the library.
template <MallocLibrary const &(*library)()> class Private {
  public:
    explicit Private(std::size_t = 0) : allocate_(library().allocate), release_(library().release)
    {
    }

    bool allocate(std::size_t size, Block &block)
    {
        block.data = allocate_(size);
        return block.data != nullptr;
    }
    void release(Block const &block) { release_(block.data); }

  private:
    void *(*allocate_)(std::size_t);
    void (*release_)(void *);
};

using Glibc = Private<glibc>;
using Mimalloc = Private<mimalloc>;
using Jemalloc = Private<jemalloc>;

} // namespace bench
