// SPDX-License-Identifier: MIT OR Apache-2.0
// The floors that the figures of weir log bench are compared with.
#include "log_floor.hpp"

#include "../error.hpp"
#include "../output.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tool::bench {
namespace {
constexpr std::uint32_t kPolynomial = 0x82f63b78; // reflected

constexpr std::uint32_t times_x(std::uint32_t value)
{
    return value >> 1 ^ ((value & 1) != 0 ? kPolynomial : 0);
}

std::array<std::uint32_t, 256> make_table()
{
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int i = 0; i < 8; ++i)
            crc = times_x(crc);
        table[byte] = crc;
    }
    return table;
}

std::uint32_t by_table(std::uint32_t state, unsigned char const *from, std::size_t length)
{
    static auto const table = make_table();
    for (; length != 0; --length, ++from)
        state = state >> 8 ^ table[(state ^ *from) & 0xff];
    return state;
}

#if defined(__x86_64__)
#define WITH_CRC __attribute__((target("sse4.2,pclmul")))
constexpr std::size_t kMostWords = 256; // of a lane
constexpr std::size_t kShortest = 128;  // for three lanes

/// of[w] is x^(64 w - 33): what moves a register over w words, if a step of zero follows.
struct Powers {
    std::array<std::uint32_t, 2 * kMostWords + 1> of{};
    Powers()
    {
        std::uint32_t value = 0x80000000; // x^0
        for (int i = 0; i < 31; ++i)
            value = times_x(value);
        for (std::size_t words = 1; words < of.size(); ++words) {
            of[words] = value;
            for (int i = 0; i < 64; ++i)
                value = times_x(value);
        }
    }
};

WITH_CRC std::uint64_t product(std::uint32_t a, std::uint32_t b)
{
    return static_cast<std::uint64_t>(
        _mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(a)),
                                               _mm_cvtsi64_si128(static_cast<long long>(b)), 0)));
}

WITH_CRC inline std::uint64_t step(std::uint64_t state, unsigned char const *from)
{
    std::uint64_t value;
    std::memcpy(&value, from, sizeof value);
    return _mm_crc32_u64(state, value);
}

WITH_CRC std::uint32_t by_lanes(std::uint32_t begin, unsigned char const *from, std::size_t length)
{
    static Powers const powers;
    std::uint64_t state = begin;
    while (length >= kShortest) {
        std::size_t const words = length / 24 < kMostWords ? length / 24 : kMostWords;
        std::size_t const lane = words * 8;
        std::uint64_t second = 0, third = 0;
        for (std::size_t i = 0; i < lane; i += 8) {
            state = step(state, from + i);
            second = step(second, from + lane + i);
            third = step(third, from + 2 * lane + i);
        }
        std::uint64_t const moved =
            product(static_cast<std::uint32_t>(state), powers.of[2 * words]) ^
            product(static_cast<std::uint32_t>(second), powers.of[words]);
        state = _mm_crc32_u64(0, moved) ^ third;
        from += 3 * lane;
        length -= 3 * lane;
    }
    for (; length >= 8; length -= 8, from += 8)
        state = step(state, from);
    for (; length != 0; --length, ++from)
        state = _mm_crc32_u8(static_cast<std::uint32_t>(state), *from);
    return static_cast<std::uint32_t>(state);
}

bool has_instruction()
{
    static bool const has =
        __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("pclmul") != 0;
    return has;
}
#endif

constexpr std::size_t kPage = 4096;
constexpr std::size_t kHugePage = 2 << 20;
constexpr std::size_t kFirstWrite = 1 << 20;

std::string failed(char const *what, std::string const &path)
{
    return std::string("cannot ") + what + " " + printable(path);
}
} // namespace

std::uint32_t copy_and_sum(void *to, void const *from, std::size_t length)
{
    std::memcpy(to, from, length);
    auto const *const bytes = static_cast<unsigned char const *>(from);
#if defined(__x86_64__)
    if (has_instruction())
        return ~by_lanes(~0u, bytes, length);
#endif
    return ~by_table(~0u, bytes, length);
}

std::uint32_t sum_bit_by_bit(void const *from, std::size_t length)
{
    auto const *const bytes = static_cast<unsigned char const *>(from);
    std::uint32_t state = ~0u;
    for (std::size_t i = 0; i < length; ++i) {
        state ^= bytes[i];
        for (int bit = 0; bit < 8; ++bit)
            state = times_x(state);
    }
    return ~state;
}

Pages::Pages(std::size_t bytes)
{
    std::size_t const unit = bytes >= kHugePage ? kHugePage : kPage;
    std::size_t const size = (bytes + unit - 1) / unit * unit;
    bytes_.reset(static_cast<unsigned char *>(std::aligned_alloc(unit, size)));
    if (!bytes_)
        throw Failure("no memory");
    if (unit == kHugePage)
        madvise(bytes_.get(), size, MADV_HUGEPAGE); // as the ring asks; without, it is slower
    std::memset(bytes_.get(), 1, size);             // page faults are not what is measured
}

void Pages::Free::operator()(unsigned char *bytes) const { std::free(bytes); }

BareFile::BareFile(std::string const &path, std::uint64_t bytes)
    : path_(path), size_((bytes + kFirstWrite - 1) / kFirstWrite * kFirstWrite)
{
    int const flags = O_RDWR | O_CREAT | O_CLOEXEC;
    fd_ = open(path.c_str(), flags | O_DIRECT, 0600);
    direct_ = fd_ >= 0;
    if (fd_ < 0)
        fd_ = open(path.c_str(), flags, 0600);
    if (fd_ < 0)
        fail_errno(failed("make", path));
    try {
        Pages const pages(kFirstWrite);
        if (int const code = posix_fallocate(fd_, 0, static_cast<off_t>(size_)); code != 0)
            throw Failure(failed("make room for", path) + ": " + error_text(-code));
        for (std::uint64_t at = 0; at < size_; at += kFirstWrite)
            write(at, pages.data(), kFirstWrite, false);
        sync();
    } catch (...) {
        close(fd_);
        unlink(path.c_str());
        throw;
    }
}

BareFile::~BareFile()
{
    close(fd_);
    unlink(path_.c_str());
}

void BareFile::write(std::uint64_t offset, void const *data, std::size_t length, bool durable) const
{
    iovec const piece{const_cast<void *>(data), length};
    ssize_t const done =
        pwritev2(fd_, &piece, 1, static_cast<off_t>(offset), durable ? RWF_DSYNC : 0);
    if (done < 0)
        fail_errno(failed("write", path_));
    if (static_cast<std::size_t>(done) != length)
        throw Failure(failed("write all of", path_));
}

void BareFile::read(std::uint64_t offset, void *data, std::size_t length) const
{
    ssize_t const done = pread(fd_, data, length, static_cast<off_t>(offset));
    if (done < 0)
        fail_errno(failed("read", path_));
    if (static_cast<std::size_t>(done) != length)
        throw Failure(failed("read all of", path_));
}

void BareFile::sync() const
{
    if (fdatasync(fd_) != 0)
        fail_errno(failed("flush", path_));
}

Scratch::Scratch(std::string const &parent)
    : folder_((parent.empty() ? "." : parent) + "/weir-log-bench-XXXXXX")
{
    if (mkdtemp(folder_.data()) == nullptr)
        fail_errno("cannot make a folder in " + printable(parent.empty() ? "." : parent));
}

Scratch::~Scratch()
{
    std::error_code ignored; // a folder that stays is no reason to end
    std::filesystem::remove_all(folder_, ignored);
}

} // namespace tool::bench
