// SPDX-License-Identifier: MIT OR Apache-2.0
// Sets up a tiny matrix, runs the programs, heals, and looks at what is left.
#include "tests/explore/matrix_world.hpp"

#include "core/matrix/depot.hpp"
#include "tests/explore/seams.hpp"

#include <algorithm>
#include <new>

namespace weir::explore {
namespace {
constexpr int kHealers = 2;
constexpr uint64_t kOffsetMask = (uint64_t{1} << 48) - 1;

Granules length_of(std::vector<Piece> const &pieces)
{
    Granules sum = 0;
    for (Piece const &piece : pieces)
        sum += piece.length;
    return sum;
}
} // namespace

// ---- the hands

Matrix &Actor::matrix() const { return world_.handle(number_); }

Ref Actor::alloc_in(unsigned sector, Granules granules, Granules align) const
{
    uint64_t const begin = world_.now();
    uint64_t const unit = uint64_t{1} << kGranuleShift[sector];
    Allocation got;
    // As users call it: the short way unless the request is special.
    Status const status = align == 1
                              ? matrix().alloc(granules * unit, got)
                              : matrix().alloc({granules * unit, align * unit, false, 0}, got);
    if (status.code == -ENOMEM) {
        say("alloc(%u) says -ENOMEM", granules);
        world_.note_exhausted(number_, sector, granules, align, begin);
        return {};
    }
    if (status.code == -EBUSY && anybody_stopped())
        return {};
    if (!status.ok()) {
        fail("alloc(%u granules) says %d", granules, status.code);
        return {};
    }
    unsigned in = 0;
    Granule head = 0;
    if (!world_.place_of(got.ref, in, head))
        fail("alloc gave a ref that leads nowhere");
    BlockWord const word = world_.monitor(in).word(head);
    if (!word.is(Kind::allocated) || word.owner() != world_.owner_of(number_) ||
        (in == sector && word.granules() != granules) || (head & (align - 1)) != 0)
        fail("alloc(%u, align %u) gave the block at %u: %s", granules, align, head,
             text_of(word).c_str());
    world_.monitor(in).make_known(head);
    say("alloc(%u) gave the block at %u", granules, head);
    return got.ref;
}

void Actor::free(Ref ref) const
{
    Status const status = matrix().free(ref);
    if (!status.ok())
        fail("free of a live block says %d", status.code);
}

Ref Actor::piece(std::size_t index, unsigned sector) const { return world_.piece(sector, index); }

void Actor::free_piece(std::size_t index, unsigned sector) const { free(piece(index, sector)); }

void Actor::alloc_and_free(Granules granules) const
{
    Ref const ref = alloc(granules);
    if (ref.value != 0)
        free(ref);
}

void Actor::heal() const
{
    HealReport report;
    Status const status = matrix().heal(report);
    if (!status.ok() && status.code != -kRetired)
        fail("heal says %d", status.code);
}

void Actor::trim(uint64_t keep_bytes) const
{
    uint64_t bytes = 0;
    Status const status = matrix().trim(keep_bytes, bytes);
    if (!status.ok() && !(status.code == -EBUSY && anybody_stopped()))
        fail("trim says %d", status.code);
    say("trim gave %llu bytes back", static_cast<unsigned long long>(bytes));
}

bool Actor::resize(Ref ref, Granules granules, std::initializer_list<int> fine) const
{
    Status const status = matrix().resize(ref, uint64_t{granules} << kGranuleShift[kSmall]);
    bool const allowed =
        status.code == -ENOSPC || std::find(fine.begin(), fine.end(), status.code) != fine.end();
    if (!status.ok() && !allowed)
        fail("resize says %d", status.code);
    if (status.ok())
        say("resized to %u", granules);
    return status.ok();
}

Ref Actor::alloc_waiting(Granules granules) const
{
    Allocation got;
    uint64_t const size = uint64_t{granules} << kGranuleShift[kSmall];
    world_.note_waiting(number_, granules);
    Status const status = matrix().alloc({size, 1, false, 0, 5 * kSecond}, got);
    world_.note_waiting(number_, 0);
    if (status.code == -ETIMEDOUT || status.code == -kRetired)
        return {};
    if (!status.ok()) {
        fail("a waiting alloc says %d", status.code);
        return {};
    }
    unsigned in = 0;
    Granule head = 0;
    if (!world_.place_of(got.ref, in, head))
        fail("alloc gave a ref that leads nowhere");
    world_.monitor(in).make_known(head);
    return got.ref;
}

BlockWord Actor::word_at(Granule at) const { return world_.monitor(kSmall).word(at); }

// ---- the world

MatrixWorld::MatrixWorld(MatrixPlan plan, std::vector<MatrixProgram> programs)
    : plan_(std::move(plan)), programs_(std::move(programs))
{
    step_limit = 12000; // a check beside two deaths looks fifty times at each thing
}

void MatrixWorld::prepare()
{
    Granules granules[kSectors];
    for (unsigned i = 0; i < kSectors; i++) {
        granules[i] = length_of(plan_.pieces[i]);
        if (plan_.reserve[i] > granules[i])
            granules[i] = plan_.reserve[i];
        if (granules[i] == 0)
            granules[i] = 1;
    }
    GeometryRequest request = tiny_request(granules[kSmall], granules[kMedium], granules[kLarge],
                                           static_cast<uint32_t>(outsider()) + 1);
    if (plan_.capacity != 0)
        request.capacity = plan_.capacity;
    request.roots = plan_.roots;
    request.isolate = plan_.isolate;
    request.keep_blocks = plan_.keep_blocks;
    make_segment(request, plan_.threads > 1 ? round_up(sizeof(Depot), kPage) : 0);
    attach_all();
    if (plan_.threads > 1)
        add_threads();
    for (unsigned i = 0; i < kSectors; i++)
        lay_out(i);
    if (plan_.wants >= 0)
        for (unsigned i = 0; i < kExchangeRacks; i++)
            racks()[i].wanted.store(owner_of(plan_.wants), relaxed);
    if (plan_.shelved)
        fill_shelf();
    if (spoil)
        spoil(*this);
}

void MatrixWorld::fill_shelf()
{
    ExchangeRack &rack = racks()[0];
    unsigned count = 0;
    for (Granule at = 0; at < monitors_[kSmall].limit();
         at += monitors_[kSmall].word(at).granules())
        if (BlockWord const word = monitors_[kSmall].word(at); word.is(Kind::cached))
            rack.entry[0][count++].store(kept_of(at, word), relaxed);
    if (count == 0 || count > kExchangeBatch)
        must(error(EINVAL), "a batch for the shelf");
    rack.shelf[0].store(ShelfWord::of(ShelfWord::full, count, kNobody, owner_of(0)).raw, relaxed);
}

/// Participants in the order of the fibres: those of the programs, the healers, the outsider.
void MatrixWorld::attach_all()
{
    int const count = outsider();
    number_threads(!plan_.lanes || plan_.one_process || plan_.threads > 1);
    for (int i = 0; i <= count; i++) {
        act_as(i < count ? i : kOutsider);
        attach(i);
    }
    for (int i = 1; is_thread(i); i++) {
        act_as(i);
        add_lane(handle(0));
    }
    act_as(kNoFibre);
}

/// Where all programs are one process, the others' participants only leave their slots taken.
void MatrixWorld::attach(int number)
{
    handles_.push_back(new (make_pages(sizeof(Matrix))) Matrix());
    Matrix &matrix = *handles_.back();
    MatrixOptions options;
    options.stall = 3 * kMillisecond;
    options.root_ops = root_ops;
    options.lanes = plan_.lanes;
    must(matrix.adopt(base(), geometry(), options), "adopt");
    if (matrix.me().owner != static_cast<Owner>(number) + 1)
        must(error(EINVAL), "owner id");
    add_lane(matrix);
    keep(&matrix, sizeof matrix, true);
}

void MatrixWorld::add_lane(Matrix &matrix)
{
    if (Lane *const lane = matrix.prepare_lane(); lane != nullptr)
        keep(lane, sizeof *lane);
}

void MatrixWorld::died(int who)
{
    for (int i = 0; is_thread(i) && is_thread(who); i++)
        die_too(i);
}

/// The first handle gets the depot, in memory whose accesses are steps, and the other threads' lanes.
/// The participants that would have been theirs do nothing.
void MatrixWorld::add_threads()
{
    handle(0).lend_depot(new (spare()) Depot);
    for (int i = 1; i < plan_.threads; i++) {
        act_as(i);
        Lane *const lane = handle(0).prepare_lane();
        if (lane == nullptr)
            must(error(EINVAL), "a thread without a lane");
        keep(lane, sizeof *lane);
    }
    act_as(kNoFibre);
}

void MatrixWorld::lay_out(unsigned sector)
{
    SectorGeometry const &g = geometry().sector[sector];
    auto *const words = reinterpret_cast<BlockWord *>(base() + g.words);
    Sector tool;
    tool.init(handle(0).segment(), sector);
    auto &limit = reinterpret_cast<Header *>(base())->sector_limit[sector].granules;
    limit.store(length_of(plan_.pieces[sector]), relaxed);
    watch(words, words + g.max_granules);

    Granule at = 0;
    for (Piece const &piece : plan_.pieces[sector]) {
        bool const is_used = piece.kind == Kind::allocated;
        Owner const owner = piece.owner == kOutsider ? owner_of(outsider()) : owner_of(piece.owner);
        bool const is_owned = is_used || piece.kind == Kind::cached;
        words[at] = BlockWord::of(piece.kind, 0, is_owned ? owner : 0, is_used, piece.length);
        tool.write_tail({at, piece.length});
        if (piece.kind == Kind::free)
            tool.ensure_hints({at, piece.length});
        if (piece.kind == Kind::trimmed) {
            make_hole(g.data + (uint64_t{at} << g.granule_shift),
                      uint64_t{piece.length} << g.granule_shift);
            tool.set_trimmed(tool.trimmed() + piece.length);
        }
        at += piece.length;
    }
    monitors_[sector].init(base(), geometry(), sector);
    if (plan_.keep_blocks)
        monitors_[sector].let_nobody_own();

    at = 0;
    for (Piece const &piece : plan_.pieces[sector]) {
        Ref ref;
        if (piece.kind == Kind::allocated) {
            auto const found =
                handle(outsider()).ref_of(base() + g.data + (uint64_t{at} << g.granule_shift), 1);
            must(found.status(), "ref_of");
            ref = *found;
        }
        refs_[sector].push_back(ref);
        at += piece.length;
    }
}

void MatrixWorld::begin_run()
{
    now_ = 0;
    exhausted_.clear();
    for (Granules &wanted : wanted_)
        wanted = 0;
    for (unsigned i = 0; i < kSectors; i++) // memory is the same before each schedule
        if (!has_run_) {
            monitors_[i].reset();
            fresh_[i] = monitors_[i];
        } else if (monitors_[i].is_used())
            monitors_[i] = fresh_[i];
    has_run_ = true;
}

void MatrixWorld::run()
{
    begin_run();
    for (int i = 0; i < programs(); i++)
        spawn(plan_.threads == 1 || i >= plan_.threads,
              [this, i] { programs_[static_cast<std::size_t>(i)](Actor(*this, i)); });
    if (!run_all())
        return;
    heal_twice();
    if (has_failed())
        return;
    settle();
    if (!has_failed())
        check_at_rest();
}

/// The first healer may die as well.
void MatrixWorld::heal_twice()
{
    for (int i = 0; i < kHealers && anybody_died(); i++) {
        int const number = programs() + i;
        spawn(i == 0, [this, number] { Actor(*this, number).heal(); });
        if (!run_all())
            return;
    }
}

void MatrixWorld::changed(void const *address, int who)
{
    for (unsigned i = 0; i < kSectors; i++) {
        if (!monitors_[i].holds(address))
            continue;
        monitors_[i].changed(address, owner_of(who), ++now_);
        check_memory(i, address);
        return;
    }
}

/// What is free for all or a user's may be written to at once.
void MatrixWorld::check_memory(unsigned sector, void const *address) const
{
    SectorGeometry const &g = geometry().sector[sector];
    auto const offset =
        static_cast<uint64_t>(static_cast<std::byte const *>(address) - (base() + g.words));
    if (offset >= g.max_granules * sizeof(BlockWord))
        return; // the limit
    uint64_t const at = offset / sizeof(BlockWord);
    BlockWord const word = monitors_[sector].word(static_cast<Granule>(at));
    if ((word.is(Kind::free) || word.is_users()) &&
        has_hole(g.data + (at << g.granule_shift), uint64_t{word.granules()} << g.granule_shift))
        fail("T1: %s at %llu has no memory: SIGBUS", text_of(word).c_str(),
             static_cast<unsigned long long>(at));
}

/// Who waits, waits for somebody who goes on. If nobody does, operations hold each other up.
/// (Locks are tested once per sleep: after a death somebody has to sleep first.)
void MatrixWorld::stalled(int who)
{
    if (!anybody_stopped() && !anybody_died())
        fail("livelock: %c waits, and nobody is left who could change anything", letter(who));
}

/// Who waits for memory is woken when it comes. Somebody who died before waking others has to be
/// healed first; the sleeper then does it himself.
void MatrixWorld::overslept(int who)
{
    auto const &header = *reinterpret_cast<Header const *>(base());
    if (slept_on(who) != header.memory.address() || anybody_stopped())
        return;
    for (int i = 0; i < fibres(); i++)
        if (is_dead(i) && SlotWord{slots()[i].word.load(relaxed)}.state() != SlotState::free)
            return;
    SectorMonitor const &small = monitors_[kSmall];
    auto const can_be_had = [&](Granule at) {
        return small.word(at).is(Kind::free) || small.word(at).is(Kind::cached);
    };
    for (Granule at = 0; at < small.limit(); at += small.word(at).granules())
        if (can_be_had(at) && small.word(at).granules() >= wanted_[who])
            fail("%c was forgotten in its sleep: %s", letter(who), small.layout().c_str());
    if (header.state.load(relaxed) != kStateReady)
        fail("%c was not told that the matrix is retired", letter(who));
}

std::string MatrixWorld::value_of(void const *address, uint64_t value) const
{
    for (unsigned i = 0; i < kSectors; i++) {
        auto const *const words = base() + geometry().sector[i].words;
        auto const *const at = static_cast<std::byte const *>(address);
        if (at >= words && at < words + geometry().sector[i].max_granules * sizeof(BlockWord))
            return text_of(BlockWord{value});
    }
    return SegmentWorld::value_of(address, value);
}

bool MatrixWorld::place_of(Ref ref, unsigned &sector, Granule &head) const
{
    uint64_t const offset = ref.value & kOffsetMask;
    for (sector = 0; sector < kSectors; sector++) {
        SectorGeometry const &g = geometry().sector[sector];
        if (offset < g.data || offset >= g.data + (g.max_granules << g.granule_shift))
            continue;
        head = static_cast<Granule>((offset - g.data) >> g.granule_shift);
        return ref.value != 0;
    }
    return false;
}

void MatrixWorld::note_exhausted(int fibre, unsigned sector, Granules length, Granules align,
                                 uint64_t begin)
{
    exhausted_.push_back({fibre, sector, length, align, begin, now_});
}

// ---- at rest

void MatrixWorld::check_at_rest()
{
    if (anybody_died() && handle(0).segment().retired())
        return; // nobody heals it any more
    uint64_t committed = 0;
    for (unsigned i = 0; i < kSectors; i++) {
        monitors_[i].check_at_rest();
        if (has_failed())
            return;
        Sector tool;
        tool.init(handle(0).segment(), i);
        if (tool.trimmed() != tool.count_trimmed())
            return fail("T3: %u granules are counted as TRIMMED, there are %u", tool.trimmed(),
                        tool.count_trimmed());
        committed += tool.bytes_of(tool.limit() - tool.trimmed());
        for (Granule at = 0; at < monitors_[i].limit(); at += monitors_[i].word(at).granules()) {
            BlockWord const head = monitors_[i].word(at);
            if (head.is(Kind::free) && !tool.findable({at, head.granules()}))
                return fail("invariant 4: the FREE block at %u cannot be found: %s", at,
                            monitors_[i].layout().c_str());
        }
    }
    if (uint64_t const capacity = geometry().request.capacity; committed > capacity)
        return fail("T4: %llu bytes have memory, the capacity is %llu",
                    static_cast<unsigned long long>(committed),
                    static_cast<unsigned long long>(capacity));
    check_people();
    check_exchange();
    check_exhausted();
    if (extra_check && !has_failed())
        extra_check(*this);
}

void MatrixWorld::check_people() const
{
    auto const &header = *reinterpret_cast<Header const *>(base());
    auto const *const windows =
        reinterpret_cast<WindowCounters const *>(base() + geometry().windows);
    for (int i = 0; i < outsider(); i++) {
        for (unsigned pair = 0; pair < kWindowsPerParticipant; pair++) {
            WindowCounters const &w =
                windows[static_cast<unsigned>(i) * kWindowsPerParticipant + pair];
            if (w.begun.load(relaxed) != w.ended.load(relaxed))
                return fail("the window of participant %u stays open", owner_of(i));
        }
        SlotWord const slot{slots()[i].word.load(relaxed)};
        if (is_dead(i) && slot.state() != SlotState::free)
            return fail("the slot of dead participant %u is never healed: %s", owner_of(i),
                        text_of(slot).c_str());
        if (!is_dead(i) && slot.state() != SlotState::live)
            return fail("participant %u lives, its slot is %s", owner_of(i), text_of(slot).c_str());
    }
    for (TicketWord const *ticket : {&header.growth, &header.directory})
        if ((ticket->word.load(relaxed) & 0xffff) != 0)
            return fail("a ticket is never given back");
}

/// Nobody who died has a shelf in his hand, or has left anything on one.
void MatrixWorld::check_exchange() const
{
    for (unsigned i = 0; i < kExchangeRacks; i++) {
        for (int who = 0; who < outsider(); who++)
            if (is_dead(who) && racks()[i].wanted.load(relaxed) == owner_of(who))
                return fail("dead participant %u wants blocks of rack %u", owner_of(who), i);
        for (atomic<uint64_t> const &shelf : racks()[i].shelf) {
            ShelfWord const word{shelf.load(relaxed)};
            if (word.state() == ShelfWord::empty)
                continue;
            for (int who = 0; who < outsider(); who++) {
                bool const holds =
                    word.state() != ShelfWord::full && word.holder() == owner_of(who);
                if (is_dead(who) && (holds || word.giver() == owner_of(who)))
                    return fail("a shelf of rack %u is dead participant %u's for ever", i,
                                owner_of(who));
                if (!is_dead(who) && holds && !is_stopped(who))
                    return fail("participant %u does not let go of a shelf of rack %u",
                                owner_of(who), i);
            }
        }
    }
}

/// Invariant 5. A stopped participant withholds what it holds; then nothing is exact.
void MatrixWorld::check_exhausted() const
{
    if (anybody_stopped())
        return;
    bool const may_grow = plan_.capacity == 0;
    for (Exhausted const &e : exhausted_)
        if (!monitors_[e.sector].was_exhausted(e.begin, e.end, e.length, e.align, may_grow))
            return fail("invariant 5: %c was told -ENOMEM although at every moment of its call "
                        "%u granules in a row could be had",
                        letter(e.fibre), e.length);
}

} // namespace weir::explore
