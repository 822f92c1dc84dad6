// SPDX-License-Identifier: MIT OR Apache-2.0
// Follows every message through the words of its cell and its block, and checks what C1 to C6
// promise.
#include "tests/explore/channel_world.hpp"

#include "core/base/waiting.hpp"
#include "core/matrix/roots.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weir::explore {
namespace {
constexpr char const *kName = "c";
/// Indexed by RootKind, as the C boundary has it.
constexpr RootOps const *kRootOps[kRootKinds] = {nullptr, nullptr, &kChannelRootOps, nullptr,
                                                 nullptr};

void must(Status status, char const *what)
{
    if (status.ok())
        return;
    std::fprintf(stderr, "explore: %s: %d\n", what, status.code);
    std::abort();
}

MatrixProgram as_matrix_program(ChannelWorld *world, ChannelProgram program)
{
    return [=](Actor const &actor) {
        Peer peer(*world, actor.number());
        program(peer);
    };
}
} // namespace

// ---- programs

Matrix &Peer::matrix() const { return world_.handle(number_); }

bool Peer::post(int message, Nanoseconds timeout, unsigned level) const
{
    return post_ref(message, world_.piece(kSmall, static_cast<std::size_t>(message)), timeout,
                    level);
}

bool Peer::post_taken(int message, Ref ref) const { return post_ref(message, ref, 0); }

bool Peer::post_ref(int message, Ref ref, Nanoseconds timeout, unsigned level) const
{
    world_.begin_post(message, number_, ref, level);
    Status const status =
        world_.channel(number_).post(Post{ref, 1, static_cast<uint64_t>(message), level}, timeout);
    settle_post(message, ref, status);
    return status.code == 0;
}

void Peer::settle_post(int message, Ref ref, Status status) const
{
    say("post of message %d says %d", message, status.code);
    if (status.code == 1 && world_.plan().overflow == Overflow::drop_new)
        return;
    if (status.code == 0) {
        world_.posted(message);
        return;
    }
    if (status.code != -EAGAIN && status.code != -ETIMEDOUT && status.code != -kRetired)
        fail("post says %d", status.code);
    bool const over = matrix().segment().retired();
    if (!over && !matrix().free(ref).ok())
        fail("the block of a message that was not posted is not its poster's any more");
}

bool Peer::read(Nanoseconds timeout, weir::Message &ret) const
{
    Status const status = world_.subscription(number_).read(timeout, ret);
    say("read says %d, message %d", status.code, static_cast<int>(ret.tag));
    bool const nothing = status.code == -EAGAIN || status.code == -ETIMEDOUT;
    if (!status.ok() && !nothing && !(status.code == -kRetired && world_.has_ended()))
        fail("read says %d", status.code);
    if (!status.ok())
        return false;
    auto const number = static_cast<int>(ret.tag);
    int const reader = world_.reader_of(number_);
    world_.told(reader, ret.missed);
    if (world_.plan().mode == ChannelMode::broadcast)
        world_.picked_up(number, reader);
    else if (world_.message(number).held_by != number_)
        fail("read gave message %d, whose cell says nothing of it", number);
    return true;
}

bool Peer::answer(weir::Message const &got, Answer how) const
{
    Subscription &from = world_.subscription(number_);
    world_.answers(static_cast<int>(got.tag), world_.reader_of(number_));
    if (how == Answer::again)
        world_.message(static_cast<int>(got.tag)).may_repeat = true;
    Status const status = how == Answer::done   ? from.ack(got)
                          : how == Answer::take ? from.take(got)
                                                : from.nack(got);
    if (!status.ok())
        fail("the answer to a message in hand says %d", status.code);
    return status.ok();
}

int Peer::read_hold() const
{
    weir::Message got;
    return read(0, got) ? static_cast<int>(got.tag) : -1;
}

bool Peer::join() const
{
    Status const status =
        world_.channel(number_).ring().join(world_.subscription(number_).reader());
    if (status.ok())
        world_.joined(number_);
    else if (status.code != -ENOSPC)
        fail("join says %d", status.code);
    return status.ok();
}

void Peer::leave() const
{
    world_.leaves(number_);
    world_.channel(number_).ring().leave(world_.subscription(number_).reader());
}

bool Peer::read_ack(Nanoseconds timeout) const
{
    weir::Message got;
    return read(timeout, got) && answer(got, Answer::done);
}

