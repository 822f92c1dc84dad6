// SPDX-License-Identifier: MIT OR Apache-2.0
// A system that refuses: no descriptors, no memory, no space, no such call. Each in a child.
#include "tests/api/support.hpp"

#include <sched.h>
#include <sys/mount.h>

#include <csignal>

using namespace api;

namespace {
/// A named segment, made before the shortage, and a second descriptor of it.
struct Made {
    Name name;
    weir_matrix *matrix;
    int fd;
    explicit Made(char const *test)
        : name(test), matrix(create(name, options())), fd(weir_matrix_fd(matrix))
    {
    }
    Made(Made const &) = delete;
    Made &operator=(Made const &) = delete;
    ~Made() { weir_matrix_unref(matrix); }
    /// No half attached participant is left, and the matrix serves.
    void verify() const
    {
        must(weir_matrix_heal(matrix, nullptr));
        check_eq(stats(matrix).participants, 1);
        NothingLost(matrix).verify();
    }
};

template <int kCode> int attaching_refused(Made const &made)
{
    weir_matrix *none = nullptr;
    child_refuse(kCode, weir_matrix_attach(made.name, nullptr, &none));
    child_refuse(kCode, weir_matrix_open(made.name, nullptr, &none));
    child_refuse(kCode, weir_matrix_attach_fd(made.fd, nullptr, &none));
    child_check(none == nullptr);
    return 0;
}

/// Uses up the C library's heap, to the last small piece.
void exhaust_heap()
{
    void *volatile piece = nullptr; // or the compiler leaves the calls out
    limit(RLIMIT_AS, 1 << 20);      // no new mappings
    for (size_t size = 1 << 20; size >= 16; size /= 2)
        do {
            piece = std::malloc(size);
        } while (piece != nullptr);
}
} // namespace

// covers: weir_matrix_attach -EMFILE -ENFILE -ENOMEM
// covers: weir_matrix_open -EMFILE -ENFILE -ENOMEM
// covers: weir_matrix_attach_fd -EMFILE -ENFILE -ENOMEM
Test(matrix_scarce, no_descriptors_for_this_process_is_emfile)
{
    Made const made("emfile");
    in_child_ok([&] {
        int const next = dup(0);
        close(next);
        for (int more = 0; more < 2; ++more) { // at the first descriptor, then at the second
            limit(RLIMIT_NOFILE, static_cast<rlim_t>(next + more));
            weir_matrix *none = nullptr;
            child_refuse(-EMFILE, weir_matrix_create(nullptr, nullptr, &none));
            child_refuse(-EMFILE, weir_matrix_create("api-never-made", nullptr, &none));
            if (int const failed = attaching_refused<-EMFILE>(made); failed != 0)
                return failed;
        }
        limit(RLIMIT_NOFILE, 256);
        weir_matrix_unref(attach(made.name));
        return 0;
    });
    made.verify();
}

Test(matrix_scarce, no_descriptors_on_the_machine_is_enfile)
{
    Made const made("enfile");
    in_child_ok(
        [&] {
            if (!fail_system_call(SYS_openat, ENFILE) ||
                !fail_system_call(SYS_memfd_create, ENFILE))
                return kNotHere;
            weir_matrix *none = nullptr;
            child_refuse(-ENFILE, weir_matrix_create(nullptr, nullptr, &none));
            child_refuse(-ENFILE, weir_matrix_create("api-never-made", nullptr, &none));
            return attaching_refused<-ENFILE>(made);
        },
        "no system call filters here");
    made.verify();
}

Test(matrix_scarce, no_address_space_is_enomem)
{
    Made const made("enomem");
    in_child_ok([&] {
        limit(RLIMIT_AS, 1 << 20);
        weir_matrix *none = nullptr;
        child_refuse(-ENOMEM, weir_matrix_create(nullptr, nullptr, &none));
        child_refuse(-ENOMEM, weir_matrix_create("api-never-made", nullptr, &none));
        return attaching_refused<-ENOMEM>(made);
    });
    made.verify();
}

