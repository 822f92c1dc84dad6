// SPDX-License-Identifier: MIT OR Apache-2.0
// A real file system that is too small: errors, never SIGBUS, and the program runs on.
#include "tests/api/support.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <vector>

using namespace api;

namespace {
char const *const kNeedsRoot = "only root can mount a small file system";

/// A tmpfs of a few MiB that only this process sees. In a child: the mount goes with it.
bool mount_small(char const *size)
{
    std::string const with = std::string("size=") + size;
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount("none", "/mnt", "tmpfs", 0, with.c_str()) == 0;
}

bool is_full(int code) { return code == -ENOSPC; }

/// Allocates and writes every byte until the file system says no.
int fill(weir_matrix *matrix, size_t size, std::vector<weir_ref> &into)
{
    for (;;) {
        weir_ref block;
        void *data;
        if (int const code = weir_matrix_alloc(matrix, size, nullptr, &block, &data); code < 0)
            return code;
        std::memset(data, 0xa5, size);
        into.push_back(block);
    }
}
} // namespace

Test(matrix_overcommit, a_full_file_system_is_an_error_and_never_a_signal)
{
    in_child_ok(
        [] {
            if (!mount_small("8m"))
                return kNotHere;
            weir_matrix *matrix = nullptr;
            auto const with = options(uint64_t{1} << 30);
            child_must(weir_matrix_create("/mnt/segment", &with, &matrix));
            uint64_t rounds[3];
            for (uint64_t &bytes : rounds) {
                std::vector<weir_ref> blocks;
                for (size_t const size :
                     {size_t{3} << 20, size_t{100000}, size_t{3000}, size_t{64}})
                    child_check(is_full(fill(matrix, size, blocks)));
                bytes = stats(matrix).used_bytes;
                child_check(bytes >= 5 * kMiB);
                for (weir_ref const block : blocks)
                    child_must(weir_matrix_free(matrix, block));
                weir_check_report report = WEIR_CHECK_REPORT_INIT;
                child_refuse(0, weir_matrix_check(matrix, 0, &report));
                child_check(report.used_blocks == 0);
            }
            child_check(rounds[2] >= rounds[0] / 2);
            weir_matrix_unref(matrix);
            return 0;
        },
        kNeedsRoot);
}

Test(matrix_overcommit, another_program_that_fills_the_file_system_harms_nobody)
{
    in_child_ok(
        [] {
            if (!mount_small("8m"))
                return kNotHere;
            weir_matrix *matrix = nullptr;
            auto const with = options(64 * kMiB);
            child_must(weir_matrix_create("/mnt/segment", &with, &matrix));
            std::vector<weir_ref> blocks;
            for (int i = 0; i < 1000; ++i) {
                weir_ref block;
                child_must(weir_matrix_alloc(matrix, 1000, nullptr, &block, nullptr));
                blocks.push_back(block);
            }
            int const other = open("/mnt/other", O_RDWR | O_CREAT, 0600);
            std::string const megabyte(kMiB, 'x');
            while (write(other, megabyte.data(), megabyte.size()) > 0)
                ;
            struct statvfs found;
            child_check(statvfs("/mnt", &found) == 0 && found.f_bfree == 0);
            for (weir_ref const block : blocks) { // everything we have may be touched
                void *data;
                size_t size;
                child_must(weir_matrix_data(matrix, block, &data, &size));
                std::memset(data, 1, size);
            }
            weir_matrix_info const info = stats(matrix);
            std::vector<weir_ref> more;
            child_check(is_full(fill(matrix, 64, more)));
            child_check(info.sector_committed[0] - info.sector_used[0] >= more.size() * 64 / 2);
            weir_channel *ring = nullptr;
            child_refuse(-ENOSPC, weir_channel_create(matrix, "ring", nullptr, &ring));
            child_must(weir_matrix_bind(matrix, "root", blocks[0])); // needs no memory
            weir_matrix *second = nullptr;
            child_must(weir_matrix_attach("/mnt/segment", nullptr, &second));
            weir_matrix_unref(second);
            child_check(ftruncate(other, 0) == 0); // there is room again
            child_must(weir_matrix_alloc(matrix, kMiB, nullptr, &blocks[0], nullptr));
            weir_check_report report = WEIR_CHECK_REPORT_INIT;
            child_refuse(0, weir_matrix_check(matrix, 0, &report));
            weir_matrix_unref(matrix);
            return 0;
        },
        kNeedsRoot);
}

