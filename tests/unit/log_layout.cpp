// SPDX-License-Identifier: MIT OR Apache-2.0
// Names, positions, segment headers, and what a batch header may say.
#include "tests/unit/log_support.hpp"

using namespace unit;

Test(log_layout, segment_names_are_positions)
{
    char name[kSegmentNameBytes];
    for (Lsn base : {Lsn{0}, Lsn{65536}, Lsn{UINT64_MAX}}) {
        segment_name(base, name);
        Lsn back = 1;
        cr_assert(parse_segment_name(name, back));
        check_eq(back, base);
    }
    segment_name(65536, name);
    check_eq(strcmp(name, "seg-00000000000000065536.log"), 0);
    Lsn base = 7;
    for (char const *bad :
         {"", "seg-", "seg-1.log", "seg-00000000000000065536.logx", "seg-0000000000000006553x.log",
          "seg-99999999999999999999.log", "seg-000000000000000065536.log", "spare-1.seg",
          "seg-00000000000000065536.lo"})
        cr_assert_not(parse_segment_name(bad, base), "%s", bad);
    check_eq(base, 7);
}

Test(log_layout, spare_names)
{
    char name[kSegmentNameBytes];
    uint64_t number = 0;
    spare_name(UINT64_MAX, name);
    cr_assert(parse_spare_name(name, number));
    check_eq(number, UINT64_MAX);
    spare_name(0, name);
    check_eq(strcmp(name, "spare-0.seg"), 0);
    cr_assert_not(parse_spare_name("spare-.seg", number));
}

Test(log_layout, a_segments_base_is_its_first_batch)
{
    LogGeometry const geometry{65536, 4096};
    check_eq(geometry.place(0), 4096);
    check_eq(geometry.place(4095), 4096);
    check_eq(geometry.place(8192), 8192);
    check_eq(geometry.place(65536), 65536 + 4096);
    check_eq(geometry.number(65535), 0);
    check_eq(geometry.offset(65537), 1);
}

Test(log_layout, a_segment_header_is_of_one_log_and_place)
{
    Superblock superblock{};
    superblock.block = 4096;
    superblock.segment_size = 65536;
    superblock.checksum = kChecksumCrc32c;
    superblock.uuid[3] = 9;
    SegmentHeader header;
    make_segment_header(superblock, 5, 1, header);
    cr_assert(segment_header_fits(header, superblock, 5));
    cr_assert_not(segment_header_fits(header, superblock, 6));
    Superblock other = superblock;
    other.uuid[3] = 8;
    cr_assert_not(segment_header_fits(header, other, 5));
    SegmentHeader broken = header;
    broken.base += 65536;
    broken.crc = page_crc(broken);
    cr_assert_not(segment_header_whole(broken), "its base does not fit its number");
    broken = header;
    broken.zero[7] = 1;
    cr_assert_not(segment_header_whole(broken));
}

namespace {
struct Change {
    char const *what;
    void (*change)(BatchHeader &header);
};
} // namespace

Test(log_layout, a_batch_header_with_a_right_sum_must_still_make_sense)
{
    uint8_t const uuid[16] = {1, 2, 3};
    LogGeometry const geometry{65536, 4096};
    BatchHeader good{};
    good.magic = kBatchMagic;
    good.start = 65536 + 8192;
    good.sequence = 3;
    good.epoch = 2;
    good.durable = 65536 + 4096;
    good.length = 8192;
    good.records = 1;
    good.first_outside = 80;
    good.crc = batch_crc(epoch_seed(uuid, 2), good);
    cr_assert(batch_header_whole(good, uuid, geometry));
    Change const changes[] = {
        {"magic", [](BatchHeader &h) { h.magic ^= 1; }},
        {"start not at a block", [](BatchHeader &h) { h.start += 16; }},
        {"start in a segment's header", [](BatchHeader &h) { h.start = 65536; }},
        {"start beyond everything", [](BatchHeader &h) { h.start = kLastLsn; }},
        {"sequence 0", [](BatchHeader &h) { h.sequence = 0; }},
        {"epoch 0", [](BatchHeader &h) { h.epoch = 0; }},
        {"durable behind itself", [](BatchHeader &h) { h.durable = h.start + 1; }},
        {"length 0", [](BatchHeader &h) { h.length = 0; }},
        {"length not of blocks", [](BatchHeader &h) { h.length = 4096 + 16; }},
        {"over the segment's end", [](BatchHeader &h) { h.length = 65536; }},
        {"longer than any batch", [](BatchHeader &h) { h.length = kMostBatchBytes + 4096; }},
        {"no records", [](BatchHeader &h) { h.records = 0; }},
        {"first_outside in the header", [](BatchHeader &h) { h.first_outside = 16; }},
        {"first_outside behind the end", [](BatchHeader &h) { h.first_outside = h.length; }},
        {"first_outside between records", [](BatchHeader &h) { h.first_outside = 81; }},
        {"unknown flag", [](BatchHeader &h) { h.flags = 4; }},
        {"reserved", [](BatchHeader &h) { h.reserved = 1; }},
    };
    for (Change const &each : changes) {
        BatchHeader bad = good;
        each.change(bad);
        bad.crc = batch_crc(epoch_seed(uuid, bad.epoch), bad);
        cr_assert_not(batch_header_whole(bad, uuid, geometry), "%s", each.what);
    }
}

Test(log_layout, chains)
{
    struct Step {
        uint8_t type, flags;
        uint16_t tag;
        ChainState::Step step;
    };
    using C = ChainState;
    std::vector<std::vector<Step>> const runs = {
        {{kData, kWhole, 0, C::outside}, {kPad, 0, 0, C::outside}, {kAborted, 0, 0, C::outside}},
        {{kData, kFirst, 1, C::goes_on},
         {kPad, 0, 0, C::goes_on},
         {kData, 0, 1, C::goes_on},
         {kData, kLast, 1, C::ends}},
        {{kData, kFirst, 1, C::goes_on}, {kData, kLast, 2, C::wrong}},
        {{kData, kFirst, 1, C::goes_on}, {kData, kWhole, 1, C::wrong}},
        {{kData, kLast, 1, C::wrong}},
        {{kData, kFirst, 1, C::goes_on}, {kAborted, 0, 0, C::voided}, {kData, kLast, 1, C::wrong}},
        {{kData, kWhole | kGroupBegin | kGroupEnd, 0, C::outside}},
        {{kData, kWhole | kGroupBegin, 0, C::goes_on},
         {kData, kWhole, 5, C::goes_on},
         {kData, kFirst, 6, C::goes_on},
         {kData, kLast | kGroupEnd, 6, C::ends}},
        {{kData, kWhole | kGroupBegin, 0, C::goes_on}, {kData, kWhole | kGroupBegin, 0, C::wrong}},
        {{kData, kWhole | kGroupEnd, 0, C::wrong}},
        {{kData, kFirst | kGroupEnd, 0, C::wrong}},
        {{kData, kFirst | kGroupBegin, 3, C::goes_on},
         {kData, kLast, 3, C::goes_on},
         {kAborted, 0, 0, C::voided},
         {kData, kWhole, 0, C::outside}},
    };
    for (size_t i = 0; i < runs.size(); ++i) {
        ChainState chain;
        for (size_t k = 0; k < runs[i].size(); ++k) {
            Step const &step = runs[i][k];
            RecordHeader const header{0, 0, step.type, step.flags, step.tag, 0};
            check_eq(chain.next(header, 100 + k), step.step, "run %zu step %zu", i, k);
        }
    }
}
