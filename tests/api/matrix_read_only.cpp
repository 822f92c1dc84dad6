// SPDX-License-Identifier: MIT OR Apache-2.0
// Read-only handles: what they see, what they refuse, and that nobody can tell that they are there.
#include "tests/api/support.hpp"

#include <vector>

using namespace api;

namespace {
weir_matrix_options watching(weir_matrix_flags more = 0)
{
    weir_matrix_options made = WEIR_MATRIX_OPTIONS_INIT;
    made.flags = WEIR_MATRIX_READ_ONLY | more;
    return made;
}

weir_matrix *watch(char const *name)
{
    auto const wanted = watching();
    weir_matrix *made = nullptr;
    must(weir_matrix_attach(name, &wanted, &made));
    return made;
}

int count_block(weir_block_info const *, void *sum)
{
    ++*static_cast<int *>(sum);
    return 0;
}
int count_root(weir_root_info const *, void *sum)
{
    ++*static_cast<int *>(sum);
    return 0;
}
int first_state(weir_participant_info const *info, void *into)
{
    *static_cast<weir_participant_state *>(into) = info->state;
    return 1;
}

/// A checksum of the whole file, holes too.
uint64_t sum_of(char const *path)
{
    std::FILE *const file = std::fopen(path, "re");
    uint64_t sum = 14695981039346656037u;
    static unsigned char bytes[1 << 16];
    size_t got;
    while ((got = std::fread(bytes, 1, sizeof bytes, file)) > 0)
        for (size_t i = 0; i < got; ++i)
            sum = (sum ^ bytes[i]) * 1099511628211u;
    std::fclose(file);
    return sum;
}

/// A matrix with a block, a root and a channel with a message in it.
struct Scene {
    Name name;
    weir_matrix *matrix;
    weir_ref block, rooted;
    weir_channel *ring;

