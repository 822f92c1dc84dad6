// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions of pools: making, acquiring, releasing, looking.
/**
 * @file Pool functions
 */
#include "core/pool/pool.hpp"

#include "capi/src/convert.hpp"
#include "capi/src/internal.hpp"
#include "core/matrix/matrix.hpp"
#include "core/pool/pool_hot.hpp"

#include <climits>

namespace {
using namespace weir::capi;

constexpr size_t kFirstPoolOptions = sizeof(weir_pool_options);
constexpr size_t kFirstPoolInfo = sizeof(weir_pool_info);

static_assert(sizeof(weir::SlotId) == sizeof(weir_slot), "slots are passed as they are");

/// Options of a call that makes a pool, or opens one.
int read_pool_options(weir_pool_options const *options, bool makes,
                      weir::PoolOptions &into) noexcept
{
    weir_pool_options given;
    if (int const code = read_options(options, kFirstPoolOptions, given); code < 0)
        return code;
    if (makes && given.slot_size == 0)
        return -EINVAL;
    return to_core(given, into);
}

int hand_over(weir::Taken const &got, weir_slot *ret_slot, void **ret_data) noexcept
{
    *ret_slot = got.slot.value;
    if (ret_data != nullptr)
        *ret_data = got.data;
    return 0;
}

/// A function of its own: the usual way then needs no stack.
WEIR_COLD int acquire_slowly(weir_pool *pool, int64_t timeout_ns, weir_slot *ret_slot,
                             void **ret_data) noexcept
{
    weir::Taken got;
    auto const done = core(pool)->acquire(timeout_ns, got);
    return done.ok() ? hand_over(got, ret_slot, ret_data) : done.code;
}

WEIR_COLD int release_slowly(weir_pool *pool, weir_slot slot) noexcept
{
    return core(pool)->release({slot}).code;
}

using PoolMaker = weir::Result<weir::Pool *> (*)(weir::Matrix &, char const *,
                                                 weir::PoolOptions const &) noexcept;

int open_pool(PoolMaker maker, bool makes, weir_matrix *matrix, char const *name,
              weir_pool_options const *options, weir_pool **ret_pool) noexcept
{
    if (matrix == nullptr || name == nullptr || ret_pool == nullptr)
        return -EINVAL;
    weir::PoolOptions converted;
    if (int const code = read_pool_options(options, makes, converted); code < 0)
        return code;
    auto const made = maker(*core(matrix), name, converted);
    if (!made.ok())
        return made.status().code;
    *ret_pool = reinterpret_cast<weir_pool *>(*made);
    return 0;
}
} // namespace

/**
 * Makes a pool in the memory of this process.
 *
 * One handle serves all threads. A fork child has a copy of its own.
 *
 * @class weir_pool ctor
 * @param[in]  options  sized; `slot_size` is needed
 * @param[out] ret_pool owned; the new handle
 * @return ok
 * @errors
 *   -E2BIG  `options` has an unknown field that is not 0
 *   -EINVAL a bad option, or a pointer is NULL
 *   -ENOMEM no memory
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_pool_create(const struct weir_pool_options *options,
                              struct weir_pool **ret_pool) noexcept
{
    if (options == nullptr || ret_pool == nullptr)
        return -EINVAL;
    weir::PoolOptions converted;
    if (int const code = read_pool_options(options, true, converted); code < 0)
        return code;
    auto const made = weir::Pool::create(converted);
    if (!made.ok())
        return made.status().code;
    *ret_pool = reinterpret_cast<weir_pool *>(*made);
    return 0;
}

/**
 * Makes a pool in a matrix, under a name that must not exist.
 *
 * Its slots lie in blocks of the matrix, and any process that attaches may acquire
 * and release them. What a process had that dies or leaves is given back by healing,
 * or stays acquired by nobody, as `death_policy` says.
 *
 * @class weir_pool ctor
 * @param[in]  matrix   the matrix it lives in, which the handle keeps attached
 * @param[in]  name     utf8; 1 to 63 bytes, one name space with weir_matrix_bind()
 * @param[in]  options  sized; `slot_size` is needed
 * @param[out] ret_pool owned; the new handle
 * @return ok
 * @errors
 *   -E2BIG          `options` has an unknown field that is not 0
 *   -EBUSY          a stopped process holds the directory or the memory, or, in a fork child, all participant slots are taken
 *   -EEXIST         the name is taken
 *   -EINVAL         a bad name or option, `WEIR_POOL_SINGLE_THREAD`, or a pointer is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -ENAMETOOLONG   the name is too long
 *   -ENOMEM         the matrix has no room for it, or no memory for the handle
 *   -ENOSPC         all 256 roots are taken, or the file system is full
 *   -EROFS          `matrix` is read-only
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired, or the pool destroyed at once
 * @thread any
 * @blocks stall
 * @since 0.1
 */
