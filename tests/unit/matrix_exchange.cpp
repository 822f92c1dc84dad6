// SPDX-License-Identifier: MIT OR Apache-2.0
// The exchange: what participants pass to each other, when they do not, and what becomes of a shelf
// after a death or under a scribbler's hand. Two handles of one segment are two participants.
#include "tests/unit/matrix_support.hpp"

#include <set>
#include <vector>

using namespace unit;

namespace {
constexpr uint64_t kSize = 64;

Handle another(Matrix &matrix)
{
    Handle made(Matrix::attach_fd(matrix.fd(), with_lanes(kMiB)));
    check_eq(made.code(), 0, "no second handle");
    return made;
}

ExchangeRack &rack_of(Matrix &matrix, uint64_t size)
{
    auto *const racks = matrix.segment().at<ExchangeRack>(matrix.segment().geometry().exchange);
    return racks[magazine_for(size)];
}

unsigned full_shelves(ExchangeRack &rack)
{
    unsigned count = 0;
    for (auto const &shelf : rack.shelf)
        count += ShelfWord{shelf.load(relaxed)}.state() == ShelfWord::full ? 1 : 0;
    return count;
}

std::vector<Ref> alloc_many(Matrix &matrix, unsigned count)
{
    std::vector<Ref> refs;
    for (unsigned i = 0; i < count; ++i)
        refs.push_back(alloc(matrix, kSize).ref);
    return refs;
}

void free_all(Matrix &matrix, std::vector<Ref> const &refs)
{
    for (Ref const ref : refs)
        free_block(matrix, ref);
}

std::set<uint64_t> offsets(std::vector<Ref> const &refs)
{
    std::set<uint64_t> found;
    for (Ref const ref : refs)
        found.insert(offset_of(ref));
    return found;
}

/// Looks in vain: from now on the others leave something.
void want(Matrix &matrix) { free_block(matrix, alloc(matrix, kSize).ref); }

/// A reader who has so many blocks, and a poster who has run empty.
struct Pair {
    Handle const reader = make_matrix(with_lanes(64 * kMiB));
    Handle const poster = another(*reader);
    std::vector<Ref> const refs;

    explicit Pair(unsigned count) : refs(alloc_many(*reader, count)) { want(*poster); }
};

uint64_t flushes(Matrix &matrix) { return matrix.prepare_lane()->counters->flushes.load(relaxed); }
uint64_t refills(Matrix &matrix) { return matrix.prepare_lane()->counters->refills.load(relaxed); }
} // namespace

Test(matrix_exchange, what_one_process_has_too_much_of_another_one_gets)
{
    Pair const pair(4 * kLaneDepth);
    auto const &[reader, poster, refs] = pair;
    uint64_t const flushed = flushes(*reader);
    free_all(*reader, refs);
    check_eq(full_shelves(rack_of(*reader, kSize)), kExchangeShelves);
    check_lt(flushed, flushes(*reader), "what does not fit goes back");

    unsigned const own = poster->prepare_lane()->magazine[magazine_for(kSize)].count;
    uint64_t const filled = refills(*poster);
    std::set<uint64_t> const given = offsets(refs);
    std::vector<Ref> const taken = alloc_many(*poster, own + kExchangeShelves * kExchangeBatch);
    check_eq(refills(*poster), filled, "it went to the shared path");
    unsigned passed = 0;
    for (Ref const ref : taken)
        passed += static_cast<unsigned>(given.count(offset_of(ref)));
    // but for what the reader's last refill left
    check_ge(passed + kMostBatch, kExchangeShelves * kExchangeBatch);
    check_eq(offsets(taken).size(), taken.size(), "a block was handed out twice");
    check_eq(full_shelves(rack_of(*reader, kSize)), 0);
    assert_sound(*reader);
    free_all(*poster, taken);
    assert_sound(*reader);
}

Test(matrix_exchange, nothing_is_left_where_nobody_wants_it)
{
    Handle const matrix = make_matrix(with_lanes(64 * kMiB));
    Handle const other = another(*matrix);
    std::vector<Ref> const refs = alloc_many(*matrix, 4 * kLaneDepth); // it looks in vain itself
    free_all(*matrix, refs);
    check_eq(full_shelves(rack_of(*matrix, kSize)), 0);
    want(*other);
    free_all(*matrix, alloc_many(*matrix, 4 * kLaneDepth)); // the last one who did is this one
    check_eq(full_shelves(rack_of(*matrix, kSize)), 0);
    assert_sound(*matrix);
}

