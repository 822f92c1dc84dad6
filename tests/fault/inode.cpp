// SPDX-License-Identifier: MIT OR Apache-2.0
// One file of the disk: what is seen, what is stored, and which sectors differ.
#include "tests/fault/disk.hpp"

#include <algorithm>

namespace fault {

namespace {
constexpr uint64_t kSectors = kPageBytes / kSector; ///< of a page: the bits of a byte

/// Bits of the page's sectors in [begin, end) of the file.
uint8_t sectors_in(size_t page, uint64_t begin, uint64_t end)
{
    uint64_t const base = page * kPageBytes;
    uint64_t const first = begin <= base ? 0 : (begin - base) / kSector;
    uint64_t const last = std::min(kSectors, (end - base + kSector - 1) / kSector);
    return static_cast<uint8_t>((1u << last) - (1u << first));
}
} // namespace

void Inode::resize(uint64_t size)
{
    if (size == seen.size())
        return;
    seen.resize(size);
    dirty.resize((size + kPageBytes - 1) / kPageBytes);
    if (size % kPageBytes != 0)
        dirty.back() &= sectors_in(dirty.size() - 1, 0, size);
    size_dirty = true;
}

void Inode::write(uint64_t offset, void const *data, size_t length)
{
    if (length == 0)
        return;
    if (offset + length > seen.size())
        resize(offset + length);
    seen.write(offset, data, length);
    for (size_t p = offset / kPageBytes; p <= (offset + length - 1) / kPageBytes; ++p)
        dirty[p] |= sectors_in(p, offset, offset + length);
}

/// As far as `to` goes.
void Inode::copy_sectors(size_t page, uint8_t mask, Pages const &from, Pages &to)
{
    for (uint64_t s = 0; s < kSectors; ++s) {
        uint64_t const at = page * kPageBytes + s * kSector;
        if ((mask >> s & 1) != 0 && at < to.size())
            to.copy(from, at, std::min(kSector, to.size() - at));
    }
}

void Inode::flush()
{
    if (apart) { // only what is dirty is written
        stable.resize(seen.size());
        for (size_t p = 0; p < dirty.size(); ++p)
            copy_sectors(p, dirty[p], seen, stable);
    } else {
        stable = seen;
    }
    dirty.assign(dirty.size(), 0);
    size_dirty = false;
}

void Inode::flush_range(uint64_t offset, uint64_t length)
{
    if (length == 0)
        return;
    if (size_dirty)
        stable.resize(seen.size());
    size_dirty = false;
    for (size_t p = offset / kPageBytes;
         p <= (offset + length - 1) / kPageBytes && p < dirty.size(); ++p) {
        uint8_t const mask = sectors_in(p, offset, offset + length);
        if (mask == UINT8_MAX)
            stable.copy(seen, p * kPageBytes, std::min(kPageBytes, seen.size() - p * kPageBytes));
        else
            copy_sectors(p, mask, seen, stable);
        dirty[p] &= static_cast<uint8_t>(~mask);
    }
}

void Inode::lose_dirty()
{
    apart = true;
    dirty.assign(dirty.size(), 0);
    stable.resize(seen.size());
    size_dirty = false;
}

void Inode::drop_clean()
{
    if (!apart)
        return;
    for (size_t p = 0; p < dirty.size(); ++p) {
        uint64_t const base = p * kPageBytes;
        for (uint64_t s = 0; s < kSectors; ++s) {
            uint64_t const from = base + s * kSector;
            uint64_t const to = std::min({from + kSector, seen.size(), stable.size()});
            if ((dirty[p] >> s & 1) == 0 && from < to)
                seen.copy(stable, from, to - from);
        }
    }
}

void Inode::keep(uint64_t size, std::vector<uint8_t> const &kept)
{
    stable.resize(size);
    for (size_t p = 0; p < kept.size() && p * kPageBytes < size; ++p)
        if (kept[p] == dirty[p] && kept[p] != 0 && !apart) // what is clean is the same
            stable.copy(seen, p * kPageBytes, std::min(kPageBytes, size - p * kPageBytes));
        else
            copy_sectors(p, kept[p], seen, stable);
    seen = stable;
    dirty.assign((size + kPageBytes - 1) / kPageBytes, 0);
    size_dirty = apart = false;
}

} // namespace fault
