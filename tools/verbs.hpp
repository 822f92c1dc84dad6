// SPDX-License-Identifier: MIT OR Apache-2.0
// The verbs of the command and their options; each returns the exit code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tool {

/// What all verbs on a NAME share.
struct Target {
    std::string name;
    bool foreign = false; ///< open segments of other users too
    bool json = false;
};

struct ListOptions {
    bool foreign = false;
    bool json = false;
};

struct CreateOptions {
    std::string name;
    std::uint64_t capacity = 0;
    std::uint32_t mode = 0;
    bool isolate = false;
    std::uint64_t prefault = 0; ///< bytes of block data that are in memory from the start
    bool huge_pages = false;
    bool lock = false;      ///< and stay, because a lock ends with its process
    std::int64_t node = -1; ///< of NUMA; negative: any
    std::string group;      ///< name or number; empty: the caller's
};

struct RemoveOptions {
    std::vector<std::string> names;
    bool force = false; ///< what is no segment, too
};

struct MapOptions {
    Target target;
    std::string svg; ///< file to write; empty: draw on the terminal
    std::size_t rows = 8;
    std::size_t width = 0; ///< 0: the terminal's
};

struct BlocksOptions {
    Target target;
    bool by_owner = false;
    bool all = false;
    std::uint64_t limit = 100; ///< 0: none
    std::int64_t older_than_ns = 0;
};

struct CheckOptions {
    Target target;
    bool repair = false;
};

struct TrimOptions {
    Target target;
    std::uint64_t keep = 0; ///< free bytes that stay
};

struct TopOptions {
    Target target;
    std::int64_t interval_ns = 1'000'000'000;
    bool once = false;
};

struct BenchOptions {
    double seconds = 1;
    std::vector<unsigned> threads = {1, 2, 8};
    bool json = false;
};

/// What all verbs on a log share.
struct LogTarget {
    std::string folder;
    bool json = false;
};

struct LogDumpOptions {
    LogTarget target;
    std::uint64_t from = 0;
    std::uint64_t to = 0; ///< 0: the end
    bool hex = false;
    bool salvage = false;
};

struct LogTailOptions {
    LogTarget target;
    std::size_t count = 10;
    bool follow = false;
    bool hex = false;
    bool salvage = false;
};

struct LogRepairOptions {
    LogTarget target;
    bool point_in_time = false;
    std::string salvage_to; ///< empty: in place
};

struct RecordOptions {
    std::string matrix;
    std::string channel;
    std::string folder;
    std::uint64_t count = 0; ///< 0: until the channel is retired or the command is interrupted
    bool foreign = false;
    bool json = false;
};

struct ReplayOptions {
    std::string matrix;
    std::string channel;
    std::string folder;
    std::uint64_t from = 0;
    bool foreign = false;
    bool json = false;
};

struct LogBenchOptions {
    std::string folder; ///< empty: one of its own, in the current folder
    double seconds = 1; ///< per figure and side
    std::vector<unsigned> threads = {1, 2, 8};
    bool json = false;
};

/// Hidden: makes blocks for the tests of the other verbs.
struct FixtureOptions {
    std::string name;
    std::uint64_t blocks = 1;
    std::uint64_t size = 64;
    bool leave = false;
    bool wait = false;
    bool churn = false;
};

int list_segments(ListOptions const &options);
int create_segment(CreateOptions const &options);
int remove_segments(RemoveOptions const &options);
int show_stat(Target const &target);
int show_map(MapOptions const &options);
int show_blocks(BlocksOptions const &options);
int show_participants(Target const &target);
int check_segment(CheckOptions const &options);
int heal_segment(Target const &target);
int trim_segment(TrimOptions const &options);
int show_top(TopOptions const &options);
int bench_matrix(BenchOptions const &options);
int show_log(LogTarget const &target);
int dump_log(LogDumpOptions const &options);
int verify_log(LogTarget const &target);
int tail_log(LogTailOptions const &options);
int repair_log(LogRepairOptions const &options);
int record_channel(RecordOptions const &options);
int replay_log(ReplayOptions const &options);
int bench_log(LogBenchOptions const &options);
int make_fixture(FixtureOptions const &options);

} // namespace tool
