// SPDX-License-Identifier: MIT OR Apache-2.0
// What scenarios have in common: the table of all, names for traces, and the image that they share.
#include "tests/explore/explorer.hpp"
#include "tests/explore/scheduler.hpp"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weir::explore {

std::vector<Entry> &scenarios()
{
    static std::vector<Entry> all;
    return all;
}

std::string Scenario::name_of(void const *address) const
{
    auto const *const at = static_cast<char const *>(address);
    for (auto const &named : names_) {
        if (at < named.begin || at >= named.begin + named.count * named.size)
            continue;
        auto const offset = static_cast<std::size_t>(at - named.begin);
        std::string text = named.label;
        if (named.count > 1)
            text += '[' + std::to_string(offset / named.size) + ']';
        if (offset % named.size != 0)
            text += '+' + std::to_string(offset % named.size);
        return text;
    }
    return "image+" + std::to_string(at - S.image);
}

void Scenario::name(void const *begin, std::size_t count, std::size_t size, std::string label)
{
    names_.push_back({static_cast<char const *>(begin), count, size, std::move(label)});
}

std::string Scenario::value_of(void const *, uint64_t value) const
{
    char text[40];
    std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(value));
    return text;
}

char *Scenario::reserve_image(std::size_t size, std::size_t live)
{
    constexpr std::size_t kAlign = 65536;
    std::size_t const rounded = (size + kAlign - 1) / kAlign * kAlign;
    S.image = static_cast<char *>(std::aligned_alloc(kAlign, rounded));
    std::memset(S.image, 0, rounded);
    S.image_size = live;
    S.touch.assign(live / kWordSize + 1, Touch{});
    S.frozen = S.touch;
    S.watched.assign(S.touch.size(), 0);
    return S.image;
}

void *Scenario::make_pages(std::size_t size)
{
    void *const made =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED) {
        std::perror("explore: pages");
        std::abort();
    }
    return made;
}

void Scenario::keep(void *object, std::size_t size, bool own_pages)
{
    S.areas.push_back({static_cast<char *>(object), std::vector<char>(size), own_pages, {}});
}

void Scenario::watch(void const *begin, void const *end)
{
    for (std::size_t i = index_of(begin); i < index_of(end); i++)
        S.watched[i] = 1;
}

} // namespace weir::explore
