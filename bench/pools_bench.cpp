// SPDX-License-Identifier: MIT OR Apache-2.0
// Pools beside boost::pool, crossbeam's ArrayQueue and sharded-slab: a slot of 64 bytes is taken,
// written, read back and given back. Processor time of a pair, the slowest thread's; interleaved
// runs, medians, ratios. The Rust peers run in a program of their own (pools/), asked for one run
// at a time.
#include <weir.h>

#include <CLI/CLI.hpp>
#include <fmt/core.h>
#include <nlohmann/json.hpp>
#ifdef WEIR_BENCH_BOOST
#include <boost/pool/pool.hpp>
#endif

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr size_t kSlot = 64;
constexpr uint64_t kCapacity = 1024;

struct Run {
    double nanoseconds = 0;
    uint64_t damaged = 0; ///< or refused
};

double thread_nanoseconds()
{
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return double(time.tv_sec) * 1e9 + double(time.tv_nsec);
}

/// The compiler must believe that somebody else sees the bytes.
inline bool use(void *data, uint64_t value)
{
    *static_cast<uint64_t *>(data) = value;
    asm volatile("" : "+r"(data) : : "memory");
    return *static_cast<uint64_t *>(data) == value;
}

/// `pair(i)` takes, uses and gives back, and says whether all went well.
template <class Pair> Run measure(unsigned threads, uint64_t pairs, Pair pair)
{
    std::vector<std::thread> running;
    std::vector<Run> runs(threads);
    std::atomic<unsigned> ready{0};
    for (unsigned t = 0; t < threads; ++t)
        running.emplace_back([&, t] {
            uint64_t damaged = 0;
            for (uint64_t i = 0; i < pairs / 20; ++i) // first touch is not counted
                damaged += pair(i) ? 0 : 1;
            for (++ready; ready < threads;) {
            }
            double const began = thread_nanoseconds();
            for (uint64_t i = 0; i < pairs; ++i)
                damaged += pair(i) ? 0 : 1;
            runs[t] = {(thread_nanoseconds() - began) / double(pairs), damaged};
        });
    Run all;
    for (unsigned t = 0; t < threads; ++t) {
        running[t].join();
        all.nanoseconds = std::max(all.nanoseconds, runs[t].nanoseconds);
        all.damaged += runs[t].damaged;
    }
    return all;
}

weir_pool_options options(weir_pool_flags flags)
{
    weir_pool_options made = WEIR_POOL_OPTIONS_INIT;
    made.slot_size = kSlot;
    made.capacity = kCapacity;
    made.flags = flags;
    return made;
}

Run weir_pairs(weir_pool *pool, unsigned threads, uint64_t pairs)
{
    Run const run = measure(threads, pairs, [pool](uint64_t i) {
        weir_slot slot;
        void *data;
        if (weir_pool_acquire(pool, 0, &slot, &data) != 0)
            return false;
        bool const good = use(data, i);
        return weir_pool_release(pool, slot) == 0 && good;
    });
    weir_pool_unref(pool);
    return run;
}

Run private_pairs(weir_pool_flags flags, unsigned threads, uint64_t pairs)
{
    weir_pool *pool = nullptr;
    weir_pool_options const with = options(flags);
    return weir_pool_create(&with, &pool) == 0 ? weir_pairs(pool, threads, pairs) : Run{0, 1};
}

Run shared_pairs(unsigned threads, uint64_t pairs)
{
    weir_matrix *matrix = nullptr;
    weir_pool *pool = nullptr;
    weir_pool_options const with = options(0);
    if (weir_matrix_create(nullptr, nullptr, &matrix) != 0 ||
        weir_pool_create_in(matrix, "pool", &with, &pool) != 0)
        return {0, 1};
    Run const run = weir_pairs(pool, threads, pairs);
    weir_matrix_unref(matrix);
    return run;
}

/// What two calls into the library cost that do nothing: the floor of a pair.
Run empty_calls(uint64_t pairs)
{
    return measure(1, pairs, [](uint64_t) {
        uint32_t const first = weir_version_number();
        asm volatile("" : : : "memory");
        return first == weir_version_number();
    });
}

#ifdef WEIR_BENCH_BOOST
/// In its user's code, as it is meant.
Run boost_inline(uint64_t pairs)
{
    boost::pool<> pool(kSlot);
    return measure(1, pairs, [&pool](uint64_t i) {
        void *const data = pool.malloc();
        bool const good = data != nullptr && use(data, i);
        pool.free(data);
        return good;
    });
}

__attribute__((noinline)) void *boost_malloc(boost::pool<> &pool) { return pool.malloc(); }
__attribute__((noinline)) void boost_free(boost::pool<> &pool, void *data) { pool.free(data); }

/// By calls, as from a library that is linked statically.
Run boost_called(uint64_t pairs)
{
    boost::pool<> pool(kSlot);
    return measure(1, pairs, [&pool](uint64_t i) {
        void *const data = boost_malloc(pool);
        bool const good = data != nullptr && use(data, i);
        boost_free(pool, data);
        return good;
    });
}
#endif

