// SPDX-License-Identifier: MIT OR Apache-2.0
// Reads pid, uid, start time and program name of this process.
#include "core/segment/process_info.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace weir {
namespace {
/// Field 22 of /proc/self/stat; the second field may hold spaces, but ends with the last ')'.
uint64_t start_time() noexcept
{
    char text[1024];
    int const fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t const got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0)
        return 0;
    text[got] = '\0';
    char const *at = std::strrchr(text, ')');
    for (int field = 2; at != nullptr && field < 22; ++field)
        at = std::strchr(at + 1, ' ');
    uint64_t value = 0;
    for (at = at == nullptr ? "" : at + 1; *at >= '0' && *at <= '9'; ++at)
        value = value * 10 + static_cast<uint64_t>(*at - '0');
    return value;
}
} // namespace

ProcessInfo describe_process(char const *name) noexcept
{
    ProcessInfo info;
    info.pid = static_cast<uint32_t>(getpid());
    info.uid = geteuid();
    info.started_at = start_time();
    char text[sizeof info.name] = {};
    char const *const shown =
        name != nullptr && name[0] != '\0' ? name : program_invocation_short_name;
    std::memcpy(text, shown, strnlen(shown, sizeof text - 1));
    std::memcpy(info.name, text, sizeof text);
    return info;
}

} // namespace weir
