// SPDX-License-Identifier: MIT OR Apache-2.0
// Trimming on a real file: what the file system gets back and grants again, where a request finds
// what was trimmed, what counts against the capacity, and what a death in the middle leaves.
#include "tests/unit/matrix_support.hpp"

#include "core/base/clock.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

using namespace unit;

namespace {
constexpr uint64_t kUnit = 64 * kKiB;

uint64_t granted_bytes(Matrix &matrix)
{
    struct stat found {};
    fstat(matrix.fd(), &found);
    return static_cast<uint64_t>(found.st_blocks) * 512;
}

uint64_t trim(Matrix &matrix, uint64_t keep = 0)
{
    uint64_t bytes = 0;
    check_eq(matrix.trim(keep, bytes).code, 0, "trim");
    assert_sound(matrix);
    return bytes;
}

void refuse(Matrix &matrix, uint64_t size)
{
    Allocation none;
    check_eq(matrix.alloc(size, none).code, -ENOMEM, "%llu bytes",
             static_cast<unsigned long long>(size));
}

/// As if somebody who has died held the growth ticket.
void leave_ticket(Matrix &matrix, Owner dead)
{
    matrix.segment().header().growth.word.store(dead, seq_cst);
}
} // namespace

Test(matrix_trim, memory_goes_back_and_is_granted_again_before_use)
{
    Handle const matrix = make_matrix(16 * kMiB);
    Allocation const block = alloc(*matrix, 8 * kMiB);
    std::memset(block.data, 1, 8 * kMiB);
    free_block(*matrix, block.ref);
    uint64_t const before = granted_bytes(*matrix);
    check_eq(trim(*matrix), 8 * kMiB);
    check_eq(before - granted_bytes(*matrix), 8 * kMiB);
    MatrixStats const stats = stats_of(*matrix);
    check_eq(stats.trimmed_bytes, 8 * kMiB);
    check_eq(stats.sector_trimmed[kLarge], 8 * kMiB);
    check_eq(stats.committed_bytes, 0);
    check_eq(stats.free_bytes, 0);
    Allocation const again = alloc(*matrix, 2 * kMiB); // granted, not only promised
    check_eq(granted_bytes(*matrix), before - 6 * kMiB);
    for (uint64_t i = 0; i < 2 * kMiB; ++i)
        check_eq(static_cast<unsigned char *>(again.data)[i], 0, "a hole is zeros");
    check_eq(stats_of(*matrix).trimmed_bytes, 6 * kMiB, "no more than is needed");
    assert_sound(*matrix);
}

Test(matrix_trim, whole_units_of_every_sector_and_no_byte_of_a_neighbour)
{
    Handle const matrix = make_matrix(16 * kMiB);
    for (uint64_t const size : {uint64_t{100}, uint64_t{5000}, 2 * kMiB}) {
        std::vector<Allocation> blocks;
        while (blocks.size() * size < 2 * kMiB)
            blocks.push_back(alloc(*matrix, size));
        for (Allocation const &block : blocks)
            std::memset(block.data, 0x5a, size);
        size_t const kept = blocks.size() / 3;
        for (size_t i = 0; i < blocks.size(); ++i)
            if (i != kept || blocks.size() == 1)
                free_block(*matrix, blocks[i].ref);
        uint64_t const free = stats_of(*matrix).free_bytes;
        uint64_t const trimmed = trim(*matrix);
        cr_assert(trimmed > free / 2 && trimmed % kUnit == 0, "%llu of %llu",
                  static_cast<unsigned long long>(trimmed), static_cast<unsigned long long>(free));
        if (blocks.size() == 1)
            continue;
        for (uint64_t i = 0; i < size; ++i)
            check_eq(static_cast<unsigned char *>(blocks[kept].data)[i], 0x5a);
        free_block(*matrix, blocks[kept].ref);
        trim(*matrix); // the rests beside it have merged with it
    }
    check_eq(stats_of(*matrix).free_bytes, 0);
    check_eq(trim(*matrix), 0, "there is nothing left");
}

