// SPDX-License-Identifier: MIT OR Apache-2.0
// Roots: blocks by name, bad names, a full directory, and a stopped process that holds it.
#include "tests/api/support.hpp"

using namespace api;

namespace {
struct Found {
    int count = 0;
    weir_root_info last{};
    int answer = 0;
};
int on_root(weir_root_info const *info, void *userdata)
{
    auto &found = *static_cast<Found *>(userdata);
    ++found.count;
    found.last = *info;
    return found.answer;
}
} // namespace

Test(matrix_roots, a_bound_block_is_found_by_everybody_and_outlives_its_maker)
{
    weir_matrix *const matrix = unnamed();
    weir_matrix *maker = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &maker));
    weir_ref const block = alloc(maker);
    must(weir_matrix_bind(maker, "config", block));
    check_eq(owner_of(matrix, block), 0);
    weir_matrix_unref(maker);
    weir_ref found = 0;
    must(weir_matrix_lookup(matrix, "config", &found));
    check_eq(found, block);
    check_eq(check_well(matrix).orphans, 0);
    weir_ref unbound = 0;
    must(weir_matrix_unbind(matrix, "config", &unbound));
    check_eq(unbound, block);
    check_eq(owner_of(matrix, block), participant(matrix));
    must(weir_matrix_free(matrix, block));
    check_eq(used_blocks(matrix), 0);
    weir_matrix_unref(matrix);
}

Test(matrix_roots, bad_names_are_refused_by_all)
{
    weir_matrix *const matrix = unnamed();
    weir_ref const block = alloc(matrix);
    NothingLost const lost(matrix);
    weir_ref found = 77;
    std::string const longest(63, 'n'), too_long(64, 'n'), far_too_long(5000, 'n');
    for (char const *const name : {"", "new\nline", "\x01", "\x7f", "tab\t"}) {
        refuse(-EINVAL, weir_matrix_bind(matrix, name, block));
        refuse(-EINVAL, weir_matrix_lookup(matrix, name, &found));
        refuse(-EINVAL, weir_matrix_unbind(matrix, name, &found));
    }
    for (std::string const &name : {too_long, far_too_long}) {
        refuse(-ENAMETOOLONG, weir_matrix_bind(matrix, name.c_str(), block));
        refuse(-ENAMETOOLONG, weir_matrix_lookup(matrix, name.c_str(), &found));
        refuse(-ENAMETOOLONG, weir_matrix_unbind(matrix, name.c_str(), &found));
    }
    refuse(-EINVAL, weir_matrix_bind(nullptr, "n", block));
    refuse(-EINVAL, weir_matrix_bind(matrix, nullptr, block));
    refuse(-EINVAL, weir_matrix_bind(matrix, "n", 0));
    refuse(-EINVAL, weir_matrix_lookup(nullptr, "n", &found));
    refuse(-EINVAL, weir_matrix_lookup(matrix, nullptr, &found));
    refuse(-EINVAL, weir_matrix_lookup(matrix, "n", nullptr));
    refuse(-EINVAL, weir_matrix_unbind(nullptr, "n", &found));
    refuse(-EINVAL, weir_matrix_unbind(matrix, nullptr, &found));
    refuse(-ENOENT, weir_matrix_lookup(matrix, "n", &found));
    refuse(-ENOENT, weir_matrix_unbind(matrix, "n", &found));
    check_eq(found, 77);
    lost.verify();
    must(weir_matrix_bind(matrix, longest.c_str(), block));
    must(weir_matrix_lookup(matrix, longest.c_str(), &found));
    check_eq(found, block);
    must(weir_matrix_unbind(matrix, longest.c_str(), nullptr));
    must(weir_matrix_free(matrix, block));
    weir_matrix_unref(matrix);
}

Test(matrix_roots, a_taken_name_and_somebody_elses_block_are_refused)
{
    weir_matrix *const matrix = unnamed();
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &other));
    weir_ref const block = alloc(matrix), his = alloc(other);
    NothingLost const lost(matrix);
    must(weir_matrix_bind(matrix, "taken", block));
    refuse(-EEXIST, weir_matrix_bind(other, "taken", his));
    refuse(-EPERM, weir_matrix_bind(matrix, "free", his));
    refuse(-ENOENT, weir_matrix_lookup(matrix, "free", &(weir_ref &)his)); // nothing half done
    check_eq(owner_of(matrix, his), participant(other));
    must(weir_matrix_bind(matrix, "second name", block)); // of nobody's now
    lost.verify();
    weir_matrix_unref(other);
    weir_matrix_unref(matrix);
}

Test(matrix_roots, unbind_of_a_freed_block_gives_none)
{
    weir_matrix *const matrix = unnamed();
    weir_ref const block = alloc(matrix);
    must(weir_matrix_bind(matrix, "gone", block));
    must(weir_matrix_free(matrix, block));
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    check_eq(weir_matrix_check(matrix, 0, &report), 0); // freeing it is not forbidden
    check_eq(report.freed_roots, 1);
    check_eq(report.dangling, 0);
    weir_ref found = 77;
    must(weir_matrix_lookup(matrix, "gone", &found));
    void *data;
    refuse(-WEIR_E_STALE, weir_matrix_data(matrix, found, &data, nullptr));
    must(weir_matrix_unbind(matrix, "gone", &found));
    check_eq(found, 0);
    check_eq(check_well(matrix).freed_roots, 0);
    weir_matrix_unref(matrix);
}

