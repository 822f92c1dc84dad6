// SPDX-License-Identifier: MIT OR Apache-2.0
// Several processes and handles: fork, death and its policies, threads, counts, nothing left over.
#include "tests/api/support.hpp"

#include <pthread.h>

#include <vector>

using namespace api;

Test(matrix_processes, a_fork_child_is_a_participant_of_its_own)
{
    weir_matrix *const matrix = unnamed();
    weir_ref const block = alloc(matrix);
    uint64_t const parent = participant(matrix);
    in_child_ok([=] {
        uint64_t mine = 0;
        child_must(weir_matrix_participant_id(matrix, &mine));
        child_check(mine != parent && mine != 0);
        weir_ref own;
        child_must(weir_matrix_alloc(matrix, 64, nullptr, &own, nullptr));
        child_check(owner_of(matrix, own) == mine && owner_of(matrix, block) == parent);
        child_check(stats(matrix).participants == 2);
        return 0;
    });
    weir_heal_report healed = WEIR_HEAL_REPORT_INIT;
    check_eq(weir_matrix_heal(matrix, &healed), 1);
    check_eq(healed.participants, 1);
    check_eq(healed.blocks_reclaimed, 1);
    check_eq(healed.reclaimed_bytes, 64);
    check_eq(owner_of(matrix, block), parent);
    check_eq(stats(matrix).deaths, 1);
    check_eq(stats(matrix).participants, 1);
    check_eq(used_blocks(matrix), 1);
    weir_matrix_unref(matrix);
}

Test(matrix_processes, a_fork_child_that_never_calls_takes_no_slot_and_harms_nobody)
{
    weir_matrix *const matrix = unnamed();
    NothingLost const lost(matrix);
    weir_channel *const ring = channel(matrix, "ring");
    weir_subscription *const reader = subscribe(ring);
    weir_ref const block = alloc(matrix);
    in_child_ok([=] {
        weir_subscription_close(reader); // its copies of the handles
        weir_channel_unref(ring);
        weir_matrix_unref(matrix);
        return 0;
    });
    check_eq(weir_matrix_heal(matrix, nullptr), 0);
    must(weir_matrix_free(matrix, block));
    weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
    must(weir_channel_inquire(ring, &info));
    weir_subscription_close(reader);
    must(weir_channel_retire(ring));
    weir_channel_unref(ring);
    lost.verify();
    weir_matrix_unref(matrix);
}

/// The locks that say who lives hang on descriptors, and a fork child has copies of them.
Test(matrix_processes, a_killed_parent_is_dead_though_its_child_lives)
{
    Name const name("orphaned");
    weir_matrix *const matrix = create(name, options());
    Gate ready, end;
    pid_t const parent = start([&] {
        weir_matrix *const own = attach(name);
        for (int i = 0; i < 10; ++i)
            alloc(own);
        if (fork() == 0) { // the grandchild never calls, and lives on
            alarm(30);     // not longer than a test that fails
            ready.open(static_cast<uint64_t>(getpid()));
            end.pass();
            _exit(0);
        }
        pause();
        return 0;
    });
    auto const grandchild = static_cast<pid_t>(ready.pass());
    check_eq(used_blocks(matrix), 10);
    kill_and_join(parent);
    check_eq(kill(grandchild, 0), 0);
    weir_heal_report healed = WEIR_HEAL_REPORT_INIT;
    check_eq(weir_matrix_heal(matrix, &healed), 1);
    check_eq(healed.blocks_reclaimed, 10);
    check_eq(used_blocks(matrix), 0);
    check_eq(kill(grandchild, 0), 0);
    end.open();
    check_well(matrix);
    weir_matrix_unref(matrix);
}