// Else blocks that lie far apart would stay so for ever, and each cost its next users a line of words.
Test(matrix_exchange, scattered_blocks_are_merged_instead)
{
    Pair const pair(40 * kLaneDepth);
    auto const &[reader, poster, refs] = pair;
    for (Ref const ref : refs)
        if (granule_of(*reader, ref) % 8 == 0)
            free_block(*reader, ref);
    check_eq(full_shelves(rack_of(*reader, kSize)), 0);
    check_lt(0, flushes(*reader));
    for (Ref const ref : refs)
        if (granule_of(*reader, ref) % 8 != 0)
            free_block(*reader, ref);
    check_eq(full_shelves(rack_of(*reader, kSize)), kExchangeShelves);
    assert_sound(*reader);
}

Test(matrix_exchange, blocks_that_somebody_stole_are_passed_over)
{
    Pair const pair(4 * kLaneDepth);
    auto const &[reader, poster, refs] = pair;
    free_all(*reader, refs);
    uint64_t trimmed = 0;
    check_eq(reader->trim(0, trimmed).code, 0); // takes all that lanes keep
    check_eq(full_shelves(rack_of(*reader, kSize)), kExchangeShelves, "the hints stay");
    std::vector<Ref> const taken = alloc_many(*poster, 4 * kLaneDepth);
    check_eq(offsets(taken).size(), taken.size());
    check_eq(full_shelves(rack_of(*reader, kSize)), 0);
    assert_sound(*reader);
}

Test(matrix_exchange, who_leaves_takes_what_he_left)
{
    Handle const matrix = make_matrix(with_lanes(64 * kMiB));
    Handle reader = another(*matrix);
    std::vector<Ref> const refs = alloc_many(*reader, 4 * kLaneDepth);
    want(*matrix);
    free_all(*reader, refs);
    check_eq(full_shelves(rack_of(*matrix, kSize)), kExchangeShelves);
    reader.close();
    check_eq(full_shelves(rack_of(*matrix, kSize)), 0);
    assert_sound(*matrix);
}

namespace {
/// Shelves alone, in process memory.
struct Rack {
    static constexpr Owner kGiver = 2, kTaker = 3, kNext = 4, kOwners = 8;
    static constexpr unsigned kNumber = 5;

    std::vector<ExchangeRack> memory = std::vector<ExchangeRack>(kExchangeRacks);
    Exchange exchange;
    Exchange::Batch batch;

    Rack() { exchange.init(memory.data(), kOwners); }
    ExchangeRack &operator*() { return memory[kNumber]; }
    bool put()
    {
        Kept const entries[] = {11, 12, 13};
        return exchange.put(kNumber, entries, 3, kGiver);
    }
    bool begin_take(Owner by) { return exchange.begin_take(kNumber, by, batch); }
    void fill(unsigned shelf, ShelfWord word) { (**this).shelf[shelf].store(word.raw, relaxed); }
    /// As many batches fit as there are shelves.
    void check_all_empty()
    {
        for (unsigned i = 0; i < kExchangeShelves; ++i)
            check_eq(put(), true, "shelf %u", i);
        check_eq(put(), false, "more than there are");
    }
};
} // namespace

Test(matrix_exchange, what_a_dead_taker_had_in_hand_is_for_the_next)
{
    Rack rack;
    check_eq(rack.put(), true);
    check_eq(rack.begin_take(Rack::kTaker), true);
    check_eq(rack.begin_take(Rack::kNext), false, "two have it");
    rack.exchange.heal(Rack::kNext); // not his
    check_eq(rack.begin_take(Rack::kNext), false);
    rack.exchange.heal(Rack::kTaker);
    check_eq(rack.begin_take(Rack::kNext), true);
    check_eq(rack.batch.count, 3);
    check_eq(rack.batch.giver, Rack::kGiver);
    check_eq(rack.batch.entry[1].load(relaxed), 12);
    Exchange::end_take(rack.batch);
    rack.check_all_empty();
}

