// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions of subscriptions: reading messages and answering them.
/**
 * @file Reading from channels
 */
#include "core/channel/subscription.hpp"

#include "capi/src/convert.hpp"
#include "capi/src/internal.hpp"

#include <climits>

namespace {
using namespace weir::capi;
} // namespace

/**
 * Becomes a reader of a channel.
 *
 * In a broadcast channel the subscription gets what is posted from now on, and
 * before that what the channel keeps for late ones. A post that is under way may
 * count as either. It holds each message until it answers: a channel that blocks
 * when it is full waits for its slowest subscriber.
 *
 * @class weir_subscription ctor
 * @param[in]  channel          the channel, which the handle keeps attached
 * @param[out] ret_subscription owned; the new handle
 * @return ok
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a pointer is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -ENOMEM         no memory for the handle
 *   -ENOSPC         a broadcast channel has 64 subscribers, with those whose leave somebody who has stopped holds up
 *   -EROFS          the channel's matrix is read-only
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the channel or its matrix was retired
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_channel_subscribe(struct weir_channel *channel,
                                    struct weir_subscription **ret_subscription) noexcept
{
    if (channel == nullptr || ret_subscription == nullptr)
        return -EINVAL;
    auto const made = core(channel)->subscribe();
    if (!made.ok())
        return made.status().code;
    *ret_subscription = handle(*made);
    return 0;
}

/**
 * Ends a subscription. Messages that were read through it and not answered go
 * to another reader of a queue; of a broadcast channel it lets go. So their
 * blocks must not be used any more.
 *
 * @class weir_subscription dtor
 * @param[in] subscription nullable; the subscription
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_subscription *
weir_subscription_close(struct weir_subscription *subscription) noexcept
{
    if (subscription != nullptr)
        core(subscription)->close();
    return nullptr;
}

/**
 * Takes the next message into the hand.
 *
 * Its block belongs to nobody until weir_channel_ack() frees it,
 * weir_channel_take() makes it this participant's, or weir_channel_nack() gives
 * the message to another reader. If this process dies before, the message is
 * delivered again. Answer soon: a message in the hand keeps its place in the
 * ring, and the ring is full one round later.
 *
 * The bytes of a message lie in shared memory, in the same place for all subscribers
 * of a broadcast channel. If somebody takes and frees its block by the ref, another
 * block may lie there: weir_matrix_data() notices that, `ret_data` is of the moment
 * of the call. Nobody else may write to `ret_message` during the call.
 *
 * @class weir_subscription method
 * @param[in]  subscription the subscription
 * @param[in]  timeout_ns   how long to wait for a message, ns: 0 is not at all, negative is for ever
 * @param[out] ret_message  the message
 * @param[out] ret_data     nullable bytes(len=weir_block_size) borrowed(of=ret_message); where its `length` bytes begin, as long as it is in the hand, or its block ours
 * @return ok
 * @errors
 *   -EAGAIN         nothing waits, and the timeout is 0
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a required pointer is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -ETIMEDOUT      nothing came in time
 *   -WEIR_E_CORRUPT the channel contradicts itself
 *   -WEIR_E_FORKED  in a fork child: a subscription of a broadcast channel is the parent's, or it may not open the file of the segment again
 *   -WEIR_E_RETIRED the channel or its matrix was retired
 * @thread any
 * @blocks timeout(timeout_ns)
 * @since 0.1
 */
WEIR_API int weir_channel_read(struct weir_subscription *subscription, int64_t timeout_ns,
                               struct weir_message *ret_message, void **ret_data) noexcept
{
    if (subscription == nullptr || ret_message == nullptr)
        return -EINVAL;
    auto const done = core(subscription)->read(timeout_ns, core(*ret_message));
    if (WEIR_LIKELY(done.ok()) && ret_data != nullptr)
        *ret_data = core(subscription)->data_of(core(*ret_message));
    return done.code;
}

/**
 * Returns a descriptor for `poll()`, `epoll` and the like: readable when there
 * is something to read, or when the channel was retired.
 *
 * It is the subscription's, made by the first call and closed with it: watch it
 * and do nothing else with it. When it is readable, read with a timeout of 0 until
 * that says -EAGAIN, which arms it again. It may be readable for nothing, if
 * another reader was faster. One thread of the process sleeps for all
 * descriptors. A fork child gets one of its own by calling this again.
 *
 * @class weir_subscription method
 * @param[in] subscription the subscription
 * @return count; the descriptor
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         `subscription` is NULL
 *   -EMFILE         too many open files
 *   -ENFILE         too many open files on this machine
 *   -ENOMEM         no memory, or no thread could be made
 *   -WEIR_E_FORKED  in a fork child: a subscription of a broadcast channel is the parent's, or it may not open the file of the segment again
 *   -WEIR_E_RETIRED the channel or its matrix was retired
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_channel_fd(struct weir_subscription *subscription) noexcept
{
    if (subscription == nullptr)
        return -EINVAL;
    int fd = -1;
    weir::Status const made = core(subscription)->fd(fd);
    return made.ok() ? fd : made.code;
}

/**
 * Takes messages into the hand, as many as wait, up to `count`.
 *
 * A timeout holds for the first one; the others are not waited for. An error is
 * returned if there is none. Of `ret_messages` and `ret_data` holds what
 * weir_channel_read() says.
 *
 * @class weir_subscription method
 * @param[in]  subscription the subscription
 * @param[in]  count        how many, at most `INT_MAX`, and 0 does nothing
 * @param[in]  timeout_ns   how long to wait for the first, ns: 0 is not at all, negative is for ever
 * @param[out] ret_messages array(len=count); the messages
 * @param[out] ret_data     nullable array(len=count) bytes(len=weir_block_size) borrowed(of=ret_messages); where the bytes of each begin
 * @return count
 * @errors
 *   -EAGAIN         nothing waits, and the timeout is 0
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a required pointer is NULL, or `count` is too large
 *   -EMFILE         in a fork child: too many open files
 *   -ETIMEDOUT      nothing came in time
 *   -WEIR_E_CORRUPT the channel contradicts itself
 *   -WEIR_E_FORKED  in a fork child: a subscription of a broadcast channel is the parent's, or it may not open the file of the segment again
 *   -WEIR_E_RETIRED the channel or its matrix was retired
 * @thread any
 * @blocks timeout(timeout_ns)
 * @since 0.1
 */
