// SPDX-License-Identifier: MIT OR Apache-2.0
// The volatile disk itself against a plain model: what an image may hold, sector by sector.
#include "tests/disk/volatile_disk.hpp"

#include <vector>

using namespace disk;

namespace {

constexpr uint64_t kSectors = 64;

struct Op {
    bool flush = false;
    uint64_t first = 0, count = 0; ///< sectors
    char value = 0;                ///< of all their bytes; 0: by zero()
};

std::vector<Op> use(VolatileDisk &disk, Random &random)
{
    std::vector<Op> ops;
    for (int i = 0; i < 40; ++i) {
        Op op;
        op.flush = random.below(6) == 0;
        op.first = random.below(kSectors);
        op.count = 1 + random.below(kSectors - op.first);
        op.value = random.below(5) == 0 ? '\0' : static_cast<char>(1 + random.below(100));
        std::vector<char> const bytes(op.count * kSector, op.value);
        if (op.flush)
            disk.flush();
        else if (op.value == 0)
            disk.zero(op.first * kSector, bytes.size());
        else
            disk.write(op.first * kSector, bytes.data(), bytes.size());
        ops.push_back(op);
    }
    return ops;
}

/// What a sector may hold: by the last flush before the cut, and by each write behind it.
std::vector<char> values(std::vector<Op> const &ops, std::vector<char> const &start, uint64_t at,
                         uint64_t sector)
{
    std::vector<char> found{start[sector]};
    for (uint64_t i = 0; i < at; ++i)
        if (ops[i].flush)
            found.erase(found.begin(), found.end() - 1);
        else if (sector >= ops[i].first && sector < ops[i].first + ops[i].count)
            found.push_back(ops[i].value);
    return found;
}

bool holds(VolatileDisk const &disk, uint64_t sector, char value)
{
    std::vector<char> const bytes(kSector, value);
    return memcmp(disk.at(sector * kSector), bytes.data(), kSector) == 0;
}

/// Empty, or what is wrong with the image that is shown.
std::string compare(VolatileDisk const &disk, std::vector<Op> const &ops,
                    std::vector<char> const &start, Cut const &cut)
{
    for (uint64_t sector = 0; sector < kSectors; ++sector) {
        std::vector<char> const may = values(ops, start, cut.at, sector);
        bool good = false;
        for (char const value : may)
            good = good || holds(disk, sector, value);
        if (cut.keep == Keep::none)
            good = holds(disk, sector, may.front());
        if (cut.keep == Keep::all)
            good = holds(disk, sector, may.back());
        if (!good)
            return crash::text("cut at %llu, %s: sector %llu",
                               static_cast<unsigned long long>(cut.at), name_of(cut.keep),
                               static_cast<unsigned long long>(sector));
    }
    return "";
}

std::string round(VolatileDisk &disk, std::vector<char> &start, Random &random)
{
    std::vector<Op> const ops = use(disk, random);
    if (disk.position() != ops.size())
        return "the journal has another length";
    disk.rewind();
    for (uint64_t at = 0; at <= ops.size(); ++at)
        for (unsigned keep = 0; keep < kKeeps; ++keep) {
            Cut const cut{at, static_cast<Keep>(keep), random.next()};
            disk.show(cut);
            if (std::string const wrong = compare(disk, ops, start, cut); !wrong.empty())
                return wrong;
            char const bytes[kSector] = {'i'}; // whoever recovers the image writes to it
            disk.write(random.below(kSectors) * kSector, bytes, sizeof bytes);
            disk.flush();
            disk.hide();
        }
    disk.rewind();
    disk.show({ops.size() / 2, Keep::some, random.next()});
    for (uint64_t sector = 0; sector < kSectors; ++sector)
        start[sector] = *disk.at(sector * kSector);
    disk.settle();
    return disk.position() == 0 ? "" : "the journal is not empty";
}

} // namespace

int main()
{
    crash::Tap tap;
    uint64_t const seed = crash::environment("WEIR_SEED", 1);
    Random random(seed);
    VolatileDisk *const disk = VolatileDisk::make(kSectors * kSector);
    std::vector<char> start(kSectors, '\0');
    std::string wrong = disk == nullptr ? "no address space" : "";
    for (int i = 0; i < 100 && wrong.empty(); ++i)
        wrong = round(*disk, start, random);
    tap.ok(wrong.empty(), "images hold what was flushed, and of the rest what was chosen",
           wrong.c_str());
    if (disk != nullptr) {
        disk->clear();
        disk->lie_once_in(1);
        char const bytes[kSector] = {'x'};
        disk->write(0, bytes, sizeof bytes);
        disk->flush();
        disk->rewind();
        disk->show({disk->position(), Keep::none, seed});
        tap.ok(holds(*disk, 0, '\0'), "a flush that lies keeps nothing");
    }
    return tap.finish();
}
