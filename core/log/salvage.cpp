// SPDX-License-Identifier: MIT OR Apache-2.0
// Copying what is whole, record by record.
#include "core/log/salvage.hpp"

#include "core/log/packer.hpp"
#include "core/log/reader.hpp"

namespace weir {
namespace {

constexpr uint64_t kSalvageBuffer = 512 << 10;

/// The new log while it is written: one file at a time, flushed before the next.
class Target {
  public:
    Target(Io const &io, Recovered &log) noexcept : io_(io), log_(log) {}
    ~Target() { shut(); }
    Target(Target const &) = delete;
    Target &operator=(Target const &) = delete;

    Status begin() noexcept
    {
        return packer_.begin(log_.meta.now(), log_.start,
                             smaller(kSalvageBuffer, log_.meta.now().segment_size / 2),
                             {this, write_batch, durable});
    }
    Status add(RecordView const &record) noexcept
    {
        Lsn ignored;
        return packer_.record({record.data, record.length, record.tag}, ignored);
    }
    Status finish() noexcept
    {
        WEIR_TRY(packer_.cut());
        WEIR_TRY(flush());
        Superblock next = log_.meta.now();
        next.durable_hint = packer_.link().at;
        next.state = kLogClosed;
        return log_.meta.write_both(io_, next);
    }

  private:
    static Lsn durable(void *self) noexcept { return static_cast<Target *>(self)->durable_; }
    static Status write_batch(void *self, Lsn at, uint8_t const *bytes, uint32_t length) noexcept
    {
        auto &target = *static_cast<Target *>(self);
        LogGeometry const geometry = geometry_of(target.log_.meta.now());
        if (target.file_ == kNoFile || geometry.number(at) != target.number_)
            WEIR_TRY(target.next_segment(geometry.number(at)));
        return target.io_.files->pwrite(target.io_.files_self, target.file_, bytes, length,
                                        geometry.offset(at));
    }
    void shut() noexcept
    {
        if (file_ != kNoFile)
            io_.files->close(io_.files_self, file_);
        file_ = kNoFile;
    }
    Status flush() noexcept
    {
        if (file_ != kNoFile)
            WEIR_TRY(io_.files->fdatasync(io_.files_self, file_));
        durable_ = packer_.link().at;
        return kOk;
    }
    Status next_segment(uint64_t number) noexcept;

    Io const &io_;
    Recovered &log_;
    Packer packer_;
    uint64_t number_ = 0;
    Lsn durable_ = 0;
    File file_ = kNoFile;
};

Status Target::next_segment(uint64_t number) noexcept
{
    Superblock const &now = log_.meta.now();
    if (file_ != kNoFile)
        WEIR_TRY(io_.files->fdatasync(io_.files_self, file_));
    shut();
    char spare[kSegmentNameBytes], name[kSegmentNameBytes];
    spare_name(0, spare);
    segment_name(number * now.segment_size, name);
    Result<File> const file =
        io_.files->open(io_.files_self, spare, kOpenWrite | kOpenCreate, 0600);
    WEIR_TRY(file);
    file_ = *file;
    number_ = number;
    WEIR_TRY(io_.files->prealloc(io_.files_self, file_, 0, now.segment_size));
    WEIR_TRY(write_segment_header(io_, file_, now, number, 0));
    WEIR_TRY(io_.files->fsync(io_.files_self, file_));
    WEIR_TRY(io_.files->rename(io_.files_self, spare, name));
    return io_.files->fsync_dir(io_.files_self, "");
}

Status check_empty(Io const &io) noexcept
{
    bool empty = true;
    WEIR_TRY(io.files->list(
        io.files_self, "",
        [](void *userdata, char const *name) {
            bool const dots =
                name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
            *static_cast<bool *>(userdata) &= dots;
            return dots;
        },
        &empty));
    return empty ? kOk : error(EEXIST);
}

Status copy_records(Reader &reader, Target &target, LogReport &report) noexcept
{
    report.records = report.record_bytes = 0;
    for (;;) { // ends with the log
        RecordView record;
        Status const status = reader.next(record);
        WEIR_TRY(status);
        if (status.code == kNoRecord)
            return target.finish();
        WEIR_TRY(target.add(record));
        ++report.records;
        report.record_bytes += record.length;
    }
}

} // namespace

Status salvage(Io const &from, Superblock const &superblock, Io const &to,
               uint8_t const (&new_uuid)[16], uint32_t permissions, LogReport &report) noexcept
{
    WEIR_TRY(check_empty(to));
    Reader *reader = nullptr;
    WEIR_TRY(
        Reader::open_with(from, superblock, nullptr, 0, kReadSalvage | kReadWritten, true, reader));
    Undo const shut([&] { Reader::close(reader); });
    RecoverOptions options;
    options.exclusive = true;
    options.permissions = permissions;
    options.segment_size = superblock.segment_size;
    options.block = superblock.block;
    for (size_t i = 0; i < sizeof new_uuid; ++i)
        options.new_uuid[i] = new_uuid[i];
    Recovered log;
    WEIR_TRY(recover(to, options, log));
    Undo const closed([&] { release_recovered(to, log); });
    Target target(to, log);
    WEIR_TRY(target.begin());
    WEIR_TRY(copy_records(*reader, target, report));
    report.gaps = reader->gaps();
    report.gap_bytes = reader->gap_bytes();
    report.mended |= kSalvaged;
    return kOk;
}

} // namespace weir