Test(matrix_exchange, what_a_dead_giver_left_is_gone)
{
    Rack rack;
    check_eq(rack.put(), true);
    rack.exchange.heal(Rack::kGiver);
    check_eq(rack.begin_take(Rack::kNext), false, "his words are healed");
    rack.fill(1, ShelfWord::of(ShelfWord::filling, 0, Rack::kGiver, Rack::kGiver));
    rack.fill(2, ShelfWord::of(ShelfWord::taking, 3, Rack::kGiver, Rack::kGiver));
    rack.exchange.heal(Rack::kGiver);
    check_eq(rack.put(), true);
    check_eq(rack.begin_take(Rack::kTaker), true);
    rack.exchange.heal(Rack::kGiver); // while somebody takes it, who dies then
    rack.exchange.heal(Rack::kTaker);
    rack.check_all_empty();
}

Test(matrix_exchange, who_wants_some_gets_what_fits_and_no_more)
{
    Rack rack;
    auto const wanted = [&](Owner by) { return rack.exchange.is_wanted(Rack::kNumber, by); };
    check_eq(wanted(Rack::kGiver), false);
    check_eq(rack.begin_take(Rack::kTaker), false);
    check_eq(wanted(Rack::kGiver), true);
    check_eq(wanted(Rack::kTaker), false, "by himself");
    rack.check_all_empty();
    check_eq(wanted(Rack::kGiver), false, "there was no room");
    check_eq(rack.begin_take(Rack::kTaker), true);
    check_eq(wanted(Rack::kGiver), true, "and now there is");
    rack.exchange.heal(Rack::kTaker);
    check_eq(wanted(Rack::kGiver), false, "he is dead");
}

Test(matrix_exchange, words_that_make_no_sense_take_no_shelf_away)
{
    Rack rack;
    rack.fill(0, {uint64_t{77} << 32}); // EMPTY, and something
    rack.fill(1, ShelfWord::of(ShelfWord::taking, 3, Rack::kOwners + 1, kNobody));
    rack.fill(2, ShelfWord::of(ShelfWord::filling, 3, 500, 500));
    rack.fill(3, ShelfWord::of(ShelfWord::full, 255, kNobody, 600));
    check_eq(rack.begin_take(Rack::kNext), true);
    check_eq(rack.batch.count, kExchangeBatch, "more than a shelf has");
    rack.exchange.heal(Rack::kNext);
    rack.check_all_empty();
    check_eq(rack.begin_take(Rack::kTaker), true);
    check_eq(rack.batch.count, 3);
}

// What a scribbler writes costs a look, and no block: also if it names what another one keeps, again
// and again.
Test(matrix_exchange, shelves_that_lie)
{
    Handle const matrix = make_matrix(with_lanes(8 * kMiB));
    Handle const other = another(*matrix);
    free_all(*other, alloc_many(*other, kLaneDepth));
    Lane *const lane = other->prepare_lane();
    Magazine const &kept = lane->magazine[magazine_for(kSize)];
    Random random(7);
    ExchangeRack &rack = rack_of(*matrix, kSize);
    std::vector<Ref> live;
    unsigned robbed = 0;
    for (int round = 0; round < 400; ++round) {
        for (unsigned i = 0; i < kExchangeShelves; ++i) {
            uint64_t const full =
                ShelfWord::of(ShelfWord::full, 255, 0, static_cast<Owner>(random.below(3))).raw;
            rack.shelf[i].store(random.below(4) == 0 ? random.next() : full, relaxed);
            for (auto &entry : rack.entry[i])
                entry.store(random.below(4) == 0 || kept.count == 0
                                ? random.next()
                                : kept.entry[random.below(kept.count)],
                            relaxed);
        }
        rack.wanted.store(random.below(9), relaxed);
        std::vector<Ref> const made = alloc_many(*matrix, 40);
        live.insert(live.end(), made.begin(), made.end());
        std::set<uint64_t> const mine = offsets(live);
        check_eq(mine.size(), live.size(), "a block was handed out twice");
        for (unsigned i = 0; i < kept.count; ++i)
            robbed += static_cast<unsigned>(
                mine.count(other->segment().geometry().sector[kSmall].data +
                           (uint64_t{granule_of(kept.entry[i])} << kGranuleShift[kSmall])));
        std::vector<Ref> const others = alloc_many(*other, 20);
        for (Ref const ref : others)
            check_eq(mine.count(offset_of(ref)), 0, "both have it");
        free_all(*other, others);
        if (round % 8 == 7) {
            free_all(*matrix, live);
            live.clear();
        }
    }
    check_lt(0, robbed, "nothing was tried");
    assert_sound(*matrix);
}
