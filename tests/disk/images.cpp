// SPDX-License-Identifier: MIT OR Apache-2.0
// R2: the log on real file systems over a disk that loses what was not flushed.
//
//   format -> { mount, use the log, unmount -> images of power cuts, each mounted, recovered and
//               checked -> one of them is where the next life begins } several times
//
// A failure prints the seed and keeps the image. Timing is the kernel's: the same seed makes the
// same choices, but not the same journal.
#include "tests/disk/device.hpp"
#include "tests/disk/workload.hpp"

#include <fcntl.h>
#include <getopt.h>

#include <algorithm>
#include <thread>

using namespace disk;
using crash::text;

namespace {

constexpr uint64_t kLives = 4;          ///< of one file system
constexpr uint64_t kImagesOfALife = 40; ///< at most
constexpr unsigned kLifeSeconds = 120;  ///< of a life or an image: whatever hangs ends
/// File systems have their own limits: they write superblocks in place and take that for atomic,
/// and btrfs sometimes cannot replay its log tree (Linux 6.18). One image in a hundred, or a few.
constexpr uint64_t kUnmountable = 3;
constexpr uint64_t kMostJobs = 64;
constexpr uint32_t kLies = 3; ///< one flush in so many, with --lying-flush

struct Options {
    std::string systems = "ext4,xfs,btrfs";
    std::string backends = "pwritev2,io_uring";
    uint64_t images = 500; ///< of each pair
    uint64_t seed = static_cast<uint64_t>(crash::now_ns());
    bool lies = false;
    std::string keep = "/var/tmp";
    uint64_t jobs = std::min<uint64_t>(2 * std::thread::hardware_concurrency(), kMostJobs);
};

struct Counts {
    uint64_t images, lives, acknowledged, truncations, cursors, flushes, unmountable, nested, kills;
    uint64_t kept[kKeeps];
    uint64_t verdicts[kVerdicts];
    void add(Counts const &other);
};

struct Backend {
    char const *name;
    weir_log_backend backend;
};
constexpr Backend kBackends[] = {{"pwritev2", WEIR_LOG_BACKEND_PWRITEV2},
                                 {"io_uring", WEIR_LOG_BACKEND_IO_URING}};

/// What a child that looks at an image says.
struct Said {
    Verdict verdict;
    char what[500];
};

/// The lives of one log on one file system.
class Chain {
  public:
    Chain(Device &device, VolatileDisk &disk, FileSystem const &system, Backend const &backend,
          Options const &options, uint64_t seed, Counts &counts)
        : device_(device), disk_(disk), system_(system), backend_(backend), options_(options),
          random_(seed), counts_(counts), said_(crash::shared_page<Said>())
    {
    }
    Chain(Chain const &) = delete;
    Chain &operator=(Chain const &) = delete;
    ~Chain() { munmap(said_, sizeof(Said)); }
    /// Empty, or what went wrong.
    std::string run(uint64_t images);

  private:
    std::string live();
    std::string look_at_images(uint64_t count);
    std::string look_at(Cut const &cut);
    Finding ask_child(Cut const &cut);
    std::string explain(Cut const &cut, Finding const &found);
    Cut any_cut();
    uint64_t any_of(std::vector<Told> const &told);
    void go_on_from(Cut const &cut);

