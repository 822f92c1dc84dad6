// SPDX-License-Identifier: MIT OR Apache-2.0
// The C functions of the matrix: making, opening, leaving.
/**
 * @file Matrix functions
 */
#include "capi/src/internal.hpp"

#include "capi/src/convert.hpp"
#include "core/matrix/matrix.hpp"

namespace {
using namespace weir::capi;

constexpr size_t kFirstMatrixOptions = sizeof(weir_matrix_options);

using MatrixMaker = weir::Result<weir::Matrix *> (*)(char const *,
                                                     weir::MatrixOptions const &) noexcept;

int make_matrix(MatrixMaker maker, char const *name, weir_matrix_options const *options,
                weir_matrix **ret_matrix) noexcept
{
    if (ret_matrix == nullptr)
        return -EINVAL;
    weir_matrix_options given;
    if (int const code = read_options(options, kFirstMatrixOptions, given); code < 0)
        return code;
    weir::MatrixOptions converted;
    if (int const code = to_core(given, converted); code < 0)
        return code;

    auto const made = maker(name, converted);
    if (!made.ok())
        return made.status().code;
    *ret_matrix = handle(*made);
    return 0;
}
} // namespace

/**
 * Makes a matrix that must not exist.
 *
 * A plain name NAME stands for the file `/dev/shm/weir.NAME`; one that begins
 * with a slash is a path on any file system that holds shared mappings. Without a name the
 * segment is known by its descriptor alone, see weir_matrix_fd(). A named
 * segment appears whole or not at all: a maker that dies leaves nothing. The
 * name of a retired segment is free: it is removed, if it is still there.
 *
 * @class weir_matrix ctor
 * @param[in]  name       utf8 nullable; 1 to 200 bytes without a slash, or an absolute path, control characters in neither, other bytes as they are, NULL for no name
 * @param[in]  options    sized nullable; NULL means all defaults
 * @param[out] ret_matrix owned; the new handle
 * @return ok
 * @errors
 *   -E2BIG           `options` has an unknown field that is not 0
 *   -EACCES          the folder may not be written
 *   -EAGAIN          `lock` is required and `RLIMIT_MEMLOCK` too small
 *   -EEXIST          there is one of this name that is not retired
 *   -EFBIG           the file would be larger than `RLIMIT_FSIZE` or the file system allows
 *   -EINVAL          a bad name or option, `WEIR_MATRIX_READ_ONLY`, or `ret_matrix` is NULL
 *   -EIO             the file system failed in a way that has no code here
 *   -ELOOP           too many symbolic links in the path
 *   -EMFILE          too many open files
 *   -ENAMETOOLONG    the name or path is too long
 *   -ENFILE          too many open files on this machine
 *   -ENOENT          the folder of the path does not exist
 *   -ENOMEM          no address space or memory for the mapping
 *   -ENOSPC          the file system, or the pool of huge pages that are required, cannot hold the tables and `commit`
 *   -ENOTDIR         a part of the path is not a folder
 *   -EOPNOTSUPP      the file system or kernel lacks what a segment needs, or huge pages that are required
 *   -EPERM           the folder does not let anybody make a file, or `group` is none of the caller's
 *   -EROFS           the file system is read-only
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_create(const char *name, const struct weir_matrix_options *options,
                                struct weir_matrix **ret_matrix) noexcept
{
    return make_matrix(&weir::Matrix::create, name, options, ret_matrix);
}

/**
 * Attaches to a matrix that exists.
 *
 * The file is not trusted: its geometry is checked once and copied, and
 * everything read from it later is checked before use.
 *
 * With `WEIR_MATRIX_READ_ONLY` the caller becomes no participant: it needs no
 * right to write and no slot, and nobody can tell that it is there. It may look
 * (weir_matrix_stats(), weir_matrix_walk(), weir_matrix_participants(),
 * weir_matrix_check(), weir_matrix_roots(), weir_matrix_lookup(), blocks and
 * their data); what would change something fails with `-EROFS`.
 *
 * @class weir_matrix ctor
 * @param[in]  name       utf8; as for weir_matrix_create()
 * @param[in]  options    sized nullable; only `stall_ns`, `flags`, `huge_pages`, `lock` and `participant_name` count
 * @param[out] ret_matrix owned; the new handle
 * @return ok
 * @errors
 *   -E2BIG           `options` has an unknown field that is not 0
 *   -EACCES          the file may not be opened for writing, or, read-only, for reading
 *   -EAGAIN          `lock` is required and `RLIMIT_MEMLOCK` too small
 *   -EBUSY           all participant slots are taken
 *   -EINVAL          a bad name or option, or a required pointer is NULL
 *   -EIO             the file system failed in a way that has no code here
 *   -ELOOP           too many symbolic links in the path
 *   -EMFILE          too many open files
 *   -ENAMETOOLONG    the name or path is too long
 *   -ENFILE          too many open files on this machine
 *   -ENOENT          there is none
 *   -ENOMEM          no address space or memory for the mapping
 *   -ENOTDIR         a part of the path is not a folder
 *   -EOPNOTSUPP      the kernel lacks what a segment needs, or the segment has no huge pages and they are required
 *   -EPERM           it belongs to another user who is not root, or its file is immutable
 *   -EROFS           the file system is read-only
 *   -WEIR_E_CORRUPT  not a segment, or it contradicts itself
 *   -WEIR_E_RETIRED  it was retired
 *   -WEIR_E_VERSION  made by a version that this one cannot work with
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_attach(const char *name, const struct weir_matrix_options *options,
                                struct weir_matrix **ret_matrix) noexcept
{
    if (name == nullptr)
        return -EINVAL;
    return make_matrix(&weir::Matrix::attach, name, options, ret_matrix);
}

/**
 * Attaches to a matrix, or makes it if there is none or a retired one.
 *
 * Processes that do this at the same moment end up on one segment.
 *
 * @class weir_matrix ctor
 * @param[in]  name       utf8; as for weir_matrix_create()
 * @param[in]  options    sized nullable; NULL means all defaults
 * @param[out] ret_matrix owned; the new handle
 * @return ok
 * @errors
 *   -E2BIG           `options` has an unknown field that is not 0
 *   -EACCES          the file or its folder may not be written
 *   -EAGAIN          `lock` is required and `RLIMIT_MEMLOCK` too small
 *   -EBUSY           all participant slots are taken, or the name kept changing
 *   -EFBIG           the file would be larger than `RLIMIT_FSIZE` or the file system allows
 *   -EINVAL          a bad name or option, `WEIR_MATRIX_READ_ONLY`, or a required pointer is NULL
 *   -EIO             the file system failed in a way that has no code here
 *   -ELOOP           too many symbolic links in the path
 *   -EMFILE          too many open files
 *   -ENAMETOOLONG    the name or path is too long
 *   -ENFILE          too many open files on this machine
 *   -ENOENT          the folder of the path does not exist
 *   -ENOMEM          no address space or memory for the mapping
 *   -ENOSPC          the file system, or the pool of huge pages that are required, cannot hold the tables and `commit`
 *   -ENOTDIR         a part of the path is not a folder
 *   -EOPNOTSUPP      the file system or kernel lacks what a segment needs, or huge pages that are required
 *   -EPERM           it belongs to another user who is not root, its file is immutable, the folder does not let anybody make a file, or `group` is none of the caller's
 *   -EROFS           the file system is read-only
 *   -WEIR_E_CORRUPT  not a segment, or it contradicts itself
 *   -WEIR_E_RETIRED  it was retired and its name cannot be removed
 *   -WEIR_E_VERSION  made by a version that this one cannot work with
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_open(const char *name, const struct weir_matrix_options *options,
                              struct weir_matrix **ret_matrix) noexcept
{
    if (name == nullptr)
        return -EINVAL;
    return make_matrix(&weir::Matrix::open, name, options, ret_matrix);
}

/**
 * Attaches to a matrix by a descriptor of its file, as another process passed
 * it or as weir_matrix_fd() returned it.
 *
 * The descriptor is not kept and stays the caller's.
 *
 * @class weir_matrix ctor
 * @param[in]  fd         an open descriptor, for reading and writing, or, with `WEIR_MATRIX_READ_ONLY`, for reading
 * @param[in]  options    sized nullable; only `stall_ns`, `flags`, `huge_pages`, `lock` and `participant_name` count
 * @param[out] ret_matrix owned; the new handle
 * @return ok
 * @errors
 *   -E2BIG           `options` has an unknown field that is not 0
 *   -EACCES          the file may not be opened for writing, or, read-only, for reading
 *   -EAGAIN          `lock` is required and `RLIMIT_MEMLOCK` too small
 *   -EBADF           `fd` is not an open descriptor
 *   -EBUSY           all participant slots are taken
 *   -EINVAL          a bad option, or `ret_matrix` is NULL
 *   -EIO             the file system failed in a way that has no code here
 *   -EMFILE          too many open files
 *   -ENFILE          too many open files on this machine
 *   -ENOMEM          no address space or memory for the mapping
 *   -EOPNOTSUPP      the kernel lacks what a segment needs, or the segment has no huge pages and they are required
 *   -EPERM           it belongs to another user who is not root, or its file is immutable
 *   -EROFS           the file system is read-only
 *   -WEIR_E_CORRUPT  not a segment, or it contradicts itself
 *   -WEIR_E_RETIRED  it was retired
 *   -WEIR_E_VERSION  made by a version that this one cannot work with
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_attach_fd(int fd, const struct weir_matrix_options *options,
                                   struct weir_matrix **ret_matrix) noexcept
{
    if (ret_matrix == nullptr)
        return -EINVAL;
    weir_matrix_options given;
    if (int const code = read_options(options, kFirstMatrixOptions, given); code < 0)
        return code;
    weir::MatrixOptions converted;
    if (int const code = to_core(given, converted); code < 0)
        return code;

    auto const made = weir::Matrix::attach_fd(fd, converted);
    if (!made.ok())
        return made.status().code;
    *ret_matrix = handle(*made);
    return 0;
}

/**
 * Returns a descriptor of the segment's file, for passing to another process.
 *
 * It stays the handle's and is closed with it; no lock hangs on it.
 *
 * @class weir_matrix method
 * @param[in] matrix the matrix
 * @return count; the descriptor
 * @errors
 *   -EINVAL `matrix` is NULL
 * @thread any
 * @blocks no
 * @signal safe
 * @since 0.1
 */
