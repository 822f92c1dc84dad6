// SPDX-License-Identifier: MIT OR Apache-2.0
// Looking inside: statistics, blocks, participants.
#include "core/base/bits.hpp"
#include "core/matrix/matrix.hpp"
#include "core/matrix/walker.hpp"

#include <cstring>

namespace weir {
namespace {
struct Counters {
    uint64_t allocs = 0, frees = 0, failures = 0, running = 0;

    void add(WindowCounters const *pairs) noexcept
    {
        for (unsigned i = 0; i < kWindowsPerParticipant; ++i) {
            // relaxed: for people; `ended` first, so that the difference is not negative
            uint64_t const ended = pairs[i].ended.load(acquire);
            running += pairs[i].begun.load(relaxed) - ended;
            allocs += pairs[i].allocs.load(relaxed) + pairs[i].hits.load(relaxed);
            frees += pairs[i].frees.load(relaxed);
            failures += pairs[i].failures.load(relaxed);
        }
    }
};

/// Bytes of tables that go with `granules` of a sector.
uint64_t tables_of(SectorGeometry const &sector, uint64_t granules) noexcept
{
    uint64_t bytes = granules * 8;
    uint64_t words = div_up(granules, kChunk);
    bytes += words * 8;
    for (unsigned level = 0; level < sector.plan.levels; ++level) {
        words = div_up(words, kRadix);
        bytes += words * sector.classes * 8;
    }
    return bytes;
}

Status count_blocks(Sector const &sector, unsigned index, MatrixStats &stats) noexcept
{
    OnwardWalker walk(sector);
    Granule at;
    BlockWord word;
    uint64_t largest = 0;
    while (walk.next(at, word)) {
        uint64_t const bytes = sector.bytes_of(word.granules());
        if (word.is(Kind::free)) {
            stats.sector_free[index] += bytes;
            largest = larger(largest, bytes);
            ++stats.free_blocks;
        } else if (word.is(Kind::claimed)) {
            stats.claimed_bytes += bytes;
        } else if (word.is(Kind::trimmed)) {
            stats.sector_trimmed[index] += bytes;
        } else if (word.is(Kind::cached)) {
            stats.cached_bytes += bytes;
        } else {
            stats.sector_used[index] += bytes;
            ++stats.sector_blocks[index];
        }
    }
    stats.largest_free_bytes = larger(stats.largest_free_bytes, largest);
    stats.scattered_bytes += stats.sector_free[index] - largest;
    return walk.blocked() ? error(kCorrupt) : kOk;
}
} // namespace

Status Matrix::stats(MatrixStats &ret) noexcept
{
    MatrixStats stats{};
    Geometry const &geometry = segment_.geometry();
    stats.capacity = geometry.request.capacity;
    stats.segment_bytes = geometry.total;
    stats.overhead_bytes = geometry.fixed_end;
    for (unsigned i = 0; i < kSectors; ++i) {
        Sector const &sector = sectors_[i];
        WEIR_TRY(count_blocks(sector, i, stats));
        stats.sector_granule[i] = sector.bytes_of(1);
        uint64_t const limit = sector.bytes_of(sector.limit());
        stats.sector_committed[i] = limit - smaller(stats.sector_trimmed[i], limit);
        stats.trimmed_bytes += stats.sector_trimmed[i];
        stats.committed_bytes += stats.sector_committed[i];
        stats.used_bytes += stats.sector_used[i];
        stats.free_bytes += stats.sector_free[i];
        stats.used_blocks += stats.sector_blocks[i];
        stats.overhead_bytes += tables_of(geometry.sector[i], sector.limit());
    }
    Counters sum;
    for (Owner owner = 1; owner <= participants_.count(); ++owner) {
        sum.add(participants_.windows(owner));
        stats.stalls += participants_.slot(owner).stalls.load(relaxed); // for people
        if (participants_.word_of(owner).state() != SlotState::free)
            ++stats.participants;
    }
    stats.allocs = sum.allocs;
    stats.frees = sum.frees;
    stats.failures = sum.failures;
    stats.deaths = segment_.header().deaths.load(relaxed);
    ret = stats;
    return kOk;
}

Status Matrix::walk(BlockFn callback, void *userdata) noexcept
{
    for (unsigned i = 0; i < kSectors; ++i) {
        Sector const &sector = sectors_[i];
        OnwardWalker walk(sector);
        Granule at;
        BlockWord word;
        while (walk.next(at, word)) {
            BlockInfo info{};
            info.ref = word.is_users() ? make_ref(sector, at, word).value : 0;
            info.offset = sector.offset_of(at);
            info.length = sector.bytes_of(word.granules());
            info.owner = id_of(word.owner());
            info.sector = i;
            info.kind = word.kind();
            info.state = word.user();
            info.generation = word.generation();
            if (int const code = callback(info, userdata); code != 0)
                return Status{code};
        }
        if (walk.blocked())
            return error(kCorrupt);
    }
    return kOk;
}

Status Matrix::participants(ParticipantFn callback, void *userdata) noexcept
{
    for (Owner owner = 1; owner <= participants_.count(); ++owner) {
        SlotWord const word = participants_.word_of(owner);
        if (word.state() == SlotState::free)
            continue;
        ParticipantSlot const &slot = participants_.slot(owner);
        Counters counters;
        counters.add(participants_.windows(owner));
        ParticipantInfo info{};
        info.id = weir::participant_id(owner, word.generation());
        // relaxed: for people, from a slot that may change hands meanwhile
        info.attached_at_ns = static_cast<int64_t>(slot.attached_at_ns.load(relaxed));
        info.started_at = slot.started_at.load(relaxed);
        info.allocs = counters.allocs;
        info.frees = counters.frees;
        info.stalls = slot.stalls.load(relaxed);
        info.running = counters.running;
        info.pid = static_cast<int32_t>(slot.pid.load(relaxed));
        info.uid = slot.uid.load(relaxed);
        info.state = word.state() == SlotState::reaping    ? ParticipantState::reaping
                     : participants_.is_alive(owner, me()) ? ParticipantState::live
                                                           : ParticipantState::dead;
        info.slot = owner - 1;
        uint64_t const name[2] = {slot.name[0].load(relaxed), slot.name[1].load(relaxed)};
        std::memcpy(info.name, name, sizeof info.name);
        info.name[sizeof info.name - 1] = '\0';
        if (int const code = callback(info, userdata); code != 0)
            return Status{code};
    }
    return kOk;
}

} // namespace weir
