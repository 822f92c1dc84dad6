// SPDX-License-Identifier: MIT OR Apache-2.0
// The ring: order, laps, redeliveries, answers, retirement, and cells that make no sense.
#include "tests/unit/matrix_support.hpp"

#include "core/base/clock.hpp"

#include <cstring>

using namespace unit;

namespace {
constexpr uint64_t kCapacity = 16;

/// A matrix with a channel and a reader.
struct World {
    Handle matrix;
    Channel *channel = nullptr;
    Subscription *reader = nullptr;

    explicit World(uint32_t capacity = kCapacity, ChannelOptions options = {})
        : matrix(make_matrix(4 * kMiB))
    {
        options.capacity = capacity;
        auto const made = Channel::create(*matrix, "channel", options);
        check_eq(made.status().code, 0);
        channel = *made;
        reader = *channel->subscribe();
    }
    ~World()
    {
        reader->close();
        channel->unref();
    }
    int post(uint64_t tag)
    {
        Ref const ref = alloc(*matrix, 64).ref;
        int const code = channel->post(ref, 64, tag, 0).code;
        if (code != 0)
            free_block(*matrix, ref);
        return code;
    }
    Message read()
    {
        Message message;
        check_eq(reader->read(0, message).code, 0);
        return message;
    }
    int read_code()
    {
        Message message;
        return reader->read(0, message).code;
    }
    Cell *cells() { return channel->ring().cell_array(); }
    Level &level() { return *reinterpret_cast<Level *>(&channel->ring().header() + 1); }
    void retire_and_check()
    {
        check_eq(channel->retire().code, 0);
        reader->close();
        channel->unref();
        assert_all_free(*matrix);
        auto const made = Channel::create(*matrix, "channel", {}); // for the destructor
        channel = *made;
        reader = *channel->subscribe();
    }
};
} // namespace

Test(channel_cell, fields_do_not_touch_each_other)
{
    Random random(1);
    for (int i = 0; i < 20000; ++i) {
        auto const phase = static_cast<Phase>(random.below(5));
        uint64_t const lap = random.next();
        auto const owner = static_cast<Owner>(random.below(kMaxParticipants + 1));
        auto const deliveries = static_cast<unsigned>(random.below(64));
        CellWord const word = CellWord::of(phase, lap, owner, deliveries);
        cr_assert(word.is(phase));
        check_eq(word.lap(), lap & CellWord::kLapMask);
        check_eq(word.owner(), owner);
        check_eq(word.deliveries(), deliveries);
        check_eq(word.to_next_lap().lap(), (lap + 1) & CellWord::kLapMask);
        cr_assert(word.to_next_lap().is(Phase::empty) && word.to_next_lap().deliveries() == 0);
    }
    cr_assert(CellWord{0}.is(Phase::empty) && CellWord{0}.lap() == 0);
}

Test(channel_cell, the_count_of_deliveries_saturates)
{
    CellWord word = CellWord::of(Phase::held, 5, 3);
    for (unsigned i = 1; i < 200; ++i) {
        word = word.to_redelivery();
        check_eq(word.deliveries(), i < 63 ? i : 63);
        cr_assert(word.is(Phase::full) && word.lap() == 5 && word.redelivered());
    }
}

Test(channel_ring, messages_come_in_order_over_many_laps)
{
    World world;
    Random random(2);
    uint64_t posted = 0, seen = 0;
    while (seen < 1000) {
        for (uint64_t n = random.below(20); n > 0; --n) {
            int const code = world.post(posted);
            check_eq(code, posted - seen < kCapacity ? 0 : -EAGAIN);
            posted += code == 0 ? 1 : 0;
        }
        for (uint64_t n = random.below(20); n > 0; --n) {
            if (seen == posted) {
                check_eq(world.read_code(), -EAGAIN);
                break;
            }
            Message const message = world.read();
            check_eq(message.tag, seen);
            check_eq(message.position, seen);
            check_eq(message.length, 64);
            check_eq(message.sender, *world.matrix->participant_id());
            check_eq(message.redeliveries, 0);
            check_eq(world.reader->ack(message).code, 0);
            ++seen;
        }
    }
    world.retire_and_check();
}

Test(channel_ring, capacities_are_powers_of_two_from_sixteen)
{
    for (auto const &pair : {std::pair{1u, 16u}, {16u, 16u}, {17u, 32u}, {1000u, 1024u}}) {
        World world(pair.first);
        check_eq(world.channel->ring().capacity(), pair.second);
        for (unsigned i = 0; i < pair.second; ++i)
            check_eq(world.post(i), 0);
        check_eq(world.post(0), -EAGAIN);
    }
}

