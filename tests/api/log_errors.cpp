// SPDX-License-Identifier: MIT OR Apache-2.0
// What the log refuses: arguments, options, places, damage, and other processes.
#include "tests/api/log_support.hpp"

#include <sys/file.h>

using namespace api;

TestSuite(log_errors);

namespace {
/// Every function on the files of a log answers with `code`, in `folder`.
void all_say(int code, char const *folder, char const *what, bool writers = true)
{
    weir_log *log = nullptr;
    weir_log_reader *reader = nullptr;
    uint64_t lsn = 0;
    weir_log_options existing = small_log();
    existing.flags = WEIR_LOG_NO_CREATE;
    check_eq(weir_log_reader_open(folder, 0, 0, &reader), code, "reader, %s", what);
    check_eq(weir_log_cursor_load(folder, "cursor", &lsn), code, "load, %s", what);
    check_eq(weir_log_verify(folder, nullptr), code, "verify, %s", what);
    if (writers) {
        check_eq(weir_log_open(folder, &existing, &log), code, "open, %s", what);
        check_eq(weir_log_cursor_store(folder, "cursor", 1, 0), code, "store, %s", what);
        check_eq(weir_log_repair(folder, nullptr, nullptr, nullptr), code, "repair, %s", what);
    }
    cr_assert(log == nullptr && reader == nullptr);
}

void overwrite(std::string const &file, off_t offset, size_t length, char with)
{
    int const fd = open(file.c_str(), O_WRONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    std::string const bytes(length, with);
    check_eq(pwrite(fd, bytes.data(), length, offset), static_cast<ssize_t>(length));
    close(fd);
}
std::string first_segment(LogFolder const &folder)
{
    return folder.file("seg-00000000000000000000.log");
}
} // namespace

Test(log_errors, null_and_foolish_arguments_are_refused)
{
    LogFolder const folder;
    weir_log *none = nullptr;
    refuse(-EINVAL, weir_log_open(nullptr, nullptr, &none));
    refuse(-EINVAL, weir_log_open(folder, nullptr, nullptr));
    weir_log *const log = open_log(folder);
    uint64_t lsn = 0;
    void *data = nullptr;
    weir_log_part part{"x", 1, 0, 0};
    refuse(-EINVAL, weir_log_append(nullptr, "x", 1, &lsn));
    refuse(-EINVAL, weir_log_append(log, nullptr, 1, &lsn));
    refuse(-EINVAL, weir_log_try_append(nullptr, "x", 1, &lsn));
    refuse(-EINVAL, weir_log_try_append(log, nullptr, 1, &lsn));
    refuse(-EINVAL, weir_log_appendv(nullptr, &part, 1, &lsn));
    refuse(-EINVAL, weir_log_appendv(log, nullptr, 1, &lsn));
    refuse(-EINVAL, weir_log_appendv(log, &part, 0, &lsn));
    std::vector<weir_log_part> const many(1025, part);
    refuse(-EINVAL, weir_log_appendv(log, many.data(), many.size(), &lsn));
    refuse(-EINVAL, weir_log_append_batch(log, many.data(), many.size(), &lsn));
    refuse(-EINVAL, weir_log_append_batch(nullptr, &part, 1, &lsn));
    refuse(-EINVAL, weir_log_append_batch(log, &part, 0, &lsn));
    part.tag = 65536;
    refuse(-EINVAL, weir_log_appendv(log, &part, 1, &lsn));
    part = {nullptr, 1, 0, 0};
    refuse(-EINVAL, weir_log_append_batch(log, &part, 1, &lsn));
    part = {"x", 1, 0, 1};
    refuse(-EINVAL, weir_log_appendv(log, &part, 1, &lsn));
    refuse(-EINVAL, weir_log_reserve(nullptr, 1, 0, &lsn, &data));
    refuse(-EINVAL, weir_log_reserve(log, 1, 65536, &lsn, &data));
    refuse(-EINVAL, weir_log_reserve(log, 1, 0, nullptr, &data));
    refuse(-EINVAL, weir_log_reserve(log, 1, 0, &lsn, nullptr));
    refuse(-EINVAL, weir_log_commit(nullptr, 1, 1));
    refuse(-EINVAL, weir_log_abort(nullptr, 1));
    refuse(-WEIR_E_STALE, weir_log_commit(log, 12345, 1));
    refuse(-WEIR_E_STALE, weir_log_abort(log, 12345));
    refuse(-EINVAL, weir_log_wait(nullptr, 1, 0));
    refuse(-EINVAL, weir_log_sync(nullptr));
    refuse(-EINVAL, weir_log_fd(nullptr));
    refuse(-EINVAL, weir_log_truncate_before(nullptr, 1));
    refuse(-EINVAL, weir_log_stats(nullptr, nullptr));
    weir_log_info info = WEIR_LOG_INFO_INIT;
    info.size = 8;
    refuse(-EINVAL, weir_log_stats(log, &info));
    refuse(-ERANGE, weir_log_wait(log, weir_log_tail(log), 0));
    refuse(-ERANGE, weir_log_truncate_before(log, weir_log_durable(log) + 1));
    check_eq(weir_log_durable(nullptr), 0u);
    check_eq(weir_log_tail(nullptr), 0u);
    check_eq(weir_log_error(nullptr), 0u);
    cr_assert(weir_log_close(nullptr) == nullptr);
    cr_assert(weir_log_reader_close(nullptr) == nullptr);
    weir_log_reader *reader = nullptr;
    refuse(-EINVAL, weir_log_reader_open(nullptr, 0, 0, &reader));
    refuse(-EINVAL, weir_log_reader_open(folder, 0, 4, &reader));
    refuse(-EINVAL, weir_log_reader_open(folder, 0, 0, nullptr));
    reader = reader_of(folder);
    void const *bytes = nullptr;
    size_t length = 0;
    refuse(-EINVAL, weir_log_reader_next(nullptr, &bytes, &length, nullptr, nullptr));
    refuse(-EINVAL, weir_log_reader_next(reader, nullptr, &length, nullptr, nullptr));
    refuse(-EINVAL, weir_log_reader_next(reader, &bytes, nullptr, nullptr, nullptr));
    refuse(-EINVAL, weir_log_reader_wait(nullptr, 0));
    refuse(-EINVAL, weir_log_reader_seek(nullptr, 0));
    weir_log_reader_close(reader);
    refuse(-EINVAL, weir_log_cursor_store(nullptr, "x", 1, 0));
    refuse(-EINVAL, weir_log_cursor_store(folder, nullptr, 1, 0));
    refuse(-EINVAL, weir_log_cursor_store(folder, "x", 1, 2));
    refuse(-EINVAL, weir_log_cursor_load(nullptr, "x", &lsn));
    refuse(-EINVAL, weir_log_cursor_load(folder, nullptr, &lsn));
    refuse(-EINVAL, weir_log_cursor_load(folder, "x", nullptr));
    refuse(-EINVAL, weir_log_verify(nullptr, nullptr));
    weir_log_report report = WEIR_LOG_REPORT_INIT;
    report.size = 8;
    refuse(-EINVAL, weir_log_verify(folder, &report));
    refuse(-EINVAL, weir_log_repair(folder, nullptr, nullptr, &report));
    refuse(-EINVAL, weir_log_repair(nullptr, nullptr, nullptr, nullptr));
    keep(log, "still works");
    weir_log_close(log);
}

Test(log_errors, options_out_of_range_are_refused)
{
    LogFolder const folder;
    auto const with = [&folder](auto change, char const *what, int code = -EINVAL) {
        weir_log_options bad = WEIR_LOG_OPTIONS_INIT;
        change(bad);
        weir_log *log = nullptr;
        check_eq(weir_log_open(folder, &bad, &log), code, "open: %s", what);
        check_eq(weir_log_repair(folder, nullptr, &bad, nullptr), code, "repair: %s", what);
        cr_assert(log == nullptr && access(folder, F_OK) != 0);
    };
    constexpr int64_t kSecond = 1000 * kMillisecond;
    with([](auto &o) { o.flags = 32; }, "unknown flag");
    with([](auto &o) { o.flags = WEIR_LOG_NO_CREATE | WEIR_LOG_EXCLUSIVE; }, "neither");
    with([](auto &o) { o.mode = 01000; }, "mode");
    with([](auto &o) { o.recovery = 2; }, "recovery");
    with([](auto &o) { o.durability = 3; }, "durability");
    with([](auto &o) { o.sync_interval_ns = kMillisecond - 1; }, "short interval");
    with([](auto &o) { o.sync_interval_ns = 3601 * kSecond; }, "long interval");
    with([](auto &o) { o.idle_flush_ns = -2; }, "idle flush");
    with([](auto &o) { o.evidence = 2; }, "evidence");
    with([](auto &o) { o.commit_depth = 17; }, "commit depth");
    with([](auto &o) { o.idle_evidence_ns = 61 * kSecond; }, "idle evidence");
    with([](auto &o) { o.group_window_ns = -1; }, "window");
    with([](auto &o) { o.group_window_ns = 11 * kMillisecond; }, "long window");
    with([](auto &o) { o.write_depth = 8; }, "write depth not below buffers");
    with([](auto &o) { o.buffer_count = 3; }, "few buffers");
    with([](auto &o) { o.buffer_count = 6; }, "buffers, no power of two");
    with([](auto &o) { o.buffer_count = 128; }, "many buffers");
    with([](auto &o) { o.buffer_size = 32 * kKiB; }, "small buffer");
    with([](auto &o) { o.buffer_size = 96 * kKiB; }, "buffer, no power of two");
    with([](auto &o) { o.buffer_size = 32 * kMiB; }, "large buffer");
    with([](auto &o) { o.segment_size = kMiB / 2; }, "small segment");
    with([](auto &o) { o.segment_size = 3 * kMiB; }, "segment, no power of two");
    with([](auto &o) { o.segment_size = 8192 * kMiB; }, "large segment");
    with([](auto &o) { o.segment_size = kMiB, o.buffer_size = kMiB / 2; }, "buffer by segment");
    with([](auto &o) { o.max_record = (uint64_t{1} << 30) + 1; }, "record");
    with([](auto &o) { o.max_bytes = 64 * kMiB; }, "fewer than 4 segments");
    with([](auto &o) { o.retain_bytes = kMiB; }, "less than a segment");
    with([](auto &o) { o.retain_ns = kSecond - 1; }, "short age");
    with([](auto &o) { o.retain_ns = -1; }, "negative age");
    with([](auto &o) { o.spare_segments = 17; }, "spares");
    with([](auto &o) { o.prepare = 3; }, "prepare");
    with([](auto &o) { o.prepare_rate = 1000; }, "rate");
    with([](auto &o) { o.backend = 3; }, "backend");
    with([](auto &o) { o.direct = 2; }, "direct");
    with([](auto &o) { o.io_threads = 17; }, "threads");
    with([](auto &o) { o.reserved0 = 1; }, "reserved");
    with([](auto &o) { o.append_timeout_ns = -2; }, "append timeout");
    with([](auto &o) { o.stall_timeout_ns = kMillisecond; }, "stall timeout");
    with([](auto &o) { o.lock_timeout_ns = 61 * kSecond; }, "lock timeout");
    with([](auto &o) { o.lease_bytes = 4096; }, "leases", -EOPNOTSUPP);
    struct {
        weir_log_options known;
        uint64_t beyond;
    } newer = {WEIR_LOG_OPTIONS_INIT, 1};
    newer.known.size = sizeof newer;
    weir_log *log = nullptr;
    refuse(-E2BIG, weir_log_open(folder, &newer.known, &log));
    refuse(-E2BIG, weir_log_repair(folder, nullptr, &newer.known, nullptr));
    refuse(-EOPNOTSUPP, weir_log_open(
                            folder,
                            [] {
                                static weir_log_options o = WEIR_LOG_OPTIONS_INIT;
                                o.lease_bytes = 1;
                                return &o;
                            }(),
                            &log));
    refuse(-EOPNOTSUPP, weir_log_repair(
                            folder, nullptr,
                            [] {
                                static weir_log_options o = WEIR_LOG_OPTIONS_INIT;
                                o.lease_bytes = 1;
                                return &o;
                            }(),
                            nullptr));
}

// covers: weir_log_open -ENOENT -ENOTDIR -ENAMETOOLONG -ELOOP
// covers: weir_log_reader_open -ENOENT -ENOTDIR -ENAMETOOLONG -ELOOP
// covers: weir_log_cursor_load -ENOTDIR -ELOOP
// covers: weir_log_cursor_store -ENOENT -ENOTDIR -ELOOP
// covers: weir_log_verify -ENOENT -ENOTDIR -ENAMETOOLONG -ELOOP
// covers: weir_log_repair -ENOENT -ENOTDIR -ENAMETOOLONG -ELOOP
Test(log_errors, places_where_no_log_is)
{
    LogFolder const folder;
    all_say(-ENOENT, folder, "no folder");
    check_eq(mkdir(folder, 0700), 0);
    all_say(-ENOENT, folder, "empty folder");
    std::string const file = folder.beside("file");
    close(open(file.c_str(), O_CREAT | O_WRONLY, 0600));
    all_say(-ENOTDIR, file.c_str(), "a file");
    std::string const long_path = "/tmp/" + std::string(5000, 'l');
    all_say(-ENAMETOOLONG, long_path.c_str(), "long path");
    check_eq(symlink("loop", folder.beside("loop").c_str()), 0);
    all_say(-ELOOP, folder.beside("loop").c_str(), "a link to itself");
    make_log(folder);
    rename(folder.file("META").c_str(), folder.file("META.real").c_str());
    check_eq(symlink("META.real", folder.file("META").c_str()), 0);
    weir_log *log = nullptr;
    refuse(-WEIR_E_CORRUPT, weir_log_open(folder, nullptr, &log));
}

namespace {
/// Both superblocks say another version, and their sums are right.
void set_version(LogFolder const &folder, uint32_t version)
{
    int const fd = open(folder.file("META").c_str(), O_RDWR | O_CLOEXEC);
    for (off_t const at : {off_t{0}, off_t{65536}}) {
        uint8_t page[4096];
        check_eq(pread(fd, page, sizeof page, at), ssize_t{4096});
        std::memcpy(page + 8, &version, sizeof version);
        uint32_t crc = ~uint32_t{0};
        for (size_t i = 0; i < 4092; ++i) {
            crc ^= page[i];
            for (int bit = 0; bit < 8; ++bit)
                crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
        }
        crc = ~crc;
        std::memcpy(page + 4092, &crc, sizeof crc);
        check_eq(pwrite(fd, page, sizeof page, at), ssize_t{4096});
    }
    close(fd);
}
} // namespace

// covers: weir_log_open -WEIR_E_VERSION
// covers: weir_log_reader_open -WEIR_E_VERSION
// covers: weir_log_cursor_load -WEIR_E_VERSION
// covers: weir_log_cursor_store -WEIR_E_VERSION
// covers: weir_log_verify -WEIR_E_VERSION
// covers: weir_log_repair -WEIR_E_VERSION
Test(log_errors, a_log_of_another_version)
{
    LogFolder const folder;
    make_log(folder);
    weir_log_reader *const reader = reader_of(folder);
    set_version(folder, 2);
    all_say(-WEIR_E_VERSION, folder, "version 2");
    refuse(-WEIR_E_VERSION, weir_log_reader_seek(reader, 0));
    weir_log_reader_close(reader);
    set_version(folder, 1);
    check_eq(read_all(folder).size(), 1u);
}

// covers: weir_log_open -WEIR_E_CORRUPT
// covers: weir_log_reader_open -WEIR_E_CORRUPT
// covers: weir_log_cursor_load -WEIR_E_CORRUPT
// covers: weir_log_cursor_store -WEIR_E_CORRUPT
Test(log_errors, lost_superblocks_are_corrupt_and_repair_makes_new_ones)
{
    LogFolder const folder;
    make_log(folder);
    overwrite(folder.file("META"), 100, 1, 'x');
    overwrite(folder.file("META"), 65536 + 100, 1, 'x');
    weir_log *log = nullptr;
    weir_log_reader *reader = nullptr;
    uint64_t lsn = 0;
    refuse(-WEIR_E_CORRUPT, weir_log_open(folder, nullptr, &log));
    refuse(-WEIR_E_CORRUPT, weir_log_reader_open(folder, 0, 0, &reader));
    refuse(-WEIR_E_CORRUPT, weir_log_cursor_load(folder, "cursor", &lsn));
    refuse(-WEIR_E_CORRUPT, weir_log_cursor_store(folder, "cursor", 1, 0));
    check_eq(verify_log(folder, WEIR_LOG_CORRUPT).finding, uint32_t(WEIR_LOG_FOUND_META));
    weir_log_report report = WEIR_LOG_REPORT_INIT;
    check_eq(weir_log_repair(folder, nullptr, nullptr, &report), 1);
    cr_assert(report.mended & WEIR_LOG_MENDED_META);
    auto const found = read_all(folder);
    cr_assert(found.size() == 1 && found[0].text == std::string(10, 'm'));
    log = open_log(folder);
    weir_log_close(log);
    check_eq(weir_log_repair(folder, nullptr, nullptr, nullptr), 0);
}

Test(log_errors, damage_below_durable_is_told_and_nothing_is_changed)
{
    LogFolder const folder;
    weir_log *log = open_log(folder);
    uint64_t const first = keep(log, "first");
    uint64_t const second = keep(log, std::string(5000, 'd'));
    uint64_t const third = keep(log, "third");
    weir_log_close(log);
    overwrite(first_segment(folder), static_cast<off_t>(second + 100), 1, 'x');
    weir_log_report const report = verify_log(folder, WEIR_LOG_CORRUPT);
    check_eq(report.finding, uint32_t(WEIR_LOG_FOUND_DAMAGED_RECORD));
    cr_assert(report.lsn <= second && report.lsn > first);
    refuse(-WEIR_E_CORRUPT, weir_log_open(folder, nullptr, &log));
    refuse(-WEIR_E_CORRUPT, weir_log_repair(folder, nullptr, nullptr, nullptr));
    weir_log_reader *const reader = reader_of(folder);
    void const *data = nullptr;
    size_t length = 0;
    check_eq(weir_log_reader_next(reader, &data, &length, nullptr, nullptr), 1);
    for (int i = 0; i < 2; ++i) // and again
        refuse(-WEIR_E_CORRUPT, weir_log_reader_next(reader, &data, &length, nullptr, nullptr));
    weir_log_reader_close(reader);

    // What is whole behind it can be had.
    auto const salvaged = read_all(folder, 0, WEIR_READER_SALVAGE);
    check_eq(salvaged.size(), 2u);
    cr_assert(salvaged[0].lsn == first && salvaged[1].lsn == third);
    std::string const other = folder.beside("salvaged");
    weir_log_report done = WEIR_LOG_REPORT_INIT;
    check_eq(weir_log_repair(folder, other.c_str(), nullptr, &done), 1);
    cr_assert(done.gaps == 1);
    auto const copied = read_all(other.c_str());
    cr_assert(copied.size() == 2 && copied[0].text == "first" && copied[1].text == "third");
    refuse(-EEXIST, weir_log_repair(folder, other.c_str(), nullptr, nullptr));

    // Or the log may end in front of it.
    weir_log_options in_time = small_log();
    in_time.recovery = WEIR_LOG_RECOVERY_POINT_IN_TIME;
    must(weir_log_open(folder, &in_time, &log));
    keep(log, "goes on");
    weir_log_close(log);
    auto const now = read_all(folder);
    cr_assert(now.size() == 2 && now[0].text == "first" && now[1].text == "goes on");
    cr_assert(std::filesystem::exists(folder.file("quarantine")));
    verify_log(folder, WEIR_LOG_WHOLE);
}

Test(log_errors, a_log_that_is_there_or_not_as_asked)
{
    LogFolder const folder;
    weir_log *log = nullptr;
    weir_log_options options = small_log();
    options.flags = WEIR_LOG_NO_CREATE;
    refuse(-ENOENT, weir_log_open(folder, &options, &log));
    options.flags = WEIR_LOG_READ_ONLY;
    refuse(-ENOENT, weir_log_open(folder, &options, &log));
    options.flags = WEIR_LOG_EXCLUSIVE;
    must(weir_log_open(folder, &options, &log));
    keep(log, "x");
    weir_log_close(log);
    refuse(-EEXIST, weir_log_open(folder, &options, &log));
    options.flags = 0;
    options.segment_size = 2 * kMiB;
    refuse(-EINVAL, weir_log_open(folder, &options, &log));
    options.segment_size = 0;
    must(weir_log_open(folder, &options, &log));
    weir_log_close(log);
}

Test(log_errors, one_process_at_a_time)
{
    LogFolder const folder;
    make_log(folder);
    Gate ready, go;
    pid_t const child = start([&] {
        weir_log *log = nullptr;
        weir_log_options const options = small_log();
        child_must(weir_log_open(folder, &options, &log));
        ready.open();
        go.pass();
        return 0;
    });
    ready.pass();
    weir_log *log = nullptr;
    weir_log_options options = small_log();
    options.lock_timeout_ns = kMillisecond;
    refuse(-EBUSY, weir_log_open(folder, &options, &log));
    refuse(-EBUSY, weir_log_repair(folder, nullptr, &options, nullptr));
    kill_and_join(child);
    must(weir_log_open(folder, nullptr, &log));
    refuse(-EBUSY, weir_log_open(folder, &options, &log)); // nor a second time in one process
    weir_log_close(log);
}

Test(log_errors, a_fork_child_is_told)
{
    LogFolder const folder;
    weir_log *const log = open_log(folder);
    uint64_t const kept = keep(log, "parent");
    pid_t const child = start([&] {
        uint64_t lsn = 0;
        void *data = nullptr;
        weir_log_part const part{"x", 1, 0, 0};
        weir_log_info info = WEIR_LOG_INFO_INIT;
        child_refuse(-WEIR_E_FORKED, weir_log_append(log, "x", 1, &lsn));
        child_refuse(-WEIR_E_FORKED, weir_log_try_append(log, "x", 1, &lsn));
        child_refuse(-WEIR_E_FORKED, weir_log_appendv(log, &part, 1, &lsn));
        child_refuse(-WEIR_E_FORKED, weir_log_append_batch(log, &part, 1, &lsn));
        child_refuse(-WEIR_E_FORKED, weir_log_reserve(log, 1, 0, &lsn, &data));
        child_refuse(-WEIR_E_FORKED, weir_log_commit(log, kept, 1));
        child_refuse(-WEIR_E_FORKED, weir_log_abort(log, kept));
        child_refuse(-WEIR_E_FORKED, weir_log_wait(log, kept, 0));
        child_refuse(-WEIR_E_FORKED, weir_log_sync(log));
        child_refuse(-WEIR_E_FORKED, weir_log_fd(log));
        child_refuse(-WEIR_E_FORKED, weir_log_truncate_before(log, 0));
        child_refuse(-WEIR_E_FORKED, weir_log_stats(log, &info));
        weir_log_close(log);
        return 0;
    });
    int const code = join(child);
    if (code != 0)
        cr_assert_fail("the child ended with %d: %s", code, words());
    keep(log, "parent again");
    weir_log *other = nullptr;
    weir_log_options options = WEIR_LOG_OPTIONS_INIT;
    options.lock_timeout_ns = kMillisecond;
    refuse(-EBUSY, weir_log_open(folder, &options, &other)); // its locks are still its own
    weir_log_close(log);
    check_eq(read_all(folder).size(), 2u);
}

Test(log_errors, a_dead_parent_s_child_does_not_keep_the_log)
{
    LogFolder const folder;
    make_log(folder);
    Gate forked, hold;
    pid_t const parent = start([&] {
        weir_log *log = nullptr;
        child_must(weir_log_open(folder, nullptr, &log));
        if (fork() == 0) {
            forked.open();
            hold.pass();
            _exit(0);
        }
        pause();
        return 0;
    });
    forked.pass();
    kill_and_join(parent);
    weir_log *log = nullptr;
    must(weir_log_open(folder, nullptr, &log));
    weir_log_close(log);
    hold.open();
}
