// SPDX-License-Identifier: MIT OR Apache-2.0
// What the ring's Criterion tests share: contents, and the comparison of a log with what went in.
#pragma once

#include "tests/unit/flush_io.hpp"
#include "tests/unit/support.hpp"

namespace flush_test {

inline std::string pattern(uint64_t seed, size_t length)
{
    std::string bytes(length, '\0');
    for (size_t i = 0; i < length; ++i)
        bytes[i] = static_cast<char>(seed * 31 + i * 7 + (i >> 8));
    return bytes;
}

inline void check_contents(Log &log, std::vector<Record> const &expected)
{
    cr_assert_eq(log.disk.mistakes(), "", "%s", log.disk.mistakes().c_str());
    Contents const found = log.read();
    cr_assert_eq(found.wrong, "", "%s", found.wrong.c_str());
    check_eq(found.records.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
        check_eq(found.records[i].lsn, expected[i].lsn, "record %zu", i);
        cr_assert(found.records[i] == expected[i], "record %zu", i);
    }
}

} // namespace flush_test
