// SPDX-License-Identifier: MIT OR Apache-2.0
// Creating a ring, its end by poison or close(), and what it says about itself.
#include "core/flush/ring.hpp"

#include "core/base/alloc.hpp"
#include "core/flush/arena.hpp"

#include <cstring>

namespace weir {
namespace {
constexpr uint64_t kLongestShort = 4096 - kRecordHeader;
constexpr uint64_t kSplitFrom = 4096;

bool is_possible(RingOptions const &o, RingStart const &start) noexcept
{
    return is_power_of_two(o.buffer_size) && is_power_of_two(o.segment_size) &&
           is_power_of_two(o.buffer_count) && is_power_of_two(o.block) && o.buffer_count >= 2 &&
           o.buffer_count <= 64 && o.block > kBatchHeader + kRecordHeader &&
           o.buffer_size >= 2 * o.block && o.buffer_size <= kMostBatchBytes &&
           o.segment_size >= o.buffer_size && o.commit_depth >= 1 && o.write_depth >= 1 &&
           o.max_record <= kLargestRecord && start.at % o.block == 0 && start.sequence != 0;
}
} // namespace

Status FlushRing::create(RingOptions const &options, RingStart const &start, Io const &io,
                         RingHost const &host, FlushRing *&ret) noexcept
{
    if (!is_possible(options, start))
        return error(EINVAL);
    void *const place = map_pages(sizeof(FlushRing));
    if (place == nullptr)
        return error(ENOMEM);
    auto *const ring = new (place) FlushRing;
    Status const done = ring->set_up(options, start, io, host);
    if (!done.ok()) {
        unmap_pages(place, sizeof(FlushRing));
        return done;
    }
    ret = ring;
    return kOk;
}

/// The pages come zeroed.
Status FlushRing::set_up(RingOptions const &options, RingStart const &start, Io const &io,
                         RingHost const &host) noexcept
{
    options_ = options;
    io_ = io;
    host_ = host;
    seed_ = epoch_seed(start.uuid, start.epoch);
    epoch_ = start.epoch;
    shift_ = floor_log2(options.buffer_size);
    buffer_mask_ = options.buffer_count - 1;
    fits_ = options.buffer_size - options.block - kBatchHeader;
    short_limit_ = smaller(smaller(kLongestShort, options.max_record),
                           round_down(fits_, kRecordAlignment) - kRecordHeader);
    split_from_ = smaller(kSplitFrom, options.buffer_size / 4);
    arena_size_ = options.buffer_size * options.buffer_count;
    arena_ = static_cast<std::byte *>(map_pages(arena_size_));
    if (arena_ == nullptr)
        return error(ENOMEM);
    if (io_.data->memory != nullptr)
        io_.data->memory(io_.data_self, arena_, arena_size_);
    set_up_words(start);
    return kOk;
}

/// Nobody else has the ring yet.
void FlushRing::set_up_words(RingStart const &start) noexcept
{
    auto const put = [](auto &word, uint64_t value) {
        word.store(value, relaxed); // see above
    };
    uint64_t const first = generation_of(start.at);
    for (uint64_t g = first; g < first + options_.buffer_count; ++g) {
        Buffer &buffer = buffer_of(g);
        put(buffer.gen, g);
        auto *const mem = arena_ + (g & buffer_mask_) * options_.buffer_size;
        put(buffer.mem, reinterpret_cast<uintptr_t>(mem));
        put(buffer.free_for, g);
    }
    uint64_t const offset = batch_start(start.at) - base_of(first) + kBatchHeader;
    put(tail_, TailWord::cut(first, offset, 0).raw);
    put(duty_, DutyWord::of(first, Duty::idle).raw);
    put(open_position_[0], start.at);
    Lsn const segment_end = round_down(start.at, options_.segment_size) + options_.segment_size;
    put(ready_upto_, segment_end);
    put(wanted_upto_, segment_end);
    put(cut_, start.at);
    put(cut_whole_, start.at);
    put(closed_, start.at);
    put(written_, start.at);
    put(durable_, start.at);
    put(next_sequence_, start.sequence);
    put(written_sequence_, start.sequence - 1);
    put(durable_sequence_, start.sequence - 1);
    safe_ = provable_ = {start.at, start.sequence - 1, start.sequence - 1};
    flushed_ = start.at;
    cutter_.position = start.at;
    cutter_.sequence = start.sequence;
    cutter_.prev_crc = start.prev_crc;
    owner_.next_submit = start.sequence;
    owner_.last_tail = TailWord::cut(first, offset, 0);
    owner_.last_flush = owner_.last_change = monotonic_now();
    ranges_ = &first_ranges_;
}

void FlushRing::destroy(FlushRing *ring) noexcept
{
    if (ring == nullptr)
        return;
    for (Ranges *more = ring->ranges_; more != &ring->first_ranges_;) {
        Ranges *const next = more->next;
        deallocate(more);
        more = next;
    }
    // Memory that was taken from under an evicted writer stays, as stats say.
    for (uint64_t i = 0; i <= ring->buffer_mask_; ++i) {
        Buffer &buffer = ring->buffers_[i];
        auto *const mem = reinterpret_cast<std::byte *>(buffer.mem.load(relaxed)); // nobody else
        for (std::byte *pages : {mem, buffer.fresh})
            if (pages < ring->arena_ || pages >= ring->arena_ + ring->arena_size_)
                unmap_pages(pages, ring->options_.buffer_size);
    }
    // An evicted writer may still come back to the arena.
    if (ring->count_.evictions.load(relaxed) == 0)
        unmap_pages(ring->arena_, ring->arena_size_);
    unmap_pages(ring, sizeof(FlushRing));
}

Status FlushRing::open_status() const noexcept
{
    if (is_poisoned())
        return error(kPoisoned);
    // seq_cst: [C] pairs with close()
    return state_.load(seq_cst) == static_cast<uint32_t>(State::open) ? kOk : error(EINVAL);
}

/// Behind the segment's header, if one stands there.
Lsn FlushRing::batch_start(Lsn position) const noexcept
{
    return position % options_.segment_size == 0 ? position + options_.block : position;
}

uint64_t FlushRing::first_offset(uint64_t generation) const noexcept
{
    return batch_start(base_of(generation)) - base_of(generation) + kBatchHeader;
}

/// All that is not freed lies within N generations of the last cut.
uint64_t FlushRing::full_generation(TailWord tail) const noexcept
{
    uint64_t const near = generation_of(cut_.load(seq_cst)); // any recent one would do
    uint64_t const ahead = (tail.generation() - near) & TailWord::kGeneration;
    return ahead <= TailWord::kGeneration / 2 ? near + ahead
                                              : near - (TailWord::kGeneration + 1 - ahead);
}

Lsn FlushRing::open_position(TailWord tail) const noexcept
{
    if (tail.is_opened())
        return base_of(full_generation(tail));
    return open_position_[tail.cuts()].load(acquire); // pairs with cut_open()
}

Lsn FlushRing::tail() const noexcept
{
    for (;;) {
        TailWord const seen{tail_.load(seq_cst)};
        Lsn const base = base_of(full_generation(seen));
        Lsn const sealed = sealed_at_.load(acquire); // pairs with close_for_good()
        if (sealed != 0)
            return sealed;
        uint64_t const offset = seen.offset() & ~TailWord::kSeal;
        bool const full = seen.offset() > options_.buffer_size;
        if (full && !(is_poisoned() && offset <= options_.buffer_size))
            return base + options_.buffer_size;
        Lsn const position = open_position(seen), first = batch_start(position) + kBatchHeader;
        if (base + offset < first)
            continue; // many cuts lie between the two looks
        return base + offset == first ? position : base + offset;
    }
}

void FlushRing::kick() noexcept { io_.data->wake(io_.data_self); }

// ---- poison

void FlushRing::poison(int code, Lsn lsn) noexcept
{
    bool ended = false;
    {
        Locked const guard(mark_);
        ended = condemn(code, lsn);
    }
    if (ended)
        tell_poison();
}

/// Under mark_. False: the log is poisoned already.
bool FlushRing::condemn(int code, Lsn lsn) noexcept
{
    if (is_poisoned())
        return false;
    poison_lsn_.store(lsn, relaxed); // published by poison_
    // seq_cst: who publishes durable_, sleeps or opens a generation looks at it afterwards
    poison_.store(static_cast<uint32_t>(code == 0 ? EIO : code), seq_cst);
    return true;
}

void FlushRing::tell_poison() noexcept
{
    attention_.fetch_or(kPoison, seq_cst);    // [A] an append that reserves after it sees it
    tail_.fetch_or(TailWord::kSeal, seq_cst); // [P] pairs with the look in open_next()
    wake_everybody();
    kick();
    if (host_.advanced != nullptr) // who polls looks for what is new, and finds the error
        host_.advanced(host_.self, written(), durable());
}

int FlushRing::poison_code() const noexcept
{
    return static_cast<int>(poison_.load(seq_cst)); // see poison()
}
Lsn FlushRing::poison_lsn() const noexcept { return poison_lsn_.load(relaxed); }

/// Cold: somebody must be woken, or told.
Status FlushRing::attend(Status status) noexcept
{
    uint32_t const seen = attention_.load(seq_cst);
    if ((seen & kPoison) != 0)
        return error(kPoisoned);
    // One of all appenders kicks. acq_rel: pairs with the I/O thread's store
    if ((seen & kDeep) != 0 && (attention_.fetch_and(~uint32_t{kDeep}, acq_rel) & kDeep) != 0)
        kick();
    return status;
}

void FlushRing::flush_eagerly() noexcept
{
    eager_.store(1, seq_cst); // pairs with sleep_limit()
    kick();
}

// ---- close

void FlushRing::begin_close() noexcept
{
    // [C] seq_cst: who is about to open a generation looks at it after having CLAIMED
    uint32_t expected = static_cast<uint32_t>(State::open);
    state_.compare_exchange(expected, static_cast<uint32_t>(State::closing), seq_cst, relaxed);
    room_.wake_all();
    kick();
}

Status FlushRing::close() noexcept
{
    begin_close();
    for (;;) {
        uint32_t const seen = close_gate_.enter();
        bool const over = state_.load(seq_cst) == static_cast<uint32_t>(State::closed);
        if (!over)
            close_gate_.sleep(seen, kForEver);
        close_gate_.leave();
        if (over)
            break;
    }
    return is_poisoned() ? error(kPoisoned) : kOk;
}

// ---- the preparer

Lsn FlushRing::space_wanted() const noexcept { return wanted_upto_.load(acquire); }

void FlushRing::space_ready(Lsn upto) noexcept
{
    // [R] seq_cst, before the look at the duty; pairs with decline() and await_room()
    Lsn known = ready_upto_.load(relaxed);
    while (known < upto && !ready_upto_.compare_exchange(known, upto, seq_cst, relaxed)) {
    }
    static_cast<void>(try_rotate(0, nullptr));
    room_.wake_all();
}

void FlushRing::space_status(int code) noexcept
{
    space_code_.store(static_cast<uint32_t>(code), seq_cst); // before the wake-up
    room_.wake_all();
}

// ---- what it says

void FlushRing::stats(RingStats &ret) const noexcept
{
    auto const get = [](atomic<uint64_t> const &counter) {
        return counter.load(relaxed); // a count for people
    };
    Counters const &c = count_;
    ret.records = get(c.records);
    ret.record_bytes = get(c.record_bytes);
    ret.batches = get(c.batches);
    ret.batch_bytes = get(c.batch_bytes);
    ret.padding_bytes = get(c.padding);
    ret.writes_by_waiters = get(c.by_waiters);
    ret.writes_by_io_thread = get(c.by_owner);
    ret.flushes = get(c.flushes);
    ret.rotations = get(c.rotations);
    ret.room_waits = get(c.room_waits);
    ret.stalls = get(c.stalls);
    ret.evictions = get(c.evictions);
    ret.leaked_bytes = get(c.leaked);
    ret.segments_not_ready = get(c.not_ready);
    ret.oldest_inflight = 0;
    Nanoseconds const now = monotonic_now();
    Locked const guard(mark_);
    std::memcpy(ret.latency, c.latency, sizeof ret.latency);
    for (Batch const &batch : batches_)
        if (BatchWord{batch.word.load(relaxed)}.state() == BatchState::writing) // under mark_
            ret.oldest_inflight = larger(ret.oldest_inflight, now - batch.began);
}

} // namespace weir