Test(matrix_trim, what_shall_be_kept_stays)
{
    Handle const matrix = make_matrix(16 * kMiB);
    free_block(*matrix, alloc(*matrix, 4 * kMiB).ref);
    uint64_t const free = stats_of(*matrix).free_bytes;
    check_eq(trim(*matrix, free), 0);
    check_eq(trim(*matrix, UINT64_MAX), 0);
    check_eq(trim(*matrix, free - kUnit + 1), 0, "less than a unit is too much");
    check_eq(trim(*matrix, kMiB + 1), free - kMiB - kUnit);
    check_eq(stats_of(*matrix).free_bytes, kMiB + kUnit);
}

Test(matrix_trim, other_sectors_may_use_the_capacity)
{
    Handle const matrix = make_matrix(4 * kMiB);
    free_block(*matrix, alloc(*matrix, 4 * kMiB).ref);
    std::vector<Ref> small;
    trim(*matrix);
    Allocation made;
    while (matrix->alloc(64, made).ok())
        small.push_back(made.ref);
    check_eq(small.size(), 4 * kMiB / 64, "all of the capacity");
    check_eq(stats_of(*matrix).committed_bytes, 4 * kMiB);
    check_eq(stats_of(*matrix).trimmed_bytes, 4 * kMiB);
    refuse(*matrix, 2 * kMiB); // there is room in its sector, but none in the capacity
    for (Ref const ref : small)
        free_block(*matrix, ref);
    trim(*matrix);
    alloc(*matrix, 4 * kMiB);
    assert_sound(*matrix);
}

/// The small sector never grows for a large request, but what it has had before may serve.
Test(matrix_trim, a_smaller_sector_takes_back_for_a_larger_request)
{
    MatrixOptions options = options_for(2 * kMiB);
    options.geometry.limit[kMedium] = options.geometry.limit[kLarge] = kUnit;
    Handle const matrix = make_matrix(options);
    Allocation made;
    std::vector<Ref> small;
    while (matrix->alloc(64, made).ok())
        small.push_back(made.ref);
    for (Ref const ref : small)
        free_block(*matrix, ref);
    trim(*matrix);
    uint64_t const before = granted_bytes(*matrix);
    Allocation const block = alloc(*matrix, kMiB);
    check_eq(sector_of(*matrix, block.ref), kSmall);
    check_eq(granted_bytes(*matrix), before + kMiB);
}

Test(matrix_trim, one_block_from_free_and_trimmed_and_new_memory)
{
    MatrixOptions options = options_for(16 * kMiB);
    options.geometry.isolate = true;
    Handle const matrix = make_matrix(options);
    std::vector<Ref> blocks;
    for (int i = 0; i < 6; ++i)
        blocks.push_back(alloc(*matrix, 2 * kMiB).ref);
    free_block(*matrix, blocks[2]);
    free_block(*matrix, blocks[4]);
    check_eq(trim(*matrix), 4 * kMiB);
    free_block(*matrix, blocks[3]); // between two that were trimmed
    alloc(*matrix, 6 * kMiB);
    check_eq(stats_of(*matrix).trimmed_bytes, 0);
    Ref const last = offset_of(blocks[0]) > offset_of(blocks[5]) ? blocks[0] : blocks[5];
    free_block(*matrix, last); // at the end, and then the sector grows
    check_eq(trim(*matrix), 2 * kMiB);
    alloc(*matrix, 6 * kMiB);
    check_eq(stats_of(*matrix).committed_bytes, 16 * kMiB);
    check_eq(stats_of(*matrix).trimmed_bytes, 0);
    refuse(*matrix, 2 * kMiB);
    assert_sound(*matrix);
}