Test(matrix_processes, a_killed_child_is_dead_though_its_parent_lives)
{
    weir_matrix *const matrix = unnamed();
    weir_ref const mine = alloc(matrix);
    Gate ready;
    pid_t const child = start([&] {
        for (int i = 0; i < 10; ++i)
            alloc(matrix);
        ready.open();
        pause();
        return 0;
    });
    ready.pass();
    check_eq(weir_matrix_heal(matrix, nullptr), 0); // it lives
    check_eq(used_blocks(matrix), 11);
    kill_and_join(child);
    check_eq(weir_matrix_heal(matrix, nullptr), 1);
    check_eq(used_blocks(matrix), 1);
    must(weir_matrix_free(matrix, mine));
    weir_matrix_unref(matrix);
}

Test(matrix_processes, a_stopped_process_is_not_dead)
{
    weir_matrix *const matrix = unnamed();
    Gate ready;
    pid_t const child = start([&] {
        alloc(matrix);
        ready.open();
        pause();
        return 0;
    });
    ready.pass();
    kill(child, SIGSTOP);
    check_eq(weir_matrix_heal(matrix, nullptr), 0);
    check_eq(used_blocks(matrix), 1);
    NothingLost(matrix).verify();
    kill_and_join(child);
    check_eq(weir_matrix_heal(matrix, nullptr), 1);
    weir_matrix_unref(matrix);
}

Test(matrix_processes, memory_of_the_dead_is_found_without_being_asked_for)
{
    weir_matrix *const matrix = unnamed(64 * kKiB);
    check_eq(unit::in_child([=] {
                 weir_ref block;
                 while (weir_matrix_alloc(matrix, 1024, nullptr, &block, nullptr) == 0)
                     ;
                 return 0;
             }),
             0);
    check_ge(used_blocks(matrix), 32);
    alloc(matrix, 60 * kKiB); // heals first
    check_eq(used_blocks(matrix), 1);
    weir_matrix_unref(matrix);
}

namespace {
/// A child allocates three blocks, binds one, posts one, and dies. Returns what is left.
uint64_t left_after_death(weir_matrix *matrix)
{
    weir_channel *const ring = channel(matrix, "ring");
    NothingLost const before(matrix);
    uint64_t const used = used_blocks(matrix);
    in_child_ok([=] {
        weir_ref const bound = alloc(matrix), posted = alloc(matrix);
        alloc(matrix);
        child_must(weir_matrix_bind(matrix, "bound", bound));
        child_must(weir_channel_post(ring, posted, 1, nullptr, 0));
        return 0;
    });
    must(weir_matrix_heal(matrix, nullptr));
    uint64_t const left = used_blocks(matrix) - used;
    weir_channel_unref(ring);
    return left;
}
} // namespace

Test(matrix_processes, reclaim_frees_all_but_what_was_bound_or_posted)
{
    weir_matrix *const matrix = unnamed();
    check_eq(left_after_death(matrix), 2);
    check_eq(check_well(matrix).orphans, 0);
    weir_matrix_unref(matrix);
}

Test(matrix_processes, keep_leaves_all_and_counts_what_nobody_names)
{
    auto keeping = options();
    keeping.death_policy = WEIR_DEATH_KEEP;
    weir_matrix *const matrix = create(nullptr, keeping);
    check_eq(left_after_death(matrix), 3);
    check_eq(check_well(matrix).orphans, 1);
    weir_matrix_unref(matrix);
}

Test(matrix_processes, an_orderly_leave_is_treated_by_the_policy_too)
{
    for (weir_death_policy const policy : {WEIR_DEATH_RECLAIM, WEIR_DEATH_KEEP}) {
        auto wanted = options();
        wanted.death_policy = policy;
        weir_matrix *const matrix = create(nullptr, wanted);
        weir_matrix *other = nullptr;
        must(weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &other));
        alloc(other);
        alloc(other);
        weir_matrix_unref(other);
        check_eq(used_blocks(matrix), policy == WEIR_DEATH_KEEP ? 2 : 0);
        check_eq(stats(matrix).participants, 1);
        check_eq(stats(matrix).deaths, 0);
        check_well(matrix);
        weir_matrix_unref(matrix);
    }
}

