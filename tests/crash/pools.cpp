// SPDX-License-Identifier: MIT OR Apache-2.0
// Processes that take, pass on and give back slots of a growing pool and are killed: their slots come
// back, those of the living stay theirs, and each slot has one user.
//
// A user writes its number into a slot and finds it there when it gives the slot back. Slots are also
// passed through a mailbox: who takes one out owns it by a CAS. Every other round the pool is
// destroyed and made anew. WEIR_POOL_KILLS (300) and WEIR_SEED choose.
#include "tests/crash/support.hpp"

using namespace crash;

namespace {
constexpr unsigned kWorkers = 3;
constexpr unsigned kMailbox = 8;
constexpr uint64_t kSlotSize = 40;

struct Shared {
    uint64_t beats[kWorkers];
    uint64_t mailbox[kMailbox];
};

/// Returns only if something is wrong.
int work(weir_pool *pool, uint64_t seed, uint64_t number, Shared *shared, uint64_t *beats)
{
    constexpr unsigned kHeld = 40;
    Random random(seed);
    weir_slot held[kHeld] = {};
    for (;; __atomic_fetch_add(beats, 1, __ATOMIC_RELAXED)) {
        weir_slot &slot = held[random.below(kHeld)];
        void *data = nullptr;
        if (slot == 0) {
            int64_t const timeout = random.below(10) == 0 ? kMillisecond : 0;
            int const code = weir_pool_acquire(pool, timeout, &slot, &data);
            if (code == -EAGAIN || code == -ETIMEDOUT || code == -ENOMEM || code == -EBUSY)
                continue;
            if (code != 0)
                return 2;
            std::memcpy(data, &number, sizeof number);
            continue;
        }
        if (weir_pool_data(pool, slot, &data) != 0)
            return 3;
        if (std::memcmp(data, &number, sizeof number) != 0)
            return 4;
        uint64_t &place = shared->mailbox[random.below(kMailbox)];
        uint64_t const got =
            __atomic_exchange_n(&place, random.below(4) == 0 ? slot : 0, __ATOMIC_ACQ_REL);
        bool const passed = __atomic_load_n(&place, __ATOMIC_RELAXED) == slot;
        if (got != 0) { // its user may be dead by now, and the slot another one's
            int const code = weir_pool_release(pool, got);
            if (code != 0 && code != -WEIR_E_STALE)
                return 5;
        }
        if (passed) {
            slot = 0; // somebody releases it, or we are dead
            continue;
        }
        int const code = weir_pool_release(pool, slot);
        if (code != 0 && code != -WEIR_E_STALE)
            return 6;
        if (code == 0 && weir_pool_is_live(pool, slot) != 0)
            return 7;
        slot = 0;
    }
}

struct Owners {
    uint64_t living[kWorkers + 2];
    uint64_t unknown = 0;
    uint64_t slots = 0;
};

int note_participant(weir_participant_info const *info, void *userdata)
{
    auto &owners = *static_cast<Owners *>(userdata);
    for (uint64_t &at : owners.living)
        if (at == 0) {
            at = info->participant;
            break;
        }
    return 0;
}

int note_slot(weir_slot_info const *info, void *userdata)
{
    auto &owners = *static_cast<Owners *>(userdata);
    bool known = false;
    for (uint64_t const at : owners.living)
        known = known || at == info->owner;
    owners.unknown += known ? 0 : 1;
    ++owners.slots;
    return 0;
}

/// After a death was healed nobody else's slots are there. Empty, or what is wrong.
std::string look(weir_matrix *matrix, weir_pool *pool)
{
    if (int const code = weir_matrix_heal(matrix, nullptr); code < 0)
        return text("heal gave %d", code);
    Owners owners{};
    weir_matrix_participants(matrix, note_participant, &owners);
    if (int const code = weir_pool_walk(pool, note_slot, &owners); code != 0)
        return text("walk gave %d", code);
    if (owners.unknown != 0)
        return text("%d slots of the dead", static_cast<int>(owners.unknown));
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    if (int const errors = weir_matrix_check(matrix, 0, &report); errors != 0)
        return text("check found %d errors", errors);
    return "";
}

weir_pool *make_pool(weir_matrix *matrix)
{
    weir_pool_options with = WEIR_POOL_OPTIONS_INIT;
    with.slot_size = kSlotSize;
    with.capacity = 64;
    with.max_capacity = 100; // fewer than all together want
    with.flags = WEIR_POOL_GROWABLE;
    weir_pool *pool = nullptr;
    return weir_pool_create_in(matrix, "pool", &with, &pool) == 0 ? pool : nullptr;
}

/// All slots can be had, and the end gives all memory back. Empty, or what is wrong.
std::string end_pool(weir_matrix *matrix, weir_pool *pool)
{
    if (std::string const wrong = look(matrix, pool); !wrong.empty())
        return wrong;
    weir_pool_info info = WEIR_POOL_INFO_INIT;
    weir_pool_stats(pool, &info);
    if (info.live != 0)
        return text("%d slots are nobody's", static_cast<int>(info.live));
    weir_slot slot;
    uint64_t count = 0;
    while (weir_pool_acquire(pool, 0, &slot, nullptr) == 0)
        ++count;
    if (count != info.max_capacity)
        return text("%d slots could be had", static_cast<int>(count));
    if (int const code = weir_pool_destroy(pool); code != 0)
        return text("destroy gave %d", code);
    weir_pool_unref(pool);
    return not_empty(matrix);
}

struct World {
    weir_matrix *matrix;
    Random random;
    Shared *shared;
    pid_t pids[kWorkers] = {};
    weir_pool *pool = nullptr;

