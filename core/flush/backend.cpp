// SPDX-License-Identifier: MIT OR Apache-2.0
// Choosing a backend.
#include "core/flush/backend.hpp"

#include <cstdlib>
#include <cstring>

#include "core/base/base.hpp"
#include "core/flush/io_pwrite.hpp"
#include "core/flush/io_uring.hpp"
#include "core/flush/system.hpp"

namespace weir {
namespace {

struct Wish {
    BackendKind kind;
    char const *by; ///< who decided
};

Wish wish_of(BackendKind option) noexcept
{
    if (option != BackendKind::automatic)
        return {option, "asked for by the options"};
    char const *const text = secure_getenv("WEIR_LOG_BACKEND");
    if (text != nullptr && std::strcmp(text, "io_uring") == 0)
        return {BackendKind::io_uring, "asked for by WEIR_LOG_BACKEND"};
    if (text != nullptr && std::strcmp(text, "pwritev2") == 0)
        return {BackendKind::pwritev2, "asked for by WEIR_LOG_BACKEND"};
    return {BackendKind::automatic, "it works here"};
}

Status use_pwritev2(uint32_t threads, Backend &ret) noexcept
{
    PwriteData *data = nullptr;
    WEIR_TRY(PwriteData::create(threads, data));
    ret.io.data = &PwriteData::kOps;
    ret.io.data_self = data;
    ret.kind = BackendKind::pwritev2;
    ret.name = "pwritev2";
    return kOk;
}

/// Refused: reason and code are set in `ret`.
bool use_uring(PosixFiles *files, BackendOptions const &options, bool forced, Backend &ret) noexcept
{
    UringRefusal refusal;
    auto const refuse = [&ret](char const *step, int code) {
        ret.reason = step;
        ret.reason_code = code;
        return false;
    };
    Result<File> const scratch = files->scratch(kOpenDirect);
    if (!scratch.ok())
        return refuse("io_uring: no file for the probe", scratch.status().code);
    Result<Limits> const limits = PosixFiles::kOps.limits(files, *scratch);
    uint32_t const alignment = limits.ok() ? limits->offset_alignment : uint32_t{kPage};
    UringData *data = nullptr;
    UringOptions const wanted{options.depth, forced};
    Status const made = create_uring(wanted, *scratch, alignment, data, refusal);
    sys::close(*scratch);
    if (!made.ok())
        return refuse(refusal.step, refusal.code);
    ret.io.data = &kUringOps;
    ret.io.data_self = data;
    ret.kind = BackendKind::io_uring;
    ret.name = "io_uring";
    return true;
}
} // namespace

bool io_uring_works() noexcept
{
    File const scratch = sys::memory_file("weir-probe");
    if (scratch < 0)
        return false;
    UringData *data = nullptr;
    UringRefusal ignored;
    Status const made = create_uring({1, true}, scratch, uint32_t{kPage}, data, ignored);
    if (made.ok())
        release_uring(data);
    sys::close(scratch);
    return made.ok();
}

Status open_backend(PosixFiles *files, BackendOptions const &options, Backend &ret) noexcept
{
    ret = Backend{};
    ret.io.files = &PosixFiles::kOps;
    ret.io.files_self = files;
    Wish const wish = wish_of(options.kind);
    ret.reason = wish.by;
    if (wish.kind == BackendKind::pwritev2)
        return use_pwritev2(options.threads, ret);
    bool const forced = wish.kind == BackendKind::io_uring;
    if (use_uring(files, options, forced, ret))
        return kOk;
    return forced ? error(EOPNOTSUPP) : use_pwritev2(options.threads, ret);
}

void release_backend(Backend &backend) noexcept
{
    if (backend.kind == BackendKind::io_uring)
        release_uring(static_cast<UringData *>(backend.io.data_self));
    else if (backend.kind == BackendKind::pwritev2)
        PwriteData::release(static_cast<PwriteData *>(backend.io.data_self));
    backend = Backend{};
}

void forget_backend(Backend &backend) noexcept
{
    if (backend.kind == BackendKind::io_uring)
        forget_uring(static_cast<UringData *>(backend.io.data_self));
}

} // namespace weir
