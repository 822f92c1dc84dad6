// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions of an open log: opening, appending, waiting, truncating.
/**
 * @file Log functions
 */
#include "capi/src/internal.hpp"

#include "capi/src/convert_log.hpp"
#include "core/log/log.hpp"

namespace {
using namespace weir::capi;

constexpr size_t kFirstLogInfo = sizeof(weir_log_info);

static_assert(sizeof(weir_log_part) == sizeof(weir::Part));
} // namespace

/**
 * Opens the log in a folder for appending, or makes one.
 *
 * Recovery comes first: it finds the end of what was appended, drops a torn
 * tail that was never acknowledged, and refuses a log that is damaged below
 * what was. weir_log_stats() tells what it found.
 *
 * One process at a time has a log open. Opening waits up to `lock_timeout_ns`
 * for the writes of a process that was just killed.
 *
 * @class weir_log ctor
 * @param[in]  folder  utf8; the folder, which is made if it is missing, while its parent is not
 * @param[in]  options sized nullable; NULL means all defaults
 * @param[out] ret_log owned; the new handle
 * @return ok
 * @errors
 *   -E2BIG           `options` has an unknown field that is not 0
 *   -EACCES          the permissions of the folder or of a file are not enough
 *   -EAGAIN          the system has no threads left
 *   -EBUSY           another process has it open, or the writes of a killed one do not end
 *   -EEXIST          there is a log, and `WEIR_LOG_EXCLUSIVE`
 *   -EINVAL          an option is out of range, `segment_size` is not that of the log, or a required pointer is NULL
 *   -EIO             reading, writing or flushing failed
 *   -ELOOP           too many symbolic links in the path
 *   -EMFILE          too many open files in this process
 *   -ENAMETOOLONG    the path is too long
 *   -ENFILE          too many open files on this machine
 *   -ENOENT          there is no log, and `WEIR_LOG_NO_CREATE` or `WEIR_LOG_READ_ONLY`; or the parent folder is missing
 *   -ENOMEM          no memory for buffers
 *   -ENOSPC          no space for the segment that appending begins with, nor what retention would remove
 *   -ENOTDIR         the path is no folder
 *   -EOPNOTSUPP      the backend that was asked for does not work here, the file system is not local, or `lease_bytes` is not 0
 *   -EROFS           the file system is mounted read-only
 *   -WEIR_E_CORRUPT  damage below what was acknowledged; nothing was changed
 *   -WEIR_E_VERSION  made by a version that this one cannot work with
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_open(const char *folder, const struct weir_log_options *options,
                           struct weir_log **ret_log) noexcept
{
    if (folder == nullptr || ret_log == nullptr)
        return -EINVAL;
    weir_log_options given;
    if (int const code = read_options(options, kFirstLogOptions, given); code < 0)
        return code;
    weir::LogOptions converted;
    if (int const code = to_core(given, converted); code < 0)
        return code;
    weir::Log *log = nullptr;
    if (auto const status = weir::Log::open(folder, converted, log); !status.ok())
        return status.code;
    *ret_log = handle(log);
    return 0;
}

/**
 * Writes what was appended, notes the clean end, and frees the handle.
 *
 * Open reservations are given up. After an error of the disk there is nothing
 * left to write; for an answer call weir_log_sync() before. No other call on
 * this handle may be under way.
 *
 * @class weir_log dtor
 * @param[in] log nullable; the handle
 * @return handle
 * @thread external
 * @blocks yes
 * @since 0.1
 */
WEIR_API struct weir_log *weir_log_close(struct weir_log *log) noexcept
{
    weir::Log::close(core(log));
    return nullptr;
}