/// The lap counter goes through its last value: 45 bits, begun shortly before.
Test(channel_ring, laps_wrap)
{
    World world;
    uint64_t const start = CellWord::kLapMask - 1;
    for (uint64_t i = 0; i < kCapacity; ++i)
        world.cells()[i].word.store(CellWord::of(Phase::empty, start).raw, relaxed);
    world.level().tail.store(start * kCapacity, relaxed);
    world.level().head.store(start * kCapacity, relaxed);
    for (uint64_t i = 0; i < 5 * kCapacity; ++i) {
        for (int k = 0; k < 3; ++k)
            check_eq(world.post(3 * i + static_cast<uint64_t>(k)), 0, "message %d",
                     static_cast<int>(3 * i));
        for (uint64_t k = 0; k < 3; ++k) {
            Message message = world.read();
            check_eq(message.tag, 3 * i + k);
            if (k == 1) { // redelivered in the same lap
                check_eq(world.reader->nack(message).code, 0);
                message = world.read();
                check_eq(message.tag, 3 * i + k);
                check_eq(message.redeliveries, 1);
            }
            check_eq(world.reader->ack(message).code, 0);
        }
        check_eq(world.read_code(), -EAGAIN);
    }
    world.retire_and_check();
}

Test(channel_ring, a_message_not_answered_is_redelivered_first)
{
    World world;
    for (uint64_t tag = 0; tag < 4; ++tag)
        check_eq(world.post(tag), 0);
    Message const first = world.read();
    Message const second = world.read();
    check_eq(world.reader->nack(first).code, 0);
    Message const again = world.read();
    check_eq(again.tag, 0);
    check_eq(again.redeliveries, 1);
    check_eq(world.reader->nack(again).code, 0);
    check_eq(world.reader->nack(again).code, -kStale);
    check_eq(world.reader->ack(second).code, 0);
    for (unsigned i = 2; i < 80; ++i) {
        Message const message = world.read();
        check_eq(message.tag, 0);
        check_eq(world.reader->nack(message).code, 0);
    }
    check_eq(world.read().redeliveries, 63, "the count stays there");
    check_eq(world.read().tag, 2);
}

Test(channel_ring, an_answer_counts_once)
{
    World world;
    check_eq(world.post(1), 0);
    check_eq(world.post(2), 0);
    Message const message = world.read();
    Message wrong = message;
    wrong.ref.value ^= 64;
    check_eq(world.reader->ack(wrong).code, -EINVAL);
    wrong = message;
    wrong.position += 1;
    check_eq(world.reader->ack(wrong).code, -kStale);
    check_eq(world.reader->ack({}).code, -EINVAL);
    check_eq(world.reader->ack(message).code, 0);
    check_eq(world.reader->ack(message).code, -kStale);
    check_eq(world.reader->nack(message).code, -kStale);
    check_eq(world.reader->take(message).code, -kStale);
    check_eq(world.matrix->data(message.ref).status().code, -kStale, "ack frees the block");
    Message const kept = world.read();
    check_eq(*world.matrix->owner(kept.ref), 0);
    check_eq(world.reader->take(kept).code, 0);
    check_eq(*world.matrix->owner(kept.ref), *world.matrix->participant_id());
    check_eq(world.reader->ack(kept).code, -kStale);
    free_block(*world.matrix, kept.ref);
    world.retire_and_check();
}

Test(channel_ring, only_my_own_block_is_posted)
{
    World world;
    Handle const other = second_handle(*world.matrix);
    Ref const foreign = alloc(*other, 64).ref;
    check_eq(world.channel->post(foreign, 64, 0, 0).code, -EPERM);
    check_eq(other->give(foreign, 0).code, 0);
    check_eq(world.channel->post(foreign, 64, 0, 0).code, -EPERM);
    Ref const mine = alloc(*world.matrix, 64).ref;
    check_eq(world.channel->post(mine, 65, 0, 0).code, -EINVAL);
    check_eq(world.channel->post(mine, 64, 0, 0).code, 0);
    check_eq(world.channel->post(mine, 64, 0, 0).code, -EPERM, "it is in the channel");
    check_eq(world.channel->post({}, 0, 0, 0).code, -EINVAL);
    check_eq(world.read_code(), 0);
    check_eq(world.read_code(), -EAGAIN);
}

/// A block that was freed while it was in the channel is skipped and counted.
Test(channel_ring, a_freed_block_is_a_missed_message)
{
    World world;
    for (uint64_t tag = 0; tag < 3; ++tag)
        check_eq(world.post(tag), 0);
    for (uint64_t i = 0; i < 2; ++i)
        free_block(*world.matrix, {world.cells()[i].ref.load(relaxed)});
    Message const message = world.read();
    check_eq(message.tag, 2);
    check_eq(message.missed, 2);
    check_eq(world.reader->ack(message).code, 0);
    world.retire_and_check();
}

