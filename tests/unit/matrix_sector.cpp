// SPDX-License-Identifier: MIT OR Apache-2.0
// Sectors: splitting and merging by hand, limits, growth, alignment, and the walk.
#include "core/matrix/sector_hot.hpp"
#include "core/matrix/walker.hpp"
#include "core/matrix/window.hpp"
#include "tests/unit/matrix_support.hpp"

#include <algorithm>
#include <cstring>

using namespace unit;

namespace {
/// A sector used without a matrix around it.
struct OwnSector {
    Segment segment;
    Participants people;
    Sector sector;
    Identity me;

    explicit OwnSector(Granules granules, unsigned index = kSmall, uint64_t capacity = 4 * kMiB)
    {
        MatrixOptions const options = options_for(capacity, 2);
        check_eq(segment.create(nullptr, options.geometry).code, 0);
        people.init(segment);
        bool dead = false;
        check_eq(people.attach(me, dead, "test").code, 0);
        sector.init(segment, index);
        grow(index, {0, granules});
    }
    void grow(unsigned index, Run run)
    {
        check_eq(segment.commit(index, run.head, run.end()).code, 0);
        sector.raise_limit(run, me.owner);
        sector.release_run(run, me.owner);
    }
    Caller caller() { return {people.windows(me.owner), me.owner, 0}; }
    Run take(Need need)
    {
        Caller const self = caller();
        Window window(self);
        bool contended = false;
        Run const found = sector.search(need, 0, window, contended);
        return found.length == 0 ? found : sector.carve(found, need, me.owner);
    }
    std::vector<Run> heads(Kind kind)
    {
        std::vector<Run> found;
        Walker walk(sector);
        Granule at;
        BlockWord word;
        while (walk.next(at, word))
            if (word.is(kind))
                found.push_back({at, word.granules()});
        cr_assert(!walk.blocked());
        return found;
    }
};
} // namespace

Test(matrix_sector, a_run_comes_back_as_it_was)
{
    for (Granules length = 1; length <= 200; ++length) {
        OwnSector own(1024);
        Run const run = own.take({length, 1});
        check_eq(run.length, length);
        check_eq(own.heads(Kind::claimed).size(), 1);
        own.sector.hand_out(run, own.me.owner, 50);
        auto const used = own.heads(Kind::allocated);
        check_eq(used.size(), 1);
        check_eq(used[0].head, run.head);
        check_eq(own.sector.word(run.head, seq_cst).user(), 50);
        own.sector.release_run(run, own.me.owner);
        auto const left = own.heads(Kind::free);
        check_eq(left.size(), 1);
        check_eq(left[0].length, 1024);
    }
}

Test(matrix_sector, runs_merge_in_every_order)
{
    constexpr unsigned kRuns = 5;
    unsigned order[kRuns] = {0, 1, 2, 3, 4};
    do {
        OwnSector own(1024);
        std::vector<Run> runs;
        for (unsigned i = 0; i < kRuns; ++i) { // lengths 1, 2, 1, 4, 1
            Run const run = own.take({i % 2 == 0 ? 1 : i + 1, 1});
            own.sector.hand_out(run, own.me.owner, 0);
            runs.push_back(run);
        }
        unsigned free_ones[kRuns] = {};
        for (unsigned const i : order) {
            own.sector.release_run(runs[i], own.me.owner);
            free_ones[i] = 1;
            size_t expected = 1; // the rest of the sector, which begins at the left
            for (unsigned k = 0; k + 1 < kRuns; ++k) // the runs lie from right to left
                expected += free_ones[k] != 0 && free_ones[k + 1] == 0 ? 1 : 0;
            check_eq(own.heads(Kind::free).size(), expected);
        }
        for (Run const run : own.heads(Kind::free))
            cr_assert(own.sector.findable(run));
    } while (std::next_permutation(order, order + kRuns));
}

Test(matrix_sector, aligned_runs_are_aligned_and_their_trim_is_free)
{
    for (Granules align = 1; align <= 256; align *= 2)
        for (Granules length : {1u, 2u, 3u, 64u, 65u, 255u}) {
            OwnSector own(1024);
            Run const odd = own.take({3, 1}); // so that the end is not aligned by itself
            own.sector.hand_out(odd, own.me.owner, 0);
            Run const run = own.take({length, align});
            check_eq(run.length, length);
            check_eq(run.head % align, 0);
            own.sector.hand_out(run, own.me.owner, 0);
            Granules sum = 0;
            for (Run const left : own.heads(Kind::free)) {
                sum += left.length;
                cr_assert(own.sector.findable(left));
            }
            check_eq(sum + length + 3, 1024);
            own.sector.release_run(run, own.me.owner);
            own.sector.release_run(odd, own.me.owner);
            check_eq(own.heads(Kind::free).size(), 1);
        }
}

