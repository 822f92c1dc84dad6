// SPDX-License-Identifier: MIT OR Apache-2.0
// Writing messages in as few system calls as there are batches, and whole files.
#include "sink.hpp"

#include "../error.hpp"
#include "../interrupt.hpp"
#include "../output.hpp"
#include "source.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iterator>
#include <system_error>

#include <fmt/format.h>

namespace tool::channels {
namespace {
constexpr std::size_t kPieces = 512; ///< of one call; the kernel takes 1024

void wait_writable(int fd)
{
    pollfd room{fd, POLLOUT, 0};
    poll(&room, 1, 100);
}

/// Who reads a pipe may be slow: a signal ends the wait.
void write_all(int fd, iovec *piece, std::size_t count, std::string const &what)
{
    while (count != 0) {
        if (piece->iov_len == 0) {
            ++piece;
            --count;
            continue;
        }
        ssize_t const put = writev(fd, piece, static_cast<int>(std::min(count, kPieces)));
        if (put < 0 && errno != EINTR && errno != EAGAIN)
            fail_errno("cannot write to " + what);
        if (put < 0 && was_interrupted())
            throw Failure("interrupted while writing");
        if (put < 0 && errno == EAGAIN)
            wait_writable(fd);
        for (auto left = static_cast<std::size_t>(std::max<ssize_t>(put, 0)); left != 0;) {
            std::size_t const step = std::min(left, piece->iov_len);
            piece->iov_base = static_cast<char *>(piece->iov_base) + step;
            piece->iov_len -= step;
            left -= step;
            if (piece->iov_len == 0) {
                ++piece;
                --count;
            }
        }
    }
}

iovec piece_of(unsigned char const *data, std::size_t length)
{
    return {const_cast<unsigned char *>(data), length};
}

/// A message that can be written nowhere below this folder.
class Unwritable : public Failure {
  public:
    using Failure::Failure;
};

/// Whether it would be the same with any other message.
bool is_the_systems(int code)
{
    static constexpr int kCodes[] = {ENOSPC, EDQUOT, EIO, EROFS, EMFILE, ENFILE, ENOMEM};
    return std::find(std::begin(kCodes), std::end(kCodes), code) != std::end(kCodes);
}

/// A file that nobody finds before it is whole; removed if it is not.
class NewFile {
  public:
    NewFile(ingest::File const &out, std::string const &path)
        : path_(path), folder_(ingest::enter_folder_of(out, path, name_)),
          draft_(fmt::format(".weir-sub-{}", getpid())),
          file_(openat(folder_.fd(), draft_.c_str(),
                       O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666))
    {
        if (!file_)
            fail_errno(printable(path));
    }
    NewFile(NewFile const &) = delete;
    NewFile &operator=(NewFile const &) = delete;
    ~NewFile()
    {
        if (!draft_.empty())
            unlinkat(folder_.fd(), draft_.c_str(), 0);
    }
    int fd() const { return file_.fd(); }
    void publish()
    {
        if (close(file_.release()) != 0 ||
            renameat(folder_.fd(), draft_.c_str(), folder_.fd(), name_.c_str()) != 0)
            fail_errno(printable(path_));
        draft_.clear();
    }

  private:
    std::string path_;
    std::string name_; ///< its last part
    ingest::File folder_;
    std::string draft_;
    ingest::File file_;
};

} // namespace

bool stays_below(std::string const &stored)
{
    std::filesystem::path const path(stored);
    std::filesystem::path const normal = path.lexically_normal();
    return path.is_relative() && normal.has_filename() && normal != "." &&
           std::none_of(path.begin(), path.end(),
                        [](std::filesystem::path const &part) { return part == ".."; });
}

std::vector<std::size_t> Sink::write(std::vector<Payload> const &batch)
{
    std::vector<std::size_t> refused;
    if (options_.framing != Framing::files) {
        write_stream(batch);
        return refused;
    }
    for (std::size_t i = 0; i < batch.size(); ++i)
        if (std::string const problem = try_file(batch[i]); !problem.empty()) {
            fmt::print(stderr, "weir: {}\n", problem);
            refused.push_back(i);
        }
    return refused;
}

/// Why it cannot be written, if that lies in the message.
std::string Sink::try_file(Payload const &message) const
{
    try {
        write_file(message);
    } catch (Unwritable const &failure) {
        return failure.what();
    } catch (SystemFailure const &failure) {
        if (is_the_systems(failure.code()))
            throw;
        return failure.what();
    }
    return {};
}

void Sink::write_stream(std::vector<Payload> const &batch)
{
    static constexpr unsigned char kLineEnd = '\n';
    pieces_.clear();
    prefixes_.assign(batch.size() * kPrefixBytes, 0);
    for (std::size_t i = 0; i < batch.size(); ++i) {
        Payload const &message = batch[i];
        if (options_.framing == Framing::lines) {
            pieces_.push_back(piece_of(message.data, message.length));
            pieces_.push_back(piece_of(&kLineEnd, 1));
            continue;
        }
        if (message.length > UINT32_MAX)
            throw Failure(
                fmt::format("a message of {} bytes is too long for a frame", message.length));
        unsigned char *const prefix = prefixes_.data() + i * kPrefixBytes;
        put_length(prefix, message.length);
        pieces_.push_back(piece_of(prefix, kPrefixBytes));
        pieces_.push_back(piece_of(message.data, message.length));
    }
    write_all(STDOUT_FILENO, pieces_.data(), pieces_.size(), "stdout");
}

/// The folder of all: a failure of every message.
ingest::File Sink::open_out() const
{
    std::error_code problem;
    std::filesystem::create_directories(options_.out, problem);
    if (problem)
        throw Failure(fmt::format("{}: {}", printable(options_.out), problem.message()));
    try {
        return ingest::open_folder(options_.out);
    } catch (SystemFailure const &failure) {
        throw Failure(failure.what());
    }
}

void Sink::write_file(Payload const &message) const
{
    std::size_t const length = message.length < kPrefixBytes ? SIZE_MAX : length_at(message.data);
    if (length > message.length - std::min(message.length, kPrefixBytes))
        throw Unwritable("a message is no file of weir pub --files");
    std::string const stored(reinterpret_cast<char const *>(message.data) + kPrefixBytes, length);
    if (stored.find('\0') != std::string::npos || !stays_below(stored))
        throw Unwritable(fmt::format("a file's path is not below a folder: {}", printable(stored)));
    std::string const below = std::filesystem::path(stored).lexically_normal().string();
    std::size_t const head = kPrefixBytes + length;
    NewFile file(open_out(), below);
    iovec piece = piece_of(message.data + head, message.length - head);
    write_all(file.fd(), &piece, 1, printable(below));
    file.publish();
}

} // namespace tool::channels