bool Peer::read_nack() const
{
    weir::Message got;
    if (!read(0, got))
        return false;
    bool const again = world_.message(static_cast<int>(got.tag)).may_repeat;
    return answer(got, again ? Answer::done : Answer::again);
}

Ref Peer::read_take() const
{
    weir::Message got;
    if (!read(0, got))
        return {};
    answer(got, Answer::take);
    return got.ref;
}

void Peer::read_two_ack_back() const
{
    weir::Message first, second;
    if (!read(0, first))
        return;
    if (read(0, second))
        answer(second, Answer::done);
    answer(first, Answer::done);
}

bool Peer::read_take_or_ack() const
{
    weir::Message got;
    if (!read(0, got))
        return false;
    world_.answers(static_cast<int>(got.tag), world_.reader_of(number_));
    Status const status = world_.subscription(number_).take(got);
    if (status.ok())
        return matrix().free(got.ref).ok();
    if (status.code != -EBUSY)
        fail("take says %d", status.code);
    return answer(got, Answer::done);
}

void Peer::heal() const
{
    HealReport report;
    must(matrix().heal(report), "heal");
}

void Peer::end() const
{
    Status const status = world_.channel(number_).retire();
    if (!status.ok() && !(status.code == -EBUSY && anybody_stopped()))
        fail("retire says %d", status.code);
}

void Peer::end_matrix() const
{
    if (!matrix().retire().ok())
        fail("retiring the matrix says no");
}

void Peer::watch() const
{
    MatrixOptions options;
    options.access.read_only = true;
    options.root_ops = kRootOps;
    Matrix watcher;
    must(watcher.adopt(matrix().segment().base(), matrix().segment().geometry(), options), "watch");
    int missing = 0;
    auto const count = [](void *sum, Ref ref) { *static_cast<int *>(sum) += ref.value == 0; };
    Directory(watcher).visit(count, &missing);
    if (missing != 0)
        fail("who only looks finds %d places that name no block", missing);
    auto const opened = Channel::attach(watcher, kName, {});
    if (!opened.ok() && opened.status().code != -ENOENT)
        fail("who only looks is told %d", opened.status().code);
    if (!opened.ok())
        return;
    ChannelInfo info;
    Status const looked = (*opened)->inquire(info);
    if (!looked.ok() && looked.code != -kRetired)
        fail("who only looks into it is told %d", looked.code);
    (*opened)->unref();
}

bool Peer::open()
{
    auto const opened = matrix().open_object(kName, RootKind::channel);
    if (!opened.ok())
        return false;
    object_ = *opened;
    auto const ring = Ring::of(matrix(), object_.ref);
    if (!ring.ok()) {
        fail("an open channel's block is gone: %d", ring.status().code);
        return false;
    }
    ring_ = *ring;
    is_open_ = true;
    return true;
}

bool Peer::post_raw(int message)
{
    if (!matrix().data(object_.ref).ok())
        fail("the block of a channel that %c has open is free", letter(number_));
    Ref const ref = world_.piece(kSmall, static_cast<std::size_t>(message));
    world_.begin_post(message, number_, ref);
    Status const status =
        ring_.retired() ? error(kRetired) : ring_.post(ref, 1, static_cast<uint64_t>(message));
    settle_post(message, ref, status);
    return status.ok();
}

bool Peer::read_raw()
{
    weir::Message got;
    Reader &reader = world_.raw_reader(number_);
    if (!ring_.read(reader, got).ok())
        return false;
    if (!ring_.answer(reader, got, Answer::done).ok())
        fail("ack of a message in hand says no");
    return true;
}

void Peer::retire()
{
    Status const status = matrix().retire_object(object_);
    bool const in_the_way = status.code == -EBUSY && anybody_stopped();
    if (!status.ok() && status.code != -kRetired && !in_the_way)
        fail("retire says %d", status.code);
    if (!status.ok())
        return;
    ring_.retire();
    ring_.drain(false);
}

void Peer::close()
{
    if (is_open_)
        matrix().close_object(object_);
    is_open_ = false;
}

// ---- the world