    void start(unsigned i)
    {
        uint64_t const its = random.next();
        pids[i] = fork();
        if (pids[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            _exit(work(pool, its, its, shared, &shared->beats[i]));
        }
    }
    /// False: it had ended by itself.
    bool stop(unsigned i, int &ret_code)
    {
        int status = 0;
        kill(pids[i], SIGKILL);
        waitpid(pids[i], &status, 0);
        ret_code = WEXITSTATUS(status);
        return !WIFEXITED(status);
    }
    std::string round(uint64_t kills)
    {
        pool = make_pool(matrix);
        if (pool == nullptr)
            return "no pool";
        std::memset(shared->mailbox, 0, sizeof shared->mailbox);
        for (unsigned i = 0; i < kWorkers; ++i)
            start(i);
        std::string wrong;
        int code = 0;
        for (uint64_t n = 0; n < kills && wrong.empty(); ++n) {
            sleep_us(200 + random.below(2000));
            auto const victim = static_cast<unsigned>(random.below(kWorkers));
            wrong = stop(victim, code) ? look(matrix, pool) : text("a worker ended with %d", code);
            start(victim);
        }
        for (unsigned i = 0; i < kWorkers; ++i)
            if (!stop(i, code) && wrong.empty())
                wrong = text("a worker ended with %d", code);
        return wrong.empty() ? end_pool(matrix, pool) : wrong;
    }
};
} // namespace

int main()
{
    alarm(100); // a watchdog: whatever hangs ends as a failure
    Tap tap;
    uint64_t const kills = environment("WEIR_POOL_KILLS", 300);
    uint64_t const seed = environment("WEIR_SEED", static_cast<uint64_t>(now_ns()));
    std::printf("# seed %llu\n", static_cast<unsigned long long>(seed));
    weir_matrix_options with = WEIR_MATRIX_OPTIONS_INIT;
    with.capacity = uint64_t{1} << 20;
    with.participants = 8;
    weir_matrix *matrix = nullptr;
    if (!tap.ok(weir_matrix_create(nullptr, &with, &matrix) == 0, "a matrix is made"))
        return tap.finish();
    World world{matrix, Random(seed), shared_page<Shared>()};
    constexpr uint64_t kRounds = 6;
    std::string wrong;
    for (uint64_t i = 0; i < kRounds && wrong.empty(); ++i)
        wrong = world.round(kills / kRounds);
    tap.ok(wrong.empty(), "slots come back, whoever died when", wrong.c_str());
    uint64_t operations = 0;
    for (uint64_t const beats : world.shared->beats)
        operations += beats;
    tap.ok(operations > kills, "there was something to kill", std::to_string(operations).c_str());
    std::printf("# %llu kills, %llu operations\n", static_cast<unsigned long long>(kills),
                static_cast<unsigned long long>(operations));
    weir_matrix_unref(matrix);
    return tap.finish();
}
