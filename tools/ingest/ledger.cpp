// SPDX-License-Identifier: MIT OR Apache-2.0
// The ledger of an ingest: layout, creation and the two ways of recording an outcome.
#include "ledger.hpp"

#include "ingest.hpp"

#include "../error.hpp"
#include "../output.hpp"

#include <cstring>

#include <fmt/format.h>

namespace tool::ingest {

struct Ledger::Head {
    std::uint64_t magic;
    std::uint64_t files;
    std::uint64_t workers;
    std::uint64_t bytes; ///< of all, with the paths
};

namespace {
constexpr std::uint64_t kMagic = 0x315247444c454957; // "WIELDGR1"

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t step)
{
    return (value + step - 1) / step * step;
}

/// Offsets of the parts from the first byte; a block's data is aligned to 64.
struct Layout {
    std::uint64_t entries = 64;
    std::uint64_t slots;
    std::uint64_t paths;

    Layout(std::uint64_t files, std::uint64_t workers)
        : slots(round_up(entries + files * sizeof(Entry), alignof(WorkerSlot))),
          paths(slots + workers * sizeof(WorkerSlot))
    {
    }
};
} // namespace

Ledger::Ledger(char *base, std::size_t size)
{
    Head head{};
    std::memcpy(&head, base, sizeof head);
    Layout const layout(head.files, head.workers);
    if (head.magic != kMagic || head.bytes > size || layout.paths > head.bytes)
        throw Failure("the ledger of this ingest is of another version");
    files_ = head.files;
    workers_ = static_cast<std::uint32_t>(head.workers);
    entries_ = reinterpret_cast<Entry *>(base + layout.entries);
    slots_ = reinterpret_cast<WorkerSlot *>(base + layout.slots);
    paths_ = base + layout.paths;
    paths_bytes_ = head.bytes - layout.paths;
}

std::uint64_t Ledger::size_for(std::vector<std::string> const &paths, std::uint32_t workers)
{
    std::uint64_t bytes = Layout(paths.size(), workers).paths;
    for (auto const &path : paths)
        bytes += path.size();
    return bytes;
}

Ledger Ledger::create(Matrix const &matrix, std::vector<std::string> const &paths,
                      std::uint32_t workers)
{
    std::uint64_t const bytes = size_for(paths, workers);
    weir_alloc_options options = WEIR_ALLOC_OPTIONS_INIT;
    options.flags = WEIR_ALLOC_ZERO; // all atomics begin at 0
    weir_ref block = WEIR_REF_NONE;
    void *data = nullptr;
    must(weir_matrix_alloc(matrix.get(), bytes, &options, &block, &data),
         fmt::format("no room for {} of bookkeeping", human_bytes(bytes)));

    auto *const base = static_cast<char *>(data);
    Head const head{kMagic, paths.size(), workers, bytes};
    std::memcpy(base, &head, sizeof head);
    Layout const layout(paths.size(), workers);
    auto *const entries = reinterpret_cast<Entry *>(base + layout.entries);
    std::uint64_t offset = 0;
    for (std::size_t i = 0; i < paths.size(); ++i) {
        entries[i].path_offset = offset;
        entries[i].path_length = paths[i].size();
        std::memcpy(base + layout.paths + offset, paths[i].data(), paths[i].size());
        offset += paths[i].size();
    }
    must(weir_matrix_bind(matrix.get(), kLedgerRoot, block), kLedgerRoot);
    return Ledger(base, bytes);
}

Ledger Ledger::attach(Matrix const &matrix)
{
    weir_ref block = WEIR_REF_NONE;
    must(weir_matrix_lookup(matrix.get(), kLedgerRoot, &block), kLedgerRoot);
    void *data = nullptr;
    std::size_t size = 0;
    must(weir_matrix_data(matrix.get(), block, &data, &size), kLedgerRoot);
    return Ledger(static_cast<char *>(data), size);
}

std::string Ledger::path(std::uint64_t index) const
{
    Entry const &entry = entries_[index];
    if (entry.path_offset > paths_bytes_ || entry.path_length > paths_bytes_ - entry.path_offset)
        throw Failure("the ledger contradicts itself");
    return {paths_ + entry.path_offset, entry.path_length};
}

void Ledger::record_failure(std::uint64_t index, Outcome outcome) const
{
    std::uint64_t nothing = 0;
    // release: pairs with the parent's acquire of `outcome`. Losing is fine: one outcome is enough.
    entries_[index].outcome.compare_exchange_strong(
        nothing, outcome.pack(), std::memory_order_release, std::memory_order_relaxed);
}

void Ledger::record_delivery(std::uint64_t index, std::uint64_t length,
                             std::uint32_t checksum) const
{
    Entry &entry = entries_[index];
    std::uint64_t const mine = Outcome{Kind::delivered, checksum}.pack();
    std::uint64_t seen = 0;
    std::uint64_t no_length = 0;
    // Lengths are kept as length + 1, so that 0 means none. relaxed: `outcome` publishes it.
    bool const first_length =
        entry.length.compare_exchange_strong(no_length, length + 1, std::memory_order_relaxed);
    bool const same_length = first_length || no_length == length + 1;
    // release: pairs with the parent's acquire of `outcome`, which then sees the length.
    bool const first = entry.outcome.compare_exchange_strong(seen, mine, std::memory_order_release,
                                                             std::memory_order_relaxed);
    entry.deliveries.fetch_add(1, std::memory_order_relaxed); // a count
    if (!same_length || (!first && seen != mine))
        entry.conflicts.fetch_add(1, std::memory_order_relaxed); // a count
}

} // namespace tool::ingest