    explicit Scene(char const *test, weir_matrix_options const &wanted = options())
        : name(test), matrix(create(name, wanted)), block(alloc(matrix)), rooted(alloc(matrix)),
          ring(channel(matrix, "ring"))
    {
        void *data = nullptr;
        must(weir_matrix_data(matrix, rooted, &data, nullptr));
        std::memcpy(data, "anchor", 7);
        must(weir_matrix_bind(matrix, "root", rooted));
        must(weir_channel_post(ring, alloc(matrix), 1, nullptr, 0));
    }
    Scene(Scene const &) = delete;
    Scene &operator=(Scene const &) = delete;
    ~Scene()
    {
        weir_channel_unref(ring);
        weir_matrix_unref(matrix);
    }
};

void everything_is_seen(Scene const &scene, weir_matrix *watcher)
{
    auto const theirs = stats(scene.matrix);
    auto const seen = stats(watcher);
    check_eq(seen.used_blocks, theirs.used_blocks);
    check_eq(seen.committed_bytes, theirs.committed_bytes);
    check_eq(seen.participants, theirs.participants);
    int blocks = 0, blocks_theirs = 0, roots = 0;
    check_eq(weir_matrix_walk(watcher, count_block, &blocks), 0);
    check_eq(weir_matrix_walk(scene.matrix, count_block, &blocks_theirs), 0);
    check_eq(blocks, blocks_theirs);
    check_eq(weir_matrix_roots(watcher, count_root, &roots), 0);
    check_eq(roots, 2);
    auto state = weir_participant_state{};
    check_eq(weir_matrix_participants(watcher, first_state, &state), 1);
    check_eq(state, WEIR_PARTICIPANT_LIVE);
    auto const report = check_well(watcher);
    check_eq(report.used_blocks, theirs.used_blocks);
    check_eq(report.orphans, 0); // what waits in a channel is no leak
}

void blocks_are_found(Scene const &scene, weir_matrix *watcher)
{
    weir_ref found = 0, again = 0;
    must(weir_matrix_lookup(watcher, "root", &found));
    check_eq(found, scene.rooted);
    void *data = nullptr;
    size_t size = 0;
    must(weir_matrix_data(watcher, found, &data, &size));
    cr_assert_str_eq(static_cast<char *>(data), "anchor");
    must(weir_matrix_ref_of(watcher, data, 7, &again));
    check_eq(again, found);
    must(weir_block_size(watcher, found, &size));
    check_eq(weir_block_state(watcher, found), 0);
    check_eq(owner_of(watcher, scene.block), participant(scene.matrix));
}

void every_change_is_refused(weir_matrix *watcher, weir_ref block)
{
    weir_ref ref = 0;
    uint64_t id = 0;
    weir_channel *none = nullptr;
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    refuse(-EROFS, weir_matrix_alloc(watcher, 64, nullptr, &ref, nullptr));
    refuse(-EROFS, weir_matrix_free(watcher, block));
    refuse(-EROFS, weir_block_set_state(watcher, block, 49));
    refuse(-EROFS, weir_block_transition(watcher, block, 0, 49));
    refuse(-EROFS, weir_block_give(watcher, block, WEIR_OWNER_NONE));
    refuse(-EROFS, weir_block_take(watcher, block));
    refuse(-EROFS, weir_matrix_participant_id(watcher, &id));
    refuse(-EROFS, weir_matrix_bind(watcher, "other", block));
    refuse(-EROFS, weir_matrix_unbind(watcher, "root", nullptr));
    refuse(-EROFS, weir_matrix_heal(watcher, nullptr));
    refuse(-EROFS, weir_matrix_trim(watcher, 0, nullptr));
    refuse(-EROFS, weir_matrix_resize(watcher, block, 100));
    refuse(-EROFS, weir_matrix_realloc(watcher, block, 100, nullptr, &ref, nullptr));
    weir_ref many[2] = {block, block};
    refuse(-EROFS, weir_matrix_alloc_many(watcher, 64, 2, nullptr, many, nullptr));
    refuse(-EROFS, weir_matrix_free_many(watcher, many, 2));
    refuse(-EROFS, weir_matrix_check(watcher, WEIR_CHECK_REPAIR, &report));
    refuse(-EROFS, weir_matrix_retire(watcher));
    refuse(-EROFS, weir_channel_create(watcher, "new", nullptr, &none));
    refuse(-EROFS, weir_channel_open(watcher, "new", nullptr, &none));
    weir_router *router = nullptr;
    refuse(-EROFS, weir_router_create(watcher, "new", &router));
    cr_assert_null(none);
    check_eq(ref, 0);
}

weir_channel_info inquire(weir_channel *of)
{
    weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
    must(weir_channel_inquire(of, &info));
    return info;
}

/// Attached to the channel "ring" of a scene, which has one message.
void a_channel_is_only_looked_at(weir_channel *ring, weir_ref block)
{
    auto const info = inquire(ring);
    check_eq(info.waiting, 1);
    check_eq(info.next_length, 1);
    weir_subscription *reader = nullptr;
    uint64_t const length = 1;
    refuse(-EROFS, weir_channel_subscribe(ring, &reader));
    refuse(-EROFS, weir_channel_post(ring, block, 1, nullptr, 0));
    refuse(-EROFS, weir_channel_post_many(ring, &block, &length, nullptr, 1, nullptr, 0));
    refuse(-EROFS, weir_channel_retire(ring));
    cr_assert_null(reader);
}

int count_rule(weir_rule_info const *, void *userdata)
{
    return ++*static_cast<int *>(userdata), 0;
}
int count_subscriber(weir_subscriber_info const *, void *userdata)
{
    return ++*static_cast<int *>(userdata), 0;
}

void add_drop_rule(weir_router *router)
{
    weir_router_rule rule = WEIR_ROUTER_RULE_INIT;
    rule.action = WEIR_ROUTER_DROP;
    uint64_t id = 0;
    must(weir_router_add_rule(router, &rule, &id));
}
} // namespace

