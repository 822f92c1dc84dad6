// SPDX-License-Identifier: MIT OR Apache-2.0
// A tiny channel, made, opened by all fibres and filled before each schedule.
#include "tests/explore/channel_world.hpp"

#include "core/matrix/roots.hpp"

#include <cstdio>
#include <cstring>

namespace weir::explore {
namespace {
MatrixProgram as_matrix_program(ChannelWorld *world, ChannelProgram program)
{
    return [=](Actor const &actor) {
        Peer peer(*world, actor.number());
        program(peer);
    };
}
} // namespace

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
    root_ops = kChannelOps;
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
    must(maker.bind_object(kChannelName, RootKind::channel, block.ref), "bind");
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
        auto const opened = Channel::attach(handle(i), kChannelName, ChannelOptions{});
        must(opened.status(), "attach");
        if (reader_of(i) != i) {
            channels_.push_back(*opened);
            subscriptions_.push_back(subscriptions_[static_cast<std::size_t>(reader_of(i))]);
            continue;
        }
        auto *const subscription = make<Subscription>(**opened);
        ReaderState &reader = subscription->reader();
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
        readers_.push_back(make<ReaderState>());
        readers_.back()->hand.init(cells());
        keep(readers_.back(), sizeof(ReaderState));
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
    seen_cells_.reserve(cells());
    seen_holders_.reserve(cells());
    for (uint32_t i = 0; i < cells(); i++) {
        seen_cells_.push_back(cell_word(i));
        seen_holders_.push_back(__atomic_load_n(cells_[i].holders.address(), __ATOMIC_SEQ_CST));
    }
    for (uint64_t &sum : told_)
        sum = 0;
    if (!knows_blocks_)
        for (auto const &entry : messages_)
            seen_before_[entry.first] = block_word(entry.second.ref);
    knows_blocks_ = true;
    seen_blocks_ = seen_before_;
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
