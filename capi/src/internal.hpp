// SPDX-License-Identifier: MIT OR Apache-2.0
// What the functions of the C boundary share: sized structs, handles, the error table.
#pragma once

#include "capi/include/weir.h"
#include "core/base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir {
class Matrix;
class Channel;
class Router;
class Subscription;
class Log;
class LogReader;
class Pool;

namespace capi {

inline constexpr size_t kLargestStruct = 4096;

/// Reads a caller's options: missing fields of an older caller count as 0, unknown fields of a
/// newer one must be 0. NULL means all defaults.
template <class T> int read_options(T const *from, size_t first_size, T &into) noexcept
{
    std::memset(&into, 0, sizeof into);
    into.size = sizeof into;
    if (from == nullptr)
        return 0;
    size_t const size = from->size;
    if (size < first_size || size > kLargestStruct)
        return -EINVAL;
    auto const *const bytes = reinterpret_cast<unsigned char const *>(from);
    for (size_t i = sizeof into; i < size; ++i)
        if (bytes[i] != 0)
            return -E2BIG;
    std::memcpy(&into, from, size < sizeof into ? size : sizeof into);
    into.size = sizeof into;
    return 0;
}

// Sizes in the first release of what more than one file reads.
inline constexpr size_t kFirstPost = sizeof(weir_post_options);
inline constexpr size_t kFirstLogOptions = sizeof(weir_log_options);

inline int read_post(weir_post_options const *options, weir_post_options &into) noexcept
{
    if (int const code = read_options(options, kFirstPost, into); code < 0)
        return code;
    return into.reserved0 != 0 ? -EINVAL : 0;
}

/// Whether a caller's info struct has a size that can be filled.
template <class T> bool info_size_ok(T const *info, size_t first_size) noexcept
{
    return info->size >= first_size && info->size <= kLargestStruct;
}

/// Fills a caller's info struct of any version: known fields, then zeros; `size` stays.
template <class T> void write_info(T const &from, T *into) noexcept
{
    size_t const size = into->size;
    auto *const bytes = reinterpret_cast<unsigned char *>(into);
    size_t const known = size < sizeof from ? size : sizeof from;
    std::memcpy(bytes, &from, known);
    std::memset(bytes + known, 0, size - known);
    into->size = size;
}

// The handles are the core's objects under another name.
inline Matrix *core(weir_matrix *m) noexcept { return reinterpret_cast<Matrix *>(m); }
inline Matrix const *core(weir_matrix const *m) noexcept
{
    return reinterpret_cast<Matrix const *>(m);
}
inline Channel *core(weir_channel *c) noexcept { return reinterpret_cast<Channel *>(c); }
inline Subscription *core(weir_subscription *s) noexcept
{
    return reinterpret_cast<Subscription *>(s);
}
inline Log *core(weir_log *l) noexcept { return reinterpret_cast<Log *>(l); }
inline Log const *core(weir_log const *l) noexcept { return reinterpret_cast<Log const *>(l); }
inline LogReader *core(weir_log_reader *r) noexcept { return reinterpret_cast<LogReader *>(r); }
inline weir_log *handle(Log *l) noexcept { return reinterpret_cast<weir_log *>(l); }
inline weir_log_reader *handle(LogReader *r) noexcept
{
    return reinterpret_cast<weir_log_reader *>(r);
}
inline Pool *core(weir_pool *p) noexcept { return reinterpret_cast<Pool *>(p); }
/// Numbers are a pool whose slots have no bytes.
inline Pool *core(weir_ids *i) noexcept { return reinterpret_cast<Pool *>(i); }
inline Router *core(weir_router *r) noexcept { return reinterpret_cast<Router *>(r); }
inline weir_router *handle(Router *r) noexcept { return reinterpret_cast<weir_router *>(r); }
inline weir_matrix *handle(Matrix *m) noexcept { return reinterpret_cast<weir_matrix *>(m); }
inline weir_channel *handle(Channel *c) noexcept { return reinterpret_cast<weir_channel *>(c); }
inline weir_subscription *handle(Subscription *s) noexcept
{
    return reinterpret_cast<weir_subscription *>(s);
}

} // namespace capi
} // namespace weir
