// SPDX-License-Identifier: MIT OR Apache-2.0
// Making, naming, recycling and removing segment files.
#include "core/log/segments.hpp"

#include "core/base/alloc.hpp"
#include "core/base/bits.hpp"

#include <cstdio>

namespace weir {

Segments::~Segments() { close(); }

Status Segments::open(Io const &io, SegmentsOptions const &options) noexcept
{
    io_ = io;
    options_ = options;
    size_ = options.superblock.segment_size;
    uint64_t slots = 8;
    while (slots < options.most_open)
        slots *= 2;
    slot_mask_ = slots - 1;
    slots_ = static_cast<atomic<uint64_t> *>(allocate(slots * sizeof *slots_));
    return slots_ == nullptr ? error(ENOMEM) : kOk;
}

void Segments::close() noexcept
{
    if (slots_ == nullptr)
        return;
    if (preparing_)
        give_up_next();
    for (Lsn base = closed_; base < next_; base += size_)
        close_slot(base);
    deallocate(slots_);
    slots_ = nullptr;
}

void Segments::forget() noexcept
{
    if (slots_ == nullptr)
        return;
    if (preparing_)
        io_.files->close(io_.files_self, file_);
    preparing_ = false;
    for (Lsn base = closed_; base < next_; base += size_)
        if (File const file = file_at(base); file != kNoFile)
            io_.files->close(io_.files_self, file);
    closed_ = next_;
}

void Segments::adopt(Recovered &found) noexcept
{
    first_ = found.first_segment * size_;
    next_ = found.end_segment * size_;
    opened_at_ = round_down(found.start.at, size_);
    closed_ = next_;
    for (size_t i = 0; i < found.open_count; ++i) {
        Lsn const base = found.open[i].number * size_;
        put(base, found.open[i].file);
        found.open[i].file = kNoFile;
        io_.data->file_opened(io_.data_self, file_at(base));
    }
}

// ---- the table

atomic<uint64_t> *Segments::slot_of(Lsn lsn) const noexcept
{
    return slots_ + ((lsn / size_) & slot_mask_);
}

void Segments::put(Lsn base, File file) noexcept
{
    slot_of(base)->store(word_of(base, file), release); // pairs with file_at()
    closed_ = smaller(closed_, base);
}

uint64_t Segments::word_of(Lsn lsn, File file) const noexcept
{
    return lsn / size_ << 32 | (static_cast<uint32_t>(file) + 1);
}

File Segments::file_at(Lsn lsn) const noexcept
{
    uint64_t const word = slot_of(lsn)->load(acquire); // pairs with put()
    File const file = static_cast<File>(static_cast<uint32_t>(word) - 1);
    return word == word_of(lsn, file) ? file : kNoFile;
}

void Segments::close_slot(Lsn base) noexcept
{
    File const file = file_at(base);
    if (file == kNoFile)
        return;
    slot_of(base)->store(0, relaxed); // nothing hangs on it: no write or flush comes here any more
    io_.data->file_closing(io_.data_self, file);
    io_.files->close(io_.files_self, file);
}

void Segments::close_before(Lsn lsn) noexcept
{
    for (; closed_ + size_ <= lsn && closed_ < next_; closed_ += size_)
        close_slot(closed_);
}

// ---- the next one

Status Segments::open_locked(char const *name, unsigned flags, File &ret) noexcept
{
    auto const opened = io_.files->open(io_.files_self, name, flags | kOpenDirect, options_.mode);
    WEIR_TRY(opened);
    // The lock of a writer that was killed is held while the kernel ends its writes (recovery,
    // step 2).
    Status const locked = io_.files->lock(io_.files_self, *opened, options_.lock_timeout);
    if (!locked.ok()) {
        io_.files->close(io_.files_self, *opened);
        return locked;
    }
    io_.data->file_opened(io_.data_self, *opened);
    ret = *opened;
    return kOk;
}

void Segments::spare_name(unsigned k, char (&ret)[kSegmentNameBytes]) noexcept
{
    std::snprintf(ret, sizeof ret, "spare-%u.seg", k);
}

uint64_t Segments::bytes_of_all() const noexcept { return next_ - first_ + spare_count_ * size_; }

Status Segments::begin_next() noexcept
{
    if (slot_of(next_)->load(relaxed) != 0) // ours alone to write
        return error(EBUSY);                // an old segment is not written or flushed yet
    reused_ = spare_count_ != 0;
    if (reused_)
        return take_spare();
    // The first one is never refused: a log that is full could not be opened to be truncated.
    if (options_.max_bytes != 0 && next_ > opened_at_ &&
        bytes_of_all() + size_ > options_.max_bytes)
        return error(ENOSPC);
    number_ = next_spare_++;
    char name[kSegmentNameBytes];
    spare_name(number_, name);
    WEIR_TRY(open_locked(name, kOpenWrite | kOpenCreate | kOpenExclusive, file_));
    preparing_ = true;
    Status const got = io_.files->prealloc(io_.files_self, file_, 0, size_);
    if (!got.ok()) {
        give_up_next();
        return got;
    }
    zeroed_ = options_.zero ? 0 : size_;
    return kOk;
}

Status Segments::take_spare() noexcept
{
    number_ = spares_[spare_count_ - 1];
    char name[kSegmentNameBytes];
    spare_name(number_, name);
    WEIR_TRY(open_locked(name, kOpenWrite, file_));
    --spare_count_;
    preparing_ = true;
    zeroed_ = size_; // was written before: old content fails position and sum
    // What readers left in the cache would have to go before each write, which io_uring then hands
    // to a thread.
    io_.files->drop_cache(io_.files_self, file_);
    return kOk;
}

Result<uint64_t> Segments::zero_some(uint64_t bytes) noexcept
{
    uint64_t const part = smaller(bytes, size_ - zeroed_);
    WEIR_TRY(io_.files->write_zeros(io_.files_self, file_, zeroed_, part));
    zeroed_ += part;
    return part;
}

Status Segments::finish_next() noexcept
{
    if (!zeroed())
        ++counts_.handed_out_unzeroed;
    // The zeros are durable before the header says that this is a segment.
    WEIR_TRY(io_.files->fdatasync(io_.files_self, file_));
    WEIR_TRY(write_segment_header(io_, file_, options_.superblock, next_ / size_, reused_ ? 1 : 0));
    WEIR_TRY(io_.files->fsync(io_.files_self, file_));
    char spare[kSegmentNameBytes], name[kSegmentNameBytes];
    spare_name(number_, spare);
    segment_name(next_, name);
    WEIR_TRY(io_.files->rename(io_.files_self, spare, name));
    preparing_ = false; // it has its name: it is no spare any more, whatever comes
    put(next_, file_);
    next_ += size_;
    ++(reused_ ? counts_.recycled : counts_.made);
    // It has its name, and nobody knows whether that will last: there is no way back.
    return io_.files->fsync_dir(io_.files_self, "").ok() ? kOk : error(EIO);
}

void Segments::give_up_next() noexcept
{
    char name[kSegmentNameBytes];
    spare_name(number_, name);
    io_.data->file_closing(io_.data_self, file_);
    io_.files->close(io_.files_self, file_);
    (void)io_.files->unlink(io_.files_self, name); // recovery removes it else
    preparing_ = false;
}

// ---- away with old ones

Result<Nanoseconds> Segments::changed_at(Lsn base) const noexcept
{
    if (File const file = file_at(base); file != kNoFile)
        return io_.files->modified(io_.files_self, file);
    char name[kSegmentNameBytes];
    segment_name(base, name);
    auto const file = io_.files->open(io_.files_self, name, kOpenRead, 0);
    WEIR_TRY(file);
    auto const changed = io_.files->modified(io_.files_self, *file);
    io_.files->close(io_.files_self, *file);
    return changed;
}

Status Segments::remove_before(Lsn lsn) noexcept
{
    bool changed = false;
    for (; first_ + size_ <= lsn && first_ + size_ < next_; first_ += size_) {
        close_before(first_ + size_);
        char name[kSegmentNameBytes];
        segment_name(first_, name);
        bool const keep = spare_count_ < smaller(options_.keep_spares, kMostSpares);
        if (keep) {
            char spare[kSegmentNameBytes];
            spare_name(next_spare_, spare);
            WEIR_TRY(io_.files->rename(io_.files_self, name, spare));
            spares_[spare_count_++] = next_spare_++;
        } else {
            WEIR_TRY(io_.files->unlink(io_.files_self, name));
        }
        ++counts_.removed;
        changed = true;
    }
    return changed ? io_.files->fsync_dir(io_.files_self, "") : kOk;
}

} // namespace weir