WEIR_API int weir_pool_create_in(struct weir_matrix *matrix, const char *name,
                                 const struct weir_pool_options *options,
                                 struct weir_pool **ret_pool) noexcept
{
    if (options == nullptr)
        return -EINVAL;
    return open_pool(&weir::Pool::create_in, true, matrix, name, options, ret_pool);
}

/**
 * Attaches to a pool of a matrix. A process that attaches twice gets the same handle
 * again, with one user more.
 *
 * @class weir_pool ctor
 * @param[in]  matrix   the matrix it lives in, which the handle keeps attached
 * @param[in]  name     utf8; 1 to 63 bytes
 * @param[in]  options  sized nullable; a `type_id` or `slot_size` that is not 0 must match, the rest does not count
 * @param[out] ret_pool owned; the new handle
 * @return ok
 * @errors
 *   -E2BIG          `options` has an unknown field that is not 0
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a bad name or option, or a required pointer is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -ENAMETOOLONG   the name is too long
 *   -ENOENT         there is none
 *   -ENOMEM         no memory for the handle
 *   -EROFS          `matrix` is read-only
 *   -WEIR_E_CORRUPT the pool contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 *   -WEIR_E_TYPE    the name stands for something else, or its `type_id` or `slot_size` is another
 *   -WEIR_E_VERSION made by a version that this one cannot work with
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_pool_attach(struct weir_matrix *matrix, const char *name,
                              const struct weir_pool_options *options,
                              struct weir_pool **ret_pool) noexcept
{
    return open_pool(&weir::Pool::attach, false, matrix, name, options, ret_pool);
}

/**
 * Adds a user to a handle, for another weir_pool_unref().
 *
 * @class weir_pool ref
 * @param[in] pool nullable; the pool
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_pool *weir_pool_ref(struct weir_pool *pool) noexcept
{
    if (pool != nullptr)
        core(pool)->ref();
    return pool;
}

/**
 * Removes a user from a handle. The last one ends a private pool and its slots, and
 * detaches from one in a matrix, which stays, with the slots that are acquired,
 * until it is destroyed.
 *
 * @class weir_pool dtor
 * @param[in] pool nullable; the pool
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_pool *weir_pool_unref(struct weir_pool *pool) noexcept
{
    if (pool != nullptr)
        core(pool)->unref();
    return nullptr;
}

/**
 * Ends a pool for everybody: its name is free again, all calls fail, who waits is
 * woken. The handle still has to be given back with weir_pool_unref(), and the
 * memory of the slots stays until the last process has done that.
 *
 * @class weir_pool method
 * @param[in] pool the pool
 * @return ok
 * @errors
 *   -EBUSY          a stopped process holds the directory, or, in a fork child, all participant slots are taken
 *   -EINVAL         `pool` is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED it was destroyed before, or its matrix was retired
 * @thread any
 * @blocks stall
 * @since 0.1
 */
WEIR_API int weir_pool_destroy(struct weir_pool *pool) noexcept
{
    return pool == nullptr ? -EINVAL : core(pool)->retire().code;
}

