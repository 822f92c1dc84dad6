// SPDX-License-Identifier: MIT OR Apache-2.0
// What the hostile scenarios share: random numbers, the board of running calls, victims, workers.
#pragma once

#include <weir.h>

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace hostile {

/// splitmix64: the same numbers for the same seed everywhere.
class Random {
  public:
    explicit Random(uint64_t seed) noexcept : state_(seed) {}
    uint64_t next() noexcept
    {
        uint64_t z = state_ += 0x9e3779b97f4a7c15;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        return z ^ z >> 31;
    }
    uint64_t below(uint64_t bound) noexcept { return bound == 0 ? 0 : next() % bound; }
    bool one_in(uint64_t n) noexcept { return below(n) == 0; }

  private:
    uint64_t state_;
};

int64_t now_ns() noexcept;

/// In memory that all processes share: who is in which call since when. The watchdog reads it.
struct Running {
    char const *call; ///< a literal: at the same address in all forked processes
    int64_t since_ns; ///< 0: in none
    pid_t process;
    pid_t thread;
};

struct Board {
    static constexpr unsigned kSlots = 16;
    Running running[kSlots];
    char const *slowest_call;
    int64_t slowest_ns;
    uint64_t calls;
    uint64_t rounds; ///< of scribbling
};
extern Board *board;

/// For the time of one call of the library.
class OnBoard {
  public:
    OnBoard(Running &running, char const *call) noexcept;
    OnBoard(OnBoard const &) = delete;
    OnBoard &operator=(OnBoard const &) = delete;
    ~OnBoard();

  private:
    Running &running_;
};

/// Where this thread says what it calls.
extern thread_local Running *here;
void sit_down(unsigned slot) noexcept;

#define CALL(expression)                                                                           \
    ([&] {                                                                                         \
        ::hostile::OnBoard const on_board(*::hostile::here, #expression);                          \
        return expression;                                                                         \
    }())

/// Ends the scenario as failed, with a reason.
[[noreturn]] void fail(char const *format, ...) noexcept __attribute__((format(printf, 1, 2)));

/// A segment, mapped a second time to spoil it.
class Victim {
  public:
    Victim() noexcept = default;
    Victim(Victim const &) = delete;
    Victim &operator=(Victim const &) = delete;
    ~Victim();

    /// Makes a matrix; guards the library's mapping of it with memory that nobody may touch.
    void make(uint64_t capacity) noexcept;
    /// Gives the handle back, as the last use of it.
    void leave() noexcept;

    weir_matrix *matrix() const noexcept { return matrix_; }
    /// Whether bytes lie in the library's mapping of the segment.
    bool holds(void const *data, uint64_t size) const noexcept;
    std::byte *library_base() const noexcept { return library_; }
    uint64_t size() const noexcept { return size_; }

    /// Flips one to three bits of a word of the tables.
    void flip(Random &random) noexcept;
    /// Writes something into a word of the tables, or of all.
    void scribble(Random &random, bool everywhere) noexcept;
    /// One turn of an attack on one mechanism.
    void attack(Random &random, unsigned kind) noexcept;
    static constexpr unsigned kAttacks = 15;
    static constexpr unsigned kForgetSleepers = 14;
    /// Undoes what would make each call end at once: the header's constants and state.
    void mend() noexcept;
    /// Sets the sectors' limits back to where they were at the last look.
    void look_at_limits() noexcept;
    void mend_limits() noexcept;

  private:
    uint64_t *word_at(uint64_t offset) const noexcept;
    uint64_t table_word(Random &random) const noexcept;
    uint64_t sector_word(Random &random) const noexcept;
    uint64_t channel() const noexcept; ///< offset of the first channel, 0 if there is none
    uint64_t pool() const noexcept;    ///< of the first pool
    uint64_t object(uint64_t kind, uint64_t bytes) const noexcept;
    uint64_t plausible_head(Random &random, unsigned sector) const noexcept;
    void attack_channel(Random &random, unsigned kind, uint64_t at) noexcept;
    void guard() noexcept;

    static constexpr unsigned kGuards = 2;
    weir_matrix *matrix_ = nullptr;
    std::byte *base_ = nullptr;
    std::byte *library_ = nullptr;
    uint64_t size_ = 0;
    uint64_t limits_[3] = {};
    void *guard_[kGuards] = {};
    uint64_t guard_bytes_[kGuards] = {};
    alignas(64) unsigned char pristine_[960] = {};
};

/// Calls the library at random, for one thread.
class Worker {
  public:
    /// `alone`: nobody scribbles during a call, so what two calls say must agree.
    Worker(Victim &victim, uint64_t seed, bool alone) noexcept;
    Worker(Worker const &) = delete;
    Worker &operator=(Worker const &) = delete;
    ~Worker();
    void step() noexcept;

  private:
    static constexpr unsigned kRefs = 64;
    weir_ref some_ref() noexcept;
    weir_ref *place_for_ref() noexcept;
    int64_t some_timeout() noexcept { return random_.one_in(16) ? 1000000 : 0; }
    void allocate() noexcept;
    void use(weir_ref ref) noexcept;
    void change(weir_ref ref) noexcept;
    void change_size(weir_ref &ref) noexcept;
    void batch() noexcept;
    void look() noexcept;
    void name_it() noexcept;
    void second_handle() noexcept;
    void open_channel() noexcept;
    void close_channel() noexcept;
    void post() noexcept;
    void read() noexcept;
    void open_pool() noexcept;
    void acquire() noexcept;
    void release() noexcept;

    Victim &victim_;
    weir_matrix *matrix_;
    Random random_;
    bool alone_;
    weir_ref refs_[kRefs] = {};
    weir_channel *channel_ = nullptr;
    weir_subscription *subscription_ = nullptr;
    weir_pool *pool_ = nullptr;
    weir_slot slots_[kRefs] = {};
};

} // namespace hostile
