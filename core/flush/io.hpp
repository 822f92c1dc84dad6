// SPDX-License-Identifier: MIT OR Apache-2.0
// What the ring and the log ask of a disk: two tables of functions, so that tests can put a disk
// in memory underneath which loses, tears and refuses.
//
//   FileOps   names, locks, whole synchronous transfers: recovery, segments, superblocks, cursors
//   DataOps   writes of batches: asynchronous ones of the I/O thread, and one's own
//
// A file is a small number (a descriptor, or an index of the test's disk). Names are relative to
// the log's folder and hold at most one '/'. Offsets are explicit everywhere. Errors are -errno;
// EINTR never comes out. No function is called in a fork child but close().
#pragma once

#include "core/base/clock.hpp"
#include "core/base/error.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

using File = int;
inline constexpr File kNoFile = -1;

enum OpenFlags : unsigned {
    kOpenRead = 0,
    kOpenWrite = 1,     ///< and read
    kOpenCreate = 2,    ///< if it is not there
    kOpenExclusive = 4, ///< with kOpenCreate: -EEXIST if it is
    /// Transfers go past the page cache if the file system can; the caller then keeps offset,
    /// length and memory aligned to Limits. Where it cannot, the file is opened without.
    kOpenDirect = 8,
    kOpenFolder = 16, ///< make a folder of that name, if it is not there; no file is returned (0)
};

/// What the file system under a file is like.
struct Limits {
    uint32_t offset_alignment = 512; ///< of offsets and lengths of direct transfers; power of two
    uint32_t memory_alignment = 4096;
    bool direct = false;        ///< transfers of this file go past the page cache
    bool network = false;       ///< locks and flushes may not be what they say
    bool volatile_fs = false;   ///< tmpfs: nothing survives a power cut
    bool copy_on_write = false; ///< overwriting needs new space
};

struct FileOps {
    Result<File> (*open)(void *self, char const *name, unsigned flags, uint32_t mode);
    void (*close)(void *self, File file);
    /// Calls `visit` for each name in the folder, `sub` being "" or the name of one in it, in any
    /// order, until `visit` says false. -ENOENT: no such folder.
    Status (*list)(void *self, char const *sub, bool (*visit)(void *userdata, char const *name),
                   void *userdata);
    Result<uint64_t> (*size)(void *self, File file);
    /// CLOCK_REALTIME ns of the last change, for retention by age.
    Result<Nanoseconds> (*modified)(void *self, File file);
    Result<Limits> (*limits)(void *self, File file);
    /// Space for [offset, offset + length) is certain afterwards and the file is at least as long.
    /// EFBIG comes as -ENOSPC.
    Status (*prealloc)(void *self, File file, uint64_t offset, uint64_t length);
    /// As prealloc(), and the range reads as zeros that are written already, so that overwriting
    /// it changes no metadata.
    Status (*write_zeros)(void *self, File file, uint64_t offset, uint64_t length);
    Status (*truncate)(void *self, File file, uint64_t length);
    /// Reads up to the end of the file; returns the bytes that were read.
    Result<size_t> (*pread)(void *self, File file, void *data, size_t length, uint64_t offset);
    /// All or an error. Not durable.
    Status (*pwrite)(void *self, File file, void const *data, size_t length, uint64_t offset);
    Status (*fdatasync)(void *self, File file);
    Status (*fsync)(void *self, File file);
    /// Makes names durable: of the log's folder (`sub` "") or of one in it.
    Status (*fsync_dir)(void *self, char const *sub);
    /// What lies in the page cache is forgotten, as far as it is clean.
    void (*drop_cache)(void *self, File file);
    Status (*rename)(void *self, char const *from, char const *to);
    Status (*unlink)(void *self, char const *name);
    /// An OFD lock on the whole file, for writing. -EBUSY if it is held beyond the deadline.
    Status (*lock)(void *self, File file, Nanoseconds timeout);
};

/// One write of a whole batch. The caller keeps it and the bytes until it was reaped.
struct WriteRequest {
    File file = kNoFile;
    bool durable = false; ///< RWF_DSYNC
    uint32_t length = 0;
    uint64_t offset = 0;
    void const *data = nullptr;
    /// Set when it is reaped: 0, or -errno. A short write was completed once, or is -EIO.
    int result = 0;
    WriteRequest *next = nullptr; ///< the backend's while it has the request
};

struct DataOps {
    /// The I/O thread alone. A failure leaves the request with the caller.
    Status (*submit)(void *self, WriteRequest *request);
    /// The I/O thread alone: up to `most` finished requests. Waits until there is one, or wake()
    /// was called since the last return, or `timeout` (-1: for ever) has passed.
    unsigned (*reap)(void *self, WriteRequest **ret, unsigned most, Nanoseconds timeout);
    /// Any thread: reap() returns soon. Cheap if it was said already.
    void (*wake)(void *self);
    /// Any thread: the same write in the caller. 0 or -errno.
    int (*write_now)(void *self, WriteRequest const *request);
    /// Any thread: all that was completed before the call survives a power cut. 0 or -errno.
    int (*flush)(void *self, File file);
    /// Open file for the data group, so that a backend may register it. Errors are not told.
    void (*file_opened)(void *self, File file);
    void (*file_closing)(void *self, File file);
    /// Buffers whose bytes requests will point into; once, before the first submit or reap.
    void (*memory)(void *self, void *begin, size_t length);
};

struct Io {
    FileOps const *files = nullptr;
    DataOps const *data = nullptr;
    void *files_self = nullptr;
    void *data_self = nullptr;
};

} // namespace weir
