// SPDX-License-Identifier: MIT OR Apache-2.0
// Random operations on two participants of one matrix, against a plain interval map.
//
// WEIR_ORACLE_OPERATIONS: how many (default 1000000). WEIR_ORACLE_SEED: which ones; it is printed
// with each failure, and a run with the same seed does the same.
#include "tests/unit/matrix_support.hpp"

#include <algorithm>
#include <cstring>
#include <random>

using namespace unit;

namespace {
constexpr uint64_t kCapacity = 24 * kMiB;
constexpr uint64_t kWholePattern = 4096; // longer blocks are filled at samples only

/// What the oracle knows of a live block.
struct Live {
    Ref ref;
    uint64_t asked = 0;
    uint64_t length = 0; ///< all its bytes
    uint64_t owner = 0;  ///< participant id
    uint8_t state = 0;
};

class Oracle {
  public:
    Oracle(Matrix &one, Matrix &two, uint64_t seed)
        : matrix_{&one, &two}, random_(seed), seed_(seed)
    {
        for (unsigned i = 0; i < 2; ++i)
            id_[i] = *matrix_[i]->participant_id();
    }

    void run(uint64_t operations)
    {
        for (done_ = 0; done_ < operations; ++done_) {
            if (done_ % 65536 == 0)
                compare_all();
            if (done_ % 4096 == 0) // the load rises and falls, up to the brim
                target_ = random_.below(8) == 0 ? SIZE_MAX : random_.below(6000);
            step();
        }
        compare_all();
        while (!order_.empty())
            free_one(order_.size() - 1);
    }
    uint64_t refusals() const { return refusals_; }
    uint64_t trimmed() const { return trimmed_; }

  private:
    void step()
    {
        if (random_.below(20000) == 0)
            trim();
        bool const grow = order_.size() < target_;
        uint64_t const kind = random_.below(100);
        if (order_.empty() || kind < (grow ? 50 : 30))
            alloc_one();
        else if (kind < 72)
            free_one(random_.below(order_.size()));
        else if (kind < 73)
            alloc_many();
        else if (kind < 74)
            free_many();
        else if (kind < 79)
            resize_one(random_.below(order_.size()));
        else if (kind < 82)
            realloc_one(random_.below(order_.size()));
        else if (kind < 87)
            change_owner(live(random_.below(order_.size())));
        else if (kind < 94)
            change_state(live(random_.below(order_.size())));
        else
            look(live(random_.below(order_.size())));
    }

    Live &live(size_t place) { return blocks_[order_[place]]; }
    Matrix &any() { return *matrix_[random_.below(2)]; }

    uint64_t random_size()
    {
        uint64_t const kind = random_.below(1000);
        uint64_t const size = kind < 700   ? 1 + random_.below(1024)
                              : kind < 900 ? 1 + random_.below(4096)
                              : kind < 985 ? 1 + random_.below(64 * kKiB)
                              : kind < 997 ? 1 + random_.below(kMiB)
                                           : 1 + random_.below(4 * kMiB);
        return random_.percent(20) ? (size + 63) / 64 * 64 : size; // also what just fits
    }

    uint64_t random_alignment()
    {
        if (!random_.percent(10))
            return 1;
        uint64_t const shift = random_.percent(3) ? 1 + random_.below(21) : 1 + random_.below(13);
        return uint64_t{1} << shift;
    }

    void alloc_one()
    {
        unsigned const who = static_cast<unsigned>(random_.below(2));
        AllocRequest request{
            random_size(), random_alignment(), random_.percent(5),
            static_cast<uint8_t>(random_.percent(10) ? 49 + random_.below(200) : 0)};
        Allocation made;
        bool const plain = request.alignment == 1 && !request.zero && request.state == 0;
        Status const status =
            plain ? matrix_[who]->alloc(request.size, made) : matrix_[who]->alloc(request, made);
        if (!status.ok()) {
            same(static_cast<uint64_t>(-status.code), ENOMEM, "code of a refusal");
            verify_refusal(request);
            ++refusals_;
            target_ = order_.size() / 2; // full: make room
            return;
        }
        accept(made, request, who);
    }

