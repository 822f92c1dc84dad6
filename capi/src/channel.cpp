// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions of channels: making, posting, looking.
/**
 * @file Channel functions
 */
#include "capi/src/internal.hpp"

#include "capi/src/convert.hpp"
#include "core/channel/subscription.hpp"
#include "core/matrix/matrix.hpp"

#include <climits>

namespace {
using namespace weir::capi;

constexpr size_t kFirstChannelOptions = sizeof(weir_channel_options);
constexpr size_t kFirstChannelInfo = sizeof(weir_channel_info);

using ChannelMaker = weir::Result<weir::Channel *> (*)(weir::Matrix &, char const *,
                                                       weir::ChannelOptions const &) noexcept;

int make_channel(ChannelMaker maker, weir_matrix *matrix, char const *name,
                 weir_channel_options const *options, weir_channel **ret_channel) noexcept
{
    if (matrix == nullptr || name == nullptr || ret_channel == nullptr)
        return -EINVAL;
    weir_channel_options given;
    if (int const code = read_options(options, kFirstChannelOptions, given); code < 0)
        return code;
    weir::ChannelOptions converted;
    if (int const code = to_core(given, converted); code < 0)
        return code;

    auto const made = maker(*core(matrix), name, converted);
    if (!made.ok())
        return made.status().code;
    *ret_channel = handle(*made);
    return 0;
}
} // namespace

/**
 * Makes a channel that must not exist.
 *
 * @class weir_channel ctor
 * @param[in]  matrix      the matrix it lives in, which the handle keeps attached
 * @param[in]  name        utf8; 1 to 63 bytes, one name space with weir_matrix_bind()
 * @param[in]  options     sized nullable; NULL means all defaults
 * @param[out] ret_channel owned; the new handle
 * @return ok
 * @errors
 *   -E2BIG           `options` has an unknown field that is not 0
 *   -EBUSY           a stopped process holds the directory, or, in a fork child, all participant slots are taken
 *   -EEXIST          the name is taken
 *   -EINVAL          a bad name or option, or a required pointer is NULL
 *   -EMFILE          in a fork child: too many open files
 *   -ENAMETOOLONG    the name is too long
 *   -ENOMEM          the matrix has no room for it, or no memory for the handle
 *   -ENOSPC          all 256 roots are taken, or the file system is full
 *   -EROFS           `matrix` is read-only
 *   -WEIR_E_CORRUPT  the segment contradicts itself
 *   -WEIR_E_FORKED   in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED  the matrix was retired
 *   -WEIR_E_VERSION  made by a version that this one cannot work with
 * @thread any
 * @blocks stall
 * @since 0.1
 */
WEIR_API int weir_channel_create(struct weir_matrix *matrix, const char *name,
                                 const struct weir_channel_options *options,
                                 struct weir_channel **ret_channel) noexcept
{
    return make_channel(&weir::Channel::create, matrix, name, options, ret_channel);
}

/**
 * Attaches to a channel that exists.
 *
 * With a read-only `matrix` the handle is for looking alone: weir_channel_inquire()
 * and weir_channel_subscribers() work, and keep nobody from freeing the channel.
 *
 * @class weir_channel ctor
 * @param[in]  matrix      the matrix it lives in, which the handle keeps attached
 * @param[in]  name        utf8; 1 to 63 bytes
 * @param[in]  options     sized nullable; a `type_id` or `message_size` that is not 0 must match, the rest does not count
 * @param[out] ret_channel owned; the new handle
 * @return ok
 * @errors
 *   -E2BIG           `options` has an unknown field that is not 0
 *   -EBUSY           in a fork child: all participant slots are taken
 *   -EINVAL          a bad name or option, or a required pointer is NULL
 *   -EMFILE          in a fork child: too many open files
 *   -ENAMETOOLONG    the name is too long
 *   -ENOENT          there is none
 *   -ENOMEM          no memory for the handle
 *   -WEIR_E_CORRUPT  the channel contradicts itself
 *   -WEIR_E_FORKED   in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED  the matrix was retired
 *   -WEIR_E_TYPE     the name stands for something else, or its `type_id` or `message_size` is another
 *   -WEIR_E_VERSION  made by a version that this one cannot work with
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_channel_attach(struct weir_matrix *matrix, const char *name,
                                 const struct weir_channel_options *options,
                                 struct weir_channel **ret_channel) noexcept
{
    return make_channel(&weir::Channel::attach, matrix, name, options, ret_channel);
}

/**
 * Attaches to a channel, or makes it if there is none.
 *
 * @class weir_channel ctor
 * @param[in]  matrix      the matrix it lives in, which the handle keeps attached
 * @param[in]  name        utf8; 1 to 63 bytes
 * @param[in]  options     sized nullable; NULL means all defaults
 * @param[out] ret_channel owned; the new handle
 * @return ok
 * @errors
 *   -E2BIG           `options` has an unknown field that is not 0
 *   -EBUSY           a stopped process holds the directory, or, in a fork child, all participant slots are taken
 *   -EINVAL          a bad name or option, or a required pointer is NULL
 *   -EMFILE          in a fork child: too many open files
 *   -ENAMETOOLONG    the name is too long
 *   -ENOMEM          the matrix has no room for it, or no memory for the handle
 *   -ENOSPC          all 256 roots are taken, or the file system is full
 *   -EROFS           `matrix` is read-only, and there is none
 *   -WEIR_E_CORRUPT  the segment or the channel contradicts itself
 *   -WEIR_E_FORKED   in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED  the matrix was retired
 *   -WEIR_E_TYPE     the name stands for something else, or its `type_id` or `message_size` is another
 *   -WEIR_E_VERSION  made by a version that this one cannot work with
 * @thread any
 * @blocks stall
 * @since 0.1
 */
