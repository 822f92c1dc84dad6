// SPDX-License-Identifier: MIT OR Apache-2.0
// Cursor files.
#include "core/log/cursor.hpp"

#include "core/base/clock.hpp"
#include "core/log/meta.hpp"

#include <cstring>

namespace weir {
namespace {

constexpr Nanoseconds kStoreLockTimeout = 5 * kSecond;
constexpr size_t kSlotAt[2] = {0, sizeof(CursorSlot)};

/// `cursors/[.]name`
struct CursorPath {
    char text[sizeof kCursorFolder + 2 + kLongestCursorName];
    CursorPath(char const *name, bool temporary) noexcept
    {
        size_t at = sizeof kCursorFolder - 1;
        memcpy(text, kCursorFolder, at);
        text[at++] = '/';
        if (temporary)
            text[at++] = '.';
        memcpy(text + at, name, strlen(name) + 1);
    }
};

bool slot_valid(CursorSlot const &slot, uint8_t const (&uuid)[16]) noexcept
{
    return memcmp(slot.magic, kCursorMagic, sizeof slot.magic) == 0 && slot.crc == page_crc(slot) &&
           slot.version == kLogVersion && memcmp(slot.uuid, uuid, sizeof slot.uuid) == 0 &&
           slot.lsn <= kLastLsn && (slot.flags & ~kCursorHold) == 0;
}

/// Both slots; `ret_best` is the one that counts, -1: none.
Status read_slots(Io const &io, File file, uint8_t const (&uuid)[16], CursorSlot (&ret)[2],
                  int &ret_best, unsigned &ret_bad) noexcept
{
    ret_best = -1;
    ret_bad = 0;
    for (int i = 0; i < 2; ++i) {
        memset(&ret[i], 0, sizeof ret[i]);
        Result<size_t> const got =
            io.files->pread(io.files_self, file, &ret[i], sizeof ret[i], kSlotAt[i]);
        WEIR_TRY(got);
        bool const valid = *got == sizeof ret[i] && slot_valid(ret[i], uuid);
        ret_bad += unsigned{!valid};
        if (valid && (ret_best < 0 || ret[i].sequence > ret[ret_best].sequence))
            ret_best = i;
    }
    return kOk;
}

Status write_slot(Io const &io, File file, CursorSlot const &slot, int which) noexcept
{
    WEIR_TRY(io.files->pwrite(io.files_self, file, &slot, sizeof slot, kSlotAt[which]));
    return io.files->fdatasync(io.files_self, file);
}

CursorSlot make_slot(uint8_t const (&uuid)[16], uint64_t sequence, Lsn lsn, uint32_t flags) noexcept
{
    CursorSlot slot{};
    memcpy(slot.magic, kCursorMagic, sizeof slot.magic);
    slot.version = kLogVersion;
    slot.flags = flags;
    memcpy(slot.uuid, uuid, sizeof slot.uuid);
    slot.sequence = sequence;
    slot.lsn = lsn;
    slot.time_ns = real_now();
    slot.crc = page_crc(slot);
    return slot;
}

Status read_uuid(Io const &io, uint8_t (&ret)[16]) noexcept
{
    Result<File> const file = io.files->open(io.files_self, kMetaName, kOpenRead, 0);
    WEIR_TRY(file);
    MetaCopies copies;
    Status const status = Meta::read(io, *file, copies);
    io.files->close(io.files_self, *file);
    WEIR_TRY(status);
    memcpy(ret, copies.copy[copies.chosen].uuid, sizeof ret);
    return kOk;
}

/// A new cursor, or one of which nothing is left: whole under another name, then renamed.
Status create_cursor(Io const &io, char const *name, CursorSlot const &slot) noexcept
{
    Result<File> const folder =
        io.files->open(io.files_self, kCursorFolder, kOpenFolder | kOpenCreate, 0700);
    WEIR_TRY(folder);
    CursorPath const temporary(name, true), path(name, false);
    Result<File> const file =
        io.files->open(io.files_self, temporary.text, kOpenWrite | kOpenCreate, 0600);
    WEIR_TRY(file);
    Undo const shut([&] { io.files->close(io.files_self, *file); });
    WEIR_TRY(io.files->lock(io.files_self, *file, kStoreLockTimeout));
    WEIR_TRY(io.files->truncate(io.files_self, *file, 0));
    WEIR_TRY(write_slot(io, *file, slot, 0));
    WEIR_TRY(write_slot(io, *file, slot, 1));
    WEIR_TRY(io.files->fsync(io.files_self, *file));
    WEIR_TRY(io.files->rename(io.files_self, temporary.text, path.text));
    WEIR_TRY(io.files->fsync_dir(io.files_self, kCursorFolder));
    return io.files->fsync_dir(io.files_self, "");
}

/// The slot that counts is written last.
Status write_both(Io const &io, File file, int best, CursorSlot const &next) noexcept
{
    WEIR_TRY(write_slot(io, file, next, best ^ 1));
    return write_slot(io, file, next, best);
}

Status update_cursor(Io const &io, File file, uint8_t const (&uuid)[16], Lsn lsn,
                     uint32_t flags) noexcept
{
    WEIR_TRY(io.files->lock(io.files_self, file, kStoreLockTimeout));
    CursorSlot slots[2];
    int best;
    unsigned bad;
    WEIR_TRY(read_slots(io, file, uuid, slots, best, bad));
    if (best < 0)
        return error(kCorrupt);
    return write_both(io, file, best, make_slot(uuid, slots[best].sequence + 1, lsn, flags));
}

/// Under the lock, as a store: a consumer's own may have come before us.
Result<bool> mend_cursor(Io const &io, File file, uint8_t const (&uuid)[16], Lsn end) noexcept
{
    WEIR_TRY(io.files->lock(io.files_self, file, kStoreLockTimeout));
    CursorSlot slots[2];
    int best;
    unsigned bad;
    WEIR_TRY(read_slots(io, file, uuid, slots, best, bad));
    if (best < 0 || (bad == 0 && slots[best].lsn <= end))
        return false;
    CursorSlot const &now = slots[best];
    WEIR_TRY(write_both(io, file, best,
                        make_slot(uuid, now.sequence + 1, smaller(now.lsn, end), now.flags)));
    return true;
}

} // namespace

Status check_cursor_name(char const *name) noexcept
{
    size_t const length = strnlen(name, kLongestCursorName + 1);
    if (length > kLongestCursorName)
        return error(ENAMETOOLONG);
    if (length == 0 || name[0] == '.')
        return error(EINVAL);
    for (size_t i = 0; i < length; ++i) {
        char const c = name[i];
        bool const letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!letter && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
            return error(EINVAL);
    }
    return kOk;
}

Status store_cursor(Io const &io, char const *name, Lsn lsn, uint32_t flags) noexcept
{
    WEIR_TRY(check_cursor_name(name));
    if (lsn > kLastLsn || (flags & ~kCursorHold) != 0)
        return error(EINVAL);
    uint8_t uuid[16];
    WEIR_TRY(read_uuid(io, uuid));
    CursorPath const path(name, false);
    Result<File> const file = io.files->open(io.files_self, path.text, kOpenWrite, 0);
    if (file.status().code == -ENOENT)
        return create_cursor(io, name, make_slot(uuid, 1, lsn, flags));
    WEIR_TRY(file);
    Status const status = update_cursor(io, *file, uuid, lsn, flags);
    io.files->close(io.files_self, *file);
    return status;
}

namespace {
Status load(Io const &io, char const *name, uint8_t const (&uuid)[16], CursorView &ret) noexcept
{
    CursorPath const path(name, false);
    Result<File> const file = io.files->open(io.files_self, path.text, kOpenRead, 0);
    WEIR_TRY(file);
    CursorSlot slots[2];
    int best = -1;
    unsigned bad = 0;
    // A store beside us leaves one slot whole at each moment, but two looks may miss it.
    Status status = kOk;
    for (int attempt = 0; attempt < 3 && status.ok() && best < 0; ++attempt)
        status = read_slots(io, *file, uuid, slots, best, bad);
    io.files->close(io.files_self, *file);
    WEIR_TRY(status);
    ret.bad_slots = bad;
    if (best < 0)
        return error(kCorrupt);
    ret = {slots[best].lsn, slots[best].flags, slots[best].time_ns, bad};
    return kOk;
}
} // namespace

Status load_cursor(Io const &io, char const *name, CursorView &ret) noexcept
{
    WEIR_TRY(check_cursor_name(name));
    uint8_t uuid[16];
    WEIR_TRY(read_uuid(io, uuid));
    return load(io, name, uuid, ret);
}

Status for_each_cursor(Io const &io, uint8_t const (&uuid)[16],
                       void (*visit)(void *userdata, char const *name, Status status,
                                     CursorView const &cursor),
                       void *userdata) noexcept
{
    struct Visit {
        Io const &io;
        uint8_t const (&uuid)[16];
        void (*visit)(void *userdata, char const *name, Status status, CursorView const &cursor);
        void *userdata;
    } all{io, uuid, visit, userdata};
    Status const listed = io.files->list(
        io.files_self, kCursorFolder,
        [](void *self, char const *name) {
            auto const &each = *static_cast<Visit *>(self);
            if (!check_cursor_name(name).ok())
                return true; // one that was being made, or not ours
            CursorView view;
            Status const status = load(each.io, name, each.uuid, view);
            if (status.code != -ENOENT)
                each.visit(each.userdata, name, status, view);
            return true;
        },
        &all);
    return listed.code == -ENOENT ? kOk : listed;
}

Result<bool> mend_cursors(Io const &io, uint8_t const (&uuid)[16], Lsn end) noexcept
{
    struct Mend {
        Io const &io;
        uint8_t const (&uuid)[16];
        Lsn end;
        Status status;
        bool any;
    } all{io, uuid, end, kOk, false};
    WEIR_TRY(for_each_cursor(
        io, uuid,
        [](void *userdata, char const *name, Status status, CursorView const &cursor) {
            auto &mend = *static_cast<Mend *>(userdata);
            bool const fine = cursor.bad_slots == 0 && cursor.lsn <= mend.end;
            if (!status.ok() || fine || !mend.status.ok())
                return;
            CursorPath const path(name, false);
            Result<File> const file =
                mend.io.files->open(mend.io.files_self, path.text, kOpenWrite, 0);
            if (file.status().code == -EACCES)
                return; // a stranger's: it is not ours to mend
            mend.status = file.status();
            if (!file.ok())
                return;
            Result<bool> const mended = mend_cursor(mend.io, *file, mend.uuid, mend.end);
            mend.io.files->close(mend.io.files_self, *file);
            mend.status = mended.status();
            mend.any = mend.any || (mended.ok() && *mended);
        },
        &all));
    WEIR_TRY(all.status);
    return all.any;
}

Result<Lsn> lowest_hold(Io const &io, uint8_t const (&uuid)[16]) noexcept
{
    Lsn lowest = UINT64_MAX;
    WEIR_TRY(for_each_cursor(
        io, uuid,
        [](void *userdata, char const *, Status status, CursorView const &cursor) {
            auto &low = *static_cast<Lsn *>(userdata);
            if (!status.ok())
                low = 0;
            else if ((cursor.flags & kCursorHold) != 0)
                low = smaller(low, cursor.lsn);
        },
        &lowest));
    return lowest;
}

} // namespace weir
