// SPDX-License-Identifier: MIT OR Apache-2.0
// Routers: which rule a message goes by, what each action does, rules that change, bad input.
#include "tests/api/support.hpp"

#include <pthread.h>

using namespace api;

namespace {
weir_matrix *matrix = nullptr;
weir_router *router = nullptr;
weir_channel *channels[3];
weir_subscription *readers[3];

void setup()
{
    matrix = unnamed(8 * kMiB);
    must(weir_router_create(matrix, "router", &router));
    for (int i = 0; i < 3; ++i) {
        char const name[2] = {static_cast<char>('a' + i), '\0'};
        channels[i] = channel(matrix, name);
        readers[i] = subscribe(channels[i]);
    }
}

void finish()
{
    for (int i = 0; i < 3; ++i) {
        must(weir_channel_retire(channels[i]));
        weir_subscription_close(readers[i]);
        weir_channel_unref(channels[i]);
    }
    must(weir_router_retire(router));
    weir_router_unref(router);
    must(weir_matrix_heal(matrix, nullptr));
    check_eq(used_blocks(matrix), 0);
    check_well(matrix);
    weir_matrix_unref(matrix);
}

uint64_t add(weir_router_condition condition, weir_router_action action, char const *names,
             uint64_t tag = 0, uint64_t mask = 0, char const *topic = nullptr, uint64_t before = 0)
{
    weir_router_rule rule = WEIR_ROUTER_RULE_INIT;
    rule.condition = condition;
    rule.action = action;
    rule.channels = names;
    rule.tag = tag;
    rule.mask = mask;
    rule.topic = topic;
    rule.before = before;
    uint64_t id = 0;
    must(weir_router_add_rule(router, &rule, &id));
    return id;
}

/// The result; the block is freed if it is still ours.
int post(uint64_t tag, char const *topic = nullptr, int64_t timeout = 0, uint32_t priority = 0)
{
    weir_ref const block = alloc(matrix, 100);
    void *bytes;
    must(weir_matrix_data(matrix, block, &bytes, nullptr));
    std::memcpy(bytes, &tag, sizeof tag);
    weir_route_options with = WEIR_ROUTE_OPTIONS_INIT;
    with.tag = tag;
    with.topic = topic;
    with.priority = priority;
    int const code = weir_router_post(router, block, 100, &with, timeout);
    if (code < 0)
        must(weir_matrix_free(matrix, block));
    return code;
}

/// Takes all out of a channel; checks the bytes; returns the tags.
std::vector<uint64_t> drain(int which)
{
    std::vector<uint64_t> tags;
    weir_message message;
    while (weir_channel_read(readers[which], 0, &message, nullptr) == 0) {
        void *bytes;
        must(weir_matrix_data(matrix, message.block, &bytes, nullptr));
        check_eq(std::memcmp(bytes, &message.tag, sizeof message.tag), 0);
        check_eq(message.length, 100);
        tags.push_back(message.tag);
        must(weir_channel_ack(readers[which], &message));
    }
    return tags;
}

std::vector<weir_rule_info> rules()
{
    std::vector<weir_rule_info> all;
    must(weir_router_rules(
        router,
        [](weir_rule_info const *info, void *into) {
            static_cast<std::vector<weir_rule_info> *>(into)->push_back(*info);
            return 0;
        },
        &all));
    return all;
}
} // namespace

TestSuite(router_rules, .init = setup);

