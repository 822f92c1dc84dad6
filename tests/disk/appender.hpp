// SPDX-License-Identifier: MIT OR Apache-2.0
// A thread that appends to a log, and its notes. These are in shared memory: they outlive a process
// that is killed.
#pragma once

#include "tests/disk/oracle.hpp"

namespace disk {

/// Filled by one thread, and read when that is over. What is being changed is not counted yet.
template <class T, uint32_t Most> struct Table {
    std::atomic<uint32_t> count;
    T items[Most];

    T &add(T const &item)
    {
        uint32_t const at = count.load(std::memory_order_relaxed); // ours alone
        items[at] = item;
        count.store(at + 1, std::memory_order_release); // pairs with size()
        return items[at];
    }
    uint32_t size() const { return count.load(std::memory_order_acquire); }
    bool full(uint32_t more) const { return size() + more > Most; }
    void append_to(std::vector<T> &to) const { to.insert(to.end(), items, items + size()); }
};

struct Notes {
    Table<Record, 2048> records; ///< `lsn` 0 until the call that appends it returns
    Table<Told, 1024> durable, truncations, cursors; ///< `done` UINT64_MAX until the call returns
    char const *call;                                ///< the last one, and its answer
    int code;
};

struct Place {
    VolatileDisk &disk;
    std::string const &folder;
    weir_log *log;
};

constexpr char kCursor[] = "reader";

class Appender {
  public:
    /// `keeps_house`: it also truncates and moves the cursor. `short_too`: some records are too
    /// short to hold an id.
    Appender(Place const &place, Notes &notes, uint64_t seed, uint64_t first_id, bool keeps_house,
             bool short_too)
        : place_(place), notes_(notes), random_(seed), next_id_(first_id),
          keeps_house_(keeps_house), least_(short_too ? 0 : kIdBytes)
    {
    }
    void run();

  private:
    int append();
    int append_one();
    int append_reserved(bool abort);
    int append_batch();
    int acknowledge();
    int keep_house();
    int truncate(uint64_t below);
    Record any_record(uint64_t least);
    template <class Rows, class Call> int tell(Rows &to, uint64_t lsn, Call call)
    {
        Told &told = to.add({lsn, place_.disk.position(), UINT64_MAX});
        int const code = call();
        if (code == 0)
            told.done = place_.disk.position(); // afterwards: never too early
        return code;
    }

    Place place_;
    Notes &notes_;
    Random random_;
    uint64_t next_id_;
    bool keeps_house_;
    uint64_t least_;
    uint64_t lsn_ = 0; ///< of the last record of mine
};

} // namespace disk
