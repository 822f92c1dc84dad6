// SPDX-License-Identifier: MIT OR Apache-2.0
// The flaws of an earlier design that a single thread can show, each by its name.
#include "tests/unit/matrix_support.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>

using namespace unit;

namespace {
/// `count` blocks of one size, by address.
std::vector<Ref> row_of(Matrix &matrix, unsigned count, uint64_t size)
{
    std::vector<Ref> row;
    for (unsigned i = 0; i < count; ++i)
        row.push_back(alloc(matrix, size).ref);
    std::sort(row.begin(), row.end(), [](Ref a, Ref b) { return offset_of(a) < offset_of(b); });
    return row;
}

bool filled_with(Allocation const &block, uint64_t size, unsigned char value)
{
    auto const *const bytes = static_cast<unsigned char const *>(block.data);
    return std::all_of(bytes, bytes + size, [=](unsigned char byte) { return byte == value; });
}
} // namespace

Test(matrix_regression, payload_without_header_room)
{
    Handle const matrix = make_matrix(16 * kMiB);
    std::vector<std::pair<Allocation, uint64_t>> blocks;
    for (uint64_t around : {1, 64, 128, 256, 1024, 4096, 65536, 1 << 20})
        for (uint64_t size = around - (around > 1 ? 1 : 0); size <= around + 1; ++size)
            blocks.emplace_back(alloc(*matrix, size), size);
    for (size_t i = 0; i < blocks.size(); ++i) {
        auto const extent = matrix->data(blocks[i].first.ref);
        check_ge(extent->size, blocks[i].second);
        check_eq(extent->data, blocks[i].first.data);
        std::memset(extent->data, static_cast<int>(i + 1), extent->size); // all it says it has
    }
    for (size_t i = 0; i < blocks.size(); ++i)
        cr_assert(filled_with(blocks[i].first, matrix->data(blocks[i].first.ref)->size,
                              static_cast<unsigned char>(i + 1)));
    assert_sound(*matrix);
    for (auto const &block : blocks)
        free_block(*matrix, block.first.ref);
    assert_all_free(*matrix);
}

/// Asked for 1136 bytes, the good fit must not come from a list that also has blocks of 1024.
Test(matrix_regression, good_fit_is_rounded_up)
{
    MatrixOptions options = options_for(8 * kMiB);
    options.geometry.limit[kSmall] = 64 * kKiB;
    Handle const matrix = make_matrix(options);
    row_of(*matrix, 64, 1024); // fills the small sector, so all that follows is in the medium one
    std::vector<Ref> holes;
    for (uint64_t length = 1; length <= 70; ++length)
        for (int i = 0; i < 3; ++i) {
            holes.push_back(alloc(*matrix, length * 256).ref);
            alloc(*matrix, 256); // keeps the holes apart
        }
    for (Ref const hole : holes)
        free_block(*matrix, hole);
    auto const hole_count = [&](uint64_t bytes) {
        auto const all = free_blocks_of(*matrix, kMedium);
        return std::count_if(all.begin(), all.end(),
                             [=](BlockInfo const &info) { return info.length == bytes; });
    };
    check_eq(hole_count(1024), 3);
    for (int i = 0; i < 3; ++i) {
        Allocation const got = alloc(*matrix, 1136);
        check_eq(matrix->data(got.ref)->size, 1280);
    }
    check_eq(hole_count(1024), 3);
    for (int round = 0; round < 3; ++round)
        for (uint64_t size = 1025; size <= 70 * 256; size += 13) {
            Allocation const got = alloc(*matrix, size);
            check_eq(matrix->data(got.ref)->size, (size + 255) / 256 * 256);
            std::memset(got.data, 0xab, size);
            free_block(*matrix, got.ref);
        }
    assert_sound(*matrix);
}