    /// A new block: where it is, and that it is nobody else's. Fills it.
    void accept(Allocation const &made, AllocRequest const &request, unsigned who)
    {
        Live block{made.ref, request.size, 0, id_[who], request.state};
        uint64_t const offset = offset_of(made.ref);
        SectorGeometry const &sector = geometry().sector[sector_of(*matrix_[who], made.ref)];
        uint64_t const granule = uint64_t{1} << sector.granule_shift;
        block.length = (request.size + granule - 1) / granule * granule;
        same(offset % larger(granule, request.alignment), 0, "alignment");
        same(reinterpret_cast<uint64_t>(made.data) % request.alignment, 0, "alignment in memory");
        truth(made.data == matrix_[who]->segment().base() + offset, "data");
        truth(offset + block.length <= sector.data + (sector.max_granules << sector.granule_shift),
              "within the sector");
        auto const next = blocks_.lower_bound(offset);
        truth(next == blocks_.end() || offset + block.length <= next->first,
              "overlap to the right");
        truth(next == blocks_.begin() ||
                  std::prev(next)->first + std::prev(next)->second.length <= offset,
              "overlap to the left");
        auto *const bytes = static_cast<unsigned char *>(made.data);
        if (request.zero)
            truth(std::all_of(bytes, bytes + request.size, [](unsigned char b) { return b == 0; }),
                  "zeroed");
        blocks_.emplace(offset, block);
        order_.push_back(offset);
        write(block);
    }

    void write(Live const &block)
    {
        each_sample(block, [](unsigned char &byte, unsigned char value) {
            byte = value;
            return true;
        });
    }

    void alloc_many()
    {
        unsigned const who = static_cast<unsigned>(random_.below(2));
        size_t const count = random_.below(40);
        AllocRequest const request{random_size(), random_alignment(), random_.percent(5), 0};
        Ref refs[40];
        void *data[40];
        size_t made = 0;
        Status const status = matrix_[who]->alloc_many(request, count, refs, data, made);
        truth(status.ok() == (made != 0 || count == 0) && made <= count, "result of alloc_many");
        for (size_t i = 0; i < made; ++i)
            accept({refs[i], data[i]}, request, who);
        if (made == count)
            return;
        verify_refusal(request); // of the next one
        ++refusals_;
        target_ = order_.size() / 2;
    }

    void free_many()
    {
        Ref refs[24];
        size_t count = 0;
        while (count < 24 && !order_.empty()) {
            refs[count++] = live(order_.size() - 1).ref;
            look(live(order_.size() - 1));
            blocks_.erase(order_.back());
            order_.pop_back();
        }
        if (count == 0)
            return;
        bool const bad = random_.percent(10);
        size_t const stop = bad ? random_.below(count) : count;
        if (bad) // somebody was faster
            truth(any().free(refs[stop]).ok(), "free");
        size_t freed = 77;
        Status const status = any().free_many(refs, count, freed);
        same(freed, stop, "index of what could not be freed");
        truth(status.code == (stop == 0 ? -kStale : 0), "result of free_many");
        if (stop + 1 < count)
            truth(any().free_many(refs + stop + 1, count - stop - 1, freed).ok(), "the others");
    }