Test(matrix_sector, what_does_not_fit_is_not_found)
{
    OwnSector own(1024);
    check_eq(own.take({1025, 1}).length, 0);
    check_eq(own.take({UINT32_MAX, 1}).length, 0);
    check_eq(own.take({1, 2048}).length, 1, "granule 0 has every alignment");
    check_eq(own.take({513, 512}).length, 0, "only 512 is aligned and free, and 513 do not fit");
    check_eq(own.heads(Kind::claimed).size(), 1);
}

Test(matrix_sector, an_exact_fit_among_shorter_ones_is_found)
{
    // the class of 17 granules holds 16 and 17: all but one are too short
    OwnSector own(1024);
    std::vector<Run> runs;
    for (unsigned i = 0; i < 40; ++i) {
        runs.push_back(own.take({i == 20 ? 17u : 16u, 1}));
        own.sector.hand_out(runs.back(), own.me.owner, 0);
        own.sector.hand_out(own.take({1, 1}), own.me.owner, 0);
    }
    while (own.take({17, 1}).length != 0) { // what is left at the end
    }
    for (Run const run : runs)
        own.sector.release_run(run, own.me.owner);
    check_eq(own.take({17, 1}).head, runs[20].head);
    check_eq(own.take({17, 1}).length, 0);
}

Test(matrix_sector, the_limit_only_grows)
{
    OwnSector own(64);
    check_eq(own.sector.limit(), 64);
    Run const all = own.take({64, 1});
    check_eq(all.length, 64);
    check_eq(own.take({1, 1}).length, 0);
    own.grow(kSmall, {64, 960});
    check_eq(own.sector.limit(), 1024);
    own.sector.release_run(all, own.me.owner);
    check_eq(own.heads(Kind::free).size(), 1, "old and new memory merge");
    own.segment.header().sector_limit[kSmall].granules.store(UINT64_MAX, seq_cst);
    check_eq(own.sector.limit(), own.sector.max_granules(), "a hostile limit stays in the tables");
}

Test(matrix_sector, a_sectors_limit_and_the_capacity_are_kept)
{
    MatrixOptions options = options_for(4 * kMiB);
    options.geometry.limit[kSmall] = 128 * kKiB;
    options.geometry.isolate = true;
    Handle const matrix = make_matrix(options);
    unsigned count = 0;
    Allocation made;
    while (matrix->alloc(1024, made).ok())
        ++count;
    check_eq(count, 128);
    check_eq(matrix->alloc(1024, made).code, -ENOMEM);
    while (matrix->alloc(64 * kKiB, made).ok())
        ++count;
    MatrixStats stats;
    check_eq(matrix->stats(stats).code, 0);
    cr_assert(stats.committed_bytes <= 4 * kMiB);
    check_ge(stats.used_bytes, 4 * kMiB - 64 * kKiB);
    assert_sound(*matrix);
}

Test(matrix_sector, commit_is_there_from_the_start)
{
    MatrixOptions options = options_for(8 * kMiB);
    options.commit = 4 * kMiB;
    Handle const matrix = make_matrix(options);
    MatrixStats stats;
    check_eq(matrix->stats(stats).code, 0);
    check_ge(stats.sector_committed[kSmall], kMiB);
    check_ge(stats.sector_committed[kMedium], 2 * kMiB);
    check_ge(stats.sector_committed[kLarge], kMiB);
    assert_all_free(*matrix);
}

Test(matrix_sector, aligned_requests_are_aligned_in_memory)
{
    Handle const matrix = make_matrix(32 * kMiB);
    Handle const other = second_handle(*matrix);
    std::vector<Ref> refs;
    for (uint64_t alignment = 1; alignment <= 2 * kMiB; alignment *= 2)
        for (uint64_t size : {1, 100, 5000, 70000}) {
            Allocation made;
            check_eq(matrix->alloc({size, alignment, false, 0}, made).code, 0);
            check_eq(reinterpret_cast<uintptr_t>(made.data) % alignment, 0);
            auto const there = reinterpret_cast<uintptr_t>(other->data(made.ref)->data);
            check_eq(there % alignment, 0, "in another mapping");
            refs.push_back(made.ref);
        }
    assert_sound(*matrix);
    for (Ref const ref : refs)
        free_block(*matrix, ref);
    assert_all_free(*matrix);
}

Test(matrix_sector, zeroed_requests_are_zero)
{
    Handle const matrix = make_matrix(kMiB);
    for (int i = 0; i < 20; ++i) {
        Allocation made;
        check_eq(matrix->alloc({3000, 1, true, 50}, made).code, 0);
        auto *const bytes = static_cast<unsigned char *>(made.data);
        cr_assert(std::all_of(bytes, bytes + 3000, [](unsigned char b) { return b == 0; }));
        std::memset(bytes, 0xff, 3000);
        free_block(*matrix, made.ref);
    }
}

