// SPDX-License-Identifier: MIT OR Apache-2.0
// A disk whose cache is lost when the power goes: what was written is there for who reads, but only
// a flush makes it stay. It keeps a journal of all writes and flushes in the order in which it did
// them, and shows what a power cut at any place of the journal could have left.
//
// Three flat copies of the disk, in memory that is shared with the process that serves it:
//
//   start_   where the journal begins
//   stable_  what the flushes before the cut in question cover
//   now_     what is read and written: all of it while the journal grows; an image of a cut while
//            one is shown, with what its reader writes to it
//
// Outside of the ranges in the journal the three are equal, so nothing here copies the whole disk.
#pragma once

#include "tests/crash/support.hpp"

#include <atomic>

namespace disk {

using crash::Random;

constexpr uint64_t kSector = 512; ///< written as a whole or not at all

/// Which of the writes that no flush covers are in an image.
enum class Keep : uint32_t { none, all, all_but_one, only_one, prefix, some, torn };
constexpr unsigned kKeeps = 7;
char const *name_of(Keep keep);

struct Cut {
    uint64_t at; ///< so many entries of the journal were done
    Keep keep;
    uint64_t seed; ///< decides what `keep` leaves open
};

class VolatileDisk {
  public:
    /// Null if there is not so much address space.
    static VolatileDisk *make(uint64_t size);
    uint64_t size() const { return size_; }

    // ---- for the process that serves it; false: the journal is full

    char const *at(uint64_t offset) const { return now_ + offset; }
    bool write(uint64_t offset, char const *data, uint64_t length);
    bool zero(uint64_t offset, uint64_t length);
    bool flush();

    // ---- for the one that uses it

    /// How many entries there are. What was done before the call is among them.
    uint64_t position() const { return shared_->count.load(std::memory_order_acquire); }
    /// From now on one of so many flushes does nothing and says that it did; 0: none.
    void lie_once_in(uint32_t flushes) { shared_->lies = flushes; }

    // ---- while nobody uses it

    uint64_t flushes() const; ///< in the journal
    void clear();             ///< zeros, and an empty journal
    void settle();            ///< what is there now is where a new journal begins
    void rewind();            ///< no image has been shown yet
    /// Shows an image. Cuts come in order, since the last rewind().
    void show(Cut const &cut);
    void hide();                       ///< and takes away what was written to it
    bool save(char const *path) const; ///< the image, as a sparse file
    /// A place up to there: just before a flush, where most can be lost, or any other.
    uint64_t any_place(Random &random, uint64_t limit) const;
    uint64_t open_writes(uint64_t at) const; ///< that no flush covers, `at` a cut

  private:
    enum class Kind : uint32_t { write, zero, flush, lie };
    struct Entry {
        uint64_t offset, length, data;
        Kind kind;
    };
    struct Shared {
        std::atomic<uint64_t> count; ///< entries; the server adds, who uses it takes back
        uint64_t bytes;              ///< of their data
        uint64_t asked;              ///< flushes, ever
        uint32_t lies;
    };

    VolatileDisk() = default;
    bool add(Kind kind, uint64_t offset, char const *data, uint64_t length);
    void put(Entry const &entry, char *to) const { put(entry, to, 0, entry.length); }
    void put(Entry const &entry, char *to, uint64_t from, uint64_t length) const;
    void put_torn(Entry const &entry, Random &random);
    void copy(Entry const &entry, char const *from, char *to) const;
    bool writes(uint64_t i) const;
    uint64_t covered(uint64_t at) const;

    uint64_t size_ = 0;
    Shared *shared_ = nullptr;
    Entry *entries_ = nullptr;
    char *data_ = nullptr;
    char *start_ = nullptr, *stable_ = nullptr, *now_ = nullptr;
    uint64_t stable_count_ = 0;       ///< entries that are in stable_
    uint64_t shown_ = 0, behind_ = 0; ///< entries up to the cut; of the journal without the image's
    uint64_t bytes_behind_ = 0;
};

} // namespace disk
