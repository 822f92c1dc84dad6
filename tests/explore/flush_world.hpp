// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of the flush ring: its words, buffers and disk in the explorer's image, and a monitor
// of the invariants that core/flush/flush.hpp numbers.
#pragma once

#include "core/flush/ring.hpp"
#include "tests/explore/explorer.hpp"
#include "tests/unit/flush_reader.hpp"

#include <functional>
#include <vector>

namespace weir::explore {

struct FlushPlan {
    RingOptions options;
    RingStart start;
    Lsn space = ~uint64_t{0};  ///< segments that begin below are ready from the start
    bool newest_first = false; ///< the device completes the last request first
    int fail_write = -1;       ///< which write fails
    int fail_flush = -1;
    bool flush_fails_once = false; ///< the first one, and what it covered is lost
    bool shares_errors = false;    ///< as FlushRing::share_errors()
    int fail_writeback = -1;       ///< which write's bytes the page cache cannot write to the disk
    bool has_owner = true;         ///< the last fibre is the I/O thread
    int poison = 0;                ///< with what the log may end poisoned
    bool deaths = false;           ///< the killable fibres may die

    FlushPlan();
};

class FlushWorld;

/// What a fibre does.
class Appender {
  public:
    Appender(FlushWorld &world, int number) : world_(world), number_(number) {}
    /// One record of `length` bytes; 0 or the code. What it is told is checked.
    int append(uint64_t length, Nanoseconds timeout = -1);
    int batch(std::vector<uint64_t> lengths, Nanoseconds timeout = -1);
    int reserve(uint64_t length);
    int commit(uint64_t length);
    int abort();
    int wait(Nanoseconds timeout = -1); ///< for what was appended last
    int sync();
    FlushRing &ring();
    Lsn lsn = 0; ///< of what was appended last

  private:
    int told(int code, std::vector<uint64_t> const &lengths, Lsn last);

    FlushWorld &world_;
    int const number_;
    void *place_ = nullptr;
};

using FlushProgram = std::function<void(Appender &)>;

class FlushWorld : public Scenario {
  public:
    FlushWorld(FlushPlan const &plan, std::vector<FlushProgram> programs);
    ~FlushWorld() override;

    void prepare() override;
    void run() override;
    void changed(void const *address, int who) override;
    void overslept(int who) override;
    bool may_die() const override;

    FlushRing &ring() { return *ring_; }
    FlushPlan const &plan() const { return plan_; }

  private:
    friend class Appender;
    static constexpr unsigned kMostWrites = 16, kMostUnits = 16, kSeen = 32;
    static constexpr uint64_t kDiskBytes = 8192;
    static constexpr unsigned kFiles = 8;

    struct Unit {
        Lsn lsn;
        uint64_t length;
        int code;
        int who;
        bool acknowledged;
    };
    struct Write {
        WriteRequest *request;
        uint64_t lsn;
        Lsn begin; ///< what lies before it is no gap: the header of its segment
        uint32_t length, crc;
        bool done, own;
        bool on_disk; ///< done with RWF_DSYNC, or before a flush began that has ended
        bool lost;    ///< by the flush that failed
    };
    /// All that changes and is not in the image.
    struct State {
        char disk[kDiskBytes];
        Write writes[kMostWrites];
        unsigned write_count;
        Unit units[kMostUnits];
        unsigned unit_count;
        Lsn durable_seen[kSeen];
        unsigned durable_count;
        Lsn durable, written, cut;
        uint64_t generation;
        bool woken, poison_returned, refuses_more, flush_failed;
        bool cache_failed[kFiles]; ///< the page cache knows of a failure that it has not told
        Nanoseconds owner_sleeps;
        int failing;
        uint32_t sleep_word;
    };

    static Status submit(void *self, WriteRequest *request);
    static unsigned reap(void *self, WriteRequest **ret, unsigned most, Nanoseconds timeout);
    static void wake_owner(void *self);
    static int write_now(void *self, WriteRequest const *request);
    static int flush(void *self, File file);
    static File file_at(void *self, Lsn lsn);

    unsigned begin_write(WriteRequest const &request, bool own);
    int end_write(unsigned index);
    void write_back(unsigned index);
    int take_error(File file);
    Lsn contiguous(bool on_disk) const;
    void tail_changed(int who);
    void durable_changed();
    void be_owner(bool until_closed);
    bool others_run() const;
    void check_duty();
    void check_at_rest();
    void check_units(flush_test::Contents const &found);
    template <class T> static T peek(atomic<T> const &word)
    {
        return __atomic_load_n(word.address(), __ATOMIC_SEQ_CST);
    }

    FlushPlan const plan_;
    std::vector<FlushProgram> const programs_;
    FlushRing *ring_ = nullptr;
    State state_;
    int owner_ = kNoFibre;
};

} // namespace weir::explore