// ---- the walk on words that make no sense

namespace {
void scribble(OwnSector &own, Random &random, unsigned style)
{
    auto *const words =
        own.segment.at<atomic<BlockWord>>(own.segment.geometry().sector[kSmall].words);
    Granules const limit = own.sector.limit();
    for (Granule at = 0; at < limit; ++at) {
        uint64_t word = random.next();
        if (style == 1) // plausible lengths, any kind
            word = (word & ~uint64_t{BlockWord::kGranulesMask}) | random.below(8);
        else if (style == 2) // heads of one granule and words that lead back
            word = BlockWord::of(random.percent(90) ? Kind::free : Kind::tail, 0, 0, 0,
                                 static_cast<Granules>(1 + random.below(3)))
                       .raw;
        else if (style == 3) // no head at all
            word = BlockWord::of(Kind::interior, 0, 0, 0, 0).raw;
        words[at].store({word}, relaxed);
    }
}
} // namespace

// Where blocks are merged under a walk, it goes back to a head that is one still.
Test(matrix_walker, no_block_is_reported_twice)
{
    Handle const matrix = make_matrix(kMiB);
    std::vector<Ref> refs;
    for (int i = 0; i < 8; ++i)
        refs.push_back(alloc(*matrix, 64).ref);
    std::sort(refs.begin(), refs.end(), [](Ref a, Ref b) { return offset_of(a) < offset_of(b); });
    struct Visit {
        Matrix &matrix;
        std::vector<Ref> const &refs;
        std::vector<uint64_t> met;
    } visit{*matrix, refs, {}};
    Status const walked = matrix->walk(
        [](BlockInfo const &info, void *userdata) {
            Visit &self = *static_cast<Visit *>(userdata);
            self.met.push_back(info.offset);
            if (info.offset == offset_of(self.refs[5])) // the next head is gone then
                for (int const i : {4, 5, 6, 7})
                    free_block(self.matrix, self.refs[static_cast<std::size_t>(i)]);
            return 0;
        },
        &visit);
    check_eq(walked.code, 0);
    check_ge(visit.met.size(), 6);
    check_eq(std::is_sorted(visit.met.begin(), visit.met.end()), true);
    check_eq(std::adjacent_find(visit.met.begin(), visit.met.end()) == visit.met.end(), true,
             "a block was reported twice");
}

Test(matrix_walker, hostile_words_end_the_walk, .timeout = 60)
{
    Random random(5);
    OwnSector own(1024);
    for (int round = 0; round < 400; ++round) {
        scribble(own, random, static_cast<unsigned>(round) % 4);
        Walker walk(own.sector);
        Granule at;
        BlockWord word;
        uint64_t hops = 0;
        while (walk.next(at, word)) {
            cr_assert(at < 1024 && word.granules() >= 1 && word.granules() <= 1024 - at);
            check_lt(++hops, 8 * 1024 + 4097);
        }
        cr_assert(walk.blocked() || walk.position() == 1024);
    }
}

/// Everything a user can call on a matrix whose words are noise: error codes, no crash, no hang.
Test(matrix_walker, calls_survive_hostile_words, .timeout = 60)
{
    Random random(6);
    for (int round = 0; round < 60; ++round) {
        MatrixOptions options = options_for(256 * kKiB, 4);
        options.stall = kMillisecond;
        Handle const matrix = make_matrix(options);
        std::vector<Ref> refs;
        for (int i = 0; i < 100; ++i)
            refs.push_back(alloc(*matrix, 1 + random.below(2000)).ref);
        Geometry const &geometry = matrix->segment().geometry();
        unsigned const share = round % 3 == 0 ? 1000 : round % 3 == 1 ? 50 : 3; // per mille
        for (SectorGeometry const &sector : geometry.sector) {
            uint64_t const ends[][2] = {{sector.words, sector.words + 8 * 2048},
                                        {sector.hints, sector.hints + 8 * 32},
                                        {sector.map, sector.map + 8 * BitTree::kMapWords}};
            for (auto const &part : ends)
                for (uint64_t at = part[0]; at < part[1]; at += 8)
                    if (random.below(1000) < share)
                        *matrix->segment().at<uint64_t>(at) =
                            random.percent(50) ? random.next()
                                               : *matrix->segment().at<uint64_t>(at) ^
                                                     uint64_t { 1 } << random.below(64);
        }
        auto const inside = [&](void const *data, uint64_t size) {
            auto const *const base = matrix->segment().base();
            auto const *const at = static_cast<std::byte const *>(data);
            return at >= base && at + size <= base + geometry.total;
        };
        for (int i = 0; i < 60; ++i) {
            Allocation made;
            if (matrix->alloc(1 + random.below(3000), made).ok())
                cr_assert(inside(made.data, 1));
            Ref const ref = refs[random.below(refs.size())];
            auto const extent = matrix->data(ref);
            cr_assert(!extent.ok() || inside(extent->data, extent->size));
            static_cast<void>(matrix->set_state(ref, 60));
            static_cast<void>(matrix->free(ref));
        }
        CheckReport report;
        MatrixStats stats;
        HealReport healed;
        static_cast<void>(matrix->check(true, report));
        static_cast<void>(matrix->stats(stats));
        static_cast<void>(matrix->heal(healed));
        static_cast<void>(matrix->walk([](BlockInfo const &, void *) { return 0; }, nullptr));
    }
}

