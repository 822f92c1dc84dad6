// SPDX-License-Identifier: MIT OR Apache-2.0
// Removing names: only those of segments, never another one's, and those that a death left behind.
#include "tests/api/support.hpp"

#include <sys/file.h>

using namespace api;

namespace {
/// A file in /dev/shm with this content.
class File {
  public:
    File(char const *test, std::string const &content)
        : path_("/dev/shm/" + unit::unique_name(test))
    {
        int const fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        check_ge(fd, 0);
        check_eq(::write(fd, content.data(), content.size()), content.size());
        ::close(fd);
    }
    File(File const &) = delete;
    File &operator=(File const &) = delete;
    ~File() { ::unlink(path_.c_str()); }
    char const *path() const { return path_.c_str(); }

  private:
    std::string path_;
};

bool exists(std::string const &path)
{
    struct stat found;
    return lstat(path.c_str(), &found) == 0;
}

ino_t inode_of(std::string const &path)
{
    struct stat found;
    check_eq(stat(path.c_str(), &found), 0);
    return found.st_ino;
}

void write_state(weir_matrix *matrix, uint32_t state)
{
    check_eq(pwrite(weir_matrix_fd(matrix), &state, sizeof state, Raw::kState), sizeof state);
}

constexpr uint32_t kRetired = 2;
} // namespace

// covers: weir_matrix_unlink -WEIR_E_CORRUPT
Test(matrix_unlink, a_file_that_is_no_segment_stays)
{
    for (std::string const &content :
         {std::string("precious\n"), std::string(), std::string(100000, '\0')}) {
        File const file("api-precious", content);
        refuse(-WEIR_E_CORRUPT, weir_matrix_unlink(file.path()));
        cr_assert(exists(file.path()));
    }
}

Test(matrix_unlink, links_pipes_and_devices_stay)
{
    Name const name("behind-a-link");
    weir_matrix *const matrix = create(name, options());
    std::string const link = "/dev/shm/" + unit::unique_name("api-link");
    std::string const dangling = "/dev/shm/" + unit::unique_name("api-dangling");
    std::string const fifo = "/dev/shm/" + unit::unique_name("api-fifo");
    check_eq(symlink(name.path().c_str(), link.c_str()), 0);
    check_eq(symlink("/nowhere", dangling.c_str()), 0);
    check_eq(mkfifo(fifo.c_str(), 0600), 0);
    for (std::string const &path : {link, dangling, fifo}) {
        int const code = weir_matrix_unlink(path.c_str());
        bool const stays = exists(path);
        unlink(path.c_str());
        check_eq(code, -WEIR_E_CORRUPT, "%s", path.c_str());
        cr_assert(stays, "%s", path.c_str());
    }
    cr_assert(exists(name.path()));
    refuse(-WEIR_E_CORRUPT, weir_matrix_unlink("/dev/null"));
    weir_matrix_unref(matrix);
}

Test(matrix_unlink, a_segment_of_another_version_can_be_removed)
{
    Name const name("version");
    weir_matrix *const matrix = create(name, options());
    uint32_t const version = 77;
    check_eq(pwrite(weir_matrix_fd(matrix), &version, sizeof version, 8), sizeof version);
    weir_matrix *made = nullptr;
    refuse(-WEIR_E_VERSION, weir_matrix_attach(name, nullptr, &made));
    must(weir_matrix_unlink(name));
    cr_assert(!exists(name.path()));
    weir_matrix_unref(matrix);
}

Test(matrix_unlink, a_segment_that_may_not_be_read_stays)
{
    if (geteuid() != 0)
        cr_skip_test("only root can make a file of another user");
    Name const name("secret");
    weir_matrix *const matrix = create(name, options());
    in_child_ok([&name] {
        child_check(setresuid(kNobody, kNobody, kNobody) == 0);
        child_refuse(-EACCES, weir_matrix_unlink(name));
        return 0;
    });
    cr_assert(exists(name.path()));
    weir_matrix_unref(matrix);
}

// covers: weir_matrix_unlink -EOPNOTSUPP
Test(matrix_unlink, a_remover_that_does_not_move_is_ebusy)
{
    Name const name("held");
    weir_matrix *const matrix = create(name, options());
    int const fd = open(name.path().c_str(), O_RDONLY | O_CLOEXEC);
    check_eq(flock(fd, LOCK_EX), 0);
    refuse(-EBUSY, weir_matrix_unlink(name));
    cr_assert(exists(name.path()));
    close(fd);
    must(weir_matrix_unlink(name));
    in_child_ok(
        [&] { // no /proc
            if (!fail_system_call(SYS_openat, EOPNOTSUPP))
                return kNotHere;
            child_refuse(-EOPNOTSUPP, weir_matrix_unlink(name));
            return 0;
        },
        "no system call filters here");
    weir_matrix_unref(matrix);
}

