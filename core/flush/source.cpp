// SPDX-License-Identifier: MIT OR Apache-2.0
// Walking over the caller's memory, record by record and piece by piece.
#include "core/flush/source.hpp"

#include "core/base/base.hpp"

#include <cerrno>

namespace weir {
namespace {
/// A fragment smaller than that is not worth its header.
constexpr uint64_t kSmallestFragment = 2 * kRecordHeader;

void touch(Part const &part) noexcept
{
    auto const *const bytes = static_cast<char const volatile *>(part.data);
    for (uint64_t at = 0; at < part.length; at += kPage)
        static_cast<void>(bytes[at]);
    static_cast<void>(bytes[part.length - 1]);
}
} // namespace

Source::Source(Part const *parts, size_t count, bool each) noexcept
    : parts_(parts), count_(count), each_(each)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count && parts != nullptr; ++i) {
        total += smaller<uint64_t>(parts[i].length, kLargestRecord + 1); // check() says no to that
        bytes_ += each ? record_bytes(parts[i].length) : 0;
    }
    if (!each)
        bytes_ = record_bytes(total);
    left_ = each && count != 0 && parts != nullptr ? parts[0].length : total;
    records_left_ = each ? count : 1;
}

int Source::check(uint64_t most) const noexcept
{
    if (parts_ == nullptr || count_ == 0)
        return -EINVAL;
    uint64_t total = 0;
    for (size_t i = 0; i < count_; ++i) {
        if (parts_[i].length > most || total > most)
            return -EMSGSIZE;
        if (parts_[i].data == nullptr && parts_[i].length != 0)
            return -EINVAL;
        total += parts_[i].length;
    }
    if (total > most)
        return -EMSGSIZE;
    for (size_t i = 0; i < count_; ++i)
        if (parts_[i].length != 0)
            touch(parts_[i]);
    return 0;
}

Piece Source::next(uint64_t space, uint64_t split_from) const noexcept
{
    Piece piece;
    uint64_t const need = record_bytes(left_);
    bool const fits = need <= space;
    bool const splits = need > split_from && space >= kRecordHeader + kSmallestFragment;
    if (done() || (!fits && !splits)) {
        piece.type = kPad;
        piece.flags = kWhole;
        piece.bytes = space;
        piece.length = static_cast<uint32_t>(space - kRecordHeader);
        return piece;
    }
    piece.bytes = fits ? need : space;
    piece.length = static_cast<uint32_t>(fits ? left_ : space - kRecordHeader);
    piece.tag = parts_[each_ ? at_ : 0].tag;
    bool const begins = !begun_, ends = fits;
    bool const begins_group = each_ && begins && !group_begun_;
    bool const ends_group = each_ && ends && records_left_ == 1;
    piece.flags =
        static_cast<uint8_t>((begins ? kFirst : 0) | (ends ? kLast : 0) |
                             (begins_group ? kGroupBegin : 0) | (ends_group ? kGroupEnd : 0));
    return piece;
}

void Source::copy(Piece const &piece, std::byte *to, Crc32c &sum) noexcept
{
    uint64_t left = piece.type == kPad ? 0 : piece.length;
    size_t part = at_;
    uint64_t in_part = in_part_;
    while (left != 0) {
        uint64_t const here = smaller(left, parts_[part].length - in_part);
        sum.copy(to, static_cast<std::byte const *>(parts_[part].data) + in_part, here);
        to += here;
        left -= here;
        in_part += here;
        if (in_part == parts_[part].length) {
            ++part;
            in_part = 0;
        }
    }
    if (piece.type == kPad)
        sum.add_zeros(piece.length);
    else
        sum.add_zeros(piece.bytes - kRecordHeader - piece.length);
}

void Source::advance(Piece const &piece, Lsn lsn) noexcept
{
    if (piece.type == kPad)
        return;
    if (!begun_)
        lsn_ = lsn;
    begun_ = group_begun_ = true;
    uint64_t const before = record_bytes(left_);
    left_ -= piece.length;
    if ((piece.flags & kLast) != 0) {
        bytes_ -= before;
        --records_left_;
        begin_record();
        return;
    }
    bytes_ -= before - record_bytes(left_);
    for (uint64_t left = piece.length; left != 0;) {
        uint64_t const here = smaller(left, parts_[at_].length - in_part_);
        left -= here;
        in_part_ += here;
        if (in_part_ == parts_[at_].length && !each_) {
            ++at_;
            in_part_ = 0;
        }
    }
}

void Source::begin_record() noexcept
{
    begun_ = false;
    in_part_ = 0;
    if (each_ && records_left_ != 0)
        left_ = parts_[++at_].length;
}

uint64_t Source::rest_after(uint64_t space, uint64_t split_from) const noexcept
{
    Source trial = *this;
    while (space != 0 && !trial.done()) {
        Piece const piece = trial.next(space, split_from);
        trial.advance(piece, 0);
        space -= piece.bytes;
    }
    return trial.bytes();
}

} // namespace weir
