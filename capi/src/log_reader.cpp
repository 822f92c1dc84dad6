// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions that read a log, from any process.
/**
 * @file Reading a log
 */
#include "capi/src/internal.hpp"

#include "core/log/log_reader.hpp"

namespace {
using namespace weir::capi;
static_assert(weir::kReadSalvage == WEIR_READER_SALVAGE &&
              weir::kReadWritten == WEIR_READER_WRITTEN);
} // namespace

/**
 * Opens a log for reading, in any process, while it is written or not.
 *
 * The reader shows records up to the stable watermark: of a log that is being
 * written it is its writer's; else what the files prove. It does not stop
 * truncation: a reader that is overtaken says so.
 *
 * @class weir_log_reader ctor
 * @param[in]  folder     utf8; the log's folder
 * @param[in]  from_lsn   the first record at or after it, 0 for the oldest, ahead of the end: nothing comes before the log gets there
 * @param[in]  flags      how to read
 * @param[out] ret_reader owned; the new handle
 * @return ok
 * @errors
 *   -EACCES          the permissions of the folder or of a file are not enough
 *   -EINVAL          a pointer is NULL, or a flag is unknown
 *   -EIO             reading failed
 *   -ELOOP           too many symbolic links in the path
 *   -EMFILE          too many open files in this process
 *   -ENAMETOOLONG    the path is too long
 *   -ENFILE          too many open files on this machine
 *   -ENOENT          there is no log
 *   -ENOMEM          no memory for the handle
 *   -ENOTDIR         the path is no folder
 *   -WEIR_E_CORRUPT  META is damaged, or a segment of the log is
 *   -WEIR_E_LAPPED   `from_lsn` was truncated
 *   -WEIR_E_VERSION  made by a version that this one cannot work with
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_reader_open(const char *folder, uint64_t from_lsn, weir_reader_flags flags,
                                  struct weir_log_reader **ret_reader) noexcept
{
    if (folder == nullptr || (flags & ~weir::kKnownReaderFlags) != 0 || ret_reader == nullptr)
        return -EINVAL;
    weir::LogReader *reader = nullptr;
    if (auto const status = weir::LogReader::open(folder, from_lsn, flags, reader); !status.ok())
        return status.code;
    *ret_reader = handle(reader);
    return 0;
}

/**
 * The next record, if there is one now.
 *
 * An atomic batch is given out record by record, but not before all of it is
 * there. What was aborted is passed over.
 *
 * @class weir_log_reader method
 * @param[in]  reader   the reader
 * @param[out] ret_data bytes(len=ret_len) borrowed(of=reader); its payload, until the next call
 * @param[out] ret_len  bytes
 * @param[out] ret_lsn  nullable; its position
 * @param[out] ret_tag  nullable; its tag
 * @return count; 1 for a record, 2 for a record behind a gap (`WEIR_READER_SALVAGE`), 0 for nothing more now
 * @errors
 *   -EACCES          a segment may not be read
 *   -EINVAL          a required pointer is NULL
 *   -EIO             reading failed
 *   -EMFILE          too many open files in this process
 *   -ENFILE          too many open files on this machine
 *   -ENOMEM          no memory for a record that spans buffers
 *   -WEIR_E_CORRUPT  damage below what was acknowledged; weir_log_verify() tells where
 *   -WEIR_E_LAPPED   this place was truncated: seek
 *   -WEIR_E_STALE    the log was opened anew and goes on before this place: seek
 * @thread external
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_reader_next(struct weir_log_reader *reader, const void **ret_data,
                                  size_t *ret_len, uint64_t *ret_lsn, uint32_t *ret_tag) noexcept
{
    if (reader == nullptr || ret_data == nullptr || ret_len == nullptr)
        return -EINVAL;
    weir::RecordView record;
    auto const status = core(reader)->next(record);
    if (status.code <= 0)
        return status.code;
    *ret_data = record.data;
    *ret_len = record.length;
    if (ret_lsn != nullptr)
        *ret_lsn = record.lsn;
    if (ret_tag != nullptr)
        *ret_tag = record.tag;
    return status.code;
}

/**
 * Waits until weir_log_reader_next() has something to say, be it an error.
 *
 * Wakes when the writer's watermark moves; where the log's folder is not
 * writable for this process it looks every 5 ms.
 *
 * @class weir_log_reader method
 * @param[in] reader     the reader
 * @param[in] timeout_ns ns, 0 does not wait, negative waits for ever
 * @return ok
 * @errors
 *   -EINVAL     `reader` is NULL
 *   -ETIMEDOUT  nothing came
 * @thread external
 * @blocks timeout(timeout_ns)
 * @since 0.1
 */
WEIR_API int weir_log_reader_wait(struct weir_log_reader *reader, int64_t timeout_ns) noexcept
{
    return reader == nullptr ? -EINVAL : core(reader)->wait(timeout_ns).code;
}

/**
 * Goes to the first record at or after a position.
 *
 * @class weir_log_reader method
 * @param[in] reader the reader
 * @param[in] lsn    the position, 0 for the oldest record
 * @return ok
 * @errors
 *   -EACCES          a segment may not be read
 *   -EINVAL          `reader` is NULL
 *   -EIO             reading failed
 *   -EMFILE          too many open files in this process
 *   -ENFILE          too many open files on this machine
 *   -ENOENT          the log was removed
 *   -ENOMEM          no memory
 *   -WEIR_E_CORRUPT  META is damaged, or a segment of the log is
 *   -WEIR_E_LAPPED   `lsn` was truncated
 *   -WEIR_E_VERSION  the log was made anew by a version that this one cannot work with
 * @thread external
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_log_reader_seek(struct weir_log_reader *reader, uint64_t lsn) noexcept
{
    return reader == nullptr ? -EINVAL : core(reader)->seek(lsn).code;
}

/**
 * Ends a reader. Records that it gave out are gone.
 *
 * @class weir_log_reader dtor
 * @param[in] reader nullable; the handle
 * @return handle
 * @thread external
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_log_reader *weir_log_reader_close(struct weir_log_reader *reader) noexcept
{
    weir::LogReader::close(core(reader));
    return nullptr;
}
