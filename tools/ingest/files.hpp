// SPDX-License-Identifier: MIT OR Apache-2.0
// Reading and writing whole files relative to a folder, never outside of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace tool::ingest {

/// An owned file descriptor.
class File {
  public:
    File() = default;
    explicit File(int fd) : fd_(fd) {}
    File(File &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    File &operator=(File &&other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~File();

    int fd() const { return fd_; }
    /// The caller closes it, and sees if that fails.
    int release() { return std::exchange(fd_, -1); }
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

/// Throws if it cannot be opened.
File open_folder(std::string const &path);

/// Opens the folder that `path` under `root` is in, step by step, and makes what is missing of it;
/// `ret_name` is the path's last part. Refuses what leads out of `root`, and so symbolic links.
File enter_folder_of(File const &root, std::string const &path, std::string &ret_name);

/// Opens a regular file for reading; no file and errno otherwise.
File open_file(File const &root, std::string const &path);

/// Reads up to `length` bytes; fewer only at the end of the file. -1 and errno on an error.
std::int64_t read_up_to(File const &file, void *data, std::size_t length);

/// Length and CRC-32C of a whole file; false and errno if it cannot be read.
bool checksum_file(File const &root, std::string const &path, std::uint64_t &ret_length,
                   std::uint32_t &ret_checksum);

struct Content {
    void const *data;
    std::size_t length;
    std::uint32_t mode; ///< permission bits
};

/// Writes `path` under `root` so that it appears whole: first as `scratch`, then renamed.
/// Makes the folders on the way. Refuses paths that lead out of `root`. Throws SystemFailure.
void write_file(File const &root, std::string const &path, std::string const &scratch,
                Content const &content);

} // namespace tool::ingest
