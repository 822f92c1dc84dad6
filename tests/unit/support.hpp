// SPDX-License-Identifier: MIT OR Apache-2.0
// What every unit test uses: random numbers, children that die, environment numbers.
#pragma once

#include <criterion/criterion.h>

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <type_traits>

namespace unit {

// ---- assertions that show both values: check_eq(found, expected[, format, arguments…])

__extension__ typedef __int128 Wide;

/// A number of any kind, or an address: compared by value, whatever the types are.
struct Value {
    template <class T> Value(T from)
    {
        if constexpr (std::is_pointer_v<T>)
            wide = static_cast<Wide>(reinterpret_cast<uintptr_t>(from));
        else
            wide = static_cast<Wide>(from);
    }
    std::string text() const
    {
        auto const low = static_cast<uint64_t>(wide);
        return wide < 0 ? std::to_string(static_cast<int64_t>(low)) : std::to_string(low);
    }
    Wide wide;
};

/// Where a comparison stands, and its text.
struct Where {
    char const *file;
    int line;
    char const *text;
};

enum class Op { eq, ne, lt, ge };

inline bool holds(Op op, Wide a, Wide b)
{
    return op == Op::eq ? a == b : op == Op::ne ? a != b : op == Op::lt ? a < b : a >= b;
}

[[noreturn]] inline void complain(Where const &where, Value a, Value b, char const *more)
{
    cr_assert_fail("%s:%d: (%s) with %s and %s %s", where.file, where.line, where.text,
                   a.text().c_str(), b.text().c_str(), more);
    std::abort();
}

inline void check(Where const &where, Op op, Value a, Value b)
{
    if (!holds(op, a.wide, b.wide))
        complain(where, a, b, "");
}

__attribute__((format(printf, 5, 6))) inline void check(Where const &where, Op op, Value a, Value b,
                                                        char const *format, ...)
{
    if (holds(op, a.wide, b.wide))
        return;
    char more[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(more, sizeof more, format, arguments);
    va_end(arguments);
    complain(where, a, b, more);
}

#define check_eq(...) ::unit::check({__FILE__, __LINE__, #__VA_ARGS__}, ::unit::Op::eq, __VA_ARGS__)
#define check_ne(...) ::unit::check({__FILE__, __LINE__, #__VA_ARGS__}, ::unit::Op::ne, __VA_ARGS__)
#define check_lt(...) ::unit::check({__FILE__, __LINE__, #__VA_ARGS__}, ::unit::Op::lt, __VA_ARGS__)
#define check_ge(...) ::unit::check({__FILE__, __LINE__, #__VA_ARGS__}, ::unit::Op::ge, __VA_ARGS__)

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): any seed is a good one.
class Random {
  public:
    explicit Random(uint64_t seed) noexcept : state_(seed) {}
    uint64_t next() noexcept
    {
        state_ += 0x9e3779b97f4a7c15u;
        uint64_t z = state_;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }
    /// 0 … limit - 1
    uint64_t below(uint64_t limit) noexcept { return next() % limit; }
    bool percent(unsigned chance) noexcept { return below(100) < chance; }

  private:
    uint64_t state_;
};

inline uint64_t environment(char const *name, uint64_t otherwise)
{
    char const *const text = std::getenv(name);
    return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 0);
}

/// Runs `action` in a fork child, which then vanishes as if killed: nothing is cleaned up.
/// Returns what the action returned (0 … 127), or the signal that ended it, negative.
template <class Action> int in_child(Action action)
{
    pid_t const child = fork();
    if (child == 0)
        _exit(action());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// Lets all threads go at the same moment, again and again.
class Barrier {
  public:
    explicit Barrier(unsigned threads) : threads_(threads) {}
    void wait()
    {
        unsigned const mine = turn_.load();
        if (arrived_.fetch_add(1) + 1 == threads_) {
            arrived_.store(0);
            turn_.store(mine + 1);
        }
        for (unsigned spins = 0; turn_.load() == mine; ++spins)
            if (spins > 2000)
                sched_yield();
    }

  private:
    unsigned const threads_;
    std::atomic<unsigned> arrived_{0};
    std::atomic<unsigned> turn_{0};
};

/// A name for a segment that no other test and no other run uses.
inline std::string unique_name(char const *test)
{
    return std::string(test) + "-" + std::to_string(getpid());
}

} // namespace unit