Test(matrix_read_only, it_sees_everything_and_changes_nothing)
{
    Scene const scene("watched");
    uint64_t const before = sum_of(scene.name.path().c_str());
    weir_matrix *const watcher = watch(scene.name);
    everything_is_seen(scene, watcher);
    blocks_are_found(scene, watcher);
    every_change_is_refused(watcher, scene.block);
    cr_assert_str_eq(weir_matrix_name(watcher), scene.name);
    weir_uuid own, seen;
    must(weir_matrix_uuid(scene.matrix, &own));
    must(weir_matrix_uuid(watcher, &seen));
    check_eq(std::memcmp(&own, &seen, sizeof own), 0);
    weir_matrix_unref(watcher);
    check_eq(sum_of(scene.name.path().c_str()), before);
    NothingLost(scene.matrix).verify();
}

Test(matrix_read_only, its_mapping_cannot_be_written)
{
    Scene const scene("mapping");
    weir_matrix *const watcher = watch(scene.name);
    void *data = nullptr;
    must(weir_matrix_data(watcher, scene.rooted, &data, nullptr));
    check_eq(unit::in_child([data] {
                 std::signal(SIGSEGV, [](int) { _exit(11); });
                 *static_cast<char volatile *>(data) = 'x';
                 return 0;
             }),
             11);
    check_eq(fcntl(weir_matrix_fd(watcher), F_GETFL) & O_ACCMODE, O_RDONLY);
    weir_matrix_unref(watcher);
}

Test(matrix_read_only, it_needs_neither_a_slot_nor_the_right_to_write)
{
    auto wanted = options();
    wanted.participants = 2;
    wanted.mode = 0644;
    Scene const scene("no-slot", wanted);
    weir_matrix *const second = attach(scene.name);
    weir_matrix *none = nullptr;
    refuse(-EBUSY, weir_matrix_attach(scene.name, nullptr, &none));
    std::vector<weir_matrix *> watchers;
    for (int i = 0; i < 5; ++i)
        watchers.push_back(watch(scene.name));
    everything_is_seen(scene, watchers.back());
    for (weir_matrix *const watcher : watchers)
        weir_matrix_unref(watcher);
    bool const root = geteuid() == 0;
    in_child_ok([&] {
        child_check(!root || setresuid(kNobody, kNobody, kNobody) == 0);
        auto const own = watching(), foreign = watching(WEIR_MATRIX_ALLOW_FOREIGN);
        weir_matrix *watcher = nullptr;
        // What root made is trusted; what is nobody's business is not.
        child_must(weir_matrix_attach(scene.name, &own, &watcher));
        weir_matrix_unref(watcher);
        child_must(weir_matrix_attach(scene.name, &foreign, &watcher));
        weir_check_report report = WEIR_CHECK_REPORT_INIT;
        child_refuse(0, weir_matrix_check(watcher, 0, &report));
        child_check(report.orphans == 0);
        weir_matrix_unref(watcher);
        return 0;
    });
    weir_matrix_unref(second);
}

Test(matrix_read_only, what_may_not_be_read_is_eacces)
{
    if (geteuid() != 0)
        cr_skip_test("only root can make a file that this process may not read later");
    Scene const scene("unreadable");
    in_child_ok([&] {
        child_check(setresuid(kNobody, kNobody, kNobody) == 0);
        auto const wanted = watching();
        weir_matrix *none = nullptr;
        child_refuse(-EACCES, weir_matrix_attach(scene.name, &wanted, &none));
        return 0;
    });
}