    /// The granules right of a block that are free, in bytes.
    uint64_t room_behind(Live const &block)
    {
        uint64_t const end = offset_of(block.ref) + block.length;
        unsigned const sector = sector_of(*matrix_[0], block.ref);
        MatrixStats stats;
        truth(matrix_[0]->stats(stats).ok(), "stats");
        uint64_t const limit = geometry().sector[sector].data + stats.sector_committed[sector] +
                               stats.sector_trimmed[sector];
        auto const next = blocks_.upper_bound(offset_of(block.ref));
        return (next == blocks_.end() || next->first > limit ? limit : next->first) - end;
    }
    uint64_t rounded_in(Live const &block, uint64_t size)
    {
        unsigned const sector = sector_of(*matrix_[0], block.ref);
        uint64_t const granule = uint64_t{1} << geometry().sector[sector].granule_shift;
        return round_up(size, granule);
    }
    uint64_t size_near(Live const &block)
    {
        uint64_t const kind = random_.below(4);
        return kind == 0   ? random_size()
               : kind == 1 ? 1 + random_.below(block.length)
               : kind == 2 ? block.length + room_behind(block) // what just fits
                           : block.length + 1 + random_.below(2 * block.length);
    }

    void resize_one(size_t place)
    {
        Live &block = live(place);
        look(block);
        unsigned const who = static_cast<unsigned>(random_.below(2));
        uint64_t const size = size_near(block);
        uint64_t const length = rounded_in(block, size);
        bool const fits = size <= kCapacity && fits_in_place(block, length);
        int const expected = size > kCapacity          ? -EINVAL
                             : block.owner != id_[who] ? -EPERM
                             : fits                    ? 0
                                                       : -ENOSPC;
        int const code = matrix_[who]->resize(block.ref, size).code;
        same(static_cast<uint64_t>(-code), static_cast<uint64_t>(-expected), "resize");
        if (code != 0)
            return;
        Live const before = block;
        block.asked = size;
        block.length = length;
        verify_kept(before, block);
        write(block);
    }

    /// Exactly: nothing but free memory behind it, and for what was trimmed there the capacity has
    /// room.
    bool fits_in_place(Live const &block, uint64_t length)
    {
        if (length > block.length + room_behind(block))
            return false;
        MatrixStats stats;
        truth(matrix_[0]->stats(stats).ok(), "stats");
        std::vector<BlockInfo> trimmed;
        if (length > block.length && stats.trimmed_bytes != 0)
            for (BlockInfo const &info : blocks_of(*matrix_[0]))
                if (info.kind == Kind::trimmed)
                    trimmed.push_back(info);
        uint64_t const begin = offset_of(block.ref);
        return lack_of(trimmed, begin + block.length, begin + length) <=
               kCapacity - stats.committed_bytes;
    }

    void realloc_one(size_t place)
    {
        Live const before = live(place);
        look(before);
        unsigned const who = static_cast<unsigned>(random_.below(2));
        AllocRequest const request{size_near(before), random_alignment(), random_.percent(5), 0};
        bool const aligned = offset_of(before.ref) % request.alignment == 0;
        uint64_t const length = rounded_in(before, request.size);
        bool const in_place = aligned && request.size <= kCapacity && fits_in_place(before, length);
        Allocation now;
        int const code = matrix_[who]->realloc(before.ref, request, now).code;
        if (request.size > kCapacity || before.owner != id_[who]) {
            same(static_cast<uint64_t>(-code), request.size > kCapacity ? EINVAL : EPERM,
                 "realloc of another's");
            return;
        }
        if (code != 0) {
            same(static_cast<uint64_t>(-code), ENOMEM, "code of a refusal");
            truth(!in_place, "realloc refused what could be done in place");
            verify_refusal(request);
            return look(before);
        }
        truth((now.ref == before.ref) == in_place, "realloc moves only if it must");
        if (!in_place)
            same(static_cast<uint64_t>(-any().free(before.ref).code), kStale, "the old ref");
        blocks_.erase(offset_of(before.ref));
        order_[place] = order_.back();
        order_.pop_back();
        verify_kept(before, {now.ref, request.size, rounded_in({now.ref}, request.size)});
        auto *const bytes = static_cast<unsigned char *>(now.data);
        bool zeroed = true;
        for (uint64_t i = before.length; request.zero && i < request.size; ++i)
            zeroed &= bytes[i] == 0;
        truth(zeroed, "new bytes are zeroed");
        AllocRequest const unchecked{request.size, request.alignment, false, before.state};
        accept(now, unchecked, who);
    }

