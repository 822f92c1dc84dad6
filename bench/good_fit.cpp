// SPDX-License-Identifier: MIT OR Apache-2.0
// The yard-stick of good_fit.hpp.
#include "good_fit.hpp"

#include <algorithm>
#include <iterator>

namespace bench {
namespace {
constexpr unsigned kSecondBits = 5;

unsigned log2_of(std::uint64_t size) { return 63u - unsigned(__builtin_clzll(size)); }

/// The class in which a block of this size stands: rounded down.
unsigned class_of(std::uint64_t size)
{
    unsigned const first = log2_of(size);
    unsigned const second = unsigned(size >> (first - kSecondBits)) & ((1u << kSecondBits) - 1);
    return first << kSecondBits | second;
}

/// The first class all of whose blocks are large enough: rounded up.
unsigned class_for(std::uint64_t size)
{
    return class_of(size + (std::uint64_t{1} << (log2_of(size) - kSecondBits)) - 1);
}
} // namespace

GoodFit::Offset GoodFit::allocate(std::uint64_t size)
{
    std::uint64_t const need = std::max(kSmallest, (size + kHeader + kStep - 1) / kStep * kStep);
    auto const list = classes_.lower_bound(class_for(need));
    auto const part = list != classes_.end() ? parts_.find(list->second.front()) : grow(need);
    unlink(part);
    std::uint64_t const rest = part->second.size - need;
    if (rest >= kSmallest) {
        part->second.size = need;
        make_free(parts_.emplace(part->first + need, Part{rest, false, {}}).first);
    }
    return part->first;
}

void GoodFit::release(Offset offset)
{
    auto part = parts_.find(offset);
    auto const next = std::next(part);
    if (next != parts_.end() && next->second.free) {
        unlink(next);
        part->second.size += next->second.size;
        parts_.erase(next);
    }
    if (part != parts_.begin() && std::prev(part)->second.free) {
        auto const before = std::prev(part);
        unlink(before);
        before->second.size += part->second.size;
        parts_.erase(part);
        part = before;
    }
    make_free(part);
}

std::uint64_t GoodFit::largest_free() const
{
    std::uint64_t most = 0;
    for (auto const &[offset, part] : parts_)
        most = part.free ? std::max(most, part.size) : most;
    return most;
}

void GoodFit::make_free(Parts::iterator part)
{
    List &list = classes_[class_of(part->second.size)];
    list.push_front(part->first);
    part->second.free = true;
    part->second.place = list.begin();
    free_bytes_ += part->second.size;
}

void GoodFit::unlink(Parts::iterator part)
{
    auto const list = classes_.find(class_of(part->second.size));
    list->second.erase(part->second.place);
    if (list->second.empty())
        classes_.erase(list);
    part->second.free = false;
    free_bytes_ -= part->second.size;
}

/// A free part of at least `need` at the end, longer by whole steps of growth.
GoodFit::Parts::iterator GoodFit::grow(std::uint64_t need)
{
    bool const last_free = !parts_.empty() && std::prev(parts_.end())->second.free;
    std::uint64_t const have = last_free ? std::prev(parts_.end())->second.size : 0;
    std::uint64_t const missing = need > have ? need - have : kStep;
    std::uint64_t const more = (missing + kGrowth - 1) / kGrowth * kGrowth;
    auto const part = parts_.emplace(end_, Part{more, false, {}}).first;
    end_ += more;
    release(part->first);
    return std::prev(parts_.end());
}

} // namespace bench