WEIR_API int weir_channel_read_many(struct weir_subscription *subscription, size_t count,
                                    int64_t timeout_ns, struct weir_message *ret_messages,
                                    void **ret_data) noexcept
{
    if (subscription == nullptr || ret_messages == nullptr || count > INT_MAX)
        return -EINVAL;
    size_t done = 0;
    for (; done < count; ++done) {
        auto const status =
            core(subscription)->read(done == 0 ? timeout_ns : 0, core(ret_messages[done]));
        if (!status.ok())
            return done == 0 ? status.code : static_cast<int>(done);
        if (ret_data != nullptr)
            ret_data[done] = core(subscription)->data_of(core(ret_messages[done]));
    }
    return static_cast<int>(done);
}

/**
 * Answers a message: it is done. A queue frees its block, a broadcast channel
 * when the last of its subscribers has answered.
 *
 * @class weir_subscription method
 * @param[in] subscription the subscription it was read through
 * @param[in] message      the message
 * @return ok
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a pointer is NULL, or this cannot be a message of this channel
 *   -EMFILE         in a fork child: too many open files
 *   -EPERM          somebody took the block by its ref meanwhile
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: a subscription of a broadcast channel is the parent's, or it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_STALE   it was answered before, or it was read through another subscription
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_channel_ack(struct weir_subscription *subscription,
                              const struct weir_message *message) noexcept
{
    if (subscription == nullptr || message == nullptr)
        return -EINVAL;
    return core(subscription)->ack(core(*message)).code;
}

/**
 * Answers messages, one after the other, until one of them cannot be answered.
 *
 * Returns how many were, which is also the index of the one that could not be.
 * An error is returned if that is the first.
 *
 * @class weir_subscription method
 * @param[in] subscription the subscription they were read through
 * @param[in] messages     array(len=count); the messages
 * @param[in] count        how many, at most `INT_MAX`, and 0 does nothing
 * @return count
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a pointer is NULL, `count` is too large, or the first one cannot be a message of this channel
 *   -EMFILE         in a fork child: too many open files
 *   -EPERM          somebody took the first one's block by its ref meanwhile
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: a subscription of a broadcast channel is the parent's, or it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_STALE   the first one was answered before, or it was read through another subscription
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_channel_ack_many(struct weir_subscription *subscription,
                                   const struct weir_message *messages, size_t count) noexcept
{
    if (subscription == nullptr || messages == nullptr || count > INT_MAX)
        return -EINVAL;
    for (size_t done = 0; done < count; ++done) {
        auto const status = core(subscription)->ack(core(messages[done]));
        if (!status.ok())
            return done == 0 ? status.code : static_cast<int>(done);
    }
    return static_cast<int>(count);
}

/**
 * Answers a message: it is done, and its block is this participant's from now
 * on. Of a broadcast channel only the last one who holds a message can have it.
 *
 * @class weir_subscription method
 * @param[in] subscription the subscription it was read through
 * @param[in] message      the message
 * @return ok
 * @errors
 *   -EBUSY          broadcast: others wait for it, or it is kept for later subscribers, or, in a fork child, all participant slots are taken
 *   -EINVAL         a pointer is NULL, or this cannot be a message of this channel
 *   -EMFILE         in a fork child: too many open files
 *   -EPERM          somebody took the block by its ref meanwhile
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: a subscription of a broadcast channel is the parent's, or it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_STALE   it was answered before, or it was read through another subscription
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_channel_take(struct weir_subscription *subscription,
                               const struct weir_message *message) noexcept
{
    if (subscription == nullptr || message == nullptr)
        return -EINVAL;
    return core(subscription)->take(core(*message)).code;
}

/**
 * Answers a message: not done. In a queue another reader may have it, in
 * a broadcast channel this subscription gets it once more.
 *
 * @class weir_subscription method
 * @param[in] subscription the subscription it was read through
 * @param[in] message      the message
 * @return ok
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a pointer is NULL, or this cannot be a message of this channel
 *   -EMFILE         in a fork child: too many open files
 *   -WEIR_E_FORKED  in a fork child: a subscription of a broadcast channel is the parent's, or it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_STALE   it was answered before, or it was read through another subscription
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_channel_nack(struct weir_subscription *subscription,
                               const struct weir_message *message) noexcept
{
    if (subscription == nullptr || message == nullptr)
        return -EINVAL;
    return core(subscription)->nack(core(*message)).code;
}