Test(matrix_regression, coalesce_pops_another_block)
{
    Handle const matrix = make_matrix(kMiB);
    std::vector<Ref> const row = row_of(*matrix, 40, 192);
    for (size_t i = 1; i < row.size(); i += 4) // ten free blocks of one size, all alike
        free_block(*matrix, row[i]);
    free_block(*matrix, row[22]); // the right neighbour of row[21], which is free
    std::vector<uint64_t> expected;
    for (size_t i = 1; i < row.size(); i += 4)
        expected.push_back(offset_of(row[i]));
    for (BlockInfo const &info : free_blocks_of(*matrix, kSmall)) {
        auto const at = std::find(expected.begin(), expected.end(), info.offset);
        if (at == expected.end())
            continue; // what was never allocated
        check_eq(info.length, info.offset == offset_of(row[21]) ? 384 : 192);
        expected.erase(at);
    }
    cr_assert(expected.empty(), "a free block that was no neighbour is gone");
    assert_sound(*matrix);
}

Test(matrix_regression, stale_interior_header)
{
    Handle const matrix = make_matrix(kMiB);
    std::vector<Ref> const row = row_of(*matrix, 8, 64);
    for (Ref const ref : row)
        free_block(*matrix, ref);
    std::vector<Ref> big; // covers all the old heads
    Allocation made;
    while (matrix->alloc(512, made).ok()) {
        std::memset(made.data, 0xee, 512);
        big.push_back(made.ref);
    }
    for (Ref const ref : row) {
        check_eq(matrix->free(ref).code, -kStale);
        check_eq(matrix->data(ref).status().code, -kStale);
        check_eq(matrix->set_state(ref, 77).code, -kStale);
        check_eq(matrix->give(ref, 0).code, -kStale);
    }
    assert_sound(*matrix);
    for (Ref const ref : big)
        free_block(*matrix, ref);
    assert_all_free(*matrix);
}

/// The neighbour of a split must learn the new size, or it merges with the old one.
Test(matrix_regression, right_neighbour_is_fixed_on_split)
{
    Handle const matrix = make_matrix(kMiB);
    for (unsigned cut = 1; cut < 15; ++cut) {
        std::vector<Ref> const row = row_of(*matrix, 3, 1024);
        free_block(*matrix, row[1]); // a hole of 16 granules between two blocks
        std::vector<Allocation> parts;
        parts.push_back(alloc(*matrix, cut * 64));
        parts.push_back(alloc(*matrix, 64));
        assert_sound(*matrix);
        free_block(*matrix, row[2]);
        assert_sound(*matrix);
        for (Allocation const &part : parts)
            free_block(*matrix, part.ref);
        assert_sound(*matrix);
        free_block(*matrix, row[0]);
        assert_all_free(*matrix);
    }
}

/// Sectors that lie side by side without a gap.
Test(matrix_regression, merge_across_sectors)
{
    MatrixOptions options = options_for(6 * kMiB);
    for (uint64_t &limit : options.geometry.limit)
        limit = 2 * kMiB;
    Handle const matrix = make_matrix(options);
    Geometry const &geometry = matrix->segment().geometry();
    check_eq(geometry.sector[kSmall].data + 2 * kMiB, geometry.sector[kMedium].data);
    for (bool backwards : {false, true}) {
        std::vector<Ref> all;
        Allocation made;
        while (matrix->alloc(1024, made).ok()) // fills its own sector, then the others
            all.push_back(made.ref);
        check_ge(all.size(), 2 * 2048);
        std::sort(all.begin(), all.end(), [=](Ref a, Ref b) {
            return backwards ? offset_of(a) > offset_of(b) : offset_of(a) < offset_of(b);
        });
        for (Ref const ref : all)
            free_block(*matrix, ref);
        assert_all_free(*matrix);
        for (unsigned sector = 0; sector < kSectors; ++sector) {
            auto const left = free_blocks_of(*matrix, sector);
            check_eq(left.size(), 1);
            check_eq(left[0].offset, geometry.sector[sector].data);
            check_eq(left[0].length, 2 * kMiB);
        }
    }
}