Test(channel_ring, retirement_frees_what_waits_and_what_is_held)
{
    World world;
    for (uint64_t tag = 0; tag < 10; ++tag)
        check_eq(world.post(tag), 0);
    Message const held = world.read();
    Message const answered = world.read();
    check_eq(world.channel->retire().code, 0);
    check_eq(world.channel->retire().code, -kRetired);
    check_eq(world.post(1), -kRetired);
    check_eq(world.read_code(), -kRetired);
    check_eq(world.reader->ack(answered).code, 0, "what was read may still be answered");
    check_eq(world.matrix->data(held.ref).status().code, 0);
    world.reader->close();
    world.channel->unref();
    assert_all_free(*world.matrix);
    world.channel = *Channel::create(*world.matrix, "channel", {});
    world.reader = *world.channel->subscribe();
}

Test(channel_ring, an_empty_channel_times_out)
{
    World world;
    Message message;
    Nanoseconds const began = monotonic_now();
    check_eq(world.reader->read(30 * kMillisecond, message).code, -ETIMEDOUT);
    check_ge(monotonic_now() - began, 30 * kMillisecond);
    for (uint64_t tag = 0; tag < kCapacity; ++tag)
        check_eq(world.post(tag), 0);
    check_eq(world.channel->post(alloc(*world.matrix, 64).ref, 0, 0, 20 * kMillisecond).code,
             -ETIMEDOUT);
}

/// Each state in which a poster or a reader may die (table of channel.hpp), healed.
Test(channel_ring, cells_of_the_dead_are_healed)
{
    enum class Ends { read_by_next, dropped };
    struct Case {
        Phase phase;
        bool ref_written, handed_over;
        Ends ends;
        unsigned deliveries;
    };
    for (Case const &at : {Case{Phase::writing, false, false, Ends::dropped, 0},
                           Case{Phase::writing, true, false, Ends::dropped, 0},
                           Case{Phase::writing, true, true, Ends::read_by_next, 0},
                           Case{Phase::held, true, true, Ends::read_by_next, 1},
                           Case{Phase::held, true, false, Ends::dropped, 0},
                           Case{Phase::held, false, false, Ends::dropped, 0},
                           Case{Phase::freeing, true, true, Ends::read_by_next, 1},
                           Case{Phase::freeing, true, false, Ends::dropped, 0},
                           Case{Phase::freeing, false, false, Ends::dropped, 0}}) {
        World world;
        check_eq(in_child([&] {
                     Allocation made;
                     if (!world.matrix->alloc(64, made).ok())
                         return 1;
                     Cell &cell = world.cells()[0];
                     Owner const me = world.matrix->me().owner;
                     cell.word.store(CellWord::of(at.phase, 0, me).raw, seq_cst);
                     world.level().tail.store(1, seq_cst);
                     cell.tag.store(77, seq_cst);
                     if (at.ref_written)
                         cell.ref.store(made.ref.value, seq_cst);
                     return !at.handed_over || world.matrix->give(made.ref, 0).ok() ? 0 : 2;
                 }),
                 0);
        HealReport report;
        check_eq(world.matrix->heal(report).code, 0);
        check_eq(world.post(78), 0); // the ring goes on behind it
        Message message = world.read();
        if (at.ends == Ends::read_by_next) {
            check_eq(message.tag, 77);
            check_eq(message.redeliveries, at.deliveries);
            check_eq(world.reader->ack(message).code, 0);
            message = world.read();
        }
        check_eq(message.tag, 78);
        check_eq(world.reader->ack(message).code, 0);
        check_eq(world.cells()[0].ref.load(relaxed), 0, "C1");
        world.retire_and_check();
    }
}

/// Cells, hints and the redelivery set hold noise: every call ends, with a code.
/// The clock of a post may be a little ahead of that of who looks; a scribbler's far ahead.
Test(channel_ring, a_message_of_the_future_is_a_young_one)
{
    for (uint64_t const ahead : {uint64_t{100000000000}, uint64_t{1} << 63}) {
        ChannelOptions options;
        options.mode = ChannelMode::broadcast;
        options.retain = 60 * kSecond;
        World world(kCapacity, options);
        check_eq(world.post(1), 0);
        world.cells()[0].posted_at_ns.store(static_cast<uint64_t>(monotonic_now()) + ahead,
                                            relaxed);
        ChannelInfo info;
        check_eq(world.channel->inquire(info).code, 0);
        check_eq(info.oldest_age_ns, 0);
        Message const message = world.read();
        check_eq(world.reader->ack(message).code, 0); // nobody waits for it now: it is only kept
        Subscription *const late = *world.channel->subscribe();
        Message kept;
        check_eq(late->read(0, kept).code, 0);
        check_eq(kept.tag, 1);
        check_eq(late->ack(kept).code, 0);
        late->close();
    }
}