ChannelWorld::ChannelWorld(ChannelPlan plan, MatrixPlan matrix,
                           std::vector<ChannelProgram> programs)
    : MatrixWorld(std::move(matrix),
                  [&] {
                      std::vector<MatrixProgram> all;
                      for (auto &program : programs)
                          all.push_back(as_matrix_program(this, program));
                      return all;
                  }()),
      plan_(plan)
{
    root_ops = kRootOps;
    step_limit = 20000; // readers spin before they sleep
}

void ChannelWorld::prepare()
{
    MatrixWorld::prepare();
    make_channel();
    if (plan_.retires)
        make_readers();
    else
        open_handles();
    post_before();
    act_as(kNoFibre);
    messages_before_ = messages_;
    joined_before_ = joined_;
}

void ChannelWorld::make_channel()
{
    act_as(kOutsider);
    Matrix &maker = handle(outsider());
    Allocation block;
    must(maker.alloc({Ring::bytes_for(options()), kCacheLine, true, 0}, block), "channel block");
    Ring::format(block.data, options());
    must(maker.bind_object(kName, RootKind::channel, block.ref), "bind");
    ref_ = block.ref;

    auto *const begin = static_cast<char *>(block.data);
    end_ = begin + Ring::bytes_for(options());
    begin_ = begin;
    auto &header = *static_cast<ChannelHeader *>(block.data);
    cells_ = ring_of(outsider()).cell_array();
    auto *const places = reinterpret_cast<Subscriber *>(begin + sizeof(ChannelHeader) +
                                                        plan_.levels * sizeof(Level));
    for (unsigned i = 0; i < plan_.taken; i++) // without a bit in `active`: nobody posts to it
        places[i].word.store(
            SubscriberWord::of(SubscriberState::active, owner_of(outsider()), 0).raw, seq_cst);
    name(&header.retired, 1, 8, "retired");
    name(&header.active, 1, 8, "active");
    name(&header.refused, 1, 8, "refused");
    name(&header.untold, 1, 8, "untold");
    name(&header.items, 1, 4, "items");
    name(&header.watchers, 1, 4, "watchers");
    name(&header.redelivery_map, 4, 8, "redelivery.map");
    auto *const levels = reinterpret_cast<Level *>(begin + sizeof(ChannelHeader));
    for (uint32_t i = 0; i < plan_.levels; i++) {
        std::string const level = plan_.levels > 1 ? std::to_string(i) + "." : "";
        name(&levels[i].tail, 1, 8, level + "tail");
        name(&levels[i].head, 1, 8, level + "head");
        name(&levels[i].room, 1, 4, level + "room");
    }
    auto *const after = reinterpret_cast<char *>(levels + plan_.levels);
    name(after, 1, static_cast<std::size_t>(reinterpret_cast<char *>(cells_) - after),
         plan_.mode == ChannelMode::broadcast ? "subscribers" : "redelivery");
    name(cells_, cells(), sizeof(Cell), "cell");
    name(cells_ + cells(), cells(), sizeof(Tally), "tally");
    watch(cells_, cells_ + cells());
}

ChannelOptions ChannelWorld::options() const
{
    ChannelOptions made;
    made.capacity = plan_.capacity;
    made.levels = plan_.levels;
    made.mode = plan_.mode;
    made.overflow = plan_.overflow;
    made.ttl = plan_.ttl;
    made.ageing = plan_.ageing;
    made.retain_count = plan_.retain_count;
    return made;
}

Ring ChannelWorld::ring_of(int fibre)
{
    auto const ring = Ring::of(handle(fibre), ref_);
    must(ring.status(), "ring");
    return *ring;
}

/// Handles of all fibres, opened before the schedule; made once and never freed, like matrices.
void ChannelWorld::open_handles()
{
    for (int i = 0; i < outsider(); i++) {
        act_as(i);
        auto const opened = Channel::attach(handle(i), kName, ChannelOptions{});
        must(opened.status(), "attach");
        if (reader_of(i) != i) {
            channels_.push_back(*opened);
            subscriptions_.push_back(subscriptions_[static_cast<std::size_t>(reader_of(i))]);
            continue;
        }
        auto *const subscription = make<Subscription>(**opened);
        Reader &reader = subscription->reader();
        reader.hand.init(cells());
        if (plan_.mode == ChannelMode::queue || i < plan_.subscribed)
            must((*opened)->ring().join(reader), "join");
        if (i < plan_.subscribed)
            joined(i);
        channels_.push_back(*opened);
        subscriptions_.push_back(subscription);
        keep(*opened, sizeof(Channel));
        keep(subscription, sizeof(Subscription));
        keep(reader.hand.words(), cells() * sizeof(uint64_t));
    }
}