Test(matrix_processes, a_block_given_to_a_process_dies_with_it)
{
    weir_matrix *const matrix = unnamed();
    Gate ready;
    pid_t const child = start([&] {
        ready.open(participant(matrix));
        pause();
        return 0;
    });
    uint64_t const his = ready.pass();
    weir_ref const block = alloc(matrix);
    must(weir_block_give(matrix, block, his));
    kill_and_join(child);
    must(weir_matrix_heal(matrix, nullptr));
    check_eq(used_blocks(matrix), 0);
    weir_ref const next = alloc(matrix);
    refuse(-ESRCH, weir_block_give(matrix, next, his));
    weir_matrix_unref(matrix);
}

Test(matrix_processes, two_attaches_in_one_process_are_two_participants)
{
    Name const name("twice");
    weir_matrix *const a = create(name, options());
    weir_matrix *const b = attach(name);
    check_ne(a, b);
    check_ne(participant(a), participant(b));
    weir_ref const block = alloc(a, 100);
    void *at_a, *at_b;
    must(weir_matrix_data(a, block, &at_a, nullptr));
    must(weir_matrix_data(b, block, &at_b, nullptr));
    check_ne(at_a, at_b);
    std::strcpy(static_cast<char *>(at_a), "seen through both");
    cr_assert_str_eq(static_cast<char *>(at_b), "seen through both");
    weir_matrix_unref(a); // closing one does not drop the locks of the other
    check_eq(weir_matrix_heal(b, nullptr), 0);
    check_eq(stats(b).participants, 1);
    check_eq(used_blocks(b), 0);
    NothingLost(b).verify();
    weir_matrix_unref(b);
}

Test(matrix_processes, handles_count_their_users)
{
    weir_matrix *const matrix = unnamed();
    for (int i = 0; i < 100; ++i)
        check_eq(weir_matrix_ref(matrix), matrix);
    for (int i = 0; i < 100; ++i)
        cr_assert_null(weir_matrix_unref(matrix));
    NothingLost(matrix).verify();
    weir_matrix_unref(matrix);
}

namespace {
struct Work {
    weir_matrix *matrix;
    unsigned seed;
    int errors = 0;
};
void *work(void *userdata)
{
    auto &task = *static_cast<Work *>(userdata);
    unit::Random random(task.seed);
    struct {
        weir_ref block = 0;
        unsigned char mark = 0;
        size_t size = 0;
    } held[32];
    for (int i = 0; i < 20000; ++i) {
        auto &slot = held[random.below(32)];
        if (slot.block != 0) {
            void *data;
            size_t size;
            task.errors += weir_matrix_data(task.matrix, slot.block, &data, &size) != 0;
            auto const *const bytes = static_cast<unsigned char *>(data);
            task.errors += bytes[0] != slot.mark || bytes[slot.size - 1] != slot.mark;
            task.errors += weir_matrix_free(task.matrix, slot.block) != 0;
            slot.block = 0;
            continue;
        }
        void *data;
        slot.size = 1 + random.below(2000);
        if (weir_matrix_alloc(task.matrix, slot.size, nullptr, &slot.block, &data) != 0) {
            ++task.errors;
            continue;
        }
        slot.mark = static_cast<unsigned char>(random.next());
        std::memset(data, slot.mark, slot.size);
    }
    for (auto const &slot : held)
        if (slot.block != 0)
            task.errors += weir_matrix_free(task.matrix, slot.block) != 0;
    return nullptr;
}
} // namespace

Test(matrix_processes, threads_share_a_handle)
{
    weir_matrix *const matrix = unnamed(8 * kMiB);
    NothingLost const lost(matrix);
    Work tasks[8];
    pthread_t threads[8];
    for (unsigned i = 0; i < 8; ++i) {
        tasks[i] = {matrix, 100 + i};
        check_eq(pthread_create(&threads[i], nullptr, work, &tasks[i]), 0);
    }
    for (unsigned i = 0; i < 8; ++i)
        pthread_join(threads[i], nullptr);
    for (Work const &task : tasks)
        check_eq(task.errors, 0);
    lost.verify();
    weir_matrix_unref(matrix);
}

