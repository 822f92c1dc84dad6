// SPDX-License-Identifier: MIT OR Apache-2.0
// What the tests of the C API share: refusals, "nothing is lost", children, and a raw view.
//
// `refuse(CODE, FUNCTION(…))` and `child_refuse` are read by errors_table.py, which looks up each
// documented error of each function. Where a loop hides the name, say `covers: FUNCTION CODE…`.
#pragma once

#include "tests/unit/support.hpp"

#include <weir.h>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <string>

#if defined(__SANITIZE_ADDRESS__)
#define API_ASAN 1
#else
#define API_ASAN 0
#endif

/// The call must return exactly this code.
#define refuse(code, ...)                                                                          \
    ::unit::check({__FILE__, __LINE__, #__VA_ARGS__}, ::unit::Op::eq, (__VA_ARGS__), (code))
/// The call must succeed.
#define must(...)                                                                                  \
    ::unit::check({__FILE__, __LINE__, #__VA_ARGS__}, ::unit::Op::ge, (__VA_ARGS__), 0)

// The same in a fork child, in a function that returns int: says what is wrong and returns 1.
#define child_refuse(code, ...)                                                                    \
    do {                                                                                           \
        int const found_ = (__VA_ARGS__);                                                          \
        if (found_ != (code)) {                                                                    \
            ::api::say("%s:%d: %s is %d, not %d", __FILE__, __LINE__, #__VA_ARGS__, found_,        \
                       (code));                                                                    \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)
#define child_must(...)                                                                            \
    do {                                                                                           \
        int const found_ = (__VA_ARGS__);                                                          \
        if (found_ < 0) {                                                                          \
            ::api::say("%s:%d: %s is %d", __FILE__, __LINE__, #__VA_ARGS__, found_);               \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)
#define child_check(...)                                                                           \
    do {                                                                                           \
        if (!(__VA_ARGS__)) {                                                                      \
            ::api::say("%s:%d: not so: %s", __FILE__, __LINE__, #__VA_ARGS__);                     \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/// A test behind which `still_whole()` of its file looks at what must hold at the end. In a fixture
/// that could not fail: Criterion does not count what happens after a test that has passed.
#define WholeTest(suite, name)                                                                     \
    static void suite##_##name();                                                                  \
    Test(suite, name)                                                                              \
    {                                                                                              \
        suite##_##name();                                                                          \
        still_whole();                                                                             \
    }                                                                                              \
    static void suite##_##name()

namespace api {

/// Where a child leaves word of what is wrong: a page that it shares with the test.
inline char *words()
{
    static char *const page = static_cast<char *>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    return page;
}
__attribute__((format(printf, 1, 2))) inline void say(char const *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words(), 4096, format, arguments);
    va_end(arguments);
}

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * 1024;
constexpr int64_t kMillisecond = 1000000;
constexpr uid_t kNobody = 65534;

inline int64_t now_ns()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

inline void sleep_ms(unsigned ms)
{
    timespec const time{static_cast<time_t>(ms / 1000), static_cast<long>(ms % 1000) * 1000000};
    nanosleep(&time, nullptr);
}

// ---- making things

inline weir_matrix_options options(uint64_t capacity = kMiB)
{
    weir_matrix_options made = WEIR_MATRIX_OPTIONS_INIT;
    made.capacity = capacity;
    return made;
}

inline weir_matrix *create(char const *name, weir_matrix_options const &options)
{
    weir_matrix *made = nullptr;
    must(weir_matrix_create(name, &options, &made));
    return made;
}

inline weir_matrix *unnamed(uint64_t capacity = kMiB) { return create(nullptr, options(capacity)); }

inline weir_matrix *attach(char const *name)
{
    weir_matrix *made = nullptr;
    must(weir_matrix_attach(name, nullptr, &made));
    return made;
}

inline weir_ref alloc(weir_matrix *matrix, size_t size = 64)
{
    weir_ref block = 0;
    must(weir_matrix_alloc(matrix, size, nullptr, &block, nullptr));
    return block;
}

inline weir_channel *channel(weir_matrix *matrix, char const *name, uint32_t capacity = 16,
                             weir_channel_overflow overflow = WEIR_CHANNEL_BLOCK)
{
    weir_channel_options options = WEIR_CHANNEL_OPTIONS_INIT;
    options.capacity = capacity;
    options.overflow = overflow;
    weir_channel *made = nullptr;
    must(weir_channel_create(matrix, name, &options, &made));
    return made;
}

inline weir_subscription *subscribe(weir_channel *channel)
{
    weir_subscription *made = nullptr;
    must(weir_channel_subscribe(channel, &made));
    return made;
}

/// A name of a segment that goes with this object.
class Name {
  public:
    explicit Name(char const *test) : text_("api-" + unit::unique_name(test)), next_(last())
    {
        last() = this;
    }
    Name(Name const &) = delete;
    Name &operator=(Name const &) = delete;
    ~Name()
    {
        last() = next_;
        static_cast<void>(::unlink(path().c_str())); // whatever a test made of the file
    }
    /// Before a test is skipped or failed, which runs no destructors.
    static void unlink_all()
    {
        for (Name const *at = last(); at != nullptr; at = at->next_)
            static_cast<void>(::unlink(at->path().c_str()));
    }
    char const *c_str() const { return text_.c_str(); }
    operator char const *() const { return text_.c_str(); }
    std::string path() const { return "/dev/shm/weir." + text_; }

  private:
    static Name const *&last()
    {
        static Name const *name = nullptr;
        return name;
    }
    std::string text_;
    Name const *next_;
};

// ---- looking

inline weir_matrix_info stats(weir_matrix *matrix)
{
    weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
    must(weir_matrix_stats(matrix, &info));
    return info;
}

inline uint64_t used_blocks(weir_matrix *matrix) { return stats(matrix).used_blocks; }

inline uint64_t participant(weir_matrix *matrix)
{
    uint64_t id = 0;
    must(weir_matrix_participant_id(matrix, &id));
    return id;
}

inline uint64_t owner_of(weir_matrix *matrix, weir_ref block)
{
    uint64_t id = 0;
    must(weir_block_owner(matrix, block, &id));
    return id;
}

inline weir_check_report check_well(weir_matrix *matrix)
{
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    check_eq(weir_matrix_check(matrix, 0, &report), 0);
    return report;
}

/// Nothing is lost: as many blocks in use as when this object was made, no errors, and the matrix
/// still serves.
class NothingLost {
  public:
    explicit NothingLost(weir_matrix *matrix) : matrix_(matrix), used_(used_blocks(matrix)) {}
    void verify() const
    {
        check_well(matrix_);
        check_eq(used_blocks(matrix_), used_);
        weir_ref const block = alloc(matrix_);
        must(weir_matrix_free(matrix_, block));
        check_eq(used_blocks(matrix_), used_);
    }

  private:
    weir_matrix *matrix_;
    uint64_t used_;
};

inline int open_descriptors()
{
    int count = 0;
    for (int fd = 0; fd < 1024; ++fd)
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
}

/// Mappings of files whose path holds this text.
inline int mappings_of(char const *text)
{
    std::FILE *const file = std::fopen("/proc/self/maps", "re");
    char line[512];
    int count = 0;
    while (std::fgets(line, sizeof line, file) != nullptr)
        count += std::strstr(line, text) != nullptr ? 1 : 0;
    std::fclose(file);
    return count;
}

// ---- the segment's bytes, as a hostile process sees them (docs/FORMAT.md)

class Raw {
  public:
    static constexpr size_t kUuid = 48;
    static constexpr size_t kState = 512;
    static constexpr size_t kGrowth = 640;
    static constexpr size_t kDirectory = 704;
    static constexpr size_t kSectors = 152;
    static constexpr size_t kDescriptor = 48;

    explicit Raw(weir_matrix *matrix)
    {
        struct stat found;
        fstat(weir_matrix_fd(matrix), &found);
        length_ = static_cast<size_t>(found.st_size);
        base_ = static_cast<char *>(mmap(nullptr, length_, PROT_READ | PROT_WRITE,
                                         MAP_SHARED | MAP_NORESERVE, weir_matrix_fd(matrix), 0));
        cr_assert_neq(static_cast<void *>(base_), MAP_FAILED);
    }
    Raw(Raw const &) = delete;
    Raw &operator=(Raw const &) = delete;
    ~Raw() { munmap(base_, length_); }

    char *base() const { return base_; }
    size_t length() const { return length_; }
    template <class T> T &at(size_t offset) const { return *reinterpret_cast<T *>(base_ + offset); }
    /// The word of the granule where a block begins.
    uint64_t &word(weir_ref block) const
    {
        uint64_t const offset = block & ((uint64_t{1} << 48) - 1);
        for (size_t i = 3; i-- > 0;) {
            size_t const sector = kSectors + i * kDescriptor;
            uint64_t const data = at<uint64_t>(sector + 40);
            if (offset < data)
                continue;
            uint64_t const granule = (offset - data) >> at<uint32_t>(sector);
            return at<uint64_t>(at<uint64_t>(sector + 16) + granule * 8);
        }
        std::abort();
    }
    static uint64_t with_kind(uint64_t word, uint64_t kind)
    {
        return (word & ~(uint64_t{15} << 60)) | kind << 60;
    }

  private:
    char *base_;
    size_t length_;
};

// ---- a system that refuses

/// From now on this system call of this process fails with `code`. False: not possible here.
inline bool fail_system_call(unsigned number, unsigned code)
{
    sock_filter program[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | code},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    sock_fprog const whole{4, program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) == 0;
}

inline void limit(decltype(RLIMIT_NOFILE) what, rlim_t value)
{
    rlimit found;
    getrlimit(what, &found);
    found.rlim_cur = value;
    setrlimit(what, &found);
}

/// A child's exit code for "not possible here".
constexpr int kNotHere = 77;

/// Runs `action` in a fork child: 0 is success, kNotHere skips with the reason.
template <class Action>
void in_child_must(char const *file, int line, Action action,
                   char const *reason = "not possible here")
{
    words()[0] = '\0';
    int const code = unit::in_child(action);
    if (code != 0)
        Name::unlink_all();
    if (code == kNotHere)
        cr_skip_test("%s", reason);
    if (code != 0)
        cr_assert_fail("%s:%d: the child ended with %d: %s", file, line, code, words());
}
#define in_child_ok(...) ::api::in_child_must(__FILE__, __LINE__, __VA_ARGS__)

/// Two pipes: who has this can let the other side go on.
class Gate {
  public:
    Gate()
    {
        if (pipe(fds_) != 0)
            std::abort();
    }
    Gate(Gate const &) = delete;
    Gate &operator=(Gate const &) = delete;
    ~Gate()
    {
        close(fds_[0]);
        close(fds_[1]);
    }
    void open(uint64_t value = 1)
    {
        if (write(fds_[1], &value, sizeof value) != sizeof value)
            std::abort();
    }
    uint64_t pass()
    {
        uint64_t value = 0;
        if (read(fds_[0], &value, sizeof value) != sizeof value)
            std::abort();
        return value;
    }

  private:
    int fds_[2];
};

/// A child that runs beside the test until it is killed or joined.
template <class Action> pid_t start(Action action)
{
    words()[0] = '\0';
    pid_t const child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(action());
    }
    return child;
}

inline int join(pid_t child)
{
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

inline void kill_and_join(pid_t child)
{
    kill(child, SIGKILL);
    join(child);
}

} // namespace api