/// With little capacity left the place that lacks least is found, and what is left and right of it
/// stays trimmed.
Test(matrix_trim, the_place_that_lacks_least)
{
    MatrixOptions options = options_for(8 * kMiB);
    options.geometry.isolate = true;
    Handle const matrix = make_matrix(options);
    Ref const first = alloc(*matrix, 4 * kMiB).ref;
    Ref const second = alloc(*matrix, 2 * kMiB).ref;
    Ref const low = offset_of(first) < offset_of(second) ? first : second;
    free_block(*matrix, low);
    trim(*matrix);
    free_block(*matrix, low == first ? second : first);
    Allocation made;
    std::vector<Ref> small;
    while (stats_of(*matrix).committed_bytes < 7 * kMiB && matrix->alloc(kKiB, made).ok())
        small.push_back(made.ref);
    uint64_t const room = 8 * kMiB - stats_of(*matrix).committed_bytes;
    uint64_t const free = stats_of(*matrix).sector_free[kLarge];
    cr_assert(room >= kUnit && free == 2 * kMiB, "the set-up");
    refuse(*matrix, free + room + 1);
    alloc(*matrix, free + room);
    check_eq(stats_of(*matrix).committed_bytes, 8 * kMiB);
    assert_sound(*matrix);
}

Test(matrix_trim, a_death_with_the_hole_half_made)
{
    for (bool const punched : {false, true})
        for (bool const published : {false, true}) {
            Handle const matrix = make_matrix(16 * kMiB);
            free_block(*matrix, alloc(*matrix, 2 * kMiB).ref);
            uint64_t const before = granted_bytes(*matrix);
            int const code = in_child([&] {
                Handle const dead = second_handle(*matrix);
                Owner const me = dead->me().owner;
                leave_ticket(*dead, me);
                atomic<BlockWord> &word = words_of(*dead, kLarge)[0];
                Granules const length = word.load(seq_cst).granules();
                word.store(word.load(seq_cst).as_claimed_without_memory(me, length), seq_cst);
                if (punched)
                    check_eq(dead->segment().punch_data(kLarge, 0, length).code, 0);
                if (punched && published) // and not counted
                    word.store(word.load(seq_cst).as_trimmed(length), seq_cst);
                _exit(0); // as if killed: without leaving
                return 0;
            });
            check_eq(code, 0);
            HealReport healed;
            check_eq(matrix->heal(healed).code, 0);
            check_eq(healed.interrupted, punched && published ? 0 : 1);
            assert_sound(*matrix); // also the count
            check_eq(stats_of(*matrix).trimmed_bytes, 2 * kMiB);
            check_eq(granted_bytes(*matrix), before - (punched ? 2 * kMiB : 0));
            alloc(*matrix, 2 * kMiB);
            check_eq(granted_bytes(*matrix), before);
        }
}

Test(matrix_trim, a_wrong_count_is_found_and_repaired)
{
    Handle const matrix = make_matrix(16 * kMiB);
    free_block(*matrix, alloc(*matrix, 2 * kMiB).ref);
    trim(*matrix);
    matrix->segment().header().sector_limit[kLarge].trimmed.store(1, seq_cst);
    CheckReport report;
    check_eq(matrix->check(false, report).code, 1);
    check_eq(report.miscounted, 1);
    check_eq(report.trimmed_bytes, 2 * kMiB);
    check_eq(matrix->check(true, report).code, 0);
    check_eq(report.repaired, 1);
    assert_sound(*matrix);
}

/// A count that somebody has scribbled over costs accuracy and nothing else.
Test(matrix_trim, a_scribbled_count_harms_nobody)
{
    for (uint64_t const count : {uint64_t{0}, uint64_t{1} << 31, UINT64_MAX}) {
        Handle const matrix = make_matrix(16 * kMiB);
        free_block(*matrix, alloc(*matrix, 2 * kMiB).ref);
        trim(*matrix);
        matrix->segment().header().sector_limit[kLarge].trimmed.store(count, seq_cst);
        Allocation made;
        std::vector<Ref> blocks;
        while (blocks.size() < 100 && matrix->alloc(2 * kMiB, made).ok())
            blocks.push_back(made.ref);
        check_ge(blocks.size(), 7);
        for (Ref const ref : blocks)
            free_block(*matrix, ref);
    }
}

