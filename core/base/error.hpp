// SPDX-License-Identifier: MIT OR Apache-2.0
// How a core function says that it could not: Status, Result<T> and WEIR_TRY.
#pragma once

#include <cerrno>
#include <cstdint>
#include <utility>

namespace weir {

/// The library's own codes, above every errno. The public names are WEIR_E_*; capi asserts that
/// both lists are equal.
enum ErrorCode : int {
    kStale = 4096,
    kCorrupt = 4097,
    kPoisoned = 4098,
    kRetired = 4099,
    kVersion = 4100,
    kLapped = 4101,
    kType = 4102,
    kForked = 4103,
};

/// 0 or a negative code. Success may carry a count.
struct [[nodiscard]] Status {
    int code = 0;

    constexpr Status() noexcept = default;
    constexpr explicit Status(int value) noexcept : code(value) {}
    constexpr bool ok() const noexcept { return code >= 0; }
};

inline constexpr Status kOk{};

/// `error(EINVAL)`, `error(kStale)`: the code is negated here and nowhere else.
constexpr Status error(int positive_code) noexcept { return Status{-positive_code}; }

/// A value or a code. T is a small, trivially destructible type.
template <class T> class [[nodiscard]] Result {
  public:
    constexpr Result(T value) noexcept : value_(value) {}
    constexpr Result(Status failure) noexcept : code_(failure.code) {}

    constexpr bool ok() const noexcept { return code_ == 0; }
    constexpr Status status() const noexcept { return Status{code_}; }
    constexpr T const &operator*() const noexcept { return value_; }
    constexpr T const *operator->() const noexcept { return &value_; }

  private:
    T value_{};
    int code_ = 0;
};

constexpr Status status_of(Status s) noexcept { return s; }
template <class T> constexpr Status status_of(Result<T> const &r) noexcept { return r.status(); }

/// Runs `action` at the end of the scope unless it was cancelled: undo without goto.
template <class Action> class Undo {
  public:
    explicit Undo(Action action) noexcept : action_(action) {}
    Undo(Undo const &) = delete;
    Undo &operator=(Undo const &) = delete;
    ~Undo()
    {
        if (armed_)
            action_();
    }
    void cancel() noexcept { armed_ = false; }

  private:
    Action action_;
    bool armed_ = true;
};

} // namespace weir

/// Returns a failure on to the caller.
#define WEIR_TRY(expression)                                                                       \
    do {                                                                                           \
        auto const weir_try_result = (expression);                                                 \
        if (!weir_try_result.ok())                                                                 \
            return ::weir::status_of(weir_try_result);                                             \
    } while (false)
