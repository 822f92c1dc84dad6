// SPDX-License-Identifier: MIT OR Apache-2.0
// Memory before its use: commits it and puts it into this process's page tables, piece by piece.
#include "core/base/bits.hpp"
#include "core/matrix/matrix.hpp"
#include "core/matrix/walker.hpp"

namespace weir {
namespace {
/// Between two calls of the progress function.
constexpr uint64_t kPrefaultPiece = uint64_t{16} << 20;
} // namespace

/// Makes a sector that long, if the capacity allows; others may grow it meanwhile.
Status Matrix::grow_to(unsigned index, Granule target) noexcept
{
    Sector &sector = sectors_[index];
    Caller const self = caller();
    Window window(self);
    constexpr int kTries = 10000; // each turn somebody adds memory; the bound is for scribblers
    for (int i = 0; i < kTries && sector.limit() < target; ++i) {
        Granules const missing = target - smaller(sector.limit(), target);
        Status const grown = grow(index, {sector.free_at_end() + missing, 1}, true, window);
        if (grown.code == -ENOMEM) {
            // Not so if somebody has just taken what was free at the end: then we asked for more.
            if (committed() + sector.bytes_of(missing) > segment_.geometry().request.capacity)
                return kOk;
        } else if (grown.code == -EBUSY) { // until he is done, or is found to be dead
            WEIR_TRY(take_ticket(segment_.header().growth));
            give_ticket(segment_.header().growth);
        } else {
            WEIR_TRY(grown);
        }
    }
    return kOk;
}

/// All of the granules [from, to) but what has been trimmed, which stays without memory. Trimming
/// and taking back need the ticket, so what is TRIMMED stays so meanwhile.
Status Matrix::populate_part(unsigned index, Granule from, Granule to) noexcept
{
    WEIR_TRY(take_ticket(segment_.header().growth));
    Undo give_back([this] { give_ticket(segment_.header().growth); });
    Walker walk(sectors_[index]);
    Granule at;
    BlockWord word;
    Granule done = from;
    while (walk.next(at, word) && at < to) {
        bool const lacks = word.is(Kind::trimmed) || word.is_claimed_without_memory();
        Granule const end = smaller(at + word.granules(), to);
        if (!lacks || end <= done)
            continue;
        if (done < at)
            WEIR_TRY(segment_.populate(index, done, at));
        done = end;
    }
    return done < to ? segment_.populate(index, done, to) : kOk;
}

Status Matrix::prefault(uint64_t bytes, ProgressFn progress, void *userdata) noexcept
{
    WEIR_TRY(enter());
    uint64_t const capacity = segment_.geometry().request.capacity;
    if (bytes > capacity)
        return error(EINVAL);
    WEIR_TRY(segment_.populate_fixed());
    uint64_t const share[kSectors] = {bytes / 4, bytes / 2, bytes - bytes / 4 - bytes / 2};
    Granule target[kSectors];
    uint64_t total = committed();
    for (unsigned i = 0; i < kSectors; ++i) {
        Sector const &sector = sectors_[i];
        uint64_t const there = sector.bytes_of(sector.limit());
        uint64_t const wanted = smaller(share[i], sector.bytes_of(sector.max_granules()));
        uint64_t const room = capacity - smaller(total, capacity);
        uint64_t const more = wanted > there ? smaller(wanted - there, room) : 0;
        target[i] =
            static_cast<Granule>((there + round_down(more, kGrowthUnit)) >> sector.granule_shift());
        total += round_down(more, kGrowthUnit);
    }
    uint64_t done = 0;
    for (unsigned i = 0; i < kSectors; ++i) {
        Sector const &sector = sectors_[i];
        auto const step = static_cast<Granule>(kPrefaultPiece >> sector.granule_shift());
        Granule to = 0;
        for (Granule from = 0; from < target[i]; from = to) {
            WEIR_TRY(grow_to(i, smaller(target[i], from + step)));
            to = smaller(smaller(target[i], from + step), sector.limit());
            if (to <= from)
                break;
            WEIR_TRY(populate_part(i, from, to));
            done += sector.bytes_of(to - from);
            if (int const code = progress == nullptr ? 0 : progress(done, total, userdata);
                code != 0)
                return Status{code};
        }
    }
    return kOk;
}

} // namespace weir
