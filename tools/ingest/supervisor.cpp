// SPDX-License-Identifier: MIT OR Apache-2.0
// The parent of an ingest: posts the jobs, restarts workers, kills some, knows when all is done.
#include "supervisor.hpp"

#include "../interrupt.hpp"

#include "../clock.hpp"
#include "../error.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

namespace tool::ingest {
namespace {
constexpr std::int64_t kTurnNs = 2 * kMillisecond;
constexpr std::int64_t kPatienceNs = 1 * kSecond; ///< without a finished file, kills are withheld
constexpr std::int64_t kStuckNs = 30 * kSecond;   ///< without a byte, the run is given up
constexpr std::int64_t kNoSpaceNs = 2 * kSecond;  ///< without a byte, and the file system is full
constexpr std::int64_t kShutdownNs = 5 * kSecond;
constexpr std::uint64_t kMostFailures = 5;

bool is_idle(Channel const &channel)
{
    weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
    must(weir_channel_inquire(channel.get(), &info), "inquire");
    return info.waiting == 0 && info.held == 0 && info.writing == 0;
}
} // namespace

Supervisor::Supervisor(Options const &options, Segment &segment, std::uint64_t tree_bytes,
                       std::string scratch)
    : options_(options), segment_(segment), tree_bytes_(tree_bytes), scratch_(std::move(scratch)),
      progress_(options.json || options.quiet ? Progress::Style::none : Progress::Style::automatic),
      random_(options.seed != 0 ? options.seed : std::random_device{}())
{
}

Supervision Supervisor::run()
{
    begin_ns_ = last_message_ns_ = last_byte_ns_ = now_ns();
    next_kill_ns_ = begin_ns_ + options_.kill_every_ns;
    start_workers();
    while (!all_done())
        step();
    result_.run_ns = now_ns() - begin_ns_;
    progress_.clear();
    shut_down();
    return result_;
}

void Supervisor::start_workers()
{
    workers_.reserve(options_.producers + options_.consumers);
    for (std::uint32_t i = 0; i < options_.producers + options_.consumers; ++i) {
        bool const producer = i < options_.producers;
        WorkerOptions worker;
        worker.slot = i;
        worker.role = producer ? "producer" : "consumer";
        worker.from = options_.from;
        worker.out = options_.out;
        worker.log = options_.log;
        worker.scratch = scratch_;
        worker.matrix_fd = weir_matrix_fd(segment_.matrix().get());
        workers_.emplace_back(producer ? Role::producer : Role::consumer, worker);
        workers_.back().start();
    }
}

void Supervisor::step()
{
    if (was_interrupted())
        throw Failure("interrupted");
    feed();
    reap();
    check_progress();
    kill_if_due();
    if (progress_.due())
        show_progress();
}

/// Posts jobs as long as there is room, at most for one turn, and sleeps otherwise. Waiting in the
/// post would be simpler, but then each acknowledged job would have to wake this process.
void Supervisor::feed()
{
    std::int64_t const end = now_ns() + kTurnNs;
    while (next_job_ < segment_.ledger().files() && post_job()) {
        ++next_job_;
        if (now_ns() > end)
            return;
    }
    sleep_ns(kTurnNs / 2);
}

/// Posts the next job; false if there is no room for it now.
bool Supervisor::post_job()
{
    if (job_block_ == WEIR_REF_NONE) {
        int const code =
            weir_matrix_alloc(segment_.matrix().get(), 1, nullptr, &job_block_, nullptr);
        if (code == -ENOMEM || code == -EBUSY)
            return false;
        must(code, "alloc");
    }
    weir_post_options options = WEIR_POST_OPTIONS_INIT;
    options.tag = next_job_;
    int const code = weir_channel_post(segment_.jobs().get(), job_block_, 0, &options, 0);
    if (code == -EAGAIN || code == -EBUSY)
        return false;
    must(code, "post");
    job_block_ = WEIR_REF_NONE;
    return true;
}

void Supervisor::reap()
{
    bool dead = false;
    for (auto &worker : workers_) {
        End const end = worker.poll();
        if (end == End::none)
            continue;
        dead = true;
        if (end == End::killed)
            ++(worker.role() == Role::producer ? result_.killed_producers
                                               : result_.killed_consumers);
        else if (++result_.failed_workers >= kMostFailures)
            throw Failure(fmt::format("gave up: {} workers ended on their own", kMostFailures));
        worker.start();
    }
    if (dead)
        heal();
}

/// The library would do this by itself, later; we know that somebody is dead.
void Supervisor::heal()
{
    weir_heal_report report = WEIR_HEAL_REPORT_INIT;
    must(weir_matrix_heal(segment_.matrix().get(), &report), "heal");
    result_.healed += report.participants;
    result_.reclaimed_blocks += report.blocks_reclaimed;
    result_.reclaimed_bytes += report.reclaimed_bytes;
    result_.interrupted += report.interrupted;
    result_.longest_heal_ns = std::max(result_.longest_heal_ns, report.duration_ns);
}

void Supervisor::kill_if_due()
{
    std::int64_t const now = now_ns();
    if (options_.kill_every_ns == 0 || now < next_kill_ns_)
        return;
    next_kill_ns_ = std::max(next_kill_ns_ + options_.kill_every_ns, now);
    // A file that takes longer than its reader may live would never get through.
    if (now - last_message_ns_ > kPatienceNs)
        ++result_.kills_withheld;
    else
        choose().kill();
}

Process &Supervisor::choose()
{
    return workers_[std::uniform_int_distribution<std::size_t>(0, workers_.size() - 1)(random_)];
}

bool Supervisor::all_done()
{
    Ledger const &ledger = segment_.ledger();
    // acquire: pairs with the release in record_delivery()
    while (finished_ < ledger.files() &&
           ledger.entry(finished_).outcome.load(std::memory_order_acquire) != 0)
        ++finished_;
    // Jobs first: once they are idle, nobody posts data any more.
    return finished_ == ledger.files() && next_job_ == ledger.files() && is_idle(segment_.jobs()) &&
           is_idle(segment_.data());
}

void Supervisor::check_progress()
{
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    Ledger const &ledger = segment_.ledger();
    for (std::uint32_t i = 0; i < ledger.workers(); ++i) { // relaxed: counts for people
        messages += ledger.slot(i).messages.load(std::memory_order_relaxed);
        bytes += ledger.slot(i).bytes.load(std::memory_order_relaxed);
    }
    std::int64_t const now = now_ns();
    if (messages != seen_messages_)
        last_message_ns_ = last_byte_ns_ = now;
    if (bytes != seen_bytes_)
        last_byte_ns_ = now;
    seen_messages_ = messages;
    seen_bytes_ = bytes;
    int const starved_by = what_starves();
    if (now - last_byte_ns_ > kNoSpaceNs && starved_by == ENOSPC && is_idle(segment_.data()))
        throw Failure(fmt::format("no space left where the segment is, {} (ENOSPC); it may have "
                                  "--capacity {}, and has {}",
                                  options_.name.empty() ? "in memory" : "on its file system",
                                  human_bytes(options_.capacity),
                                  human_bytes(stats_of(segment_.matrix()).committed_bytes)));
    if (now - last_byte_ns_ > kStuckNs)
        throw Failure(fmt::format(
            "stuck: nothing happened for {}; {} of {} files have an outcome{}",
            human_time(kStuckNs), finished_, ledger.files(),
            starved_by == 0 ? "" : "; workers wait for memory: " + error_text(starved_by)));
}

/// What the allocations of producers fail with now, as errno; ENOSPC before others.
int Supervisor::what_starves() const
{
    int found = 0;
    for (std::uint32_t i = 0; i < options_.producers && found != ENOSPC; ++i) { // relaxed: as above
        auto const &slot = segment_.ledger().slot(i);
        auto const code = static_cast<int>(slot.starved_by.load(std::memory_order_relaxed));
        found = code != 0 ? code : found;
    }
    return found;
}

void Supervisor::show_progress()
{
    Ledger const &ledger = segment_.ledger();
    std::uint64_t bytes = 0;
    for (std::uint32_t i = options_.producers; i < ledger.workers(); ++i) // relaxed: for people
        bytes += ledger.slot(i).bytes.load(std::memory_order_relaxed);
    double const seconds = static_cast<double>(now_ns() - begin_ns_) / 1e9;
    progress_.show(
        fmt::format("{:3.0f} %  {}/{} files  {} of {}  {}/s  {} blocks live  {} killed",
                    100.0 * static_cast<double>(finished_) /
                        static_cast<double>(std::max<std::uint64_t>(ledger.files(), 1)),
                    finished_, ledger.files(), human_bytes(bytes), human_bytes(tree_bytes_),
                    human_bytes(static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds)),
                    stats_of(segment_.matrix()).used_blocks,
                    result_.killed_producers + result_.killed_consumers));
}

void Supervisor::shut_down()
{
    segment_.retire_channels();
    std::int64_t end = now_ns() + kShutdownNs;
    auto const runs = [](Process const &worker) { return worker.running(); };
    while (std::any_of(workers_.begin(), workers_.end(), runs)) {
        for (auto &worker : workers_)
            result_.failed_workers += worker.poll() == End::failed ? 1 : 0;
        if (now_ns() > end) {
            for (auto &worker : workers_) {
                result_.hung_workers += worker.running() ? 1 : 0;
                worker.kill();
            }
            end = INT64_MAX;
        }
        sleep_ns(kTurnNs / 4);
    }
    heal();
}

} // namespace tool::ingest
