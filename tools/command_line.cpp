// SPDX-License-Identifier: MIT OR Apache-2.0
// The command line: which verb with which options; channels/command_line.cpp has those of channels.
#include "command_line.hpp"

#include "clock.hpp"
#include "command_line_parts.hpp"
#include "error.hpp"
#include "output.hpp"
#include "units.hpp"
#include "verbs.hpp"

#include "ingest/ingest.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <weir.h>

namespace tool {
namespace {
constexpr int kMostWorkers = 64;
constexpr unsigned kMostThreads = 64;
constexpr double kShortestSeconds =
    0.01; // a fifth of it is a slice: shorter, and some hold nothing
constexpr double kLongestSeconds = 3600;
// Shorter and hardly any worker would live long enough to attach.
constexpr std::int64_t kShortestKillNs = kMillisecond;
constexpr std::int64_t kHighestNode = 1023;
constexpr std::uint32_t kOwnMode = 0600;
constexpr std::uint32_t kGroupMode = 0660;

CLI::Validator is_seconds()
{
    auto const check = [](std::string const &text) -> std::string {
        double const found = std::strtod(text.c_str(), nullptr);
        if (found >= kShortestSeconds && found <= kLongestSeconds) // not true for NaN
            return {};
        return fmt::format("{} is not between {} and {}", text, kShortestSeconds, kLongestSeconds);
    };
    return CLI::Validator(check, "SECONDS");
}

CLI::Validator is_kill_interval()
{
    auto const parse = [](std::string const &text) {
        if (parse_duration(text) < kShortestKillNs)
            throw BadUnit("shorter than 1ms: " + text);
    };
    return check_with(parse, "TIME");
}

/// Adds verbs to the command; the one that is chosen leaves its action.
class Verbs {
  public:
    Verbs(CLI::App &app, Action &chosen) : app_(app), chosen_(chosen) {}

    void add_all()
    {
        add_ls();
        add_create();
        add_target("stat", "sizes, counters and roots of a segment", show_stat);
        add_map();
        add_blocks();
        add_target("participants", "the processes that are attached to a segment",
                   show_participants);
        add_top();
        add_check();
        add_target("heal", "give back what dead participants left behind", heal_segment);
        add_trim();
        add_rm();
        add_bench();
        add_log();
        add_record();
        add_replay();
        add_channel_verbs(app_, chosen_);
        add_ingest();
        add_ingest_worker();
        add_fixture();
    }

  private:
    template <typename Options>
    void on_choice(CLI::App *verb, std::shared_ptr<Options> options,
                   std::function<int(Options const &)> run)
    {
        tool::on_choice<Options>(chosen_, verb, std::move(options), std::move(run));
    }

    static void target_options(CLI::App *verb, Target &target)
    {
        verb->add_option("NAME", target.name,
                         "a matrix: a plain name in /dev/shm or an absolute path")
            ->check(is_segment_name())
            ->required();
        verb->add_flag("--foreign", target.foreign, "open segments of other users too");
        verb->add_flag("--json", target.json, "print one JSON object");
    }

    void add_target(char const *name, char const *purpose, int (*run)(Target const &))
    {
        auto const target = std::make_shared<Target>();
        CLI::App *const verb = app_.add_subcommand(name, purpose);
        target_options(verb, *target);
        on_choice<Target>(verb, target, run);
    }

    void add_ls();
    void add_create();
    void add_map();
    void add_blocks();
    void add_top();
    void add_check();
    void add_trim();
    void add_rm();
    void add_bench();
    void add_log();
    void add_log_bench(CLI::App &log);
    void add_record();
    void add_replay();
    void add_ingest();
    void add_ingest_worker();
    void add_fixture();

