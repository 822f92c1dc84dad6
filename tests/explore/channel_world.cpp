// SPDX-License-Identifier: MIT OR Apache-2.0
// Follows every message through the words of its cell and its block, and checks what C1 to C6
// promise.
#include "tests/explore/channel_world.hpp"

#include "core/base/waiting.hpp"
#include "core/matrix/roots.hpp"

#include <cstdio>
#include <cstdlib>

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

bool Peer::post(int message, Nanoseconds timeout) const
{
    return post_ref(message, world_.piece(kSmall, static_cast<std::size_t>(message)), timeout);
}

bool Peer::post_taken(int message, Ref ref) const { return post_ref(message, ref, 0); }

bool Peer::post_ref(int message, Ref ref, Nanoseconds timeout) const
{
    world_.begin_post(message, number_, ref);
    Status const status =
        world_.channel(number_).post(ref, 1, static_cast<uint64_t>(message), timeout);
    settle_post(message, ref, status);
    return status.ok();
}

void Peer::settle_post(int message, Ref ref, Status status) const
{
    say("post of message %d says %d", message, status.code);
    if (status.ok()) {
        world_.message(message).posted = true;
        return;
    }
    if (status.code != -EAGAIN && status.code != -ETIMEDOUT && status.code != -kRetired)
        fail("post says %d", status.code);
    if (!matrix().free(ref).ok())
        fail("the block of a message that was not posted is not its poster's any more");
}

bool Peer::read(Nanoseconds timeout, weir::Message &ret) const
{
    Status const status = world_.subscription(number_).read(timeout, ret);
    say("read says %d, message %d", status.code, static_cast<int>(ret.tag));
    if (!status.ok() && status.code != -EAGAIN && status.code != -ETIMEDOUT)
        fail("read says %d", status.code);
    if (status.ok() && world_.message(static_cast<int>(ret.tag)).held_by != number_)
        fail("read gave message %d, whose cell says nothing of it", static_cast<int>(ret.tag));
    return status.ok();
}

bool Peer::read_ack(Nanoseconds timeout) const
{
    weir::Message got;
    if (!read(timeout, got))
        return false;
    if (!world_.subscription(number_).ack(got).ok())
        fail("ack of a message in hand says no");
    return true;
}

bool Peer::read_nack() const
{
    weir::Message got;
    if (!read(0, got))
        return false;
    bool const again = world_.message(static_cast<int>(got.tag)).may_repeat;
    Status const status =
        again ? world_.subscription(number_).ack(got) : world_.subscription(number_).nack(got);
    if (!status.ok())
        fail("the answer to a message in hand says %d", status.code);
    return true;
}

Ref Peer::read_take() const
{
    weir::Message got;
    if (!read(0, got))
        return {};
    if (!world_.subscription(number_).take(got).ok())
        fail("take of a message in hand says no");
    return got.ref;
}

void Peer::heal() const
{
    HealReport report;
    must(matrix().heal(report), "heal");
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
    uint64_t missed = 0;
    if (!ring_.read(got, missed).ok())
        return false;
    if (!ring_.answer(got, false).ok())
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
    if (!plan_.retires)
        open_handles();
    post_before();
    act_as(kNoFibre);
    messages_before_ = messages_;
}

void ChannelWorld::make_channel()
{
    act_as(kOutsider);
    Matrix &maker = handle(outsider());
    unsigned shift = 0;
    while ((1u << shift) < plan_.capacity)
        shift++;
    Allocation block;
    must(maker.alloc({Ring::bytes_for(shift), kCacheLine, true, 0}, block), "channel block");
    Ring::format(block.data, shift, 0, false);
    must(maker.bind_object(kName, RootKind::channel, block.ref), "bind");
    ref_ = block.ref;

    auto *const begin = static_cast<char *>(block.data);
    auto &header = *static_cast<ChannelHeader *>(block.data);
    cells_ = reinterpret_cast<Cell *>(begin + Ring::bytes_for(shift) - (sizeof(Cell) << shift));
    name(&header.tail, 1, 8, "tail");
    name(&header.head, 1, 8, "head");
    name(&header.retired, 1, 8, "retired");
    name(&header.items, 1, 4, "items");
    name(&header.room, 1, 4, "room");
    name(&header.redelivery_map, 4, 8, "redelivery.map");
    name(begin + sizeof(ChannelHeader), 1,
         static_cast<std::size_t>(reinterpret_cast<char *>(cells_) - begin) - sizeof(ChannelHeader),
         "redelivery");
    name(cells_, plan_.capacity, sizeof(Cell), "cell");
    watch(cells_, cells_ + plan_.capacity);
}