Test(matrix_read_only, a_descriptor_for_reading_is_enough)
{
    Scene const scene("by-fd");
    auto const wanted = watching();
    weir_matrix *watcher = nullptr;
    int const fd = open(scene.name.path().c_str(), O_RDONLY);
    must(weir_matrix_attach_fd(fd, &wanted, &watcher));
    close(fd);
    everything_is_seen(scene, watcher);
    weir_matrix_unref(watcher);
    must(weir_matrix_attach_fd(weir_matrix_fd(scene.matrix), &wanted, &watcher));
    blocks_are_found(scene, watcher);
    weir_matrix_unref(watcher);
    int const writer = open(scene.name.path().c_str(), O_WRONLY);
    check_lt(weir_matrix_attach_fd(writer, &wanted, &watcher), 0);
    close(writer);
}

Test(matrix_read_only, nothing_can_be_made_for_reading)
{
    auto const wanted = watching();
    weir_matrix *none = nullptr;
    refuse(-EINVAL, weir_matrix_create(nullptr, &wanted, &none));
    Name const name("never-made");
    refuse(-EINVAL, weir_matrix_create(name, &wanted, &none));
    refuse(-EINVAL, weir_matrix_open(name, &wanted, &none));
    refuse(-ENOENT, weir_matrix_attach(name, &wanted, &none));
    cr_assert_null(none);
}

/// A newer version may write what this one cannot keep in order, and a reader need not care.
Test(matrix_read_only, unknown_features_for_writing_are_no_obstacle)
{
    Scene const scene("ro-compat");
    constexpr size_t kIncompat = 16, kRoCompat = 24;
    Raw const raw(scene.matrix);
    weir_matrix *none = nullptr;
    raw.at<uint64_t>(kRoCompat) = 1;
    refuse(-WEIR_E_VERSION, weir_matrix_attach(scene.name, nullptr, &none));
    weir_matrix *const watcher = watch(scene.name);
    everything_is_seen(scene, watcher);
    weir_matrix_unref(watcher);
    auto const wanted = watching();
    raw.at<uint64_t>(kRoCompat) = 0;
    raw.at<uint64_t>(kIncompat) = 1;
    refuse(-WEIR_E_VERSION, weir_matrix_attach(scene.name, &wanted, &none));
    raw.at<uint64_t>(kIncompat) = 0;
}

Test(matrix_read_only, the_dead_are_seen_and_left_as_they_are)
{
    auto wanted = options();
    wanted.participants = 2;
    Name const name("dead");
    weir_matrix *const matrix = create(name, wanted);
    weir_matrix *const watcher = watch(name);
    check_eq(unit::in_child([&name] { return alloc(attach(name)) == 0 ? 1 : 0; }), 0);
    for (int i = 0; i < 2; ++i) {
        weir_matrix_unref(watch(name));
        check_eq(stats(watcher).participants, 2);
        check_eq(stats(watcher).deaths, 0);
        check_eq(check_well(watcher).dead_blocks, 1);
    }
    refuse(-EROFS, weir_matrix_heal(watcher, nullptr));
    check_eq(weir_matrix_heal(matrix, nullptr), 1);
    check_eq(check_well(watcher).dead_blocks, 0);
    weir_matrix_unref(watcher);
    weir_matrix_unref(matrix);
}

Test(matrix_read_only, a_fork_child_goes_on_looking)
{
    Scene const scene("forked");
    weir_matrix *const watcher = watch(scene.name);
    in_child_ok([&] {
        weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
        weir_check_report report = WEIR_CHECK_REPORT_INIT;
        child_must(weir_matrix_stats(watcher, &info));
        child_refuse(0, weir_matrix_check(watcher, 0, &report));
        child_refuse(-EROFS, weir_matrix_free(watcher, scene.block));
        weir_matrix_unref(watcher);
        return 0;
    });
    everything_is_seen(scene, watcher);
    weir_matrix_unref(watcher);
}

Test(matrix_read_only, what_was_retired_can_still_be_looked_at)
{
    Scene const scene("retired");
    weir_matrix *const watcher = watch(scene.name);
    int const fd = dup(weir_matrix_fd(watcher));
    must(weir_matrix_retire(scene.matrix));
    check_eq(stats(watcher).used_blocks, stats(scene.matrix).used_blocks);
    refuse(-WEIR_E_RETIRED, weir_matrix_free(watcher, scene.block));
    auto const wanted = watching();
    weir_matrix *none = nullptr;
    refuse(-WEIR_E_RETIRED, weir_matrix_attach_fd(fd, &wanted, &none));
    close(fd);
    weir_matrix_unref(watcher);
}