/**
 * Appends one record.
 *
 * The record has its place in the log when this returns, behind all that was
 * appended before the call began; it is durable when weir_log_durable() is
 * above `ret_lsn`. Makes no system call while there is room.
 *
 * @class weir_log method
 * @param[in]  log     the log
 * @param[in]  data    nullable bytes(len=len); the payload
 * @param[in]  len     0 to `max_record`: a record of 0 bytes is one
 * @param[out] ret_lsn nullable; its position
 * @return ok
 * @errors
 *   -EINVAL           `log` is NULL, `data` is NULL and `len` is not 0, or the log is being closed
 *   -EMSGSIZE         `len` is above `max_record`
 *   -ENOSPC           no segment can be made: the file system or `max_bytes` is full, or the system has no descriptors or memory left
 *   -EROFS            the log is read-only
 *   -ETIMEDOUT        no room within `append_timeout_ns`
 *   -WEIR_E_FORKED    the handle is the parent's
 *   -WEIR_E_POISONED  an earlier failure of the disk ended the log
 *   -WEIR_E_STALE     the caller was stopped so long that its place was given up; nothing was appended
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_append(struct weir_log *log, const void *data, size_t len,
                             uint64_t *ret_lsn) noexcept
{
    if (log == nullptr || (data == nullptr && len != 0))
        return -EINVAL;
    weir::Log &target = *core(log);
    if (auto const status = target.usable(); !status.ok())
        return status.code;
    weir::Part const part{data, len, 0};
    return append(target, &part, 1, target.append_timeout(), ret_lsn);
}

/**
 * Appends one record if there is room at once.
 *
 * @class weir_log method
 * @param[in]  log     the log
 * @param[in]  data    nullable bytes(len=len); the payload
 * @param[in]  len     0 to `max_record`
 * @param[out] ret_lsn nullable; its position
 * @return ok
 * @errors
 *   -EAGAIN           no room now; nothing was appended
 *   -EINVAL           `log` is NULL, `data` is NULL and `len` is not 0, or the log is being closed
 *   -EMSGSIZE         `len` is above `max_record`, or needs more than one buffer
 *   -ENOSPC           no segment can be made: the file system or `max_bytes` is full, or the system has no descriptors or memory left
 *   -EROFS            the log is read-only
 *   -WEIR_E_FORKED    the handle is the parent's
 *   -WEIR_E_POISONED  an earlier failure of the disk ended the log
 *   -WEIR_E_STALE     the caller was stopped so long that its place was given up; nothing was appended
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_log_try_append(struct weir_log *log, const void *data, size_t len,
                                 uint64_t *ret_lsn) noexcept
{
    if (log == nullptr || (data == nullptr && len != 0))
        return -EINVAL;
    weir::Log &target = *core(log);
    if (auto const status = target.usable(); !status.ok())
        return status.code;
    if (!target.fits_a_buffer(len))
        return -EMSGSIZE; // it would wait for its second one
    weir::Part const part{data, len, 0};
    return append(target, &part, 1, 0, ret_lsn);
}

/**
 * Appends one record that is put together from pieces.
 *
 * Its tag is that of the first piece; the tags of the others do not count.
 *
 * @class weir_log method
 * @param[in]  log     the log
 * @param[in]  parts   array(len=count); the pieces, in order
 * @param[in]  count   1 to 1024
 * @param[out] ret_lsn nullable; its position
 * @return ok
 * @errors
 *   -EINVAL           `log` or `parts` is NULL, `count` or a tag is out of range, the data of a piece is NULL and its `len` is not 0, a reserved field is not 0, or the log is being closed
 *   -EMSGSIZE         all pieces together are above `max_record`
 *   -ENOSPC           no segment can be made: the file system or `max_bytes` is full, or the system has no descriptors or memory left
 *   -EROFS            the log is read-only
 *   -ETIMEDOUT        no room within `append_timeout_ns`
 *   -WEIR_E_FORKED    the handle is the parent's
 *   -WEIR_E_POISONED  an earlier failure of the disk ended the log
 *   -WEIR_E_STALE     the caller was stopped so long that its place was given up; nothing was appended
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_appendv(struct weir_log *log, const struct weir_log_part *parts, size_t count,
                              uint64_t *ret_lsn) noexcept
{
    if (log == nullptr || !parts_ok(parts, count, Parts::kMost))
        return -EINVAL;
    weir::Log &target = *core(log);
    if (auto const status = target.usable(); !status.ok())
        return status.code;
    Parts const converted(parts, count);
    return append(target, converted.get(), count, target.append_timeout(), ret_lsn);
}

/**
 * Appends a record for each part: all of them or none is there after a crash.
 *
 * The records lie side by side. One reservation serves them all, so this is also
 * the cheapest way to append many small ones.
 *
 * @class weir_log method
 * @param[in]  log     the log
 * @param[in]  parts   array(len=count); the payloads and their tags
 * @param[in]  count   1 to 1024
 * @param[out] ret_lsn nullable; the position of the last record: when it is durable, all are
 * @return ok
 * @errors
 *   -EINVAL           `log` or `parts` is NULL, `count` or a tag is out of range, the data of a part is NULL and its `len` is not 0, a reserved field is not 0, or the log is being closed
 *   -EMSGSIZE         all records together are above `max_record`
 *   -ENOSPC           no segment can be made: the file system or `max_bytes` is full, or the system has no descriptors or memory left
 *   -EROFS            the log is read-only
 *   -ETIMEDOUT        no room within `append_timeout_ns`
 *   -WEIR_E_FORKED    the handle is the parent's
 *   -WEIR_E_POISONED  an earlier failure of the disk ended the log
 *   -WEIR_E_STALE     the caller was stopped so long that its place was given up; nothing was appended
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_append_batch(struct weir_log *log, const struct weir_log_part *parts,
                                   size_t count, uint64_t *ret_lsn) noexcept
{
    if (log == nullptr || !parts_ok(parts, count, Parts::kMost))
        return -EINVAL;
    weir::Log &target = *core(log);
    if (auto const status = target.usable(); !status.ok())
        return status.code;
    Parts const converted(parts, count);
    weir::Lsn lsn = 0;
    auto const done =
        target.ring().append_batch(converted.get(), count, target.append_timeout(), lsn);
    if (done.ok() && ret_lsn != nullptr)
        *ret_lsn = lsn;
    return done.code;
}

/**
 * A place for one record that the caller fills by itself.
 *
 * What lies behind it in the log becomes durable only after it was committed or
 * aborted: a reservation is for microseconds. After `stall_timeout_ns` it is
 * given up. At most 256 are open at one time.
 *
 * @class weir_log method
 * @param[in]  log      the log
 * @param[in]  len      bytes, 0 to what fits a buffer with its headers
 * @param[in]  tag      a number of the user's: 0 to 65535
 * @param[out] ret_lsn  its position, for weir_log_commit() and weir_log_abort()
 * @param[out] ret_data bytes(len=len) borrowed(of=log); its first byte, aligned to 16, until it is committed or aborted
 * @return ok
 * @errors
 *   -EINVAL           a pointer is NULL, `tag` is out of range, or the log is being closed
 *   -EMSGSIZE         `len` is above `max_record`, or does not fit a buffer
 *   -ENOBUFS          256 reservations are open
 *   -ENOSPC           no segment can be made: the file system or `max_bytes` is full, or the system has no descriptors or memory left
 *   -EROFS            the log is read-only
 *   -ETIMEDOUT        no room within `append_timeout_ns`
 *   -WEIR_E_FORKED    the handle is the parent's
 *   -WEIR_E_POISONED  an earlier failure of the disk ended the log
 *   -WEIR_E_STALE     the caller was stopped so long that its place was given up
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_reserve(struct weir_log *log, size_t len, uint32_t tag, uint64_t *ret_lsn,
                              void **ret_data) noexcept
{
    if (log == nullptr || tag > UINT16_MAX || ret_lsn == nullptr || ret_data == nullptr)
        return -EINVAL;
    weir::Log &target = *core(log);
    if (auto const status = target.usable(); !status.ok())
        return status.code;
    weir::Lsn lsn = 0;
    void *data = nullptr;
    auto const done =
        target.ring().reserve(len, static_cast<uint16_t>(tag), target.append_timeout(), lsn, data);
    if (!done.ok())
        return done.code;
    *ret_lsn = lsn;
    *ret_data = data;
    return 0;
}

/**
 * Makes a reservation a record.
 *
 * The bytes must not change any more. What was reserved and is not used becomes
 * padding.
 *
 * @class weir_log method
 * @param[in] log the log
 * @param[in] lsn what weir_log_reserve() gave
 * @param[in] len bytes of the record, at most what was reserved
 * @return ok
 * @errors
 *   -EINVAL           `log` is NULL, or `len` is more than was reserved
 *   -EROFS            the log is read-only
 *   -WEIR_E_FORKED    the handle is the parent's
 *   -WEIR_E_POISONED  an earlier failure of the disk ended the log
 *   -WEIR_E_STALE     it was given up, or committed or aborted before
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_log_commit(struct weir_log *log, uint64_t lsn, size_t len) noexcept
{
    if (log == nullptr)
        return -EINVAL;
    if (auto const status = core(log)->usable(); !status.ok())
        return status.code;
    return core(log)->ring().commit(lsn, len).code;
}

/**
 * Gives a reservation up. Readers do not see it.
 *
 * @class weir_log method
 * @param[in] log the log
 * @param[in] lsn what weir_log_reserve() gave
 * @return ok
 * @errors
 *   -EINVAL           `log` is NULL
 *   -EROFS            the log is read-only
 *   -WEIR_E_FORKED    the handle is the parent's
 *   -WEIR_E_POISONED  an earlier failure of the disk ended the log
 *   -WEIR_E_STALE     it was given up, or committed or aborted before
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_log_abort(struct weir_log *log, uint64_t lsn) noexcept
{
    if (log == nullptr)
        return -EINVAL;
    if (auto const status = core(log)->usable(); !status.ok())
        return status.code;
    return core(log)->ring().abort(lsn).code;
}

/**
 * Waits until a record is durable, and starts the flush itself.
 *
 * Threads that wait at the same time share writes. With a limit of 0 it answers
 * at once, and the flush goes on: event loops start one like this and watch
 * weir_log_fd(). When it succeeds readers in other processes find the record.
 *
 * @class weir_log method
 * @param[in] log        the log
 * @param[in] lsn        what an append gave
 * @param[in] timeout_ns ns, 0 does not wait, negative waits for ever
 * @return ok
 * @errors
 *   -EAGAIN           not yet, with a limit of 0
 *   -EDEADLK          this thread holds a reservation at or below `lsn`
 *   -EINVAL           `log` is NULL
 *   -ERANGE           nothing was appended there yet
 *   -EROFS            the log is read-only
 *   -ETIMEDOUT        not in time; the flush goes on
 *   -WEIR_E_FORKED    the handle is the parent's
 *   -WEIR_E_POISONED  a failure of the disk ended the log before `lsn` was durable
 * @thread any
 * @blocks timeout(timeout_ns)
 * @source group commit: J. Gray and A. Reuter, Transaction Processing, 1993, chapter 9. The next write takes what came during the last one, without a timer
 * @since 0.1
 */