Test(matrix_processes, many_processes_that_open_one_name_meet_in_one_segment)
{
    Name const name("met");
    Gate go, ids;
    pid_t children[16];
    for (pid_t &child : children)
        child = start([&] {
            go.pass();
            weir_matrix *matrix = nullptr;
            auto const with = options();
            child_must(weir_matrix_open(name, &with, &matrix));
            weir_uuid uuid;
            child_must(weir_matrix_uuid(matrix, &uuid));
            uint64_t id;
            std::memcpy(&id, uuid.value, sizeof id);
            ids.open(id);
            return 0;
        });
    for (size_t i = 0; i < 16; ++i)
        go.open();
    uint64_t const first = ids.pass();
    for (int i = 1; i < 16; ++i)
        check_eq(ids.pass(), first);
    for (pid_t const child : children)
        check_eq(join(child), 0);
}

Test(matrix_processes, no_descriptor_and_no_mapping_is_left_over)
{
    Name const name("left-over");
    weir_matrix_unref(unnamed()); // what the first call may open for good
    int const fds = open_descriptors();
    for (int round = 0; round < 10; ++round) {
        weir_matrix *const a = create(name, options());
        weir_matrix *const b = attach(name);
        weir_matrix *c = nullptr;
        must(weir_matrix_attach_fd(weir_matrix_fd(a), nullptr, &c));
        weir_channel *const ring = channel(a, "ring");
        weir_subscription *const reader = subscribe(ring);
        check_ge(mappings_of("weir"), 3);
        weir_subscription_close(reader);
        weir_channel_unref(ring);
        weir_matrix_unref(c);
        weir_matrix_unref(b);
        weir_matrix *none = nullptr;
        refuse(-EEXIST, weir_matrix_create(name, nullptr, &none));
        must(weir_matrix_retire(a));
        weir_matrix_unref(a);
        check_eq(mappings_of(name), 0);
        check_eq(mappings_of("memfd:weir"), 0);
        check_eq(open_descriptors(), fds);
    }
}

Test(matrix_processes, descriptors_are_closed_by_exec)
{
    weir_matrix *const matrix = unnamed();
    for (int fd = 3; fd < 256; ++fd) {
        char path[64], target[256] = "";
        std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        if (readlink(path, target, sizeof target - 1) > 0 && std::strstr(target, "weir") != nullptr)
            check_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    }
    weir_matrix_unref(matrix);
}

namespace {
/// The world of the fork tables below: all handles, made by the parent.
struct World {
    weir_matrix *matrix;
    weir_channel *ring;
    weir_subscription *reader;
    weir_ref block, bound;
    weir_message message;
    weir_router *router = nullptr;
    uint64_t rule = 0;