WEIR_API int weir_channel_open(struct weir_matrix *matrix, const char *name,
                               const struct weir_channel_options *options,
                               struct weir_channel **ret_channel) noexcept
{
    return make_channel(&weir::Channel::open, matrix, name, options, ret_channel);
}

/**
 * Adds a user to a handle, for another weir_channel_unref().
 *
 * @class weir_channel ref
 * @param[in] channel nullable; the channel
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_channel *weir_channel_ref(struct weir_channel *channel) noexcept
{
    if (channel != nullptr)
        core(channel)->ref();
    return channel;
}

/**
 * Removes a user from a handle; the last one detaches. The channel stays, with
 * what is in it, until it is retired.
 *
 * @class weir_channel dtor
 * @param[in] channel nullable; the channel
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_channel *weir_channel_unref(struct weir_channel *channel) noexcept
{
    if (channel != nullptr)
        core(channel)->unref();
    return nullptr;
}

/**
 * Ends a channel for everybody: its name is free again, posts and reads fail,
 * who waits is woken, and what waits in it is freed. Its memory comes back when
 * the last process that is attached lets go; who has posted to it through a
 * router is attached too, see weir_router_post().
 *
 * Messages in readers' hands stay theirs until they are acknowledged or taken.
 *
 * @class weir_channel method
 * @param[in] channel the channel
 * @return ok
 * @errors
 *   -EBUSY          a stopped process holds the directory, or, in a fork child, all participant slots are taken
 *   -EINVAL         `channel` is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -EROFS          the channel's matrix is read-only
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED it, or its matrix, was retired before
 * @thread any
 * @blocks stall
 * @since 0.1
 */
WEIR_API int weir_channel_retire(struct weir_channel *channel) noexcept
{
    if (channel == nullptr)
        return -EINVAL;
    return core(channel)->retire().code;
}

/**
 * Posts a block: hands it to the channel, which hands it to a reader. Nothing
 * is copied.
 *
 * From the moment the call succeeds the message is in the channel, whoever dies.
 * The poster's messages are read in the order in which they were posted, except
 * for redeliveries.
 *
 * While the message is in the channel its block is nobody's, and whoever still
 * knows the ref must leave it alone. A weir_matrix_free() or weir_block_take() of
 * it takes the message away: its readers skip it and are told by `missed`; who has
 * it in hand reads bytes that may be another block's, and may be told so by
 * `-WEIR_E_STALE` or `-EPERM` when he answers. The channel goes on.
 *
 * @class weir_channel method
 * @param[in] channel    the channel
 * @param[in] block      consumed; one of this participant's
 * @param[in] length     bytes of it that count, 0 to the block's size
 * @param[in] options    sized nullable; NULL means all defaults
 * @param[in] timeout_ns how long to wait for room, ns: 0 is not at all, negative is for ever
 * @return bool; 1 if the channel was full and dropped this message, see `WEIR_CHANNEL_DROP_NEW`
 * @errors
 *   -E2BIG          `options` has an unknown field that is not 0
 *   -EAGAIN         it is full, and the timeout is 0 or the channel was made with `WEIR_CHANNEL_FAIL`
 *   -EBUSY          the block is changing its size, or, in a fork child, all participant slots are taken
 *   -EINVAL         `length` is above the block's size, there is no such level, a bad option or ref, or `channel` is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -EMSGSIZE       `length` is not the channel's message size
 *   -EPERM          the block is not this participant's
 *   -EROFS          the channel's matrix is read-only
 *   -ETIMEDOUT      there was no room in time
 *   -WEIR_E_CORRUPT the channel contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the channel or its matrix was retired
 *   -WEIR_E_STALE   the block was freed, or is of another matrix
 * @thread any
 * @blocks timeout(timeout_ns)
 * @since 0.1
 */
