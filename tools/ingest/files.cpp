// SPDX-License-Identifier: MIT OR Apache-2.0
// Reading and writing whole files relative to a folder, never outside of it.
#include "files.hpp"

#include "checksum.hpp"

#include "../error.hpp"
#include "../output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

namespace tool::ingest {
namespace {
constexpr std::size_t kChunk = 256 << 10;

/// errno stays.
bool is_link(File const &at, std::string const &name)
{
    int const before = errno;
    struct stat found {};
    bool const link =
        fstatat(at.fd(), name.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(found.st_mode);
    errno = before;
    return link;
}

/// One step down, made if it is missing. Symbolic links are refused: they may lead out.
File enter(File const &at, std::string const &name, std::string const &path)
{
    if (name.empty() || name == "." || name == "..")
        throw Failure(printable(path) + ": not a path below the folder");
    if (mkdirat(at.fd(), name.c_str(), 0777) != 0 && errno != EEXIST)
        fail_errno("cannot make the folder of " + printable(path));
    File below(openat(at.fd(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!below && is_link(at, name))
        throw SystemFailure(printable(path) + ": not below the folder, " + printable(name) +
                                " is a symbolic link",
                            ELOOP);
    if (!below)
        fail_errno("cannot open the folder of " + printable(path));
    return below;
}

void write_all(File const &file, char const *bytes, std::size_t length, std::string const &path)
{
    while (length > 0) {
        ssize_t const put = write(file.fd(), bytes, std::min(length, kChunk));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            fail_errno("cannot write " + printable(path));
        bytes += put;
        length -= static_cast<std::size_t>(put);
    }
}
} // namespace

File::~File()
{
    if (fd_ >= 0)
        close(fd_);
}

File open_folder(std::string const &path)
{
    File folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder)
        fail_errno(printable(path));
    return folder;
}

File open_file(File const &root, std::string const &path)
{
    // O_NONBLOCK: a pipe that took the file's place must not stop us.
    File file(openat(root.fd(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    return file;
}

std::int64_t read_up_to(File const &file, void *data, std::size_t length)
{
    auto *const bytes = static_cast<char *>(data);
    std::size_t got = 0;
    while (got < length) {
        ssize_t const part = read(file.fd(), bytes + got, length - got);
        if (part < 0 && errno == EINTR)
            continue;
        if (part < 0)
            return -1;
        if (part == 0)
            break;
        got += static_cast<std::size_t>(part);
    }
    return static_cast<std::int64_t>(got);
}

bool checksum_file(File const &root, std::string const &path, std::uint64_t &ret_length,
                   std::uint32_t &ret_checksum)
{
    File const file = open_file(root, path);
    if (!file)
        return false;
    thread_local std::vector<char> chunk(kChunk);
    std::uint64_t length = 0;
    std::uint32_t checksum = 0;
    for (;;) {
        std::int64_t const got = read_up_to(file, chunk.data(), chunk.size());
        if (got < 0)
            return false;
        checksum = crc32c(checksum, chunk.data(), static_cast<std::size_t>(got));
        length += static_cast<std::uint64_t>(got);
        if (static_cast<std::size_t>(got) < chunk.size())
            break;
    }
    ret_length = length;
    ret_checksum = checksum;
    return true;
}

File enter_folder_of(File const &root, std::string const &path, std::string &ret_name)
{
    File folder(fcntl(root.fd(), F_DUPFD_CLOEXEC, 0));
    if (!folder)
        fail_errno("cannot open the folder of " + printable(path));
    std::size_t begin = 0;
    for (std::size_t slash; (slash = path.find('/', begin)) != std::string::npos; begin = slash + 1)
        folder = enter(folder, path.substr(begin, slash - begin), path);
    ret_name = path.substr(begin);
    if (ret_name.empty() || ret_name == "." || ret_name == "..")
        throw Failure(printable(path) + ": not a path below the folder");
    return folder;
}

void write_file(File const &root, std::string const &path, std::string const &scratch,
                Content const &content)
{
    // Anew, and for nobody else until it is whole: it may be a secret.
    unlinkat(root.fd(), scratch.c_str(), 0);
    File const out(openat(root.fd(), scratch.c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!out)
        fail_errno("cannot write " + printable(scratch));
    write_all(out, static_cast<char const *>(content.data), content.length, path);
    if (fchmod(out.fd(), content.mode) != 0)
        fail_errno("cannot set the mode of " + printable(path));

    std::string name;
    File const folder = enter_folder_of(root, path, name);
    if (renameat(root.fd(), scratch.c_str(), folder.fd(), name.c_str()) != 0)
        fail_errno("cannot write " + printable(path));
}

} // namespace tool::ingest
