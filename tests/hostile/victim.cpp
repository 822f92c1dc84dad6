// SPDX-License-Identifier: MIT OR Apache-2.0
// A second mapping of a segment, and the ways to spoil what lies in it.
#include "hostile.hpp"

#include "core/channel/cell.hpp"
#include "core/matrix/block_word.hpp"
#include "core/pool/layout.hpp"
#include "core/segment/layout.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace hostile {
namespace {
using weir::BlockWord;
using weir::CellWord;
using weir::Header;
using weir::Kind;
using weir::Phase;

constexpr uint64_t kOffsetMask = (uint64_t{1} << 48) - 1;
constexpr uint64_t kChannelRoot = 2;
constexpr uint64_t kPoolRoot = 3;
constexpr uint64_t kPoolBytes = sizeof(weir::PoolHeader) + 64 * 8 + 128; ///< header, words, hints

void put(uint64_t *at, uint64_t value) noexcept { __atomic_store_n(at, value, __ATOMIC_RELAXED); }
uint64_t get(uint64_t const *at) noexcept { return __atomic_load_n(at, __ATOMIC_RELAXED); }

/// What a mistake or an attacker would like to write.
uint64_t some_value(Random &random, uint64_t old, uint64_t other) noexcept
{
    switch (random.below(8)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return random.next();
    case 3:
        return old + 1;
    case 4:
        return old - random.below(3);
    case 5:
        return other;
    case 6:
        return random.below(1024);
    default:
        return old ^ uint64_t { 1 } << random.below(64);
    }
}
} // namespace

Victim::~Victim()
{
    leave();
    if (base_ != nullptr)
        munmap(base_, size_);
    for (unsigned i = 0; i < kGuards; ++i)
        if (guard_[i] != nullptr)
            munmap(guard_[i], guard_bytes_[i]);
}

void Victim::make(uint64_t capacity) noexcept
{
    weir_matrix_options options = WEIR_MATRIX_OPTIONS_INIT;
    options.capacity = capacity;
    options.participants = 16;
    options.stall_ns = 1000000;
    if (int const r = CALL(weir_matrix_create(nullptr, &options, &matrix_)); r < 0)
        fail("weir_matrix_create: %s", weir_strerror(r));
    struct stat status {};
    fstat(weir_matrix_fd(matrix_), &status);
    size_ = static_cast<uint64_t>(status.st_size);

    uint64_t begin = 0;
    uint64_t inode = 0;
    char line[512];
    std::FILE *const maps = std::fopen("/proc/self/maps", "r");
    while (maps != nullptr && std::fgets(line, sizeof line, maps) != nullptr)
        if (std::sscanf(line, "%" SCNx64 "-%*x %*s %*x %*x:%*x %" SCNu64, &begin, &inode) == 2 &&
            inode == status.st_ino)
            library_ = reinterpret_cast<std::byte *>(begin);
    if (maps != nullptr)
        std::fclose(maps);
    if (library_ == nullptr)
        fail("the library's mapping is not in /proc/self/maps");
    guard(); // first, or our own mapping would lie there
    void *const mapped =
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, weir_matrix_fd(matrix_), 0);
    if (mapped == MAP_FAILED)
        fail("the segment cannot be mapped");
    base_ = static_cast<std::byte *>(mapped);
    std::memcpy(pristine_, base_, sizeof pristine_);
    look_at_limits();
}