WEIR_API int weir_log_wait(struct weir_log *log, uint64_t lsn, int64_t timeout_ns) noexcept
{
    if (log == nullptr)
        return -EINVAL;
    if (auto const status = core(log)->usable(); !status.ok())
        return status.code;
    return core(log)->wait(lsn, timeout_ns).code;
}

/**
 * Waits until everything that was appended before the call is durable.
 *
 * @class weir_log method
 * @param[in] log the log
 * @return ok
 * @errors
 *   -EDEADLK          this thread holds a reservation
 *   -EINVAL           `log` is NULL
 *   -EROFS            the log is read-only
 *   -WEIR_E_FORKED    the handle is the parent's
 *   -WEIR_E_POISONED  a failure of the disk ended the log
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_sync(struct weir_log *log) noexcept
{
    if (log == nullptr)
        return -EINVAL;
    if (auto const status = core(log)->usable(); !status.ok())
        return status.code;
    return core(log)->sync().code;
}

/**
 * The stable watermark: every record below it survives a power cut.
 *
 * It never falls, and stands still after a failure of the disk.
 *
 * @class weir_log method
 * @param[in] log nullable; the log, NULL gives 0
 * @return value
 * @thread any
 * @blocks no
 * @signal safe
 * @since 0.1
 */
WEIR_API uint64_t weir_log_durable(const struct weir_log *log) noexcept
{
    return log == nullptr ? 0 : core(log)->durable();
}

