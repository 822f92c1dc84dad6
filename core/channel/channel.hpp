// SPDX-License-Identifier: MIT OR Apache-2.0
// channel: rings of block refs between processes. Start here.
//
// What it is
//   A named object in one block of a matrix. post() hands a block to it, read() takes it out;
//   nothing is copied. Queue: each message to one reader. Broadcast: each to all subscribers.
//     cell.hpp     the structs in the block, and their words
//     ring.hpp     the protocol on the cells, for whoever has the matrix (also healers): ring.cpp
//                  posts, ring_read.cpp reads, ring_broadcast.cpp, ring_subscribers.cpp,
//                  ring_discard.cpp (what is lost on purpose), ring_heal.cpp; ring_hot.hpp: inline
//                  in those that read
//     hand.hpp     what a subscription has read and not answered
//     channel.hpp, subscription.hpp   the handles; waiting_turns.hpp, watcher.hpp: waiting
//     router.hpp   a table of rules that says to which channels a message goes
//
// Glossary
//   level: a ring of its own per priority. position: number of a message in its level, from 0.
//   cell: position modulo capacity. lap: position divided by capacity. head, tail: hints.
//   redelivery set: cells that wait for another reader, a hierarchical bitset of hints.
//   holders: who must still get a message, or has not answered it. pins: who has it in hand; only
//   where messages may be taken away (DROP_OLDEST, time to live). retained: kept for late joiners.
//
// States of the cell of position p
//   EMPTY(p) --post--> WRITING(p, poster) --> FULL(p)
//   queue:     FULL(p) --read--> HELD(p, reader) --ack, take--> EMPTY(p + capacity)
//              HELD(p, r) --nack--> FULL(p), deliveries + 1, marked in the redelivery set
//   broadcast: FULL(p) until nobody holds it and it is not retained --> FREEING(p, anybody)
//              --> EMPTY(p + capacity). Who finds a holder after FREEING goes back to FULL(p)
//   both:      FULL(p) --> DROPPING or EXPIRING(p, anybody) --> EMPTY(p + capacity), or FULL(p)
//              again, if it is in a hand: ring_discard.cpp
//   Order within a post: WRITING; ref; the block from me to nobody; holders; FULL. Order within an
//   ack: the block freed (or nobody to me); ref := 0; EMPTY. So a block is nobody's exactly while a
//   cell speaks of it.
// States of a subscriber
//   FREE --join--> ACTIVE(owner) --leave--> LEAVING(sweeper) --> FREE, generation + 1. The sweeper
//   clears its bit in `active`, then in all cells. If he met a WRITING cell, whose poster may give
//   the bit once more, it stays LEAVING(nobody), and the next one who joins, leaves, heals or finds
//   the ring full sweeps again.
//
// Invariants
//   C1  ref is 0 in every EMPTY cell.
//   C2  A message that post() reported is read by somebody (broadcast: by all who were subscribed
//       and stay), or freed by retire(), or counted as dropped or expired.
//   C3  It is handed out twice only if its reader died or said nack.
//   C4  Messages of one poster and level are handed out in order, but for redeliveries.
//   C5  "Empty" is concluded from EMPTY(p) met at p, or from a whole window of HELD and WRITING.
//   C6  Who sleeps while there is something to do is woken, or wakes by himself within a slice.
//   C7  What a live reader has in hand is nobody else's to free.
//   C8  Each dropped or expired message is counted exactly once.
//
// Death
//   cell              ref  block at ref             healing
//   WRITING(dead)     0    -                        EMPTY(p + capacity): readers pass it
//   WRITING(dead)     r    ALLOCATED(dead)          ref := 0, EMPTY(p + capacity); block by policy
//   WRITING(dead)     r    ALLOCATED(nobody)        FULL(p): the block was handed over. Broadcast:
//                                                   holders := active before, sweep after
//   WRITING(dead)     r    anything else            ref := 0, EMPTY(p + capacity)
//   HELD              r    ALLOCATED(nobody)        FULL(p), deliveries + 1, marked
//   HELD              r/0  anything else            was answered: ref := 0, EMPTY(p + capacity)
//   FREEING           r    ALLOCATED(nobody)        queue: as HELD (retirement did it); broadcast:
//                                                   FULL(p), then collected
//   FREEING           r/0  anything else            ref := 0, EMPTY(p + capacity)
//   DROPPING, EXPIRING     any                      the healer's, and finished by him
//   FULL(p), count>0  r    ALLOCATED(nobody)        marked (who nacked may have died before)
//   FULL(p)           r    ALLOCATED(nobody)        broadcast, nobody holds it: collected
//   subscriber ACTIVE(dead), LEAVING(dead)          LEAVING(nobody), then swept
//   wait words                                      counted up and all woken, always
//
// Waiting
//   Who waits spins, then gives the processor to others a few times, then sleeps; until he sleeps
//   he only looks, so his death leaves nothing. Posters of a level sleep on its `room`, readers on
//   `items`. In a queue a message wakes one reader and a free cell one poster, with DROP_OLDEST
//   also one that comes out of a hand; a poster who has posted, or gives up, passes the wake-up on
//   if there may be more room. In broadcast a message wakes all. Threads that watch for a
//   descriptor sleep on `watchers` and are all woken: they take nothing.
//
// What it trusts and checks
//   The header is validated and copied at attach. Cell words may hold anything; loops over them
//   are bounded; every ref is looked up in the matrix before it is handed out.
#pragma once

