// SPDX-License-Identifier: MIT OR Apache-2.0
// Handles when process memory runs out: the right code, and nothing left behind.
#include "core/base/alloc.hpp"
#include "core/matrix/lane_hot.hpp"
#include "tests/unit/matrix_support.hpp"

#include <dirent.h>

#include <cstring>

using namespace unit;

namespace {
unsigned entries_in(char const *path, std::string const &part)
{
    DIR *const folder = opendir(path);
    unsigned count = 0;
    while (dirent const *const entry = readdir(folder))
        count += std::strstr(entry->d_name, part.c_str()) != nullptr ? 1 : 0;
    closedir(folder);
    return count;
}

/// Descriptors, and mappings of segments.
unsigned resources()
{
    unsigned count = entries_in("/proc/self/fd", "");
    std::FILE *const maps = std::fopen("/proc/self/maps", "r");
    char line[512];
    while (std::fgets(line, sizeof line, maps) != nullptr)
        count += std::strstr(line, "weir") != nullptr && std::strstr(line, " rw-s ") != nullptr;
    std::fclose(maps);
    return count;
}

/// Lets the first, the second … allocation of `attempt` fail until it succeeds without a failure.
/// Returns how many failures there were.
template <class Attempt, class Clean> unsigned each_failure(Attempt attempt, Clean clean)
{
    for (unsigned n = 0;; ++n) {
        unsigned const before = resources();
        fail_allocation_after(static_cast<int>(n));
        int const code = attempt();
        fail_allocation_after(-1);
        if (code == 0)
            return n;
        check_eq(code, -ENOMEM, "allocation %u", n);
        clean();
        check_eq(resources(), before, "allocation %u leaked", n);
        check_lt(n, 20);
    }
}
} // namespace

Test(matrix_handle, no_block_reaches_beyond_what_the_handle_knows)
{
    Handle const maker = make_matrix(4 * kMiB);
    Handle const other = second_handle(*maker); // before there is a block
    Ref ref;
    for (int i = 0; i < 64; ++i)
        ref = alloc(*maker, 5000).ref;
    Place here;
    cr_assert(maker->find_quickly(ref, here, acquire));
    BlockWord word = here.word;
    BlockWord const scribbled{word.raw | BlockWord::kGranulesMask};
    cr_assert(here.sector->change(here.head, word, scribbled));
    cr_assert(!maker->is_at(ref, here, acquire));
    // A handle that knows of less than that: as if another of its threads had made the known limit
    // smaller since the place was found.
    cr_assert(!other->place_of(ref, here));
    cr_assert(!other->is_at(ref, here, acquire));
}

Test(matrix_handle, creation_survives_each_failed_allocation)
{
    std::string const name = unique_name("no-memory");
    for (char const *const as : {static_cast<char const *>(nullptr), name.c_str()}) {
        unsigned const before = resources();
        unsigned const failures = each_failure(
            [&] {
                Handle const made(Matrix::create(as, options_for(kMiB)));
                return made.code();
            },
            [&] { check_eq(entries_in("/dev/shm", name), 0); });
        check_eq(failures, as == nullptr ? 1 : 2);
        check_eq(resources(), before);
    }
    check_eq(Matrix::unlink(name.c_str()).code, 0);
}

Test(matrix_handle, attaching_survives_each_failed_allocation)
{
    std::string const name = unique_name("no-memory-attach");
    Handle const made(Matrix::create(name.c_str(), options_for(kMiB)));
    check_eq(made.code(), 0);
    for (bool by_name : {false, true}) {
        unsigned const failures = each_failure(
            [&] {
                Handle const other(by_name ? Matrix::attach(name.c_str(), options_for(kMiB))
                                           : Matrix::attach_fd(made->fd(), options_for(kMiB)));
                return other.code();
            },
            [] {});
        check_eq(failures, by_name ? 2 : 1);
    }
    check_eq(each_failure(
                 [&] {
                     Handle const other(Matrix::open(name.c_str(), options_for(kMiB)));
                     return other.code();
                 },
                 [] {}),
             2);
    MatrixStats stats;
    check_eq(made->stats(stats).code, 0);
    check_eq(stats.participants, 1, "a slot was not given back");
    check_eq(made->retire().code, 0);
}

Test(matrix_handle, a_check_survives_each_failed_allocation)
{
    MatrixOptions options = options_for(16 * kMiB);
    options.geometry.roots = 700;
    Handle const matrix = make_matrix(options);
    for (int i = 0; i < 600; ++i) // more than the first array of refs has room for
        check_eq(matrix->bind(("n" + std::to_string(i)).c_str(), alloc(*matrix, 64).ref).code, 0);
    CheckReport report;
    check_eq(each_failure([&] { return matrix->check(false, report).code; }, [] {}), 3);
    check_eq(report.orphans, 0);
}

