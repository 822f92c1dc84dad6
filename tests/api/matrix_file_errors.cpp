// SPDX-License-Identifier: MIT OR Apache-2.0
// What the file system says: whatever code a system call fails with, a function answers with one
// that its list has.
#include "tests/api/support.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <sched.h>
#include <sys/mount.h>

using namespace api;

namespace {
constexpr int kLastErrno = 133;
constexpr int kCodesOfAChild = 7; // of two filters of one system call the later one decides

/// The lists of errors of weir.abi: names of codes by function.
std::map<std::string, std::set<std::string>> const &documented()
{
    static std::map<std::string, std::set<std::string>> const lists = [] {
        std::map<std::string, std::set<std::string>> found;
        std::ifstream file(API_ABI);
        for (std::string line; std::getline(file, line);) {
            std::istringstream words(line);
            std::string kind, function, code;
            words >> kind >> function;
            while (kind == "errors" && words >> code)
                found[function].insert(code.substr(1)); // without the minus
        }
        return found;
    }();
    return lists;
}

bool is_documented(char const *function, int code)
{
    return code >= 0 || documented().at(function).count(weir_error_name(code)) != 0;
}

#define child_documented(function, ...)                                                            \
    do {                                                                                           \
        int const code_ = function(__VA_ARGS__);                                                   \
        if (!is_documented(#function, code_)) {                                                    \
            say("%s: %d (%s) when system call %u fails with %d", #function, code_,                 \
                weir_error_name(code_), number, failure);                                          \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/// All functions that work on files, while one system call fails with one code.
int all_are_documented(Name const &name, int fd, unsigned number, int failure)
{
    if (!fail_system_call(number, static_cast<unsigned>(failure)))
        return kNotHere;
    weir_matrix *made[5] = {};
    std::string const fresh = name.c_str() + std::string("-fresh");
    child_documented(weir_matrix_create, nullptr, nullptr, &made[0]);
    child_documented(weir_matrix_create, fresh.c_str(), nullptr, &made[1]);
    child_documented(weir_matrix_attach, name, nullptr, &made[2]);
    child_documented(weir_matrix_attach_fd, fd, nullptr, &made[3]);
    child_documented(weir_matrix_open, name, nullptr, &made[4]);
    child_documented(weir_matrix_unlink, fresh.c_str());
    for (weir_matrix *const one : made)
        weir_matrix_unref(one);
    unlinkat(AT_FDCWD, (name.path() + "-fresh").c_str(), 0); // that one never fails
    return 0;
}

weir_matrix *made_here = nullptr;
int create(char const *path) { return weir_matrix_create(path, nullptr, &made_here); }
int attach_to(char const *path) { return weir_matrix_attach(path, nullptr, &made_here); }
int open_or_make(char const *path) { return weir_matrix_open(path, nullptr, &made_here); }

void all_refuse(std::string const &path, int code)
{
    check_eq(create(path.c_str()), code, "create %s", path.c_str());
    check_eq(attach_to(path.c_str()), code, "attach %s", path.c_str());
    check_eq(open_or_make(path.c_str()), code, "open %s", path.c_str());
    check_eq(weir_matrix_unlink(path.c_str()), code, "unlink %s", path.c_str());
}
} // namespace

Test(matrix_file_errors, whatever_a_system_call_fails_with_is_documented, .timeout = 100)
{
    check_ge(documented().at("weir_matrix_create").size(), 10u);
    Name const name("injected");
    weir_matrix *const matrix = api::create(name, options());
    unsigned const calls[] = {SYS_openat, SYS_ftruncate, SYS_fchmod,
                              SYS_linkat, SYS_pread64,   SYS_unlink,
                              SYS_flock,  SYS_fallocate, SYS_memfd_create};
    for (unsigned const number : calls)
        for (int first = 1; first <= kLastErrno; first += kCodesOfAChild) {
            in_child_ok(
                [&] {
                    int const end = std::min(first + kCodesOfAChild, kLastErrno + 1);
                    for (int failure = first; failure < end; ++failure) {
                        if (failure == EINTR && number == SYS_pread64)
                            continue; // asks again for ever, as the kernel never does
                        int const fd = weir_matrix_fd(matrix);
                        if (int const r = all_are_documented(name, fd, number, failure); r != 0)
                            return r;
                    }
                    return 0;
                },
                "no system call filters here");
            ::unlink((name.path() + "-fresh").c_str());
        }
    NothingLost(matrix).verify();
    weir_matrix_unref(matrix);
}

/// What openat() fails with arrives as it is, or as EIO.
// covers: weir_matrix_create -EIO -ENFILE -EROFS -EPERM
// covers: weir_matrix_attach -EIO -ENFILE -EROFS
// covers: weir_matrix_open -EIO -ENFILE -EROFS
// covers: weir_matrix_unlink -EIO -EMFILE -ENFILE -ENOMEM -EROFS
Test(matrix_file_errors, codes_of_the_file_system_arrive)
{
    Name const name("arrive");
    int const same[] = {EMFILE, ENFILE, ENOMEM, EROFS, EPERM, ENOTDIR, ELOOP, EACCES};
    int const other[] = {ENODATA, EUCLEAN, ESTALE, EIO, ENODEV, EBUSY};
    for (bool const is_same : {true, false})
        for (int const *at = is_same ? std::begin(same) : std::begin(other);
             at != (is_same ? std::end(same) : std::end(other)); ++at)
            in_child_ok(
                [&] {
                    if (!fail_system_call(SYS_openat, static_cast<unsigned>(*at)))
                        return kNotHere;
                    int const code = is_same ? -*at : -EIO;
                    child_refuse(code, create(name));
                    child_refuse(code, attach_to(name));
                    child_refuse(code, open_or_make(name));
                    child_refuse(code, weir_matrix_unlink(name));
                    return 0;
                },
                "no system call filters here");
}

// covers: weir_matrix_attach_fd -EIO -EROFS
Test(matrix_file_errors, codes_of_opening_a_descriptor_again_arrive)
{
    weir_matrix *const matrix = unnamed();
    for (int const failure : {EROFS, EIO, ENFILE, EACCES})
        in_child_ok(
            [&] {
                if (!fail_system_call(SYS_openat, static_cast<unsigned>(failure)))
                    return kNotHere;
                weir_matrix *made = nullptr;
                child_refuse(-failure,
                             weir_matrix_attach_fd(weir_matrix_fd(matrix), nullptr, &made));
                return 0;
            },
            "no system call filters here");
    weir_matrix_unref(matrix);
}

// covers: weir_matrix_create -ENOTDIR
// covers: weir_matrix_attach -ENOTDIR
// covers: weir_matrix_open -ENOTDIR
// covers: weir_matrix_unlink -ENOTDIR
Test(matrix_file_errors, a_file_where_a_folder_should_be_is_enotdir)
{
    all_refuse("/etc/passwd/x", -ENOTDIR);
    cr_assert_str_eq(weir_error_name(-ENOTDIR), "ENOTDIR");
}

// covers: weir_matrix_create -ELOOP
// covers: weir_matrix_attach -ELOOP
// covers: weir_matrix_open -ELOOP
// covers: weir_matrix_unlink -ELOOP
Test(matrix_file_errors, links_in_a_circle_are_eloop)
{
    std::string const loop = "/dev/shm/" + unit::unique_name("api-loop");
    check_eq(symlink(loop.c_str(), loop.c_str()), 0);
    all_refuse(loop + "/x", -ELOOP);
    check_eq(attach_to(loop.c_str()), -WEIR_E_CORRUPT); // the path itself is a link
    unlink(loop.c_str());
    cr_assert_str_eq(weir_error_name(-ELOOP), "ELOOP");
    cr_assert_str_neq(weir_strerror(-ELOOP), weir_strerror(-12345));
}

Test(matrix_file_errors, a_read_only_file_system_is_erofs)
{
    in_child_ok(
        [] {
            char const *const folder = "/dev/shm";
            if (unshare(CLONE_NEWNS) != 0 ||
                mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                mount("none", folder, "tmpfs", 0, "size=32m") != 0)
                return kNotHere;
            weir_matrix_options const small = options();
            weir_matrix *made = nullptr;
            child_must(weir_matrix_create("there", &small, &made));
            weir_matrix_unref(made);
            child_check(mount("none", folder, nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0);
            child_refuse(-EROFS, weir_matrix_create("fresh", &small, &made));
            child_refuse(-EROFS, weir_matrix_open("fresh", &small, &made));
            child_refuse(-EROFS, weir_matrix_attach("there", nullptr, &made));
            child_refuse(-EROFS, weir_matrix_unlink("there"));
            int const fd = open("/dev/shm/weir.there", O_RDONLY | O_CLOEXEC);
            child_refuse(-EROFS, weir_matrix_attach_fd(fd, nullptr, &made));
            return 0;
        },
        "only root can mount");
}

/// Without being asked, the kernel would kill who makes such a file.
// covers: weir_matrix_create -EFBIG
// covers: weir_matrix_open -EFBIG
Test(matrix_file_errors, a_limit_on_file_sizes_is_efbig_and_no_signal)
{
    in_child_ok([] {
        limit(RLIMIT_FSIZE, 1 << 20);
        child_refuse(-EFBIG, create("api-never-made"));
        child_refuse(-EFBIG, open_or_make("api-never-made"));
        child_refuse(-EFBIG, create(nullptr));
        child_refuse(-ENOENT, weir_matrix_unlink("api-never-made"));
        return 0;
    });
}

/// Growing needs no larger file: who attached before, or to a segment of another one, goes on.
Test(matrix_file_errors, a_limit_on_file_sizes_does_not_stop_growth)
{
    weir_matrix *const matrix = unnamed(64 * kMiB);
    in_child_ok([matrix] {
        limit(RLIMIT_FSIZE, 4096);
        for (size_t size : {size_t{100}, size_t{5000}, size_t{3} << 20}) {
            weir_ref block;
            void *data;
            child_must(weir_matrix_alloc(matrix, size, nullptr, &block, &data));
            std::memset(data, 1, size);
        }
        return 0;
    });
    weir_matrix_unref(matrix);
}