Test(channel_ring, hostile_cells_are_handled, .timeout = 60)
{
    Random random(9);
    for (int round = 0; round < 300; ++round) {
        ChannelOptions options;
        options.mode = round % 3 == 1 ? ChannelMode::broadcast : ChannelMode::queue;
        options.overflow = round % 5 > 1 ? Overflow::drop_oldest : Overflow::block;
        options.levels = round % 7 == 0 ? 3 : 1;
        options.ageing = round % 14 == 0 ? 1 : 0;
        options.ttl = round % 11 == 0 ? kMillisecond : 0;
        options.retain_count = round % 9 == 1 ? 5 : 0;
        World world(kCapacity, options);
        std::vector<Ref> refs;
        for (uint64_t tag = 0; tag < 10; ++tag) {
            refs.push_back(alloc(*world.matrix, 64).ref);
            static_cast<void>(world.channel->post(refs.back(), 64, tag, 0));
        }
        ChannelHeader &header = world.channel->ring().header();
        auto *const cells = reinterpret_cast<uint64_t *>(world.cells());
        for (uint64_t i = 0; i < kCapacity * sizeof(Cell) / 8; ++i)
            if (random.percent(round % 2 == 0 ? 100 : 10))
                cells[i] = i % 8 != 0           ? random.next()
                           : random.percent(50) ? random.next()
                                                : random.below(8) << 61 | random.below(4);
        if (round % 4 == 0) {
            world.level().tail.store(
                random.percent(50) ? UINT64_MAX - random.below(40) : random.next(), relaxed);
            world.level().head.store(
                random.percent(50) ? UINT64_MAX - random.below(40) : random.next(), relaxed);
        }
        for (atomic<uint64_t> &map : header.redelivery_map)
            map.store(random.next(), relaxed);
        // the redelivery set, or the first subscribers
        auto *const after = reinterpret_cast<uint64_t *>(&world.level() + options.levels);
        for (int i = 0; i < 4; ++i)
            after[i] = random.next();
        if (round % 6 == 1)
            header.active.store(random.next(), relaxed);
        for (int i = 0; i < 12; ++i) {
            Message message;
            if (world.reader->read(0, message).ok())
                cr_assert(world.matrix->data(message.ref).ok(), "a ref that leads nowhere");
            static_cast<void>(i % 3 == 0   ? world.reader->ack(message)
                              : i % 3 == 1 ? world.reader->nack(message)
                                           : world.reader->take(message));
            Allocation made;
            if (world.matrix->alloc(64, made).ok())
                static_cast<void>(world.channel->post(made.ref, 64, 1, 0));
        }
        ChannelInfo info;
        check_eq(world.channel->inquire(info).code, 0);
        world.channel->ring().heal(3);
        CheckReport report;
        static_cast<void>(world.matrix->check(false, report));
        static_cast<void>(world.channel->retire());
    }
}

/// The header is read by who attaches: numbers that do not fit are refused.
Test(channel_ring, a_hostile_header_is_refused)
{
    World world;
    Handle const other = second_handle(*world.matrix);
    ChannelHeader &header = world.channel->ring().header();
    auto const attached = [&] {
        auto const channel = Channel::attach(*other, "channel", {});
        if (channel.ok())
            (*channel)->unref();
        return channel.status().code;
    };
    check_eq(attached(), 0);
    for (uint32_t shift : {0u, 3u, 5u, 20u, 21u, 63u, 64u, UINT32_MAX}) {
        header.capacity_shift = shift;
        check_eq(attached(), -kCorrupt, "shift %u", shift);
    }
    header.capacity_shift = 4;
    header.magic ^= 1;
    check_eq(attached(), -kCorrupt);
    header.magic ^= 1;
    header.version = 2;
    check_eq(attached(), -kVersion);
    header.version = kChannelVersion;
    for (uint32_t *const field : {&header.mode, &header.overflow, &header.levels}) {
        uint32_t const before = *field;
        for (uint32_t const wrong : {9u, 0x80000000u, UINT32_MAX}) {
            *field = wrong;
            check_eq(attached(), -kCorrupt);
        }
        *field = before;
    }
    header.mode = 1; // there is no room for subscribers
    check_eq(attached(), -kCorrupt);
    header.mode = 0;
    for (uint64_t *const field : {&header.ttl_ns, &header.ageing_ns, &header.retain_ns}) {
        *field = UINT64_MAX;
        check_eq(attached(), -kCorrupt);
        *field = 0;
    }
    check_eq(attached(), 0);
}
