// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions that post and read copies: a batch of messages in one call, from and to one buffer.
/**
 * @file Copies
 */
#include "capi/src/convert.hpp"
#include "capi/src/internal.hpp"
#include "core/channel/subscription.hpp"
#include "core/matrix/matrix.hpp"

#include <climits>
#include <cstring>

namespace {
using namespace weir::capi;

/// One message of a batch.
struct Source {
    void const *bytes;
    uint64_t length;
    uint64_t tag;
    unsigned level;
};

/// Until it is posted nobody else knows the block, and if it cannot be, it goes.
weir::Status post_copy(weir::Channel &channel, Source const &from, int64_t timeout_ns) noexcept
{
    weir::Allocation copy;
    WEIR_TRY(channel.matrix().alloc(from.length == 0 ? 1 : from.length, copy));
    std::memcpy(copy.data, from.bytes, from.length);
    weir::Status const posted =
        channel.post({copy.ref, from.length, from.tag, from.level}, timeout_ns);
    if (!posted.ok())
        static_cast<void>(channel.matrix().free(copy.ref)); // else somebody took it by its ref
    return posted;
}

/// Copies what of a message fits. Its block is looked up and its length believed to no more than
/// the block: a peer may have written both.
weir::Status read_copy(weir::Subscription &subscription, int64_t timeout_ns, void *into,
                       size_t room, weir_message &ret) noexcept
{
    weir::Message found; // not in the caller's memory, which others may change
    WEIR_TRY(subscription.read(timeout_ns, found));
    auto const block = subscription.channel().matrix().data(found.ref);
    uint64_t const there = block.ok() ? block->size : 0;
    if (found.length > there)
        found.length = there;
    if (found.length != 0)
        std::memcpy(into, block->data, found.length < room ? found.length : room);
    core(ret) = found;
    return weir::kOk;
}
} // namespace

/**
 * Posts copies of bytes, one after the other, until one of them cannot be posted.
 *
 * Message `i` is what stands at `data + i * stride`. The call allocates its block,
 * copies and posts: for small messages, and for languages in which a call is dear.
 * weir_channel_post() copies nothing.
 *
 * Returns how many were posted, which is also the index of the one that could not
 * be. An error is returned if that is the first. A timeout is how long the first one
 * waits for room in the channel; the others are not waited for, and nobody waits for
 * memory.
 *
 * @class weir_channel method
 * @param[in] channel    the channel
 * @param[in] data       bytes(len=stride); the first message, and behind it the others
 * @param[in] stride     bytes from one message to the next, and most that one has
 * @param[in] lengths    nullable array(len=count); bytes of each, and NULL means `stride`
 * @param[in] tags       nullable array(len=count); of each, and NULL means that of `options`
 * @param[in] count      how many, at most `INT_MAX`, and 0 does nothing
 * @param[in] options    sized nullable; for all of them, NULL means all defaults
 * @param[in] timeout_ns how long to wait for room, ns: 0 is not at all, negative is for ever
 * @return count
 * @errors
 *   -E2BIG          `options` has an unknown field that is not 0
 *   -EAGAIN         it is full, and the timeout is 0 or the channel was made with `WEIR_CHANNEL_FAIL`
 *   -EBUSY          a stopped process holds the memory that could serve, or, in a fork child, all participant slots are taken
 *   -EINVAL         the first length is above `stride` or the matrix's capacity, there is no such level, a bad option, `count` is too large, or a required pointer is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -EMSGSIZE       the first length is not the channel's message size
 *   -ENOMEM         the matrix has no memory for the first one
 *   -ENOSPC         the file system behind the segment is full
 *   -EPERM          somebody took the copy by its ref meanwhile
 *   -ETIMEDOUT      there was no room in time
 *   -WEIR_E_CORRUPT the segment or the channel contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the channel or its matrix was retired
 *   -WEIR_E_STALE   somebody freed the copy by its ref meanwhile
 * @thread any
 * @blocks timeout(timeout_ns)
 * @since 0.1
 */
WEIR_API int weir_channel_post_copies(struct weir_channel *channel, const void *data, size_t stride,
                                      const uint64_t *lengths, const uint64_t *tags, size_t count,
                                      const struct weir_post_options *options,
                                      int64_t timeout_ns) noexcept
{
    if (channel == nullptr || data == nullptr || count > INT_MAX)
        return -EINVAL;
    weir_post_options given;
    if (int const code = read_post(options, given); code < 0)
        return code;
    auto const *next = static_cast<unsigned char const *>(data);
    for (size_t i = 0; i < count; ++i, next += stride) {
        Source const from{next, lengths == nullptr ? stride : lengths[i],
                          tags == nullptr ? given.tag : tags[i], given.priority};
        weir::Status const done = from.length > stride
                                      ? weir::error(EINVAL)
                                      : post_copy(*core(channel), from, i == 0 ? timeout_ns : 0);
        if (!done.ok())
            return i == 0 ? done.code : static_cast<int>(i);
    }
    return static_cast<int>(count);
}

/**
 * Takes messages into the hand, as many as wait, up to `count`, and copies their
 * bytes.
 *
 * Message `i` comes to `ret_data + i * stride`; of a longer one come the first
 * `stride` bytes. Its length is never more than its block has, and 0 if somebody
 * freed that. The messages are in the hand as after weir_channel_read_many(): answer
 * them, with weir_channel_ack_many() for example.
 *
 * A timeout holds for the first one; the others are not waited for. An error is
 * returned if there is none.
 *
 * @class weir_subscription method
 * @param[in]  subscription the subscription
 * @param[in]  stride       bytes from one message to the next, and most that are copied of one
 * @param[in]  count        how many, at most `INT_MAX`, and 0 does nothing
 * @param[in]  timeout_ns   how long to wait for the first, ns: 0 is not at all, negative is for ever
 * @param[out] ret_messages array(len=count); the messages
 * @param[out] ret_data     bytes(len=stride); the first message's bytes, and behind them the others'
 * @return count
 * @errors
 *   -EAGAIN         nothing waits, and the timeout is 0
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a pointer is NULL, or `count` is too large
 *   -EMFILE         in a fork child: too many open files
 *   -ETIMEDOUT      nothing came in time
 *   -WEIR_E_CORRUPT the channel contradicts itself
 *   -WEIR_E_FORKED  in a fork child: a subscription of a broadcast channel is the parent's, or it may not open the file of the segment again
 *   -WEIR_E_RETIRED the channel or its matrix was retired
 * @thread any
 * @blocks timeout(timeout_ns)
 * @since 0.1
 */
WEIR_API int weir_channel_read_copies(struct weir_subscription *subscription, size_t stride,
                                      size_t count, int64_t timeout_ns,
                                      struct weir_message *ret_messages, void *ret_data) noexcept
{
    if (subscription == nullptr || ret_messages == nullptr || ret_data == nullptr ||
        count > INT_MAX)
        return -EINVAL;
    auto *next = static_cast<unsigned char *>(ret_data);
    for (size_t i = 0; i < count; ++i, next += stride) {
        weir::Status const done =
            read_copy(*core(subscription), i == 0 ? timeout_ns : 0, next, stride, ret_messages[i]);
        if (!done.ok())
            return i == 0 ? done.code : static_cast<int>(i);
    }
    return static_cast<int>(count);
}
