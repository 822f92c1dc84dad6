// SPDX-License-Identifier: MIT OR Apache-2.0
// A disk in memory for the log: FileOps and DataOps over it, deterministic, and as bad as disks are.
//
// What it is
//   Files have two contents: what programs see (`seen`) and what survives a power cut (`stable`),
//   512-byte sectors of which are equal or dirty. Names have two tables likewise; changes of names
//   wait in a journal until their folder is flushed. A power cut takes any part of what is dirty
//   and of the journal.
//   Writes of DataOps are parked when they are submitted. reap() finishes them in any order. What
//   is parked at a power cut may have happened, in part.
//
// Failures
//   cut_after(n)   the n-th operation that changes or flushes anything fails with -EIO, and so does
//                  all that follows, until power_cut() says what survived
//   inject()       one operation goes wrong in the named way
//
// What it checks itself (violations()): bytes in flight do not change; writes in flight do not
// overlap; no block of a segment is written twice in one epoch (begin_epoch()).
//
// One thread. Everything follows from the seed.
#pragma once

#include "core/flush/io.hpp"
#include "tests/fault/pages.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace fault {

/// xorshift*: small, and the same everywhere.
class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 0x1234567) {}
    uint64_t next()
    {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1d;
    }
    uint64_t below(uint64_t n) { return n == 0 ? 0 : (next() >> 16) % n; }
    bool one_in(uint64_t n) { return below(n) == 0; }

  private:
    uint64_t state_;
};

inline constexpr uint64_t kSector = 512;

struct Inode {
    Pages seen, stable;
    std::vector<uint8_t> dirty; ///< of each page: a bit for each sector
    bool size_dirty = false;
    bool apart = false; ///< something clean is not what is stored
    int64_t modified = 0;
    void write(uint64_t offset, void const *data, size_t length);
    void resize(uint64_t size);
    void flush();
    void flush_range(uint64_t offset, uint64_t length);
    void lose_dirty(); ///< clean, and not written: what a failed flush leaves
    void drop_clean(); ///< what is clean is read from the disk again
    /// The disk gets those of its sectors, and is what is seen.
    void keep(uint64_t size, std::vector<uint8_t> const &kept);

  private:
    void copy_sectors(size_t page, uint8_t mask, Pages const &from, Pages &to);
};

enum class Bad {
    none,
    eio,         ///< write, flush, read, anything
    enospc,      ///< write, prealloc
    short_write, ///< half of it, then -EIO
    lost_write,  ///< success, nothing happened
    misdirected, ///< success, at another block of the file
    stale_read,  ///< another block of the file
    flush_fails, ///< -EIO, and what was dirty is clean and not written
    flush_lies,  ///< success, nothing was written
};

class Disk {
  public:
    explicit Disk(uint64_t seed) : random_(seed) {}
    Disk(Disk const &other);
    Disk &operator=(Disk const &) = delete;

    weir::Io io();

    // ---- power
    void cut_after(uint64_t operations) { cut_at_ = operations_ + operations; }
    void never_cut() { cut_at_ = UINT64_MAX; }
    bool off() const { return off_; }
    uint64_t operations() const { return operations_; }
    /// Decides what survived, closes all files, and the disk runs again.
    void power_cut(Random &random);
    /// The process dies, the machine goes on: files close, requests in flight finish.
    void kill(Random &random);
    /// Requests in flight no longer look at the memory of who made them, who dies now.
    void orphan();
    /// The same for a process that is to be taken down in an orderly way afterwards: nothing that
    /// it does from now on, and nothing it has in flight, changes the disk on its behalf. kill() or
    /// power_cut() follows.
    void leave_behind();
    /// Everything that is dirty reaches the disk; for tests that want no doubt.
    void settle();

    // ---- failures
    /// The next operation of `kind` on a name that contains `name` goes wrong once. Kinds: open
    /// read write flush dir rename unlink prealloc lock limits list size.
    void inject(char const *kind, char const *name, Bad bad, uint64_t after = 0);
    bool injected() const { return injected_; }
    void forget_injections() { injections_.clear(), injected_ = false; }

    // ---- for tests that look at or change what is stored
    std::vector<uint8_t> content(std::string const &name) const; ///< as programs see it
    /// Rot: what is stored changes behind everybody's back. `length` bytes are XORed with `mask`.
    void rot(std::string const &name, uint64_t offset, uint8_t mask, uint64_t length = 1);
    void put(std::string const &name, std::vector<uint8_t> const &bytes);
    void remove(std::string const &name);
    bool has(std::string const &name) const { return seen_.count(name) != 0; }
    std::vector<std::string> names() const;
    /// Equal names and bytes, as programs see them.
    bool same_as(Disk const &other) const;

    /// Limits that limits() answers.
    weir::Limits limits;
    /// Blocks of segments that DataOps wrote before may be written again.
    void begin_epoch() { written_.clear(); }
    std::vector<std::string> const &violations() const { return violations_; }
    size_t in_flight() const { return parked_.size(); }
    size_t open_files() const;
    uint64_t flushes = 0;

  private:
    friend struct Ops;
    using Names = std::map<std::string, std::shared_ptr<Inode>>;
    struct Handle {
        std::shared_ptr<Inode> inode;
        std::string name;
        bool write = false, direct = false, locked = false;
    };
    struct Change {
        enum Kind { create, rename, unlink, folder } kind;
        std::string a, b;
        std::shared_ptr<Inode> inode;
    };
    struct Parked {
        weir::WriteRequest *request;
        uint32_t sum;
    };
    /// A write that was in flight when the disk was copied.
    struct Loose {
        std::shared_ptr<Inode> inode;
        uint64_t offset;
        std::vector<uint8_t> bytes;
    };
    struct Injection {
        std::string kind, name;
        Bad bad;
        uint64_t after;
    };

    Loose loose_from(Parked const &parked) const;
    bool step(); ///< counts; false: no power
    Bad bad_for(char const *kind, std::string const &name);
    Handle *handle(weir::File file);
    void apply(Change const &change, Names &names);
    void finish(Parked const &parked);
    int write(Handle &handle, void const *data, size_t length, uint64_t offset);
    void check_write(Handle const &handle, weir::WriteRequest const &request);
    void survive(Inode &inode, Random &random, unsigned strategy);
    void flush_names(std::string const &sub);

    Random random_;
    Names seen_, stable_;
    std::vector<Change> journal_;
    std::vector<Handle> handles_;
    std::vector<Parked> parked_;
    std::vector<Loose> loose_;
    std::vector<Injection> injections_;
    std::map<Inode const *, std::vector<bool>> written_; ///< blocks; a new name is a new use
    std::vector<std::string> violations_;
    uint64_t operations_ = 0, cut_at_ = UINT64_MAX;
    bool off_ = false, left_ = false, woken_ = false, injected_ = false;
};

} // namespace fault