/// The program in pools/.
class RustPeers {
  public:
    explicit RustPeers(std::string const &program)
    {
        int questions[2], answers[2];
        if (program.empty() || access(program.c_str(), X_OK) != 0 ||
            pipe2(questions, O_CLOEXEC) != 0 || pipe2(answers, O_CLOEXEC) != 0)
            return;
        signal(SIGPIPE, SIG_IGN); // a program that has ended is a failed run, not our end
        process_ = fork();
        if (process_ == 0) {
            dup2(questions[0], STDIN_FILENO);
            dup2(answers[1], STDOUT_FILENO);
            execl(program.c_str(), program.c_str(), static_cast<char *>(nullptr));
            _exit(127);
        }
        close(questions[0]);
        close(answers[1]);
        questions_ = fdopen(questions[1], "w");
        answers_ = fdopen(answers[0], "r");
        char line[128] = {};
        if (std::fgets(line, sizeof line, answers_) != nullptr)
            versions_ = line;
        if (!versions_.empty() && versions_.back() == '\n')
            versions_.pop_back();
    }
    RustPeers(RustPeers const &) = delete;
    RustPeers &operator=(RustPeers const &) = delete;
    ~RustPeers()
    {
        if (process_ < 0)
            return;
        std::fclose(questions_); // it ends when there are no more questions
        std::fclose(answers_);
        waitpid(process_, nullptr, 0);
    }
    bool works() const { return !versions_.empty(); }
    std::string const &versions() const { return versions_; }
    Run ask(char const *peer, unsigned threads, uint64_t pairs)
    {
        Run run{0, 1};
        std::fprintf(questions_, "%s %u %llu\n", peer, threads,
                     static_cast<unsigned long long>(pairs));
        std::fflush(questions_);
        unsigned long long damaged = 0;
        if (std::fscanf(answers_, "%lf %llu", &run.nanoseconds, &damaged) == 2)
            run.damaged = damaged;
        return run;
    }

  private:
    std::string versions_;
    std::FILE *questions_ = nullptr;
    std::FILE *answers_ = nullptr;
    pid_t process_ = -1;
};

/// Ours beside a peer; at_most 0: for comparison, no promise.
struct Row {
    std::string name;
    std::string peer;
    double at_most;
    std::function<Run()> ours, peers;
};

double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

std::vector<Row> rows(uint64_t n, RustPeers &rust)
{
    std::vector<Row> made;
    auto const single = [n] { return private_pairs(WEIR_POOL_SINGLE_THREAD, 1, n); };
    auto const shared = [n](unsigned threads) { return [=] { return shared_pairs(threads, n); }; };
#ifdef WEIR_BENCH_BOOST
    made.push_back(
        {"one thread alone", "boost::pool, inline", 2.5, single, [n] { return boost_inline(n); }});
    made.push_back(
        {"one thread alone", "boost::pool, called", 0, single, [n] { return boost_called(n); }});
#endif
    made.push_back(
        {"one thread alone", "two empty calls", 0, single, [n] { return empty_calls(n); }});
    if (rust.works()) {
        auto const peer = [n, &rust](char const *name, unsigned threads) {
            return [=, &rust] { return rust.ask(name, threads, n); };
        };
        made.push_back({"in a matrix, 1 thread", "crossbeam ArrayQueue", 1.6, shared(1),
                        peer("array-queue", 1)});
        made.push_back(
            {"in a matrix, 2 threads", "sharded-slab", 0.7, shared(2), peer("sharded-slab", 2)});
        made.push_back({"in a matrix, 2 threads", "crossbeam ArrayQueue", 0, shared(2),
                        peer("array-queue", 2)});
    }
    made.push_back({"in a matrix, 1 thread", "a private pool", 0, shared(1),
                    [n] { return private_pairs(0, 1, n); }});
    return made;
}

} // namespace

int main(int count, char **arguments)
{
    int rounds = 5;
    uint64_t pairs = 2000000;
    bool json = false;
    std::string program, reason;
    CLI::App app{"Measures pools beside others: processor time of a pair of 64 B."};
    app.add_option("--rounds", rounds, "interleaved runs; the median counts")
        ->check(CLI::Range(1, 99));
    app.add_option("--pairs", pairs, "pairs per run and thread")
        ->check(CLI::Range(1000, 1000000000));
    app.add_option("--rust", program, "the program of bench/pools");
    app.add_option("--no-rust", reason, "why there is none");
    app.add_flag("--json", json, "print JSON");
    CLI11_PARSE(app, count, arguments);

    RustPeers rust(program);
    if (!json)
        fmt::print("peers in Rust: {}\n",
                   rust.works() ? rust.versions() : "not measured: " + reason);
    nlohmann::ordered_json results = nlohmann::ordered_json::array();
    bool sound = true;
    for (Row const &row : rows(pairs, rust)) {
        std::vector<double> ours, peers;
        uint64_t damaged = 0;
        for (int i = 0; i < rounds; ++i)
            for (auto const &[run, into] : {std::pair{&row.ours, &ours}, {&row.peers, &peers}}) {
                Run const got = (*run)();
                into->push_back(got.nanoseconds);
                damaged += got.damaged;
            }
        sound = sound && damaged == 0;
        double const a = median(ours), b = median(peers), ratio = a / b;
        bool const met = row.at_most == 0 || ratio <= row.at_most;
        if (json) {
            results.push_back({{"name", row.name},
                               {"weir_ns", a},
                               {"peer", row.peer},
                               {"peer_ns", b},
                               {"ratio", ratio},
                               {"target", row.at_most},
                               {"met", met},
                               {"damaged", damaged}});
            continue;
        }
        std::string const verdict =
            row.at_most == 0
                ? "no target"
                : fmt::format("target <= {:.1f}  {}", row.at_most, met ? "met" : "MISSED");
        fmt::print("{:24} {:6.1f} ns   {:22} {:6.1f} ns   {:5.2f} x   {}{}\n", row.name, a,
                   row.peer, b, ratio, verdict, damaged == 0 ? "" : "  UNSOUND");
        std::fflush(stdout);
    }
    if (json)
        fmt::print("{}\n", results.dump(2));
    return sound ? 0 : 1;
}