/// Handles of all fibres, opened before the schedule; made once and never freed, like matrices.
void ChannelWorld::open_handles()
{
    for (int i = 0; i < outsider(); i++) {
        act_as(i);
        auto const opened = Channel::attach(handle(i), kName, ChannelOptions{});
        must(opened.status(), "attach");
        auto const subscribed = (*opened)->subscribe();
        must(subscribed.status(), "subscribe");
        channels_.push_back(*opened);
        subscriptions_.push_back(*subscribed);
        keep(*opened, sizeof(Channel));
        keep(*subscribed, sizeof(Subscription));
    }
}

void ChannelWorld::post_before()
{
    act_as(kOutsider);
    auto ring = Ring::of(handle(outsider()), ref_);
    must(ring.status(), "ring");
    Ring writer = *ring;
    for (int i = 1; i <= plan_.before; i++) {
        Ref const ref = piece(kSmall, static_cast<std::size_t>(i));
        begin_post(i, kOutsider, ref);
        must(writer.post(ref, 1, static_cast<uint64_t>(i)), "post before");
        messages_[i].posted = true;
    }
}

void ChannelWorld::begin_run()
{
    MatrixWorld::begin_run();
    messages_ = messages_before_;
    seen_cells_.clear();
    for (uint32_t i = 0; i < plan_.capacity; i++)
        seen_cells_.push_back(cell_word(i));
    seen_blocks_.clear();
    for (auto const &entry : messages_)
        seen_blocks_[entry.first] = block_word(entry.second.ref);
    for (int &last : last_first_)
        last = 0;
}

void ChannelWorld::begin_post(int number, int poster, Ref ref)
{
    Message fresh;
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
    auto const offset = static_cast<char const *>(address) - reinterpret_cast<char *>(cells_);
    auto const size = static_cast<std::ptrdiff_t>(sizeof(Cell));
    auto const end = size * plan_.capacity;
    auto const begin =
        end - static_cast<std::ptrdiff_t>(Ring::bytes_for(weir::floor_log2(plan_.capacity)));
    if (offset >= begin && offset < end && !block_word(ref_).is(Kind::allocated))
        return fail("%c writes into the channel's block, which is free", letter(who));
    if (offset >= 0 && offset < end && offset % size == 0)
        return cell_changed(static_cast<uint32_t>(offset / size), who);
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
    bool const was_taken = from.is(Phase::held) || from.is(Phase::freeing);
    if (was_taken && to.is(Phase::full)) {
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
    int &last = last_first_[m.poster];
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
    if (m.held_by != who && !plan_.retires)
        fail("C2: %c takes the block of message %d, which it does not hold", letter(who), number);
    m.consumed = true;
    m.ref = Ref{}; // from now on the block is somebody else's business
}

void ChannelWorld::died(int who) { MatrixWorld::died(who); }

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
    auto const &header =
        *handle(who).segment().at<ChannelHeader>(ref_.value & ((uint64_t{1} << 48) - 1));
    bool const for_room = slept_on(who) == header.room.word.address();
    for (uint32_t i = 0; i < plan_.capacity; i++)
        if (cell_word(i).is(for_room ? Phase::empty : Phase::full))
            fail("C6: %c was forgotten in its sleep", letter(who));
}

// ---- at rest

/// Empties the channel as a user would, or retires it if who was about to do that has died.
void ChannelWorld::settle()
{
    int const number = fibres();
    spawn(false, [this, number] {
        Peer peer(*this, number);
        if (!plan_.retires) {
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

void ChannelWorld::check_empty()
{
    bool const gone = !block_word(ref_).is(Kind::allocated);
    for (uint32_t i = 0; i < plan_.capacity && !gone; i++)
        if (!cell_word(i).is(Phase::empty) || __atomic_load_n(cells_[i].ref.address(), 5) != 0)
            return fail("cell %u is not EMPTY at rest: %s", i,
                        value_of(&cells_[i].word, cell_word(i).raw).c_str());
    for (auto const &entry : messages_) {
        if (entry.second.posted && !entry.second.consumed)
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
    if (cells_ == nullptr || offset < 0 || offset >= size * plan_.capacity || offset % size != 0)
        return MatrixWorld::value_of(address, value);
    static char const *const kPhase[] = {"EMPTY", "WRITING", "FULL", "HELD", "FREEING"};
    CellWord const word{value};
    auto const phase = static_cast<unsigned>(word.phase());
    char text[80];
    std::snprintf(text, sizeof text, "%s(lap %llu, owner %u=%c, deliveries %u)",
                  phase < 5 ? kPhase[phase] : "?", static_cast<unsigned long long>(word.lap()),
                  word.owner(), letter(static_cast<int>(word.owner()) - 1), word.deliveries());
    return text;
}

} // namespace weir::explore
