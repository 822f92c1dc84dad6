// SPDX-License-Identifier: MIT OR Apache-2.0
// Names and texts of all error codes that functions of this library return, or will.
#pragma once

#include "capi/include/weir.h"
#include "core/base/error.hpp"

#include <cerrno>

namespace weir::capi {

struct ErrorText {
    int code;
    char const *name;
    char const *text;
};

inline constexpr ErrorText kErrorTable[] = {
    {EPERM, "EPERM", "not permitted, or it belongs to somebody else"},
    {ENOENT, "ENOENT", "there is none of this name"},
    {ESRCH, "ESRCH", "no such participant"},
    {EINTR, "EINTR", "interrupted too often"},
    {EIO, "EIO", "input or output error"},
    {EBADF, "EBADF", "not an open descriptor"},
    {EAGAIN, "EAGAIN", "not now, try again"},
    {ENOMEM, "ENOMEM", "out of memory"},
    {EACCES, "EACCES", "permission denied"},
    {EBUSY, "EBUSY", "somebody else holds it"},
    {EEXIST, "EEXIST", "there is one of this name already"},
    {ENOTDIR, "ENOTDIR", "a part of the path is not a folder"},
    {EISDIR, "EISDIR", "the path is a folder"},
    {EINVAL, "EINVAL", "invalid argument"},
    {ENFILE, "ENFILE", "too many open files on this machine"},
    {EMFILE, "EMFILE", "too many open files in this process"},
    {EFBIG, "EFBIG", "file is larger than allowed"},
    {ENOSPC, "ENOSPC", "no space left"},
    {EROFS, "EROFS", "read-only"},
    {ERANGE, "ERANGE", "out of range"},
    {ENAMETOOLONG, "ENAMETOOLONG", "name is too long"},
    {ELOOP, "ELOOP", "too many symbolic links in the path"},
    {ENOSYS, "ENOSYS", "not built into this library"},
    {EDEADLK, "EDEADLK", "would wait for itself"},
    {EMSGSIZE, "EMSGSIZE", "message or record is too long, or not of the size that it must have"},
    {ENOBUFS, "ENOBUFS", "too many are open at one time"},
    {EOPNOTSUPP, "EOPNOTSUPP", "not supported here"},
    {ETIMEDOUT, "ETIMEDOUT", "timed out"},
    {E2BIG, "E2BIG", "options from a newer version that this one does not know"},
    {WEIR_E_STALE, "WEIR_E_STALE", "given back before"},
    {WEIR_E_CORRUPT, "WEIR_E_CORRUPT", "not a segment or log, or it contradicts itself"},
    {WEIR_E_POISONED, "WEIR_E_POISONED", "ended by an earlier error"},
    {WEIR_E_RETIRED, "WEIR_E_RETIRED", "was retired"},
    {WEIR_E_VERSION, "WEIR_E_VERSION", "made by a version that this one cannot work with"},
    {WEIR_E_LAPPED, "WEIR_E_LAPPED", "overtaken by the writers"},
    {WEIR_E_TYPE, "WEIR_E_TYPE", "is of another type"},
    {WEIR_E_FORKED, "WEIR_E_FORKED",
     "handle is the parent's, and this process cannot join by itself"},
};

// The core's codes are the public ones.
constexpr bool same_code(int core, int shown) noexcept { return core == shown; }
static_assert(same_code(kStale, WEIR_E_STALE) && same_code(kCorrupt, WEIR_E_CORRUPT));
static_assert(same_code(kPoisoned, WEIR_E_POISONED) && same_code(kRetired, WEIR_E_RETIRED));
static_assert(same_code(kVersion, WEIR_E_VERSION) && same_code(kLapped, WEIR_E_LAPPED));
static_assert(same_code(kType, WEIR_E_TYPE) && same_code(kForked, WEIR_E_FORKED));

} // namespace weir::capi
