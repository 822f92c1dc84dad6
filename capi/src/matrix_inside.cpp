// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions that look into a matrix, mend it, and see to its memory.
/**
 * @file Inside a matrix
 */
#include "capi/src/internal.hpp"

#include "capi/src/convert.hpp"
#include "core/matrix/matrix.hpp"

using namespace weir::capi;

namespace {
constexpr size_t kFirstStats = sizeof(weir_matrix_info);
constexpr size_t kFirstMemory = sizeof(weir_memory_info);
constexpr size_t kFirstCheck = sizeof(weir_check_report);
constexpr size_t kFirstHeal = sizeof(weir_heal_report);
} // namespace

/**
 * Reads sizes and counters. It walks over all blocks; others go on meanwhile.
 *
 * @class weir_matrix method
 * @param[in]    matrix    the matrix
 * @param[inout] ret_stats sized; filled
 * @return ok
 * @errors
 *   -EINVAL         a pointer is NULL, or a bad `size`
 *   -WEIR_E_CORRUPT the segment contradicts itself
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_stats(struct weir_matrix *matrix,
                               struct weir_matrix_info *ret_stats) noexcept
{
    if (matrix == nullptr || ret_stats == nullptr || !info_size_ok(ret_stats, kFirstStats))
        return -EINVAL;
    weir::MatrixStats found;
    if (auto const status = core(matrix)->stats(found); !status.ok())
        return status.code;
    write_info(from_core(found), ret_stats);
    return 0;
}

/**
 * Gives memory of free blocks back to the system: whole pages, in steps of at
 * least 64 KiB.
 *
 * What threads keep for their next allocations is given back first.
 *
 * A trimmed block stays free for everybody. Who needs it takes it back, and is
 * told `-ENOSPC` if the file system has no room for it any more; touching a
 * block never raises SIGBUS. Trimmed memory does not count against the
 * capacity, so another sector may grow by it. Others go on meanwhile, but what
 * is being trimmed is nobody's for that moment.
 *
 * It ends early where it fails; what it gave back until then is a success.
 *
 * @class weir_matrix method
 * @param[in]  matrix     the matrix
 * @param[in]  keep_bytes free bytes that stay as they are, for the next allocations
 * @param[out] ret_bytes  nullable; bytes that were given back
 * @return ok
 * @errors
 *   -EBUSY          a stopped process holds the growth of the matrix, or, in a fork child, all participant slots are taken
 *   -EINVAL         `matrix` is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -EOPNOTSUPP     the file system cannot give memory back
 *   -EROFS          the handle is read-only
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_trim(struct weir_matrix *matrix, uint64_t keep_bytes,
                              uint64_t *ret_bytes) noexcept
{
    if (matrix == nullptr)
        return -EINVAL;
    uint64_t bytes = 0;
    if (auto const status = core(matrix)->trim(keep_bytes, bytes); !status.ok())
        return status.code;
    if (ret_bytes != nullptr)
        *ret_bytes = bytes;
    return 0;
}

/**
 * Tells what kind of memory this handle got, and how much of it is there.
 *
 * @class weir_matrix method
 * @param[in]    matrix   the matrix
 * @param[inout] ret_info sized; filled
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL, or a bad `size`
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_memory(const struct weir_matrix *matrix,
                                struct weir_memory_info *ret_info) noexcept
{
    if (matrix == nullptr || ret_info == nullptr || !info_size_ok(ret_info, kFirstMemory))
        return -EINVAL;
    write_info(from_core(core(matrix)->memory_kind(), core(matrix)->measure_memory()), ret_info);
    return 0;
}

/**
 * Commits block data up to `bytes` in all, shared out as by the option `commit`
 * and as far as the capacity allows, and puts all that is committed into this
 * process's page tables, so that no first use has to wait for the kernel.
 *
 * Blocks and what others do are left alone. With transparent huge pages it asks
 * the kernel to use them at once.
 *
 * @class weir_matrix iter
 * @param[in] matrix   the matrix
 * @param[in] bytes    at most the capacity, or 0 for what is committed already
 * @param[in] callback nullable; called after each piece of at most 16 MiB, may call functions of this matrix
 * @param[in] userdata userdata(of=callback) nullable; passed on
 * @return count
 * @errors
 *   -EBUSY          a stopped process holds the growth of the matrix, or, in a fork child, all participant slots are taken
 *   -EINVAL         `matrix` is NULL, or `bytes` is more than the capacity
 *   -EMFILE         in a fork child: too many open files
 *   -ENOMEM         no memory for page tables, or what is locked exceeds `RLIMIT_MEMLOCK`
 *   -ENOSPC         the file system is full, or the pool of huge pages
 *   -EROFS          the handle is read-only
 *   -WEIR_E_CORRUPT the segment contradicts itself
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_prefault(struct weir_matrix *matrix, uint64_t bytes,
                                  weir_prefault_fn callback, void *userdata) noexcept
{
    if (matrix == nullptr)
        return -EINVAL;
    return core(matrix)->prefault(bytes, callback, userdata).code;
}

/**
 * Calls a function for each block, free ones too, from the first to the last
 * byte of each sector. Others go on meanwhile: a block may change after it was
 * reported. No byte is reported twice.
 *
 * @class weir_matrix iter
 * @param[in] matrix   the matrix
 * @param[in] callback called for each block, may call functions of this matrix
 * @param[in] userdata userdata(of=callback) nullable; passed on
 * @return count; 0, or what ended it: the callback's value
 * @errors
 *   -EINVAL         `matrix` or `callback` is NULL
 *   -WEIR_E_CORRUPT the segment contradicts itself
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_walk(struct weir_matrix *matrix, weir_walk_fn callback,
                              void *userdata) noexcept
{
    if (matrix == nullptr || callback == nullptr)
        return -EINVAL;
    WalkAdapter<weir::BlockInfo, weir_walk_fn> adapter{callback, userdata};
    return core(matrix)->walk(adapter.function(), &adapter).code;
}

/**
 * Calls a function for each participant, also for dead ones that wait to be
 * healed.
 *
 * @class weir_matrix iter
 * @param[in] matrix   the matrix
 * @param[in] callback called for each participant, may call functions of this matrix
 * @param[in] userdata userdata(of=callback) nullable; passed on
 * @return count; 0, or what ended it: the callback's value
 * @errors
 *   -EINVAL `matrix` or `callback` is NULL
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_participants(struct weir_matrix *matrix, weir_participant_fn callback,
                                      void *userdata) noexcept
{
    if (matrix == nullptr || callback == nullptr)
        return -EINVAL;
    WalkAdapter<weir::ParticipantInfo, weir_participant_fn> adapter{callback, userdata};
    return core(matrix)->participants(adapter.function(), &adapter).code;
}

/**
 * Checks every invariant of the segment and returns how many errors it found.
 *
 * Leaks (`orphans`) are counted but are no errors: a block of nobody may be in
 * flight between two processes that agreed on it by other means.
 *
 * @class weir_matrix method
 * @param[in]    matrix     the matrix
 * @param[in]    flags      what to do besides
 * @param[inout] ret_report sized; filled
 * @return count; how many errors were found
 * @errors
 *   -EINVAL a pointer is NULL, a bad `size`, or an unknown flag
 *   -ENOMEM no memory for the list of refs
 *   -EROFS  `WEIR_CHECK_REPAIR` on a read-only handle
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_check(struct weir_matrix *matrix, weir_check_flags flags,
                               struct weir_check_report *ret_report) noexcept
{
    if (matrix == nullptr || ret_report == nullptr || !info_size_ok(ret_report, kFirstCheck))
        return -EINVAL;
    if ((flags & ~uint32_t{WEIR_CHECK_REPAIR}) != 0)
        return -EINVAL;
    weir::CheckReport found;
    auto const status = core(matrix)->check((flags & WEIR_CHECK_REPAIR) != 0, found);
    if (!status.ok())
        return status.code;
    write_info(from_core(found), ret_report);
    return status.code;
}

/**
 * Looks for dead participants and gives back what they had.
 *
 * Other calls do this by themselves when they need what a dead process has;
 * calling it is never necessary, only sooner. Attaching does it too: the first
 * call on a handle also reports what was healed then.
 *
 * @class weir_matrix method
 * @param[in]    matrix     the matrix
 * @param[inout] ret_report sized nullable; filled
 * @return count; how many dead participants were healed
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         `matrix` is NULL, or a bad `size`
 *   -EMFILE         in a fork child: too many open files
 *   -EROFS          the handle is read-only
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_heal(struct weir_matrix *matrix,
                              struct weir_heal_report *ret_report) noexcept
{
    if (matrix == nullptr || (ret_report != nullptr && !info_size_ok(ret_report, kFirstHeal)))
        return -EINVAL;
    weir::HealReport found;
    auto const status = core(matrix)->heal(found);
    if (!status.ok())
        return status.code;
    if (ret_report != nullptr)
        write_info(from_core(found), ret_report);
    return static_cast<int>(found.participants);
}