/**
 * Acquires a slot.
 *
 * It is this user's until somebody releases it. Its bytes are unspecified without
 * `WEIR_POOL_ZERO`. If all slots are taken, the slots of the dead are given back, and
 * a pool with `WEIR_POOL_GROWABLE` grows. -EAGAIN is exact: at some moment of the call
 * there was no slot, where a release that has not returned may count as later. The
 * usual way is one atomic operation, and takes the slot that this thread released
 * last.
 *
 * @class weir_pool method
 * @param[in]  pool       the pool
 * @param[in]  timeout_ns how long to wait for a slot, ns: 0 is not at all, negative is for ever
 * @param[out] ret_slot   owned(by=weir_pool_release); the slot
 * @param[out] ret_data   nullable bytes(len=weir_pool_slot_size) borrowed(of=ret_slot); its first byte
 * @return ok
 * @errors
 *   -EAGAIN         all slots are taken, and the timeout is 0 or one thread alone uses the pool
 *   -EBUSY          a stopped process adds slots, or, in a fork child, all participant slots are taken
 *   -EINVAL         a required pointer is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -ENOMEM         all slots are taken, and there is no memory for more
 *   -ENOSPC         all slots are taken, and the file system behind the segment is full
 *   -ETIMEDOUT      as one of -EAGAIN, -EBUSY, -ENOMEM, -ENOSPC, until the timeout was over
 *   -WEIR_E_CORRUPT the pool contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the pool was destroyed, or its matrix retired, perhaps while this call slept
 * @thread any
 * @blocks timeout(timeout_ns)
 * @since 0.1
 */
WEIR_API int weir_pool_acquire(struct weir_pool *pool, int64_t timeout_ns, weir_slot *ret_slot,
                               void **ret_data) noexcept
{
    if (!WEIR_LIKELY(pool != nullptr && ret_slot != nullptr))
        return -EINVAL;
    weir::Taken const got = core(pool)->acquire_fast();
    if (!WEIR_LIKELY(got.slot.value != 0))
        return acquire_slowly(pool, timeout_ns, ret_slot, ret_data);
    return hand_over(got, ret_slot, ret_data);
}

/**
 * Acquires up to `count` slots.
 *
 * It stops at the first one that cannot be had and returns how many there are: only
 * the first entries of the arrays are written. An error is returned if there is none.
 * A timeout holds for the first slot; the others are not waited for.
 *
 * @class weir_pool method
 * @param[in]  pool       the pool
 * @param[in]  count      how many, at most `INT_MAX`, and 0 does nothing
 * @param[in]  timeout_ns how long to wait for the first, ns: 0 is not at all, negative is for ever
 * @param[out] ret_slots  array(len=count) owned(by=weir_pool_release); the slots
 * @param[out] ret_data   nullable array(len=count) bytes(len=weir_pool_slot_size) borrowed(of=ret_slots); the first byte of each
 * @return count
 * @errors
 *   -EAGAIN         all slots are taken, and the timeout is 0 or one thread alone uses the pool
 *   -EBUSY          a stopped process adds slots, or, in a fork child, all participant slots are taken
 *   -EINVAL         `count` is too large, or a required pointer is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -ENOMEM         all slots are taken, and there is no memory for more
 *   -ENOSPC         all slots are taken, and the file system behind the segment is full
 *   -ETIMEDOUT      as one of -EAGAIN, -EBUSY, -ENOMEM, -ENOSPC, until the timeout was over
 *   -WEIR_E_CORRUPT the pool contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the pool was destroyed, or its matrix retired, perhaps while this call slept
 * @thread any
 * @blocks timeout(timeout_ns)
 * @since 0.1
 */
WEIR_API int weir_pool_acquire_many(struct weir_pool *pool, size_t count, int64_t timeout_ns,
                                    weir_slot *ret_slots, void **ret_data) noexcept
{
    if (pool == nullptr || ret_slots == nullptr || count > INT_MAX)
        return -EINVAL;
    size_t made = 0;
    auto const done = core(pool)->acquire_many(
        count, timeout_ns, reinterpret_cast<weir::SlotId *>(ret_slots), ret_data, made);
    return done.ok() ? static_cast<int>(made) : done.code;
}

