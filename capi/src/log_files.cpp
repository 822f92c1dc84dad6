// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions on the files of a log that nobody needs to have open: cursors, verify, repair.
/**
 * @file Files of a log
 */
#include "capi/src/internal.hpp"

#include "capi/src/convert_log.hpp"
#include "core/log/log_files.hpp"

namespace {
using namespace weir::capi;
constexpr size_t kFirstReport = sizeof(weir_log_report);
} // namespace

/**
 * Stores a named position of a log durably. Any process may.
 *
 * It is written twice, one copy after the other: a crash leaves the old
 * position or the new one. A cursor that stands behind the log's end when it is
 * opened comes back to the end: what is appended there is not skipped.
 *
 * @class weir_log static
 * @param[in] folder utf8; the log's folder
 * @param[in] name   utf8; letters, digits, `.`, `_` and `-`, 1 to 64, not beginning with `.`
 * @param[in] lsn    the position
 * @param[in] flags  what the cursor does
 * @return ok
 * @errors
 *   -EACCES          the permissions of the folder or of a file are not enough
 *   -EBUSY           another store of this cursor does not end
 *   -EINVAL          a pointer is NULL, a bad name, or a flag is unknown
 *   -EIO             reading, writing or flushing failed
 *   -ELOOP           too many symbolic links in the path
 *   -EMFILE          too many open files in this process
 *   -ENAMETOOLONG    the name or the path is too long
 *   -ENFILE          too many open files on this machine
 *   -ENOENT          there is no log
 *   -ENOMEM          no memory
 *   -ENOSPC          the file system is full
 *   -ENOTDIR         the path is no folder
 *   -EROFS           the file system is mounted read-only
 *   -WEIR_E_CORRUPT  META is damaged, or both copies of the cursor are
 *   -WEIR_E_VERSION  made by a version that this one cannot work with
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_cursor_store(const char *folder, const char *name, uint64_t lsn,
                                   weir_cursor_flags flags) noexcept
{
    if (folder == nullptr || name == nullptr || (flags & ~WEIR_CURSOR_HOLD) != 0)
        return -EINVAL;
    return weir::store_cursor_in(folder, name, lsn, flags).code;
}

/**
 * Reads a named position of a log.
 *
 * @class weir_log static
 * @param[in]  folder  utf8; the log's folder
 * @param[in]  name    utf8; the cursor's name
 * @param[out] ret_lsn the position
 * @return ok
 * @errors
 *   -EACCES          the permissions of the folder or of a file are not enough
 *   -EINVAL          a pointer is NULL, or a bad name
 *   -EIO             reading failed
 *   -ELOOP           too many symbolic links in the path
 *   -EMFILE          too many open files in this process
 *   -ENAMETOOLONG    the name or the path is too long
 *   -ENFILE          too many open files on this machine
 *   -ENOENT          there is no log, or no such cursor
 *   -ENOMEM          no memory
 *   -ENOTDIR         the path is no folder
 *   -WEIR_E_CORRUPT  META is damaged, or both copies of the cursor are
 *   -WEIR_E_VERSION  made by a version that this one cannot work with
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_cursor_load(const char *folder, const char *name, uint64_t *ret_lsn) noexcept
{
    if (folder == nullptr || name == nullptr || ret_lsn == nullptr)
        return -EINVAL;
    auto const found = weir::load_cursor_in(folder, name);
    if (!found.ok())
        return found.status().code;
    *ret_lsn = found->lsn;
    return 0;
}

/**
 * Reads a whole log and says how it is. Nothing is changed or locked.
 *
 * Beside a writer it says what was true at some moment of the call. What lies behind
 * the valid part is what was being written then, and no torn tail.
 *
 * @class weir_log static
 * @param[in]  folder     utf8; the log's folder
 * @param[out] ret_report nullable sized; what was found and where
 * @return count; the verdict: 0 whole, 1 torn, 2 corrupt
 * @errors
 *   -EACCES          the permissions of the folder or of a file are not enough
 *   -EINVAL          `folder` is NULL, or `size` is out of range
 *   -EIO             reading failed
 *   -ELOOP           too many symbolic links in the path
 *   -EMFILE          too many open files in this process
 *   -ENAMETOOLONG    the path is too long
 *   -ENFILE          too many open files on this machine
 *   -ENOENT          there is no log
 *   -ENOMEM          no memory
 *   -ENOTDIR         the path is no folder
 *   -WEIR_E_VERSION  made by a version that this one cannot work with
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_verify(const char *folder, struct weir_log_report *ret_report) noexcept
{
    if (folder == nullptr || (ret_report != nullptr && !info_size_ok(ret_report, kFirstReport)))
        return -EINVAL;
    weir::LogReport report;
    auto const verdict = weir::verify_in(folder, report);
    if (verdict.ok() && ret_report != nullptr)
        write_info(from_core(report), ret_report);
    return verdict.code;
}

/**
 * Makes a log that cannot be opened one that can, without losing what is whole.
 *
 * Superblocks and segment headers are built anew from what is there. Damaged
 * records are dropped only if the caller says how: with
 * `WEIR_LOG_RECOVERY_POINT_IN_TIME` the log ends in front of the write (up to
 * `buffer_size` bytes) in which the first damage lies, and the rest, whole records
 * of that write too, is moved to the folder `quarantine`; with `target` each record
 * that is whole is copied to a new log there, with new positions, and this one
 * stays as it is. Not copied is what lies in a write whose own header is damaged,
 * an atomic batch of which a part is, and behind damage what cannot be told from
 * such a part or goes on in the next write.
 *
 * @class weir_log static
 * @param[in]  folder     utf8; the log's folder
 * @param[in]  target     utf8 nullable; an empty folder, or one to be made, for what can be saved
 * @param[in]  options    sized nullable; of which `recovery`, `mode` and `lock_timeout_ns` count, NULL means all defaults
 * @param[out] ret_report nullable sized; what was found and done
 * @return count; 1: repaired, 0: nothing was to do
 * @errors
 *   -E2BIG           `options` has an unknown field that is not 0
 *   -EACCES          the permissions of the folder or of a file are not enough
 *   -EBUSY           a process has it open
 *   -EEXIST          `target` is not empty
 *   -EINVAL          `folder` is NULL, an option is out of range, or `size` is
 *   -EIO             reading, writing or flushing failed
 *   -ELOOP           too many symbolic links in the path
 *   -EMFILE          too many open files in this process
 *   -ENAMETOOLONG    the path is too long
 *   -ENFILE          too many open files on this machine
 *   -ENOENT          there is no log
 *   -ENOMEM          no memory
 *   -ENOSPC          the file system is full
 *   -ENOTDIR         the path is no folder
 *   -EOPNOTSUPP      `lease_bytes` is not 0
 *   -EROFS           the file system is mounted read-only
 *   -WEIR_E_CORRUPT  records are damaged and no mode allows dropping them; nothing of them was changed
 *   -WEIR_E_VERSION  made by a version that this one cannot work with
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_repair(const char *folder, const char *target,
                             const struct weir_log_options *options,
                             struct weir_log_report *ret_report) noexcept
{
    if (folder == nullptr || (ret_report != nullptr && !info_size_ok(ret_report, kFirstReport)))
        return -EINVAL;
    weir_log_options given;
    if (int const code = read_options(options, kFirstLogOptions, given); code < 0)
        return code;
    weir::LogOptions converted;
    if (int const code = to_core(given, converted); code < 0)
        return code;
    weir::LogReport report;
    auto const done = weir::repair_in(folder, target, converted.recovery, report);
    if (done.ok() && ret_report != nullptr)
        write_info(from_core(report), ret_report);
    return done.code;
}