/// Channels come and go, messages wait in them, and a watcher's check never finds an error.
Test(matrix_read_only, a_check_beside_work_finds_no_errors, .timeout = 60)
{
    Name const name("beside");
    weir_matrix *const matrix = create(name, options(4 * kMiB));
    weir_matrix *const watcher = watch(name);
    pid_t const worker = start([&name] {
        weir_matrix *const own = attach(name);
        for (;;) {
            weir_channel *const ring = channel(own, "passing");
            for (int i = 0; i < 8; ++i)
                child_must(weir_channel_post(ring, alloc(own, 64 + 100 * i), 1, nullptr, 0));
            child_must(weir_channel_retire(ring));
            weir_channel_unref(ring);
        }
    });
    uint64_t rounds = 0;
    uint64_t dangling = 0, broken = 0;
    for (int64_t const end = now_ns() + 1000 * kMillisecond; now_ns() < end; ++rounds) {
        weir_check_report report = WEIR_CHECK_REPORT_INIT;
        must(weir_matrix_check(watcher, 0, &report));
        dangling += report.dangling;
        broken +=
            report.broken_chains + report.wrong_tails + report.unmerged_pairs + report.unfindable;
    }
    kill_and_join(worker);
    check_ge(rounds, 3);
    check_eq(dangling, 0);
    check_eq(broken, 0);
    must(weir_matrix_heal(matrix, nullptr));
    weir_channel *ring = nullptr; // the worker may have left one
    must(weir_channel_open(matrix, "passing", nullptr, &ring));
    must(weir_channel_retire(ring));
    weir_channel_unref(ring);
    check_eq(used_blocks(matrix), 0);
    weir_matrix_unref(watcher);
    weir_matrix_unref(matrix);
}

Test(matrix_read_only, channels_and_routers_are_looked_at)
{
    Scene const scene("objects");
    weir_router *router = nullptr;
    must(weir_router_create(scene.matrix, "router", &router));
    add_drop_rule(router);
    weir_matrix *const watcher = watch(scene.name);
    uint64_t const before = sum_of(scene.name.path().c_str());
    weir_channel *ring = nullptr, *again = nullptr;
    must(weir_channel_attach(watcher, "ring", nullptr, &ring));
    must(weir_channel_open(watcher, "ring", nullptr, &again));
    cr_assert_eq(ring, again);
    weir_channel_unref(again);
    a_channel_is_only_looked_at(ring, scene.block);
    weir_router *seen = nullptr;
    must(weir_router_attach(watcher, "router", &seen));
    int rules = 0;
    check_eq(weir_router_rules(seen, count_rule, &rules), 0);
    check_eq(rules, 1);
    weir_router_rule rule = WEIR_ROUTER_RULE_INIT;
    rule.action = WEIR_ROUTER_DROP;
    uint64_t id = 0;
    refuse(-EROFS, weir_router_add_rule(seen, &rule, &id));
    refuse(-EROFS, weir_router_remove_rule(seen, 1));
    refuse(-EROFS, weir_router_post(seen, scene.block, 1, nullptr, 0));
    refuse(-EROFS, weir_router_retire(seen));
    weir_router_unref(seen);
    weir_channel_unref(ring);
    weir_matrix_unref(watcher);
    check_eq(sum_of(scene.name.path().c_str()), before);
    must(weir_router_retire(router));
    weir_router_unref(router);
}