/// As much forbidden memory as fits, before and behind the library's mapping.
void Victim::guard() noexcept
{
    for (unsigned i = 0; i < kGuards; ++i) {
        for (uint64_t bytes = uint64_t{1} << 30; bytes >= 4096; bytes /= 2) {
            void *const where = i == 0 ? library_ - bytes : library_ + size_;
            void *const got =
                mmap(where, bytes, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
            if (got == MAP_FAILED)
                continue;
            guard_[i] = got;
            guard_bytes_[i] = bytes;
            break;
        }
    }
}

void Victim::leave() noexcept
{
    if (matrix_ != nullptr)
        CALL(weir_matrix_unref(matrix_));
    matrix_ = nullptr;
}

bool Victim::holds(void const *data, uint64_t size) const noexcept
{
    auto const at = reinterpret_cast<uint64_t>(data);
    auto const from = reinterpret_cast<uint64_t>(library_);
    return at >= from && at - from <= size_ && size <= size_ - (at - from);
}

uint64_t *Victim::word_at(uint64_t offset) const noexcept
{
    return reinterpret_cast<uint64_t *>(base_ + (offset & ~uint64_t{7}));
}

void Victim::mend() noexcept { std::memcpy(base_, pristine_, offsetof(Header, next_slot)); }

void Victim::look_at_limits() noexcept
{
    for (unsigned i = 0; i < 3; ++i)
        limits_[i] = get(word_at(offsetof(Header, sector_limit) + 64 * i));
}

void Victim::mend_limits() noexcept
{
    for (unsigned i = 0; i < 3; ++i)
        put(word_at(offsetof(Header, sector_limit) + 64 * i), limits_[i]);
}

// ---- where

uint64_t Victim::sector_word(Random &random) const noexcept
{
    auto const &header = *reinterpret_cast<Header const *>(pristine_);
    uint64_t const index = random.below(3);
    weir::SectorDescriptor const &sector = header.sector[index];
    uint64_t const limit = get(word_at(offsetof(Header, sector_limit) + 64 * index));
    uint64_t const there = limit < sector.max_granules ? limit : sector.max_granules;
    uint64_t const tables = index < 2 ? header.sector[index + 1].words : header.sector[0].data;
    switch (random.below(8)) {
    case 0:
        return sector.map + 8 * random.below(4);
    case 1:
        return sector.hints + random.below(tables - sector.hints);
    case 2:
        return sector.hints + 8 * random.below(there / 64 + 1);
    default:
        // Blocks are taken from the right: look at both ends as well as in the middle.
        return sector.words + 8 * (random.one_in(4) ? random.below(there < 64 ? there + 1 : 64)
                                   : random.one_in(2)
                                       ? there - random.below(there < 64 ? there + 1 : 64)
                                       : random.below(sector.max_granules));
    }
}

uint64_t Victim::channel() const noexcept
{
    return object(kChannelRoot, sizeof(weir::ChannelHeader) + 128 * 64);
}

uint64_t Victim::pool() const noexcept { return object(kPoolRoot, kPoolBytes); }

uint64_t Victim::object(uint64_t kind, uint64_t bytes) const noexcept
{
    auto const &header = *reinterpret_cast<Header const *>(pristine_);
    for (uint64_t i = 0; i < header.roots; ++i) {
        uint64_t const entry = header.roots_offset + i * sizeof(weir::RootEntry);
        uint64_t const at = get(word_at(entry + 8)) & kOffsetMask;
        if ((get(word_at(entry)) >> 52 & 0xff) == kind && at != 0 && at <= size_ - bytes)
            return at;
    }
    return 0;
}

uint64_t Victim::table_word(Random &random) const noexcept
{
    auto const &header = *reinterpret_cast<Header const *>(pristine_);
    uint64_t const slots = header.participants;
    switch (random.below(19)) {
    case 18:
        return header.exchange_offset +
               random.below(weir::kExchangeRacks * sizeof(weir::ExchangeRack));
    case 16:
    case 17:
        if (uint64_t const at = pool(); at != 0)
            return at + random.below(random.one_in(2) ? sizeof(weir::PoolHeader) : kPoolBytes);
        return sector_word(random);
    case 0:
        return random.below(sizeof(Header));
    case 1:
        return offsetof(Header, next_slot) +
               random.below(sizeof(Header) - offsetof(Header, next_slot));
    case 2:
        return header.participants_offset + sizeof(weir::ParticipantSlot) * random.below(slots);
    case 3:
        return header.windows_offset + random.below(header.roots_offset - header.windows_offset);
    case 4:
        return header.roots_offset + random.below(8 * sizeof(weir::RootEntry));
    case 5:
        return header.roots_offset + random.below(header.roots * sizeof(weir::RootEntry));
    case 6:
    case 7:
    case 8:
        if (uint64_t const at = channel(); at != 0)
            return at + random.below(sizeof(weir::ChannelHeader) + 65 * sizeof(weir::Cell));
        return sector_word(random);
    default:
        return sector_word(random);
    }
}

// ---- what

void Victim::flip(Random &random) noexcept
{
    uint64_t *const at = word_at(table_word(random));
    for (uint64_t i = 1 + random.below(3); i-- > 0;)
        __atomic_fetch_xor(at, uint64_t{1} << random.below(64), __ATOMIC_RELAXED);
}

void Victim::scribble(Random &random, bool everywhere) noexcept
{
    uint64_t const to = everywhere && random.one_in(2) ? random.below(size_) : table_word(random);
    uint64_t const from = random.one_in(2) ? table_word(random) : to + 8;
    uint64_t *const at = word_at(to);
    if (random.one_in(6))
        put(at, plausible_head(random, static_cast<unsigned>(random.below(3))));
    else
        put(at, some_value(random, get(at), get(word_at(from < size_ ? from : to))));
}

uint64_t Victim::plausible_head(Random &random, unsigned sector) const noexcept
{
    constexpr Kind kKinds[] = {Kind::interior, Kind::tail,     Kind::free,
                               Kind::free,     Kind::claimed,  Kind::allocated,
                               Kind::cached,   Kind::resizing, Kind::trimmed};
    uint64_t const most = random.one_in(3) ? limits_[sector] + 1 : 20;
    return BlockWord::of(kKinds[random.below(9)], random.one_in(8) ? 1 : 0,
                         static_cast<uint32_t>(random.below(18)),
                         static_cast<uint32_t>(random.below(4)),
                         static_cast<uint32_t>(random.below(most)))
        .raw;
}

void Victim::attack(Random &random, unsigned kind) noexcept
{
    auto const &header = *reinterpret_cast<Header const *>(pristine_);
    uint64_t const sector = random.below(3);
    weir::SectorDescriptor const &of = header.sector[sector];
    uint64_t const limit = offsetof(Header, sector_limit) + 64 * sector;
    uint64_t const owner = random.below(header.participants + 2);
    uint64_t const slot = header.participants_offset + random.below(header.participants) * 64;
    switch (kind) {
    case 0: // the limit goes up and down, and what is counted as trimmed
        if (random.one_in(4))
            put(word_at(limit + 8), random.next() >> random.below(64));
        put(word_at(limit), random.one_in(2) ? 0 : random.below(2 * of.max_granules));
        return;
    case 1: // dead participants come and come
        put(word_at(slot), weir::SlotWord::of(static_cast<weir::SlotState>(random.below(3)),
                                              static_cast<uint32_t>(random.below(4)),
                                              static_cast<uint32_t>(random.below(18)),
                                              static_cast<uint32_t>(random.below(4)))
                               .raw);
        return;
    case 2: // a window stays open, while tails are wrong
        __atomic_fetch_add(word_at(header.windows_offset + 64 * random.below(64)), 1,
                           __ATOMIC_RELAXED);
        __atomic_fetch_xor(word_at(of.words + 8 * random.below(limits_[sector] + 1)), 1,
                           __ATOMIC_RELAXED);
        return;
    case 3: // somebody has the tickets
        put(word_at(offsetof(Header, growth) + 64 * random.below(2)), random.next() << 16 | owner);
        return;
    case 4: // each hint is set
        put(word_at(of.hints + 8 * random.below(limits_[sector] / 64 + 1)), UINT64_MAX);
        put(word_at(of.map + 8 * random.below(4)), UINT64_MAX);
        return;
    case 5: // heads wherever one looks
        for (unsigned i = 0; i < 16; ++i)
            put(word_at(of.words + 8 * random.below(limits_[sector] + 1)),
                plausible_head(random, static_cast<unsigned>(sector)));
        return;
    case 6: { // the directory
        uint64_t const entry = header.roots_offset + 256 * random.below(6);
        put(word_at(entry), random.below(6) << 60 | random.below(6) << 52 | owner << 36);
        if (random.one_in(2))
            put(word_at(entry + 80 + 8 * random.below(16)), random.one_in(2) ? 0 : random.next());
        return;
    }
    case 7: // the limit stays where it was: growth does not help
        put(word_at(limit), limits_[sector] / 2);
        put(word_at(of.map), 0);
        return;
    case kForgetSleepers: // whoever waits for memory is called back, or forgotten
        __atomic_fetch_add(reinterpret_cast<uint32_t *>(base_ + offsetof(Header, memory)),
                           random.one_in(2) ? 2 : 1, __ATOMIC_RELAXED);
        return;
    default:
        if (uint64_t const at = channel(); at != 0)
            attack_channel(random, kind, at);
    }
}

void Victim::attack_channel(Random &random, unsigned kind, uint64_t at) noexcept
{
    using weir::ChannelHeader;
    using weir::Level;
    uint64_t const level = at + sizeof(ChannelHeader);
    uint64_t const cell = level + sizeof(Level) + 64 * random.below(65);
    switch (kind) {
    case 8: // whoever wants to sleep is called back
    {
        uint64_t const words[] = {at + offsetof(ChannelHeader, items),
                                  at + offsetof(ChannelHeader, watchers),
                                  level + offsetof(Level, room)};
        __atomic_fetch_add(reinterpret_cast<uint32_t *>(word_at(words[random.below(3)])), 2,
                           __ATOMIC_RELAXED);
        return;
    }
    case 9: // the hints are far away
        put(word_at(level + (random.one_in(2) ? offsetof(Level, tail) : offsetof(Level, head))),
            random.one_in(2) ? random.next() : random.below(100000));
        return;
    case 10: // cells far ahead
        put(word_at(cell), CellWord::of(Phase::empty, uint64_t{1} << 43).raw);
        return;
    case 11: // cells in any state
        put(word_at(cell), CellWord::of(static_cast<Phase>(random.below(8)), random.below(100),
                                        static_cast<uint32_t>(random.below(18)),
                                        static_cast<unsigned>(random.below(3)))
                               .raw);
        return;
    case 12: // lengths and refs
        put(word_at(cell + 8 + 8 * random.below(2)), random.next() >> random.below(64));
        return;
    default: // the header of the channel
        put(word_at(at + 8 * random.below(8)), random.next() >> random.below(64));
    }
}

} // namespace hostile
