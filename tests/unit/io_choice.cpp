// SPDX-License-Identifier: MIT OR Apache-2.0
// Which backend is taken and why: options, environment, refusals by a sandbox, limits, fork.
#include "tests/unit/io_support.hpp"

#include <grp.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <cstring>
#include <thread>

using namespace unit;
using namespace weir;

namespace {
/// One write by the I/O thread and one of the caller's own, read back.
int writes(Files &files, Engine &engine, char const *name)
{
    Result<File> const file =
        files.ops.open(files.files, name, kOpenWrite | kOpenCreate | kOpenDirect, 0600);
    if (!file.ok())
        return 50;
    if (files.ops.write_zeros(files.files, *file, 0, 1 << 20).code != 0)
        return 51;
    char *const source = engine.own_memory();
    std::memset(source, 0x42, Engine::kOwn);
    engine.opened(*file);
    WriteRequest requests[2];
    for (uint64_t i = 0; i < 2; ++i) {
        requests[i].file = *file;
        requests[i].durable = true;
        requests[i].length = 1 << 15;
        requests[i].offset = i << 16;
        requests[i].data = source;
    }
    WriteRequest *done = nullptr;
    if (engine.submit(&requests[0]) != 0 || engine.reap_some(&done, 1) != 1 ||
        done != &requests[0] || done->result != 0)
        return 52;
    if (engine.write_now(requests[1]) != 0 || engine.flush(*file) != 0)
        return 53;
    engine.wake();
    if (engine.reap(&done, 1, 20 * kSecond) != 0)
        return 54;
    engine.closing(*file);
    files.close(*file);
    File const reader = files.open(name, kOpenRead);
    std::vector<char> const bytes = files.read(reader, 0, 1 << 17);
    files.close(reader);
    for (size_t i = 0; i < bytes.size(); ++i)
        if (bytes[i] != ((i & 0x8000) == 0 ? 0x42 : 0))
            return 55;
    return 0;
}

/// io_uring works in this process, outside any sandbox of a test.
bool uring_works(Files &files)
{
    Engine const engine(files, BackendKind::io_uring);
    return has(engine);
}

/// Runs AUTO and a forced io_uring where `call` fails with `code`. 0: AUTO took pwritev2, works,
/// and names code and `step`; forced is refused.
int refused(Files &files, Refusal const &what, char const *step)
{
    return in_child([&] {
        if (!refuse(what))
            return 9;
        Engine engine(files, BackendKind::automatic);
        if (!has(engine) || std::strcmp(engine.backend.name, "pwritev2") != 0)
            return 1;
        if (engine.backend.reason_code != -what.code)
            return 2;
        if (std::strstr(engine.backend.reason, step) == nullptr)
            return 3;
        if (int const failed = writes(files, engine, "a"); failed != 0)
            return failed;
        Engine const forced(files, BackendKind::io_uring);
        return forced.status.code == -EOPNOTSUPP && forced.backend.reason_code == -what.code ? 0
                                                                                             : 4;
    });
}
} // namespace

Test(io_choice, options_and_environment_decide)
{
    Folder const folder;
    Files files(folder.path);
    auto const name_of = [&](BackendKind kind) {
        Engine const engine(files, kind);
        return std::string(engine.backend.name) + ": " + engine.backend.reason;
    };
    check_eq(name_of(BackendKind::pwritev2) == "pwritev2: asked for by the options", true);
    setenv("WEIR_LOG_BACKEND", "pwritev2", 1);
    check_eq(name_of(BackendKind::automatic) == "pwritev2: asked for by WEIR_LOG_BACKEND", true);
    setenv("WEIR_LOG_BACKEND", "auto", 1);
    std::string const automatic = name_of(BackendKind::automatic);
    setenv("WEIR_LOG_BACKEND", "nonsense", 1);
    check_eq(name_of(BackendKind::automatic) == automatic, true);
    setenv("WEIR_LOG_BACKEND", "io_uring", 1);
    check_eq(name_of(BackendKind::pwritev2) == "pwritev2: asked for by the options", true);
    if (uring_works(files)) {
        check_eq(automatic == "io_uring: it works here", true, "%s", automatic.c_str());
        check_eq(name_of(BackendKind::automatic) == "io_uring: asked for by WEIR_LOG_BACKEND",
                 true);
    } else {
        Engine const forced(files, BackendKind::automatic);
        check_eq(forced.status.code, -EOPNOTSUPP);
        check_ne(std::strlen(forced.backend.reason), 0);
    }
    unsetenv("WEIR_LOG_BACKEND");
}

Test(io_choice, bad_thread_counts_are_refused)
{
    Folder const folder;
    Files files(folder.path);
    for (uint32_t threads : {0u, 17u, ~0u}) {
        BackendOptions options;
        options.kind = BackendKind::pwritev2;
        options.threads = threads;
        Backend backend;
        check_eq(open_backend(files.files, options, backend).code, -EINVAL);
        release_backend(backend);
    }
}

