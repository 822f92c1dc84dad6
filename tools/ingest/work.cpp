// SPDX-License-Identifier: MIT OR Apache-2.0
// Sums up what the workers counted, and finds percentiles in their histograms.
#include "summary.hpp"

#include <algorithm>
#include <array>

namespace tool::ingest {
namespace {
using Counts = std::array<std::uint64_t, Histogram::kBuckets>;

/// The bucket's limit below which `share` of the samples lie.
std::uint64_t percentile(Counts const &counts, std::uint64_t samples, double share)
{
    auto const wanted = static_cast<std::uint64_t>(static_cast<double>(samples) * share);
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts.size(); ++bucket) {
        seen += counts[bucket];
        if (seen > wanted)
            return Histogram::limit_of(bucket);
    }
    return 0;
}
} // namespace

Work sum_up(Ledger const &ledger, std::uint32_t producers)
{
    Work work;
    Counts latency{};
    // relaxed throughout: the workers are gone
    for (std::uint32_t i = 0; i < ledger.workers(); ++i) {
        WorkerSlot const &slot = ledger.slot(i);
        for (std::size_t phase = 0; phase < kPhases; ++phase)
            work.phase_ns[phase] += slot.phase_ns[phase].load(std::memory_order_relaxed);
        std::uint64_t const redelivered = slot.redelivered.load(std::memory_order_relaxed);
        (i < producers ? work.redelivered_jobs : work.redelivered_blocks) += redelivered;
        work.full += slot.full.load(std::memory_order_relaxed);
        work.rereads += slot.rereads.load(std::memory_order_relaxed);
        for (std::size_t bucket = 0; bucket < latency.size(); ++bucket) {
            latency[bucket] += slot.latency.count(bucket);
            work.latency_samples += slot.latency.count(bucket);
        }
        work.latency_max_ns = std::max(work.latency_max_ns, slot.latency.max());
    }
    work.latency_p50_ns =
        std::min(percentile(latency, work.latency_samples, 0.50), work.latency_max_ns);
    work.latency_p99_ns =
        std::min(percentile(latency, work.latency_samples, 0.99), work.latency_max_ns);
    return work;
}

} // namespace tool::ingest