/// For who opens the channel by itself.
void ChannelWorld::make_readers()
{
    for (int i = 0; i < outsider(); i++) {
        readers_.push_back(make<Reader>());
        readers_.back()->hand.init(cells());
        keep(readers_.back(), sizeof(Reader));
        keep(readers_.back()->hand.words(), cells() * sizeof(uint64_t));
    }
}

void ChannelWorld::post_before()
{
    act_as(kOutsider);
    Ring writer = ring_of(outsider());
    for (int i = 1; i <= plan_.before; i++) {
        Ref const ref = piece(kSmall, static_cast<std::size_t>(i));
        begin_post(i, kOutsider, ref);
        must(writer.post(ref, 1, static_cast<uint64_t>(i)), "post before");
        posted(i);
    }
}

void ChannelWorld::begin_run()
{
    MatrixWorld::begin_run();
    messages_ = messages_before_;
    joined_ = joined_before_;
    left_early_ = false;
    std::memset(last_got_, 0, sizeof last_got_);
    lost_.clear();
    perhaps_lost_.clear();
    seen_cells_.clear();
    seen_holders_.clear();
    for (uint32_t i = 0; i < cells(); i++) {
        seen_cells_.push_back(cell_word(i));
        seen_holders_.push_back(__atomic_load_n(cells_[i].holders.address(), __ATOMIC_SEQ_CST));
    }
    for (uint64_t &sum : told_)
        sum = 0;
    seen_blocks_.clear();
    for (auto const &entry : messages_)
        seen_blocks_[entry.first] = block_word(entry.second.ref);
    for (auto &levels : last_first_)
        for (int &last : levels)
            last = 0;
}

void ChannelWorld::begin_post(int number, int poster, Ref ref, unsigned level)
{
    Message fresh;
    fresh.level = level;
    fresh.must = joined_;
    fresh.poster = poster;
    fresh.sequence = number;
    fresh.ref = ref;
    messages_[number] = fresh;
    seen_blocks_[number] = block_word(ref);
    for (auto &entry : messages_) // the block's earlier message is over
        if (entry.first != number && entry.second.ref == ref)
            entry.second.ref = Ref{};
}

CellWord ChannelWorld::cell_word(uint32_t index) const
{
    return {__atomic_load_n(cells_[index].word.address(), __ATOMIC_SEQ_CST)};
}

int ChannelWorld::message_in(uint32_t index) const
{
    return static_cast<int>(__atomic_load_n(cells_[index].tag.address(), __ATOMIC_SEQ_CST));
}

BlockWord ChannelWorld::block_word(Ref ref) const
{
    unsigned sector = 0;
    Granule head = 0;
    return place_of(ref, sector, head) ? monitor(sector).word(head) : BlockWord{0};
}

// ---- each change

void ChannelWorld::changed(void const *address, int who)
{
    MatrixWorld::changed(address, who);
    auto const *const at = static_cast<char const *>(address);
    if (at >= begin_ && at < end_ && !block_word(ref_).is(Kind::allocated))
        return fail("%c writes into the channel's block, which is free", letter(who));
    auto const offset = at - reinterpret_cast<char *>(cells_);
    auto const size = static_cast<std::ptrdiff_t>(sizeof(Cell));
    bool const in_cells = offset >= 0 && offset < size * cells();
    if (in_cells && offset % size == 0)
        return cell_changed(static_cast<uint32_t>(offset / size), who);
    if (in_cells && offset % size == offsetof(Cell, holders))
        return holders_changed(static_cast<uint32_t>(offset / size), who);
    for (auto &entry : messages_)
        if (entry.second.ref.value != 0 &&
            !(block_word(entry.second.ref) == seen_blocks_[entry.first]))
            block_changed(entry.first, who);
}