Test(io_choice, what_a_sandbox_refuses_is_named_and_pwritev2_taken, .timeout = 60)
{
    Folder const folder;
    Files files(folder.path);
    if (!uring_works(files))
        cr_skip_test("no io_uring here, or not built in");
    check_eq(refused(files, {SYS_io_uring_setup, EPERM}, "setting up"), 0);
    check_eq(refused(files, {SYS_io_uring_setup, ENOSYS}, "setting up"), 0);
    check_eq(refused(files, {SYS_io_uring_setup, ENOMEM}, "setting up"), 0);
    check_eq(refused(files, {SYS_io_uring_setup, EMFILE}, "setting up"), 0);
    check_eq(refused(files, {SYS_io_uring_setup, EINVAL}, "too old"), 0);
    check_eq(refused(files, {SYS_io_uring_enter, EPERM}, "writing"), 0);
    check_eq(refused(files, {SYS_io_uring_register, EPERM}, "lacks"), 0);
    check_eq(refused(files, {SYS_eventfd2, EMFILE}, "eventfd"), 0);
    check_eq(refused(files, {SYS_madvise, EPERM}, "fork"), 0);
}

/// Each generation of flags is dropped where the kernel does not know it.
Test(io_choice, older_kernels_get_fewer_flags, .timeout = 60)
{
    Folder const folder;
    Files files(folder.path);
    if (!uring_works(files))
        cr_skip_test("no io_uring here, or not built in");
    // The flags lie in memory, so a kernel that lacks them cannot be had by a filter; registering
    // files and buffers, which is best effort, can.
    constexpr uint32_t kRegisterBuffers = 0, kRegisterFiles2 = 13, kFilesUpdate = 6;
    for (uint32_t const operation : {kRegisterBuffers, kRegisterFiles2, kFilesUpdate}) {
        int const result = in_child([&] {
            if (!refuse({SYS_io_uring_register, EINVAL, 1, ~0u, operation}))
                return 9;
            Engine engine(files, BackendKind::automatic);
            if (!has(engine) || std::strcmp(engine.backend.name, "io_uring") != 0)
                return 1;
            return writes(files, engine, "a");
        });
        check_eq(result, 0, "operation %u", operation);
    }
}

/// Nothing may be locked, and nobody is root: buffers are not registered, all else works.
Test(io_choice, without_locked_memory_it_works, .timeout = 30)
{
    Folder const folder;
    check_eq(chmod(folder.path.c_str(), 0777), 0);
    Files files(folder.path);
    int const result = in_child([&] {
        struct rlimit const none{0, 0};
        if (setrlimit(RLIMIT_MEMLOCK, &none) != 0)
            return 9;
        if (geteuid() == 0 &&
            (setgroups(0, nullptr) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
            return 8;
        for (BackendKind const kind : {BackendKind::automatic, BackendKind::pwritev2}) {
            Engine engine(files, kind);
            if (!has(engine))
                return 1;
            if (int const failed = writes(files, engine, "a"); failed != 0)
                return failed;
        }
        return 0;
    });
    check_eq(result, 0);
}

Test(io_choice, without_o_direct_it_works, .timeout = 30)
{
    Folder const folder;
    Files files(folder.path);
    int const result = in_child([&] {
        if (!refuse({SYS_fcntl, EINVAL, 1, ~0u, 4 /* F_SETFL */, 2, 040000, 040000}))
            return 9;
        for (BackendKind const kind : {BackendKind::automatic, BackendKind::pwritev2}) {
            Engine engine(files, kind);
            if (!has(engine))
                return 1;
            if (int const failed = writes(files, engine, "a"); failed != 0)
                return failed;
        }
        return 0;
    });
    check_eq(result, 0);
    std::string const memory = "/dev/shm/weir-io-" + std::to_string(getpid());
    {
        Files there(memory);
        for (BackendKind const kind : kBoth) {
            Engine engine(there, kind);
            if (has(engine))
                check_eq(writes(there, engine, "a"), 0);
        }
    }
    std::filesystem::remove_all(memory);
}

/// A child has nothing of the backend; what it lets go of does not hurt the parent.
Test(io_choice, a_fork_child_leaves_the_parents_backend_alone, .timeout = 60)
{
    Folder const folder;
    Files files(folder.path);
    for (BackendKind const kind : kBoth) {
        auto engine = std::make_unique<Engine>(files, kind);
        if (!has(*engine))
            continue;
        check_eq(writes(files, *engine, "a"), 0);
        for (int round = 0; round < 3; ++round) {
            int const result = in_child([&] {
                forget_backend(engine->backend);
                forget_backend(engine->backend);
                // Pages of the child's own lie where the parent has its ring.
                std::vector<char *> pages(300);
                for (char *&page : pages)
                    page = static_cast<char *>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
                                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
                if (round != 0)
                    engine.reset(); // and frees memory, without joining threads it lacks
                for (char *const page : pages)
                    *page = 1;
                Engine own(files, kind);
                return has(own) ? writes(files, own, "child") : 1;
            });
            check_eq(result, 0);
            check_eq(writes(files, *engine, "a"), 0);
        }
    }
}

/// Signals of the program are never handled on the library's threads.
Test(io_choice, helpers_handle_no_signal, .timeout = 30)
{
    static std::atomic<pid_t> handler{0};
    Folder const folder;
    Files files(folder.path);
    struct sigaction action {};
    action.sa_handler = [](int) { handler.store(gettid()); };
    sigaction(SIGUSR1, &action, nullptr);
    Engine const engine(files, BackendKind::pwritev2);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &blocked, nullptr); // so that only a helper could take it
    kill(getpid(), SIGUSR1);
    sleep_for(50 * kMillisecond);
    check_eq(handler.load(), 0);
    sigset_t pending;
    sigpending(&pending);
    check_eq(sigismember(&pending, SIGUSR1), 1);
    signal(SIGUSR1, SIG_IGN);
}
