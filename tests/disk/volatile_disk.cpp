// SPDX-License-Identifier: MIT OR Apache-2.0
// The journal, and images of power cuts.
#include "tests/disk/volatile_disk.hpp"

#include <fcntl.h>

#include <algorithm>

namespace disk {
namespace {

constexpr uint64_t kEntries = 1 << 20;
constexpr uint64_t kData = uint64_t{4} << 30;

/// Shared with children, zeros, and no memory before it is touched.
char *reserve(uint64_t length)
{
    void *const place = mmap(nullptr, length, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return place == MAP_FAILED ? nullptr : static_cast<char *>(place);
}

} // namespace

char const *name_of(Keep keep)
{
    constexpr char const *kNames[kKeeps] = {"none",   "all",  "all but one", "only one",
                                            "prefix", "some", "torn"};
    return kNames[static_cast<unsigned>(keep)];
}

VolatileDisk *VolatileDisk::make(uint64_t size)
{
    auto *const disk = new VolatileDisk;
    disk->size_ = size;
    disk->shared_ = reinterpret_cast<Shared *>(reserve(sizeof(Shared)));
    disk->entries_ = reinterpret_cast<Entry *>(reserve(kEntries * sizeof(Entry)));
    disk->data_ = reserve(kData);
    disk->start_ = reserve(size);
    disk->stable_ = reserve(size);
    disk->now_ = reserve(size);
    bool const all = disk->shared_ != nullptr && disk->entries_ != nullptr &&
                     disk->data_ != nullptr && disk->start_ != nullptr &&
                     disk->stable_ != nullptr && disk->now_ != nullptr;
    return all ? disk : nullptr;
}

// ---- the server's side

bool VolatileDisk::add(Kind kind, uint64_t offset, char const *data, uint64_t length)
{
    uint64_t const count = shared_->count.load(std::memory_order_relaxed);
    uint64_t const stored = data == nullptr ? 0 : length;
    if (count == kEntries || stored > kData - shared_->bytes || offset > size_ ||
        length > size_ - offset)
        return false;
    entries_[count] = {offset, length, shared_->bytes, kind};
    if (stored != 0)
        memcpy(data_ + shared_->bytes, data, stored);
    shared_->bytes += stored;
    if (kind == Kind::write || kind == Kind::zero)
        put(entries_[count], now_);
    shared_->count.store(count + 1, std::memory_order_release); // pairs with position()
    return true;
}

bool VolatileDisk::write(uint64_t offset, char const *data, uint64_t length)
{
    return add(Kind::write, offset, data, length);
}

bool VolatileDisk::zero(uint64_t offset, uint64_t length)
{
    return add(Kind::zero, offset, nullptr, length);
}

bool VolatileDisk::flush()
{
    uint64_t const number = shared_->asked++;
    bool const lies = shared_->lies != 0 && Random(number).below(shared_->lies) == 0;
    return add(lies ? Kind::lie : Kind::flush, 0, nullptr, 0);
}

// ---- images

void VolatileDisk::put(Entry const &entry, char *to, uint64_t from, uint64_t length) const
{
    if (entry.kind == Kind::zero)
        memset(to + entry.offset + from, 0, length);
    else
        memcpy(to + entry.offset + from, data_ + entry.data + from, length);
}

void VolatileDisk::copy(Entry const &entry, char const *from, char *to) const
{
    memcpy(to + entry.offset, from + entry.offset, entry.length);
}

bool VolatileDisk::writes(uint64_t i) const
{
    return entries_[i].kind == Kind::write || entries_[i].kind == Kind::zero;
}

/// Entries that a flush before `at` covers.
uint64_t VolatileDisk::covered(uint64_t at) const
{
    while (at > stable_count_ && entries_[at - 1].kind != Kind::flush)
        --at;
    return at;
}

void VolatileDisk::clear()
{
    for (char *copy : {start_, stable_, now_})
        madvise(copy, size_, MADV_REMOVE);
    shared_->bytes = 0;
    shared_->asked = 0;
    shared_->count.store(0, std::memory_order_release);
    stable_count_ = 0;
}

void VolatileDisk::settle()
{
    for (uint64_t i = 0; i < position(); ++i) {
        copy(entries_[i], now_, start_);
        copy(entries_[i], now_, stable_);
    }
    shared_->bytes = 0;
    shared_->count.store(0, std::memory_order_release);
    stable_count_ = 0;
}

void VolatileDisk::rewind()
{
    behind_ = position();
    bytes_behind_ = shared_->bytes;
    for (uint64_t i = 0; i < behind_; ++i) {
        copy(entries_[i], start_, stable_);
        copy(entries_[i], start_, now_);
    }
    stable_count_ = 0;
}

/// A tear: any of its sectors, or those up to one.
void VolatileDisk::put_torn(Entry const &entry, Random &random)
{
    uint64_t const sectors = entry.length / kSector;
    bool const any = random.below(2) == 0;
    uint64_t const limit = random.below(sectors + 1);
    for (uint64_t i = 0; i < sectors; ++i)
        if (any ? random.below(2) == 0 : i < limit)
            put(entry, now_, i * kSector, kSector);
}

void VolatileDisk::show(Cut const &cut)
{
    uint64_t const until = covered(cut.at);
    for (; stable_count_ < until; ++stable_count_)
        if (writes(stable_count_)) {
            put(entries_[stable_count_], stable_);
            put(entries_[stable_count_], now_);
        }
    shown_ = cut.at;
    Random random(cut.seed);
    uint64_t const open = open_writes(cut.at);
    uint64_t const one = open == 0 ? 0 : random.below(open);
    uint64_t number = 0;
    for (uint64_t i = until; i < cut.at; ++i) {
        if (!writes(i))
            continue;
        uint64_t const how = random.below(3);
        bool const whole =
            cut.keep == Keep::all || (cut.keep == Keep::all_but_one && number != one) ||
            (cut.keep == Keep::only_one && number == one) ||
            (cut.keep == Keep::prefix && number < one) || (cut.keep == Keep::some && how == 0) ||
            (cut.keep == Keep::torn && how == 1);
        if (whole)
            put(entries_[i], now_);
        else if (cut.keep == Keep::torn && how == 2)
            put_torn(entries_[i], random);
        ++number;
    }
}

void VolatileDisk::hide()
{
    uint64_t const end = position();
    for (uint64_t i = stable_count_; i < shown_; ++i)
        copy(entries_[i], stable_, now_);
    for (uint64_t i = behind_; i < end; ++i)
        copy(entries_[i], stable_, now_);
    shared_->bytes = bytes_behind_;
    shared_->count.store(behind_, std::memory_order_release);
}

bool VolatileDisk::save(char const *path) const
{
    int const fd = ::open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    bool good = fd >= 0 && ftruncate(fd, static_cast<off_t>(size_)) == 0;
    constexpr uint64_t kPiece = 4096;
    static char const zeros[kPiece] = {};
    for (uint64_t at = 0; good && at < size_; at += kPiece)
        if (memcmp(now_ + at, zeros, kPiece) != 0)
            good = pwrite(fd, now_ + at, kPiece, static_cast<off_t>(at)) == kPiece;
    close(fd);
    return good;
}

uint64_t VolatileDisk::any_place(Random &random, uint64_t limit) const
{
    uint64_t place = random.below(limit + 1);
    if (random.below(2) == 0)
        while (place < limit && entries_[place].kind != Kind::flush)
            ++place;
    return place;
}

uint64_t VolatileDisk::flushes() const
{
    return static_cast<uint64_t>(
        std::count_if(entries_, entries_ + position(), [](Entry const &entry) {
            return entry.kind == Kind::flush || entry.kind == Kind::lie;
        }));
}

uint64_t VolatileDisk::open_writes(uint64_t at) const
{
    uint64_t open = 0;
    for (uint64_t i = covered(at); i < at; ++i)
        open += writes(i) ? 1 : 0;
    return open;
}

} // namespace disk