    /// What was written into a block that had `before.length`, as far as `now` has it.
    void verify_kept(Live const &before, Live const &now)
    {
        auto const *const bytes = matrix_[0]->segment().base() + offset_of(now.ref);
        bool kept = true; // told once: an assertion a byte costs more than all the rest
        auto const at = [&](uint64_t i) {
            kept &= static_cast<unsigned char>(bytes[i]) == value_at(before, i);
        };
        uint64_t const both = smaller(before.length, now.asked);
        bool const whole = before.length <= kWholePattern;
        for (uint64_t i = 0; i < (whole ? both : smaller<uint64_t>(both, 256)); ++i)
            at(i);
        for (uint64_t i = 256; !whole && i < smaller(both, before.length - 256); i += 4093)
            at(i);
        truth(kept, "kept contents");
    }

    void free_one(size_t place)
    {
        Live const block = live(place);
        look(block);
        same(static_cast<uint64_t>(any().free(block.ref).code), 0, "free");
        if (random_.percent(3))
            same(static_cast<uint64_t>(-any().free(block.ref).code), kStale, "second free");
        blocks_.erase(offset_of(block.ref));
        order_[place] = order_.back();
        order_.pop_back();
    }

    /// give to the other, to nobody, and take: allowed for the owner, and for all if nobody's.
    void change_owner(Live &block)
    {
        unsigned const who = static_cast<unsigned>(random_.below(2));
        if (random_.percent(50)) {
            uint64_t const to = random_.percent(50) ? 0 : id_[random_.below(2)];
            int const code = matrix_[who]->give(block.ref, to).code;
            int const expected = block.owner == id_[who] ? 0 : -EPERM;
            truth(code == expected, "give");
            block.owner = code == 0 ? to : block.owner;
        } else {
            int const code = matrix_[who]->take(block.ref).code;
            truth(code == (block.owner == 0 ? 0 : -EPERM), "take");
            block.owner = code == 0 ? id_[who] : block.owner;
        }
    }

    void trim()
    {
        uint64_t bytes = 0;
        truth(any().trim(random_.percent(50) ? 0 : random_.below(kCapacity), bytes).ok(), "trim");
        trimmed_ += bytes;
    }

    void change_state(Live &block)
    {
        auto const to = static_cast<uint8_t>(49 + random_.below(207));
        if (random_.percent(50)) {
            truth(any().set_state(block.ref, to).ok(), "set_state");
            block.state = to;
            return;
        }
        auto const from = static_cast<uint8_t>(random_.percent(50) ? block.state : to);
        int const code = any().transition(block.ref, from, to).code;
        truth(code == (from == block.state ? 0 : -EAGAIN), "transition");
        block.state = code == 0 ? to : block.state;
    }

    void look(Live const &block)
    {
        Matrix &matrix = any();
        auto const extent = matrix.data(block.ref);
        truth(extent.ok(), "data of a live block");
        same(extent->size, block.length, "length");
        same(*matrix.state(block.ref), block.state, "state");
        same(*matrix.owner(block.ref), block.owner, "owner");
        same(matrix.ref_of(extent->data, block.asked)->value, block.ref.value, "ref_of");
        each_sample(block, [](unsigned char &byte, unsigned char value) { return byte == value; });
    }

    static unsigned char value_at(Live const &block, uint64_t i)
    {
        return static_cast<unsigned char>(block.ref.value * 0x9e3779b1u >> 24 ^ i * 5);
    }