    Device &device_;
    VolatileDisk &disk_;
    FileSystem const &system_;
    Backend const &backend_;
    Options const &options_;
    Random random_;
    Counts &counts_;
    Said *said_;
    Life life_;
    uint64_t number_ = 0;
};

std::string Chain::run(uint64_t images)
{
    disk_.lie_once_in(0);
    disk_.clear();
    std::string wrong = device_.format(system_);
    disk_.settle();
    disk_.lie_once_in(options_.lies ? kLies : 0);
    uint64_t const until = counts_.images + images;
    for (number_ = 1; wrong.empty(); ++number_) {
        int const code = device_.mount(system_);
        if (code != 0 && number_ > 1) {
            ++counts_.unmountable;
            break;
        }
        wrong = code == 0 ? live() : text("mount: %s", strerror(-code));
        if (!wrong.empty())
            break;
        counts_.flushes += disk_.flushes();
        disk_.rewind();
        wrong = look_at_images(std::min(until - counts_.images, kImagesOfALife));
        if (counts_.images >= until || number_ == kLives || !wrong.empty() || options_.lies)
            break; // nobody can go on with what a lie has broken
        disk_.rewind();
        go_on_from(any_cut());
    }
    return wrong;
}

std::string Chain::live()
{
    ++counts_.lives;
    counts_.nested += number_ > 1 ? 1 : 0;
    alarm(kLifeSeconds);
    Workload workload(disk_, device_.folder(), backend_.backend, random_.next(), number_, life_);
    Finding const found = workload.run();
    alarm(0);
    counts_.acknowledged += life_.durable.size();
    counts_.truncations += life_.truncations.size();
    counts_.cursors += life_.cursors.size();
    counts_.kills += life_.kills;
    int const code = device_.unmount();
    if (!found.fine())
        return text("life %llu: %s", static_cast<unsigned long long>(number_), found.what.c_str());
    return code == 0 ? "" : text("unmount: %s", strerror(-code));
}

/// Anywhere, or where a promise is youngest: right after an acknowledgement, while the log was
/// opened, or right after that.
Cut Chain::any_cut()
{
    uint64_t const end = disk_.position();
    uint64_t at = 0;
    switch (random_.below(8)) {
    case 0:
        at = disk_.any_place(random_, std::min(end, life_.opened));
        break;
    case 1:
        at = any_of(life_.openings) + random_.below(3);
        break;
    case 2:
        at = any_of(life_.durable);
        break;
    case 3:
        at = any_of(life_.first_in_segments());
        break;
    default:
        at = disk_.any_place(random_, end);
    }
    return {std::min(at, end), static_cast<Keep>(random_.below(kKeeps)), random_.next()};
}

/// When one of these was over.
uint64_t Chain::any_of(std::vector<Told> const &told)
{
    return told.empty() ? 0 : told[random_.below(told.size())].done;
}

std::string Chain::look_at_images(uint64_t count)
{
    std::vector<Cut> cuts;
    for (uint64_t i = 0; i < count; ++i)
        cuts.push_back(any_cut());
    std::sort(cuts.begin(), cuts.end(), [](Cut const &a, Cut const &b) { return a.at < b.at; });
    for (Cut const &cut : cuts)
        if (std::string const wrong = look_at(cut); !wrong.empty())
            return wrong;
    return "";
}

std::string Chain::look_at(Cut const &cut)
{
    ++counts_.images;
    ++counts_.kept[static_cast<unsigned>(cut.keep)];
    disk_.show(cut);
    if (device_.mount(system_) != 0) {
        ++counts_.unmountable;
        disk_.hide();
        return "";
    }
    Finding const found = ask_child(cut);
    ++counts_.verdicts[static_cast<unsigned>(found.verdict)];
    if (int const left = device_.unmount(); left != 0)
        return text("unmount: %s", strerror(-left));
    disk_.hide();
    bool const lied = options_.lies && found.verdict != Verdict::wrong;
    return found.fine() || lied ? "" : explain(cut, found);
}

/// A process of its own: it may crash or hang, and leaves nothing open.
Finding Chain::ask_child(Cut const &cut)
{
    *said_ = {Verdict::refused, "the process that looked has died"};
    pid_t const child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(kLifeSeconds);
        Finding const found =
            check_image(device_.folder(), life_, cut.at, backend_.backend, cut.seed);
        said_->verdict = found.verdict;
        snprintf(said_->what, sizeof said_->what, "%s", found.what.c_str());
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return {status == 0 ? said_->verdict : Verdict::refused, said_->what};
}

std::string Chain::explain(Cut const &cut, Finding const &found)
{
    constexpr char const *kNames[kVerdicts] = {"fine", "lost", "damage reported", "refused",
                                               "wrong"};
    disk_.show(cut);
    std::string const file = text("%s/weir-disk-%s-%s-%d.image", options_.keep.c_str(),
                                  system_.name, backend_.name, getpid());
    std::string const kept = disk_.save(file.c_str()) ? "; the image is in " + file : "";
    disk_.hide();
    return text("%s: %s; life %llu, cut at %llu of %llu, kept %s of %llu writes",
                kNames[static_cast<unsigned>(found.verdict)], found.what.c_str(),
                static_cast<unsigned long long>(number_), static_cast<unsigned long long>(cut.at),
                static_cast<unsigned long long>(disk_.position()), name_of(cut.keep),
                static_cast<unsigned long long>(disk_.open_writes(cut.at))) +
           kept;
}

void Chain::go_on_from(Cut const &cut)
{
    disk_.show(cut);
    disk_.settle();
    life_ = life_.after(cut.at);
}

void Counts::add(Counts const &other)
{
    images += other.images;
    lives += other.lives;
    acknowledged += other.acknowledged;
    truncations += other.truncations;
    cursors += other.cursors;
    flushes += other.flushes;
    unmountable += other.unmountable;
    nested += other.nested;
    kills += other.kills;
    for (unsigned i = 0; i < kKeeps; ++i)
        kept[i] += other.kept[i];
    for (unsigned i = 0; i < kVerdicts; ++i)
        verdicts[i] += other.verdicts[i];
}

/// What a process with a disk of its own does, one of several at a time: most of an image's time
/// is waiting inside the kernel.
struct Job {
    Counts counts;
    char wrong[1000];
};

std::string work(FileSystem const &system, Backend const &backend, Options const &options,
                 uint64_t images, uint64_t seed, Counts &counts)
{
    VolatileDisk *const disk = VolatileDisk::make(system.size);
    Device device;
    std::string wrong = disk == nullptr ? "no address space" : device.open(*disk, seed);
    while (wrong.empty() && counts.images < images) {
        Chain chain(device, *disk, system, backend, options, seed, counts);
        wrong = chain.run(std::min(images - counts.images, kLives * kImagesOfALife));
        if (!wrong.empty())
            wrong +=
                text("; again with --jobs 1 --seed %llu", static_cast<unsigned long long>(seed));
        seed = Random(seed).next() >> 32;
    }
    return wrong;
}

/// The first failure, or nothing.
std::string work_at_once(FileSystem const &system, Backend const &backend, Options const &options,
                         Counts &ret)
{
    struct Jobs {
        Job job[kMostJobs];
    };
    Jobs *const jobs = crash::shared_page<Jobs>();
    std::vector<pid_t> children;
    uint64_t const each = (options.images + options.jobs - 1) / options.jobs;
    for (uint64_t i = 0; i < options.jobs; ++i) {
        Job &job = jobs->job[i];
        snprintf(job.wrong, sizeof job.wrong, "job %llu has died",
                 static_cast<unsigned long long>(i));
        fflush(stdout);
        pid_t const child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            uint64_t const seed = i == 0 ? options.seed : Random(options.seed + i).next() >> 32;
            std::string const wrong = work(system, backend, options, each, seed, job.counts);
            snprintf(job.wrong, sizeof job.wrong, "%s", wrong.c_str());
            _exit(0);
        }
        children.push_back(child);
    }
    std::string wrong;
    for (uint64_t i = 0; i < options.jobs; ++i) {
        waitpid(children[i], nullptr, 0);
        ret.add(jobs->job[i].counts);
        if (wrong.empty())
            wrong = jobs->job[i].wrong;
    }
    munmap(jobs, sizeof *jobs);
    return wrong;
}

