// SPDX-License-Identifier: MIT OR Apache-2.0
// Processes that resize blocks and are killed, with the policy `keep`: what they had survives them
// with its bytes, and nothing else is lost.
//
// A block whose state is kFilled holds its length and that many bytes of one value; its owner keeps
// that true before each step that could end in his death. After each kill the parent takes what is
// nobody's, looks at every byte, and frees it. WEIR_RESIZE_KILLS (200) and WEIR_SEED choose.
#include "tests/crash/support.hpp"

#include <vector>

using namespace crash;

namespace {
constexpr uint32_t kFilled = 50;
constexpr unsigned kWorkers = 2;

struct Content {
    uint64_t length;
    uint64_t fill;
};

void write(void *data, size_t from, size_t length, uint64_t fill)
{
    auto *const bytes = static_cast<unsigned char *>(data);
    if (length > from)
        std::memset(bytes + from, static_cast<int>(fill & 255), length - from);
    Content const content{length, fill};
    std::memcpy(data, &content, sizeof content); // shorter than a granule: never split
}

size_t random_size(Random &random)
{
    uint64_t const kind = random.below(100);
    return sizeof(Content) + (kind < 80   ? random.below(1000)
                              : kind < 98 ? random.below(20000)
                                          : random.below(300000));
}

/// Empty, or what is wrong with it.
std::string verify(weir_matrix *matrix, weir_ref block)
{
    void *data = nullptr;
    size_t size = 0;
    if (int const code = weir_matrix_data(matrix, block, &data, &size); code != 0)
        return text("data gave %d", code);
    Content content;
    std::memcpy(&content, data, sizeof content);
    if (content.length < sizeof content || content.length > size)
        return text("%llu bytes in a block of %zu", static_cast<unsigned long long>(content.length),
                    size);
    auto const *const bytes = static_cast<unsigned char const *>(data);
    for (size_t i = sizeof content; i < content.length; ++i)
        if (bytes[i] != (content.fill & 255))
            return text("byte %zu of %llu was changed", i,
                        static_cast<unsigned long long>(content.length));
    return "";
}

/// Returns only if something is wrong.
int work(weir_matrix *matrix, uint64_t seed, uint64_t *beats)
{
    constexpr unsigned kHeld = 24;
    Random random(seed);
    weir_ref held[kHeld] = {};
    for (;; __atomic_fetch_add(beats, 1, __ATOMIC_RELAXED)) {
        weir_ref &block = held[random.below(kHeld)];
        void *data = nullptr;
        if (block == 0) {
            size_t const size = random_size(random);
            int const code = weir_matrix_alloc(matrix, size, nullptr, &block, &data);
            if (code == -ENOMEM || code == -EBUSY)
                continue;
            if (code != 0)
                return 2;
            write(data, sizeof(Content), size, random.next());
            if (weir_block_set_state(matrix, block, kFilled) != 0)
                return 3;
            continue;
        }
        if (!verify(matrix, block).empty())
            return 4;
        if (random.below(4) == 0) {
            if (weir_matrix_free(matrix, block) != 0)
                return 5;
            block = 0;
            continue;
        }
        size_t const size = random_size(random);
        if (weir_matrix_data(matrix, block, &data, nullptr) != 0)
            return 6;
        Content content;
        std::memcpy(&content, data, sizeof content);
        if (size < content.length)
            write(data, size, size, content.fill); // before it shrinks
        int const code = random.below(4) == 0
                             ? weir_matrix_realloc(matrix, block, size, nullptr, &block, &data)
                             : weir_matrix_resize(matrix, block, size);
        if (code == -ENOSPC || code == -ENOMEM || code == -EBUSY)
            continue;
        if (code != 0)
            return 7;
        if (!verify(matrix, block).empty())
            return 8;
        if (size > content.length)
            write(data, content.length, size, content.fill); // after it has grown
    }
}

struct Found {
    std::vector<weir_ref> left;
};
int note(weir_block_info const *info, void *userdata)
{
    if (info->kind == WEIR_BLOCK_ALLOCATED && info->owner == WEIR_OWNER_NONE)
        static_cast<Found *>(userdata)->left.push_back(info->block);
    return 0;
}

/// Takes what the dead have left. Empty, or what is wrong with it.
std::string inherit(weir_matrix *matrix, uint64_t &ret_filled)
{
    if (int const code = weir_matrix_heal(matrix, nullptr); code < 0)
        return text("heal gave %d", code);
    Found found;
    if (int const code = weir_matrix_walk(matrix, note, &found); code != 0)
        return text("walk gave %d", code);
    for (weir_ref const block : found.left) {
        if (int const code = weir_block_take(matrix, block); code != 0)
            return text("take gave %d", code);
        if (weir_block_state(matrix, block) == static_cast<int>(kFilled)) {
            ++ret_filled;
            if (std::string const wrong = verify(matrix, block); !wrong.empty())
                return wrong;
        }
        if (int const code = weir_matrix_free(matrix, block); code != 0)
            return text("free gave %d", code);
    }
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    if (int const errors = weir_matrix_check(matrix, 0, &report); errors != 0)
        return text("check found %d errors", errors);
    return "";
}

struct Shared {
    uint64_t beats[kWorkers];
};
} // namespace

int main()
{
    alarm(150); // a watchdog: whatever hangs ends as a failure
    Tap tap;
    uint64_t const kills = environment("WEIR_RESIZE_KILLS", 200);
    uint64_t const seed = environment("WEIR_SEED", static_cast<uint64_t>(now_ns()));
    std::printf("# seed %llu\n", static_cast<unsigned long long>(seed));
    Random random(seed);
    weir_matrix_options with = WEIR_MATRIX_OPTIONS_INIT;
    with.capacity = uint64_t{2} << 20;
    with.participants = 8;
    with.death_policy = WEIR_DEATH_KEEP;
    weir_matrix *matrix = nullptr;
    if (!tap.ok(weir_matrix_create(nullptr, &with, &matrix) == 0, "a matrix is made"))
        return tap.finish();
    auto *const shared = shared_page<Shared>();
    pid_t pids[kWorkers];
    auto const start = [&](unsigned i) {
        uint64_t const its = random.next();
        pids[i] = fork();
        if (pids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            _exit(work(matrix, its, &shared->beats[i]));
        }
    };
    for (unsigned i = 0; i < kWorkers; ++i)
        start(i);
    std::string wrong;
    uint64_t done = 0, filled = 0;
    for (; done < kills && wrong.empty(); ++done) {
        sleep_us(300 + random.below(3000));
        auto const victim = static_cast<unsigned>(random.below(kWorkers));
        kill(pids[victim], SIGKILL);
        int status = 0;
        waitpid(pids[victim], &status, 0);
        if (WIFEXITED(status))
            wrong = text("a worker ended with %d", WEXITSTATUS(status));
        else
            wrong = inherit(matrix, filled);
        start(victim);
    }
    for (pid_t const pid : pids) {
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
    }
    tap.ok(wrong.empty() && done == kills, "what was kept has its bytes, whoever died when",
           wrong.c_str());
    wrong = inherit(matrix, filled);
    if (wrong.empty())
        wrong = not_empty(matrix);
    tap.ok(wrong.empty(), "every byte came back", wrong.c_str());
    tap.ok(filled > kills, "there was something to keep", std::to_string(filled).c_str());
    std::printf("# %llu kills, %llu blocks kept, %llu operations\n",
                static_cast<unsigned long long>(done), static_cast<unsigned long long>(filled),
                static_cast<unsigned long long>(shared->beats[0] + shared->beats[1]));
    weir_matrix_unref(matrix);
    return tap.finish();
}