Test(matrix_regression, small_request_served_from_the_large_sector)
{
    MatrixOptions options = options_for(6 * kMiB);
    options.geometry.limit[kSmall] = 64 * kKiB;
    options.geometry.limit[kMedium] = 64 * kKiB;
    for (bool isolate : {false, true}) {
        options.geometry.isolate = isolate;
        Handle const matrix = make_matrix(options);
        for (uint64_t size : {1, 64, 1024}) // the large sector has room from the first moment
            check_eq(sector_of(*matrix, alloc(*matrix, size).ref), kSmall);
        check_eq(sector_of(*matrix, alloc(*matrix, 1025).ref), kMedium);
        check_eq(sector_of(*matrix, alloc(*matrix, kMiB + 1).ref), kLarge);

        unsigned last = kSmall;
        Allocation made;
        int code = 0;
        for (int i = 0; i < 200 && code == 0;
             ++i) { // until the small sector, then the next are full
            code = matrix->alloc(1024, made).code;
            unsigned const sector = code == 0 ? sector_of(*matrix, made.ref) : last;
            check_ge(sector, last, "went back to a smaller sector");
            last = sector;
        }
        check_eq(code, isolate ? -ENOMEM : 0);
        check_eq(last, isolate ? kSmall : kLarge);
        assert_sound(*matrix);
    }
}

Test(matrix_regression, left_only_merge)
{
    for (int order = 0; order < 4; ++order) {
        Handle const matrix = make_matrix(kMiB);
        std::vector<Ref> row = row_of(*matrix, 1000, 64);
        if (order == 0) // right to left
            std::reverse(row.begin(), row.end());
        else if (order == 2) // every second one, then the others
            std::stable_partition(row.begin(), row.end(),
                                  [](Ref ref) { return (offset_of(ref) & 64) != 0; });
        else if (order == 3) { // by chance
            Random random(1);
            for (size_t i = row.size(); i > 1; --i)
                std::swap(row[i - 1], row[random.below(i)]);
        }
        for (Ref const ref : row)
            free_block(*matrix, ref);
        assert_all_free(*matrix);
    }
}

Test(matrix_regression, unit_test_that_double_frees)
{
    Handle const matrix = make_matrix(kMiB);
    Allocation const block = alloc(*matrix, 100);
    free_block(*matrix, block.ref);
    for (int i = 0; i < 3; ++i)
        check_eq(matrix->free(block.ref).code, -kStale);
    assert_all_free(*matrix);
    Allocation const next = alloc(*matrix, 100); // stands where the old one stood
    check_eq(offset_of(next.ref), offset_of(block.ref));
    check_eq(matrix->free(block.ref).code, -kStale);
    Allocation const other = alloc(*matrix, 100);
    check_ne(other.ref.value, next.ref.value);
    free_block(*matrix, next.ref);
    free_block(*matrix, other.ref);
    assert_all_free(*matrix);
}

/// A block's second life at the same place has another ref, for as many lives as a ref can tell.
Test(matrix_regression, aba_of_one_place)
{
    Handle const matrix = make_matrix(kMiB);
    Allocation const first = alloc(*matrix, 64);
    free_block(*matrix, first.ref);
    for (unsigned life = 2; life < BlockWord::kGenerationMask; ++life) {
        Allocation const again = alloc(*matrix, 64);
        check_eq(offset_of(again.ref), offset_of(first.ref));
        check_eq(matrix->data(first.ref).status().code, -kStale, "in life %u", life);
        free_block(*matrix, again.ref);
    }
}

