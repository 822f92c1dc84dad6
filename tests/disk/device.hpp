// SPDX-License-Identifier: MIT OR Apache-2.0
// A volatile disk as a block device with a file system. All mounts are in a name space of our own,
// over a tmpfs there, and the loop device lets go by itself: whatever becomes of this process,
// nothing stays behind.
#pragma once

#include "tests/disk/fuse_file.hpp"

namespace disk {

struct FileSystem {
    char const *name;
    uint64_t size; ///< of the disk; memory is used only for what is written
    char const *mount_options;
    char const *make; ///< a command of the shell; the device comes behind it
};
FileSystem const *file_system(std::string const &name);
/// Empty, or why it cannot be used here.
std::string missing(FileSystem const &system);

class Device {
  public:
    Device() = default;
    Device(Device const &) = delete;
    Device &operator=(Device const &) = delete;
    ~Device();

    /// Empty, or why there can be none: no root, no FUSE, no loop devices.
    static std::string missing();
    /// Empty, or what went wrong.
    std::string open(VolatileDisk &disk, uint64_t seed);
    /// A new file system on a disk of zeros. Empty, or what went wrong.
    std::string format(FileSystem const &system);
    /// 0 or a negative error.
    int mount(FileSystem const &system);
    int unmount();
    /// Where it is mounted.
    std::string const &folder() const { return folder_; }

  private:
    int attach();

    std::string file_, folder_, loop_;
    int device_ = -1;
    Serving serving_;
};

} // namespace disk