unsigned long long shown(uint64_t number) { return number; }

void run(Options const &options, std::string const &name, Backend const &backend, crash::Tap &tap)
{
    FileSystem const *const system = file_system(name);
    std::string const title = name + ", " + backend.name + ": power cuts";
    if (system == nullptr) {
        tap.ok(false, title.c_str(), "no such file system");
        return;
    }
    if (std::string const why = missing(*system); !why.empty()) {
        tap.skip(title.c_str(), why.c_str());
        return;
    }
    Counts counts{};
    int64_t const begun = crash::now_ns();
    std::string wrong = work_at_once(*system, backend, options, counts);
    if (wrong.empty() && !options.lies && counts.unmountable > kUnmountable &&
        counts.unmountable * 100 > counts.images)
        wrong = "too many images that cannot be mounted";
    if (options.lies && wrong.empty() && counts.images == counts.verdicts[0])
        wrong = "the disk lied, and nothing was lost";
    double const seconds = static_cast<double>(crash::now_ns() - begun) / 1e9;
    tap.ok(wrong.empty(), title.c_str(), wrong.c_str());
    printf("# %llu images, %llu lives (%llu after a cut), %llu kills, %llu acknowledgements, %llu "
           "truncations, "
           "%llu cursors, %llu flushes, %.0f images/s\n",
           shown(counts.images), shown(counts.lives), shown(counts.nested), shown(counts.kills),
           shown(counts.acknowledged), shown(counts.truncations), shown(counts.cursors),
           shown(counts.flushes), static_cast<double>(counts.images) / seconds);
    printf("# fine %llu, lost %llu, reported %llu, refused %llu, wrong %llu, not mountable %llu\n",
           shown(counts.verdicts[0]), shown(counts.verdicts[1]), shown(counts.verdicts[2]),
           shown(counts.verdicts[3]), shown(counts.verdicts[4]), shown(counts.unmountable));
    printf("# kept:");
    for (unsigned i = 0; i < kKeeps; ++i)
        printf(" %s %llu%s", name_of(static_cast<Keep>(i)), shown(counts.kept[i]),
               i + 1 < kKeeps ? "," : "\n");
    fflush(stdout);
}

