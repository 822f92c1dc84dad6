// SPDX-License-Identifier: MIT OR Apache-2.0
// channel: a ring of block refs between processes. Start here.
//
// What it is
//   A named object in one block of a matrix. post() hands a block to it, read() takes it out;
//   nothing is copied. This version: queue mode (each message to one reader), one level.
//     cell.hpp     the structs in the block, and the word of a cell
//     ring.hpp     the protocol on the cells, for whoever has the matrix (also healers)
//     channel.hpp  the handles
//
// Glossary
//   position: number of a message, from 0. cell: position modulo capacity. lap: position divided
//   by capacity. head, tail: hints. redelivery set: cells that wait for another reader, a
//   hierarchical bitset of hints.
//
// States of the cell of position p
//   EMPTY(p) --post--> WRITING(p, poster) --> FULL(p) --read--> HELD(p, reader)
//   HELD(p, r) --ack, take--> FREEING(p, r) --> EMPTY(p + capacity)
//   HELD(p, r) --nack--> FULL(p), deliveries + 1, marked in the redelivery set
//   Order within a post: WRITING; ref; the block from me to nobody; FULL. Order within an ack:
//   FREEING; the block freed (or nobody to me); ref := 0; EMPTY. So a block is nobody's exactly
//   while a cell speaks of it.
//
// Invariants
//   C1  ref is 0 in every EMPTY cell.
//   C2  A message that post() reported is read by somebody, or freed by retire().
//   C3  It is handed out twice only if its reader died or said nack.
//   C4  Messages of one poster are handed out in order, but for redeliveries.
//   C5  "Empty" is concluded from EMPTY(p) met at p, or from a whole window of HELD and WRITING.
//   C6  Who sleeps while there is something to do is woken, or wakes by himself within a slice.
//
// Death
//   cell              ref  block at ref             healing
//   WRITING(dead)     0    -                        EMPTY(p + capacity): readers pass it
//   WRITING(dead)     r    ALLOCATED(dead)          ref := 0, EMPTY(p + capacity); block by policy
//   WRITING(dead)     r    ALLOCATED(nobody)        FULL(p): the block was handed over
//   WRITING(dead)     r    anything else            ref := 0, EMPTY(p + capacity)
//   HELD, FREEING     r    ALLOCATED(nobody)        FULL(p), deliveries + 1, marked
//   HELD, FREEING     r/0  anything else            was answered: ref := 0, EMPTY(p + capacity)
//   FULL(p), count>0  r    ALLOCATED(nobody)        marked (who nacked may have died before)
//   wait words                                      counted up and all woken, always
//
// What it trusts and checks
//   The header is validated and copied at attach. Cell words may hold anything; loops over them
//   are bounded; every ref is looked up in the matrix before it is handed out.
#pragma once

#include "core/channel/ring.hpp"
#include "core/matrix/matrix.hpp"

#include <cstdint>

namespace weir {

struct ChannelOptions {
    uint64_t type_id = 0;
    uint32_t capacity = 1024;
    bool fail_when_full = false;
};

class Subscription;

/// What the matrix does for channels; for its options.
extern RootOps const kChannelRootOps;

/// One process's handle of a channel; shared by all its users in the process.
class Channel {
  public:
    static Result<Channel *> create(Matrix &matrix, char const *name,
                                    ChannelOptions const &options) noexcept;
    static Result<Channel *> attach(Matrix &matrix, char const *name,
                                    ChannelOptions const &options) noexcept;
    static Result<Channel *> open(Matrix &matrix, char const *name,
                                  ChannelOptions const &options) noexcept;

    Channel() noexcept = default;
    Channel(Channel const &) = delete;
    Channel &operator=(Channel const &) = delete;

    void ref() noexcept;
    void unref() noexcept;
    Status retire() noexcept;
    Status post(Ref ref, uint64_t length, uint64_t tag, Nanoseconds timeout) noexcept;
    Status inquire(ChannelInfo &ret) noexcept;
    Result<Subscription *> subscribe() noexcept;

    /// Every call begins with it: nothing was retired, and a fork child has its own mark.
    Status enter(bool also_retired = false) noexcept;
    Ring &ring() noexcept { return ring_; }
    Matrix &matrix() noexcept { return *matrix_; }

  private:
    static Result<Channel *> attach_once(Matrix &matrix, char const *name,
                                         ChannelOptions const &options, Channel *&spare) noexcept;
    static Status make_block(Matrix &matrix, char const *name,
                             ChannelOptions const &options) noexcept;
    static Channel *find_open(Matrix &matrix, Ref ref) noexcept;
    static Result<Channel *> add_open(Matrix &matrix, OpenObject const &object,
                                      ChannelOptions const &options, Channel *&spare) noexcept;
    Status mark_again() noexcept;

    Matrix *matrix_ = nullptr;
    Ring ring_;
    OpenObject object_;
    uint32_t references_ = 1; ///< under the matrix's objects_mutex()
    Channel *next_ = nullptr;
};

/// A reader. In queue mode it has no state in shared memory.
class Subscription {
  public:
    explicit Subscription(Channel &channel) noexcept : channel_(&channel) {}

    void close() noexcept;
    Status read(Nanoseconds timeout, Message &ret) noexcept;
    Status ack(Message const &message) noexcept;
    Status take(Message const &message) noexcept;
    Status nack(Message const &message) noexcept;

  private:
    Channel *channel_;
    uint64_t missed_ = 0; ///< by __atomic builtins: threads share a subscription
};

} // namespace weir
