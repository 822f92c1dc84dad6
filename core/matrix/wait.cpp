// SPDX-License-Identifier: MIT OR Apache-2.0
// Allocation that sleeps until memory comes back.
//
// One word in the header, `memory`, on which all who wait sleep (waiting.hpp has the protocol). A
// sleeper sets its bit [B], then tries once more, then sleeps. Whoever made memory FREE looks for
// the bit afterwards: free and resize after their last publication, trim, growth, healing and
// retirement.
//
// Why nobody is forgotten: the second try is exact out-of-memory (rules.md M7), so at a moment
// after [B] nothing FREE could serve and nobody had anything in hand. What can serve later was
// FREE'd by an operation that began after that moment; its publication [C] is seq_cst, and the load
// of the bit comes after it [W]. So it sees the bit. The search loads relaxed and acquire: the fence
// [F] in announce() keeps it behind [B]. What trim changes for others, how much is TRIMMED, is no
// seq_cst store, so it has a fence of its own.
//
// What does not fit into that argument is covered by the bounded sleep: a freer who died before
// [W] (healing wakes; a try heals), and -EBUSY, where a stopped process may be an allocator that
// gives a rest back and does not look for the bit. Then the sleep is short.
//
// A wake-up wakes all: who sleeps wants different sizes. The first free after a bit was set pays
// for the system call, the next ones do not.
#include "core/base/bits.hpp"
#include "core/matrix/matrix.hpp"

namespace weir {
namespace {
/// The longest sleep before a look for dead participants; and before the next look at somebody who
/// is stopped.
constexpr Nanoseconds kMemorySlice = kSecond;
constexpr Nanoseconds kBusySlice = 10 * kMillisecond;
/// While a peer scribbles over the word.
constexpr Nanoseconds kBlindMemorySlice = kMillisecond;

/// What may be otherwise when somebody has freed something.
bool is_shortage(Status status) noexcept
{
    return status.code == -ENOMEM || status.code == -EBUSY || status.code == -ENOSPC;
}
} // namespace

/// Whether a sector, empty and as large as it can get, would serve it. Else waiting is in vain.
bool Matrix::could_ever_fit(AllocRequest const &request) const noexcept
{
    unsigned const home = sector_for(request.size);
    bool const isolate = segment_.geometry().request.isolate;
    for (unsigned i = 0; i < kSectors; ++i)
        if ((i == home || !isolate) &&
            request.size <= sectors_[i].bytes_of(sectors_[i].max_granules()))
            return true;
    return false;
}

WEIR_COLD Status Matrix::alloc_waiting(AllocRequest const &request, Allocation &ret) noexcept
{
    Deadline const deadline(request.timeout);
    Status done = alloc_properly(request, ret);
    if (!is_shortage(done) || !could_ever_fit(request))
        return done;
    Waiting waiting(segment_.header().memory);
    for (;;) {
        uint32_t seen = 0;
        bool const announced = waiting.announce(seen);
        WEIR_TRY(enter());                   // after [B]: who retires counts up afterwards
        done = alloc_properly(request, ret); // after [F]
        if (!is_shortage(done))
            return done;
        Nanoseconds const left = deadline.left();
        if (left == 0)
            return error(ETIMEDOUT);
        if (announced)
            waiting.sleep(seen, smaller(left, done.code == -EBUSY ? kBusySlice : kMemorySlice));
        else
            sleep_for(smaller(left, kBlindMemorySlice));
    }
}

} // namespace weir