WEIR_API int weir_channel_post(struct weir_channel *channel, weir_ref block, size_t length,
                               const struct weir_post_options *options, int64_t timeout_ns) noexcept
{
    if (channel == nullptr)
        return -EINVAL;
    weir_post_options given;
    if (int const code = read_post(options, given); code < 0)
        return code;
    return core(channel)
        ->post({weir::Ref{block}, length, given.tag, given.priority}, timeout_ns)
        .code;
}

/**
 * Posts blocks, one after the other, until one of them cannot be posted.
 *
 * Returns how many were handed over, which is also the index of the one that
 * could not be. An error is returned if that is the first. A timeout holds for
 * the first block; the others are not waited for.
 *
 * @class weir_channel method
 * @param[in] channel    the channel
 * @param[in] blocks     array(len=count) consumed; of this participant
 * @param[in] lengths    array(len=count); bytes that count, of each
 * @param[in] tags       nullable array(len=count); of each, and NULL means that of `options`
 * @param[in] count      how many, at most `INT_MAX`, and 0 does nothing
 * @param[in] options    sized nullable; for all of them, NULL means all defaults
 * @param[in] timeout_ns how long to wait for room, ns: 0 is not at all, negative is for ever
 * @return count
 * @errors
 *   -E2BIG          `options` has an unknown field that is not 0
 *   -EAGAIN         it is full, and the timeout is 0 or the channel was made with `WEIR_CHANNEL_FAIL`
 *   -EBUSY          the first block is changing its size, or, in a fork child, all participant slots are taken
 *   -EINVAL         the first length is above its block's size, there is no such level, a bad option or ref, `count` is too large, or a required pointer is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -EMSGSIZE       the first length is not the channel's message size
 *   -EPERM          the first block is not this participant's
 *   -EROFS          the channel's matrix is read-only
 *   -ETIMEDOUT      there was no room in time
 *   -WEIR_E_CORRUPT the channel contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the channel or its matrix was retired
 *   -WEIR_E_STALE   the first block was freed, or is of another matrix
 * @thread any
 * @blocks timeout(timeout_ns)
 * @since 0.1
 */
WEIR_API int weir_channel_post_many(struct weir_channel *channel, const weir_ref *blocks,
                                    const uint64_t *lengths, const uint64_t *tags, size_t count,
                                    const struct weir_post_options *options,
                                    int64_t timeout_ns) noexcept
{
    if (channel == nullptr || blocks == nullptr || lengths == nullptr || count > INT_MAX)
        return -EINVAL;
    weir_post_options given;
    if (int const code = read_post(options, given); code < 0)
        return code;
    auto const post_at = [&](size_t i) {
        return weir::Post{weir::Ref{blocks[i]}, lengths[i], tags == nullptr ? given.tag : tags[i],
                          given.priority};
    };
    size_t posted = 0;
    weir::Status const done = core(channel)->post_many(post_at, count, timeout_ns, posted);
    return done.ok() ? static_cast<int>(posted) : done.code;
}

/**
 * Looks at what waits, without taking anything.
 *
 * @class weir_channel method
 * @param[in]    channel  the channel
 * @param[inout] ret_info sized; filled
 * @return ok
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a pointer is NULL, or a bad `size`
 *   -EMFILE         in a fork child: too many open files
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the channel or its matrix was retired
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_channel_inquire(struct weir_channel *channel,
                                  struct weir_channel_info *ret_info) noexcept
{
    if (channel == nullptr || ret_info == nullptr || !info_size_ok(ret_info, kFirstChannelInfo))
        return -EINVAL;
    weir::ChannelInfo found;
    if (auto const status = core(channel)->inquire(found); !status.ok())
        return status.code;
    write_info(from_core(found), ret_info);
    return 0;
}

/**
 * Calls a function for each subscriber of a broadcast channel.
 *
 * @class weir_channel iter
 * @param[in] channel  the channel
 * @param[in] callback called for each subscriber
 * @param[in] userdata userdata(of=callback) nullable; passed on
 * @return count; 0, or what ended it: the callback's value
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         `channel` or `callback` is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the channel or its matrix was retired
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_channel_subscribers(struct weir_channel *channel, weir_subscriber_fn callback,
                                      void *userdata) noexcept
{
    if (channel == nullptr || callback == nullptr)
        return -EINVAL;
    WalkAdapter<weir::SubscriberInfo, weir_subscriber_fn> adapter{callback, userdata};
    return core(channel)->subscribers(adapter.function(), &adapter).code;
}