Test(router_rules, the_first_rule_that_fits_decides)
{
    refuse(-ENOENT, weir_router_post(router, alloc(matrix), 1, nullptr, 0));
    add(WEIR_ROUTER_TAG, WEIR_ROUTER_TO, "a", 7);
    add(WEIR_ROUTER_MASK, WEIR_ROUTER_TO, "b", 0x100, 0xff00);
    add(WEIR_ROUTER_TOPIC, WEIR_ROUTER_TO, "c", 0, 0, "camera/*/f?ame");
    check_eq(post(7), 1);
    check_eq(post(0x123), 1);
    check_eq(post(1, "camera/left/frame"), 1);
    check_eq(post(7, "camera/left/frame"), 1);
    check_eq(post(1, "camera/left/frames"), -ENOENT);
    check_eq(post(1, "camera"), -ENOENT);
    check_eq(post(0x223), -ENOENT);
    cr_assert(drain(0) == (std::vector<uint64_t>{7, 7}));
    cr_assert(drain(1) == std::vector<uint64_t>{0x123});
    cr_assert(drain(2) == std::vector<uint64_t>{1});
    add(WEIR_ROUTER_OTHERWISE, WEIR_ROUTER_TO, "b", 0, 0, nullptr, rules()[0].id);
    check_eq(post(7), 1); // a default rule is the last, wherever it stands
    check_eq(post(8), 1);
    cr_assert(drain(0) == std::vector<uint64_t>{7});
    cr_assert(drain(1) == std::vector<uint64_t>{8});
    add(WEIR_ROUTER_ANY, WEIR_ROUTER_DROP, nullptr, 0, 0, nullptr, rules()[0].id);
    check_eq(post(7), 0);
    cr_assert(drain(0).empty());
    auto const all = rules();
    check_eq(all.size(), 5);
    check_eq(all[0].matched, 1);
    check_eq(all[0].posted, 0);
    check_eq(all[2].matched, 3);
    check_eq(all[2].posted, 3);
    cr_assert_str_eq(all[4].topic, "camera/*/f?ame");
    cr_assert_str_eq(all[4].channels, "c");
    weir_ref block = 0; // the block of the first line is still ours
    must(weir_matrix_walk(
        matrix,
        [](weir_block_info const *info, void *into) {
            if (info->owner != 0 && info->kind == WEIR_BLOCK_ALLOCATED)
                *static_cast<weir_ref *>(into) = info->block;
            return 0;
        },
        &block));
    must(weir_matrix_free(matrix, block));
    finish();
}

Test(router_rules, groups_share_the_work)
{
    uint64_t const hash = add(WEIR_ROUTER_ANY, WEIR_ROUTER_HASH, "a\nb\nc");
    for (uint64_t tag = 0; tag < 12; ++tag) {
        check_eq(post(tag), 1);
        check_eq(post(tag), 1);
    }
    size_t sum = 0;
    for (int i = 0; i < 3; ++i) { // the two of a tag are together
        auto const tags = drain(i);
        sum += tags.size();
        cr_assert(!tags.empty());
        for (size_t k = 0; k + 1 < tags.size(); k += 2)
            check_eq(tags[k], tags[k + 1]);
    }
    check_eq(sum, 24);
    must(weir_router_remove_rule(router, hash));
    refuse(-ENOENT, weir_router_remove_rule(router, hash));

    uint64_t const turns = add(WEIR_ROUTER_ANY, WEIR_ROUTER_ROUND_ROBIN, "a\nb\nc");
    for (uint64_t tag = 0; tag < 48; ++tag)
        check_eq(post(tag), 1);
    check_eq(post(0), -EAGAIN); // all are full
    check_eq(post(0, nullptr, 5 * kMillisecond), -ETIMEDOUT);
    check_eq(drain(1).size(), 16);
    check_eq(post(100), 1); // whose turn it is is full: another one
    check_eq(post(101), 1);
    check_eq(drain(0).size() + drain(2).size(), 32);
    check_eq(drain(1).size(), 2);
    check_eq(rules()[0].refused, 2);
    must(weir_router_remove_rule(router, turns));

    add(WEIR_ROUTER_ANY, WEIR_ROUTER_LEAST_FULL, "a\nb");
    for (uint64_t i = 0; i < 5; ++i)
        check_eq(post(1), 1);
    check_eq(drain(0).size() + drain(1).size(), 5);
    for (uint64_t i = 0; i < 6; ++i) {
        weir_ref const block = alloc(matrix, 100);
        must(weir_channel_post(channels[0], block, 8, nullptr, 0));
    }
    for (uint64_t i = 0; i < 5; ++i)
        check_eq(post(2), 1);
    check_eq(drain(1).size(), 5);
    finish();
}

Test(router_rules, copies_go_to_all)
{
    add(WEIR_ROUTER_ANY, WEIR_ROUTER_COPY, "a\nb\nc");
    check_eq(post(5), 3);
    for (int i = 0; i < 3; ++i)
        cr_assert(drain(i) == std::vector<uint64_t>{5});
    for (uint64_t i = 0; i < 16; ++i) {
        weir_ref const block = alloc(matrix, 100);
        must(weir_channel_post(channels[2], block, 8, nullptr, 0));
    }
    check_eq(post(6), 2); // one is full: the others have it
    cr_assert(drain(0) == std::vector<uint64_t>{6});
    cr_assert(drain(1) == std::vector<uint64_t>{6});
    for (uint64_t i = 0; i < 16; ++i) {
        check_eq(post(7), 2);
        if (i == 15)
            check_eq(post(8), -EAGAIN); // nobody takes it: it is ours
    }
    check_eq(rules()[0].matched, 19);
    check_eq(rules()[0].posted, 3 + 2 * 17);
    check_eq(rules()[0].refused, 17 + 3);
    finish();
}