/// A channel that could not be handed out must not keep its name, or the next attempt finds EEXIST.
Test(channel_handle, creation_survives_each_failed_allocation)
{
    Handle const matrix = make_matrix(4 * kMiB);
    unsigned const failures = each_failure(
        [&] {
            auto const made = Channel::create(*matrix, "channel", {});
            if (made.ok())
                (*made)->unref();
            return made.status().code;
        },
        [&] {
            MatrixStats stats;
            check_eq(matrix->stats(stats).code, 0);
            check_eq(stats.used_blocks, 0, "the channel's block was left behind");
        });
    check_eq(failures, 1);
}

Test(channel_handle, attaching_and_subscribing_survive_each_failed_allocation)
{
    Handle const matrix = make_matrix(4 * kMiB);
    Handle const other = second_handle(*matrix);
    auto const made = Channel::create(*matrix, "channel", {});
    check_eq(made.status().code, 0);
    for (bool opens : {false, true})
        check_eq(each_failure(
                     [&] {
                         auto const got = opens ? Channel::open(*other, "channel", {})
                                                : Channel::attach(*other, "channel", {});
                         if (got.ok())
                             (*got)->unref();
                         return got.status().code;
                     },
                     [] {}),
                 1);
    check_eq(each_failure(
                 [&] {
                     auto const reader = (*made)->subscribe();
                     if (reader.ok())
                         (*reader)->close();
                     return reader.status().code;
                 },
                 [] {}),
             2); // the handle, and what it has in its hand
    check_eq((*made)->retire().code, 0);
    (*made)->unref();
    assert_all_free(*matrix); // nobody has a mark in the directory any more
}

Test(matrix_handle, a_retired_matrix_refuses_work)
{
    Handle const matrix = make_matrix(kMiB);
    Handle const other = second_handle(*matrix);
    Ref const block = alloc(*matrix, 64).ref;
    check_eq(matrix->retire().code, 0);
    check_eq(other->retire().code, -kRetired);
    Allocation made;
    HealReport report;
    check_eq(other->alloc(64, made).code, -kRetired);
    check_eq(other->free(block).code, -kRetired);
    check_eq(other->bind("x", block).code, -kRetired);
    check_eq(other->lookup("x").status().code, -kRetired);
    check_eq(other->heal(report).code, -kRetired);
    check_eq(Matrix::attach_fd(matrix->fd(), options_for(kMiB)).status().code, -kRetired);
}

Test(matrix_handle, names_and_files_are_checked)
{
    MatrixOptions const options = options_for(kMiB);
    auto const code = [&](char const *name) {
        Handle const made(Matrix::create(name, options));
        return made.code();
    };
    check_eq(code(""), -EINVAL);
    check_eq(code("a/b"), -EINVAL);
    check_eq(code("/dev/shm/"), -EINVAL);
    check_eq(code("new\nline"), -EINVAL);
    check_eq(code(std::string(300, 'x').c_str()), -ENAMETOOLONG);
    check_eq(code("/nowhere/at/all"), -ENOENT);
    std::string const name = unique_name("there-already");
    Handle const made(Matrix::create(name.c_str(), options));
    check_eq(made.code(), 0);
    check_eq(code(name.c_str()), -EEXIST);
    check_eq(Matrix::unlink(name.c_str()).code, 0);
    check_eq(Matrix::unlink(name.c_str()).code, -ENOENT);
    check_eq(Matrix::attach(name.c_str(), options).status().code, -ENOENT);
    check_eq(Matrix::attach("/dev/null", options).status().code, -kCorrupt);
    check_eq(Matrix::attach("/dev/shm", options).status().code, -kCorrupt);
    check_eq(Matrix::attach_fd(-1, options).status().code, -EBADF);
}

/// Every bit of the constant part of the header counts: a flip is noticed, or changes nothing.
Test(matrix_handle, a_damaged_header_is_refused, .timeout = 60)
{
    Handle const matrix = make_matrix(kMiB);
    auto *const bytes = reinterpret_cast<unsigned char *>(matrix->segment().base());
    unsigned accepted = 0;
    for (size_t at = 0; at < 512; ++at)
        for (unsigned bit = 0; bit < 8; ++bit) {
            bytes[at] = static_cast<unsigned char>(bytes[at] ^ 1u << bit);
            Handle const other(Matrix::attach_fd(matrix->fd(), options_for(kMiB)));
            cr_assert(other.code() == 0 || other.code() == -kCorrupt || other.code() == -kVersion,
                      "byte %zu bit %u: %d", at, bit, other.code());
            accepted += other ? 1 : 0;
            bytes[at] = static_cast<unsigned char>(bytes[at] ^ 1u << bit);
        }
    // uuid, compat, the time of creation; isolate and keep_blocks, whose other value is as good
    check_eq(accepted, 8 * (16 + 8 + 8) + 2);
    assert_all_free(*matrix);
}
