// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions of routers: rules, and posting by them.
/**
 * @file Router functions
 */
#include "capi/src/internal.hpp"

#include "capi/src/convert.hpp"
#include "core/channel/router.hpp"

namespace {
using namespace weir::capi;

constexpr size_t kFirstRule = sizeof(weir_router_rule);
constexpr size_t kFirstRoute = sizeof(weir_route_options);
} // namespace

/**
 * Makes a router that must not exist, without rules.
 *
 * @class weir_router ctor
 * @param[in]  matrix     the matrix it lives in, which the handle keeps attached
 * @param[in]  name       utf8; 1 to 63 bytes, one name space with weir_matrix_bind()
 * @param[out] ret_router owned; the new handle
 * @return ok
 * @errors
 *   -EBUSY           a stopped process holds the directory, or, in a fork child, all participant slots are taken
 *   -EEXIST          the name is taken
 *   -EINVAL          a bad name, or a pointer is NULL
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
WEIR_API int weir_router_create(struct weir_matrix *matrix, const char *name,
                                struct weir_router **ret_router) noexcept
{
    if (matrix == nullptr || name == nullptr || ret_router == nullptr)
        return -EINVAL;
    auto const made = weir::Router::create(*core(matrix), name);
    if (!made.ok())
        return made.status().code;
    *ret_router = handle(*made);
    return 0;
}

/**
 * Attaches to a router that exists.
 *
 * With a read-only `matrix` the handle is for looking alone: weir_router_rules()
 * works, and keeps nobody from freeing the router.
 *
 * @class weir_router ctor
 * @param[in]  matrix     the matrix it lives in, which the handle keeps attached
 * @param[in]  name       utf8; 1 to 63 bytes
 * @param[out] ret_router owned; the new handle
 * @return ok
 * @errors
 *   -EBUSY           in a fork child: all participant slots are taken
 *   -EINVAL          a bad name, or a pointer is NULL
 *   -EMFILE          in a fork child: too many open files
 *   -ENAMETOOLONG    the name is too long
 *   -ENOENT          there is none
 *   -ENOMEM          no memory for the handle
 *   -WEIR_E_CORRUPT  the router contradicts itself
 *   -WEIR_E_FORKED   in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED  the matrix was retired
 *   -WEIR_E_TYPE     the name stands for something else
 *   -WEIR_E_VERSION  made by a version that this one cannot work with
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_router_attach(struct weir_matrix *matrix, const char *name,
                                struct weir_router **ret_router) noexcept
{
    if (matrix == nullptr || name == nullptr || ret_router == nullptr)
        return -EINVAL;
    auto const made = weir::Router::attach(*core(matrix), name);
    if (!made.ok())
        return made.status().code;
    *ret_router = handle(*made);
    return 0;
}

/**
 * Adds a user to a handle, for another weir_router_unref().
 *
 * @class weir_router ref
 * @param[in] router nullable; the router
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_router *weir_router_ref(struct weir_router *router) noexcept
{
    if (router != nullptr)
        core(router)->ref();
    return router;
}

/**
 * Removes a user from a handle; the last one detaches. The router stays, with
 * its rules, until it is retired.
 *
 * @class weir_router dtor
 * @param[in] router nullable; the router
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_router *weir_router_unref(struct weir_router *router) noexcept
{
    if (router != nullptr)
        core(router)->unref();
    return nullptr;
}

/**
 * Ends a router for everybody: its name is free again, and posts fail. Its
 * channels stay. Its memory comes back when the last process lets go.
 *
 * @class weir_router method
 * @param[in] router the router
 * @return ok
 * @errors
 *   -EBUSY          a stopped process holds the directory, or, in a fork child, all participant slots are taken
 *   -EINVAL         `router` is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -EROFS          the router's matrix is read-only
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED it, or its matrix, was retired before
 * @thread any
 * @blocks stall
 * @since 0.1
 */
WEIR_API int weir_router_retire(struct weir_router *router) noexcept
{
    if (router == nullptr)
        return -EINVAL;
    return core(router)->retire().code;
}

/**
 * Adds a rule. Who posts at the same time goes by all rules as they were, or as
 * they are.
 *
 * The channels need not exist yet: each process opens them by name when it first
 * posts to them. A router has up to 64 rules and names up to 64 channels.
 *
 * @class weir_router method
 * @param[in]  router the router
 * @param[in]  rule   sized; the rule
 * @param[out] ret_id its number, for weir_router_remove_rule()
 * @return ok
 * @errors
 *   -E2BIG          `rule` has an unknown field that is not 0
 *   -EBUSY          a stopped process changes the rules, or, in a fork child, all participant slots are taken
 *   -EINVAL         it is no rule, or a pointer is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -ENAMETOOLONG   the pattern or a channel's name is too long
 *   -ENOENT         there is no rule `before`
 *   -ENOMEM         no memory to work with
 *   -ENOSPC         there are 64 rules, or they would name more than 64 channels
 *   -EROFS          the router's matrix is read-only
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the router or its matrix was retired
 * @thread any
 * @blocks stall
 * @since 0.1
 */
