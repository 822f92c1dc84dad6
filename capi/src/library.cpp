// SPDX-License-Identifier: MIT OR Apache-2.0
// What the library says about itself: version, errors, features.
/**
 * @file Library
 */
#include "capi/src/internal.hpp"

#include "capi/src/abi_table.inc"
#include "capi/src/errors.hpp"
#include "core/base/error.hpp"
#include "core/flush/backend.hpp"
#include "core/matrix/size_class.hpp"
#include "core/segment/backing.hpp"

#include <cstring>

namespace {
using weir::capi::kErrorTable;

weir::capi::ErrorText const *find_error(int code) noexcept
{
    int const negative = code < 0 ? code : -code; // INT_MIN has no positive
    for (auto const &entry : kErrorTable)
        if (-entry.code == negative)
            return &entry;
    return nullptr;
}
} // namespace

/**
 * Returns the version of the library that is loaded.
 *
 * @class library static
 * @return value
 * @thread any
 * @blocks no
 * @signal safe
 * @since 0.1
 */
WEIR_API uint32_t weir_version_number(void) noexcept { return WEIR_VERSION_NUMBER; }

/**
 * Returns the version of the library that is loaded, as in `"0.1.0"`.
 *
 * @class library static
 * @return text
 * @thread any
 * @blocks no
 * @signal safe
 * @since 0.1
 */
WEIR_API const char *weir_version_string(void) noexcept { return WEIR_VERSION_STRING; }

/**
 * Returns a hash of the ABI that a release had, for bindings that check what
 * they have loaded.
 *
 * The value is 0 for a version that is newer than this library or that never
 * was released. A binding compares it with the hash it was generated from.
 *
 * @class library static
 * @param[in] version a version number as weir_version_number() returns it
 * @return value
 * @thread any
 * @blocks no
 * @signal safe
 * @source FNV-1a 64, Fowler, Noll and Vo
 * @since 0.1
 */
WEIR_API uint64_t weir_abi_hash(uint32_t version) noexcept
{
    for (auto const &entry : kAbiTable)
        if (entry.version == version)
            return entry.hash;
    return 0;
}

/**
 * Describes an error code in a few words.
 *
 * @class library static
 * @param[in] code what a function returned, negative or negated
 * @return text
 * @thread any
 * @blocks no
 * @signal safe
 * @since 0.1
 */
WEIR_API const char *weir_strerror(int code) noexcept
{
    if (code == 0)
        return "success";
    auto const *const found = find_error(code);
    return found == nullptr ? "unknown error" : found->text;
}

/**
 * Returns the name of an error code, as in `"ENOMEM"` or `"WEIR_E_STALE"`.
 *
 * @class library static
 * @param[in] code what a function returned, negative or negated
 * @return text
 * @thread any
 * @blocks no
 * @signal safe
 * @since 0.1
 */
WEIR_API const char *weir_error_name(int code) noexcept
{
    if (code == 0)
        return "OK";
    auto const *const found = find_error(code);
    return found == nullptr ? "UNKNOWN" : found->name;
}

/**
 * Says whether this build on this machine has a feature.
 *
 * @class library static
 * @param[in] feature one of weir_feature
 * @return bool
 * @errors
 *   -EINVAL `feature` is unknown to this version
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_feature_supported(weir_feature feature) noexcept
{
    switch (feature) {
    case WEIR_FEATURE_NAMED:
        return weir::named_segments_work() ? 1 : 0;
    case WEIR_FEATURE_MEMFD:
        return weir::memfd_segments_work() ? 1 : 0;
    case WEIR_FEATURE_IO_URING:
        return weir::io_uring_works() ? 1 : 0;
    default:
        return -EINVAL;
    }
}

/**
 * Computes the two-level size class of a size.
 *
 * Sizes below 128 are in the first level 0, in steps of 16; above, the first
 * level is the power of two and the second one its eighth. 16 is (0, 1), 64 is
 * (0, 4), 128 is (7, 0), 1024 is (10, 0).
 *
 * @class library static
 * @param[in]  size       bytes, at least 1
 * @param[out] ret_first  first level, 0 or 7 to 63
 * @param[out] ret_second second level, 0 to 7
 * @return ok
 * @errors
 *   -EINVAL `size` is 0, or a pointer is NULL
 * @thread any
 * @blocks no
 * @signal safe
 * @source TLSF, Masmano et al., ECRTS 2004
 * @since 0.1
 */
WEIR_API int weir_size_class(size_t size, uint32_t *ret_first, uint32_t *ret_second) noexcept
{
    if (size == 0 || ret_first == nullptr || ret_second == nullptr)
        return -EINVAL;

    weir::PublicSizeClass const found = weir::public_size_class(size);
    *ret_first = found.first;
    *ret_second = found.second;
    return 0;
}