WEIR_API int weir_matrix_fd(const struct weir_matrix *matrix) noexcept
{
    if (matrix == nullptr)
        return -EINVAL;
    return core(matrix)->fd();
}

/**
 * Removes a matrix's name. Who is attached goes on; memory goes back to the
 * system when the last one leaves.
 *
 * Only the name of a segment is removed, of any version and in any state: a
 * file that does not begin like one stays. A segment that another process makes
 * under this name meanwhile stays too; but who moves files in that folder by
 * other means may exchange the file in the last instant.
 *
 * @class weir_matrix static
 * @param[in] name utf8; as for weir_matrix_create()
 * @return ok
 * @errors
 *   -EACCES         the file may not be read, or the folder not be written
 *   -EBUSY          somebody who does not move is removing it
 *   -EINVAL         a bad name, or `name` is NULL
 *   -EIO            the file system failed in a way that has no code here
 *   -EISDIR         the path is a folder
 *   -ELOOP          too many symbolic links in the path
 *   -EMFILE         too many open files
 *   -ENAMETOOLONG   the name or path is too long
 *   -ENFILE         too many open files on this machine
 *   -ENOENT         there is none
 *   -ENOMEM         the kernel has no memory for it
 *   -ENOTDIR        a part of the path is not a folder
 *   -EOPNOTSUPP     `/proc` is not mounted
 *   -EPERM          the file belongs to another user, or is immutable or a mount point
 *   -EROFS          the file system is read-only
 *   -WEIR_E_CORRUPT not a segment: another file, a link, a pipe or a device
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_unlink(const char *name) noexcept
{
    if (name == nullptr)
        return -EINVAL;
    return weir::Matrix::unlink(name).code;
}

/**
 * Adds a user to a handle, for another weir_matrix_unref().
 *
 * @class weir_matrix ref
 * @param[in] matrix nullable; the matrix
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_matrix *weir_matrix_ref(struct weir_matrix *matrix) noexcept
{
    if (matrix != nullptr)
        core(matrix)->ref();
    return matrix;
}

/**
 * Removes a user from a handle; the last one detaches.
 *
 * What this participant still has is treated as after its death: freed or kept,
 * by the death policy. Channels and subscriptions keep their matrix attached.
 *
 * @class weir_matrix dtor
 * @param[in] matrix nullable; the matrix
 * @return handle
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API struct weir_matrix *weir_matrix_unref(struct weir_matrix *matrix) noexcept
{
    if (matrix != nullptr)
        core(matrix)->unref();
    return nullptr;
}

/**
 * Ends a matrix for everybody: from now on each call on it that could change
 * something fails with `-WEIR_E_RETIRED`, and so does attaching. Who waits for
 * memory, or in a channel, a router or a pool of the matrix, is woken and told,
 * in every process. If the process dies before that, each looks by himself within
 * a second.
 *
 * The name that this handle was opened by is removed. If the process dies before
 * that, or the handle was opened by descriptor, the name stays; who makes or
 * opens a segment of that name then removes it.
 *
 * @class weir_matrix method
 * @param[in] matrix the matrix
 * @return ok
 * @errors
 *   -EINVAL         `matrix` is NULL
 *   -EROFS          the handle is read-only
 *   -WEIR_E_RETIRED it was retired before
 * @thread any
 * @blocks yes
 * @since 0.1
 */
