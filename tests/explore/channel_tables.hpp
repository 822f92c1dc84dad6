// SPDX-License-Identifier: MIT OR Apache-2.0
// What tables of channel scenarios are made of.
#pragma once

#include "tests/explore/channel_world.hpp"
#include "tests/explore/scenarios.hpp"

namespace weir::explore::channel_tables {

using Programs = std::vector<ChannelProgram>;

/// Piece 0 keeps the messages' blocks from what is left for the channel; piece i is message i's
/// block, owned by who posts it: one letter per message, '-' for the outsider.
inline MatrixPlan blocks_of(std::string const &posters)
{
    MatrixPlan plan;
    auto &pieces = plan.pieces[kSmall];
    pieces.push_back(used(1));
    for (char c : posters)
        pieces.push_back(used(1, c == '-' ? kOutsider : c - 'a'));
    pieces.push_back(used(1));
    pieces.push_back(open(32));
    return plan;
}

inline void add(char const *name, char const *about, int deepest, ChannelPlan plan,
                std::string const &posters, Programs programs)
{
    MatrixPlan matrix = blocks_of(posters);
    matrix.one_process = plan.shared;
    matrix.apart = 1;
    scenarios().push_back({"channel", name, about,
                           [=] {
                               auto world = std::make_unique<ChannelWorld>(plan, matrix, programs);
                               world->may_spin_on = name[0] == 'w'; // to come to the sleep
                               return world;
                           },
                           deepest});
}

inline ChannelPlan ring(uint32_t capacity, int before = 0)
{
    ChannelPlan plan;
    plan.capacity = capacity;
    plan.before = before;
    return plan;
}

inline ChannelProgram posts(int first, int last = 0)
{
    return [=](Peer &me) {
        for (int i = first; i <= (last == 0 ? first : last); i++)
            me.post(i);
    };
}

inline ChannelProgram reads(int count)
{
    return [=](Peer &me) {
        for (int i = 0; i < count; i++)
            me.read_ack();
    };
}

inline ChannelProgram nacks(int count)
{
    return [=](Peer &me) {
        for (int i = 0; i < count; i++)
            me.read_nack();
    };
}

inline ChannelProgram heals_and_reads(int count)
{
    return [=](Peer &me) {
        me.heal();
        for (int i = 0; i < count; i++)
            me.read_ack();
    };
}

/// Reads one message, sleeping until it comes.
inline ChannelProgram waits()
{
    return [](Peer &me) { me.read_ack(600 * kMillisecond); };
}

} // namespace weir::explore::channel_tables