/// What was trimmed may be gone when it is needed: then it is an error, and there again later.
Test(matrix_overcommit, a_file_system_that_is_full_after_a_trim_is_an_error_and_never_a_signal)
{
    in_child_ok(
        [] {
            if (!mount_small("16m"))
                return kNotHere;
            weir_matrix *matrix = nullptr;
            auto const with = options(64 * kMiB);
            child_must(weir_matrix_create("/mnt/segment", &with, &matrix));
            for (size_t const size : {size_t{2} << 20, size_t{100000}, size_t{1000}}) {
                std::vector<weir_ref> blocks;
                child_check(is_full(fill(matrix, size, blocks)));
                size_t const step = size < 10000 ? 512 : 16; // more than a unit between two
                for (size_t i = 0; i < blocks.size(); ++i)
                    if (i % step != 0)
                        child_must(weir_matrix_free(matrix, blocks[i]));
                struct statvfs before, after;
                child_check(statvfs("/mnt", &before) == 0);
                uint64_t bytes = 0;
                child_must(weir_matrix_trim(matrix, 0, &bytes));
                child_check(statvfs("/mnt", &after) == 0);
                child_check((after.f_bfree - before.f_bfree) * before.f_bsize == bytes);
                child_check(bytes >= kMiB);

                int const other = open("/mnt/other", O_RDWR | O_CREAT, 0600);
                std::string const megabyte(kMiB, 'x');
                while (write(other, megabyte.data(), megabyte.size()) > 0)
                    ;
                uint64_t const trimmed = stats(matrix).trimmed_bytes;
                std::vector<weir_ref> more;
                child_check(is_full(fill(matrix, size, more)));
                child_check(stats(matrix).trimmed_bytes == trimmed); // refused, and not lost
                child_check(statvfs("/mnt", &after) == 0 && after.f_bfree * 4096 < 65536);
                child_check(ftruncate(other, 0) == 0); // there is room again
                close(other);
                size_t const least = more.size() + bytes / size / 2;
                child_check(is_full(fill(matrix, size, more)) && more.size() >= least);
                for (size_t i = 0; i < blocks.size(); i += step)
                    child_must(weir_matrix_free(matrix, blocks[i]));
                for (weir_ref const block : more)
                    child_must(weir_matrix_free(matrix, block));
                child_must(weir_matrix_trim(matrix, 0, nullptr));
                weir_check_report report = WEIR_CHECK_REPORT_INIT;
                child_refuse(0, weir_matrix_check(matrix, 0, &report));
            }
            weir_matrix_unref(matrix);
            return 0;
        },
        kNeedsRoot);
}

Test(matrix_overcommit, more_commit_than_there_is_is_enospc_and_leaves_nothing)
{
    in_child_ok(
        [] {
            if (!mount_small("8m"))
                return kNotHere;
            int const fds = open_descriptors();
            struct statvfs before, after;
            child_check(statvfs("/mnt", &before) == 0);
            auto with = options(64 * kMiB);
            with.commit = 16 * kMiB;
            weir_matrix *matrix = nullptr;
            child_refuse(-ENOSPC, weir_matrix_create("/mnt/segment", &with, &matrix));
            child_refuse(-ENOSPC, weir_matrix_open("/mnt/segment", &with, &matrix));
            child_check(matrix == nullptr && open_descriptors() == fds);
            child_refuse(-ENOENT, weir_matrix_attach("/mnt/segment", nullptr, &matrix));
            child_check(statvfs("/mnt", &after) == 0 && after.f_bfree == before.f_bfree);
            with.commit = 4 * kMiB;
            child_must(weir_matrix_create("/mnt/segment", &with, &matrix));
            weir_matrix_unref(matrix);
            return 0;
        },
        kNeedsRoot);
}

Test(matrix_overcommit, a_file_system_without_room_for_the_tables_is_enospc)
{
    in_child_ok(
        [] {
            if (!mount_small("16k"))
                return kNotHere;
            weir_matrix *matrix = nullptr;
            child_refuse(-ENOSPC, weir_matrix_create("/mnt/segment", nullptr, &matrix));
            child_refuse(-ENOSPC, weir_matrix_open("/mnt/segment", nullptr, &matrix));
            child_check(access("/mnt/segment", F_OK) != 0);
            return 0;
        },
        kNeedsRoot);
}

/// Two processes want the last pages at once.
Test(matrix_overcommit, processes_that_race_for_the_last_pages_all_survive)
{
    in_child_ok(
        [] {
            if (!mount_small("8m"))
                return kNotHere;
            weir_matrix *matrix = nullptr;
            auto const with = options(64 * kMiB);
            child_must(weir_matrix_create("/mnt/segment", &with, &matrix));
            pid_t children[3];
            for (unsigned i = 0; i < 3; ++i)
                children[i] = start([=] {
                    weir_matrix *own = nullptr;
                    child_must(weir_matrix_attach("/mnt/segment", nullptr, &own));
                    for (int round = 0; round < 5; ++round) {
                        std::vector<weir_ref> blocks;
                        int const code = fill(own, 500 + 4000 * i, blocks);
                        child_check(is_full(code) || code == -ENOMEM || code == -EBUSY);
                        for (weir_ref const block : blocks)
                            child_must(weir_matrix_free(own, block));
                    }
                    return 0;
                });
            for (pid_t const child : children)
                child_refuse(0, join(child));
            must(weir_matrix_heal(matrix, nullptr));
            weir_check_report report = WEIR_CHECK_REPORT_INIT;
            child_refuse(0, weir_matrix_check(matrix, 0, &report));
            child_check(report.used_blocks == 0);
            weir_matrix_unref(matrix);
            return 0;
        },
        kNeedsRoot);
}