/**
 * Gives a slot back to its pool.
 *
 * Any process that has the pool attached may do this, not only the one that
 * acquired the slot. A second release is recognised by the slot's generation
 * and changes nothing.
 *
 * @class weir_pool method
 * @param[in] pool the pool
 * @param[in] slot consumed; what weir_pool_acquire() returned
 * @return ok
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         `pool` is NULL, or it has no such slot
 *   -EMFILE         in a fork child: too many open files
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the pool was destroyed, or its matrix retired
 *   -WEIR_E_STALE   the slot was released before
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_pool_release(struct weir_pool *pool, weir_slot slot) noexcept
{
    if (!WEIR_LIKELY(pool != nullptr))
        return -EINVAL;
    return WEIR_LIKELY(core(pool)->release_fast({slot})) ? 0 : release_slowly(pool, slot);
}

/**
 * Gives slots back, one after the other, until one of them cannot be released.
 *
 * Returns how many were released, which is also the index of the one that could not
 * be. Called again from there on, it returns that one's error.
 *
 * @class weir_pool method
 * @param[in] pool  the pool
 * @param[in] slots array(len=count) consumed; the slots
 * @param[in] count how many, at most `INT_MAX`, and 0 does nothing
 * @return count
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a pointer is NULL, `count` is too large, or the pool has no such slot as the first one
 *   -EMFILE         in a fork child: too many open files
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the pool was destroyed, or its matrix retired
 *   -WEIR_E_STALE   the first one was released before
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_pool_release_many(struct weir_pool *pool, const weir_slot *slots,
                                    size_t count) noexcept
{
    if (pool == nullptr || slots == nullptr || count > INT_MAX)
        return -EINVAL;
    size_t released = 0;
    auto const done =
        core(pool)->release_many(reinterpret_cast<weir::SlotId const *>(slots), count, released);
    return done.ok() ? static_cast<int>(released) : done.code;
}

/**
 * Gives the slot back that begins at an address of this process.
 *
 * A second release is only recognised while nobody has acquired the slot again: an
 * address has no generation.
 *
 * @class weir_pool method
 * @param[in] pool the pool
 * @param[in] data bytes(len=weir_pool_slot_size); the first byte of a slot
 * @return ok
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a pointer is NULL, or no slot of the pool begins at `data`
 *   -EMFILE         in a fork child: too many open files
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the pool was destroyed, or its matrix retired
 *   -WEIR_E_STALE   nobody has the slot
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_pool_release_ptr(struct weir_pool *pool, const void *data) noexcept
{
    if (pool == nullptr || data == nullptr)
        return -EINVAL;
    auto const slot = core(pool)->slot_of(data);
    return slot.ok() ? core(pool)->release(*slot).code : slot.status().code;
}

/**
 * Finds the bytes of a slot that somebody has, at an address of this process. It
 * stays as long as the pool is attached.
 *
 * @class weir_pool method
 * @param[in]  pool     the pool
 * @param[in]  slot     the slot
 * @param[out] ret_data bytes(len=weir_pool_slot_size) borrowed(of=pool); its first byte
 * @return ok
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a pointer is NULL, or the pool has no such slot
 *   -EMFILE         in a fork child: too many open files
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the pool was destroyed, or its matrix retired
 *   -WEIR_E_STALE   the slot was released before
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_pool_data(struct weir_pool *pool, weir_slot slot, void **ret_data) noexcept
{
    if (pool == nullptr || ret_data == nullptr)
        return -EINVAL;
    auto const found = core(pool)->data({slot});
    if (!found.ok())
        return found.status().code;
    *ret_data = *found;
    return 0;
}

/**
 * Finds the slot that begins at an address of this process.
 *
 * @class weir_pool method
 * @param[in]  pool     the pool
 * @param[in]  data     bytes(len=weir_pool_slot_size); the first byte of a slot
 * @param[out] ret_slot the slot
 * @return ok
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a pointer is NULL, or no slot of the pool begins at `data`
 *   -EMFILE         in a fork child: too many open files
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the pool was destroyed, or its matrix retired
 *   -WEIR_E_STALE   nobody has the slot
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_pool_slot_of(struct weir_pool *pool, const void *data,
                               weir_slot *ret_slot) noexcept
{
    if (pool == nullptr || data == nullptr || ret_slot == nullptr)
        return -EINVAL;
    auto const found = core(pool)->slot_of(data);
    if (!found.ok())
        return found.status().code;
    *ret_slot = (*found).value;
    return 0;
}

/**
 * Says whether somebody has this slot, or it was released since.
 *
 * @class weir_pool method
 * @param[in] pool the pool
 * @param[in] slot the slot
 * @return bool
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         `pool` is NULL, or it has no such slot
 *   -EMFILE         in a fork child: too many open files
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the pool was destroyed, or its matrix retired
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_pool_is_live(struct weir_pool *pool, weir_slot slot) noexcept
{
    if (pool == nullptr)
        return -EINVAL;
    auto const found = core(pool)->data({slot});
    if (found.ok())
        return 1;
    return found.status().code == -WEIR_E_STALE ? 0 : found.status().code;
}

/**
 * Adds at least `slots` slots: each step doubles the pool, up to `max_capacity`.
 *
 * Slots that exist stay where they are and keep their index. After -ENOMEM there may
 * be some more than before.
 *
 * @class weir_pool method
 * @param[in] pool  the pool
 * @param[in] slots how many, and 0 does nothing
 * @return ok
 * @errors
 *   -EBUSY          a stopped process adds slots, or, in a fork child, all participant slots are taken
 *   -EINVAL         `pool` is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -ENOMEM         there is no memory for more
 *   -ENOSPC         more than `max_capacity`, or the file system behind the segment is full
 *   -EOPNOTSUPP     the pool was made without `WEIR_POOL_GROWABLE`
 *   -WEIR_E_CORRUPT the pool contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the pool was destroyed, or its matrix retired
 * @thread any
 * @blocks stall
 * @since 0.1
 */