WEIR_API int weir_matrix_retire(struct weir_matrix *matrix) noexcept
{
    if (matrix == nullptr)
        return -EINVAL;
    return core(matrix)->retire().code;
}

/**
 * Returns the name a handle was opened with; empty if it has none or if
 * `matrix` is NULL. With the handle it is freed.
 *
 * @class weir_matrix method
 * @param[in] matrix nullable; the matrix
 * @return text; the name, never NULL, valid as long as the handle
 * @thread any
 * @blocks no
 * @signal safe
 * @since 0.1
 */
WEIR_API const char *weir_matrix_name(const struct weir_matrix *matrix) noexcept
{
    return matrix == nullptr ? "" : core(matrix)->name();
}

/**
 * Reads the segment's unique id.
 *
 * @class weir_matrix method
 * @param[in]  matrix   the matrix
 * @param[out] ret_uuid its id
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @signal safe
 * @since 0.1
 */
WEIR_API int weir_matrix_uuid(const struct weir_matrix *matrix, struct weir_uuid *ret_uuid) noexcept
{
    if (matrix == nullptr || ret_uuid == nullptr)
        return -EINVAL;
    auto const &uuid = core(matrix)->uuid();
    static_assert(sizeof uuid.bytes == sizeof ret_uuid->value);
    std::memcpy(ret_uuid->value, uuid.bytes, sizeof ret_uuid->value);
    return 0;
}

/**
 * Reads the id of this handle's participant, for weir_block_give() in another
 * process.
 *
 * @class weir_matrix method
 * @param[in]  matrix          the matrix
 * @param[out] ret_participant its id, not 0
 * @return ok
 * @errors
 *   -EBUSY          in a fork child: all participant slots are taken
 *   -EINVAL         a pointer is NULL
 *   -EMFILE         in a fork child: too many open files
 *   -EROFS          the handle is read-only
 *   -WEIR_E_FORKED  in a fork child: it may not open the file of the segment again
 *   -WEIR_E_RETIRED the matrix was retired
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_matrix_participant_id(struct weir_matrix *matrix,
                                        uint64_t *ret_participant) noexcept
{
    if (matrix == nullptr || ret_participant == nullptr)
        return -EINVAL;
    auto const found = core(matrix)->participant_id();
    if (!found.ok())
        return found.status().code;
    *ret_participant = *found;
    return 0;
}