Test(matrix_regression, overflow_on_huge_sizes)
{
    MatrixOptions options = options_for(uint64_t{1} << 40); // sparse: no memory but the tables
    for (uint64_t &limit : options.geometry.limit)
        limit = kMiB;
    Handle const matrix = make_matrix(options);
    free_block(*matrix, alloc(*matrix, 64).ref); // free memory that a cut size would fit into
    free_block(*matrix, alloc(*matrix, 2000).ref);
    uint64_t const max = UINT64_MAX;
    for (uint64_t alignment : {uint64_t{1}, uint64_t{64}, 2 * kMiB})
        for (uint64_t size :
             {max, max - 1, max - 63, max - 64, max - 65535, uint64_t{1} << 63, uint64_t{1} << 48,
              (uint64_t{1} << 40) + 1, uint64_t{1} << 40, (uint64_t{1} << 38) + 64, // 2^32 granules
              (uint64_t{1} << 38) + 1, (uint64_t{1} << 32) + 1, uint64_t{1} << 32,
              (uint64_t{1} << 32) - 1, (uint64_t{1} << 31) + 1, uint64_t{1} << 31}) {
            Allocation made;
            int const expected = size > uint64_t{1} << 40 ? -EINVAL : -ENOMEM;
            int const code = matrix->alloc({size, alignment, false, 0}, made).code;
            check_eq(code, expected, "size %llx", static_cast<unsigned long long>(size));
            check_eq(matrix->alloc(size, made).code, expected);
        }
    Allocation made;
    check_eq(matrix->alloc(0, made).code, -EINVAL);
    check_eq(matrix->alloc({64, 4 * kMiB, false, 0}, made).code, -EINVAL);
    check_eq(matrix->alloc({64, 0, false, 0}, made).code, -EINVAL);
    check_eq(matrix->alloc({64, 3, false, 0}, made).code, -EINVAL);
    assert_all_free(*matrix);
}

/// One segment mapped twice: what is written through one mapping holds in the other.
Test(matrix_regression, process_local_pointers_in_shared_memory)
{
    Handle const one = make_matrix(4 * kMiB);
    Handle const two = second_handle(*one);
    check_ne(one->segment().base(), two->segment().base());
    std::vector<Allocation> blocks;
    for (uint64_t i = 0; i < 200; ++i) {
        blocks.push_back(alloc(i % 2 == 0 ? *one : *two, 1 + 37 * i));
        std::memset(blocks.back().data, static_cast<int>(i), 1 + 37 * i);
    }
    check_eq(one->bind("name", blocks[0].ref).code, 0);
    Geometry const &geometry = one->segment().geometry();
    for (Handle const *handle : {&one, &two}) { // no word of the tables is an address of ours
        auto const base = reinterpret_cast<uint64_t>((*handle)->segment().base());
        for (uint64_t at = 0; at < geometry.tables_end; at += 8) {
            uint64_t const word = *one->segment().at<uint64_t>(at);
            cr_assert(word < base || word - base >= geometry.total, "at offset %llx",
                      static_cast<unsigned long long>(at));
        }
    }
    for (uint64_t i = 0; i < 200; ++i) {
        Matrix &other = i % 2 == 0 ? *two : *one;
        auto const extent = other.data(blocks[i].ref);
        check_ne(extent->data, blocks[i].data);
        cr_assert(
            filled_with({blocks[i].ref, extent->data}, 1 + 37 * i, static_cast<unsigned char>(i)));
        check_eq(other.ref_of(extent->data, 1)->value, blocks[i].ref.value);
    }
    int const child = in_child([&] {
        return two->lookup("name")->value == blocks[0].ref.value && two->free(blocks[1].ref).ok()
                   ? 0
                   : 1;
    });
    check_eq(child, 0);
    check_eq(one->free(blocks[1].ref).code, -kStale);
}