void ChannelWorld::cell_changed(uint32_t index, int who)
{
    CellWord const from = seen_cells_[index], to = cell_word(index);
    seen_cells_[index] = to;
    Owner const owner = from.owner();
    bool const other = owner != weir::kNobody && owner != owner_of(who);
    if (other && !is_dead(static_cast<int>(owner) - 1))
        fail("cell %u of participant %u is changed by %c", index, owner, letter(who));

    int const number = message_in(index);
    if (from.is(Phase::full) && to.is(Phase::held))
        took(number, who, from.deliveries() > 0);
    bool const lossy = from.is(Phase::dropping) || from.is(Phase::expiring);
    if (lossy && to.is(Phase::empty) && plan_.mode == ChannelMode::queue)
        lost_.insert(number);
    bool const undone = from.is(Phase::dropping) && to.is(Phase::full);
    if (undone && plan_.retain_count == 0 && !anybody_died() && messages_[number].lost_for != 0)
        fail("C8: message %d was taken away by a drop that is not made", number);
    bool const was_taken = from.is(Phase::held) || from.is(Phase::freeing);
    if (was_taken && to.is(Phase::full) && plan_.mode == ChannelMode::queue) {
        messages_[number].may_repeat = true;
        messages_[number].held_by = kNoFibre;
    }
    if (to.is(Phase::full) && block_word(messages_[number].ref).owner() != weir::kNobody)
        fail("cell %u is FULL, and the block of message %d is not nobody's", index, number);
    uint64_t const ref = __atomic_load_n(cells_[index].ref.address(), __ATOMIC_SEQ_CST);
    if (to.is(Phase::empty) && ref != 0)
        fail("C1: cell %u is EMPTY and has a ref", index);
}

/// C3 and C4, at the moment at which a reader gets a message.
void ChannelWorld::took(int number, int who, bool again)
{
    Message &m = messages_[number];
    if (m.consumed)
        fail("C3: message %d is handed out after it was acknowledged", number);
    if (m.held_by != kNoFibre && !is_dead(m.held_by))
        fail("C3: message %d is handed to %c while %c holds it", number, letter(who),
             letter(m.held_by));
    if (m.deliveries > 0 && !m.may_repeat)
        fail("C3: message %d is handed out twice", number);
    m.deliveries++;
    m.held_by = who;
    if (again || m.poster < 0)
        return;
    int &last = last_first_[m.poster][m.level];
    if (!plan_.unordered && m.sequence < last)
        fail("C4: message %d of %c is handed out after a later one", number, letter(m.poster));
    last = m.sequence > last ? m.sequence : last;
}

/// A message's block leaves the channel only through the hands of who holds the message.
void ChannelWorld::block_changed(int number, int who)
{
    Message &m = messages_[number];
    BlockWord const from = seen_blocks_[number], to = block_word(m.ref);
    seen_blocks_[number] = to;
    bool const was_posted = from.is(Kind::allocated) && from.owner() == weir::kNobody;
    bool const is_posted = to.is(Kind::allocated) && to.owner() == weir::kNobody &&
                           to.generation() == from.generation();
    if (!was_posted || is_posted)
        return;
    if (!may_go(number, who) && !plan_.retires)
        fail("C2: %c takes the block of message %d, which it does not hold", letter(who), number);
    for (int i = 0; i < fibres(); i++)
        if ((m.in_hand >> i & 1) != 0 && !is_dead(i))
            fail("C7: %c frees the block of message %d, which %c has in hand", letter(who), number,
                 letter(i));
    m.consumed = true;
    m.ref = Ref{}; // from now on the block is somebody else's business
}

/// Who holds a message alone, and who has its cell for the purpose.
bool ChannelWorld::may_go(int number, int who) const
{
    Message const &m = messages_.at(number);
    if (m.held_by == who)
        return true;
    for (uint32_t i = 0; i < cells(); i++) {
        CellWord const word = cell_word(i);
        bool const ending =
            word.is(Phase::freeing) || word.is(Phase::dropping) || word.is(Phase::expiring);
        if (ending && word.owner() == owner_of(who) &&
            __atomic_load_n(cells_[i].ref.address(), __ATOMIC_SEQ_CST) == m.ref.value)
            return true;
    }
    return false;
}

