// SPDX-License-Identifier: MIT OR Apache-2.0
// Kinds of memory: huge pages, locked memory, NUMA nodes, the group of a file, and the report.
#include "tests/api/support.hpp"

#include <sched.h>
#include <sys/mount.h>

using namespace api;

namespace {
constexpr char kPool[] = "/proc/sys/vm/nr_hugepages";
constexpr uint64_t kHuge = 2 * kMiB;

long read_number(char const *path)
{
    long found = -1;
    if (std::FILE *const file = std::fopen(path, "re"); file != nullptr) {
        if (std::fscanf(file, "%ld", &found) != 1)
            found = -1;
        std::fclose(file);
    }
    return found;
}
bool write_number(char const *path, long value)
{
    std::FILE *const file = std::fopen(path, "we");
    if (file == nullptr)
        return false;
    bool const written = std::fprintf(file, "%ld\n", value) > 0;
    return (std::fclose(file) == 0) && written;
}
long free_huge_pages()
{
    return read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
}

/// A line `NAME: N kB` of /proc/self/status.
uint64_t status_kb(char const *name)
{
    std::FILE *const file = std::fopen("/proc/self/status", "re");
    char line[256];
    uint64_t found = 0;
    while (std::fgets(line, sizeof line, file) != nullptr)
        if (std::strncmp(line, name, std::strlen(name)) == 0)
            found = std::strtoull(line + std::strlen(name) + 1, nullptr, 10);
    std::fclose(file);
    return found;
}

weir_memory_info memory(weir_matrix *matrix)
{
    weir_memory_info info = WEIR_MEMORY_INFO_INIT;
    must(weir_matrix_memory(matrix, &info));
    return info;
}

weir_matrix_options huge(weir_effort effort, uint64_t capacity = 16 * kMiB)
{
    auto made = options(capacity);
    made.huge_pages = effort;
    return made;
}

int become_nobody() { return geteuid() != 0 || setresuid(kNobody, kNobody, kNobody) == 0 ? 0 : 1; }

/// Writes all of a block, so that the kernel must have the memory.
bool can_be_used(weir_matrix *matrix, size_t size, weir_ref &ret_block)
{
    void *data = nullptr;
    if (weir_matrix_alloc(matrix, size, nullptr, &ret_block, &data) != 0)
        return false;
    std::memset(data, 0x5a, size);
    return true;
}
} // namespace

Test(matrix_memory, what_a_plain_matrix_has_is_reported)
{
    weir_matrix *const matrix = unnamed();
    auto const info = memory(matrix);
    check_eq(info.pages, WEIR_PAGES_NORMAL);
    check_eq(info.page_bytes, 4096);
    check_eq(info.huge_error, 0);
    check_eq(info.locked, 0);
    check_eq(info.lock_error, 0);
    check_eq(info.numa_node, -1);
    check_eq(info.numa_error, 0);
    check_eq(info.huge_bytes, 0);
    check_ge(info.mapped_bytes, stats(matrix).segment_bytes);
    struct stat found;
    check_eq(fstat(weir_matrix_fd(matrix), &found), 0);
    check_eq(info.file_bytes, static_cast<uint64_t>(found.st_blocks) * 512);
    weir_ref block = 0;
    cr_assert(can_be_used(matrix, 256 * kKiB, block));
    check_ge(memory(matrix).resident_bytes, info.resident_bytes + 256 * kKiB);
    weir_matrix_unref(matrix);
}

Test(matrix_memory, a_report_needs_a_matrix_and_a_struct)
{
    weir_matrix *const matrix = unnamed();
    weir_memory_info info = WEIR_MEMORY_INFO_INIT;
    refuse(-EINVAL, weir_matrix_memory(nullptr, &info));
    refuse(-EINVAL, weir_matrix_memory(matrix, nullptr));
    info.size = 8;
    refuse(-EINVAL, weir_matrix_memory(matrix, &info));
    weir_matrix_unref(matrix);
}

Test(matrix_memory, options_out_of_range_are_refused)
{
    auto const refused = [](auto change) {
        auto wanted = options();
        change(wanted);
        weir_matrix *none = nullptr;
        refuse(-EINVAL, weir_matrix_create(nullptr, &wanted, &none));
        cr_assert_null(none);
    };
    refused([](auto &o) { o.huge_pages = WEIR_EFFORT_REQUIRE + 1; });
    refused([](auto &o) { o.lock = UINT32_MAX; });
    refused([](auto &o) { o.numa_node = 1; }); // without its flag
    refused([](auto &o) { o.group = 1; });
    refused([](auto &o) { o.flags = WEIR_MATRIX_ON_NODE, o.numa_node = 1024; });
    refused([](auto &o) { o.flags = WEIR_MATRIX_SET_GROUP, o.group = UINT32_MAX; });
}