bool is_in(std::string const &list, std::string const &name)
{
    return ("," + list + ",").find("," + name + ",") != std::string::npos;
}

constexpr char kUsage[] =
    "usage: images [--fs ext4,xfs,btrfs] [--backend pwritev2,io_uring] [--images N] [--seed N]\n"
    "              [--jobs N] [--lying-flush] [--keep FOLDER]\n";

bool parse(int argc, char **argv, Options &ret)
{
    option const known[] = {
        {"fs", required_argument, nullptr, 'f'},     {"backend", required_argument, nullptr, 'b'},
        {"images", required_argument, nullptr, 'n'}, {"seed", required_argument, nullptr, 's'},
        {"jobs", required_argument, nullptr, 'j'},   {"keep", required_argument, nullptr, 'k'},
        {"lying-flush", no_argument, nullptr, 'l'},  {nullptr, 0, nullptr, 0}};
    for (int letter; (letter = getopt_long(argc, argv, "", known, nullptr)) != -1;)
        switch (letter) {
        case 'f':
            ret.systems = optarg;
            break;
        case 'b':
            ret.backends = optarg;
            break;
        case 'n':
            ret.images = std::strtoull(optarg, nullptr, 0);
            break;
        case 's':
            ret.seed = std::strtoull(optarg, nullptr, 0);
            break;
        case 'j':
            ret.jobs = std::strtoull(optarg, nullptr, 0);
            break;
        case 'k':
            ret.keep = optarg;
            break;
        case 'l':
            ret.lies = true;
            break;
        default:
            return false;
        }
    return optind == argc && ret.images != 0 && ret.jobs != 0 && ret.jobs <= kMostJobs;
}

} // namespace

int main(int argc, char **argv)
{
    Options options;
    if (!parse(argc, argv, options)) {
        fputs(kUsage, stderr);
        return 2;
    }
    if (std::string const why = Device::missing(); !why.empty()) {
        printf("1..0 # SKIP %s\n", why.c_str());
        return 77;
    }
    printf("# seed %llu\n", static_cast<unsigned long long>(options.seed));
    crash::Tap tap;
    for (std::string rest = options.systems + ","; !rest.empty();
         rest = rest.substr(rest.find(',') + 1))
        for (Backend const &backend : kBackends)
            if (is_in(options.backends, backend.name))
                run(options, rest.substr(0, rest.find(',')), backend, tap);
    return tap.finish();
}
