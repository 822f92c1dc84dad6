// SPDX-License-Identifier: MIT OR Apache-2.0
// weir ingest from beginning to end: list, run, compare, clear away, tell.
#include "../interrupt.hpp"
#include "checksum.hpp"
#include "files.hpp"
#include "ingest.hpp"
#include "run_log.hpp"
#include "segment.hpp"
#include "summary.hpp"
#include "supervisor.hpp"
#include "tree.hpp"

#include "../error.hpp"
#include "../output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool::ingest {
namespace {
/// The folder of --out with one in it for files that are being written, so that a killed consumer
/// leaves nothing among the others. Removed at the end.
class Scratch {
  public:
    explicit Scratch(std::string const &out)
    {
        if (out.empty())
            return;
        std::error_code error;
        std::filesystem::create_directories(out, error);
        if (error)
            throw Failure(printable(out) + ": " + error.message());
        name_ = fmt::format(".weir-ingest.{}", getpid());
        path_ = out + "/" + name_;
        if (mkdir(path_.c_str(), 0700) != 0 && errno != EEXIST)
            fail_errno(printable(path_));
    }
    ~Scratch()
    {
        std::error_code ignored; // nothing depends on it
        if (!path_.empty())
            std::filesystem::remove_all(path_, ignored);
    }
    Scratch(Scratch const &) = delete;
    Scratch &operator=(Scratch const &) = delete;

    std::string const &name() const { return name_; }

  private:
    std::string name_;
    std::string path_;
};

/// Tests: waits until somebody has opened and closed the FIFO for writing.
void hold(std::string const &fifo)
{
    constexpr int kTurnMs = 50;
    File const gate(open(fifo.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!gate)
        fail_errno(fifo);
    pollfd waiting{gate.fd(), POLLIN, 0}; // POLLHUP comes when the writer closes
    while (poll(&waiting, 1, kTurnMs) <= 0)
        if (was_interrupted())
            throw Failure("interrupted");
}

/// Tests: a block of nobody that nobody names.
void leave_block(Matrix const &matrix)
{
    weir_ref block = WEIR_REF_NONE;
    must(weir_matrix_alloc(matrix.get(), 100, nullptr, &block, nullptr), "alloc");
    must(weir_block_give(matrix.get(), block, WEIR_OWNER_NONE), "give");
}

/// A wrong checksum on both sides would look right: try it on the check value of its definition.
void test_checksum()
{
    constexpr char kDigits[] = "123456789";
    constexpr std::uint32_t kExpected = 0xe3069283;
    constexpr std::size_t kLength = sizeof kDigits - 1;
    if (crc32c(0, kDigits, kLength) != kExpected ||
        crc32c_portable(0, kDigits, kLength) != kExpected)
        throw Failure("the checksum is wrong on this machine");
}

void announce(Options const &options, Tree const &tree)
{
    if (options.json || options.quiet)
        return;
    print(fmt::format("{} files, {} in {}; {} producers, {} consumers, {} of shared memory\n",
                      tree.paths.size(), human_bytes(tree.bytes), printable(options.from),
                      options.producers, options.consumers, human_bytes(options.capacity)));
}

using FileId = std::pair<dev_t, ino_t>;

/// A folder and all folders around it, from the inside out. What does not exist yet is left out.
std::vector<FileId> way_up(std::string const &path)
{
    namespace fs = std::filesystem;
    std::vector<FileId> found;
    std::error_code error;
    fs::path at = fs::weakly_canonical(path, error);
    for (struct stat info{};; at = at.parent_path()) {
        if (stat(at.c_str(), &info) == 0)
            found.emplace_back(info.st_dev, info.st_ino);
        if (at == at.parent_path())
            return found;
    }
}

/// Writing there would replace files that are still to be read, or read those that were written.
void refuse_overlap(Options const &options)
{
    struct stat from {};
    struct stat out {};
    if (options.out.empty() || stat(options.from.c_str(), &from) != 0)
        return;
    auto const is_on = [](std::vector<FileId> const &way, struct stat const &place) {
        return std::find(way.begin(), way.end(), FileId(place.st_dev, place.st_ino)) != way.end();
    };
    bool const exists = stat(options.out.c_str(), &out) == 0;
    if (is_on(way_up(options.out), from) || (exists && is_on(way_up(options.from), out)))
        throw BadUsage("--out and --from must not be in one another");
}

int ingest(Options const &options)
{
    test_checksum();
    refuse_overlap(options);
    Tree const tree = list_tree(options.from);
    announce(options, tree);
    watch_interrupts();
    Scratch const scratch(options.out);
    Segment segment(options, tree);
    RunLog const run_log(options);
    Supervision const supervision = Supervisor(options, segment, tree.bytes, scratch.name()).run();
    if (!options.hold.empty())
        hold(options.hold);

    Summary summary{options,
                    tree,
                    supervision,
                    sum_up(segment.ledger(), options.producers),
                    verify(segment.ledger(), options),
                    {},
                    {}};
    if (!options.log.empty())
        summary.log = run_log.compare(segment.ledger(), summary.verification);
    if (was_interrupted())
        throw Failure("interrupted");
    if (options.leave_block)
        leave_block(segment.matrix());
    summary.segment = segment.close();
    options.json ? show_json(summary) : show_text(summary);
    return summary.good() ? EXIT_SUCCESS : EXIT_FAILURE;
}
} // namespace

int run(Options const &options)
{
    try {
        return ingest(options);
    } catch (Failure const &failure) {
        if (options.json)
            print_json({{"good", false}, {"error", failure.what()}});
        if (!was_interrupted())
            throw;
        fmt::print(stderr, "weir: {}\n", failure.what());
        end_as_interrupted();
        return EXIT_FAILURE;
    }
}

} // namespace tool::ingest
