// SPDX-License-Identifier: MIT OR Apache-2.0
// Heals, attaches, fills.
#include "facts.hpp"

#include <csignal>
#include <stdexcept>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {
namespace {
constexpr std::uint64_t kLarge = std::uint64_t{64} << 30;

/// Adds the time between its making and stop().
class Stopwatch {
  public:
    explicit Stopwatch(Outcome &outcome) : outcome_(outcome) { counts_.begin(); }
    void stop()
    {
        counts_.end();
        Outcome const one = sum_up(&counts_, 1, 1, counts_.began);
        outcome_.seconds += one.seconds;
        outcome_.cpu_seconds += one.cpu_seconds;
    }

  private:
    Outcome &outcome_;
    Counts counts_;
};

struct Pipe {
    int ends[2];
    Pipe()
    {
        if (pipe2(ends, O_CLOEXEC) != 0)
            throw std::runtime_error("no pipe");
    }
    Pipe(Pipe const &) = delete;
    Pipe &operator=(Pipe const &) = delete;
    ~Pipe()
    {
        close(ends[0]);
        close(ends[1]);
    }
    void tell(std::uint64_t number) const
    {
        if (write(ends[1], &number, sizeof number) != sizeof number)
            _exit(1);
    }
    std::uint64_t listen() const
    {
        std::uint64_t number = 0;
        if (read(ends[0], &number, sizeof number) != sizeof number)
            throw std::runtime_error("a benchmark process ended early");
        return number;
    }
};

/// Allocates and writes; of each pair of blocks one goes to `heir`, if there is one. Returns how
/// many operations failed.
std::uint64_t fill(Weir &matrix, Dead const &dead, std::uint64_t heir)
{
    Random random{11};
    std::uint64_t failed = 0;
    for (int i = 0; i < dead.blocks * (heir == 0 ? 1 : 2); ++i) {
        Block block;
        std::size_t const size = dead.least + random() % (dead.most - dead.least + 1);
        if (!matrix.allocate(size, block)) {
            ++failed;
            continue;
        }
        *static_cast<int *>(block.data) = i;
        if (heir != 0 && i % 2 == 0)
            failed += weir_block_give(matrix.handle(), block.ref, heir) != 0;
    }
    return failed;
}

/// Who will be killed. Tells what failed, and who it is.
[[noreturn]] void victim(Weir &matrix, Dead const &dead, Pipe const &pipe)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); // should the benchmark end before it kills us
    std::uint64_t me = 0;
    std::uint64_t failed = dead.among_the_living ? 0 : fill(matrix, dead, 0);
    failed += weir_matrix_participant_id(matrix.handle(), &me) != 0;
    pipe.tell(failed);
    pipe.tell(me);
    for (;;)
        pause();
}

/// A segment that is used through its file system name, gone at the end.
struct Named {
    std::string name = "weir-bench-" + std::to_string(getpid());
    weir_matrix *matrix = nullptr;
    Named()
    {
        weir_matrix_options options = WEIR_MATRIX_OPTIONS_INIT;
        options.capacity = kLarge;
        int const code = weir_matrix_create(name.c_str(), &options, &matrix);
        if (code != 0)
            throw std::runtime_error(weir_strerror(code));
    }
    Named(Named const &) = delete;
    Named &operator=(Named const &) = delete;
    ~Named()
    {
        weir_matrix_unlink(name.c_str());
        weir_matrix_unref(matrix);
    }
};

std::uint64_t granted(int fd)
{
    struct stat status = {};
    if (fstat(fd, &status) != 0)
        throw std::runtime_error("fstat");
    return std::uint64_t(status.st_blocks) * 512;
}
} // namespace

Outcome heal(Dead const &dead)
{
    Weir matrix(std::size_t{1} << 30);
    Pipe const pipe;
    pid_t const child = fork();
    if (child == 0)
        victim(matrix, dead, pipe);
    Outcome outcome;
    outcome.failures = pipe.listen();
    std::uint64_t const heir = pipe.listen();
    if (dead.among_the_living)
        outcome.failures += fill(matrix, dead, heir);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    weir_heal_report report = WEIR_HEAL_REPORT_INIT;
    Stopwatch watch(outcome);
    int const healed = weir_matrix_heal(matrix.handle(), &report);
    watch.stop();
    outcome.operations = report.blocks_reclaimed;
    outcome.damaged += healed != 1 || report.blocks_reclaimed != std::uint64_t(dead.blocks);
    return outcome;
}

Outcome attach(int times, bool first_block)
{
    Named const segment;
    Outcome outcome;
    for (int i = 0; i < times; ++i) {
        weir_matrix *matrix = nullptr;
        weir_ref ref = 0;
        void *data = nullptr;
        Stopwatch watch(outcome);
        int code = weir_matrix_attach(segment.name.c_str(), nullptr, &matrix);
        if (code == 0 && first_block)
            code = weir_matrix_alloc(matrix, 64, nullptr, &ref, &data);
        if (data != nullptr)
            *static_cast<int volatile *>(data) = i;
        watch.stop();
        outcome.failures += code != 0;
        ++outcome.operations;
        weir_matrix_unref(matrix);
    }
    return outcome;
}

Outcome open_and_map(int times)
{
    std::string const name = "/weir-bench-floor-" + std::to_string(getpid());
    int const made = shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    if (made < 0 || ftruncate(made, off_t(kLarge)) != 0)
        throw std::runtime_error("no file to map");
    Outcome outcome;
    for (int i = 0; i < times; ++i) {
        Stopwatch watch(outcome);
        int const fd = shm_open(name.c_str(), O_RDWR, 0);
        void *const at = mmap(nullptr, kLarge, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        outcome.failures += at == MAP_FAILED || *static_cast<char volatile *>(at) != 0;
        watch.stop();
        ++outcome.operations;
        munmap(at, kLarge);
        close(fd);
    }
    shm_unlink(name.c_str());
    close(made);
    return outcome;
}

Outcome uncontended_cas(int pairs)
{
    return in_threads(1, [=](int, Counts &counts) {
        std::atomic<std::uint64_t> word{0};
        for (int i = 0; i < pairs; ++i) {
            std::uint64_t before = std::uint64_t(i) * 2;
            // acq_rel, as for a claim; there is no other thread
            counts.failures +=
                !word.compare_exchange_strong(before, before + 1, std::memory_order_acq_rel);
            ++before;
            counts.failures +=
                !word.compare_exchange_strong(before, before + 1, std::memory_order_acq_rel);
            ++counts.operations;
        }
    });
}

Overhead overhead(std::size_t least, std::size_t most, std::size_t total)
{
    Weir matrix(std::size_t{4} << 30);
    int const fd = weir_matrix_fd(matrix.handle());
    std::uint64_t const empty = granted(fd);
    Overhead result;
    Random random{5};
    std::uint64_t asked = 0;
    while (asked < total) {
        Block block;
        std::size_t const size = least + (random() >> 4) % (most - least + 1);
        if (!matrix.allocate(size, block)) {
            ++result.failures;
            break;
        }
        asked += size;
    }
    weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
    if (weir_matrix_stats(matrix.handle(), &info) != 0)
        ++result.failures;
    result.tables =
        double(granted(fd) - empty - info.committed_bytes) / double(info.committed_bytes);
    result.waste = double(info.used_bytes) / double(asked) - 1;
    return result;
}

std::uint64_t empty_matrix_bytes()
{
    Named const segment;
    return granted(weir_matrix_fd(segment.matrix));
}

} // namespace bench