Test(router_rules, channels_may_come_and_go)
{
    add(WEIR_ROUTER_TAG, WEIR_ROUTER_TO, "later", 1);
    add(WEIR_ROUTER_TAG, WEIR_ROUTER_ROUND_ROBIN, "later\na", 2);
    add(WEIR_ROUTER_TAG, WEIR_ROUTER_TO, "router", 3);
    weir_ref const block = alloc(matrix);
    weir_route_options with = WEIR_ROUTE_OPTIONS_INIT;
    with.tag = 1;
    refuse(-ENOENT, weir_router_post(router, block, 1, &with, 0));
    with.tag = 3;
    refuse(-WEIR_E_TYPE, weir_router_post(router, block, 1, &with, 0));
    must(weir_matrix_free(matrix, block));
    check_eq(post(2), 1);
    check_eq(post(2), 1);
    check_eq(drain(0).size(), 2);
    for (int i = 0; i < 16; ++i)
        check_eq(post(2), 1);
    for (int i = 0; i < 2; ++i) { // whosever turn it is, the one that is there is full
        check_eq(post(2), -EAGAIN);
        check_eq(post(2), -EAGAIN);
        check_eq(post(2, nullptr, 5 * kMillisecond), -ETIMEDOUT);
    }
    check_eq(drain(0).size(), 16);
    for (int round = 0; round < 3; ++round) {
        weir_channel *const later = channel(matrix, "later");
        weir_subscription *const reader = subscribe(later);
        check_eq(post(1), 1);
        weir_message message;
        must(weir_channel_read(reader, 0, &message, nullptr));
        must(weir_channel_ack(reader, &message));
        must(weir_channel_retire(later));
        weir_subscription_close(reader);
        weir_channel_unref(later);
        check_eq(post(1), -ENOENT);
    }
    finish();
}

/// Each participant that has posted by the rule has the channel open through its router.
Test(router_rules, a_channel_that_no_rule_names_any_more_is_let_go)
{
    weir_matrix *second = nullptr;
    weir_router *theirs = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &second));
    must(weir_router_attach(second, "router", &theirs));
    uint64_t const first = add(WEIR_ROUTER_TAG, WEIR_ROUTER_TO, "a", 1);
    add(WEIR_ROUTER_TAG, WEIR_ROUTER_TO, "b", 2);
    for (uint64_t tag : {1, 2}) {
        check_eq(post(tag), 1);
        weir_route_options with = WEIR_ROUTE_OPTIONS_INIT;
        with.tag = tag;
        check_eq(weir_router_post(theirs, alloc(second), 1, &with, 0), 1);
    }
    must(weir_channel_retire(channels[0]));
    weir_subscription_close(readers[0]);
    weir_channel_unref(channels[0]);
    uint64_t const before = used_blocks(matrix);
    must(weir_router_remove_rule(router, first));
    check_eq(used_blocks(matrix), before); // the other one has it still
    weir_ref const block = alloc(second);
    refuse(-ENOENT, weir_router_post(theirs, block, 1, nullptr, 0));
    must(weir_matrix_free(second, block));
    check_eq(used_blocks(matrix), before - 1); // the channel's own block
    weir_router_unref(theirs);
    weir_matrix_unref(second);
    check_eq(post(2), 1); // the rule that is left works
}