    explicit World(uint32_t participants)
    {
        auto with = options();
        with.participants = participants;
        matrix = create(nullptr, with);
        ring = channel(matrix, "ring");
        reader = subscribe(ring);
        block = alloc(matrix);
        bound = alloc(matrix);
        must(weir_matrix_bind(matrix, "bound", bound));
        must(weir_channel_post(ring, alloc(matrix), 1, nullptr, 0));
        must(weir_channel_read(reader, 0, &message, nullptr));
        must(weir_router_create(matrix, "router", &router));
        weir_router_rule any = WEIR_ROUTER_RULE_INIT;
        any.channels = "ring";
        must(weir_router_add_rule(router, &any, &rule));
    }
    World(World const &) = delete;
    World &operator=(World const &) = delete;
    ~World()
    {
        weir_router_unref(router);
        weir_subscription_close(reader);
        weir_channel_unref(ring);
        weir_matrix_unref(matrix);
    }
};

/// Every function that makes a fork child a participant.
template <int kCode> int all_refuse(World const &w)
{
    weir_ref ref = 0;
    uint64_t id = 0;
    weir_channel *made = nullptr;
    weir_subscription *reader = nullptr;
    weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
    weir_message message;
    child_refuse(kCode, weir_matrix_alloc(w.matrix, 64, nullptr, &ref, nullptr));
    child_refuse(kCode, weir_matrix_free(w.matrix, w.block));
    child_refuse(kCode, weir_matrix_alloc_many(w.matrix, 64, 1, nullptr, &ref, nullptr));
    child_refuse(kCode, weir_matrix_free_many(w.matrix, &w.block, 1));
    child_refuse(kCode, weir_matrix_resize(w.matrix, w.block, 32));
    child_refuse(kCode, weir_matrix_realloc(w.matrix, w.block, 32, nullptr, &ref, nullptr));
    child_refuse(kCode, weir_matrix_participant_id(w.matrix, &id));
    child_refuse(kCode, weir_matrix_heal(w.matrix, nullptr));
    child_refuse(kCode, weir_matrix_trim(w.matrix, 0, nullptr));
    child_refuse(kCode, weir_matrix_bind(w.matrix, "n", w.bound));
    child_refuse(kCode, weir_matrix_unbind(w.matrix, "bound", &ref));
    child_refuse(kCode, weir_block_give(w.matrix, w.block, 0));
    child_refuse(kCode, weir_block_take(w.matrix, w.bound));
    child_refuse(kCode, weir_block_set_state(w.matrix, w.block, 50));
    child_refuse(kCode, weir_block_transition(w.matrix, w.block, 0, 50));
    child_refuse(kCode, weir_channel_create(w.matrix, "n", nullptr, &made));
    child_refuse(kCode, weir_channel_attach(w.matrix, "ring", nullptr, &made));
    child_refuse(kCode, weir_channel_open(w.matrix, "ring", nullptr, &made));
    child_refuse(kCode, weir_channel_post(w.ring, w.block, 1, nullptr, 0));
    child_refuse(kCode, weir_channel_read(w.reader, 0, &message, nullptr));
    weir_router *router = nullptr;
    weir_router_rule rule = WEIR_ROUTER_RULE_INIT;
    rule.channels = "ring";
    child_refuse(kCode, weir_router_create(w.matrix, "n", &router));
    child_refuse(kCode, weir_router_attach(w.matrix, "router", &router));
    child_refuse(kCode, weir_router_add_rule(w.router, &rule, &id));
    child_refuse(kCode, weir_router_remove_rule(w.router, w.rule));
    child_refuse(kCode, weir_router_post(w.router, w.block, 1, nullptr, 0));
    child_refuse(kCode, weir_router_rules(
                            w.router, [](weir_rule_info const *, void *) { return 0; }, nullptr));
    child_refuse(kCode, weir_router_retire(w.router));
    uint64_t const length = 1;
    child_refuse(kCode, weir_channel_post_many(w.ring, &w.block, &length, nullptr, 1, nullptr, 0));
    child_refuse(kCode, weir_channel_read_many(w.reader, 1, 0, &message, nullptr));
    char byte = 0;
    child_refuse(kCode,
                 weir_channel_post_copies(w.ring, &byte, 1, nullptr, nullptr, 1, nullptr, 0));
    child_refuse(kCode, weir_channel_read_copies(w.reader, 1, 1, 0, &message, &byte));
    child_refuse(kCode, weir_channel_ack_many(w.reader, &w.message, 1));
    child_refuse(kCode, weir_channel_fd(w.reader));
    child_refuse(kCode,
                 weir_channel_subscribers(
                     w.ring, [](weir_subscriber_info const *, void *) { return 0; }, nullptr));
    child_refuse(kCode, weir_channel_ack(w.reader, &w.message));
    child_refuse(kCode, weir_channel_take(w.reader, &w.message));
    child_refuse(kCode, weir_channel_nack(w.reader, &w.message));
    child_refuse(kCode, weir_channel_retire(w.ring));
    child_refuse(kCode, weir_channel_inquire(w.ring, &info));
    child_refuse(kCode, weir_channel_subscribe(w.ring, &reader));
    child_check(reader == nullptr && ref == 0 && id == 0 && made == nullptr);
    return 0;
}
} // namespace

