// SPDX-License-Identifier: MIT OR Apache-2.0
// A process that offers a volatile disk as one file, by the kernel's FUSE protocol. A loop device
// on it makes it a block device.
#pragma once

#include "tests/disk/volatile_disk.hpp"

namespace disk {

/// Serves until the file is unmounted, or the caller is dead. `path` is a file to be covered.
/// Returns the process, or a negative error. What is in flight at the same time is done in an order
/// that `seed` decides, flushes first: they need not cover it.
pid_t serve(VolatileDisk &disk, char const *path, uint64_t seed);

} // namespace disk