/// Who retires dies before it removes the name: the state is written, the name stays.
Test(matrix_unlink, the_name_of_a_retired_segment_is_free)
{
    Name const name("left-behind");
    weir_matrix *made = nullptr;
    weir_matrix *first = create(name, options());
    ino_t const old = inode_of(name.path());
    write_state(first, kRetired);
    refuse(-WEIR_E_RETIRED, weir_matrix_attach(name, nullptr, &made));
    auto const small = options();
    must(weir_matrix_open(name, &small, &made));
    check_ne(inode_of(name.path()), old);
    NothingLost(made).verify();

    write_state(made, kRetired);
    weir_matrix *again = nullptr;
    must(weir_matrix_create(name, &small, &again));
    NothingLost(again).verify();
    refuse(-EEXIST, weir_matrix_create(name, &small, &made)); // this one is not retired
    weir_matrix_unref(again);
    weir_matrix_unref(made);
    weir_matrix_unref(first);
}

Test(matrix_unlink, killed_while_it_retires_a_process_leaves_a_name_that_can_be_used)
{
    Name const name("killed");
    auto const small = options();
    weir_matrix_unref(create(name, small));
    pid_t const child = api::start([&] {
        weir_matrix *const own = attach(name);
        int const fd = open(name.path().c_str(), O_RDONLY | O_CLOEXEC);
        child_check(flock(fd, LOCK_EX) == 0); // retire() waits here for the name
        return weir_matrix_retire(own);
    });
    weir_matrix *made = nullptr;
    int code = 0;
    for (int i = 0; i < 1000 && code != -WEIR_E_RETIRED; ++i) {
        code = weir_matrix_attach(name, nullptr, &made);
        if (code == 0)
            made = weir_matrix_unref(made);
    }
    kill_and_join(child);
    check_eq(code, -WEIR_E_RETIRED);
    cr_assert(exists(name.path()));
    must(weir_matrix_open(name, &small, &made));
    NothingLost(made).verify();
    weir_matrix_unref(made);
}

Test(matrix_unlink, retired_by_descriptor_a_segment_leaves_a_name_that_can_be_used)
{
    Name const name("by-fd");
    auto const small = options();
    weir_matrix *const first = create(name, small);
    weir_matrix *second = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(first), nullptr, &second));
    must(weir_matrix_retire(second));
    cr_assert(exists(name.path()));
    weir_matrix *made = nullptr;
    must(weir_matrix_open(name, &small, &made));
    weir_matrix_unref(made);
    weir_matrix_unref(second);
    weir_matrix_unref(first);
}

/// The name stands for another segment by now: it must not go.
Test(matrix_unlink, retiring_does_not_remove_the_name_of_another_segment)
{
    Name const name("another");
    weir_matrix *const first = create(name, options());
    must(weir_matrix_unlink(name));
    weir_matrix *const second = create(name, options());
    must(weir_matrix_retire(first));
    cr_assert(exists(name.path()));
    NothingLost(second).verify();
    weir_matrix_unref(second);
    weir_matrix_unref(first);
}

/// Retiring and opening at once, by several processes: each open that succeeds gives a segment that
/// the name stands for, or one that was retired since, never one that lost its name to somebody
/// who meant an older one.
Test(matrix_unlink, nobody_removes_the_name_of_a_segment_that_lives, .timeout = 60)
{
    Name const name("churn");
    auto const worker = [&name](int rounds) {
        auto const small = options(64 * kKiB);
        for (int i = 0; i < rounds; ++i) {
            weir_matrix *made = nullptr;
            int const code = weir_matrix_open(name, &small, &made);
            if (code == -EBUSY)
                continue;
            child_must(code);
            struct stat named, own;
            bool const lost = fstat(weir_matrix_fd(made), &own) == 0 &&
                              (stat(name.path().c_str(), &named) != 0 || named.st_ino != own.st_ino);
            weir_ref block;
            int const alive = weir_matrix_alloc(made, 64, nullptr, &block, nullptr);
            // Looked at after the name: it was alive then, so its name had to be there.
            child_check(!lost || alive == -WEIR_E_RETIRED);
            if (i % 2 == 0)
                static_cast<void>(weir_matrix_retire(made));
            weir_matrix_unref(made);
        }
        return 0;
    };
    pid_t children[3];
    for (pid_t &child : children)
        child = api::start([&] { return worker(300); });
    int failed = 0;
    for (pid_t const child : children)
        failed |= join(child);
    check_eq(failed, 0, "%s", words());
}