Test(matrix_roots, a_channels_name_is_of_another_type)
{
    weir_matrix *const matrix = unnamed();
    weir_channel *const ring = channel(matrix, "ring");
    weir_ref found = 77;
    refuse(-WEIR_E_TYPE, weir_matrix_lookup(matrix, "ring", &found));
    refuse(-WEIR_E_TYPE, weir_matrix_unbind(matrix, "ring", &found));
    check_eq(found, 77);
    weir_ref const block = alloc(matrix);
    refuse(-EEXIST, weir_matrix_bind(matrix, "ring", block));
    must(weir_matrix_bind(matrix, "block", block));
    weir_channel *made = nullptr;
    refuse(-WEIR_E_TYPE, weir_channel_attach(matrix, "block", nullptr, &made));
    refuse(-WEIR_E_TYPE, weir_channel_open(matrix, "block", nullptr, &made));
    refuse(-EEXIST, weir_channel_create(matrix, "block", nullptr, &made));
    refuse(-EEXIST, weir_channel_create(matrix, "ring", nullptr, &made));
    cr_assert_null(made);
    weir_channel_unref(ring);
    weir_matrix_unref(matrix);
}

Test(matrix_roots, there_are_256_roots)
{
    weir_matrix *const matrix = unnamed();
    char name[16];
    for (int i = 0; i < 256; ++i) {
        std::snprintf(name, sizeof name, "root %d", i);
        must(weir_matrix_bind(matrix, name, alloc(matrix)));
    }
    weir_ref const one_more = alloc(matrix);
    NothingLost const lost(matrix);
    weir_channel *made = nullptr;
    refuse(-ENOSPC, weir_matrix_bind(matrix, "one more", one_more));
    refuse(-ENOSPC, weir_channel_create(matrix, "one more", nullptr, &made));
    refuse(-ENOSPC, weir_channel_open(matrix, "one more", nullptr, &made));
    weir_router *router = nullptr;
    refuse(-ENOSPC, weir_router_create(matrix, "one more", &router));
    check_eq(owner_of(matrix, one_more), participant(matrix));
    lost.verify();
    Found found;
    check_eq(weir_matrix_roots(matrix, on_root, &found), 0);
    check_eq(found.count, 256);
    must(weir_matrix_unbind(matrix, "root 17", nullptr));
    must(weir_matrix_bind(matrix, "one more", one_more));
    weir_matrix_unref(matrix);
}

Test(matrix_roots, the_walk_reports_kinds_and_stops_when_told)
{
    weir_matrix *const matrix = unnamed();
    weir_channel *const ring = channel(matrix, "ring");
    Found found;
    check_eq(weir_matrix_roots(matrix, on_root, &found), 0);
    check_eq(found.count, 1);
    check_eq(found.last.kind, WEIR_ROOT_CHANNEL);
    check_eq(found.last.retired, 0);
    cr_assert_str_eq(found.last.name, "ring");
    must(weir_matrix_bind(matrix, "block", alloc(matrix)));
    for (int const answer : {42, -5}) {
        found = {};
        found.answer = answer;
        check_eq(weir_matrix_roots(matrix, on_root, &found), answer);
        check_eq(found.count, 1);
    }
    refuse(-EINVAL, weir_matrix_roots(nullptr, on_root, &found));
    refuse(-EINVAL, weir_matrix_roots(matrix, nullptr, &found));
    must(weir_channel_retire(ring));
    found = {};
    check_eq(weir_matrix_roots(matrix, on_root, &found), 0);
    check_eq(found.count, 2); // it waits for us to let go
    weir_channel_unref(ring);
    found = {};
    check_eq(weir_matrix_roots(matrix, on_root, &found), 0);
    check_eq(found.count, 1);
    weir_matrix_unref(matrix);
}

/// A live participant seems to hold the directory and does not move.
Test(matrix_roots, a_stopped_holder_of_the_directory_makes_others_busy_not_hang)
{
    auto impatient = options();
    impatient.stall_ns = 20 * kMillisecond;
    weir_matrix *const matrix = create(nullptr, impatient);
    weir_matrix *other = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(matrix), &impatient, &other));
    weir_ref const block = alloc(matrix);
    weir_channel *const ring = channel(matrix, "ring");
    weir_channel *made = nullptr;
    weir_router *router = nullptr, *another = nullptr;
    must(weir_router_create(matrix, "router", &router));
    Raw const raw(matrix);
    raw.at<uint64_t>(Raw::kDirectory) |= participant(other) & 0xffff;
    int64_t const began = now_ns();
    refuse(-EBUSY, weir_matrix_bind(matrix, "name", block));
    refuse(-EBUSY, weir_matrix_unbind(matrix, "name", nullptr));
    refuse(-EBUSY, weir_channel_create(matrix, "new", nullptr, &made));
    refuse(-EBUSY, weir_channel_open(matrix, "new", nullptr, &made));
    refuse(-EBUSY, weir_channel_retire(ring));
    refuse(-EBUSY, weir_router_create(matrix, "new", &another));
    refuse(-EBUSY, weir_router_retire(router));
    check_lt(now_ns() - began, 2000 * kMillisecond);
    check_ge(stats(matrix).stalls, 5);
    weir_matrix_unref(other); // his leave gives it back
    must(weir_matrix_bind(matrix, "name", block));
    must(weir_channel_retire(ring));
    weir_channel_unref(ring);
    must(weir_router_retire(router));
    weir_router_unref(router);
    check_well(matrix);
    weir_matrix_unref(matrix);
}
