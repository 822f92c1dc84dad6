// SPDX-License-Identifier: MIT OR Apache-2.0
// Names of segments: which are refused, what exists, what may not be written or removed.
#include "tests/api/support.hpp"

using namespace api;

namespace {
char const *const kBadNames[] = {
    "",          "a/b",    "./a",  "../a",      "a/",   "/dev/shm/", "/",
    "new\nline", "tab\tx", "\x01", "bell\x07x", "\x7f", "del\x7f",
};

/// A name of `length` bytes that no other test uses.
std::string long_name(size_t length)
{
    std::string name = "api-" + unit::unique_name("long") + "-";
    name.resize(length, 'x');
    return name;
}

weir_matrix *const kUntouched = reinterpret_cast<weir_matrix *>(uintptr_t{0x5a5a});

/// All four functions that take a name refuse it with this code and write nothing.
void all_refuse(char const *name, int code)
{
    weir_matrix *made = kUntouched;
    check_eq(weir_matrix_create(name, nullptr, &made), code, "create \"%.40s\"", name);
    check_eq(weir_matrix_attach(name, nullptr, &made), code, "attach \"%.40s\"", name);
    check_eq(weir_matrix_open(name, nullptr, &made), code, "open \"%.40s\"", name);
    check_eq(weir_matrix_unlink(name), code, "unlink \"%.40s\"", name);
    check_eq(made, kUntouched);
}

/// From now on an ordinary user.
int become_nobody() { return geteuid() != 0 || setresuid(kNobody, kNobody, kNobody) == 0 ? 0 : 1; }
} // namespace

// covers: weir_matrix_create -EINVAL
// covers: weir_matrix_attach -EINVAL
// covers: weir_matrix_open -EINVAL
// covers: weir_matrix_unlink -EINVAL
Test(matrix_names, bad_names_are_refused)
{
    for (char const *const name : kBadNames)
        all_refuse(name, -EINVAL);
}

// covers: weir_matrix_create -ENAMETOOLONG
// covers: weir_matrix_attach -ENAMETOOLONG
// covers: weir_matrix_open -ENAMETOOLONG
// covers: weir_matrix_unlink -ENAMETOOLONG
Test(matrix_names, names_that_are_too_long_are_refused)
{
    all_refuse(long_name(201).c_str(), -ENAMETOOLONG);
    all_refuse(long_name(5000).c_str(), -ENAMETOOLONG);
    all_refuse(("/dev/shm/" + long_name(256)).c_str(), -ENAMETOOLONG);
    std::string deep = "/dev/shm";
    while (deep.size() < 5000)
        deep += "/folder";
    all_refuse(deep.c_str(), -ENAMETOOLONG);
}

Test(matrix_names, a_name_of_200_bytes_and_one_in_utf_8_work)
{
    std::string const odd = "api-" + unit::unique_name("\xc3\xa4 \xe2\x82\xac 'x'");
    for (std::string const &name : {long_name(200), odd}) {
        weir_matrix *made = create(name.c_str(), options());
        cr_assert_str_eq(weir_matrix_name(made), name.c_str());
        must(weir_matrix_unlink(name.c_str()));
        weir_matrix_unref(made);
    }
}

Test(matrix_names, null_is_refused_where_a_name_is_needed)
{
    weir_matrix *made = kUntouched;
    refuse(-EINVAL, weir_matrix_attach(nullptr, nullptr, &made));
    refuse(-EINVAL, weir_matrix_open(nullptr, nullptr, &made));
    refuse(-EINVAL, weir_matrix_unlink(nullptr));
    check_eq(made, kUntouched);
    Name const name("null");
    refuse(-EINVAL, weir_matrix_create(name, nullptr, nullptr));
    refuse(-EINVAL, weir_matrix_open(name, nullptr, nullptr));
    refuse(-ENOENT, weir_matrix_unlink(name)); // nothing was made
    weir_matrix *const real = create(name, options());
    refuse(-EINVAL, weir_matrix_attach(name, nullptr, nullptr));
    refuse(-EINVAL, weir_matrix_attach_fd(weir_matrix_fd(real), nullptr, nullptr));
    check_eq(stats(real).participants, 1);
    weir_matrix_unref(real);
}

Test(matrix_names, what_is_not_there_is_enoent_and_what_is_there_eexist)
{
    Name const name("there");
    weir_matrix *made = kUntouched;
    refuse(-ENOENT, weir_matrix_attach(name, nullptr, &made));
    refuse(-ENOENT, weir_matrix_unlink(name));
    check_eq(made, kUntouched);
    weir_matrix *const first = create(name, options());
    refuse(-EEXIST, weir_matrix_create(name, nullptr, &made));
    check_eq(made, kUntouched);
    weir_matrix *second = nullptr;
    must(weir_matrix_open(name, nullptr, &second));
    check_eq(stats(first).participants, 2);
    must(weir_matrix_unlink(name));
    refuse(-ENOENT, weir_matrix_unlink(name));
    refuse(-ENOENT, weir_matrix_attach(name, nullptr, &made));
    must(weir_matrix_free(second, alloc(first))); // who is attached goes on
    weir_matrix_unref(second);
    weir_matrix_unref(first);
}

Test(matrix_names, an_absolute_path_is_a_file_there)
{
    std::string const path = "/dev/shm/" + unit::unique_name("api-path");
    weir_matrix *const made = create(path.c_str(), options());
    cr_assert_str_eq(weir_matrix_name(made), path.c_str());
    struct stat found;
    check_eq(stat(path.c_str(), &found), 0);
    check_eq(found.st_mode & 0777, 0600);
    weir_matrix_unref(attach(path.c_str()));
    must(weir_matrix_unlink(path.c_str()));
    weir_matrix_unref(made);
}

