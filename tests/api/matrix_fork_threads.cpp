// SPDX-License-Identifier: MIT OR Apache-2.0
// fork() in the middle of everything: threads of the parent are anywhere in the library, and the
// child, which has a copy of all their locks and counters, works on.
#include "tests/api/support.hpp"

#include <atomic>
#include <thread>
#include <vector>

using namespace api;

namespace {
constexpr int kThreads = 3;
constexpr int kForks = 150;
constexpr int kRounds = 200;

/// Allocates, writes, reads back and frees; what does not hold is said.
int work(weir_matrix *matrix, unsigned mark, int rounds)
{
    size_t const sizes[] = {40, 700, 5000, 70000};
    for (int i = 0; i < rounds; ++i) {
        size_t const size = sizes[(static_cast<unsigned>(i) + mark) % 4];
        weir_ref block = 0;
        void *data = nullptr;
        child_must(weir_matrix_alloc(matrix, size, nullptr, &block, &data));
        std::memset(data, static_cast<int>(mark & 0xff), size);
        auto const *const bytes = static_cast<unsigned char const *>(data);
        child_check(bytes[0] == (mark & 0xff) && bytes[size - 1] == (mark & 0xff));
        child_must(weir_matrix_free(matrix, block));
    }
    return 0;
}

/// Threads that work until the end of their scope.
class Busy {
  public:
    explicit Busy(weir_matrix *matrix)
    {
        for (unsigned i = 0; i < kThreads; ++i)
            threads_.emplace_back([this, matrix, i] {
                while (!stop_.load())
                    failed_ += work(matrix, 100 + i, 10);
            });
    }
    Busy(Busy const &) = delete;
    Busy &operator=(Busy const &) = delete;
    ~Busy() { end(); }
    int end()
    {
        stop_ = true;
        for (std::thread &thread : threads_)
            thread.join();
        threads_.clear();
        return failed_.load();
    }

  private:
    std::atomic<bool> stop_{false};
    std::atomic<int> failed_{0};
    std::vector<std::thread> threads_;
};

/// Every child's exit code is 0, and it ends in time: a lock that it copied would stop it for ever.
void all_end_well(std::vector<pid_t> const &children)
{
    for (pid_t const child : children) {
        int status = -1;
        for (int i = 0; i < 20000 && waitpid(child, &status, WNOHANG) == 0; ++i)
            sleep_ms(1);
        if (status == -1)
            kill_and_join(child);
        check_eq(status, 0, "%s", words());
    }
}

/// Its allocator has locks that a fork copies as they are; the C library frees its own in the child.
void not_with_address_sanitizer()
{
    if (API_ASAN)
        cr_skip_test(
            "a fork child of a process with threads waits for AddressSanitizer's allocator");
}
} // namespace

Test(matrix_fork_threads, a_fork_child_allocates_while_the_parents_threads_do, .timeout = 100)
{
    not_with_address_sanitizer();
    weir_matrix *const matrix = unnamed(64 * kMiB);
    Busy busy(matrix);
    for (int i = 0; i < kForks; ++i)
        all_end_well({api::start([=] { return work(matrix, static_cast<unsigned>(i), kRounds); })});
    check_eq(busy.end(), 0, "%s", words());
    must(weir_matrix_heal(matrix, nullptr));
    check_eq(stats(matrix).participants, 1);
    check_eq(check_well(matrix).used_blocks, 0);
    weir_matrix_unref(matrix);
}

/// The same while threads of the parent attach and leave, which takes every lock of the library.
Test(matrix_fork_threads, a_fork_child_works_while_the_parents_threads_attach, .timeout = 100)
{
    not_with_address_sanitizer();
    Name const name("fork-attach");
    auto wanted = options(64 * kMiB);
    wanted.participants = 64;
    weir_matrix *const matrix = create(name, wanted);
    std::atomic<bool> stop{false};
    std::atomic<int> failed{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i)
        threads.emplace_back([&] {
            while (!stop.load()) {
                weir_matrix *own = nullptr;
                failed += weir_matrix_attach(name, nullptr, &own) != 0 ? 1 : 0;
                weir_matrix_unref(own);
            }
        });
    for (int i = 0; i < kForks; ++i)
        all_end_well({api::start([&] {
            child_refuse(0, work(matrix, 7, 20));
            weir_matrix *own = nullptr;
            child_must(weir_matrix_attach(name, nullptr, &own));
            child_refuse(0, work(own, 8, 20));
            weir_matrix_unref(own);
            return 0;
        })});
    stop = true;
    for (std::thread &thread : threads)
        thread.join();
    check_eq(failed.load(), 0);
    must(weir_matrix_heal(matrix, nullptr));
    check_eq(stats(matrix).participants, 1);
    check_eq(check_well(matrix).used_blocks, 0);
    weir_matrix_unref(matrix);
}
