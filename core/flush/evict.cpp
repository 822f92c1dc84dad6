// SPDX-License-Identifier: MIT OR Apache-2.0
// Units whose writer does not come back. The holder of the token that waits for one seals its
// generation, copies what is committed to fresh memory and writes ABORTED in place of the rest, so
// that a late copy never reaches memory under I/O.
#include "core/flush/ring.hpp"

#include "core/base/alloc.hpp"
#include "core/flush/arena.hpp"

#include <cstring>

namespace weir {
namespace {
constexpr Nanoseconds kFirstPoll = 50 * kMicrosecond;
constexpr Nanoseconds kLongestPoll = kMillisecond;
/// A process that was stopped must not count that as its writers' delay.
constexpr Nanoseconds kMostCounted = 100 * kMillisecond;

/// Where a header may be, or the payload of a writer that comes back at this moment: what it
/// writes is no atomic, and does no harm, since such a word names its own place by accident only.
#if defined(__SANITIZE_THREAD__)
__attribute__((no_sanitize("thread"), noinline))
#endif
uint64_t
word1_in_passing(std::byte const *at) noexcept
{
    auto const &words = *reinterpret_cast<RecordWords const *>(at);
    return __atomic_load_n(words.word1.address(), __ATOMIC_ACQUIRE); // as in look_at()
}

constexpr bool is_record_type(uint8_t type) noexcept
{
    return type == kData || type == kPad || type == kAborted || type == kReserved ||
           type == kEvicted;
}
} // namespace

/// The unit at `lsn` is not committed. True: it is evicted, and the scan may go on.
bool FlushRing::evict_or_wait(Lsn lsn) noexcept
{
    Cutter &c = cutter_;
    Nanoseconds const now = monotonic_now();
    c.poll = c.poll == 0 ? kFirstPoll : smaller(2 * c.poll, kLongestPoll);
    if (c.stuck_for == 0)
        c.last_look = now;
    c.stuck_for += smaller(now - c.last_look, kMostCounted) + 1; // 0: not stuck
    c.last_look = now;
    // [C] an open reservation ends with the log
    bool const closing = state_.load(seq_cst) != static_cast<uint32_t>(State::open);
    bool const is_over = options_.stall_timeout >= 0 && c.stuck_for > options_.stall_timeout;
    if (!is_over && !(closing && is_open_reservation(lsn)))
        return false;
    return begin_eviction(c.generation) && evict_unit(lsn);
}

/// From here on no unit of the generation is told "success" unless the scan takes it.
bool FlushRing::begin_eviction(uint64_t generation) noexcept
{
    Cutter &c = cutter_;
    if (c.evicting == generation + 1)
        return true;
    if (is_being_opened(generation + 1)) {
        // Only a large unit touches its user's memory while it has CLAIMED: nobody else can open
        // the next generation, or knows what the writer will do when it comes back. Others have it
        // for some instructions, which may be now: so twice the time.
        if (options_.stall_timeout < 0 || c.stuck_for <= 2 * options_.stall_timeout)
            return false;
        poison(ETIMEDOUT, c.scan);
        return false;
    }
    c.out = static_cast<std::byte *>(map_pages(options_.buffer_size));
    if (c.out == nullptr) {
        poison(ENOMEM, c.scan);
        return false;
    }
    count_.stalls.fetch_add(1, relaxed);                    // for people
    count_.leaked.fetch_add(options_.buffer_size, relaxed); // the old memory is never used again
    c.evicting = generation + 1;
    seal_for_eviction(generation);
    Buffer &buffer = buffer_of(generation);
    buffer.quarantined.store(generation + 1, seq_cst); // [Q] before any CAS of evict_unit()
    buffer.fresh = c.out;
    // What of this batch was taken in already; later the scan copies as it goes.
    uint64_t const from = c.start - base_of(generation);
    std::memcpy(c.out + from, c.mem + from, c.scan - c.start);
    return true;
}

/// Somebody has CLAIMED the duty, or is between the two stores of open_next(). Who sleeps for a
/// buffer meanwhile is not what the scan waits for: all that it placed below is committed.
bool FlushRing::is_being_opened(uint64_t generation) const noexcept
{
    if (opener_sleeps_.load(seq_cst) == generation) // pairs with await_next()
        return false;
    DutyWord const duty{duty_.load(seq_cst)};
    if (duty.generation() == generation)
        return TailWord{tail_.load(seq_cst)}.is_in(generation - 1);
    return duty.generation() == generation - 1 && duty.duty() == Duty::claimed;
}

/// So that no new unit comes into the old memory. Whoever overflowed and never said so is helped.
void FlushRing::seal_for_eviction(uint64_t generation) noexcept
{
    TailWord now{tail_.load(seq_cst)};
    while (now.is_in(generation) && now.offset() <= options_.buffer_size)
        if (seal_generation(generation, now))
            return;
    if (now.is_in(generation) && claim(generation, Duty::idle))
        decline(generation);
}

/// Takes the unit's place away. The entry in the table and the CAS are one step for is_evicted().
bool FlushRing::evict_unit(Lsn lsn) noexcept
{
    Cutter &c = cutter_;
    RecordWords &words = words_at(c.mem + (lsn - base_of(c.generation)));
    uint64_t word1 = words.word1.load(acquire); // pairs with mark_reserved() and commit_unit()
    uint8_t const type = record_type(word1);
    if (type != kEmpty && type != kReserved && type != kEvicted)
        return false; // committed meanwhile; look_at() takes it
    uint64_t bytes = 0;
    {
        Locked const guard(eviction_lock_);
        bytes = stuck_bytes(lsn, word1);
        if (!add_range({lsn, lsn + bytes})) {
            poison(ENOMEM, lsn);
            return false;
        }
        // [Q] seq_cst: pairs with commit_unit()
        if (!words.word1.compare_exchange(word1, record_word1(kEvicted, 0, 0, lsn), seq_cst,
                                          relaxed)) {
            --ranges_->count; // it was committed, or RESERVED: look again
            return false;
        }
    }
    count_.evictions.fetch_add(1, relaxed); // for people
    auto const length = static_cast<uint32_t>(bytes - kRecordHeader);
    uint64_t const aborted = record_word1(kAborted, kWhole, 0, lsn);
    Crc32c sum = begin_record_crc(seed_, lsn, length, aborted);
    sum.add_zeros(length);
    uint64_t const word0 = record_word0(sum.value(), length);
    RecordWords &out = words_at(c.out + (lsn - base_of(c.generation)));
    out.word0.store(word0, relaxed); // the batch's state publishes both
    out.word1.store(aborted, relaxed);
    take_in(lsn, word0, aborted);
    c.scan += bytes;
    c.stuck_for = 0;
    c.poll = 0;
    return true;
}

/// RESERVED says it. EMPTY has no length: up to the next header that names its own place, or the
/// end of what is scanned.
uint64_t FlushRing::stuck_bytes(Lsn lsn, uint64_t word1) noexcept
{
    Cutter &c = cutter_;
    uint64_t const most = c.end - lsn;
    std::byte *const at = c.mem + (lsn - base_of(c.generation));
    if (record_type(word1) == kReserved) {
        uint64_t const bytes = reserved_bytes(word1);
        return bytes >= kRecordHeader && bytes <= most ? bytes : most;
    }
    for (uint64_t step = kRecordHeader; step < most; step += kRecordAlignment) {
        uint64_t const there = word1_in_passing(at + step);
        if (is_record_type(record_type(there)) && there >> 32 == ((lsn + step) & UINT32_MAX))
            return step;
    }
    return most;
}

/// Under eviction_lock_. Entries stay for ever: a writer may come back at any time.
bool FlushRing::add_range(Range range) noexcept
{
    constexpr unsigned kMost = sizeof ranges_->range / sizeof *ranges_->range;
    if (ranges_->count == kMost) {
        auto *const more = static_cast<Ranges *>(allocate(sizeof(Ranges)));
        if (more == nullptr)
            return false;
        more->next = ranges_;
        ranges_ = more;
    }
    ranges_->range[ranges_->count++] = range;
    return true;
}

bool FlushRing::is_evicted(Lsn lsn) noexcept
{
    Locked const guard(eviction_lock_);
    for (Ranges const *ranges = ranges_; ranges != nullptr; ranges = ranges->next)
        for (unsigned i = 0; i < ranges->count; ++i)
            if (lsn >= ranges->range[i].begin && lsn < ranges->range[i].end)
                return true;
    return false;
}

/// Committed bytes do not change any more.
void FlushRing::copy_out(Lsn lsn, uint64_t bytes) noexcept
{
    uint64_t const offset = lsn - base_of(cutter_.generation);
    std::memcpy(cutter_.out + offset, cutter_.mem + offset, bytes);
}

void FlushRing::end_eviction() noexcept
{
    cutter_.evicting = 0;
    cutter_.out = nullptr;
}

} // namespace weir
