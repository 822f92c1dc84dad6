// SPDX-License-Identifier: MIT OR Apache-2.0
// How much memory a mapping uses, as the kernel tells in /proc/self/smaps.
#include "core/base/bits.hpp"
#include "core/base/cancel.hpp"
#include "core/segment/backing.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace weir {
namespace {
/// The lines of a file, one after the other; what is longer than the buffer is cut.
class Lines {
  public:
    explicit Lines(char const *path) noexcept : fd_(::open(path, O_RDONLY | O_CLOEXEC)) {}
    Lines(Lines const &) = delete;
    Lines &operator=(Lines const &) = delete;
    ~Lines()
    {
        if (fd_ >= 0)
            ::close(fd_);
    }

    bool next() noexcept
    {
        size_t length = 0;
        for (char c; get(c) && c != '\n';)
            if (length < sizeof line_ - 1)
                line_[length++] = c;
        line_[length] = '\0';
        return length != 0; // smaps has no empty lines
    }
    char const *line() const noexcept { return line_; }

  private:
    bool get(char &ret) noexcept
    {
        if (at_ == end_) {
            ssize_t const got = fd_ < 0 ? 0 : ::read(fd_, buffer_, sizeof buffer_);
            if (got <= 0)
                return false;
            at_ = 0;
            end_ = static_cast<size_t>(got);
        }
        ret = buffer_[at_++];
        return true;
    }

    int fd_;
    size_t at_ = 0;
    size_t end_ = 0;
    char line_[128];
    char buffer_[4096];
};

uint64_t number(char const *&at, unsigned base) noexcept
{
    uint64_t value = 0;
    for (;; ++at) {
        unsigned const digit = *at >= '0' && *at <= '9'   ? static_cast<unsigned>(*at - '0')
                               : *at >= 'a' && *at <= 'f' ? static_cast<unsigned>(*at - 'a' + 10)
                                                          : base;
        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}

/// The value of a line `NAME:   N kB` in bytes; 0 if it is another line.
uint64_t field(char const *line, char const *name) noexcept
{
    size_t const length = std::strlen(name);
    if (std::strncmp(line, name, length) != 0 || line[length] != ':')
        return 0;
    char const *at = line + length + 1;
    while (*at == ' ')
        ++at;
    return number(at, 10) * 1024;
}

/// Whether a line begins a mapping, as in `7f00a000-7f00b000 rw-s …`, and that is inside ours.
bool begins_mapping(char const *line, uint64_t from, uint64_t to, bool &ret_inside) noexcept
{
    if (*line >= 'A' && *line <= 'Z')
        return false;
    uint64_t const begin = number(line, 16);
    if (*line++ != '-')
        return false;
    ret_inside = begin >= from && number(line, 16) <= to;
    return true;
}
} // namespace

MemoryUse Backing::measure(std::byte const *base, uint64_t length) const noexcept
{
    NoCancel const whole;
    MemoryUse use;
    use.mapped = round_up(length, kind_.page_bytes);
    struct stat found;
    if (fstat(fd_, &found) == 0)
        use.file = static_cast<uint64_t>(found.st_blocks) * 512;
    auto const begin = reinterpret_cast<uint64_t>(base);
    bool inside = false;
    for (Lines lines("/proc/self/smaps"); lines.next();) {
        char const *const line = lines.line();
        if (begins_mapping(line, begin, begin + use.mapped, inside) || !inside)
            continue;
        uint64_t const pool = field(line, "Shared_Hugetlb") + field(line, "Private_Hugetlb");
        use.resident += field(line, "Rss") + pool; // Rss does not count those of the pool
        use.huge += field(line, "ShmemPmdMapped") + field(line, "FilePmdMapped") + pool;
    }
    return use;
}

} // namespace weir