/// A broken word is reported where it stands.
Test(matrix_check, each_kind_of_error_is_found)
{
    auto const errors_after = [](auto break_it) {
        Handle const matrix = make_matrix(kMiB);
        std::vector<Ref> refs;
        for (int i = 0; i < 6; ++i)
            refs.push_back(alloc(*matrix, 256).ref);
        free_block(*matrix, refs[2]);
        break_it(*matrix, refs);
        CheckReport report;
        check_ge(matrix->check(false, report).code, 1);
        check_ne(report.first_error_offset, 0);
        return report;
    };
    auto const word = [](Matrix &matrix, Granule at) -> atomic<BlockWord> & {
        return words_of(matrix, kSmall)[at];
    };
    check_ge(errors_after([&](Matrix &matrix, std::vector<Ref> const &refs) {
                 word(matrix, granule_of(matrix, refs[1])).store({0}, seq_cst);
             }).broken_chains,
             1);
    check_eq(errors_after([&](Matrix &matrix, std::vector<Ref> const &refs) {
                 word(matrix, granule_of(matrix, refs[1]) + 3).store({0}, seq_cst);
             }).wrong_tails,
             1);
    check_eq(errors_after([&](Matrix &matrix, std::vector<Ref> const &refs) {
                 Granule const at = granule_of(matrix, refs[3]);
                 BlockWord const found = word(matrix, at).load(seq_cst);
                 word(matrix, at).store(found.as_free(found.granules()), seq_cst);
             }).unmerged_pairs,
             1);
    check_eq(errors_after([&](Matrix &matrix, std::vector<Ref> const &refs) {
                 Granule const at = granule_of(matrix, refs[2]);
                 *matrix.segment().at<uint64_t>(matrix.segment().geometry().sector[kSmall].hints +
                                                at / 64 * 8) = 0;
             }).unfindable,
             1);
}

Test(matrix_check, repair_makes_a_hidden_block_findable)
{
    Handle const matrix = make_matrix(kMiB);
    Ref const block = alloc(*matrix, 256).ref;
    free_block(*matrix, block);
    SectorGeometry const &sector = matrix->segment().geometry().sector[kSmall];
    for (uint64_t at = sector.hints; at < sector.hints + 8 * 16; at += 8)
        *matrix->segment().at<uint64_t>(at) = 0;
    CheckReport report;
    check_eq(matrix->check(true, report).code, 0);
    check_eq(report.unfindable, 1);
    check_eq(report.repaired, 1);
    assert_all_free(*matrix);
}

/// Each place that is tried costs hops. In a long row of short trimmed blocks, of which none lacks
/// little enough, that would be quadratic: the search ends, and what lies further on is not found.
Test(matrix_sector, the_search_for_a_place_to_take_back_is_bounded)
{
    constexpr Granules kNeed = 600;
    struct Row {
        Granule free_at; ///< a place with this granule lacks one less: that can be had
        bool found;
    };
    for (Row const row : {Row{1000, true}, Row{3000, false}}) {
        OwnSector own(1, kLarge, 1024 * kMiB);
        Run const all{1, 4000};
        own.sector.raise_limit(all, own.me.owner);
        atomic<BlockWord> *const words = own.sector.words();
        for (Granule at = all.head; at < all.end(); ++at)
            words[at].store(at == row.free_at ? BlockWord{}.as_free(1) : BlockWord{}.as_trimmed(1),
                            seq_cst);
        words[0].store(BlockWord{}.as_allocated(own.me.owner, 0, 1), seq_cst);
        Opening opening;
        check_eq(own.sector.find_opening({kNeed, 1}, all.end(), kNeed, opening), true);
        check_eq(opening.place.head, 1);
        check_eq(own.sector.find_opening({kNeed, 1}, all.end(), kNeed - 1, opening), row.found);
        if (row.found)
            check_eq(opening.lack, kNeed - 1);
    }
}