/// Whose bit is taken by who has the cell DROPPING or EXPIRING has lost the message, and is told.
void ChannelWorld::holders_changed(uint32_t index, int who)
{
    uint64_t const now = __atomic_load_n(cells_[index].holders.address(), __ATOMIC_SEQ_CST);
    uint64_t const gone = seen_holders_[index] & ~now;
    seen_holders_[index] = now;
    CellWord const word = cell_word(index);
    bool const lossy = word.is(Phase::dropping) || word.is(Phase::expiring);
    if (gone == 0 || !lossy)
        return;
    if (word.owner() != owner_of(who)) { // an answer; or a sweep, and who has left cannot lose
        if ((joined_ >> who & 1) == 0)
            perhaps_lost_.insert(message_in(index));
        return;
    }
    int const number = message_in(index);
    lost_.insert(number);
    messages_[number].lost_for |= static_cast<unsigned>(gone);
}

void ChannelWorld::posted(int number)
{
    Message &m = messages_[number];
    m.posted = true;
    m.due = m.must & joined_;
}

void ChannelWorld::picked_up(int number, int who)
{
    Message &m = messages_[number];
    unsigned const bit = 1u << who;
    if ((m.got & bit) != 0 && !m.may_repeat)
        fail("C3: message %d is handed to %c twice", number, letter(who));
    if ((m.lost_for >> subscription(who).reader().slot & 1) != 0)
        fail("C8: message %d is handed to %c, from whom it was taken away", number, letter(who));
    BlockWord const word = block_word(m.ref);
    if (m.ref.value == 0 || !word.is(Kind::allocated) || word.owner() != weir::kNobody)
        fail("C7: the block of message %d, which %c reads, is gone", number, letter(who));
    if ((m.got & bit) == 0 && m.poster >= 0 && !plan_.unordered) {
        int &last = last_got_[who][m.poster][m.level];
        if (m.sequence < last)
            fail("C4: message %d of %c comes to %c after a later one", number, letter(m.poster),
                 letter(who));
        last = m.sequence;
    }
    m.got |= bit;
    m.in_hand |= bit;
    m.deliveries++;
}

void ChannelWorld::leaves(int who)
{
    left_early_ = true;
    joined_ &= ~(1u << who);
    for (auto &entry : messages_) {
        entry.second.due &= ~(1u << who);
        entry.second.must &= ~(1u << who);
        entry.second.in_hand &= ~(1u << who);
    }
}

void ChannelWorld::died(int who)
{
    MatrixWorld::died(who);
    leaves(reader_of(who));
}

bool ChannelWorld::has_ended() const
{
    auto const &header = *reinterpret_cast<ChannelHeader const *>(begin_);
    return __atomic_load_n(header.retired.address(), __ATOMIC_SEQ_CST) != 0 || matrix_is_over();
}

bool ChannelWorld::matrix_is_over() const
{
    auto const &header = *reinterpret_cast<Header const *>(base());
    return __atomic_load_n(header.state.address(), __ATOMIC_SEQ_CST) != kStateReady;
}

/// C6, when a sleeper's time runs out. Somebody who died before waking others has to be healed
/// first; the sleeper then does it himself.
void ChannelWorld::overslept(int who)
{
    for (int i = 0; i < fibres(); i++)
        if (is_dead(i) &&
            SlotWord{__atomic_load_n(slots()[i].word.address(), __ATOMIC_SEQ_CST)}.state() !=
                SlotState::free)
            return;
    if (anybody_stopped())
        return;
    bool forgotten = false;
    auto const *const levels = reinterpret_cast<Level const *>(begin_ + sizeof(ChannelHeader));
    for (uint32_t level = 0; level < plan_.levels; level++) {
        if (slept_on(who) != levels[level].room.word.address())
            continue;
        uint64_t const tail = __atomic_load_n(levels[level].tail.address(), __ATOMIC_SEQ_CST);
        auto const at = static_cast<uint32_t>(level * plan_.capacity + tail % plan_.capacity);
        CellWord const next = cell_word(at);
        forgotten = forgotten || (next.is(Phase::empty) && next.lap() == tail / plan_.capacity);
        bool const may_go = plan_.overflow == Overflow::drop_oldest && next.is(Phase::full) &&
                            next.lap() + 1 == tail / plan_.capacity &&
                            __atomic_load_n(cells_[at].pins.address(), __ATOMIC_SEQ_CST) == 0;
        forgotten = forgotten || may_go;
    }
    auto const &header = *reinterpret_cast<ChannelHeader const *>(begin_);
    forgotten = forgotten || has_ended();
    bool const reads = slept_on(who) == header.items.word.address();
    for (uint32_t i = 0; i < cells() && reads; i++) {
        uint64_t const holders = __atomic_load_n(cells_[i].holders.address(), __ATOMIC_SEQ_CST);
        bool const mine = plan_.mode == ChannelMode::queue ||
                          (holders >> subscription(who).reader().slot & 1) != 0;
        forgotten = forgotten || (cell_word(i).is(Phase::full) && mine);
    }
    if (forgotten)
        fail("C6: %c was forgotten in its sleep", letter(who));
}

