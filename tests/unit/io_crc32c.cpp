// SPDX-License-Identifier: MIT OR Apache-2.0
// CRC32C: every way gives the sum of the tables, whatever length and alignment, and copies exactly.
#include "core/base/clock.hpp"
#include "core/flush/crc32c.hpp"
#include "tests/unit/io_support.hpp"

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

using namespace unit;
using namespace weir;

namespace {

/// Bit by bit, from the definition: what even the tables are compared with.
uint32_t by_definition(void const *data, size_t length)
{
    uint32_t crc = ~0u;
    for (auto const *byte = static_cast<uint8_t const *>(data); length != 0; --length, ++byte) {
        crc ^= *byte;
        for (int i = 0; i < 8; ++i)
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    }
    return ~crc;
}

constexpr size_t kRoom = 16; // untouched bytes around a copy

/// One sum, and one copy with its surroundings.
void compare(CrcWay way, char const *from, size_t length, size_t shift)
{
    uint32_t const wanted = crc32c_by_table(from, length);
    check_eq(crc32c_by(way, nullptr, from, length), wanted, "length %zu", length);
    static std::vector<char> target(1 << 17);
    char *const to = target.data() + kRoom + shift;
    std::memset(to - kRoom, 0x5a, length + 2 * kRoom);
    check_eq(crc32c_by(way, to, from, length), wanted, "copied length %zu", length);
    cr_assert_eq(std::memcmp(to, from, length), 0, "copy of %zu", length);
    for (size_t i = 1; i <= kRoom; ++i) {
        check_eq(to[-static_cast<ptrdiff_t>(i)], 0x5a);
        check_eq(to[length + i - 1], 0x5a);
    }
}

void sweep(CrcWay way)
{
    if (!crc32c_can(way))
        cr_skip_test("this processor cannot");
    std::vector<char> const bytes = noise(100000, 7);
    for (size_t length = 0; length <= 1300; ++length)
        for (size_t align = 0; align < 16; ++align)
            compare(way, bytes.data() + align, length, (align * 7 + length) % 16);
    for (size_t length = 1300; length < 13000; length += 37)
        compare(way, bytes.data() + length % 64, length, length % 16);
    compare(way, bytes.data() + 1, 99000, 3);
}
} // namespace

Test(io_crc32c, the_tables_follow_the_definition)
{
    check_eq(crc32c_by_table("123456789", 9), 0xe3069283u);
    check_eq(crc32c_by_table("", 0), 0);
    std::vector<char> const bytes = noise(3000, 1);
    for (size_t length = 0; length < 3000; length += 1 + length / 20)
        check_eq(crc32c_by_table(bytes.data(), length), by_definition(bytes.data(), length));
}

Test(io_crc32c, tables_at_all_lengths, .timeout = 60) { sweep(CrcWay::table); }
Test(io_crc32c, lanes_at_all_lengths, .timeout = 60) { sweep(CrcWay::lanes); }
Test(io_crc32c, folding_at_all_lengths, .timeout = 60) { sweep(CrcWay::folding); }

/// The sum of pieces, some of them so short that they are added in the caller.
Test(io_crc32c, pieces_make_the_same_sum_in_every_way)
{
    std::vector<char> const bytes = noise(4096, 3);
    char const *const data = bytes.data();
    uint32_t const wanted = crc32c_by_table(data, 4096);
    CrcWay const best = g_crc_way;
    for (CrcWay const way : {CrcWay::table, CrcWay::lanes, CrcWay::folding}) {
        if (!crc32c_can(way))
            continue;
        g_crc_way = way;
        std::vector<char> target(4096);
        Crc32c sum;
        sum.add(data, 24).add(data + 24, 4).add(data + 28, 12).add(data + 40, 32);
        uint32_t const first = sum.value();
        uint64_t word = 0;
        std::memcpy(&word, data + 72, 8);
        sum = Crc32c::from(first).add64(word);
        std::memcpy(&word, data + 80, 4);
        sum.add32(static_cast<uint32_t>(word)).copy(target.data(), data + 84, 1000);
        check_eq(sum.add(data + 1084, 3012).value(), wanted, "way %d", static_cast<int>(way));
        check_eq(first, crc32c_by_table(data, 72));
        std::vector<char> const zeros(777);
        check_eq(Crc32c().add_zeros(777).value(), crc32c_by_table(zeros.data(), 777));
    }
    g_crc_way = best;
}

/// A source that changes during the call: the sum fits what was stored.
Test(io_crc32c, the_sum_is_that_of_the_copy_while_the_source_changes, .timeout = 60)
{
    alignas(64) static char source[512], target[512];
    for (CrcWay const way : {CrcWay::table, CrcWay::lanes, CrcWay::folding}) {
        if (!crc32c_can(way))
            continue;
        size_t const length = way == CrcWay::folding ? 256 : 24;
        std::atomic<bool> stop{false};
        std::thread changer([&] {
            auto *const word = reinterpret_cast<uint64_t volatile *>(source);
            for (uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i)
                word[i % 3] = i * 0x9e3779b97f4a7c15u;
        });
        char before[24] = {};
        uint64_t changes = 0;
        Nanoseconds const limit = monotonic_now() + 15 * kSecond; // on a machine that is busy
        for (int round = 0; round < 300000 || (changes < 50 && monotonic_now() < limit); ++round) {
            uint32_t const sum = crc32c_by(way, target, source, length);
            check_eq(sum, crc32c_by_table(target, length), "way %d", static_cast<int>(way));
            changes += std::memcmp(before, target, sizeof before) != 0;
            std::memcpy(before, target, sizeof before);
        }
        stop.store(true);
        changer.join();
        check_ge(changes, 50, "nobody changed anything");
    }
}