// covers: weir_matrix_alloc -EBUSY -EMFILE
// covers: weir_matrix_free -EMFILE
// covers: weir_matrix_alloc_many -EBUSY -EMFILE
// covers: weir_matrix_free_many -EBUSY -EMFILE
// covers: weir_matrix_resize -EMFILE
// covers: weir_matrix_realloc -EMFILE
// covers: weir_matrix_participant_id -EBUSY -EMFILE
// covers: weir_matrix_heal -EBUSY -EMFILE
// covers: weir_matrix_trim -EMFILE
// covers: weir_matrix_bind -EMFILE
// covers: weir_matrix_unbind -EMFILE
// covers: weir_block_give -EBUSY -EMFILE
// covers: weir_block_take -EBUSY -EMFILE
// covers: weir_channel_create -EMFILE
// covers: weir_channel_attach -EBUSY -EMFILE
// covers: weir_channel_open -EMFILE
// covers: weir_channel_post -EMFILE
// covers: weir_channel_read -EBUSY -EMFILE
// covers: weir_channel_ack -EBUSY -EMFILE
// covers: weir_channel_take -EBUSY -EMFILE
// covers: weir_channel_nack -EBUSY -EMFILE
// covers: weir_channel_retire -EMFILE
// covers: weir_block_set_state -EMFILE
// covers: weir_block_transition -EMFILE
// covers: weir_channel_inquire -EBUSY -EMFILE
// covers: weir_channel_post_many -EMFILE
// covers: weir_channel_read_many -EBUSY -EMFILE
// covers: weir_channel_read_copies -EBUSY -EMFILE
// covers: weir_channel_post_copies -EBUSY -EMFILE
// covers: weir_channel_ack_many -EBUSY -EMFILE
// covers: weir_channel_fd -EBUSY -EMFILE
// covers: weir_channel_subscribers -EBUSY -EMFILE
// covers: weir_router_create -EMFILE
// covers: weir_router_attach -EBUSY -EMFILE
// covers: weir_router_add_rule -EMFILE
// covers: weir_router_remove_rule -EMFILE
// covers: weir_router_post -EMFILE
// covers: weir_router_rules -EBUSY -EMFILE
// covers: weir_router_retire -EMFILE
// covers: weir_channel_subscribe -EBUSY -EMFILE
Test(matrix_processes, a_fork_child_without_a_slot_is_busy)
{
    World const world(2);
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(world.matrix), nullptr, &other));
    NothingLost const lost(world.matrix);
    in_child_ok([&] { return all_refuse<-EBUSY>(world); });
    must(weir_channel_ack(world.reader, &world.message));
    check_eq(check_well(world.matrix).used_blocks, 4);
    weir_matrix_unref(other);
    in_child_ok([&] { // now there is room
        child_must(weir_matrix_free(world.matrix, world.block));
        return 0;
    });
}

Test(matrix_processes, a_fork_child_without_descriptors_is_emfile)
{
    World const world(8);
    NothingLost const lost(world.matrix);
    in_child_ok([&] {
        limit(RLIMIT_NOFILE, 0);
        if (int const failed = all_refuse<-EMFILE>(world); failed != 0)
            return failed;
        limit(RLIMIT_NOFILE, 256);
        child_must(weir_matrix_free(world.matrix, alloc(world.matrix)));
        return 0;
    });
    must(weir_matrix_heal(world.matrix, nullptr));
    lost.verify();
    must(weir_channel_ack(world.reader, &world.message));
}

