// SPDX-License-Identifier: MIT OR Apache-2.0
// Follows every slot through its word, and checks what P1 to P7 promise.
#include "tests/explore/pool_world.hpp"

#include "core/matrix/roots.hpp"

#include <cstdio>

namespace weir::explore {
namespace {
constexpr char const *kName = "p";
/// Indexed by RootKind, as the C boundary has it.
constexpr RootOps const *kRootOps[kRootKinds] = {nullptr, nullptr, nullptr, &kPoolRootOps, nullptr};

MatrixProgram as_matrix_program(PoolWorld *world, PoolProgram program)
{
    return [=](Actor const &actor) { program(Swimmer(*world, actor.number())); };
}

/// Without a step of the fibre that runs.
template <class T> T peek(atomic<T> const &at)
{
    return __atomic_load_n(at.address(), __ATOMIC_SEQ_CST);
}

char const *name_of_state(PoolState state)
{
    return state == PoolState::free ? "FREE" : state == PoolState::cached ? "CACHED" : "LIVE";
}
} // namespace

// ---- programs

Matrix &Swimmer::matrix() const { return world_.handle(number_); }

SlotId Swimmer::acquire(Nanoseconds timeout) const
{
    uint64_t const began = world_.enter(number_);
    Taken got;
    Status const status = world_.pool(number_).acquire(timeout, got);
    say("acquire says %d, slot %u", status.code, got.slot.index());
    bool const in_the_way = status.code == -EBUSY && anybody_stopped();
    bool const over = status.code == -kRetired && world_.retires();
    if (status.ok())
        world_.note_taken(number_, got);
    else if (status.code == -EAGAIN || status.code == -ETIMEDOUT)
        world_.note_empty(number_, began);
    else if (status.code != -ENOMEM && !in_the_way && !over)
        fail("acquire says %d", status.code);
    world_.leave(number_);
    return status.ok() ? got.slot : SlotId{};
}

void Swimmer::release(SlotId slot) const
{
    world_.enter(number_);
    world_.note_release(slot);
    Status const status = world_.pool(number_).release(slot);
    say("release of slot %u says %d", slot.index(), status.code);
    bool const healed = status.code == -kStale && anybody_died(); // its user is dead, not we
    bool const over = status.code == -kRetired && world_.retires();
    if (!status.ok() && !healed && !over)
        fail("release of a live slot says %d", status.code);
    world_.leave(number_);
}

void Swimmer::acquire_and_release(int times, Nanoseconds timeout) const
{
    for (int i = 0; i < times; i++)
        if (SlotId const slot = acquire(timeout); slot.value != 0)
            release(slot);
}

SlotId Swimmer::before(unsigned index) const { return world_.before(index); }

void Swimmer::grow(uint64_t slots) const
{
    world_.enter(number_);
    Status const status = world_.pool(number_).grow(slots);
    bool const in_the_way = status.code == -EBUSY && anybody_stopped();
    if (!status.ok() && status.code != -ENOSPC && !in_the_way)
        fail("grow says %d", status.code);
    world_.leave(number_);
}

void Swimmer::heal() const
{
    world_.enter(number_);
    HealReport report;
    must(matrix().heal(report), "heal");
    world_.leave(number_);
}

void Swimmer::retire() const
{
    world_.enter(number_);
    Status const status = world_.pool(number_).retire();
    bool const in_the_way = status.code == -EBUSY && anybody_stopped();
    if (!status.ok() && status.code != -kRetired && !in_the_way)
        fail("retire says %d", status.code);
    world_.leave(number_);
}

// ---- the world

PoolWorld::PoolWorld(PoolPlan plan, MatrixPlan matrix, std::vector<PoolProgram> programs)
    : MatrixWorld(std::move(matrix),
                  [&] {
                      std::vector<MatrixProgram> all;
                      for (auto &program : programs)
                          all.push_back(as_matrix_program(this, program));
                      return all;
                  }()),
      plan_(std::move(plan))
{
    root_ops = kRootOps;
    step_limit = 20000; // sleepers spin before they sleep
}

void PoolWorld::prepare()
{
    MatrixWorld::prepare();
    make_pool();
    open_handles();
    for (char letter : plan_.taken) {
        int const who = letter == '-' ? outsider() : letter - 'a';
        act_as(letter == '-' ? kOutsider : who);
        Taken got;
        must(pool(who).acquire(0, got), "acquire before");
        before_.push_back(got.slot);
        pool(who).prepare_lane()->count = 0; // what it keeps besides is anybody's
    }
    act_as(kNoFibre);
    if (plan_.stale)
        Slots::format(reinterpret_cast<std::byte *>(header_), pool(0).slots().shape(), 0);
    view_before_.begin(*header_, pool(0).slots().shape());
    view_before_.add(reinterpret_cast<std::byte *>(header_));
}

void PoolWorld::make_pool()
{
    act_as(kOutsider);
    PoolOptions options;
    options.slot_size = 64;
    options.capacity = plan_.capacity;
    options.growable = plan_.most != 0;
    options.most = plan_.most;
    options.keep = plan_.keep;
    auto const made = Pool::create_in(handle(outsider()), kName, options);
    must(made.status(), "create");
    header_ = &(*made)->slots().header();
    auto const ref = handle(outsider()).ref_of(header_, 1);
    must(ref.status(), "ref_of");
    ref_ = *ref;
    (*made)->unref();

    name(&header_->gate, 1, 4, "gate");
    name(&header_->retired, 1, 4, "retired");
    name(&header_->extents, 1, 8, "extents");
    name(header_->ref, 31, 8, "extent");
    name(&header_->growth, 1, 8, "pool ticket");
    uint64_t const slots = plan_.most != 0 ? plan_.most : plan_.capacity;
    PoolShape shape;
    must(shape_of(options, shape), "shape");
    ExtentPlan const plan = ExtentPlan::of(shape, 0);
    auto *const begin = reinterpret_cast<char *>(header_);
    name(begin + plan.words, shape.first, 8, "slot word");
    name(begin + plan.map, (plan.data - plan.map) / 8, 8, "pool hints");
    watch(begin + plan.words, begin + plan.words + shape.first * 8);
    going_.resize(slots);
    in_flight_.resize(slots);
}

/// Handles of all participants, opened before the schedule; made once and never freed.
void PoolWorld::open_handles()
{
    for (int i = 0; i <= outsider(); i++) {
        act_as(i < outsider() ? i : kOutsider);
        auto const opened = Pool::attach(handle(i), kName, PoolOptions{});
        must(opened.status(), "attach");
        pools_.push_back(*opened);
        keep((*opened)->prepare_lane(), sizeof(PoolLane));
        keep(*opened, sizeof(Pool));
    }
}

void PoolWorld::begin_run()
{
    MatrixWorld::begin_run();
    view_ = view_before_;
    seen_.clear();
    for (uint32_t i = 0; i < view_.capacity(); i++)
        seen_.push_back(word(i));
    going_.assign(going_.size(), false);
    in_flight_.assign(in_flight_.size(), kNoFibre);
    moment_ = last_empty_ = 0;
    count_available();
}

PoolWord PoolWorld::word(uint32_t index) const { return {peek(view_.word(index))}; }

// ---- P4: when there was no slot

uint64_t PoolWorld::enter(int) { return ++moment_; }

void PoolWorld::leave(int who)
{
    for (int &by : in_flight_)
        by = by == who ? kNoFibre : by;
    ++moment_;
    count_available();
}

bool PoolWorld::is_available(uint32_t index) const
{
    PoolState const state = seen_[index].state();
    return (state == PoolState::free || state == PoolState::cached) &&
           in_flight_[index] == kNoFibre;
}

void PoolWorld::count_available()
{
    for (uint32_t i = 0; i < seen_.size(); i++)
        if (is_available(i))
            return;
    last_empty_ = moment_;
}

void PoolWorld::note_empty(int who, uint64_t began)
{
    count_available();
    // Somebody dead has what healing gives back; a stopped healer keeps it from us.
    if (last_empty_ < began && !anybody_stopped())
        fail("P4: %c was told that there is no slot, and there was one all the time", letter(who));
}

void PoolWorld::note_taken(int who, Taken got)
{
    uint32_t const index = got.slot.index();
    if (index >= seen_.size())
        return fail("%c got slot %u, and there are only %zu", letter(who), index, seen_.size());
    PoolWord const now = word(index);
    if (!now.is(PoolState::live) || now.owner() != owner_of(who) ||
        now.generation() != got.slot.generation())
        fail("%c got slot %u, whose word says %s(%u)", letter(who), index,
             name_of_state(now.state()), now.owner());
    if (got.data != view_.data(index))
        fail("slot %u has another place", index);
}

// ---- each change

void PoolWorld::learn()
{
    uint64_t const there = peek(header_->extents);
    for (unsigned i = view_.extents(); i < there; i++) {
        uint64_t const ref = peek(header_->ref[i - 1]);
        view_.add(base() + (ref & ((uint64_t{1} << 48) - 1)));
    }
}

void PoolWorld::changed(void const *address, int who)
{
    MatrixWorld::changed(address, who);
    ++moment_;
    if (address == header_->extents.address()) {
        learn();
        for (auto i = static_cast<uint32_t>(seen_.size()); i < view_.capacity(); i++) {
            seen_.push_back(word(i));
            in_flight_[i] = who;
            if (seen_[i].raw != 0)
                fail("slot %u of a new extent is not FREE", i);
        }
    }
    for (uint32_t i = 0; i < seen_.size(); i++)
        if (view_.word(i).address() == address && word(i).raw != seen_[i].raw)
            slot_changed(i, who);
    count_available();
}

/// P1, and who may do what.
bool PoolWorld::is_legal(PoolWord from, PoolWord to, uint32_t index, int who) const
{
    bool const same = from.generation() == to.generation();
    bool const mine = to.owner() == owner_of(who);
    bool const of_dead = from.owner() != weir::kNobody && from.owner() != owner_of(who) &&
                         is_dead(static_cast<int>(from.owner()) - 1);
    if (to.is(PoolState::live) && from.is(PoolState::live))
        return plan_.keep && of_dead && same && to.owner() == weir::kNobody;
    if (to.is(PoolState::live))
        return mine && to.generation() == PoolWord::next_generation(from.generation());
    if (from.is(PoolState::live))
        return same && (going_[index] || of_dead) && (to.is(PoolState::free) || mine);
    if (from.is(PoolState::cached))
        return same && to.is(PoolState::free) && (from.owner() == owner_of(who) || of_dead);
    return same && to.is(PoolState::cached) && mine;
}

void PoolWorld::slot_changed(uint32_t index, int who)
{
    PoolWord const from = seen_[index], to = word(index);
    seen_[index] = to;
    if (!is_legal(from, to, index, who))
        fail("P1: %c makes slot %u, %s(%u, gen %u), %s(%u, gen %u)", letter(who), index,
             name_of_state(from.state()), from.owner(), from.generation(),
             name_of_state(to.state()), to.owner(), to.generation());
    if (from.is(PoolState::live) && !to.is(PoolState::live)) {
        in_flight_[index] = who;
        going_[index] = false;
    }
    if (to.is(PoolState::live))
        in_flight_[index] = kNoFibre;
}

/// P5, when a sleeper's time runs out.
void PoolWorld::overslept(int who)
{
    for (int i = 0; i < fibres(); i++)
        if (is_dead(i) &&
            SlotWord{__atomic_load_n(slots()[i].word.address(), __ATOMIC_SEQ_CST)}.state() !=
                SlotState::free)
            return; // he heals him when he wakes
    if (anybody_stopped() || slept_on(who) != header_->gate.address())
        return;
    if (peek(header_->retired) != 0 || handle(who).segment().retired())
        fail("P5: %c was not told that the pool is over", letter(who));
    for (uint32_t i = 0; i < seen_.size(); i++)
        if (!seen_[i].is(PoolState::live))
            fail("P5: %c was forgotten in its sleep", letter(who));
}

// ---- at rest

void PoolWorld::settle()
{
    unsigned sector = 0;
    Granule head = 0;
    if (peek(header_->retired) == 0)
        check_slots();
    if (place_of(ref_, sector, head))
        monitor(sector).make_known(head);
    uint64_t const there = peek(header_->extents);
    for (uint64_t i = 1; i < 32; i++) {
        Ref const ref{peek(header_->ref[i - 1])};
        if (i >= there && ref.value != 0)
            return fail("P7: extent %llu is named and does not exist",
                        static_cast<unsigned long long>(i));
        if (i < there && place_of(ref, sector, head))
            monitor(sector).make_known(head);
    }
    if ((peek(header_->growth.word) & 0xffff) != 0)
        fail("the pool's ticket is never given back");
}

void PoolWorld::check_slots()
{
    for (uint32_t i = 0; i < seen_.size(); i++) {
        PoolWord const now = word(i);
        if (now.owner() != weir::kNobody && is_dead(static_cast<int>(now.owner()) - 1))
            return fail("slot %u still names the dead: %s(%u)", i, name_of_state(now.state()),
                        now.owner());
        if (now.is(PoolState::free) && view_.find_free(i) != i)
            return fail("P2: the FREE slot %u cannot be found", i);
        if (now.is(PoolState::live) && now.owner() == weir::kNobody && !plan_.keep)
            return fail("slot %u is nobody's", i);
    }
}

std::string PoolWorld::value_of(void const *address, uint64_t value) const
{
    bool is_word = false;
    for (uint32_t i = 0; i < seen_.size(); i++)
        is_word = is_word || view_.word(i).address() == address;
    if (!is_word)
        return MatrixWorld::value_of(address, value);
    PoolWord const word{value};
    char text[80];
    std::snprintf(text, sizeof text, "%s(owner %u=%c, gen %u)", name_of_state(word.state()),
                  word.owner(), letter(static_cast<int>(word.owner()) - 1), word.generation());
    return text;
}

} // namespace weir::explore