    /// Calls `visit(byte, its value)` for all bytes of a short block, for samples of a long one.
    template <class Visit> void each_sample(Live const &block, Visit visit)
    {
        auto *const bytes = matrix_[0]->segment().base() + offset_of(block.ref);
        bool right = true; // told once, as above
        auto const at = [&](uint64_t i) {
            right &= visit(reinterpret_cast<unsigned char &>(bytes[i]), value_at(block, i));
        };
        bool const whole = block.length <= kWholePattern;
        for (uint64_t i = 0; i < (whole ? block.length : 256); ++i)
            at(i);
        for (uint64_t i = 256; !whole && i < block.length - 256; i += 4093)
            at(i);
        for (uint64_t i = block.length - 256; !whole && i < block.length; ++i)
            at(i);
        truth(right, "contents");
    }

    /// What a place in a gap lacks: whole units of what is trimmed there.
    static uint64_t lack_of(std::vector<BlockInfo> const &trimmed, uint64_t from, uint64_t until)
    {
        uint64_t lack = 0;
        for (BlockInfo const &piece : trimmed) {
            uint64_t const begin = larger(piece.offset, round_down(from, kGrowthUnit));
            uint64_t const end = smaller(piece.offset + piece.length, round_up(until, kGrowthUnit));
            lack += begin < end ? end - begin : 0;
        }
        return lack;
    }

    /// Whether a gap serves with at most `room` more bytes of memory: tried where something trimmed
    /// begins or ends, and at random places.
    bool gap_serves(uint64_t from, uint64_t until, uint64_t length, uint64_t align, uint64_t room,
                    std::vector<BlockInfo> const &trimmed)
    {
        std::vector<uint64_t> starts{from, until - length};
        for (BlockInfo const &piece : trimmed)
            for (uint64_t const edge : {piece.offset, piece.offset + piece.length}) {
                starts.push_back(edge);
                starts.push_back(edge - length);
            }
        for (int i = 0; i < 20; ++i)
            starts.push_back(from + random_.below(until - from));
        for (uint64_t const start : starts)
            for (uint64_t const at : {round_up(start, align), round_down(start, align)})
                if (at >= from && at < until && length <= until - at &&
                    lack_of(trimmed, at, at + length) <= room)
                    return true;
        return false;
    }

    /// Nobody else works, so a refusal must be exact: no gap fits and no sector can grow.
    void verify_refusal(AllocRequest const &request)
    {
        MatrixStats stats;
        truth(matrix_[0]->stats(stats).ok(), "stats");
        std::vector<BlockInfo> trimmed[kSectors];
        if (stats.trimmed_bytes != 0)
            for (BlockInfo const &info : blocks_of(*matrix_[0]))
                if (info.kind == Kind::trimmed)
                    trimmed[info.sector].push_back(info);
        unsigned const home = request.size <= kKiB   ? kSmall
                              : request.size <= kMiB ? kMedium
                                                     : kLarge;
        for (unsigned i = 0; i < kSectors; ++i) {
            SectorGeometry const &sector = geometry().sector[i];
            uint64_t const granule = uint64_t{1} << sector.granule_shift;
            uint64_t const length = (request.size + granule - 1) / granule * granule;
            uint64_t const align = larger(granule, request.alignment);
            uint64_t const limit = stats.sector_committed[i] + stats.sector_trimmed[i];
            uint64_t const end = sector.data + limit;
            uint64_t const room = kCapacity - stats.committed_bytes;
            uint64_t at = sector.data;
            auto const gap_fits = [&](uint64_t until) {
                return round_up(at, align) + length <= until &&
                       gap_serves(at, until, length, align, room, trimmed[i]);
            };
            for (auto block = blocks_.lower_bound(at); block != blocks_.end() && block->first < end;
                 ++block) {
                truth(!gap_fits(block->first), "refused, and a gap would do");
                at = block->first + block->second.length;
            }
            truth(!gap_fits(end), "refused, and the gap at the end would do");
            uint64_t const worst = round_up(length + align - granule, kGrowthUnit);
            truth(i < home || stats.committed_bytes + worst > kCapacity ||
                      limit + worst > sector.max_granules << sector.granule_shift,
                  "refused, and could grow");
        }
    }