Test(matrix_memory, a_memfd_cannot_change_its_size)
{
    weir_matrix *const matrix = unnamed();
    int const fd = weir_matrix_fd(matrix);
    check_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    check_lt(ftruncate(fd, 4096), 0);
    check_lt(ftruncate(fd, int64_t{1} << 40), 0);
    weir_matrix_unref(matrix);
}

// ---- huge pages

namespace {
int with_an_empty_pool()
{
    if (free_huge_pages() > 0 ||
        read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages") > 0)
        return kNotHere;
    auto wanted = huge(WEIR_EFFORT_REQUIRE);
    weir_matrix *matrix = nullptr;
    int const fds = open_descriptors();
    int const code = weir_matrix_create(nullptr, &wanted, &matrix);
    child_check(code == -ENOSPC || code == -EOPNOTSUPP); // a kernel without a pool
    child_check(matrix == nullptr && open_descriptors() == fds);
    wanted = huge(WEIR_EFFORT_TRY);
    child_must(weir_matrix_create(nullptr, &wanted, &matrix));
    auto const info = memory(matrix);
    child_check(info.pages != WEIR_PAGES_HUGETLB && info.huge_error == code);
    weir_ref block = 0;
    child_check(can_be_used(matrix, 4 * kMiB, block));
    weir_matrix_unref(matrix);
    return 0;
}

/// Uses up the pool: an error, and what was granted goes on.
int with_a_small_pool()
{
    auto wanted = huge(WEIR_EFFORT_REQUIRE, 256 * kMiB);
    weir_matrix *matrix = nullptr;
    long const before = free_huge_pages();
    child_must(weir_matrix_create(nullptr, &wanted, &matrix));
    auto info = memory(matrix);
    child_check(info.pages == WEIR_PAGES_HUGETLB && info.huge_error == 0);
    child_check(info.page_bytes == kHuge && info.mapped_bytes % kHuge == 0);
    child_check(info.huge_bytes == info.resident_bytes && info.huge_bytes > 0);
    child_check(fcntl(weir_matrix_fd(matrix), F_GET_SEALS) ==
                (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
    weir_ref block = 0, first = 0;
    child_check(can_be_used(matrix, 2 * kMiB, first));
    int code = 0;
    while ((code = weir_matrix_alloc(matrix, 2 * kMiB, nullptr, &block, nullptr)) == 0) {
        void *data = nullptr;
        child_must(weir_matrix_data(matrix, block, &data, nullptr));
        std::memset(data, 1, 2 * kMiB);
    }
    child_refuse(-ENOSPC, code);
    child_must(weir_matrix_free(matrix, first));
    child_check(can_be_used(matrix, 2 * kMiB, first));
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    child_refuse(0, weir_matrix_check(matrix, 0, &report));

    // Another process maps the same pages, whatever it wishes.
    int const fd = weir_matrix_fd(matrix);
    child_check(unit::in_child([fd] {
                    weir_matrix *own = nullptr;
                    auto const same = huge(WEIR_EFFORT_REQUIRE);
                    child_must(weir_matrix_attach_fd(fd, &same, &own));
                    child_check(memory(own).pages == WEIR_PAGES_HUGETLB);
                    child_check(used_blocks(own) > 0);
                    weir_matrix_unref(own);
                    return 0;
                }) == 0);
    weir_matrix_unref(matrix);

    wanted.commit = 128 * kMiB; // more than the pool has
    child_refuse(-ENOSPC, weir_matrix_create(nullptr, &wanted, &matrix));
    wanted.huge_pages = WEIR_EFFORT_TRY;
    child_must(weir_matrix_create(nullptr, &wanted, &matrix));
    child_check(memory(matrix).pages != WEIR_PAGES_HUGETLB);
    child_check(memory(matrix).huge_error == -ENOSPC);
    child_check(stats(matrix).committed_bytes == 128 * kMiB);
    weir_matrix_unref(matrix);
    child_check(free_huge_pages() == before); // all of it came back
    return 0;
}
} // namespace

/// A path on a file system of huge pages: a name, and pages of the pool.
int with_a_mount()
{
    char folder[] = "/dev/shm/api-huge-XXXXXX";
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return 0;
    child_check(mkdtemp(folder) != nullptr);
    if (mount("none", folder, "hugetlbfs", 0, nullptr) != 0) {
        rmdir(folder);
        return 0;
    }
    std::string const path = std::string(folder) + "/matrix";
    auto const wanted = huge(WEIR_EFFORT_REQUIRE);
    weir_matrix *matrix = nullptr, *other = nullptr;
    int const made = weir_matrix_create(path.c_str(), &wanted, &matrix);
    weir_ref block = 0;
    bool const used = made == 0 && can_be_used(matrix, 3 * kMiB, block);
    int const attached = weir_matrix_attach(path.c_str(), nullptr, &other);
    int const prefaulted = attached == 0 ? weir_matrix_prefault(other, 0, nullptr, nullptr) : -1;
    auto const info = attached == 0 ? memory(other) : weir_memory_info{};
    int const retired = made == 0 ? weir_matrix_retire(matrix) : -1;
    weir_matrix_unref(other);
    weir_matrix_unref(matrix);
    umount(folder);
    rmdir(folder);
    child_refuse(0, made);
    child_refuse(0, attached);
    child_refuse(0, prefaulted);
    child_refuse(0, retired);
    child_check(used && info.pages == WEIR_PAGES_HUGETLB);
    child_check(info.huge_bytes >= 4 * kMiB && info.huge_bytes == info.file_bytes);
    return 0;
}

/// One test, because the pool is the machine's.
Test(matrix_memory, the_pool_of_huge_pages_is_used_or_its_lack_reported, .timeout = 60)
{
    char const *reason = "the pool has pages that others may take";
    in_child_ok(with_an_empty_pool, reason);
    long const before = read_number(kPool);
    if (before != 0 || !write_number(kPool, 24) || free_huge_pages() < 20) {
        if (before == 0)
            write_number(kPool, 0);
        cr_skip_test("only root can fill the pool of huge pages, if there is memory in one piece");
    }
    words()[0] = '\0';
    int code = unit::in_child(with_a_small_pool);
    if (code == 0)
        code = unit::in_child(with_a_mount);
    write_number(kPool, before);
    check_eq(code, 0, "%s", words());
}

// covers: weir_matrix_attach -EOPNOTSUPP
// covers: weir_matrix_attach_fd -EOPNOTSUPP
Test(matrix_memory, huge_pages_that_are_required_are_not_given_up)
{
    Name const name("no-huge");
    weir_matrix *const matrix = create(name, options());
    auto const wanted = huge(WEIR_EFFORT_REQUIRE);
    weir_matrix *none = nullptr;
    Name const never("never-huge");
    refuse(-EOPNOTSUPP, weir_matrix_create(never, &wanted, &none));
    refuse(-EOPNOTSUPP, weir_matrix_open(never, &wanted, &none));
    refuse(-ENOENT, weir_matrix_attach(never, nullptr, &none));
    refuse(-EOPNOTSUPP, weir_matrix_attach(name, &wanted, &none));
    refuse(-EOPNOTSUPP, weir_matrix_attach_fd(weir_matrix_fd(matrix), &wanted, &none));
    auto const tried = huge(WEIR_EFFORT_TRY);
    must(weir_matrix_attach(name, &tried, &none));
    weir_matrix_unref(none);
    NothingLost(matrix).verify();
    weir_matrix_unref(matrix);
}

namespace {
/// Whether this kernel makes huge pages of shared memory at once when it is asked to.
bool kernel_collapses()
{
    constexpr int kCollapse = 25;
    int const fd = memfd_create("probe", 0);
    if (fd < 0 || ftruncate(fd, 2 * kHuge) != 0)
        return false;
    char *const space =
        static_cast<char *>(mmap(nullptr, 2 * kHuge, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    auto const aligned = (reinterpret_cast<uintptr_t>(space) + kHuge - 1) / kHuge * kHuge;
    // The file's offset must be aligned as the address is.
    char *const exact =
        static_cast<char *>(mmap(reinterpret_cast<void *>(aligned), kHuge, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_FIXED, fd, 0));
    std::memset(exact, 1, kHuge);
    bool const done = madvise(exact, kHuge, kCollapse) == 0;
    munmap(space, 2 * kHuge);
    munmap(exact, kHuge);
    close(fd);
    return done;
}
} // namespace

Test(matrix_memory, transparent_huge_pages_come_with_prefaulting)
{
    if (!kernel_collapses())
        cr_skip_test("this kernel makes no huge pages of shared memory on request");
    Name const name("transparent");
    weir_matrix *const matrix = create(name, huge(WEIR_EFFORT_TRY, 64 * kMiB));
    check_eq(memory(matrix).pages, WEIR_PAGES_TRANSPARENT);
    weir_ref block = 0;
    cr_assert(can_be_used(matrix, 3 * kMiB, block));
    must(weir_matrix_prefault(matrix, 32 * kMiB, nullptr, nullptr));
    auto const info = memory(matrix);
    check_ge(info.huge_bytes, 28 * kMiB);
    check_eq(info.page_bytes, 4096);
    void *data = nullptr;
    must(weir_matrix_data(matrix, block, &data, nullptr));
    for (size_t i = 0; i < 3 * kMiB; ++i)
        if (static_cast<unsigned char *>(data)[i] != 0x5a)
            cr_assert_fail("byte %zu changed", i);
    NothingLost(matrix).verify();
    weir_matrix_unref(matrix);
}

// ---- locked memory

Test(matrix_memory, locked_memory_is_locked_and_no_more_is_committed)
{
    in_child_ok(
        [] {
            rlimit limit;
            getrlimit(RLIMIT_MEMLOCK, &limit);
            if (geteuid() != 0 && limit.rlim_cur != RLIM_INFINITY)
                return kNotHere;
            auto wanted = options(uint64_t{64} << 30);
            wanted.lock = WEIR_EFFORT_REQUIRE;
            weir_matrix *matrix = nullptr;
            child_must(weir_matrix_create(nullptr, &wanted, &matrix));
            auto const info = memory(matrix);
            child_check(info.locked == 1 && info.lock_error == 0);
            child_check(info.file_bytes < 4 * kMiB && info.resident_bytes < 4 * kMiB);
            child_check(status_kb("VmLck:") >= info.mapped_bytes / 1024);
            weir_ref block = 0;
            child_check(can_be_used(matrix, kMiB, block));
            // A fork child inherits no locked memory; its first call locks anew.
            child_check(unit::in_child([matrix] {
                            child_check(status_kb("VmLck:") == 0 && memory(matrix).locked == 0);
                            child_must(weir_matrix_heal(matrix, nullptr));
                            child_check(status_kb("VmLck:") > 0 && memory(matrix).locked == 1);
                            return 0;
                        }) == 0);
            weir_matrix_unref(matrix);
            child_check(status_kb("VmLck:") == 0);
            return 0;
        },
        "needs root or an unlimited RLIMIT_MEMLOCK");
}

Test(matrix_memory, what_may_not_be_locked_is_eagain_or_reported)
{
    Name const name("unlocked");
    auto open_to_all = options();
    open_to_all.mode = 0666;
    weir_matrix *const made = create(name, open_to_all);
    int const fd = weir_matrix_fd(made);
    in_child_ok([&] {
        limit(RLIMIT_MEMLOCK, 64 * kKiB);
        child_check(become_nobody() == 0);
        auto wanted = options();
        wanted.lock = WEIR_EFFORT_REQUIRE;
        Name const never("never-locked");
        weir_matrix *matrix = nullptr;
        int const fds = open_descriptors();
        child_refuse(-EAGAIN, weir_matrix_create(nullptr, &wanted, &matrix));
        child_refuse(-EAGAIN, weir_matrix_create(never, &wanted, &matrix));
        child_refuse(-EAGAIN, weir_matrix_open(name, &wanted, &matrix));
        child_refuse(-EAGAIN, weir_matrix_attach(name, &wanted, &matrix));
        child_refuse(-EAGAIN, weir_matrix_attach_fd(fd, &wanted, &matrix));
        child_check(matrix == nullptr && open_descriptors() == fds);
        child_refuse(-ENOENT, weir_matrix_attach(never, nullptr, &matrix));
        wanted.lock = WEIR_EFFORT_TRY;
        child_must(weir_matrix_create(nullptr, &wanted, &matrix));
        child_check(memory(matrix).locked == 0 && memory(matrix).lock_error == -ENOMEM);
        weir_matrix_unref(matrix);
        limit(RLIMIT_MEMLOCK, 0);
        child_must(weir_matrix_attach(name, &wanted, &matrix));
        child_check(memory(matrix).locked == 0 && memory(matrix).lock_error == -EPERM);
        weir_ref block = 0;
        child_check(can_be_used(matrix, 1000, block));
        weir_matrix_unref(matrix);
        return 0;
    });
    check_eq(stats(made).participants, 1);
    NothingLost(made).verify();
    weir_matrix_unref(made);
}

// ---- NUMA

Test(matrix_memory, a_numa_node_is_bound_or_the_reason_reported)
{
    auto wanted = options();
    wanted.flags = WEIR_MATRIX_ON_NODE;
    weir_matrix *matrix = create(nullptr, wanted);
    auto const info = memory(matrix);
    // The kernel's own words: for all who map the file.
    Raw const other(matrix);
    int policy = -1;
    unsigned long nodes[16] = {};
    constexpr unsigned long kOfAddress = 2; // MPOL_F_ADDR
    long const told =
        syscall(SYS_get_mempolicy, &policy, nodes, 8 * sizeof nodes + 1, other.base(), kOfAddress);
    weir_matrix_unref(matrix);
    if (info.numa_error != 0) {
        check_eq(info.numa_node, -1);
        cr_skip_test("this kernel binds no memory to nodes: %s", weir_strerror(info.numa_error));
    }
    check_eq(info.numa_node, 0);
    check_eq(told, 0);
    check_eq(policy, 1); // MPOL_PREFERRED
    check_eq(nodes[0], 1);
    wanted.numa_node = 1023; // there is none of this number
    refuse(-EINVAL, weir_matrix_create(nullptr, &wanted, &matrix));
    Name const name("no-node");
    refuse(-EINVAL, weir_matrix_create(name, &wanted, &matrix));
    refuse(-EINVAL, weir_matrix_open(name, &wanted, &matrix));
    refuse(-ENOENT, weir_matrix_attach(name, nullptr, &matrix));
}

Test(matrix_memory, a_kernel_without_numa_is_no_obstacle)
{
    in_child_ok(
        [] {
            if (!fail_system_call(SYS_mbind, ENOSYS))
                return kNotHere;
            auto wanted = options();
            wanted.flags = WEIR_MATRIX_ON_NODE;
            weir_matrix *matrix = nullptr;
            child_must(weir_matrix_create(nullptr, &wanted, &matrix));
            auto const info = memory(matrix);
            child_check(info.numa_node == -1 && info.numa_error == -ENOSYS);
            weir_ref block = 0;
            child_check(can_be_used(matrix, 1000, block));
            weir_matrix_unref(matrix);
            return 0;
        },
        "no system call filters here");
}

// ---- groups

Test(matrix_memory, the_group_of_a_name_is_what_was_asked_for)
{
    if (geteuid() != 0)
        cr_skip_test("only root may give files to any group");
    Name const name("group");
    auto wanted = options();
    wanted.flags = WEIR_MATRIX_SET_GROUP;
    wanted.group = 54321;
    wanted.mode = 0660;
    weir_matrix *const matrix = create(name, wanted);
    struct stat found;
    check_eq(stat(name.path().c_str(), &found), 0);
    check_eq(found.st_gid, 54321);
    check_eq(found.st_mode & 07777, 0660);
    in_child_ok([&name] { // who is in that group may work on it
        child_check(setresgid(54321, 54321, 54321) == 0 && become_nobody() == 0);
        weir_matrix *own = nullptr;
        child_must(weir_matrix_attach(name, nullptr, &own));
        weir_matrix_unref(own);
        return 0;
    });
    weir_matrix_unref(matrix);
}

Test(matrix_memory, a_group_of_others_is_eperm_and_no_name_appears)
{
    in_child_ok([] {
        child_check(become_nobody() == 0);
        auto wanted = options();
        wanted.flags = WEIR_MATRIX_SET_GROUP;
        wanted.group = 54321;
        Name const never("ungrouped");
        weir_matrix *none = nullptr;
        child_refuse(-EPERM, weir_matrix_create(never, &wanted, &none));
        child_refuse(-EPERM, weir_matrix_open(never, &wanted, &none));
        child_refuse(-ENOENT, weir_matrix_attach(never, nullptr, &none));
        child_check(none == nullptr);
        return 0;
    });
}