Test(router_rules, bad_rules_are_refused)
{
    uint64_t id = 77;
    weir_router_rule const good = [] {
        weir_router_rule rule = WEIR_ROUTER_RULE_INIT;
        rule.channels = "a";
        return rule;
    }();
    std::string const long_name(64, 'n'), long_topic(64, 't');
    std::string many = "0";
    for (int i = 1; i < 17; ++i)
        many += "\n" + std::to_string(i);
    auto const bad = [&](int code, auto change) {
        weir_router_rule rule = good;
        change(rule);
        check_eq(weir_router_add_rule(router, &rule, &id), code);
    };
    // covers: weir_router_add_rule -EINVAL -ENAMETOOLONG -ENOENT -E2BIG
    bad(-EINVAL, [](auto &rule) { rule.channels = nullptr; });
    bad(-EINVAL, [](auto &rule) { rule.channels = ""; });
    bad(-EINVAL, [](auto &rule) { rule.channels = "a\n"; });
    bad(-EINVAL, [](auto &rule) { rule.channels = "\na"; });
    bad(-EINVAL, [](auto &rule) { rule.channels = "a\nb"; }); // one goes to one
    bad(-EINVAL, [](auto &rule) { rule.action = WEIR_ROUTER_DROP; });
    bad(-EINVAL, [](auto &rule) { rule.action = 6; });
    bad(-EINVAL, [](auto &rule) { // no tag has a bit that the mask takes away
        rule.condition = WEIR_ROUTER_MASK;
        rule.tag = 5;
        rule.mask = 4;
    });
    bad(-EINVAL, [](auto &rule) { rule.condition = 5; });
    bad(-EINVAL, [](auto &rule) { rule.condition = WEIR_ROUTER_TOPIC; });
    bad(-EINVAL, [](auto &rule) { rule.topic = "t"; });
    bad(-EINVAL, [](auto &rule) { rule.size = 8; });
    bad(-EINVAL, [&](auto &rule) {
        rule.action = WEIR_ROUTER_HASH;
        rule.channels = many.c_str();
    });
    bad(-ENAMETOOLONG, [&](auto &rule) { rule.channels = long_name.c_str(); });
    bad(-ENAMETOOLONG, [&](auto &rule) {
        rule.condition = WEIR_ROUTER_TOPIC;
        rule.topic = long_topic.c_str();
    });
    bad(-ENOENT, [](auto &rule) { rule.before = 5; });
    refuse(-EINVAL, weir_router_add_rule(nullptr, &good, &id));
    refuse(-EINVAL, weir_router_add_rule(router, nullptr, &id));
    refuse(-EINVAL, weir_router_add_rule(router, &good, nullptr));
    check_eq(id, 77);
    check_eq(rules().size(), 0);
    for (int i = 0; i < 64; ++i)
        must(weir_router_add_rule(router, &good, &id));
    refuse(-ENOSPC, weir_router_add_rule(router, &good, &id));
    check_eq(id, 64);
    must(weir_router_remove_rule(router, 30));
    must(weir_router_add_rule(router, &good, &id));
    check_eq(id, 65);
    check_eq(post(1), 1);
    drain(0);
    finish();
}

Test(router_rules, names_of_all_rules_have_an_end)
{
    weir_router_rule rule = WEIR_ROUTER_RULE_INIT;
    rule.action = WEIR_ROUTER_HASH;
    uint64_t id = 0;
    for (int i = 0; i < 4; ++i) {
        std::string names;
        for (int k = 0; k < 16; ++k)
            names += (k == 0 ? "" : "\n") + std::string("n") + std::to_string(16 * i + k);
        rule.channels = names.c_str();
        must(weir_router_add_rule(router, &rule, &id));
        must(weir_router_add_rule(router, &rule, &id)); // the same names again
        cr_assert(rules()[2 * static_cast<size_t>(i)].channels == names);
    }
    rule.channels = "one more";
    refuse(-ENOSPC, weir_router_add_rule(router, &rule, &id));
    finish();
}

