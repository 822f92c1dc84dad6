// SPDX-License-Identifier: MIT OR Apache-2.0
// The requests of the FUSE protocol that one file needs.
#include "tests/disk/fuse_file.hpp"

#include <linux/falloc.h>
#include <linux/fuse.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace disk {
namespace {

constexpr uint32_t kMostWritten = 1 << 20; ///< by one request; FUSE's own limit is 256 pages
constexpr size_t kRequestBytes = kMostWritten + 8192;
constexpr unsigned kAtOnce = 32;

class Server {
  public:
    Server(VolatileDisk &disk, int fuse, uint64_t seed)
        : disk_(disk), fuse_(fuse), random_(seed), buffers_(new char[kAtOnce * kRequestBytes])
    {
    }
    void run()
    {
        while (receive())
            answer();
    }

  private:
    /// The only structure of a request that all have. The buffers are aligned for it.
    struct Request {
        fuse_in_header header;
        char rest[1];
        template <class T> T const *as() const { return reinterpret_cast<T const *>(rest); }
    };
    static constexpr size_t kHeader = sizeof(fuse_in_header);

    bool receive();
    void wait();
    void answer();
    void answer(Request const &request);
    void answer_init(Request const &request);
    void answer_attributes(Request const &request);
    void answer_read(Request const &request);
    void answer_write(Request const &request);
    void answer_fallocate(Request const &request);
    void reply(Request const &request, int error, void const *data = nullptr, size_t length = 0);

    VolatileDisk &disk_;
    int fuse_;
    Random random_;
    std::unique_ptr<char[]> buffers_;
    std::vector<Request const *> waiting_;
};

/// All that is there, at least one. False: it is unmounted.
bool Server::receive()
{
    waiting_.clear();
    while (waiting_.size() < kAtOnce) {
        char *const buffer = buffers_.get() + waiting_.size() * kRequestBytes;
        ssize_t const got = read(fuse_, buffer, kRequestBytes);
        if (got >= static_cast<ssize_t>(kHeader))
            waiting_.push_back(reinterpret_cast<Request const *>(buffer));
        else if (errno == EAGAIN && !waiting_.empty())
            return true;
        else if (errno == EAGAIN)
            wait();
        else if (errno != EINTR && errno != ENOENT) // taken back before we had it
            return false;
    }
    return true;
}

void Server::wait()
{
    pollfd look{fuse_, POLLIN, 0};
    poll(&look, 1, -1);
}

void Server::answer()
{
    for (size_t i = waiting_.size(); i > 1; --i)
        std::swap(waiting_[i - 1], waiting_[random_.below(i)]);
    std::stable_partition(waiting_.begin(), waiting_.end(), [](Request const *request) {
        return request->header.opcode == FUSE_FSYNC;
    });
    for (Request const *request : waiting_)
        answer(*request);
}

void Server::reply(Request const &request, int error, void const *data, size_t length)
{
    fuse_out_header header{static_cast<uint32_t>(sizeof header + length), -error,
                           request.header.unique};
    iovec const parts[] = {{&header, sizeof header}, {const_cast<void *>(data), length}};
    (void)!writev(fuse_, parts, length == 0 ? 1 : 2); // who was interrupted does not wait for it
}

void Server::answer(Request const &request)
{
    switch (request.header.opcode) {
    case FUSE_INIT:
        return answer_init(request);
    case FUSE_GETATTR:
        return answer_attributes(request);
    case FUSE_OPEN: {
        fuse_open_out out{};
        out.open_flags = FOPEN_DIRECT_IO; // each write comes here before it is over
        return reply(request, 0, &out, sizeof out);
    }
    case FUSE_READ:
        return answer_read(request);
    case FUSE_WRITE:
        return answer_write(request);
    case FUSE_FALLOCATE:
        return answer_fallocate(request);
    case FUSE_FSYNC:
        return reply(request, disk_.flush() ? 0 : EIO);
    case FUSE_FLUSH:
    case FUSE_RELEASE:
    case FUSE_DESTROY:
        return reply(request, 0);
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        return; // have no answer
    default:
        return reply(request, ENOSYS);
    }
}

void Server::answer_init(Request const &request)
{
    auto const &in = *request.as<fuse_init_in>();
    fuse_init_out out{};
    out.major = FUSE_KERNEL_VERSION;
    out.minor = std::min<uint32_t>(in.minor, FUSE_KERNEL_MINOR_VERSION);
    out.flags = in.flags & (FUSE_ASYNC_DIO | FUSE_BIG_WRITES | FUSE_MAX_PAGES);
    out.max_background = 64;
    out.congestion_threshold = 64;
    out.max_write = kMostWritten;
    out.max_pages = kMostWritten / 4096;
    out.time_gran = 1;
    reply(request, 0, &out, sizeof out);
}

void Server::answer_attributes(Request const &request)
{
    fuse_attr_out out{};
    out.attr_valid = 1000000;
    out.attr.ino = FUSE_ROOT_ID;
    out.attr.size = disk_.size();
    out.attr.blocks = disk_.size() / 512;
    out.attr.mode = S_IFREG | 0600;
    out.attr.nlink = 1;
    out.attr.blksize = 4096;
    reply(request, 0, &out, sizeof out);
}

void Server::answer_read(Request const &request)
{
    auto const &in = *request.as<fuse_read_in>();
    uint64_t const from = std::min(in.offset, disk_.size());
    reply(request, 0, disk_.at(from), std::min<uint64_t>(in.size, disk_.size() - from));
}

void Server::answer_write(Request const &request)
{
    auto const &in = *request.as<fuse_write_in>();
    bool const done = disk_.write(in.offset, request.rest + sizeof in, in.size);
    fuse_write_out out{};
    out.size = in.size;
    reply(request, done ? 0 : EIO, &out, done ? sizeof out : 0);
}

void Server::answer_fallocate(Request const &request)
{
    auto const &in = *request.as<fuse_fallocate_in>();
    bool const zeros = (in.mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
    if (!zeros)
        return reply(request, EOPNOTSUPP);
    reply(request, disk_.zero(in.offset, in.length) ? 0 : EIO);
}

int mount_on(char const *path, int fuse)
{
    // The root of this file system is a regular file: there is nothing else in it.
    std::string const options =
        crash::text("fd=%d,rootmode=%o,user_id=0,group_id=0", fuse, static_cast<unsigned>(S_IFREG));
    bool const done = mount("weir-disk", path, "fuse", MS_NOSUID | MS_NODEV, options.c_str()) == 0;
    return done ? 0 : -errno;
}

} // namespace

int Serving::start(VolatileDisk &disk, uint64_t seed)
{
    int ready[2];
    fuse_ = open("/dev/fuse", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fuse_ < 0 || pipe2(ready, O_CLOEXEC) != 0)
        return -errno;
    pid_t const server = fork();
    if (server == 0) {
        close(ready[1]);
        char mounted = 0; // before that there is nothing to read
        if (read(ready[0], &mounted, 1) == 1)
            Server(disk, fuse_, seed).run();
        _exit(0);
    }
    close(ready[0]);
    ready_ = ready[1];
    return server < 0 ? -errno : 0;
}

int Serving::mount_at(char const *path)
{
    int const code = mount_on(path, fuse_);
    close(fuse_); // the server's alone: it learns of the end
    if (code == 0)
        (void)!write(ready_, "", 1);
    close(ready_);
    return code;
}

} // namespace disk