Test(matrix_scarce, no_heap_is_enomem)
{
    if (API_ASAN)
        cr_skip_test("AddressSanitizer's heap ends the process");
    Made const made("heap");
    weir_channel *const ring = channel(made.matrix, "ring");
    for (int i = 0; i < 10; ++i) {
        char name[8];
        std::snprintf(name, sizeof name, "r%d", i);
        must(weir_matrix_bind(made.matrix, name, alloc(made.matrix)));
    }
    in_child_ok([&] {
        weir_matrix *own = nullptr, *none = nullptr;
        child_must(weir_matrix_attach(made.name, nullptr, &own));
        weir_channel *its = nullptr, *other = nullptr;
        weir_subscription *reader = nullptr;
        child_must(weir_channel_open(own, "second", nullptr, &its));
        weir_pool_options slots = WEIR_POOL_OPTIONS_INIT;
        slots.slot_size = 8;
        weir_pool *pool = nullptr, *made_pool = nullptr;
        child_must(weir_pool_create_in(own, "slots", &slots, &pool));
        weir_pool_unref(pool);
        weir_ids *ids[2] = {};
        uint32_t id = 0;
        for (weir_pool_flags const flags : {weir_pool_flags{0}, WEIR_POOL_SINGLE_THREAD}) {
            weir_ids_options few = WEIR_IDS_OPTIONS_INIT;
            few.capacity = 64;
            few.flags = flags | WEIR_POOL_GROWABLE;
            child_must(weir_ids_create(&few, &ids[flags]));
            for (int i = 0; i < 64; ++i)
                child_must(weir_ids_acquire(ids[flags], &id));
        }
        weir_router *router = nullptr, *none_such = nullptr;
        weir_router_rule rule = WEIR_ROUTER_RULE_INIT;
        rule.channels = "third";
        uint64_t rule_id = 0;
        child_must(weir_router_create(own, "router", &router));
        child_must(weir_router_add_rule(router, &rule, &rule_id));
        weir_ref const mine = alloc(own);
        exhaust_heap();
        for (weir_ids *const numbers : ids) {
            child_refuse(-ENOMEM, weir_ids_acquire(numbers, &id));
            child_refuse(-ENOMEM, weir_ids_grow(numbers, 1));
            child_must(weir_ids_release(numbers, 7)); // nothing is lost
            child_must(weir_ids_acquire(numbers, &id));
        }
        child_refuse(-ENOMEM, weir_pool_attach(own, "slots", nullptr, &made_pool));
        child_refuse(-ENOMEM, weir_pool_create(&slots, &made_pool));
        child_refuse(-ENOMEM, weir_router_attach(own, "another", &none_such));
        child_refuse(-ENOMEM, weir_router_add_rule(router, &rule, &rule_id));
        child_refuse(-ENOMEM, weir_router_remove_rule(router, rule_id));
        child_refuse(-ENOMEM, weir_router_post(router, mine, 1, nullptr, 0));
        child_must(weir_matrix_free(own, mine));
        child_must(weir_router_retire(router));
        weir_router_unref(router);
        weir_check_report report = WEIR_CHECK_REPORT_INIT;
        child_refuse(-ENOMEM, weir_matrix_check(own, 0, &report));
        child_refuse(-ENOMEM, weir_channel_attach(own, "ring", nullptr, &other));
        child_refuse(-ENOMEM, weir_channel_subscribe(its, &reader));
        child_refuse(-ENOMEM, weir_matrix_create(nullptr, nullptr, &none));
        child_refuse(-ENOMEM, weir_matrix_attach(made.name, nullptr, &none));
        child_check(other == nullptr && reader == nullptr && none == nullptr);
        weir_ref block; // what needs no heap goes on
        child_must(weir_matrix_alloc(own, 64, nullptr, &block, nullptr));
        child_must(weir_matrix_free(own, block));
        child_must(weir_channel_retire(its));
        weir_channel_unref(its);
        weir_matrix_unref(own);
        return 0;
    });
    weir_pool *left = nullptr;
    must(weir_pool_attach(made.matrix, "slots", nullptr, &left));
    must(weir_pool_destroy(left));
    weir_pool_unref(left);
    weir_channel_unref(ring);
    made.verify();
}

