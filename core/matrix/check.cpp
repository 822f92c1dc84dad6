// SPDX-License-Identifier: MIT OR Apache-2.0
// Checks every invariant of matrix.hpp on the segment as it is, while others may work.
#include "core/base/alloc.hpp"
#include "core/base/clock.hpp"
#include "core/matrix/matrix.hpp"
#include "core/matrix/roots.hpp"
#include "core/matrix/walker.hpp"
#include "core/matrix/window.hpp"

#include <cstring>

namespace weir {

/// Refs that a root or a channel names: a sorted array.
class RefSet {
  public:
    RefSet() noexcept = default;
    RefSet(RefSet const &) = delete;
    RefSet &operator=(RefSet const &) = delete;
    ~RefSet() { deallocate(refs_); }

    void add(uint64_t ref) noexcept
    {
        if (count_ == room_ && !enlarge())
            return;
        refs_[count_++] = ref;
    }
    bool complete() const noexcept { return !failed_; }
    uint64_t const *begin() const noexcept { return refs_; }
    uint64_t const *end() const noexcept { return refs_ + count_; }

    void sort() noexcept // heap sort: no recursion, no library
    {
        for (size_t i = count_ / 2; i-- > 0;)
            sink(i, count_);
        for (size_t n = count_; n > 1; --n) {
            swap(0, n - 1);
            sink(0, n - 1);
        }
    }
    bool has(uint64_t ref) const noexcept
    {
        size_t low = 0;
        for (size_t high = count_; low < high;) {
            size_t const middle = (low + high) / 2;
            if (refs_[middle] < ref)
                low = middle + 1;
            else
                high = middle;
        }
        return low < count_ && refs_[low] == ref;
    }

  private:
    bool enlarge() noexcept
    {
        size_t const more = room_ == 0 ? 256 : room_ * 2;
        auto *const next = static_cast<uint64_t *>(allocate(more * sizeof *refs_));
        failed_ = failed_ || next == nullptr;
        if (next == nullptr)
            return false;
        if (count_ != 0)
            std::memcpy(next, refs_, count_ * sizeof *refs_);
        deallocate(refs_);
        refs_ = next;
        room_ = more;
        return true;
    }
    void swap(size_t a, size_t b) noexcept
    {
        uint64_t const kept = refs_[a];
        refs_[a] = refs_[b];
        refs_[b] = kept;
    }
    void sink(size_t at, size_t count) noexcept
    {
        for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
            if (child + 1 < count && refs_[child] < refs_[child + 1])
                ++child;
            if (refs_[at] >= refs_[child])
                return;
            swap(at, child);
            at = child;
        }
    }

    uint64_t *refs_ = nullptr;
    size_t count_ = 0;
    size_t room_ = 0;
    bool failed_ = false;
};

namespace {
void note_error(CheckReport &report, uint64_t &counter, uint64_t offset) noexcept
{
    ++counter;
    if (report.first_error_offset == 0)
        report.first_error_offset = offset;
}

/// Milliseconds that one check waits for others to come to rest, over all findings.
constexpr uint64_t kMostWaits = 200;

/// Whether a finding is an error and not somebody's half-done work: it must hold at a moment when
/// no window is open. What never comes to rest is `unsettled`.
template <class Holds>
bool confirmed(Participants const &people, CheckReport &report, Holds holds) noexcept
{
    for (; report.waits < kMostWaits; ++report.waits) {
        Snapshot const before = Snapshot::take(people);
        if (!holds())
            return false;
        if (before.quiet() && Snapshot::take(people).begun == before.begun)
            return true;
        sleep_for(kMillisecond);
    }
    ++report.unsettled;
    return false;
}

struct Collector {
    RefSet *named;
    CheckReport *report;
};

/// A ref of 0: a place that should name a block does not.
void collect_ref(void *userdata, Ref ref) noexcept
{
    auto const &collector = *static_cast<Collector *>(userdata);
    if (ref.value == 0)
        note_error(*collector.report, collector.report->dangling, 0);
    else
        collector.named->add(ref.value);
}

/// Whether a root is still what it was when we looked.
bool still_there(Matrix &matrix, RootInfo const &root) noexcept
{
    return Directory(matrix).each([&](RootInfo const &now) {
        return now.ref == root.ref && std::memcmp(now.name, root.name, sizeof now.name) == 0;
    }) != 0;
}
} // namespace