/**
 * Where the next record or batch begins. Equal to weir_log_durable() when all
 * is durable.
 *
 * @class weir_log method
 * @param[in] log nullable; the log, NULL gives 0
 * @return value
 * @thread any
 * @blocks no
 * @signal safe
 * @since 0.1
 */
WEIR_API uint64_t weir_log_tail(const struct weir_log *log) noexcept
{
    return log == nullptr ? 0 : core(log)->tail();
}

/**
 * What ended the log, as a positive error code; 0: nothing did.
 *
 * @class weir_log method
 * @param[in] log nullable; the log, NULL gives 0
 * @return value
 * @thread any
 * @blocks no
 * @signal safe
 * @since 0.1
 */
WEIR_API uint32_t weir_log_error(const struct weir_log *log) noexcept
{
    return log == nullptr ? 0 : static_cast<uint32_t>(core(log)->failure());
}

/**
 * An eventfd that becomes readable when weir_log_durable() grows, or
 * weir_log_error() begins to say something.
 *
 * It belongs to the log, which closes it at the end; read 8 bytes from it to
 * reset it. From the first call on everything that is appended is flushed at
 * once, by the log's own thread.
 *
 * @class weir_log method
 * @param[in] log the log
 * @return count; the descriptor
 * @errors
 *   -EINVAL           `log` is NULL
 *   -EMFILE           too many open files in this process
 *   -ENFILE           too many open files on this machine
 *   -ENOMEM           the system has no memory for it
 *   -EROFS            the log is read-only
 *   -WEIR_E_FORKED    the handle is the parent's
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_fd(struct weir_log *log) noexcept
{
    if (log == nullptr)
        return -EINVAL;
    if (auto const status = core(log)->usable(); !status.ok())
        return status.code;
    auto const fd = core(log)->event_fd();
    return fd.ok() ? *fd : fd.status().code;
}

/**
 * Gives the space of old records back: of whole segments below a position.
 *
 * It stands durably in the log before a file goes. Records at or above `lsn`
 * stay; some below may stay as well.
 *
 * @class weir_log method
 * @param[in] log the log
 * @param[in] lsn at most weir_log_durable()
 * @return ok
 * @errors
 *   -EBUSY            a cursor with `WEIR_CURSOR_HOLD` stands below
 *   -EINVAL           `log` is NULL
 *   -EIO              the note could not be written; the log is ended
 *   -ERANGE           `lsn` is above weir_log_durable()
 *   -EROFS            the log is read-only
 *   -WEIR_E_FORKED    the handle is the parent's
 *   -WEIR_E_POISONED  a failure of the disk ended the log
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_truncate_before(struct weir_log *log, uint64_t lsn) noexcept
{
    if (log == nullptr)
        return -EINVAL;
    if (auto const status = core(log)->usable(); !status.ok())
        return status.code;
    return core(log)->truncate_before(lsn).code;
}

/**
 * Counters of an open log, the backend it uses and why, and what recovery found.
 *
 * @class weir_log method
 * @param[in]  log      the log
 * @param[out] ret_info sized; what is known
 * @return ok
 * @errors
 *   -EINVAL         a pointer is NULL, or `size` is out of range
 *   -WEIR_E_FORKED  the handle is the parent's
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_stats(struct weir_log *log, struct weir_log_info *ret_info) noexcept
{
    if (log == nullptr || ret_info == nullptr || !info_size_ok(ret_info, kFirstLogInfo))
        return -EINVAL;
    if (core(log)->forked())
        return -WEIR_E_FORKED;
    weir::LogStats found;
    core(log)->stats(found);
    write_info(from_core(found), ret_info);
    return 0;
}
