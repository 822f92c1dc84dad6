// SPDX-License-Identifier: MIT OR Apache-2.0
// A folder on a disk, files in it, a backend, and a process that is refused system calls.
#pragma once

#include "core/flush/backend.hpp"
#include "core/flush/io_pwrite.hpp"
#include "tests/unit/support.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace unit {

using namespace weir;

inline std::vector<char> noise(size_t length, uint64_t seed)
{
    Random random(seed);
    std::vector<char> bytes(length);
    for (char &byte : bytes)
        byte = static_cast<char>(random.next());
    return bytes;
}

/// A folder that goes away with its test. /var/tmp lies on a disk where /tmp may lie in memory.
class Folder {
  public:
    Folder()
    {
        char name[] = "/var/tmp/weir-io-XXXXXX";
        cr_assert(mkdtemp(name) != nullptr);
        path = name;
    }
    ~Folder()
    {
        std::error_code ignored;
        if (getpid() == process_)
            std::filesystem::remove_all(path, ignored);
    }
    std::string path;

  private:
    pid_t process_ = getpid();
};

/// PosixFiles with short names; a failure of what must succeed ends the test.
class Files {
  public:
    explicit Files(std::string const &path)
    {
        Status const opened = PosixFiles::open(path.c_str(), true, 0700, files);
        check_eq(opened.code, 0, "open %s", path.c_str());
    }
    ~Files() { PosixFiles::release(files); }
    File open(char const *name, unsigned flags = kOpenWrite | kOpenCreate)
    {
        Result<File> const file = ops.open(files, name, flags, 0600);
        check_eq(file.status().code, 0, "open %s", name);
        return *file;
    }
    int try_open(char const *name, unsigned flags)
    {
        Result<File> const file = ops.open(files, name, flags, 0600);
        if (file.ok())
            ops.close(files, *file);
        return file.status().code;
    }
    void close(File file) { ops.close(files, file); }
    std::vector<char> read(File file, uint64_t offset, size_t length)
    {
        std::vector<char> bytes(length);
        Result<size_t> const got = ops.pread(files, file, bytes.data(), length, offset);
        check_eq(got.status().code, 0);
        bytes.resize(*got);
        return bytes;
    }
    PosixFiles *files = nullptr;
    FileOps const &ops = PosixFiles::kOps;
};

/// Memory as the ring's buffers: aligned to a page.
struct Pages {
    explicit Pages(size_t length) : bytes(static_cast<char *>(aligned_alloc(4096, length))) {}
    ~Pages() { free(bytes); }
    char *bytes;
};

/// A backend that is there, or a reason.
class Engine {
  public:
    Engine(Files &files, BackendKind kind, uint32_t depth = 8)
    {
        BackendOptions options;
        options.kind = kind;
        options.depth = depth;
        status = open_backend(files.files, options, backend);
    }
    ~Engine() { release_backend(backend); }
    int submit(WriteRequest *request) { return data().submit(backend.io.data_self, request).code; }
    unsigned reap(WriteRequest **ret, unsigned most, Nanoseconds timeout)
    {
        return data().reap(backend.io.data_self, ret, most, timeout);
    }
    void wake() { data().wake(backend.io.data_self); }
    int write_now(WriteRequest const &request)
    {
        return data().write_now(backend.io.data_self, &request);
    }
    int flush(File file) { return data().flush(backend.io.data_self, file); }
    void opened(File file) { data().file_opened(backend.io.data_self, file); }
    void closing(File file) { data().file_closing(backend.io.data_self, file); }
    void memory(void *begin, size_t length) { data().memory(backend.io.data_self, begin, length); }
    /// Submits all and reaps all; nobody else has requests here.
    void run(std::vector<WriteRequest> &requests)
    {
        size_t out = 0;
        for (WriteRequest &request : requests) {
            check_eq(submit(&request), 0);
            ++out;
        }
        WriteRequest *done[4];
        while (out != 0)
            out -= reap_some(done, 4);
    }
    /// At least one. A wake() that nobody waited for returns once without any.
    unsigned reap_some(WriteRequest **ret, unsigned most)
    {
        unsigned count = reap(ret, most, 20 * kSecond);
        if (count == 0)
            count = reap(ret, most, 20 * kSecond);
        check_ge(count, 1, "a request never ends");
        return count;
    }
    /// Memory of the backend's own, told to it once, as the ring does.
    char *own_memory()
    {
        if (own_ == nullptr) {
            own_ = std::make_unique<Pages>(kOwn);
            memory(own_->bytes, kOwn);
        }
        return own_->bytes;
    }
    static constexpr size_t kOwn = 1 << 16;
    DataOps const &data() const { return *backend.io.data; }
    Backend backend;
    Status status;

  private:
    std::unique_ptr<Pages> own_;
};

inline constexpr BackendKind kBoth[] = {BackendKind::pwritev2, BackendKind::io_uring};

/// Where io_uring is refused (a container) or not built in, its half of a test is left out; the
/// tests of a refusal say why.
inline bool has(Engine const &engine) { return engine.status.ok(); }

// ---- system calls that are refused

/// One call of this process and its children fails from now on: always, or only if
/// (argument[which] & mask) == value.
struct Refusal {
    long call;
    int code;
    int which = -1;
    uint32_t mask = 0;
    uint32_t value = 0;
    int second = -1; ///< the same for another argument
    uint32_t second_mask = 0;
    uint32_t second_value = 0;
};

inline bool refuse(Refusal const &what)
{
    std::vector<sock_filter> code;
    auto const load = [&](size_t at) {
        code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(at)));
    };
    auto const argument = [](int which) {
        return offsetof(seccomp_data, args) + sizeof(uint64_t) * static_cast<size_t>(which);
    };
    // Each test that fails jumps to the last instruction, which allows.
    std::vector<size_t> tests;
    auto const expect = [&](uint32_t value) {
        tests.push_back(code.size());
        code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 0));
    };
    auto const masked = [&](int which, uint32_t mask, uint32_t value) {
        if (which < 0)
            return;
        load(argument(which));
        code.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
        expect(value);
    };
    load(offsetof(seccomp_data, nr));
    expect(static_cast<uint32_t>(what.call));
    masked(what.which, what.mask, what.value);
    masked(what.second, what.second_mask, what.second_value);
    code.push_back(BPF_STMT(BPF_RET | BPF_K,
                            SECCOMP_RET_ERRNO | (static_cast<uint32_t>(what.code) & 0xffffu)));
    for (size_t const test : tests)
        code[test].jf = static_cast<uint8_t>(code.size() - test - 1);
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    sock_fprog const program{static_cast<unsigned short>(code.size()), code.data()};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

} // namespace unit
