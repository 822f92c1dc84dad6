// SPDX-License-Identifier: MIT OR Apache-2.0
// Files that are no segments, or lie about themselves: attach refuses, nothing is mapped or kept.
#include "tests/api/support.hpp"

#include <vector>

using namespace api;

namespace {
/// Tries all three ways to attach; each must give `code` and leave nothing behind.
void all_refuse(char const *path, int code, char const *what)
{
    int const fds = open_descriptors();
    weir_matrix *made = nullptr;
    check_eq(weir_matrix_attach(path, nullptr, &made), code, "attach: %s", what);
    check_eq(weir_matrix_open(path, nullptr, &made), code, "open: %s", what);
    int const fd = open(path, O_RDWR | O_CLOEXEC);
    check_ge(fd, 0);
    check_eq(weir_matrix_attach_fd(fd, nullptr, &made), code, "attach_fd: %s", what);
    close(fd);
    cr_assert_null(made);
    check_eq(open_descriptors(), fds, "%s", what);
    check_eq(mappings_of(path), 0, "%s", what);
}

/// A copy of a real segment's beginning in a file of its own, to be damaged.
class Copy {
  public:
    explicit Copy(char const *test) : path_("/dev/shm/" + unit::unique_name(test))
    {
        weir_matrix *const matrix = unnamed();
        fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        check_ge(fd_, 0);
        struct stat found;
        check_eq(fstat(weir_matrix_fd(matrix), &found), 0);
        length_ = found.st_size;
        bytes_.resize(256 * 1024);
        check_eq(pread(weir_matrix_fd(matrix), bytes_.data(), bytes_.size(), 0), bytes_.size());
        weir_matrix_unref(matrix);
        restore();
    }
    Copy(Copy const &) = delete;
    Copy &operator=(Copy const &) = delete;
    ~Copy()
    {
        close(fd_);
        unlink(path_.c_str());
    }
    void restore()
    {
        check_eq(ftruncate(fd_, length_), 0);
        check_eq(pwrite(fd_, bytes_.data(), bytes_.size(), 0), bytes_.size());
    }
    void write(size_t offset, void const *bytes, size_t length)
    {
        check_eq(pwrite(fd_, bytes, length, static_cast<off_t>(offset)), length);
    }
    void flip(size_t offset, unsigned bit)
    {
        auto const byte = static_cast<char>(bytes_[offset] ^ (1u << bit));
        write(offset, &byte, 1);
    }
    void mend(size_t offset) { write(offset, &bytes_[offset], 1); }
    void truncate(off_t length) { check_eq(ftruncate(fd_, length), 0); }
    char const *path() const { return path_.c_str(); }
    off_t length() const { return length_; }
    int fd() const { return fd_; }

  private:
    std::string path_;
    int fd_ = -1;
    off_t length_ = 0;
    std::vector<char> bytes_;
};

void still_attaches(Copy const &copy)
{
    weir_matrix *const matrix = attach(copy.path());
    NothingLost(matrix).verify();
    weir_matrix_unref(matrix);
}
} // namespace

Test(matrix_files, an_undamaged_copy_attaches)
{
    Copy copy("api-undamaged");
    still_attaches(copy);
}

Test(matrix_files, wrong_magic_is_corrupt)
{
    Copy copy("api-magic");
    copy.write(0, "NOTWEIR\n", 8);
    all_refuse(copy.path(), -WEIR_E_CORRUPT, "another magic");
    copy.write(0, "\0\0\0\0\0\0\0\0", 8);
    all_refuse(copy.path(), -WEIR_E_CORRUPT, "no magic");
    copy.restore();
    still_attaches(copy);
}