    CLI::App &app_;
    Action &chosen_;
};

void Verbs::add_ls()
{
    auto const options = std::make_shared<ListOptions>();
    CLI::App *const verb = app_.add_subcommand("ls", "list the named segments of this machine");
    verb->add_flag("--foreign", options->foreign, "look into segments of other users too");
    verb->add_flag("--json", options->json, "print one JSON object");
    on_choice<ListOptions>(verb, options, list_segments);
}

void Verbs::add_create()
{
    struct Given {
        CreateOptions options;
        std::string capacity = "256MiB";
        std::string mode;
        std::string prefault = "0";
    };
    auto const given = std::make_shared<Given>();
    CLI::App *const verb = app_.add_subcommand("create", "make an empty named segment");
    verb->add_option("NAME", given->options.name, "a plain name in /dev/shm or an absolute path")
        ->check(is_segment_name())
        ->required();
    verb->add_option("--capacity", given->capacity, "most bytes of block data")
        ->check(is_capacity())
        ->capture_default_str();
    verb->add_option("--mode", given->mode,
                     "permission bits, octal; default: 600, with --group 660")
        ->check(check_with(parse_mode, "MODE"));
    verb->add_option("--group", given->options.group, "the file's group, a name or a number")
        ->check(is_not_empty("group"));
    verb->add_flag("--isolate", given->options.isolate,
                   "serve requests from the sector of their size");
    verb->add_option("--prefault", given->prefault,
                     "bytes of block data that are committed and in memory from the start")
        ->check(is_bytes())
        ->capture_default_str();
    verb->add_flag("--huge-pages", given->options.huge_pages,
                   "transparent huge pages for what is prefaulted, if there are some");
    verb->add_option("--node", given->options.node,
                     "the NUMA node that the memory comes from while it has some")
        ->check(CLI::Range(std::int64_t{0}, kHighestNode));
    verb->add_flag("--lock", given->options.lock,
                   "keep in memory what is prefaulted; stays until it is interrupted");
    on_choice<Given>(verb, given, [](Given const &all) {
        CreateOptions options = all.options;
        options.capacity = parse_bytes(all.capacity);
        options.prefault = parse_bytes(all.prefault);
        bool const shared = !options.group.empty();
        options.mode = all.mode.empty() ? (shared ? kGroupMode : kOwnMode) : parse_mode(all.mode);
        return create_segment(options);
    });
}

void Verbs::add_map()
{
    auto const options = std::make_shared<MapOptions>();
    CLI::App *const verb = app_.add_subcommand("map", "a picture of a segment");
    target_options(verb, options->target);
    verb->add_option("-o,--output", options->svg, "write an SVG file instead; - is stdout")
        ->check(is_not_empty());
    verb->add_option("--rows", options->rows, "most lines per sector")
        ->check(CLI::Range(1, 200))
        ->capture_default_str();
    verb->add_option("--width", options->width, "columns; default: the terminal's")
        ->check(CLI::Range(10, 1000));
    on_choice<MapOptions>(verb, options, show_map);
}

void Verbs::add_blocks()
{
    struct Given {
        BlocksOptions options;
        std::string older_than;
    };
    auto const given = std::make_shared<Given>();
    BlocksOptions &options = given->options;
    CLI::App *const verb = app_.add_subcommand("blocks", "who holds which blocks");
    target_options(verb, options.target);
    verb->add_flag("--by-owner", options.by_owner, "sums by owner instead of single blocks");
    CLI::Option *const all =
        verb->add_flag("--all", options.all, "free, cached and trimmed blocks too");
    verb->add_option("--limit", options.limit, "most blocks to show, 0 for all")
        ->check(is_number())
        ->capture_default_str();
    verb->add_option("--older-than", given->older_than,
                     "only blocks that exist longer, e.g. 10s; blocks have no time stamp, so the "
                     "command looks twice, that long apart")
        ->check(is_duration(kMillisecond))
        ->excludes(all);
    on_choice<Given>(verb, given, [](Given const &chosen) {
        BlocksOptions finished = chosen.options;
        finished.older_than_ns = chosen.older_than.empty() ? 0 : parse_duration(chosen.older_than);
        return show_blocks(finished);
    });
}

void Verbs::add_top()
{
    struct Given {
        TopOptions options;
        std::string interval = "1s";
    };
    auto const given = std::make_shared<Given>();
    CLI::App *const verb =
        app_.add_subcommand("top", "what the participants and channels have and do, live");
    target_options(verb, given->options.target);
    verb->add_option("--interval", given->interval, "between two looks")
        ->check(is_duration(50 * kMillisecond))
        ->capture_default_str();
    verb->add_flag("--once", given->options.once,
                   "look twice, print the difference and end; so it is without a terminal");
    on_choice<Given>(verb, given, [](Given const &chosen) {
        TopOptions finished = chosen.options;
        finished.interval_ns = parse_duration(chosen.interval);
        return show_top(finished);
    });
}

void Verbs::add_trim()
{
    struct Given {
        TrimOptions options;
        std::string keep = "0";
    };
    auto const given = std::make_shared<Given>();
    CLI::App *const verb =
        app_.add_subcommand("trim", "give memory of free blocks back to the system");
    target_options(verb, given->options.target);
    verb->add_option("--keep", given->keep, "free bytes that stay")
        ->check(is_bytes())
        ->capture_default_str();
    on_choice<Given>(verb, given, [](Given const &chosen) {
        TrimOptions finished = chosen.options;
        finished.keep = parse_bytes(chosen.keep);
        return trim_segment(finished);
    });
}

void Verbs::add_check()
{
    auto const options = std::make_shared<CheckOptions>();
    CLI::App *const verb =
        app_.add_subcommand("check", "check every invariant; exit code 1 if one is broken");
    target_options(verb, options->target);
    verb->add_flag("--repair", options->repair, "make free blocks findable again");
    on_choice<CheckOptions>(verb, options, check_segment);
}

void Verbs::add_rm()
{
    auto const options = std::make_shared<RemoveOptions>();
    CLI::App *const verb =
        app_.add_subcommand("rm", "remove segments' names; who is attached goes on");
    verb->add_option("NAME", options->names, "plain names in /dev/shm or absolute paths")
        ->check(is_segment_name())
        ->required();
    verb->add_flag("-f,--force", options->force, "also remove a file that is not a segment");
    on_choice<RemoveOptions>(verb, options, remove_segments);
}

void Verbs::add_bench()
{
    auto const options = std::make_shared<BenchOptions>();
    CLI::App *const verb = app_.add_subcommand("bench", "measure");
    verb->require_subcommand(1);
    CLI::App *const matrix =
        verb->add_subcommand("matrix", "the allocator beside malloc and a pair of CAS");
    matrix->add_option("--seconds", options->seconds, "per figure and side")
        ->check(CLI::Number & is_seconds())
        ->capture_default_str();
    matrix->add_option("--threads", options->threads, "of the reference workload")
        ->delimiter(',')
        ->check(CLI::Range(1u, kMostThreads))
        ->capture_default_str();
    matrix->add_flag("--json", options->json, "print one JSON object");
    on_choice<BenchOptions>(matrix, options, bench_matrix);
}

void Verbs::add_log()
{
    CLI::App *const log = app_.add_subcommand("log", "look into a durable log, verify, repair it");
    log->require_subcommand(1);
    auto const with_target = [log](char const *name, char const *purpose, LogTarget &target) {
        CLI::App *const verb = log->add_subcommand(name, purpose);
        verb->add_option("DIR", target.folder, "the log's folder")
            ->check(is_not_empty())
            ->required();
        verb->add_flag("--json", target.json, "print JSON");
        return verb;
    };

    auto const info = std::make_shared<LogTarget>();
    on_choice<LogTarget>(with_target("info", "what opening it would find", *info), info, show_log);

    auto const dump = std::make_shared<LogDumpOptions>();
    CLI::App *verb = with_target("dump", "its records", dump->target);
    verb->add_option("--from", dump->from, "the first LSN; default: the oldest")
        ->check(is_number());
    verb->add_option("--to", dump->to, "records below this LSN")->check(is_number());
    verb->add_flag("--hex", dump->hex, "payloads as hexadecimal bytes");
    verb->add_flag("--salvage", dump->salvage, "go on behind damage; ~ marks what follows a gap");
    on_choice<LogDumpOptions>(verb, dump, dump_log);

    auto const verify = std::make_shared<LogTarget>();
    on_choice<LogTarget>(
        with_target("verify",
                    "read all of it; exit code 0 whole, 1 torn tail, 2 corrupt, 3 nothing is known",
                    *verify),
        verify, verify_log);

    auto const tail = std::make_shared<LogTailOptions>();
    verb = with_target("tail", "its last records", tail->target);
    verb->add_option("-n,--count", tail->count, "how many")
        ->check(is_number())
        ->capture_default_str();
    verb->add_flag("-f,--follow", tail->follow, "and those that come, until interrupted");
    verb->add_flag("--hex", tail->hex, "payloads as hexadecimal bytes");
    verb->add_flag("--salvage", tail->salvage, "go on behind damage; ~ marks what follows a gap");
    on_choice<LogTailOptions>(verb, tail, tail_log);

    auto const repair = std::make_shared<LogRepairOptions>();
    verb = with_target("repair", "make a damaged log one that opens", repair->target);
    CLI::Option *const in_time = verb->add_flag(
        "--point-in-time", repair->point_in_time,
        "end it in front of the first damage; the rest goes to the folder quarantine in it");
    verb->add_option("--salvage-to", repair->salvage_to,
                     "copy every record that is whole to a new log there; this one stays")
        ->check(is_not_empty())
        ->excludes(in_time);
    on_choice<LogRepairOptions>(verb, repair, repair_log);
    add_log_bench(*log);
}

void Verbs::add_log_bench(CLI::App &log)
{
    auto const options = std::make_shared<LogBenchOptions>();
    CLI::App *const verb =
        log.add_subcommand("bench", "appends beside memcpy with CRC, and beside bare writes");
    verb->add_option("DIR", options->folder,
                     "where files are written and removed; default: the current folder")
        ->check(is_not_empty());
    verb->add_option("--seconds", options->seconds, "per figure and side")
        ->check(CLI::Number & is_seconds())
        ->capture_default_str();
    verb->add_option("--threads", options->threads, "that append")
        ->delimiter(',')
        ->check(CLI::Range(1u, kMostThreads))
        ->capture_default_str();
    verb->add_flag("--json", options->json, "print one JSON object");
    on_choice<LogBenchOptions>(verb, options, bench_log);
}

void Verbs::add_record()
{
    auto const options = std::make_shared<RecordOptions>();
    CLI::App *const verb =
        app_.add_subcommand("record", "append the messages of a channel to a durable log");
    verb->add_option("--matrix", options->matrix, "the matrix of the channel")
        ->check(is_segment_name())
        ->required();
    verb->add_option("CHANNEL", options->channel, "made if there is none")
        ->check(is_root_name())
        ->required();
    verb->add_option("DIR", options->folder, "the log's folder, made if there is none")
        ->check(is_not_empty())
        ->required();
    verb->add_option("--count", options->count, "end after so many messages")->check(is_number(1));
    verb->add_flag("--foreign", options->foreign, "open segments of other users too");
    verb->add_flag("--json", options->json, "print one JSON object");
    on_choice<RecordOptions>(verb, options, record_channel);
}

void Verbs::add_replay()
{
    auto const options = std::make_shared<ReplayOptions>();
    CLI::App *const verb =
        app_.add_subcommand("replay", "post what weir record has recorded to a channel");
    verb->add_option("--matrix", options->matrix, "the matrix of the channel")
        ->check(is_segment_name())
        ->required();
    verb->add_option("DIR", options->folder, "the log's folder")->check(is_not_empty())->required();
    verb->add_option("CHANNEL", options->channel, "made if there is none")
        ->check(is_root_name())
        ->required();
    verb->add_option("--from", options->from, "the first LSN; default: the oldest record")
        ->check(is_number());
    verb->add_flag("--foreign", options->foreign, "open segments of other users too");
    verb->add_flag("--json", options->json, "print one JSON object");
    on_choice<ReplayOptions>(verb, options, replay_log);
}

void Verbs::add_ingest()
{
    struct Given {
        ingest::Options options;
        std::string capacity = "64MiB";
        std::string kill;
    };
    auto const given = std::make_shared<Given>();
    ingest::Options &options = given->options;
    CLI::App *const verb = app_.add_subcommand(
        "ingest", "send a tree of files through a matrix, from producers to consumers");
    verb->add_option("--from", options.from, "the folder; symbolic links in it are skipped")
        ->check(is_not_empty())
        ->required();
    verb->add_option("--out", options.out, "write the files to this folder")->check(is_not_empty());
    CLI::Option *const log =
        verb->add_option("--log", options.log,
                         "append the files to the durable log in this folder; one consumer")
            ->check(is_not_empty());
    verb->add_option("--producers", options.producers, "processes that read files")
        ->check(CLI::Range(1, kMostWorkers))
        ->capture_default_str();
    verb->add_option("--consumers", options.consumers, "processes that verify them")
        ->check(CLI::Range(1, kMostWorkers))
        ->excludes(log)
        ->capture_default_str();
    verb->add_option("--capacity", given->capacity, "most bytes of block data")
        ->check(is_capacity())
        ->capture_default_str();
    verb->add_option("--kill", given->kill, "kill a random worker this often, e.g. 100ms")
        ->check(is_kill_interval());
    verb->add_option("--seed", options.seed, "of the choice whom to kill; 0: random");
    verb->add_option("--name", options.name,
                     "name the segment, for weir map and others; removed at the end")
        ->check(is_segment_name());
    verb->add_flag("--json", options.json, "print one JSON object");
    verb->add_flag("-q,--quiet", options.quiet, "only the result");
    verb->add_option("--hold", options.hold)->group("");             // for tests
    verb->add_flag("--leave-block", options.leave_block)->group(""); // for tests
    on_choice<Given>(verb, given, [](Given const &all) {
        ingest::Options chosen = all.options;
        if (!chosen.log.empty())
            chosen.consumers = 1; // one process has a log open
        chosen.capacity = parse_bytes(all.capacity);
        chosen.kill_every_ns = all.kill.empty() ? 0 : parse_duration(all.kill);
        return ingest::run(chosen);
    });
}

void Verbs::add_ingest_worker()
{
    auto const options = std::make_shared<ingest::WorkerOptions>();
    CLI::App *const verb = app_.add_subcommand("ingest-worker", "a worker of weir ingest");
    verb->group(""); // hidden: weir ingest starts it
    verb->add_option("--role", options->role)
        ->required()
        ->check(CLI::IsMember({"producer", "consumer"}));
    verb->add_option("--slot", options->slot)->required();
    verb->add_option("--parent", options->parent)->required();
    verb->add_option("--fd", options->matrix_fd)->required();
    verb->add_option("--from", options->from)->required();
    verb->add_option("--out", options->out);
    verb->add_option("--log", options->log);
    verb->add_option("--scratch", options->scratch);
    on_choice<ingest::WorkerOptions>(verb, options, ingest::run_worker);
}

void Verbs::add_fixture()
{
    auto const options = std::make_shared<FixtureOptions>();
    CLI::App *const verb = app_.add_subcommand("fixture", "make blocks for tests");
    verb->group(""); // hidden
    verb->add_option("NAME", options->name)->required();
    verb->add_option("--blocks", options->blocks);
    verb->add_option("--size", options->size);
    verb->add_flag("--leave", options->leave, "give them to nobody");
    verb->add_flag("--wait", options->wait, "keep them until killed");
    verb->add_flag("--churn", options->churn, "allocate and free until killed");
    on_choice<FixtureOptions>(verb, options, make_fixture);
}
} // namespace

namespace {
bool is_verb(CLI::App const &app, std::string const &word)
{
    auto const verbs = app.get_subcommands([](CLI::App const *) { return true; });
    return std::any_of(verbs.begin(), verbs.end(),
                       [&word](CLI::App const *verb) { return verb->check_name(word); });
}
} // namespace

Request read_command_line(int argc, char **argv)
{
    CLI::App app{"Looks into weir's shared-memory segments and logs, repairs and measures them."};
    Request request;
    app.set_version_flag("--version", std::string("weir ") + weir_version_string());
    app.require_subcommand(1);
    app.footer("Exit codes: 0 fine, 1 failed or something is wrong, 64 bad usage.");
    app.failure_message([](CLI::App const *, CLI::Error const &error) {
        return fmt::format("weir: {}\nRun with --help for more information.\n", error.what());
    });
    Verbs(app, request.action).add_all();
    CLI::App *group = &app;
    std::string path = "weir";
    for (int i = 1; i < argc && group->get_require_subcommand_min() > 0; ++i) {
        bool const is_option = argv[i][0] == '-';
        std::string const word = argv[i];
        if (is_option && group->get_option_no_throw(word.substr(0, word.find('='))) != nullptr)
            break;
        if (is_option || !is_verb(*group, argv[i])) {
            fmt::print(stderr, "weir: {} is not {}; {} --help names them\n", printable(argv[i]),
                       is_option ? "an option here" : "a verb", path);
            request.code = kBadUsage;
            return request;
        }
        group = group->get_subcommand(argv[i]);
        path += std::string(" ") + argv[i];
    }
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const &error) {
        request.action = nullptr;
        std::ostringstream out; // --help and --version come here too
        request.code = app.exit(error, out, std::cerr) == 0 ? 0 : kBadUsage;
        print(out.str());
    }
    return request;
}

} // namespace tool
