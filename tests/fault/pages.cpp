// SPDX-License-Identifier: MIT OR Apache-2.0
// Pages that are shared until they are written.
#include "tests/fault/pages.hpp"

#include <algorithm>
#include <cstring>

namespace fault {

namespace {
/// Calls `each` with the page, the offset in it and the bytes of every piece.
template <class Each> void pieces(uint64_t offset, uint64_t length, Each each)
{
    for (uint64_t const end = offset + length; offset < end;) {
        uint64_t const at = offset % kPageBytes, bytes = std::min(kPageBytes - at, end - offset);
        each(static_cast<size_t>(offset / kPageBytes), at, bytes);
        offset += bytes;
    }
}
} // namespace

Pages::Page *Pages::take()
{
    auto *const page = new Page; // its bytes are what they happen to be
    page->uses = 1;
    return page;
}

void Pages::give_back(Page *page) { delete page; }

uint8_t *Pages::Share::own(bool keep)
{
    if (page_ != nullptr && page_->uses == 1)
        return page_->bytes;
    Page *const made = take();
    if (keep && page_ != nullptr)
        memcpy(made->bytes, page_->bytes, kPageBytes);
    else if (keep)
        memset(made->bytes, 0, kPageBytes);
    if (page_ != nullptr)
        --page_->uses;
    page_ = made;
    return made->bytes;
}

uint64_t Pages::used_of(size_t page) const
{
    uint64_t const begin = page * kPageBytes;
    return begin >= size_ ? 0 : std::min(kPageBytes, size_ - begin);
}

void Pages::resize(uint64_t size)
{
    pages_.resize((size + kPageBytes - 1) / kPageBytes);
    uint64_t const rest = size % kPageBytes;
    if (size < size_ && rest != 0 && pages_.back().bytes() != nullptr)
        memset(pages_.back().own(true) + rest, 0, kPageBytes - rest);
    size_ = size;
}

void Pages::read(uint64_t offset, void *data, size_t length) const
{
    auto *to = static_cast<uint8_t *>(data);
    pieces(offset, length, [&](size_t page, uint64_t at, uint64_t bytes) {
        uint8_t const *const from = page < pages_.size() ? pages_[page].bytes() : nullptr;
        if (from != nullptr)
            memcpy(to, from + at, bytes);
        else
            memset(to, 0, bytes);
        to += bytes;
    });
}

void Pages::write(uint64_t offset, void const *data, size_t length)
{
    auto const *from = static_cast<uint8_t const *>(data);
    pieces(offset, length, [&](size_t page, uint64_t at, uint64_t bytes) {
        if (from == nullptr && bytes == kPageBytes) {
            pages_[page] = Share();
            return;
        }
        uint8_t *const to = pages_[page].own(bytes != kPageBytes) + at;
        if (from == nullptr) {
            memset(to, 0, bytes);
            return;
        }
        memcpy(to, from, bytes);
        from += bytes;
    });
}

void Pages::copy(Pages const &from, uint64_t offset, uint64_t length)
{
    pieces(offset, length, [&](size_t page, uint64_t at, uint64_t bytes) {
        uint64_t const used = used_of(page);
        if (at == 0 && bytes >= used && used == from.used_of(page)) {
            pages_[page] = from.pages_[page];
            return;
        }
        uint8_t *const to = pages_[page].own(true) + at;
        from.read(page * kPageBytes + at, to, bytes);
    });
}

bool Pages::operator==(Pages const &other) const
{
    if (size_ != other.size_)
        return false;
    static constexpr uint8_t kZeros[kPageBytes] = {};
    for (size_t i = 0; i < pages_.size(); ++i) {
        if (pages_[i].same_as(other.pages_[i]))
            continue;
        uint8_t const *const a = pages_[i].bytes(), *const b = other.pages_[i].bytes();
        if (memcmp(a == nullptr ? kZeros : a, b == nullptr ? kZeros : b, kPageBytes) != 0)
            return false;
    }
    return true;
}

} // namespace fault