Test(matrix_regression, attach_with_a_different_size)
{
    std::string const name = unique_name("different-size");
    Handle const made(Matrix::create(name.c_str(), options_for(4 * kMiB)));
    check_eq(made.code(), 0);
    for (uint64_t capacity : {64 * kKiB, 4 * kMiB, 64 * kMiB}) {
        Handle const attached(Matrix::attach(name.c_str(), options_for(capacity, 3)));
        check_eq(attached.code(), 0);
        check_eq(attached->segment().geometry().hash(), made->segment().geometry().hash());
        Allocation const block = alloc(*attached, 3 * kMiB);
        check_eq(made->data(block.ref).status().code, 0);
        std::memset(block.data, 1, 3 * kMiB);
        free_block(*made, block.ref);
    }
    check_eq(made->retire().code, 0);

    std::string const path = "/dev/shm/" + unique_name("cut-short");
    Handle const whole(Matrix::create(path.c_str(), options_for(4 * kMiB)));
    check_eq(whole.code(), 0);
    struct stat file {};
    check_eq(stat(path.c_str(), &file), 0);
    for (off_t length : {file.st_size - 1, file.st_size / 2, off_t{4096}, off_t{100}, off_t{0}}) {
        check_eq(truncate(path.c_str(), length), 0);
        Handle const attached(Matrix::attach(path.c_str(), options_for(4 * kMiB)));
        check_eq(attached.code(), -kCorrupt);
    }
    check_eq(::unlink(path.c_str()), 0);
    check_eq(truncate(("/proc/self/fd/" + std::to_string(whole->fd())).c_str(), file.st_size),
             0); // so that its end may read and write
}

Test(matrix_regression, no_bounds_check_of_refs)
{
    Handle const matrix = make_matrix(4 * kMiB);
    Allocation const block = alloc(*matrix, 4096);
    Geometry const &geometry = matrix->segment().geometry();
    auto const refused = [&](uint64_t value) {
        Ref const ref{value};
        int const code = matrix->data(ref).status().code;
        int const all[] = {matrix->free(ref).code,           matrix->state(ref).status().code,
                           matrix->set_state(ref, 50).code,  matrix->transition(ref, 0, 50).code,
                           matrix->owner(ref).status().code, matrix->give(ref, 0).code,
                           matrix->take(ref).code,           matrix->bind("name", ref).code};
        for (int const other : all)
            cr_assert(other == code && (code == -EINVAL || code == -kStale), "ref %llx: %d, %d",
                      static_cast<unsigned long long>(value), code, other);
    };
    std::vector<uint64_t> offsets = {0,
                                     1,
                                     64,
                                     geometry.participants,
                                     geometry.tables_end,
                                     geometry.total,
                                     geometry.total - 64,
                                     (uint64_t{1} << 48) - 1};
    for (SectorGeometry const &sector : geometry.sector)
        for (uint64_t around :
             {sector.data, sector.data + (sector.max_granules << sector.granule_shift)})
            for (uint64_t const near : {around - 64, around - 1, around, around + 1, around + 64})
                offsets.push_back(near);
    for (uint64_t inside = 1; inside <= 4096; inside += 63) // interior pointers, aligned or not
        offsets.push_back(offset_of(block.ref) + inside);
    for (uint64_t const offset : offsets)
        for (uint64_t generation : {0u, 1u, 0xffffu})
            refused(generation << 48 | (offset & ((uint64_t{1} << 48) - 1)));
    for (unsigned bit = 0; bit < 64; ++bit)
        refused(block.ref.value ^ uint64_t{1} << bit);
    Random random(7);
    for (int i = 0; i < 20000; ++i) {
        uint64_t const value = random.next() >> random.below(40);
        if (value != block.ref.value)
            refused(value);
    }
    // what is not committed yet holds no block, whatever its word says
    MatrixStats stats;
    check_eq(matrix->stats(stats).code, 0);
    for (unsigned i = 0; i < kSectors; ++i) {
        SectorGeometry const &sector = geometry.sector[i];
        uint64_t const beyond = stats.sector_committed[i] >> sector.granule_shift;
        words_of(*matrix, i)[beyond].store(BlockWord::of(Kind::allocated, 0, 1, 0, 1), seq_cst);
        check_eq(
            matrix
                ->ref_of(matrix->segment().base() + sector.data + (beyond << sector.granule_shift),
                         1)
                .status()
                .code,
            -EINVAL);
    }
    check_eq(matrix->data(block.ref).status().code, 0);
    check_eq(matrix->owner(block.ref).ok(), 1);
    free_block(*matrix, block.ref);
    assert_all_free(*matrix);
}