// covers: weir_matrix_attach -WEIR_E_VERSION -WEIR_E_CORRUPT
// covers: weir_matrix_open -WEIR_E_VERSION -WEIR_E_CORRUPT
// covers: weir_matrix_attach_fd -WEIR_E_VERSION -WEIR_E_CORRUPT
Test(matrix_files, another_format_version_or_unknown_features_are_version)
{
    Copy copy("api-version");
    for (uint32_t const version : {0u, 2u, 0x80000001u, UINT32_MAX}) {
        copy.write(8, &version, sizeof version);
        all_refuse(copy.path(), -WEIR_E_VERSION, "another version");
    }
    for (size_t const offset : {size_t{16}, size_t{24}}) {
        copy.restore();
        uint64_t const feature = uint64_t{1} << 63;
        copy.write(offset, &feature, sizeof feature);
        all_refuse(copy.path(), -WEIR_E_VERSION, "an unknown feature");
    }
    copy.restore();
    uint64_t const compatible = UINT64_MAX;
    copy.write(32, &compatible, sizeof compatible);
    still_attaches(copy);
}

Test(matrix_files, a_truncated_file_is_corrupt)
{
    Copy copy("api-truncated");
    off_t const cuts[] = {
        0, 1, 8, 511, 512, 959, 960, 1023, 4095, 4096, 65536, copy.length() / 2, copy.length() - 1};
    for (off_t const cut : cuts) {
        copy.truncate(cut);
        all_refuse(copy.path(), -WEIR_E_CORRUPT, "truncated");
    }
    copy.restore();
    still_attaches(copy);
}

Test(matrix_files, text_and_noise_are_corrupt)
{
    Copy copy("api-noise");
    unit::Random random(4711);
    for (int round = 0; round < 20; ++round) {
        uint64_t noise[512];
        for (uint64_t &word : noise)
            word = random.next();
        copy.write(0, noise, sizeof noise);
        all_refuse(copy.path(), -WEIR_E_CORRUPT, "noise");
    }
    std::string const text(8192, 'x');
    copy.write(0, text.data(), text.size());
    all_refuse(copy.path(), -WEIR_E_CORRUPT, "text");
}

/// Every bit of the constant part of the header but those that describe nothing: `compat`, the
/// uuid, the date, and the two policies, which may be either.
Test(matrix_files, no_bit_of_the_geometry_can_lie)
{
    Copy copy("api-geometry");
    int refused = 0;
    for (size_t offset = 0; offset < 512; ++offset) {
        bool const free = (offset >= 32 && offset < 40) || (offset >= 48 && offset < 64) ||
                          (offset >= 120 && offset < 128);
        if (free)
            continue;
        for (unsigned bit = 0; bit < 8; ++bit) {
            if ((offset == 112 || offset == 116) && bit == 0)
                continue; // isolate, keep
            copy.flip(offset, bit);
            weir_matrix *made = nullptr;
            int const code = weir_matrix_attach(copy.path(), nullptr, &made);
            int const expected = offset >= 8 && offset < 32 && (offset < 12 || offset >= 16)
                                     ? -WEIR_E_VERSION
                                     : -WEIR_E_CORRUPT;
            check_eq(code, expected, "byte %zu bit %u", offset, bit);
            ++refused;
        }
        copy.mend(offset);
    }
    check_eq(refused, (512 - 32) * 8 - 2);
    still_attaches(copy);
}

Test(matrix_files, no_number_of_the_geometry_can_be_extreme)
{
    Copy copy("api-extreme");
    uint64_t const extremes[] = {0, 1, UINT64_MAX, uint64_t{1} << 63, uint64_t{1} << 43, 4096};
    for (size_t offset = 40; offset < 512; offset += 8) {
        if ((offset >= 48 && offset < 64) || offset == 112 || offset == 120)
            continue;
        for (uint64_t const value : extremes) {
            uint64_t before;
            check_eq(pread(copy.fd(), &before, 8, static_cast<off_t>(offset)), 8);
            if (before == value)
                continue;
            copy.write(offset, &value, sizeof value);
            weir_matrix *made = nullptr;
            check_eq(weir_matrix_attach(copy.path(), nullptr, &made), -WEIR_E_CORRUPT,
                     "offset %zu value %llx", offset, static_cast<unsigned long long>(value));
            copy.write(offset, &before, sizeof before);
        }
    }
    still_attaches(copy);
}