Test(router_rules, bad_posts_are_refused_and_lose_nothing)
{
    add(WEIR_ROUTER_ANY, WEIR_ROUTER_TO, "a");
    weir_ref const block = alloc(matrix, 100);
    size_t size = 0;
    must(weir_block_size(matrix, block, &size));
    refuse(-EINVAL, weir_router_post(nullptr, block, 1, nullptr, 0));
    refuse(-EINVAL, weir_router_post(router, block, size + 1, nullptr, 0));
    refuse(-EINVAL, weir_router_post(router, 0, 0, nullptr, 0));
    refuse(-WEIR_E_STALE, weir_router_post(router, block ^ uint64_t{1} << 60, 0, nullptr, 0));
    weir_route_options with = WEIR_ROUTE_OPTIONS_INIT;
    with.priority = 1;
    refuse(-EINVAL, weir_router_post(router, block, 1, &with, 0));
    with.priority = 0;
    with.reserved0 = 1;
    refuse(-EINVAL, weir_router_post(router, block, 1, &with, 0));
    must(weir_block_give(matrix, block, WEIR_OWNER_NONE));
    refuse(-EPERM, weir_router_post(router, block, 1, nullptr, 0));
    must(weir_block_take(matrix, block));
    for (int i = 0; i < 16; ++i)
        check_eq(post(1), 1);
    refuse(-EAGAIN, weir_router_post(router, block, 1, nullptr, 0));
    refuse(-ETIMEDOUT, weir_router_post(router, block, 1, nullptr, 5 * kMillisecond));
    drain(0);
    weir_channel_options sized = WEIR_CHANNEL_OPTIONS_INIT;
    sized.message_size = 8;
    weir_channel *exact = nullptr;
    must(weir_channel_create(matrix, "exact", &sized, &exact));
    add(WEIR_ROUTER_TAG, WEIR_ROUTER_TO, "exact", 9, 0, nullptr, rules()[0].id);
    with = WEIR_ROUTE_OPTIONS_INIT;
    with.tag = 9;
    refuse(-EMSGSIZE, weir_router_post(router, block, 1, &with, 0));
    must(weir_channel_retire(exact));
    weir_channel_unref(exact);
    must(weir_matrix_free(matrix, block));
    refuse(-WEIR_E_STALE, weir_router_post(router, block, 1, nullptr, 0));
    finish();
}

Test(router_rules, names_and_pointers_are_checked)
{
    weir_router *made = nullptr;
    std::string const too_long(64, 'n');
    for (char const *const name : {"", "new\nline"}) {
        refuse(-EINVAL, weir_router_create(matrix, name, &made));
        refuse(-EINVAL, weir_router_attach(matrix, name, &made));
    }
    refuse(-ENAMETOOLONG, weir_router_create(matrix, too_long.c_str(), &made));
    refuse(-ENAMETOOLONG, weir_router_attach(matrix, too_long.c_str(), &made));
    refuse(-EEXIST, weir_router_create(matrix, "router", &made));
    refuse(-EEXIST, weir_router_create(matrix, "a", &made));
    refuse(-ENOENT, weir_router_attach(matrix, "none", &made));
    refuse(-WEIR_E_TYPE, weir_router_attach(matrix, "a", &made));
    refuse(-EINVAL, weir_router_create(nullptr, "n", &made));
    refuse(-EINVAL, weir_router_create(matrix, nullptr, &made));
    refuse(-EINVAL, weir_router_create(matrix, "n", nullptr));
    refuse(-EINVAL, weir_router_attach(nullptr, "n", &made));
    refuse(-EINVAL, weir_router_attach(matrix, "n", nullptr));
    refuse(-EINVAL, weir_router_retire(nullptr));
    refuse(-EINVAL, weir_router_remove_rule(nullptr, 1));
    refuse(-EINVAL, weir_router_rules(
                        nullptr, [](weir_rule_info const *, void *) { return 0; }, nullptr));
    refuse(-EINVAL, weir_router_rules(router, nullptr, nullptr));
    cr_assert_null(weir_router_ref(nullptr));
    cr_assert_null(weir_router_unref(nullptr));
    cr_assert_null(made);
    must(weir_router_attach(matrix, "router", &made));
    check_eq(made == router, 1); // one handle in a process
    weir_router_unref(made);
    made = nullptr;
    weir_matrix *const tiny = unnamed(64 << 10);
    weir_ref block;
    while (weir_matrix_alloc(tiny, 4096, nullptr, &block, nullptr) == 0) {
    }
    refuse(-ENOMEM, weir_router_create(tiny, "n", &made));
    weir_matrix_unref(tiny);
    finish();
}

Test(router_rules, a_retired_router_refuses)
{
    weir_router *its = nullptr;
    must(weir_router_create(matrix, "ending", &its));
    weir_router_rule rule = WEIR_ROUTER_RULE_INIT;
    rule.channels = "a";
    uint64_t id = 0;
    must(weir_router_add_rule(its, &rule, &id));
    must(weir_router_retire(its));
    weir_ref const block = alloc(matrix);
    refuse(-WEIR_E_RETIRED, weir_router_retire(its));
    refuse(-WEIR_E_RETIRED, weir_router_add_rule(its, &rule, &id));
    refuse(-WEIR_E_RETIRED, weir_router_remove_rule(its, id));
    refuse(-WEIR_E_RETIRED, weir_router_post(its, block, 1, nullptr, 0));
    refuse(-WEIR_E_RETIRED, weir_router_rules(
                                its, [](weir_rule_info const *, void *) { return 0; }, nullptr));
    must(weir_matrix_free(matrix, block));
    weir_router_unref(its);
    finish();
}