    /// The walk sees exactly the oracle's blocks, and the sum of all is what is committed.
    void compare_all()
    {
        assert_sound(*matrix_[done_ / 65536 % 2]);
        size_t seen = 0;
        for (BlockInfo const &info : blocks_of(*matrix_[0])) {
            truth(info.kind == Kind::free || info.kind == Kind::cached ||
                      info.kind == Kind::allocated || info.kind == Kind::trimmed,
                  "kind at rest");
            if (info.kind != Kind::allocated)
                continue;
            ++seen;
            auto const known = blocks_.find(info.offset);
            truth(known != blocks_.end(), "a block the oracle does not know");
            same(info.ref, known->second.ref.value, "ref in the walk");
            same(info.length, known->second.length, "length in the walk");
            same(info.owner, known->second.owner, "owner in the walk");
            same(info.state, known->second.state, "state in the walk");
        }
        same(seen, blocks_.size(), "number of blocks");
    }

    Geometry const &geometry() { return matrix_[0]->segment().geometry(); }

    void truth(bool holds, char const *what)
    {
        cr_assert(holds, "%s: wrong at operation %llu; WEIR_ORACLE_SEED=%llu", what,
                  static_cast<unsigned long long>(done_), static_cast<unsigned long long>(seed_));
    }
    void same(uint64_t found, uint64_t expected, char const *what)
    {
        cr_assert(found == expected,
                  "%s is %llx, expected %llx at operation %llu; WEIR_ORACLE_SEED=%llu", what,
                  static_cast<unsigned long long>(found), static_cast<unsigned long long>(expected),
                  static_cast<unsigned long long>(done_), static_cast<unsigned long long>(seed_));
    }

    Matrix *matrix_[2];
    uint64_t id_[2] = {};
    Random random_;
    uint64_t seed_;
    uint64_t done_ = 0;
    uint64_t refusals_ = 0;
    uint64_t trimmed_ = 0; ///< bytes, over all times
    size_t target_ = 0;
    std::map<uint64_t, Live> blocks_; ///< by offset
    std::vector<uint64_t> order_;     ///< the same, to choose one by number
};
} // namespace

Test(matrix_oracle, random_operations_match_an_interval_map, .timeout = 86400)
{
    uint64_t const operations = environment("WEIR_ORACLE_OPERATIONS", 1000000);
    uint64_t const seed = environment("WEIR_ORACLE_SEED", std::random_device{}());
    Handle const one = make_matrix(kCapacity);
    Handle const two = second_handle(*one);
    Oracle oracle(*one, *two, seed);
    oracle.run(operations);
    assert_all_free(*one);
    assert_all_free(*two);
    cr_assert(operations < 100000 || oracle.refusals() > 0, "the matrix was never full");
    cr_assert(operations < 100000 || oracle.trimmed() > 0, "nothing was ever trimmed");
}

/// The same with lanes: what they keep can be had, so the map must agree to every -ENOMEM.
Test(matrix_oracle, lanes_change_nothing_that_users_see, .timeout = 86400)
{
    uint64_t const operations = environment("WEIR_ORACLE_OPERATIONS", 1000000) / 2;
    uint64_t const seed = environment("WEIR_ORACLE_SEED", std::random_device{}());
    Handle const watcher = make_matrix(kCapacity);
    MatrixOptions options = options_for(kCapacity);
    options.lanes = true;
    Handle one(Matrix::attach_fd(watcher->fd(), options));
    Handle two(Matrix::attach_fd(watcher->fd(), options));
    check_eq(one.code(), 0);
    check_eq(two.code(), 0);
    {
        Oracle oracle(*one, *two, seed);
        oracle.run(operations);
        cr_assert(operations < 100000 || oracle.refusals() > 0, "the matrix was never full");
    }
    one.close();
    two.close();
    assert_all_free(*watcher);
}