Test(matrix_trim, prefault_leaves_what_is_trimmed_without_memory)
{
    Handle const matrix = make_matrix(32 * kMiB);
    Ref const low = alloc(*matrix, 4 * kMiB).ref;
    Ref const high = alloc(*matrix, 4 * kMiB).ref;
    free_block(*matrix, low);
    uint64_t bytes = 0;
    check_eq(matrix->trim(0, bytes).code, 0);
    check_ge(bytes, 4 * kMiB);
    auto const blocks = [&] {
        struct stat found;
        check_eq(fstat(matrix->fd(), &found), 0);
        return static_cast<uint64_t>(found.st_blocks) * 512;
    };
    uint64_t const before = blocks();
    check_eq(matrix->prefault(0, nullptr, nullptr).code, 0);
    check_lt(blocks(), before + kMiB);
    MatrixStats stats;
    check_eq(matrix->stats(stats).code, 0);
    check_eq(stats.trimmed_bytes, bytes);
    free_block(*matrix, high);
    assert_sound(*matrix);
}

/// In place, so that a realloc of a large block copies nothing: free and trimmed memory alternate.
Test(matrix_trim, a_block_grows_over_what_was_trimmed_behind_it)
{
    Handle const matrix = make_matrix(8 * kMiB);
    std::vector<Allocation> blocks;
    for (int i = 0; i < 4; ++i)
        blocks.push_back(alloc(*matrix, 2 * kMiB));
    std::sort(blocks.begin(), blocks.end(), [](Allocation const &a, Allocation const &b) {
        return offset_of(a.ref) < offset_of(b.ref);
    });
    std::memset(blocks[0].data, 7, 2 * kMiB);
    free_block(*matrix, blocks[1].ref);
    check_eq(trim(*matrix), 2 * kMiB);
    free_block(*matrix, blocks[2].ref);
    uint64_t const before = granted_bytes(*matrix);
    check_eq(matrix->resize(blocks[0].ref, 3 * kMiB).code, 0);
    check_eq(granted_bytes(*matrix), before + kMiB, "no more than it needs");
    assert_sound(*matrix);
    check_eq(matrix->resize(blocks[0].ref, 6 * kMiB).code, 0);
    check_eq(granted_bytes(*matrix), before + 2 * kMiB);
    auto *const bytes = static_cast<unsigned char *>(blocks[0].data);
    std::memset(bytes + 2 * kMiB, 8, 4 * kMiB);
    for (uint64_t i = 0; i < 2 * kMiB; ++i)
        check_eq(bytes[i], 7);
    check_eq(matrix->resize(blocks[0].ref, 6 * kMiB + 1).code, -ENOSPC);
    assert_sound(*matrix);
}

/// What others have made of the capacity meanwhile cannot be taken back.
Test(matrix_trim, a_block_does_not_grow_beyond_the_capacity)
{
    Handle const matrix = make_matrix(4 * kMiB);
    Allocation block = alloc(*matrix, 2 * kMiB);
    Allocation const other = alloc(*matrix, 2 * kMiB);
    if (offset_of(other.ref) < offset_of(block.ref))
        block = other;
    Ref const behind = block.ref == other.ref ? Ref{} : other.ref;
    cr_assert(behind.value != 0, "blocks of a sector that grows come one after the other");
    free_block(*matrix, behind);
    check_eq(trim(*matrix), 2 * kMiB);
    alloc(*matrix, kMiB); // of another sector
    check_eq(matrix->resize(block.ref, 3 * kMiB + 1).code, -ENOSPC);
    check_eq(matrix->resize(block.ref, 3 * kMiB).code, 0);
    refuse(*matrix, 64);
    assert_sound(*matrix);
}