WEIR_API int weir_pool_grow(struct weir_pool *pool, uint64_t slots) noexcept
{
    return pool == nullptr ? -EINVAL : core(pool)->grow(slots).code;
}

/**
 * Calls a function for each slot that somebody has, by rising index. Others go on
 * meanwhile: a slot may be released after it was reported.
 *
 * @class weir_pool iter
 * @param[in] pool     the pool
 * @param[in] callback called for each slot
 * @param[in] userdata userdata(of=callback) nullable; passed on
 * @return count; 0, or what ended it: the callback's value
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a required pointer is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -WEIR_E_CORRUPT the pool contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the pool was destroyed, or its matrix retired
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_pool_walk(struct weir_pool *pool, weir_slot_fn callback, void *userdata) noexcept
{
    if (pool == nullptr || callback == nullptr)
        return -EINVAL;
    WalkAdapter<weir::PoolSlotInfo, weir_slot_fn> adapter{callback, userdata};
    return core(pool)->walk(adapter.function(), &adapter).code;
}

/**
 * Says what a pool is, and counts its slots, one by one.
 *
 * @class weir_pool method
 * @param[in]    pool     the pool
 * @param[inout] ret_info sized; filled
 * @return ok
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a pointer is NULL, or a bad `size`
 *   -EMFILE         in a fork child: too many open files
 *   -WEIR_E_CORRUPT the pool contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the pool was destroyed, or its matrix retired
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_pool_stats(struct weir_pool *pool, struct weir_pool_info *ret_info) noexcept
{
    if (pool == nullptr || ret_info == nullptr || !info_size_ok(ret_info, kFirstPoolInfo))
        return -EINVAL;
    weir::PoolStats found{};
    if (auto const done = core(pool)->stats(found); !done.ok())
        return done.code;
    write_info(from_core(found), ret_info);
    return 0;
}

/**
 * Returns the bytes of a slot that its user has; 0 for NULL.
 *
 * @class weir_pool method
 * @param[in] pool nullable; the pool
 * @return value
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API size_t weir_pool_slot_size(struct weir_pool *pool) noexcept
{
    return pool == nullptr ? 0 : core(pool)->slot_size();
}
