// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions of number allocators: a pool whose slots have no bytes, known by their index.
/**
 * @file Numbers
 */
#include "capi/src/convert.hpp"
#include "capi/src/internal.hpp"
#include "core/pool/pool_hot.hpp"

namespace {
using namespace weir::capi;

constexpr size_t kFirstIdsOptions = sizeof(weir_ids_options);

/// A function of its own: the usual way then needs no stack.
WEIR_COLD int acquire_slowly(weir_ids *ids, uint32_t *ret_id) noexcept
{
    weir::Taken got;
    auto const done = core(ids)->acquire(0, got);
    if (done.ok())
        *ret_id = got.slot.index();
    return done.code;
}
} // namespace

/**
 * Makes an allocator of the numbers from 0 to `capacity` - 1, in the memory of this
 * process. A fork child has a copy of its own.
 *
 * @class weir_ids ctor
 * @param[in]  options sized nullable; NULL means all defaults
 * @param[out] ret_ids owned; the new handle
 * @return ok
 * @errors
 *   -E2BIG  `options` has an unknown field that is not 0
 *   -EINVAL a bad option, or `ret_ids` is NULL
 *   -ENOMEM no memory
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_ids_create(const struct weir_ids_options *options,
                             struct weir_ids **ret_ids) noexcept
{
    if (ret_ids == nullptr)
        return -EINVAL;
    weir_ids_options given;
    if (int const code = read_options(options, kFirstIdsOptions, given); code < 0)
        return code;
    weir::PoolOptions converted;
    if (int const code = to_core(given, converted); code < 0)
        return code;
    auto const made = weir::Pool::create(converted);
    if (!made.ok())
        return made.status().code;
    *ret_ids = reinterpret_cast<weir_ids *>(*made);
    return 0;
}

/**
 * Ends an allocator.
 *
 * @class weir_ids dtor
 * @param[in] ids nullable; the allocator
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_ids *weir_ids_unref(struct weir_ids *ids) noexcept
{
    if (ids != nullptr)
        core(ids)->unref();
    return nullptr;
}

/**
 * Takes a number that nobody has. One with `WEIR_POOL_GROWABLE` grows if there is
 * none.
 *
 * @class weir_ids method
 * @param[in]  ids    the allocator
 * @param[out] ret_id the number
 * @return ok
 * @errors
 *   -EAGAIN all numbers are taken
 *   -EINVAL a pointer is NULL
 *   -ENOMEM all numbers are taken, and there is no memory for more
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_ids_acquire(struct weir_ids *ids, uint32_t *ret_id) noexcept
{
    if (!WEIR_LIKELY(ids != nullptr && ret_id != nullptr))
        return -EINVAL;
    weir::Taken const got = core(ids)->acquire_fast();
    if (!WEIR_LIKELY(got.slot.value != 0))
        return acquire_slowly(ids, ret_id);
    *ret_id = got.slot.index();
    return 0;
}

/**
 * Gives a number back. A second time is only recognised while nobody has taken it
 * again: use a pool if that matters.
 *
 * @class weir_ids method
 * @param[in] ids the allocator
 * @param[in] id  the number
 * @return ok
 * @errors
 *   -EINVAL       `ids` is NULL, or there is no such number
 *   -WEIR_E_STALE nobody has it
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_ids_release(struct weir_ids *ids, uint32_t id) noexcept
{
    if (ids == nullptr)
        return -EINVAL;
    auto const slot = core(ids)->slot_at(id);
    return slot.ok() ? core(ids)->release(*slot).code : slot.status().code;
}

/**
 * Says whether nobody has a number.
 *
 * @class weir_ids method
 * @param[in] ids the allocator
 * @param[in] id  the number
 * @return bool
 * @errors
 *   -EINVAL `ids` is NULL, or there is no such number
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_ids_is_free(struct weir_ids *ids, uint32_t id) noexcept
{
    if (ids == nullptr)
        return -EINVAL;
    auto const slot = core(ids)->slot_at(id);
    if (slot.ok())
        return 0;
    return slot.status().code == -WEIR_E_STALE ? 1 : slot.status().code;
}

/**
 * Adds at least `numbers` numbers: each step doubles how many there are, up to
 * `max_capacity`. Nobody's number changes.
 *
 * @class weir_ids method
 * @param[in] ids     the allocator
 * @param[in] numbers how many, and 0 does nothing
 * @return ok
 * @errors
 *   -EINVAL     `ids` is NULL
 *   -ENOMEM     there is no memory for more
 *   -ENOSPC     more than `max_capacity`
 *   -EOPNOTSUPP it was made without `WEIR_POOL_GROWABLE`
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_ids_grow(struct weir_ids *ids, uint64_t numbers) noexcept
{
    return ids == nullptr ? -EINVAL : core(ids)->grow(numbers).code;
}

/**
 * Returns how many numbers there are, taken or not; 0 for NULL.
 *
 * @class weir_ids method
 * @param[in] ids nullable; the allocator
 * @return value
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API uint64_t weir_ids_capacity(struct weir_ids *ids) noexcept
{
    uint64_t numbers = 0;
    if (ids == nullptr || !core(ids)->capacity(numbers).ok())
        return 0;
    return numbers;
}
