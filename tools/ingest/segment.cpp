// SPDX-License-Identifier: MIT OR Apache-2.0
// The segment of a run: its limits, its channels, and its end.
#include "segment.hpp"

#include "files.hpp"

#include "../error.hpp"
#include "../output.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace tool::ingest {
namespace {
constexpr std::uint64_t kStep = 64 << 10; ///< all limits are multiples of it
constexpr std::uint64_t kSmallMost = 1 << 10;
constexpr std::uint64_t kMediumMost = 1 << 20;
constexpr std::uint32_t kCells = 1024;
/// Two rings of 64-byte cells with their heads, and room for growing in steps.
constexpr std::uint64_t kChannelBytes = 512 << 10;
constexpr std::uint32_t kSpareParticipants = 64; ///< the killed keep theirs until healed

std::uint64_t round_up(std::uint64_t value) { return (value + kStep - 1) / kStep * kStep; }

/// How much each sector needs at least, so that no file waits for ever because the other sectors
/// took all of the capacity: sectors never give committed memory to each other.
struct Needs {
    std::uint64_t small = 4 * kStep;
    std::uint64_t medium = kChannelBytes;
    std::uint64_t large = 0;

    Needs(Options const &options, Tree const &tree)
    {
        add(Ledger::size_for(tree.paths, options.producers + options.consumers));
        add(tree.largest);
        if (tree.largest > kMediumMost)
            add(kMediumMost); // files of this size are to be expected beside it
    }

    std::uint64_t total() const { return small + medium + large; }

  private:
    void add(std::uint64_t block)
    {
        if (block > kMediumMost)
            large += round_up(block);
        else if (block > kSmallMost)
            medium += round_up(block);
    }
};

void set_limits(Options const &options, Tree const &tree, weir_matrix_options &shape)
{
    Needs const needs(options, tree);
    if (needs.total() > options.capacity)
        throw Failure(fmt::format("--capacity {} is too small: the largest file, {}, has {}, and "
                                  "with bookkeeping --capacity {}K is needed",
                                  human_bytes(options.capacity), printable(tree.largest_path),
                                  human_bytes(tree.largest), needs.total() >> 10));
    std::uint64_t const spare = (options.capacity - needs.total()) / (4 * kStep) * kStep;
    shape.capacity = options.capacity;
    shape.small_limit = needs.small + spare;
    shape.medium_limit = needs.medium + spare + (needs.large > 0 ? 0 : 2 * spare);
    if (needs.large > 0)
        shape.large_limit = needs.large + 2 * spare;
}

Channel create_channel(Matrix const &matrix, char const *name)
{
    weir_channel_options options = WEIR_CHANNEL_OPTIONS_INIT;
    options.capacity = kCells;
    weir_channel *channel = nullptr;
    must(weir_channel_create(matrix.get(), name, &options, &channel), name);
    return Channel(channel);
}

/// A newcomer's view: no caches of its own hide anything.
SegmentState inspect(Matrix const &matrix)
{
    must(weir_matrix_heal(matrix.get(), nullptr), "heal");
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    SegmentState state;
    state.errors = must(weir_matrix_check(matrix.get(), 0, &report), "check");
    weir_matrix_info const stats = stats_of(matrix);
    state.used_blocks = stats.used_blocks;
    state.used_bytes = stats.used_bytes;
    state.claimed_bytes = stats.claimed_bytes;
    state.committed_bytes = stats.committed_bytes;
    state.free_bytes = stats.free_bytes;
    state.free_blocks = stats.free_blocks;
    state.orphans = report.orphans;
    state.allocs = stats.allocs;
    state.frees = stats.frees;
    state.stalls = stats.stalls;
    for (std::uint64_t const committed : stats.sector_committed)
        state.sectors += committed > 0 ? 1 : 0;
    return state;
}
} // namespace

Segment::Segment(Options const &options, Tree const &tree)
{
    weir_matrix_options shape = matrix_options("ingest");
    set_limits(options, tree, shape);
    shape.flags |= WEIR_MATRIX_NO_LANES; // at the end the free pieces are counted
    shape.participants = options.producers + options.consumers + kSpareParticipants;
    char const *const name = options.name.empty() ? nullptr : options.name.c_str();
    weir_matrix *matrix = nullptr;
    int const code = weir_matrix_create(name, &shape, &matrix);
    if (code == -EEXIST)
        throw Failure(fmt::format("{}: there is one of this name (EEXIST); weir rm removes it",
                                  printable(options.name)));
    must(code, name == nullptr ? "a segment" : printable(options.name));
    matrix_.reset(matrix);
    name_ = options.name;
    jobs_ = create_channel(matrix_, kJobChannel);
    data_ = create_channel(matrix_, kDataChannel);
    ledger_ = std::make_unique<Ledger>(
        Ledger::create(matrix_, tree.paths, options.producers + options.consumers));
}

Segment::~Segment()
{
    if (!name_.empty())
        weir_matrix_unlink(name_.c_str()); // nobody is left to tell if it is gone already
}

void Segment::retire_channels()
{
    must(weir_channel_retire(jobs_.get()), kJobChannel);
    must(weir_channel_retire(data_.get()), kDataChannel);
}

SegmentState Segment::close()
{
    ledger_.reset();
    weir_ref block = WEIR_REF_NONE;
    must(weir_matrix_unbind(matrix_.get(), kLedgerRoot, &block), kLedgerRoot);
    must(weir_matrix_free(matrix_.get(), block), kLedgerRoot);

    File const segment(fcntl(weir_matrix_fd(matrix_.get()), F_DUPFD_CLOEXEC, 0));
    if (!segment)
        fail_errno("the segment's descriptor");
    jobs_.reset();
    data_.reset();
    matrix_.reset();

    weir_matrix_options const options = matrix_options("inspector");
    weir_matrix *matrix = nullptr;
    must(weir_matrix_attach_fd(segment.fd(), &options, &matrix), "attach");
    matrix_.reset(matrix);
    return inspect(matrix_);
}

} // namespace tool::ingest