Status Matrix::check(bool repair, CheckReport &ret) noexcept
{
    if (repair && segment_.read_only())
        return error(EROFS);
    CheckReport report;
    RefSet named;
    Collector collector{&named, &report};
    Directory(*this).each([&](RootInfo const &info) {
        if (find({info.ref}).ok())
            collect_ref(&collector, {info.ref});
        else if (!still_there(*this, info))
            return 0;
        else if (info.kind == RootKind::block)
            ++report.freed_roots; // whoever has the ref may free the block
        else
            collect_ref(&collector, {});
        return 0;
    });
    Directory(*this).visit(collect_ref, &collector);
    if (!named.complete())
        return error(ENOMEM);
    named.sort();
    for (Sector &sector : sectors_)
        check_sector(sector, repair, named, report);
    ret = report;
    return Status{static_cast<int>(report.broken_chains + report.wrong_tails +
                                   report.unmerged_pairs + report.unfindable + report.miscounted -
                                   report.repaired + report.dangling)};
}

void Matrix::check_sector(Sector &sector, bool repair, RefSet const &named,
                          CheckReport &report) noexcept
{
    OnwardWalker walk(sector);
    Granule at;
    BlockWord word;
    while (walk.next(at, word)) {
        ++report.blocks;
        check_block(sector, {at, word.granules()}, word, repair, report);
        if (word.is_users())
            count_block(sector, at, word, named, report);
    }
    if (walk.blocked())
        note_error(report, report.broken_chains, sector.offset_of(walk.position()));
    else
        check_trimmed(sector, repair, report);
}

/// The sector's count of TRIMMED granules, on which the capacity rests.
void Matrix::check_trimmed(Sector &sector, bool repair, CheckReport &report) noexcept
{
    auto const wrong = [&] { return sector.count_trimmed() != sector.trimmed(); };
    if (!wrong() || !confirmed(participants_, report, wrong))
        return;
    note_error(report, report.miscounted, sector.offset_of(0));
    if (!repair || !take_ticket(segment_.header().growth).ok())
        return;
    sector.set_trimmed(sector.count_trimmed());
    give_ticket(segment_.header().growth);
    ++report.repaired;
}

void Matrix::check_block(Sector &sector, Run run, BlockWord word, bool repair,
                         CheckReport &report) noexcept
{
    uint64_t const offset = sector.offset_of(run.head);
    // seq_cst here and below: a slow path, and the strongest view there is
    auto const unchanged = [&] { return sector.word(run.head, seq_cst) == word; };
    auto const tail_wrong = [&] {
        BlockWord const tail = sector.word(run.end() - 1, seq_cst);
        return !tail.is(Kind::tail) || tail.granules() != run.length;
    };
    bool const settled = !word.is(Kind::claimed) && !word.is(Kind::resizing);
    if (settled && run.length > 1 && tail_wrong() &&
        confirmed(participants_, report, [&] { return unchanged() && tail_wrong(); }))
        note_error(report, report.wrong_tails, offset);
    if (word.is(Kind::trimmed))
        report.trimmed_bytes += sector.bytes_of(run.length);
    if (!word.is(Kind::free))
        return;

    report.free_bytes += sector.bytes_of(run.length); // seq_cst from here on as above
    auto const pair = [&] {
        return run.end() < sector.limit() && sector.word(run.end(), seq_cst).is(Kind::free);
    };
    if (pair() && confirmed(participants_, report, [&] { return unchanged() && pair(); }))
        note_error(report, report.unmerged_pairs, offset);
    if (sector.findable(run) ||
        !confirmed(participants_, report, [&] { return unchanged() && !sector.findable(run); }))
        return;
    note_error(report, report.unfindable, offset);
    if (repair) {
        sector.ensure_hints(run);
        ++report.repaired;
    }
}

void Matrix::count_block(Sector &sector, Granule at, BlockWord word, RefSet const &named,
                         CheckReport &report) noexcept
{
    uint64_t const bytes = sector.bytes_of(word.granules());
    ++report.used_blocks;
    report.used_bytes += bytes;
    if (word.owner() != kNobody) {
        report.dead_blocks += participants_.is_alive(word.owner(), me()) ? 0 : 1;
    } else if (!named.has(make_ref(sector, at, word).value)) {
        ++report.orphans;
        report.orphan_bytes += bytes;
    }
}

} // namespace weir
