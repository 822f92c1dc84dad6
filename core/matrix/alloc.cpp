// SPDX-License-Identifier: MIT OR Apache-2.0
// Allocation: the quick search, growth, and the exact out-of-memory rule (rules.md M7, M8).
#include "core/base/bits.hpp"
#include "core/base/clock.hpp"
#include "core/base/thread_id.hpp"
#include "core/matrix/matrix.hpp"
#include "core/matrix/sector_hot.hpp"
#include "core/matrix/window.hpp"
#include "core/segment/ticket.hpp"

#include <cstring>

namespace weir {
namespace {
/// Quick searches before a contended sector is grown. A split takes well under a microsecond, but who
/// splits may be interrupted, and grown memory stays.
constexpr int kContendedTries = 8;
/// A power of two; after each try four times as many, at most as in a turn.
constexpr unsigned kFirstPauses = 3;
constexpr uint64_t kLargestStep = uint64_t{64} << 20;
/// Rounds in which others may be faster in taking what was healed or grown.
constexpr int kHealTries = 1000;
constexpr int kGrowTries = 1000;
#ifdef WEIR_EXPLORE // each more shows nothing new
constexpr int kSpins = 2, kYields = 2;
constexpr unsigned kPausesOfTurn = 1;
#else
constexpr int kSpins = 64, kYields = 16;
constexpr unsigned kPausesOfTurn = 10; ///< of others; a power of two
#endif

Need need_in(Sector const &sector, AllocRequest const &request) noexcept
{
    Granules const align = sector.granules_for(request.alignment);
    return {sector.granules_for(request.size), align};
}

bool fits(Sector const &sector, AllocRequest const &request) noexcept
{
    return request.size <= sector.bytes_of(sector.max_granules());
}

void pause(unsigned exponent) noexcept
{
    for (unsigned i = 0; i < 1u << exponent; ++i)
        spin_pause();
}

/// Waiting for somebody who may be stopped: spin, yield, sleep; at most the matrix's stall.
class Patience {
  public:
    explicit Patience(Nanoseconds limit) noexcept : limit_(limit) {}

    /// False when the time is up.
    bool wait() noexcept
    {
        begin();
        ++turns_;
        if (turns_ <= kSpins) {
            spin_pause();
            return true;
        }
        if (monotonic_now() - began_ >= limit_)
            return false;
        if (turns_ <= kSpins + kYields)
            yield_processor();
        else
            sleep_for(kMillisecond);
        return true;
    }
    /// Whether time is left; for turns that are long by themselves.
    bool lasts() noexcept
    {
        begin();
        return monotonic_now() - began_ < limit_;
    }
    /// Whether it is time to test locks: once per sleep.
    bool slept() const noexcept { return turns_ > kSpins + kYields; }

  private:
    void begin() noexcept
    {
        if (began_ == 0)
            began_ = monotonic_now();
    }