/// A header that agrees with itself, in front of a file that is too short for it.
Test(matrix_files, a_header_that_promises_more_than_the_file_is_corrupt)
{
    Copy copy("api-promise");
    weir_matrix *const large = unnamed(uint64_t{1} << 40);
    char header[960];
    check_eq(pread(weir_matrix_fd(large), header, sizeof header, 0), sizeof header);
    weir_matrix_unref(large);
    copy.write(0, header, sizeof header);
    all_refuse(copy.path(), -WEIR_E_CORRUPT, "promises");
}

Test(matrix_files, an_unknown_state_is_corrupt_and_retired_is_retired)
{
    Copy copy("api-state");
    for (uint32_t const state : {0u, 3u, UINT32_MAX}) {
        copy.write(Raw::kState, &state, sizeof state);
        all_refuse(copy.path(), -WEIR_E_CORRUPT, "state");
    }
    uint32_t const retired = 2;
    copy.write(Raw::kState, &retired, sizeof retired);
    weir_matrix *made = nullptr;
    refuse(-WEIR_E_RETIRED, weir_matrix_attach(copy.path(), nullptr, &made));
    refuse(-WEIR_E_RETIRED, weir_matrix_attach_fd(copy.fd(), nullptr, &made));
    if (geteuid() != 0)
        cr_skip_test("only root can make a file whose name others cannot remove");
    check_eq(fchmod(copy.fd(), 0666), 0);
    in_child_ok([&copy] {
        weir_matrix *none = nullptr;
        child_check(setresuid(kNobody, kNobody, kNobody) == 0);
        child_refuse(-WEIR_E_RETIRED, weir_matrix_open(copy.path(), nullptr, &none));
        child_refuse(-EEXIST, weir_matrix_create(copy.path(), nullptr, &none));
        return 0;
    });
}

// covers: weir_matrix_attach -EPERM
// covers: weir_matrix_open -EPERM
// covers: weir_matrix_attach_fd -EPERM
Test(matrix_files, the_file_of_another_user_is_refused_unless_allowed)
{
    if (geteuid() != 0)
        cr_skip_test("only root can give a file away");
    Copy copy("api-foreign");
    check_eq(fchown(copy.fd(), 12345, 12345), 0);
    all_refuse(copy.path(), -EPERM, "foreign");
    auto allowing = options();
    allowing.flags = WEIR_MATRIX_ALLOW_FOREIGN;
    weir_matrix *made = nullptr;
    must(weir_matrix_attach(copy.path(), &allowing, &made));
    NothingLost(made).verify();
    weir_matrix_unref(made);
}

Test(matrix_files, descriptors_that_are_none_are_refused)
{
    weir_matrix *made = nullptr;
    refuse(-EBADF, weir_matrix_attach_fd(-1, nullptr, &made));
    refuse(-EBADF, weir_matrix_attach_fd(INT32_MIN, nullptr, &made));
    refuse(-EBADF, weir_matrix_attach_fd(1000, nullptr, &made));
    int pipes[2];
    check_eq(pipe(pipes), 0);
    refuse(-WEIR_E_CORRUPT, weir_matrix_attach_fd(pipes[0], nullptr, &made));
    int const folder = open("/", O_RDONLY | O_DIRECTORY);
    refuse(-WEIR_E_CORRUPT, weir_matrix_attach_fd(folder, nullptr, &made));
    cr_assert_null(made);
}

Test(matrix_files, a_descriptor_of_a_segment_attaches_and_stays_the_callers)
{
    weir_matrix *const first = unnamed();
    int const fds = open_descriptors();
    weir_matrix *second = nullptr;
    must(weir_matrix_attach_fd(weir_matrix_fd(first), nullptr, &second));
    check_ne(weir_matrix_fd(second), weir_matrix_fd(first));
    weir_uuid a, b;
    must(weir_matrix_uuid(first, &a));
    must(weir_matrix_uuid(second, &b));
    cr_assert_arr_eq(a.value, b.value, sizeof a.value);
    check_eq(a.value[6] >> 4, 4);
    check_eq(a.value[8] >> 6, 2);
    weir_matrix_unref(second);
    check_eq(open_descriptors(), fds);
    check_ge(fcntl(weir_matrix_fd(first), F_GETFD), 0);
    weir_matrix_unref(first);
}
