// SPDX-License-Identifier: MIT OR Apache-2.0
// A map of a few numbers, in order: each schedule begins with a copy of what was there at first,
// and a copy of this one allocates nothing.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

namespace weir::explore {

/// As std::map<int, T>, but references are void when a number is added.
template <class T> class SmallMap {
  public:
    using Entry = std::pair<int, T>;

    T &operator[](int number)
    {
        auto const at = std::lower_bound(entries_.begin(), entries_.end(), number, is_before);
        if (at != entries_.end() && at->first == number)
            return at->second;
        return entries_.insert(at, Entry(number, T()))->second;
    }
    T const &at(int number) const
    {
        auto const at = std::lower_bound(entries_.begin(), entries_.end(), number, is_before);
        if (at == entries_.end() || at->first != number)
            std::abort();
        return at->second;
    }
    auto begin() { return entries_.begin(); }
    auto end() { return entries_.end(); }
    auto begin() const { return entries_.begin(); }
    auto end() const { return entries_.end(); }
    void clear() { entries_.clear(); }

  private:
    static bool is_before(Entry const &entry, int number) { return entry.first < number; }

    std::vector<Entry> entries_;
};

} // namespace weir::explore
