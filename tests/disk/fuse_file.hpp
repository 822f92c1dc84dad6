// SPDX-License-Identifier: MIT OR Apache-2.0
// A process that offers a volatile disk as one file, by the kernel's FUSE protocol. A loop device
// on it makes it a block device.
#pragma once

#include "tests/disk/volatile_disk.hpp"

namespace disk {

/// The process lives until its file is unmounted, whatever becomes of who started it: a file system
/// that loses its disk would never come to its end.
class Serving {
  public:
    /// 0 or a negative error. What is in flight at the same time is done in an order that `seed`
    /// decides, flushes first: they need not cover it.
    int start(VolatileDisk &disk, uint64_t seed);
    /// Covers a file. Perhaps in another mount name space, which the process does not keep alive.
    int mount_at(char const *path);

  private:
    int fuse_ = -1, ready_ = -1;
};

} // namespace disk