Test(matrix_names, the_mode_is_what_was_asked_for_whatever_the_umask)
{
    Name const name("mode");
    umask(077);
    auto wanted = options();
    wanted.mode = 0664;
    weir_matrix *const made = create(name, wanted);
    struct stat found;
    check_eq(stat(name.path().c_str(), &found), 0);
    check_eq(found.st_mode & 07777, 0664);
    weir_matrix_unref(made);
}

Test(matrix_names, a_folder_that_does_not_exist_is_enoent)
{
    weir_matrix *made = kUntouched;
    std::string const path = "/dev/shm/" + unit::unique_name("no-folder") + "/x";
    refuse(-ENOENT, weir_matrix_create(path.c_str(), nullptr, &made));
    refuse(-ENOENT, weir_matrix_open(path.c_str(), nullptr, &made));
    refuse(-ENOENT, weir_matrix_attach(path.c_str(), nullptr, &made));
    refuse(-ENOENT, weir_matrix_unlink(path.c_str()));
    check_eq(made, kUntouched);
}

Test(matrix_names, a_folder_is_no_segment)
{
    std::string const path = "/dev/shm/" + unit::unique_name("api-folder");
    check_eq(mkdir(path.c_str(), 0700), 0);
    weir_matrix *made = kUntouched;
    int const unlinked = weir_matrix_unlink(path.c_str());
    int const attached = weir_matrix_attach(path.c_str(), nullptr, &made);
    int const opened = weir_matrix_open(path.c_str(), nullptr, &made);
    int const created = weir_matrix_create(path.c_str(), nullptr, &made);
    rmdir(path.c_str());
    check_eq(unlinked, -EISDIR); // covers: weir_matrix_unlink -EISDIR
    check_eq(attached, -WEIR_E_CORRUPT);
    check_eq(opened, -WEIR_E_CORRUPT);
    check_eq(created, -EEXIST);
}

Test(matrix_names, links_pipes_and_devices_are_no_segments)
{
    Name const name("linked");
    weir_matrix *const real = create(name, options());
    std::string const link = "/dev/shm/" + unit::unique_name("api-link");
    std::string const fifo = "/dev/shm/" + unit::unique_name("api-fifo");
    check_eq(symlink(name.path().c_str(), link.c_str()), 0);
    check_eq(mkfifo(fifo.c_str(), 0600), 0);
    weir_matrix *made = kUntouched;
    int const by_link = weir_matrix_attach(link.c_str(), nullptr, &made);
    int const by_fifo = weir_matrix_attach(fifo.c_str(), nullptr, &made);
    int const by_device = weir_matrix_attach("/dev/null", nullptr, &made);
    unlink(link.c_str());
    unlink(fifo.c_str());
    check_eq(by_link, -WEIR_E_CORRUPT);
    check_eq(by_fifo, -WEIR_E_CORRUPT);
    check_eq(by_device, -WEIR_E_CORRUPT);
    NothingLost(real).verify();
    weir_matrix_unref(real);
}

Test(matrix_names, what_may_not_be_written_is_eacces)
{
    in_child_ok([] {
        child_check(become_nobody() == 0);
        weir_matrix *made = nullptr;
        child_refuse(-EACCES, weir_matrix_create("/weir-api-eacces", nullptr, &made));
        child_refuse(-EACCES, weir_matrix_unlink("/proc/1/environ"));
        Name const name("eacces");
        child_must(weir_matrix_create(name, nullptr, &made));
        int const fd = open(name.path().c_str(), O_RDONLY);
        child_check(chmod(name.path().c_str(), 0400) == 0);
        weir_matrix *other = nullptr;
        child_refuse(-EACCES, weir_matrix_attach(name, nullptr, &other));
        child_refuse(-EACCES, weir_matrix_open(name, nullptr, &other));
        child_refuse(-EACCES, weir_matrix_attach_fd(fd, nullptr, &other));
        child_check(other == nullptr);
        close(fd);
        weir_matrix_unref(made);
        return 0;
    });
}

Test(matrix_names, the_file_of_another_user_is_not_removed)
{
    if (geteuid() != 0)
        cr_skip_test("only root can make a file of another user");
    Name const name("of-root");
    auto readable = options();
    readable.mode = 0644;
    weir_matrix *const made = create(name, readable);
    in_child_ok([&name] {
        child_check(become_nobody() == 0);
        child_refuse(-EPERM, weir_matrix_unlink(name));
        return 0;
    });
    struct stat found;
    check_eq(stat(name.path().c_str(), &found), 0);
    weir_matrix_unref(made);
}

Test(matrix_names, null_handles_are_refused_or_ignored)
{
    refuse(-EINVAL, weir_matrix_fd(nullptr));
    refuse(-EINVAL, weir_matrix_retire(nullptr));
    weir_uuid uuid;
    refuse(-EINVAL, weir_matrix_uuid(nullptr, &uuid));
    cr_assert_null(weir_matrix_ref(nullptr));
    cr_assert_null(weir_matrix_unref(nullptr));
    cr_assert_str_eq(weir_matrix_name(nullptr), "");
    weir_matrix *const made = unnamed();
    refuse(-EINVAL, weir_matrix_uuid(made, nullptr));
    cr_assert_str_eq(weir_matrix_name(made), "");
    weir_matrix_unref(made);
}
