// SPDX-License-Identifier: MIT OR Apache-2.0
// Reading a log by its folder, and sleeping until its writer has written more.
#include "core/log/log_reader.hpp"

#include <fcntl.h>

#include "core/base/alloc.hpp"
#include "core/base/bits.hpp"
#include "core/base/futex.hpp"

namespace weir {
namespace {
/// Without a page to sleep on; and the longest sleep on one, because a writer may have died.
constexpr Nanoseconds kRecordPoll = 5 * kMillisecond;
constexpr Nanoseconds kRecordSlice = kSecond;
} // namespace

Status LogReader::open(char const *folder, Lsn from, unsigned flags, LogReader *&ret) noexcept
{
    LogReader *const made = make<LogReader>();
    if (made == nullptr)
        return error(ENOMEM);
    Status status = PosixFiles::open(folder, false, 0, made->files_);
    if (status.ok()) {
        // A log whose writer has never been on this machine has none, or one that cannot be used.
        if (!made->live_.open(folder).ok())
            made->live_.close();
        Io io;
        io.files = &PosixFiles::kOps;
        io.files_self = made->files_;
        auto const lock = io.files->open(io.files_self, kLockName, kOpenRead, 0);
        made->lock_ = lock.ok() ? *lock : kNoFile;
        made->believes_ = made->somebody_writes();
        status = Reader::open(io, made->believes_ ? made->live_.page() : nullptr, from, flags,
                              made->reader_);
    }
    if (!status.ok()) {
        close(made);
        return status;
    }
    ret = made;
    return kOk;
}

void LogReader::close(LogReader *reader) noexcept
{
    if (reader == nullptr)
        return;
    Reader::close(reader->reader_);
    reader->live_.close();
    if (reader->lock_ != kNoFile)
        PosixFiles::kOps.close(reader->files_, reader->lock_);
    PosixFiles::release(reader->files_);
    destroy(reader);
}

Status LogReader::next(RecordView &ret) noexcept
{
    if (!ahead_)
        return read_on(ret);
    ahead_ = false;
    if (ahead_status_.code > 0)
        ret = ahead_record_;
    return ahead_status_;
}

/// Who cannot look believes the page.
bool LogReader::somebody_writes() const noexcept
{
    return lock_ == kNoFile || somebody_locks(lock_);
}

/// At the end it is asked anew whether there is a writer.
Status LogReader::read_on(RecordView &ret) noexcept
{
    Status const status = reader_->next(ret);
    if (status.code != kNoRecord && status.code != -kCorrupt)
        return status;
    bool const writes = somebody_writes();
    if (writes == believes_)
        return status;
    believes_ = writes;
    if (writes && live_.page() == nullptr)
        return status; // made after we came: without it the files tell
    reader_->believe(writes ? live_.page() : nullptr);
    return reader_->next(ret);
}

Status LogReader::seek(Lsn lsn) noexcept
{
    ahead_ = false;
    return reader_->seek(lsn);
}

Status LogReader::wait(Nanoseconds timeout) noexcept
{
    Deadline const deadline(timeout);
    while (!ahead_) {
        LivePage *const page = live_.page();
        // [R] before the look; the writer moves the watermark and then counts `wake` up (Live).
        uint32_t const seen = page == nullptr ? 0 : page->wake.load(seq_cst);
        ahead_status_ = read_on(ahead_record_);
        ahead_ = ahead_status_.code != kNoRecord;
        if (ahead_)
            break;
        Nanoseconds const left = deadline.left();
        if (left == 0)
            return error(ETIMEDOUT);
        sleep_on_page(seen, left);
    }
    return kOk;
}

/// Who may count himself among the sleepers is woken.
void LogReader::sleep_on_page(uint32_t seen, Nanoseconds left) noexcept
{
    LivePage *const page = live_.page();
    if (page == nullptr || !live_.writable())
        return sleep_for(smaller(left, kRecordPoll));
    page->sleepers.fetch_add(1, seq_cst); // before futex_wait() looks at `wake`; pairs with [W] in
                                          // Live::wake()
    futex_wait(page->wake, seen, smaller(left, kRecordSlice));
    page->sleepers.fetch_sub(1, relaxed); // a hint
}

} // namespace weir