// ---- at rest

/// Empties the channel as a user would, or retires it if who was about to do that has died.
void ChannelWorld::settle()
{
    if (matrix_is_over())
        return; // nobody empties it any more
    if (plan_.mode == ChannelMode::broadcast)
        check_broadcast();
    bool const may_lose = plan_.ttl != 0 || plan_.overflow == Overflow::drop_oldest;
    if (!plan_.retires && (plan_.mode == ChannelMode::broadcast || may_lose))
        check_counts();
    if (has_failed())
        return;
    int const number = fibres();
    spawn(false, [this, number] {
        Peer peer(*this, number);
        if (plan_.mode == ChannelMode::broadcast) { // all leave, as if they had died
            Ring ring = ring_of(number);
            for (int turn = 0; turn < 2; turn++)
                for (int i = 0; i < number; i++) {
                    leaves(i);
                    ring.heal(owner_of(i));
                }
            ring.drain(false);
        } else if (!plan_.retires) {
            while (peer.read_ack()) {
            }
        } else if (peer.open()) {
            peer.retire();
            peer.close();
        }
    });
    if (!run_all())
        return;
    check_empty();
    auto const &entry = *handle(0).segment().at<RootEntry>(geometry().roots);
    if (plan_.retires &&
        (entry.word.load(relaxed) >> 60 != 0 || block_word(ref_).is(Kind::allocated)))
        fail("leak: the retired channel is never collected");
}

/// C2 for those who are subscribed, while they could still read.
void ChannelWorld::check_broadcast()
{
    auto const holders = [&](uint32_t i) {
        return __atomic_load_n(cells_[i].holders.address(), __ATOMIC_SEQ_CST);
    };
    for (auto &entry : messages_) {
        Message const &m = entry.second;
        for (int who = 0; who < outsider() && m.posted; who++) {
            int const slot = subscription(who).reader().slot;
            bool const got =
                (m.got >> who & 1) != 0 && (m.in_hand >> who & 1) == 0 && !m.may_repeat;
            if ((m.due >> who & 1) == 0 || got || slot < 0 || (m.lost_for >> slot & 1) != 0)
                continue;
            bool waits = false;
            for (uint32_t i = 0; i < cells(); i++)
                waits = waits || (cell_word(i).is(Phase::full) && message_in(i) == entry.first &&
                                  (holders(i) >> slot & 1) != 0);
            if (!waits && !(m.may_repeat && (m.got >> who & 1) != 0))
                return fail("C2: message %d never reaches %c", entry.first, letter(who));
        }
    }
    uint64_t in_use = 0;
    ring_of(0).each_subscriber([&](SubscriberInfo const &info) {
        in_use |= uint64_t{1} << info.number;
        return 0;
    });
    for (uint32_t i = 0; i < cells(); i++) {
        if (!cell_word(i).is(Phase::full))
            continue;
        uint64_t const pins = __atomic_load_n(cells_[i].pins.address(), __ATOMIC_SEQ_CST);
        if ((holders(i) | pins) == 0 && plan_.retain_count == 0)
            return fail("cell %u stays FULL at rest, and nobody holds it", i);
        for (int who = 0; who < outsider(); who++)
            check_cursor(who, i, holders(i));
        if ((holders(i) & ~in_use) != 0 && !anybody_stopped())
            check_leaving(holders(i) & ~in_use, i);
    }
}

/// What somebody holds lies before him, or in his hand.
void ChannelWorld::check_cursor(int who, uint32_t cell, uint64_t holders)
{
    Reader const &reader = subscription(who).reader();
    if ((joined_ >> who & 1) == 0 || reader.slot < 0 || (holders >> reader.slot & 1) == 0)
        return;
    uint32_t const level = cell / plan_.capacity;
    uint64_t const position = cell_word(cell).lap() * plan_.capacity + cell % plan_.capacity;
    bool const in_hand = (messages_[message_in(cell)].in_hand >> who & 1) != 0;
    if (position < reader.cursor[level] && !in_hand)
        fail("C2: %c holds message %d and will never read it", letter(who), message_in(cell));
}