/// Without a mark: who looks holds nothing back, and finds out that it is gone.
Test(matrix_read_only, what_is_looked_at_may_go)
{
    Scene const scene("goes");
    weir_matrix *const watcher = watch(scene.name);
    weir_router *router = nullptr, *seen = nullptr;
    must(weir_router_create(scene.matrix, "router", &router));
    must(weir_router_attach(watcher, "router", &seen));
    weir_channel *const gone = channel(scene.matrix, "gone");
    weir_channel *ring = nullptr, *next = nullptr;
    must(weir_channel_attach(watcher, "gone", nullptr, &ring));
    must(weir_channel_retire(gone));
    weir_channel_unref(gone);
    uint64_t const blocks = used_blocks(scene.matrix);
    weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
    int found = 0;
    refuse(-WEIR_E_RETIRED, weir_channel_inquire(ring, &info));
    refuse(-WEIR_E_RETIRED, weir_channel_subscribers(ring, count_subscriber, &found));
    refuse(-ENOENT, weir_channel_attach(watcher, "gone", nullptr, &next));

    weir_channel_options large = WEIR_CHANNEL_OPTIONS_INIT;
    large.capacity = 32;
    weir_channel *anew = nullptr; // perhaps where the old one was
    must(weir_channel_create(scene.matrix, "gone", &large, &anew));
    check_eq(used_blocks(scene.matrix), blocks + 1);
    must(weir_channel_attach(watcher, "gone", nullptr, &next));
    cr_assert_neq(ring, next);
    check_eq(inquire(next).capacity, 32);
    refuse(-WEIR_E_RETIRED, weir_channel_inquire(ring, &info));
    weir_channel_unref(ring);
    check_eq(inquire(next).waiting, 0);
    weir_channel_unref(next);
    must(weir_channel_retire(anew));
    weir_channel_unref(anew);

    must(weir_router_retire(router));
    weir_router_unref(router);
    refuse(-WEIR_E_RETIRED, weir_router_rules(seen, count_rule, &found));
    weir_router_unref(seen);
    check_eq(found, 0);
    weir_matrix_unref(watcher);
}

/// A channel comes and goes, and others write where it was: what a watcher is told was true once.
Test(matrix_read_only, a_look_at_a_channel_that_goes_is_right_or_an_error, .timeout = 60)
{
    constexpr uint32_t kCells = 4096; // a look takes a while
    Name const name("goes-on");
    weir_matrix *const matrix = create(name, options(4 * kMiB));
    weir_matrix *const watcher = watch(name);
    pid_t const worker = start([&name] {
        weir_matrix *const own = attach(name);
        for (;;) {
            weir_channel *const ring = channel(own, "passing", kCells);
            for (int i = 0; i < 8; ++i)
                child_must(weir_channel_post(ring, alloc(own), 1, nullptr, 0));
            usleep(100); // so that it is looked at
            child_must(weir_channel_retire(ring));
            weir_channel_unref(ring);
            size_t const size = (kCells + 16) * 64; // fits where the ring was
            weir_ref block = WEIR_REF_NONE;
            void *data = nullptr;
            child_must(weir_matrix_alloc(own, size, nullptr, &block, &data));
            std::memset(data, 0x5a, size);
            child_must(weir_matrix_free(own, block));
        }
    });
    uint64_t looks = 0, wrong = 0;
    for (int64_t const end = now_ns() + 700 * kMillisecond; now_ns() < end;) {
        weir_channel *ring = nullptr;
        int const code = weir_channel_attach(watcher, "passing", nullptr, &ring);
        wrong += code == 0 || code == -ENOENT ? 0 : 1;
        weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
        while (ring != nullptr && now_ns() < end && weir_channel_inquire(ring, &info) == 0) {
            ++looks;
            wrong += info.posted <= 8 && info.waiting <= 8 && info.waiting_bytes <= 8 ? 0 : 1;
        }
        weir_channel_unref(ring);
    }
    kill_and_join(worker);
    check_ge(looks, 3);
    check_eq(wrong, 0);
    weir_matrix_unref(watcher);
    weir_matrix_unref(matrix);
}
