// SPDX-License-Identifier: MIT OR Apache-2.0
// segment: a file that several processes map, and who they are. Start here.
//
// What it is
//   The ground a matrix stands on, without blocks:
//     geometry.hpp      where everything lies, computed from six numbers and never read again
//     layout.hpp        the structs that lie in the file
//     memory_kind.hpp   what kind of memory is wished, and what was got
//     backing.hpp       the file itself: making, opening, committing memory, locks. All system
//                       calls on it are here; the explorer puts its own in their place
//     name.hpp          names: which path they stand for, and how one is removed
//     slot_word.hpp     the word that says who has a participant slot
//     participants.hpp  attach, detach, liveness, windows, and who may heal whom
//     ticket.hpp        a lock in shared memory whose holder may die
//     segment.hpp       all of it together: one mapping of one segment in one process
//
// Glossary
//   participant: one attached handle. Its owner id is slot number + 1; 0 is nobody.
//   participant id (public): generation of the slot * 65536 + owner id.
//   reaper: the participant that heals a dead one. Only the one named in the slot may.
//   window: the time in which a thread withholds or adds memory; counted per participant.
//   commit: fallocate, so that touching the memory can never raise SIGBUS.
//
// States of a segment
//   (no name) --linkat--> READY --retire--> RETIRED. The file is made without a name, filled, and
//   named last. So a maker that dies leaves nothing, and who opens the name finds it READY. Who
//   finds it RETIRED removes the name and may give it anew.
//
// States of a slot       word: state | generation | reaper slot | reaper generation
//   FREE -> LIVE            by CAS, after the lock of its byte was taken
//   LIVE -> REAPING(r)      by the reaper r, who read the word, then found the lock free
//   REAPING(r) -> REAPING(s) when r is no longer LIVE with that generation, or is dead
//   REAPING(r) -> FREE      by r, generation + 1, when nothing names the dead one any more
//   LIVE -> REAPING(itself) an orderly leave: a participant heals itself while it holds its lock
//
// Invariants
//   S1  A slot is LIVE only while, or after, its process held the lock of its byte.
//   S2  At most one live process works as the reaper of a slot.
//   S3  A slot becomes FREE only when no word of the segment names its owner id.
//   S4  Memory below a sector's limit is committed: words, hints, index, and the data but for that
//       of TRIMMED blocks and of CLAIMED ones that are marked so (core/matrix/trim.cpp).
//   S5  Geometry in process memory equals what the header described at attach; the header's
//       description is never used again.
//   S6  A read-only mapping belongs to no participant: it has no slot, holds no lock and writes
//       nothing, so nobody can tell that it is there.
//
// Death
//   at any time: the kernel drops the lock. Whoever needs what the dead one holds, heals it.
//   while a reaper: the next one takes over; every step of healing may be done twice.
//   while it holds a ticket: its healer gives the ticket back.
//   between the lock and LIVE: the slot is still FREE and its byte unlocked again.
//
// What it trusts and checks
//   Header: magic, version, features, all numbers by computing the geometry anew and comparing;
//   file size and owner by fstat. Slot words: any value is handled; slot numbers are checked.
#pragma once

#include "core/base/bits.hpp"
#include "core/base/error.hpp"
#include "core/segment/backing.hpp"
#include "core/segment/geometry.hpp"
#include "core/segment/layout.hpp"

#include <cstddef>

namespace weir {

/// How an existing segment is opened.
struct Access {
    bool allow_foreign = false; ///< also a file of another user
    bool read_only = false;     ///< mapped for reading alone: any write would raise SIGSEGV
};

/// One mapping of one segment.
class Segment {
  public:
    Segment() noexcept = default;
    Segment(Segment const &) = delete;
    Segment &operator=(Segment const &) = delete;
    ~Segment() { unmap(); }

    /// Makes a file, maps it, fills it, commits its tables; with a name it is then named.
    Status create(char const *name, GeometryRequest const &request,
                  MemoryWish const &memory = {}) noexcept;
    /// Opens, validates and maps an existing one.
    Status attach(char const *name, Access access, MemoryWish const &memory = {}) noexcept;
    Status attach_fd(int fd, Access access, MemoryWish const &memory = {}) noexcept;

    /// Takes memory that the caller has mapped and formatted (tests and the explorer).
    void adopt(std::byte *base, Geometry const &geometry, Access access = {}) noexcept;

    /// Writes the header of a segment into zeroed memory.
    static void format(std::byte *base, Geometry const &geometry, Uuid const &uuid) noexcept;

    std::byte *base() const noexcept { return base_; }
    Geometry const &geometry() const noexcept { return geometry_; }
    Header &header() const noexcept { return *reinterpret_cast<Header *>(base_); }
    Backing &backing() noexcept { return backing_; }
    Backing const &backing() const noexcept { return backing_; }
    Uuid const &uuid() const noexcept { return uuid_; }
    bool read_only() const noexcept { return access_.read_only; }

    bool retired() const noexcept
    {
        // relaxed: a switch that is thrown once; who misses it now sees it in the next call
        return header().state.load(relaxed) != kStateReady;
    }

    /// Makes the granules [from, to) of a sector usable; idempotent.
    Status commit(unsigned sector, uint64_t from, uint64_t to) noexcept;
    /// The same for their data alone, and the opposite: it has no memory afterwards.
    Status commit_data(unsigned sector, uint64_t from, uint64_t to) noexcept;
    Status punch_data(unsigned sector, uint64_t from, uint64_t to) noexcept;
    /// Bytes in which data is given back: whole pages, and what sectors grow by.
    uint64_t trim_unit() const noexcept { return larger(kGrowthUnit, backing_.page_bytes()); }
    /// Puts what is committed into this process's page tables: the tables at the segment's start,
    /// and the granules [from, to) of a sector with their tables.
    Status populate_fixed() noexcept;
    Status populate(unsigned sector, uint64_t from, uint64_t to) noexcept;
    /// In a fork child: what the kernel takes from a mapping at fork.
    void arrange_again() noexcept { backing_.lock_memory_again(base_, geometry_.total); }
    MemoryUse measure() const noexcept { return backing_.measure(base_, geometry_.total); }

    template <class T> T *at(uint64_t offset) const noexcept
    {
        return reinterpret_cast<T *>(base_ + offset);
    }

  private:
    Status check_and_map(MemoryWish const &memory) noexcept;
    template <class Do>
    Status each_part(unsigned sector, uint64_t from, uint64_t to, Do action) noexcept;
    Status map(uint64_t length) noexcept;
    void unmap() noexcept;

    Backing backing_;
    Geometry geometry_;
    Uuid uuid_{};
    Access access_;
    std::byte *base_ = nullptr;
    bool mapped_ = false;
};

} // namespace weir