Test(router_rules, a_retired_matrix_refuses)
{
    weir_router *made = nullptr;
    must(weir_matrix_retire(matrix));
    refuse(-WEIR_E_RETIRED, weir_router_create(matrix, "n", &made));
    refuse(-WEIR_E_RETIRED, weir_router_attach(matrix, "router", &made));
    refuse(-WEIR_E_RETIRED, weir_router_retire(router));
}

namespace {
/// The bytes of a named object's block.
uint32_t *bytes_of(char const *name)
{
    struct Search {
        char const *name;
        weir_ref block;
    } search{name, 0};
    must(weir_matrix_roots(
        matrix,
        [](weir_root_info const *info, void *into) {
            auto &wanted = *static_cast<Search *>(into);
            if (std::strcmp(info->name, wanted.name) == 0)
                wanted.block = info->block;
            return 0;
        },
        &search));
    void *data;
    must(weir_matrix_data(matrix, search.block, &data, nullptr));
    return static_cast<uint32_t *>(data);
}
} // namespace

Test(router_rules, damaged_objects_and_other_versions_are_refused)
{
    struct {
        unsigned index;
        int code;
    } const cases[] = {{0, -WEIR_E_CORRUPT}, {2, -WEIR_E_VERSION}};
    // covers: weir_router_attach -WEIR_E_CORRUPT -WEIR_E_VERSION
    // covers: weir_router_post -WEIR_E_CORRUPT -WEIR_E_VERSION
    add(WEIR_ROUTER_ANY, WEIR_ROUTER_TO, "bad");
    weir_channel *const bad = channel(matrix, "bad");
    weir_channel_unref(bad);
    weir_router *its = nullptr;
    must(weir_router_create(matrix, "damaged", &its));
    weir_router_unref(its);
    for (auto const &one : cases) {
        uint32_t *const of_router = bytes_of("damaged"), *const of_channel = bytes_of("bad");
        of_router[one.index] += 7;
        of_channel[one.index] += 7;
        check_eq(weir_router_attach(matrix, "damaged", &its), one.code);
        check_eq(post(1), one.code);
        of_router[one.index] -= 7;
        of_channel[one.index] -= 7;
    }
    must(weir_router_attach(matrix, "damaged", &its));
    must(weir_router_retire(its));
    weir_router_unref(its);
    weir_channel *again = nullptr;
    must(weir_channel_attach(matrix, "bad", nullptr, &again));
    must(weir_channel_retire(again));
    weir_channel_unref(again);
    finish();
}

/// Else its messages would go nowhere.
Test(router_rules, a_rule_that_a_peer_has_damaged_drops_nothing)
{
    constexpr size_t kCounters = 192, kTables = kCounters + 64 * 64, kTable = 64 + 64 * (128 + 64);
    add(WEIR_ROUTER_ANY, WEIR_ROUTER_TO, "a"); // the first change: the second table counts
    auto *const shape = reinterpret_cast<uint64_t *>(reinterpret_cast<char *>(bytes_of("router")) +
                                                     kTables + kTable + 64 + 8);
    check_eq(*shape, uint64_t{1} << 24 | 1 << 16); // line 1, one channel, to, any
    uint64_t const good = *shape;
    *shape = uint64_t{1} << 24; // to no channel
    check_eq(post(1), -WEIR_E_CORRUPT);
    *shape = good | 6 << 8; // no action
    check_eq(post(1), -WEIR_E_CORRUPT);
    *shape = good;
    check_eq(post(1), 1);
    check_eq(drain(0).size(), 1);
    finish();
}

/// A live participant seems to change the rules and does not move.
Test(router_rules, a_stopped_writer_of_rules_makes_others_busy_not_hang)
{
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &other));
    uint64_t const id = add(WEIR_ROUTER_ANY, WEIR_ROUTER_TO, "a");
    auto *const ticket = reinterpret_cast<uint64_t *>(bytes_of("router")) + 8;
    *ticket |= participant(other) & 0xffff;
    weir_router_rule rule = WEIR_ROUTER_RULE_INIT;
    rule.channels = "b";
    uint64_t none = 0;
    refuse(-EBUSY, weir_router_add_rule(router, &rule, &none));
    refuse(-EBUSY, weir_router_remove_rule(router, id));
    check_eq(post(1), 1); // who posts does not care
    check_eq(drain(0).size(), 1);
    weir_matrix_unref(other); // his leave gives it back
    must(weir_router_remove_rule(router, id));
    finish();
}