// covers: weir_matrix_alloc -WEIR_E_FORKED
// covers: weir_matrix_alloc_many -WEIR_E_FORKED
// covers: weir_matrix_free_many -WEIR_E_FORKED
// covers: weir_matrix_resize -WEIR_E_FORKED
// covers: weir_matrix_realloc -WEIR_E_FORKED
// covers: weir_matrix_trim -WEIR_E_FORKED
// covers: weir_matrix_free -WEIR_E_FORKED
// covers: weir_matrix_participant_id -WEIR_E_FORKED
// covers: weir_matrix_heal -WEIR_E_FORKED
// covers: weir_matrix_bind -WEIR_E_FORKED
// covers: weir_matrix_unbind -WEIR_E_FORKED
// covers: weir_block_give -WEIR_E_FORKED
// covers: weir_block_take -WEIR_E_FORKED
// covers: weir_channel_create -WEIR_E_FORKED
// covers: weir_channel_attach -WEIR_E_FORKED
// covers: weir_channel_open -WEIR_E_FORKED
// covers: weir_channel_post -WEIR_E_FORKED
// covers: weir_channel_read -WEIR_E_FORKED
// covers: weir_channel_ack -WEIR_E_FORKED
// covers: weir_channel_take -WEIR_E_FORKED
// covers: weir_channel_nack -WEIR_E_FORKED
// covers: weir_channel_retire -WEIR_E_FORKED
// covers: weir_block_set_state -WEIR_E_FORKED
// covers: weir_block_transition -WEIR_E_FORKED
// covers: weir_channel_inquire -WEIR_E_FORKED
// covers: weir_channel_post_many -WEIR_E_FORKED
// covers: weir_channel_read_many -WEIR_E_FORKED
// covers: weir_channel_read_copies -WEIR_E_FORKED
// covers: weir_channel_post_copies -WEIR_E_FORKED
// covers: weir_channel_ack_many -WEIR_E_FORKED
// covers: weir_channel_fd -WEIR_E_FORKED
// covers: weir_channel_subscribers -WEIR_E_FORKED
// covers: weir_router_create -WEIR_E_FORKED
// covers: weir_router_attach -WEIR_E_FORKED
// covers: weir_router_add_rule -WEIR_E_FORKED
// covers: weir_router_remove_rule -WEIR_E_FORKED
// covers: weir_router_post -WEIR_E_FORKED
// covers: weir_router_rules -WEIR_E_FORKED
// covers: weir_router_retire -WEIR_E_FORKED
// covers: weir_channel_subscribe -WEIR_E_FORKED
Test(matrix_processes, a_fork_child_that_may_not_open_the_file_is_forked)
{
    World const world(8);
    NothingLost const lost(world.matrix);
    in_child_ok(
        [&] {
            if (!fail_system_call(SYS_openat, EACCES))
                return kNotHere;
            return all_refuse<-WEIR_E_FORKED>(world);
        },
        "no system call filters here");
    must(weir_matrix_heal(world.matrix, nullptr));
    lost.verify();
    must(weir_channel_ack(world.reader, &world.message));
}

/// Calls that do not change who has what still work: the parent's handle is good for looking.
Test(matrix_processes, a_fork_child_without_a_slot_may_look)
{
    World const world(2);
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(world.matrix), nullptr, &other));
    in_child_ok([&] {
        weir_ref found;
        child_must(weir_matrix_lookup(world.matrix, "bound", &found));
        child_check(found == world.bound);
        void *data;
        child_must(weir_matrix_data(world.matrix, found, &data, nullptr));
        weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
        child_must(weir_matrix_stats(world.matrix, &info));
        weir_check_report report = WEIR_CHECK_REPORT_INIT;
        child_refuse(0, weir_matrix_check(world.matrix, 0, &report));
        return 0;
    });
}