    Nanoseconds limit_;
    Nanoseconds began_ = 0;
    int turns_ = 0;
};
} // namespace

/// One request on its way through the sectors.
struct Matrix::Search {
    AllocRequest const &request;
    Window &window;
    unsigned home; ///< the sector of its size
    unsigned order[kSectors] = {};
    unsigned count = 0;
    Run run{}; ///< what was found: claimed, window open
    Sector *sector = nullptr;
    Need need{};
    bool contended = false;
    int growth_error = 0; ///< of the file system, if that was why it did not grow
};

/// The shared path: no lane could serve the request.
Status Matrix::alloc_shared(uint64_t size, uint64_t &ret_ref, void **ret_data) noexcept
{
    WEIR_TRY(enter());
    if (size - 1 >= segment_.geometry().request.capacity)
        return error(EINVAL);

    Caller const self = caller();
    unsigned const home = sector_for(size);
    Sector &sector = *kept(&sectors_[home]);
    Granules const length = sector.granules_for(size);
    WorkPlace &place = work_place(self);
    Run const run = sector.search_quickly(length, position(place, home), self);
    if (!WEIR_LIKELY(run.length != 0))
        return alloc_shared_again(size, ret_ref, ret_data);
    if (!WEIR_LIKELY(run.length != length))
        return alloc_whole(size, run, ret_ref, ret_data);
    return hand_out_shared(sector, place, run, length, self, ret_ref, ret_data);
}

/// The end of a block that was found: our window is open.
WEIR_HOT Status Matrix::hand_out_shared(Sector &sector, WorkPlace &place, Run run, Granules length,
                                        Caller const &self, uint64_t &ret_ref,
                                        void **ret_data) noexcept
{
    Run const mine =
        sector.cut_right(run, length, run.length, self.owner(), known_steps(place, self));
    BlockWord const word = sector.hand_out(mine, self.owner(), 0);
    self.close();
    remember(place, static_cast<unsigned>(&sector - sectors_),
             run.head);                          // there the rest of the free block stays
    self.count(self.counters().allocs, relaxed); // for people
    uint64_t const offset = sector.offset_of(mine.head);
    ret_ref = make_ref(offset, word).value;
    if (ret_data != nullptr)
        *ret_data = segment_.base() + offset;
    return kOk;
}

/// The block that was found is as long as what is wanted. Apart from the usual way, which keeps
/// nothing over a call.
WEIR_COLD Status Matrix::alloc_whole(uint64_t size, Run run, uint64_t &ret_ref,
                                     void **ret_data) noexcept
{
    Caller const self = caller();
    Sector &sector = sectors_[sector_for(size)];
    WorkPlace &place = work_place(self);
    if (place.turns.is_disturbed(run.head, sector.sides(run), self.windows()))
        return alloc_in_turn(size, sector, run, self, ret_ref, ret_data);
    return hand_out_shared(sector, place, run, run.length, self, ret_ref, ret_data);
}

/// Leaves the block to merge with what the neighbour frees.
WEIR_COLD Status Matrix::alloc_in_turn(uint64_t size, Sector &sector, Run run, Caller const &self,
                                       uint64_t &ret_ref, void **ret_data) noexcept
{
    WorkPlace &place = work_place(self);
    sector.release_hot(run, self.owner(), known_steps(place, self));
    self.close();
    wait_for_turn(place, self);
    BlockWord const now = sector.word(run.head, relaxed); // compared only
    place.turns.note_vain(now.is(Kind::free) && now.granules() == run.length);
    return alloc_shared_properly(size, ret_ref, ret_data);
}

WEIR_COLD void Matrix::wait_for_turn(WorkPlace &place, Caller const &self) noexcept
{
    place.turns.end(self.windows());
    pause(kPausesOfTurn);
}

/// There was no first candidate, or somebody was faster.
WEIR_COLD Status Matrix::alloc_shared_again(uint64_t size, uint64_t &ret_ref,
                                            void **ret_data) noexcept
{
    Caller const self = caller();
    WorkPlace &place = work_place(self);
    unsigned const home = sector_for(size);
    Sector const &sector = sectors_[home];
    if (sector.is_passing(sector.granules_for(size), position(place, home))) {
        place.turns.meet(self.windows());
        if (place.turns.is_others(self.windows()))
            wait_for_turn(place, self);
    }
    return alloc_shared_properly(size, ret_ref, ret_data);
}

WEIR_COLD Status Matrix::alloc_shared_properly(uint64_t size, uint64_t &ret_ref,
                                               void **ret_data) noexcept
{
    Allocation made;
    WEIR_TRY(alloc_properly({size, 1, false, 0}, made));
    ret_ref = made.ref.value;
    if (ret_data != nullptr)
        *ret_data = made.data;
    return kOk;
}

Status Matrix::alloc(AllocRequest const &request, Allocation &ret) noexcept
{
    WEIR_TRY(enter());
    if (!is_valid(request))
        return error(EINVAL);
    unsigned const home = sector_for(request.size);
    if (request.alignment <= sectors_[home].bytes_of(1) &&
        alloc_laned(request.size, request.state, ret)) {
        if (request.zero)
            std::memset(ret.data, 0, request.size);
        return kOk;
    }
    return request.timeout == 0 ? alloc_properly(request, ret) : alloc_waiting(request, ret);
}

/// With options, or when the first candidate was none.
WEIR_COLD Status Matrix::alloc_properly(AllocRequest const &request, Allocation &ret) noexcept
{
    Caller const self = caller();
    Window window(self);
    unsigned const home = sector_for(request.size);
    Search search{request, window, home};
    search.sector = &sectors_[home];
    search.need = need_in(*search.sector, request);
    WorkPlace &place = work_place(self);
    search.run = quick_search(search, *search.sector, position(place, home) >> kChunkShift);
    if (search.run.length == 0) {
        Status const found = alloc_slow(search);
        if (!found.ok()) {
            self.count(self.counters().failures, relaxed); // for people
            return found;
        }
    }
    Sector &sector = *search.sector;
    Run const mine = sector.carve(search.run, search.need, self.owner());
    BlockWord const word = sector.hand_out(mine, self.owner(), request.state);
    window.close();
    remember(place, static_cast<unsigned>(&sector - sectors_), search.run.head);
    self.count(self.counters().allocs, relaxed); // for people
    ret.ref = make_ref(sector, mine.head, word);
    ret.data = segment_.base() + sector.offset_of(mine.head);
    if (request.zero)
        std::memset(ret.data, 0, request.size);
    return kOk;
}

/// Out of line, for the slow way.
WEIR_COLD Run Matrix::quick_search(Search &search, Sector &sector, uint64_t start) noexcept
{
    search.contended = false;
    Run const found = sector.search(search.need, start, search.window, search.contended);
    Caller const &self = search.window.caller();
    if (search.contended)
        work_place(self).turns.meet(self.windows());
    return found;
}

/// Home first, then larger sectors, then smaller ones: a matrix that is full of free small blocks
/// still serves a large request. Isolated: home alone.
Status Matrix::alloc_slow(Search &search) noexcept
{
    bool const isolate = segment_.geometry().request.isolate;
    for (unsigned i = search.home; i < (isolate ? search.home + 1 : kSectors); ++i)
        search.order[search.count++] = i;
    for (unsigned i = isolate ? 0 : search.home; i-- > 0;)
        search.order[search.count++] = i;

    Patience patience(stall_);
    int healed = 0;
    for (;;) {
        if (search_all(search))
            return kOk;
        if (healed < kHealTries && heal_dead()) {
            // bounded, in time too: a scribbler could make up dead participants for ever
            healed = patience.lasts() ? healed + 1 : kHealTries;
            continue;
        }
        Snapshot const before = Snapshot::take(participants_);
        WalkFindings found;
        if (search_exhaustively(search, found))
            return kOk;
        if (found.stolen && patience.lasts())
            continue;                         // what lanes had kept is FREE now
        bool const room = could_grow(search); // between the snapshots, like the search itself
        Snapshot const after = Snapshot::take(participants_);
        if (before.quiet() && before.begun == after.begun && !room)
            return search.growth_error != 0 ? Status{search.growth_error} : error(ENOMEM);
        // Somebody works or is stopped: wait for him, and look again.
        do {
            if (patience.wait())
                continue;
            if (!before.quiet()) // relaxed: for people
                participants_.slot(before.busy).stalls.fetch_add(1, relaxed);
            // What a stopped process is about to add counts as withheld too.
            return error(found.withheld || could_grow(search) ? EBUSY : ENOMEM);
        } while (before.still_open(participants_) && !patience.slept());
    }
}

/// The quick way in every sector: search, and grow where that is allowed.
bool Matrix::search_all(Search &search) noexcept
{
    WorkPlace &place = work_place(search.window.caller());
    for (unsigned i = 0; i < search.count; ++i) {
        unsigned const index = search.order[i];
        Sector &sector = sectors_[index];
        if (!fits(sector, search.request))
            continue;
        search.sector = &sector;
        search.need = need_in(sector, search.request);
        for (int tries = 0;; ++tries) {
            search.run = quick_search(search, sector, position(place, index) >> kChunkShift);
            if (search.run.length != 0)
                return true;
            if (!search.contended || tries == kContendedTries)
                break;
            if (Caller const &self = search.window.caller(); place.turns.is_others(self.windows()))
                wait_for_turn(place, self);
            else // in sum longer than anybody's turn: to grow costs memory
                pause(smaller(2u * static_cast<unsigned>(tries) + kFirstPauses, kPausesOfTurn));
        }
        if (index < search.home && sector.trimmed() == 0)
            continue; // a smaller sector never grows for a larger request
        for (int grown = 0; grown < kGrowTries && grow_for(search, index).ok(); ++grown) {
            search.run = quick_search(search, sector, sector.chunk_of(sector.limit()));
            if (search.run.length != 0)
                return true;
        }
        // Before another sector: what our own lane keeps here may do, together with its neighbours.
        if (Lane *const lane = lane_of(thread_number());
            lane != nullptr && flush_sector(*lane, index)) {
            search.run = quick_search(search, sector, 0);
            if (search.run.length != 0)
                return true;
        }
    }
    return false;
}

bool Matrix::search_exhaustively(Search &search, WalkFindings &found) noexcept
{
    for (unsigned i = 0; i < search.count; ++i) {
        Sector &sector = sectors_[search.order[i]];
        if (!fits(sector, search.request))
            continue;
        search.sector = &sector;
        search.need = need_in(sector, search.request);
        search.run = quick_search(search, sector, 0);
        if (search.run.length == 0)
            search.run = sector.search_by_walk(search.need, search.window, found);
        if (search.run.length != 0)
            return true;
    }
    return false;
}

/// Whether a sector that may grow for this request still has room. Somebody else may have held
/// the growth ticket a moment ago and used all that he added: then it is our turn.
bool Matrix::could_grow(Search const &search) const noexcept
{
    if (search.growth_error != 0)
        return false;
    for (unsigned i = 0; i < search.count; ++i) {
        unsigned const index = search.order[i];
        if (fits(sectors_[index], search.request) &&
            has_room(index, need_in(sectors_[index], search.request), index >= search.home))
            return true;
    }
    return false;
}

// ---- growth

Status Matrix::grow_for(Search &search, unsigned sector) noexcept
{
    Status const grown = grow(sector, search.need, sector >= search.home, search.window);
    if (!grown.ok() && grown.code != -ENOMEM && grown.code != -EBUSY)
        search.growth_error = grown.code;
    return grown;
}

uint64_t Matrix::committed() const noexcept
{
    uint64_t sum = 0;
    for (Sector const &sector : sectors_)
        sum += sector.bytes_of(sector.limit() - sector.trimmed());
    return sum;
}

/// Granules that a sector lacks at its end so that a need fits there, with what is free there.
uint64_t Matrix::missing_for(Sector const &sector, Need need) noexcept
{
    uint64_t const limit = sector.limit();
    uint64_t const there = smaller<uint64_t>(sector.free_at_end(), limit);
    uint64_t const end = round_up(limit - there, need.align) + need.length;
    return end > limit ? end - limit : 1; // somebody was faster in taking what was free
}

/// How far a sector grows for a need: a 256th of what there is, so that many small growths do not
/// become many system calls, and hardly more than the need is committed; ENOMEM at the capacity or
/// at the sector's end.
Result<Granules> Matrix::growth_step(unsigned index, Need need) const noexcept
{
    Sector const &sector = sectors_[index];
    uint64_t const total = committed();
    uint64_t const capacity = segment_.geometry().request.capacity;
    uint64_t const room = smaller(total < capacity ? capacity - total : 0,
                                  sector.bytes_of(sector.max_granules() - sector.limit()));
    uint64_t const wanted = round_up(sector.bytes_of(missing_for(sector, need)), kGrowthUnit);
    if (wanted > room)
        return error(ENOMEM);
    uint64_t const step =
        smaller(larger(wanted, round_down(total / 256, kGrowthUnit)), larger(wanted, kLargestStep));
    return static_cast<Granules>(smaller(step, round_down(room, kGrowthUnit)) >>
                                 sector.granule_shift());
}

/// Adds memory to a sector, first where it was trimmed. EBUSY: somebody else is growing. The window
/// is closed afterwards, the new memory is FREE.
Status Matrix::grow(unsigned index, Need need, bool may_rise, Window &window) noexcept
{
    Sector &sector = sectors_[index];
    if (!has_room(index, need, may_rise))
        return error(ENOMEM); // without the ticket: true at this moment
    Ticket ticket(segment_.header().growth);
    if (ticket.holder() != kNobody)
        return error(EBUSY); // no window: two who wait for the ticket must not keep each other busy
    window.open();
    Undo close([&window] { window.close(); });
    if (!ticket.try_take(me().owner))
        return error(EBUSY);

    bool rise = may_rise;
    if (Status const back = take_back(index, need, rise); !back.ok() || !rise) {
        ticket.give_back(me().owner);
        return back;
    }
    auto step = growth_step(index, need);
    Granule const from = sector.limit();
    Status granted = step.status();
    if (granted.ok() && *step > sector.max_granules() - from)
        granted = error(kCorrupt); // the limit changed although we hold the ticket
    if (granted.ok())
        granted = segment_.commit(index, from, from + *step);
    if (granted.code == -ENOSPC) { // less may be there
        uint64_t const least = round_up(sector.bytes_of(missing_for(sector, need)), kGrowthUnit);
        step = smaller(*step, static_cast<Granules>(least >> sector.granule_shift()));
        granted = segment_.commit(index, from, from + *step);
    }
    if (!granted.ok()) {
        ticket.give_back(me().owner);
        return granted;
    }
    Run const run{from, *step};
    sector.raise_limit(run, me().owner);
    ticket.give_back(me().owner);
    sector.release_run(run, me().owner);
    tell_waiting(); // others may have a use for the rest
    return kOk;
}

/// The option `commit`: a quarter small, half medium, the rest large; rounded down.
Status Matrix::commit_at_start(uint64_t bytes) noexcept
{
    uint64_t const share[kSectors] = {bytes / 4, bytes / 2, bytes - bytes / 4 - bytes / 2};
    Caller const self = caller();
    Window window(self);
    for (unsigned i = 0; i < kSectors; ++i) {
        Sector &sector = sectors_[i];
        while (sector.bytes_of(sector.limit()) < round_down(share[i], kGrowthUnit)) {
            uint64_t const left =
                round_down(share[i], kGrowthUnit) - sector.bytes_of(sector.limit());
            uint64_t const piece = smaller(left, kLargestStep) >> sector.granule_shift();
            Need const need{static_cast<Granules>(sector.free_at_end() + piece), 1};
            Status const grown = grow(i, need, true, window);
            if (grown.code == -ENOMEM)
                break; // a sector limit below the share, or a larger step took the room
            WEIR_TRY(grown);
        }
    }
    return kOk;
}

// ---- tickets

Status Matrix::take_ticket(TicketWord &word) noexcept
{
    Ticket ticket(word);
    Patience patience(stall_);
    while (!ticket.try_take(me().owner)) {
        if (!patience.wait()) {
            Owner const holder = ticket.holder();
            if (holder != kNobody && holder <= participants_.count())
                participants_.slot(holder).stalls.fetch_add(1, relaxed); // for people
            return error(EBUSY);
        }
        if (patience.slept())
            heal_dead();
    }
    return kOk;
}

void Matrix::give_ticket(TicketWord &word) noexcept { Ticket(word).give_back(me().owner); }

} // namespace weir