/// A bit of who has left is only there while his place waits for its sweep.
void ChannelWorld::check_leaving(uint64_t bits, uint32_t cell)
{
    auto const *const table = reinterpret_cast<Subscriber const *>(begin_ + sizeof(ChannelHeader) +
                                                                   plan_.levels * sizeof(Level));
    for (; bits != 0; bits &= bits - 1) {
        SubscriberWord const word{
            __atomic_load_n(table[lowest_bit(bits)].word.address(), __ATOMIC_SEQ_CST)};
        if (word.is(SubscriberState::free))
            fail("cell %u is held for a subscriber that is FREE", cell);
    }
}

/// C8, and that readers are told.
void ChannelWorld::check_counts()
{
    ChannelInfo info;
    ring_of(0).inquire(info);
    uint64_t const counted = info.dropped + info.expired;
    uint64_t perhaps = 0;
    for (int number : perhaps_lost_)
        perhaps += lost_.count(number) == 0 ? 1 : 0;
    if (counted < lost_.size() || counted > lost_.size() + perhaps)
        return fail("C8: %llu messages were lost, %llu are counted",
                    static_cast<unsigned long long>(lost_.size()),
                    static_cast<unsigned long long>(counted));
    if (anybody_died())
        return; // what the dead were told nobody knows
    uint64_t told = 0, lost = lost_.size();
    for (uint64_t sum : told_)
        told += sum;
    if (plan_.mode == ChannelMode::queue) {
        auto const &header = *reinterpret_cast<ChannelHeader const *>(begin_);
        told += __atomic_load_n(header.untold.address(), __ATOMIC_SEQ_CST);
    } else {
        lost = 0;
        for (auto const &entry : messages_)
            lost += static_cast<uint64_t>(__builtin_popcount(entry.second.lost_for));
        ring_of(0).each_subscriber([&](SubscriberInfo const &one) {
            told += one.missed;
            return 0;
        });
    }
    if (told != lost && !left_early_)
        fail("%llu losses, and readers are told %llu", static_cast<unsigned long long>(lost),
             static_cast<unsigned long long>(told));
}

void ChannelWorld::check_empty()
{
    bool const gone = !block_word(ref_).is(Kind::allocated);
    for (uint32_t i = 0; i < cells() && !gone; i++)
        if (!cell_word(i).is(Phase::empty) || __atomic_load_n(cells_[i].ref.address(), 5) != 0)
            return fail("cell %u is not EMPTY at rest: %s", i,
                        value_of(&cells_[i].word, cell_word(i).raw).c_str());
    for (auto const &entry : messages_) {
        if (entry.second.posted && !entry.second.consumed && lost_.count(entry.first) == 0)
            return fail("C2: message %d was posted and lost", entry.first);
        BlockWord const word = block_word(entry.second.ref);
        bool const is_left = entry.second.ref.value != 0 && word.is(Kind::allocated) &&
                             word.owner() == weir::kNobody;
        if (is_left)
            return fail("leak: the block of message %d is nobody's", entry.first);
    }
}

std::string ChannelWorld::value_of(void const *address, uint64_t value) const
{
    auto const offset = static_cast<char const *>(address) - reinterpret_cast<char *>(cells_);
    auto const size = static_cast<std::ptrdiff_t>(sizeof(Cell));
    if (cells_ == nullptr || offset < 0 || offset >= size * cells() || offset % size != 0)
        return MatrixWorld::value_of(address, value);
    static char const *const kPhase[] = {"EMPTY",   "WRITING",  "FULL",    "HELD",
                                         "FREEING", "DROPPING", "EXPIRING"};
    CellWord const word{value};
    auto const phase = static_cast<unsigned>(word.phase());
    char text[80];
    std::snprintf(text, sizeof text, "%s(lap %llu, owner %u=%c, deliveries %u)",
                  phase < 7 ? kPhase[phase] : "?", static_cast<unsigned long long>(word.lap()),
                  word.owner(), letter(static_cast<int>(word.owner()) - 1), word.deliveries());
    return text;
}

} // namespace weir::explore