#include "core/channel/ring.hpp"
#include "core/channel/waiting_turns.hpp"
#include "core/matrix/matrix.hpp"
#include "core/matrix/open_handle.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

class Subscription;

/// What the matrix does for channels; for its options.
extern RootOps const kChannelRootOps;

/// What is handed to post().
struct Post {
    Ref ref;
    uint64_t length = 0;
    uint64_t tag = 0;
    unsigned level = 0;
};

/// One process's handle of a channel; shared by all its users in the process.
class Channel : private OpenHandle {
  public:
    static Result<Channel *> create(Matrix &matrix, char const *name,
                                    ChannelOptions const &options) noexcept;
    static Result<Channel *> attach(Matrix &matrix, char const *name,
                                    ChannelOptions const &options) noexcept;
    static Result<Channel *> open(Matrix &matrix, char const *name,
                                  ChannelOptions const &options) noexcept;

    void ref() noexcept { add_user(); }
    void unref() noexcept;
    Status retire() noexcept;
    /// 1: DROP_NEW refused it; its block is freed.
    Status post(Post const &what, Nanoseconds timeout) noexcept;
    Status post(Ref ref, uint64_t length, uint64_t tag, Nanoseconds timeout) noexcept
    {
        return post(Post{ref, length, tag, 0}, timeout);
    }
    /// Up to the first that cannot be; OK if that was not the very first. Waits for that alone.
    template <class PostAt>
    Status post_many(PostAt post_at, size_t count, Nanoseconds timeout,
                     size_t &ret_posted) noexcept;
    Status subscribers(int (*visit)(SubscriberInfo const &, void *), void *userdata) noexcept;
    Status inquire(ChannelInfo &ret) noexcept;
    Result<Subscription *> subscribe() noexcept;

    /// Every call begins with it: nothing was retired, and a fork child has its own mark.
    Status enter(bool also_retired = false) noexcept
    {
        WEIR_TRY(enter_object());
        return WEIR_LIKELY(also_retired || !ring_.retired()) ? kOk : error(kRetired);
    }
    Ring &ring() noexcept { return ring_; }
    Matrix &matrix() noexcept { return *matrix_; }

  private:
    friend struct OpenHandle;

    static Result<Channel *> attach_once(Matrix &matrix, char const *name,
                                         ChannelOptions const &options, Channel *&spare) noexcept;
    static Status make_block(Matrix &matrix, char const *name,
                             ChannelOptions const &options) noexcept;
    Status prepare(Matrix &matrix, Ref ref, ChannelOptions const &options) noexcept;
    Status enter_to_look() noexcept;
    /// `now`: 0, to look at the clock.
    Status post_hot(Post const &what, Nanoseconds timeout, Nanoseconds now) noexcept;
    Status post_entered(Post const &what, Nanoseconds timeout, Nanoseconds now = 0) noexcept;
    Status post_waiting(Post const &what, Nanoseconds timeout) noexcept;

    Ring ring_;
    WaitBudget budget_;
};

template <class PostAt>
Status Channel::post_many(PostAt post_at, size_t count, Nanoseconds timeout,
                          size_t &ret_posted) noexcept
{
    ret_posted = 0;
    WEIR_TRY(enter());
    Nanoseconds now = 0; // the first may wait; the others are of one moment
    for (; ret_posted < count; ++ret_posted) {
        Status const done = post_entered(post_at(ret_posted), ret_posted == 0 ? timeout : 0, now);
        now = ret_posted == 0 ? monotonic_now() : now;
        if (!done.ok())
            return ret_posted != 0 ? kOk : done;
    }
    return kOk;
}

} // namespace weir