namespace {
struct Changing {
    bool stop = false;
    uint64_t wrong = 0, posted = 0;
};

/// Posts tags 1 and 2; whichever rules there are, 1 goes to `a` and 2 to `b`.
void *post_all_the_time(void *data)
{
    auto &shared = *static_cast<Changing *>(data);
    while (!__atomic_load_n(&shared.stop, __ATOMIC_ACQUIRE))
        for (uint64_t tag = 1; tag <= 2; ++tag) {
            weir_ref block;
            if (weir_matrix_alloc(matrix, 64, nullptr, &block, nullptr) < 0)
                continue;
            weir_route_options with = WEIR_ROUTE_OPTIONS_INIT;
            with.tag = tag;
            int const code = weir_router_post(router, block, 8, &with, 0);
            if (code < 0)
                weir_matrix_free(matrix, block);
            shared.wrong += code < 0 && code != -EAGAIN ? 1 : 0;
            shared.posted += code == 1 ? 1 : 0;
        }
    return nullptr;
}
} // namespace

Test(router_rules, rules_change_while_others_post)
{
    uint64_t one = add(WEIR_ROUTER_TAG, WEIR_ROUTER_TO, "a", 1);
    uint64_t two = add(WEIR_ROUTER_TAG, WEIR_ROUTER_TO, "b", 2);
    Changing shared;
    pthread_t thread;
    check_eq(pthread_create(&thread, nullptr, post_all_the_time, &shared), 0);
    int64_t const end = now_ns() + 300 * kMillisecond;
    uint64_t read = 0;
    while (now_ns() < end) {
        uint64_t const next_two = add(WEIR_ROUTER_TAG, WEIR_ROUTER_TO, "b", 2, 0, nullptr, one);
        must(weir_router_remove_rule(router, two));
        uint64_t const next_one =
            add(WEIR_ROUTER_TAG, WEIR_ROUTER_TO, "a", 1, 0, nullptr, next_two);
        must(weir_router_remove_rule(router, one));
        one = next_one;
        two = next_two;
        for (int i = 0; i < 2; ++i) {
            weir_message message;
            while (weir_channel_read(readers[i], 0, &message, nullptr) == 0) {
                check_eq(message.tag, static_cast<uint64_t>(i) + 1);
                must(weir_channel_ack(readers[i], &message));
                ++read;
            }
        }
    }
    __atomic_store_n(&shared.stop, true, __ATOMIC_RELEASE);
    pthread_join(thread, nullptr);
    for (int i = 0; i < 2; ++i) {
        weir_message message;
        while (weir_channel_read(readers[i], 0, &message, nullptr) == 0) {
            must(weir_channel_ack(readers[i], &message));
            ++read;
        }
    }
    check_eq(shared.wrong, 0);
    check_eq(shared.posted, read);
    check_ge(read, 1);
    finish();
}

Test(router_rules, a_process_that_dies_while_it_changes_rules_stops_nobody)
{
    add(WEIR_ROUTER_ANY, WEIR_ROUTER_TO, "a");
    for (int round = 0; round < 20; ++round) {
        pid_t const child = start([&] {
            for (;;) {
                weir_router_rule rule = WEIR_ROUTER_RULE_INIT;
                rule.channels = "b";
                uint64_t id = 0;
                child_must(weir_router_add_rule(router, &rule, &id));
                child_must(weir_router_remove_rule(router, id));
            }
            return 0;
        });
        sleep_ms(3 + round % 5);
        kill(child, SIGKILL);
        static_cast<void>(join(child));
        check_eq(post(1), 1);
        check_eq(drain(0).size(), 1);
        uint64_t const id = add(WEIR_ROUTER_ANY, WEIR_ROUTER_DROP, nullptr); // heals him
        must(weir_router_remove_rule(router, id));
        for (auto const &rule : rules()) // what he had added may be there
            if (std::string(rule.channels) == "b")
                must(weir_router_remove_rule(router, rule.id));
        check_eq(rules().size(), 1);
    }
    finish();
}
