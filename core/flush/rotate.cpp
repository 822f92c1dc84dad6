// SPDX-License-Identifier: MIT OR Apache-2.0
// The duty to open the next generation: claimed by one, declined to all, taken by anybody.
#include "core/flush/ring.hpp"

namespace weir {

/// Once true it stays true until the generation is opened, but for the ring's state.
bool FlushRing::can_open(uint64_t generation) const noexcept
{
    // [D] seq_cst: pairs with recycle(), which stores it and then looks at the duty; also: the
    // buffer's bytes are zero and its gen and mem are set
    return open_status().ok() && buffer_of(generation).free_for.load(seq_cst) == generation &&
           !segment_is_missing(generation);
}

bool FlushRing::segment_is_missing(uint64_t generation) const noexcept
{
    Lsn const base = base_of(generation);
    // [R] seq_cst: pairs with space_ready()
    return base % options_.segment_size == 0 && ready_upto_.load(seq_cst) <= base;
}

void FlushRing::want_segment_of(uint64_t generation) noexcept
{
    Lsn const upto = round_down(base_of(generation), options_.segment_size) + options_.segment_size;
    Lsn known = wanted_upto_.load(relaxed); // only rises
    while (known < upto)
        if (wanted_upto_.compare_exchange(known, upto, acq_rel, relaxed)) // pairs with its reader
            known = upto;
    if (host_.want_space != nullptr)
        host_.want_space(host_.self);
}

/// seq_cst: [C] the state is looked at again by the claimer.
bool FlushRing::claim(uint64_t generation, Duty from) noexcept
{
    uint64_t expected = DutyWord::of(generation, from).raw;
    return duty_.compare_exchange(expected, DutyWord::of(generation, Duty::claimed).raw, seq_cst,
                                  relaxed);
}

/// Gives the duty that we have CLAIMED to whoever can, and looks whether that is us.
void FlushRing::decline(uint64_t generation) noexcept
{
    if (segment_is_missing(generation + 1)) {
        count_.not_ready.fetch_add(1, relaxed); // for people
        want_segment_of(generation + 1);
    }
    // [D] [R] seq_cst: who makes the missing thing available looks at the duty afterwards, and we
    // look at that thing afterwards
    duty_.store(DutyWord::of(generation, Duty::needed).raw, seq_cst);
    static_cast<void>(try_rotate(0, nullptr));
    kick(); // a full generation is the I/O thread's to cut
}

/// Opens the next generation if that is a duty and possible. `own` bytes of it are `ret`'s.
bool FlushRing::try_rotate(uint64_t own, Place *ret) noexcept
{
    DutyWord const duty{duty_.load(seq_cst)}; // [D] [R]
    uint64_t const generation = duty.generation();
    if (duty.duty() != Duty::needed || !can_open(generation + 1))
        return false;
    if (!claim(generation, Duty::needed))
        return false;
    if (!open_status().ok()) { // [C] closed or poisoned between our look and our claim
        duty_.store(DutyWord::of(generation, Duty::needed).raw, seq_cst);
        return false;
    }
    open_next(generation, own, false, ret);
    return true;
}

/// We have CLAIMED the duty of `generation`, and the next one can open. `alone`: it is all ours, and
/// so is the duty to open the one after it.
///
/// The duty goes before the tail: with the tail first, the next overflower could find the duty not
/// IDLE, and it would be lost. gen and mem were set when the buffer was recycled: each position in
/// the file is fixed before anybody can reserve it (invariant 2).
void FlushRing::open_next(uint64_t generation, uint64_t own, bool alone, Place *ret) noexcept
{
    uint64_t const next = generation + 1;
    uint64_t const first = first_offset(next);
    // relaxed, a hint; before the exchange, so that nobody clears it late, in a full generation
    if ((attention_.load(relaxed) & kFull) != 0)
        attention_.fetch_and(~uint32_t{kFull}, relaxed);
    unsigned const cuts = TailWord{tail_.load(relaxed)}.cuts(); // full: no cut changes it now
    Duty const duty = alone ? Duty::claimed : Duty::idle;
    // release: pairs with the claim of the next overflower, which has seen the tail anyway
    duty_.store(DutyWord::of(next, duty).raw, release);
    uint64_t const offset = alone ? first | TailWord::kSeal : first + own;
    // seq_cst: heads the release sequence through which appenders see the zeroed bytes; [P]
    tail_.exchange(TailWord::opened(next, offset, cuts).raw, seq_cst);
    if (is_poisoned()) // [P] either poison() seals the new tail, or we do
        tail_.fetch_or(TailWord::kSeal, seq_cst);
    count_.rotations.fetch_add(1, relaxed); // for people
    if (base_of(next) % options_.segment_size == 0)
        want_segment_of(next + options_.segment_size / options_.buffer_size);
    room_.wake_all();
    wake_leader(); // who waits for a chain that goes on here
    kick();
    if (ret == nullptr)
        return;
    if (!locate(next & TailWord::kGeneration, first, *ret))
        ret->at = nullptr;
    ret->bytes = alone ? options_.buffer_size - first : own;
}

} // namespace weir