Test(matrix_scarce, a_file_system_that_grants_nothing_is_enospc_and_what_there_is_goes_on)
{
    Made const made("granted");
    in_child_ok(
        [&] {
            weir_matrix *own = nullptr;
            child_must(weir_matrix_attach(made.name, nullptr, &own));
            weir_ref first, block;
            child_must(weir_matrix_alloc(own, 64, nullptr, &first, nullptr));
            weir_router *router = nullptr, *another = nullptr;
            weir_router_rule rule = WEIR_ROUTER_RULE_INIT;
            rule.action = WEIR_ROUTER_COPY;
            rule.channels = "a\nb";
            uint64_t id = 0;
            child_must(weir_router_create(own, "router", &router));
            child_must(weir_router_add_rule(router, &rule, &id));
            if (!fail_system_call(SYS_fallocate, ENOSPC))
                return kNotHere;
            weir_channel_options large = WEIR_CHANNEL_OPTIONS_INIT;
            large.capacity = 4096;
            weir_channel *ring = nullptr;
            child_refuse(-ENOSPC, weir_matrix_alloc(own, 5000, nullptr, &block, nullptr) == 0
                                      ? weir_matrix_alloc(own, 100000, nullptr, &block, nullptr)
                                      : -ENOSPC);
            child_refuse(-ENOSPC, weir_channel_create(own, "large", &large, &ring));
            child_refuse(-ENOSPC, weir_channel_open(own, "large", &large, &ring));
            int count = 0;
            int code = 0;
            while ((code = weir_matrix_alloc(own, 64, nullptr, &block, nullptr)) == 0)
                ++count;
            child_refuse(-ENOSPC, code);
            child_check(count >= 400); // the router has its part
            child_refuse(-ENOSPC, weir_router_post(router, first, 64, nullptr, 0));
            child_refuse(-ENOSPC, weir_router_create(own, "another", &another));
            child_must(weir_router_retire(router));
            weir_router_unref(router);
            child_must(weir_matrix_free(own, first));
            child_must(weir_matrix_alloc(own, 64, nullptr, &block, nullptr));
            weir_matrix_unref(own);
            return 0;
        },
        "no system call filters here");
    made.verify();
}

Test(matrix_scarce, a_kernel_that_lacks_the_call_is_eopnotsupp)
{
    in_child_ok(
        [] {
            if (!fail_system_call(SYS_memfd_create, ENOSYS))
                return kNotHere;
            weir_matrix *none = nullptr;
            child_refuse(-EOPNOTSUPP, weir_matrix_create(nullptr, nullptr, &none));
            child_refuse(0, weir_feature_supported(WEIR_FEATURE_MEMFD));
            child_check(none == nullptr);
            return 0;
        },
        "no system call filters here");
}

Test(matrix_scarce, a_file_system_without_unnamed_files_is_eopnotsupp)
{
    in_child_ok(
        [] {
            if (open("/sys/", O_TMPFILE | O_RDWR, 0600) >= 0 || errno != EOPNOTSUPP)
                return kNotHere;
            weir_matrix *none = nullptr;
            child_refuse(-EOPNOTSUPP, weir_matrix_create("/sys/weir-api", nullptr, &none));
            return 0;
        },
        "needs root and /sys");
}

// covers: weir_matrix_attach -EOPNOTSUPP
// covers: weir_matrix_open -EOPNOTSUPP
// covers: weir_matrix_attach_fd -EOPNOTSUPP
Test(matrix_scarce, a_machine_without_proc_is_eopnotsupp)
{
    Made const made("no-proc");
    in_child_ok(
        [&] {
            if (unshare(CLONE_NEWNS) != 0 ||
                mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) ||
                mount("none", "/proc", "tmpfs", 0, "size=64k") != 0)
                return kNotHere;
            weir_matrix *none = nullptr;
            child_refuse(-EOPNOTSUPP, weir_matrix_create(nullptr, nullptr, &none));
            child_refuse(-EOPNOTSUPP, weir_matrix_create("api-never-made", nullptr, &none));
            return attaching_refused<-EOPNOTSUPP>(made);
        },
        "only root can hide /proc");
    made.verify();
}
