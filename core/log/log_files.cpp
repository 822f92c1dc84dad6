// SPDX-License-Identifier: MIT OR Apache-2.0
// Opens the folder, does it, closes the folder.
#include "core/log/log_files.hpp"

#include "core/base/uuid.hpp"
#include "core/flush/io_posix.hpp"
#include "core/log/live.hpp"

namespace weir {
namespace {

/// A folder for the time of one call. No data group: nothing here writes batches but salvage,
/// which writes them as files.
class Folder {
  public:
    Folder() noexcept = default;
    Folder(Folder const &) = delete;
    Folder &operator=(Folder const &) = delete;
    ~Folder() { PosixFiles::release(files_); }

    Status open(char const *name, bool create, uint32_t mode) noexcept
    {
        WEIR_TRY(PosixFiles::open(name, create, mode, files_));
        io_.files = &PosixFiles::kOps;
        io_.files_self = files_;
        return kOk;
    }
    Io const &io() const noexcept { return io_; }

  private:
    PosixFiles *files_ = nullptr;
    Io io_{};
};

} // namespace

Status store_cursor_in(char const *folder, char const *name, Lsn lsn, uint32_t flags) noexcept
{
    WEIR_TRY(check_cursor_name(name));
    Folder here;
    WEIR_TRY(here.open(folder, false, 0));
    return store_cursor(here.io(), name, lsn, flags);
}

Result<CursorView> load_cursor_in(char const *folder, char const *name) noexcept
{
    WEIR_TRY(check_cursor_name(name));
    Folder here;
    WEIR_TRY(here.open(folder, false, 0));
    CursorView found;
    WEIR_TRY(load_cursor(here.io(), name, found));
    return found;
}

Status verify_in(char const *folder, LogReport &ret) noexcept
{
    Folder here;
    WEIR_TRY(here.open(folder, false, 0));
    constexpr int kLooks = 3; // a superblock or cursor may have been read while it was written
    for (int look = 1;; ++look) {
        Status const verdict = verify(here.io(), ret);
        // Asked afterwards: who came meanwhile has mended what was torn before.
        if (verdict.code < 0 || !has_writer(here.io()))
            return verdict;
        beside_writer(ret);
        if (ret.verdict != LogVerdict::torn || look == kLooks)
            return Status{static_cast<int>(ret.verdict)};
    }
}

Status repair_in(char const *folder, char const *target, RecoverOptions const &options,
                 LogReport &ret) noexcept
{
    Folder here, there;
    WEIR_TRY(here.open(folder, false, 0));
    RepairOptions with;
    with.mode = options.mode;
    with.permissions = options.permissions;
    with.lock_timeout = options.lock_timeout;
    random_uuid(with.new_uuid);
    if (target != nullptr) {
        WEIR_TRY(there.open(target, true, options.permissions));
        with.salvage_to = &there.io();
    }
    return repair(here.io(), with, ret);
}

} // namespace weir
