// SPDX-License-Identifier: MIT OR Apache-2.0
// Matrices for tests: handles that close themselves, what lies where, and the checks at the end.
#pragma once

#include "core/channel/subscription.hpp"
#include "core/matrix/matrix.hpp"
#include "core/pool/pool.hpp"
#include "tests/unit/support.hpp"

#include <map>
#include <utility>
#include <vector>

namespace unit {
using namespace weir;

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;

inline MatrixOptions options_for(uint64_t capacity, uint32_t participants = 8)
{
    static RootOps const *const ops[kRootKinds] = {nullptr, nullptr, &kChannelRootOps,
                                                   &kPoolRootOps};
    MatrixOptions options;
    options.geometry.capacity = capacity;
    for (uint64_t &limit : options.geometry.limit)
        limit = capacity;
    options.geometry.participants = participants;
    options.geometry.roots = 16;
    options.root_ops = ops;
    options.lanes = false; // the shared path; lanes have tests of their own
    return options;
}

inline MatrixOptions with_lanes(uint64_t capacity, uint32_t participants = 8)
{
    MatrixOptions options = options_for(capacity, participants);
    options.lanes = true;
    return options;
}

/// One reference to a matrix.
class Handle {
  public:
    explicit Handle(Result<Matrix *> const &opened)
        : code_(opened.status().code), matrix_(opened.ok() ? *opened : nullptr)
    {
    }
    Handle(Handle &&other) noexcept
        : code_(other.code_), matrix_(std::exchange(other.matrix_, nullptr))
    {
    }
    Handle &operator=(Handle &&) = delete;
    ~Handle() { close(); }

    void close()
    {
        if (Matrix *const last = std::exchange(matrix_, nullptr); last != nullptr)
            last->unref();
    }
    int code() const { return code_; }
    explicit operator bool() const { return matrix_ != nullptr; }
    Matrix *operator->() const { return matrix_; }
    Matrix &operator*() const { return *matrix_; }

  private:
    int code_;
    Matrix *matrix_;
};

/// A matrix without a name.
inline Handle make_matrix(MatrixOptions const &options)
{
    Handle made(Matrix::create(nullptr, options));
    check_eq(made.code(), 0, "no matrix");
    return made;
}
inline Handle make_matrix(uint64_t capacity) { return make_matrix(options_for(capacity)); }

/// A second participant, with a mapping of its own, in the same process.
inline Handle second_handle(Matrix &matrix)
{
    Handle made(Matrix::attach_fd(matrix.fd(), options_for(kMiB)));
    check_eq(made.code(), 0, "no second handle");
    return made;
}

inline Allocation alloc(Matrix &matrix, uint64_t size)
{
    Allocation made;
    Status const done = matrix.alloc(size, made);
    check_eq(done.code, 0, "alloc of %llu bytes", static_cast<unsigned long long>(size));
    return made;
}
inline void free_block(Matrix &matrix, Ref ref)
{
    check_eq(matrix.free(ref).code, 0, "free of %llx", static_cast<unsigned long long>(ref.value));
}

inline uint64_t offset_of(Ref ref) { return ref.value & ((uint64_t{1} << 48) - 1); }
inline unsigned sector_of(Matrix &matrix, Ref ref)
{
    Geometry const &geometry = matrix.segment().geometry();
    unsigned sector = kLarge;
    while (sector > kSmall && offset_of(ref) < geometry.sector[sector].data)
        --sector;
    return sector;
}
inline Granule granule_of(Matrix &matrix, Ref ref)
{
    SectorGeometry const &sector = matrix.segment().geometry().sector[sector_of(matrix, ref)];
    return static_cast<Granule>((offset_of(ref) - sector.data) >> sector.granule_shift);
}
/// The block words of a sector, to bring about states that only a death leaves behind.
inline atomic<BlockWord> *words_of(Matrix &matrix, unsigned sector)
{
    return matrix.segment().at<atomic<BlockWord>>(matrix.segment().geometry().sector[sector].words);
}

inline std::vector<BlockInfo> blocks_of(Matrix &matrix)
{
    std::vector<BlockInfo> blocks;
    Status const walked = matrix.walk(
        [](BlockInfo const &info, void *userdata) {
            static_cast<std::vector<BlockInfo> *>(userdata)->push_back(info);
            return 0;
        },
        &blocks);
    check_eq(walked.code, 0, "walk");
    return blocks;
}
inline std::vector<BlockInfo> free_blocks_of(Matrix &matrix, unsigned sector)
{
    std::vector<BlockInfo> found;
    for (BlockInfo const &info : blocks_of(matrix))
        if (info.sector == sector && info.kind == Kind::free)
            found.push_back(info);
    return found;
}

/// Every invariant holds.
inline void assert_sound(Matrix &matrix)
{
    CheckReport report;
    int const errors = matrix.check(false, report).code;
    check_eq(
        errors, 0,
        "chains %llu, tails %llu, pairs %llu, unfindable %llu, dangling %llu, miscounted %llu, "
        "first at %llx",
        static_cast<unsigned long long>(report.broken_chains),
        static_cast<unsigned long long>(report.wrong_tails),
        static_cast<unsigned long long>(report.unmerged_pairs),
        static_cast<unsigned long long>(report.unfindable),
        static_cast<unsigned long long>(report.dangling),
        static_cast<unsigned long long>(report.miscounted),
        static_cast<unsigned long long>(report.first_error_offset));
    check_eq(report.freed_roots, 0); // nobody here frees what has a name
    check_eq(report.unsettled, 0);
}

inline MatrixStats stats_of(Matrix &matrix)
{
    MatrixStats stats;
    check_eq(matrix.stats(stats).code, 0);
    return stats;
}

/// Every invariant holds, and each sector is one free block, but for what was trimmed.
inline void assert_all_free(Matrix &matrix)
{
    assert_sound(matrix);
    MatrixStats const stats = stats_of(matrix);
    for (unsigned sector = 0; sector < kSectors; ++sector) {
        uint64_t blocks = 0;
        for (BlockInfo const &info : blocks_of(matrix))
            blocks += info.sector == sector ? 1 : 0;
        if (stats.sector_trimmed[sector] == 0)
            check_eq(blocks, stats.sector_committed[sector] != 0 ? 1 : 0, "blocks in sector %u",
                     sector);
        check_eq(stats.sector_free[sector], stats.sector_committed[sector], "bytes in sector %u",
                 sector);
    }
}

} // namespace unit