WEIR_API int weir_router_add_rule(struct weir_router *router, const struct weir_router_rule *rule,
                                  uint64_t *ret_id) noexcept
{
    if (router == nullptr || rule == nullptr || ret_id == nullptr)
        return -EINVAL;
    weir_router_rule given;
    if (int const code = read_options(rule, kFirstRule, given); code < 0)
        return code;
    weir::Rule converted;
    if (int const code = to_core(given, converted); code < 0)
        return code;
    uint64_t id = 0;
    weir::Status const added = core(router)->add(converted, given.before, id);
    if (added.ok())
        *ret_id = id;
    return added.code;
}

/**
 * Removes a rule.
 *
 * @class weir_router method
 * @param[in] router the router
 * @param[in] rule   its number
 * @return ok
 * @errors
 *   -EBUSY          a stopped process changes the rules, or, in a fork child, all participant slots are taken
 *   -EINVAL         `router` is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -ENOENT         there is none of this number
 *   -ENOMEM         no memory to work with
 *   -EROFS          the router's matrix is read-only
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the router or its matrix was retired
 * @thread any
 * @blocks stall
 * @since 0.1
 */
WEIR_API int weir_router_remove_rule(struct weir_router *router, uint64_t rule) noexcept
{
    if (router == nullptr)
        return -EINVAL;
    return core(router)->remove(rule).code;
}

/**
 * Calls a function for each rule, in order.
 *
 * @class weir_router iter
 * @param[in] router   the router
 * @param[in] callback called for each rule
 * @param[in] userdata userdata(of=callback) nullable; passed on
 * @return count; 0, or what ended it: the callback's value
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         `router` or `callback` is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -WEIR_E_CORRUPT the rules change all the time
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the router or its matrix was retired
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_router_rules(struct weir_router *router, weir_rule_fn callback,
                               void *userdata) noexcept
{
    if (router == nullptr || callback == nullptr)
        return -EINVAL;
    WalkAdapter<weir::Rule, weir_rule_fn> adapter{callback, userdata};
    return core(router)->rules(adapter.function(), &adapter).code;
}

/**
 * Posts a block by the first rule that is for it.
 *
 * Returns how many channels have it: 0 if it was dropped, by the rule or by
 * a channel that drops what is new. If no rule is for it, or the post fails, the
 * block stays the caller's. A rule that copies hands it over if one of its
 * channels took it.
 *
 * A channel is opened by the first post to it, and stays open until no rule names
 * it any more and this handle is used again, or is closed. If it was retired and
 * made anew, the next post to it finds that; until then the old one's memory stays.
 *
 * @class weir_router method
 * @param[in] router     the router
 * @param[in] block      consumed; one of this participant's
 * @param[in] length     bytes of it that count, 0 to the block's size
 * @param[in] options    sized nullable; NULL means all defaults
 * @param[in] timeout_ns how long to wait for room, ns: 0 is not at all, negative is for ever
 * @return count
 * @errors
 *   -E2BIG          `options` has an unknown field that is not 0
 *   -EAGAIN         a channel is full, and the timeout is 0 or the channel was made with `WEIR_CHANNEL_FAIL`
 *   -EBUSY          the block is changing its size, or, in a fork child, all participant slots are taken
 *   -EINVAL         `length` is above the block's size, the channel has no such level, a bad option or ref, or `router` is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -EMSGSIZE       `length` is not the channel's message size
 *   -ENOENT         no rule is for it, or there is no channel of the rule's name
 *   -ENOMEM         no memory for copies, or for the channel's handle
 *   -ENOSPC         the file system is full, for copies
 *   -EPERM          the block is not this participant's
 *   -EROFS          the router's matrix is read-only
 *   -ETIMEDOUT      there was no room in time
 *   -WEIR_E_CORRUPT the router or the channel contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the router, the channel or the matrix was retired
 *   -WEIR_E_STALE   the block was freed, or is of another matrix
 *   -WEIR_E_TYPE    the name of the rule's channel stands for something else
 *   -WEIR_E_VERSION the channel was made by a version that this one cannot work with
 * @thread any
 * @blocks timeout(timeout_ns)
 * @since 0.1
 */
WEIR_API int weir_router_post(struct weir_router *router, weir_ref block, size_t length,
                              const struct weir_route_options *options, int64_t timeout_ns) noexcept
{
    if (router == nullptr)
        return -EINVAL;
    weir_route_options given;
    if (int const code = read_options(options, kFirstRoute, given); code < 0)
        return code;
    if (given.reserved0 != 0)
        return -EINVAL;
    return core(router)
        ->post({weir::Ref{block}, length, given.tag, given.topic, given.priority}, timeout_ns)
        .code;
}
