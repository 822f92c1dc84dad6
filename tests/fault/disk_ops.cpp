// SPDX-License-Identifier: MIT OR Apache-2.0
// The two tables of functions over the disk.
#include "tests/fault/disk.hpp"

#include "core/flush/crc32c.hpp"

#include <algorithm>
#include <cstring>

namespace fault {

using namespace weir;

struct Ops {
    static Disk &disk(void *self) { return *static_cast<Disk *>(self); }
    static bool fails(Disk &d, char const *kind, std::string const &name, int &ret)
    {
        Bad const bad = d.bad_for(kind, name);
        ret = bad == Bad::enospc ? ENOSPC : EIO;
        return bad == Bad::eio || bad == Bad::enospc;
    }

    static Result<File> open(void *self, char const *name, unsigned flags, uint32_t)
    {
        Disk &d = disk(self);
        int code;
        if (d.off_ || fails(d, "open", name, code))
            return error(EIO);
        auto at = d.seen_.find(name);
        bool const folder = (flags & kOpenFolder) != 0;
        if (at != d.seen_.end() && (flags & kOpenExclusive) != 0)
            return error(EEXIST);
        std::string const inside = std::string(name).substr(0, std::string(name).find('/'));
        if (inside != name && d.seen_.count(inside) == 0)
            return error(ENOENT);
        if (at == d.seen_.end()) {
            if (!folder && (flags & kOpenCreate) == 0)
                return error(ENOENT);
            if (!d.step())
                return error(EIO);
            auto const inode = folder ? nullptr : std::make_shared<Inode>();
            Disk::Change const change{folder ? Disk::Change::folder : Disk::Change::create, name,
                                      "", inode};
            d.apply(change, d.seen_);
            d.journal_.push_back(change);
            at = d.seen_.find(name);
        }
        if (folder)
            return File{0};
        Disk::Handle const made{at->second, name, (flags & kOpenWrite) != 0,
                                (flags & kOpenDirect) != 0 && d.limits.direct, false};
        for (size_t i = 0; i < d.handles_.size(); ++i)
            if (!d.handles_[i].inode) {
                d.handles_[i] = made;
                return static_cast<File>(i);
            }
        d.handles_.push_back(made);
        return static_cast<File>(d.handles_.size() - 1);
    }
    static void close(void *self, File file)
    {
        if (Disk::Handle *const h = disk(self).handle(file))
            *h = {};
    }
    static Status list(void *self, char const *sub, bool (*visit)(void *, char const *),
                       void *userdata)
    {
        Disk &d = disk(self);
        int code;
        if (d.off_ || fails(d, "list", sub, code))
            return error(EIO);
        if (*sub != '\0' && d.seen_.count(sub) == 0)
            return error(ENOENT);
        std::string const prefix = *sub == '\0' ? "" : std::string(sub) + "/";
        std::vector<std::string> found;
        for (auto const &entry : d.seen_) {
            std::string const &name = entry.first;
            if (name.compare(0, prefix.size(), prefix) != 0)
                continue;
            std::string const rest = name.substr(prefix.size());
            if (!rest.empty() && rest.find('/') == std::string::npos)
                found.push_back(rest);
        }
        // No order is promised.
        for (size_t i = found.size(); i > 1; --i)
            std::swap(found[i - 1], found[d.random_.below(i)]);
        for (std::string const &name : found)
            if (!visit(userdata, name.c_str()))
                break;
        return kOk;
    }
    static Result<uint64_t> size(void *self, File file)
    {
        Disk &d = disk(self);
        Disk::Handle *const h = d.handle(file);
        if (d.off_ || h == nullptr)
            return error(EIO);
        return h->inode->seen.size();
    }
    static Result<Nanoseconds> modified(void *self, File file)
    {
        Disk::Handle *const h = disk(self).handle(file);
        if (h == nullptr)
            return error(EIO);
        return h->inode->modified;
    }
    static Result<Limits> limits(void *self, File) { return disk(self).limits; }
    static Status prealloc(void *self, File file, uint64_t offset, uint64_t length)
    {
        Disk &d = disk(self);
        Disk::Handle *const h = d.handle(file);
        int code = EIO;
        if (h == nullptr || fails(d, "prealloc", h->name, code))
            return error(code);
        if (!d.step())
            return error(EIO);
        if (h->inode->seen.size() < offset + length)
            h->inode->resize(offset + length);
        return kOk;
    }
    static Status write_zeros(void *self, File file, uint64_t offset, uint64_t length)
    {
        Disk &d = disk(self);
        Disk::Handle *const h = d.handle(file);
        int code = EIO;
        if (h == nullptr || fails(d, "prealloc", h->name, code))
            return error(code);
        int const done = d.write(*h, nullptr, length, offset);
        return done < 0 ? Status(done) : kOk;
    }
    static Status truncate(void *self, File file, uint64_t length)
    {
        Disk &d = disk(self);
        Disk::Handle *const h = d.handle(file);
        if (h == nullptr || !d.step())
            return error(EIO);
        h->inode->resize(length);
        return kOk;
    }
    static Result<size_t> pread(void *self, File file, void *data, size_t length, uint64_t offset)
    {
        Disk &d = disk(self);
        Disk::Handle *const h = d.handle(file);
        if (d.off_ || h == nullptr)
            return error(EIO);
        Bad const bad = d.bad_for("read", h->name);
        if (bad == Bad::eio)
            return error(EIO);
        uint64_t const at = bad == Bad::stale_read ? offset ^ 4096 : offset;
        if (h->direct &&
            (offset % d.limits.offset_alignment != 0 || length % d.limits.offset_alignment != 0 ||
             reinterpret_cast<uintptr_t>(data) % d.limits.memory_alignment != 0))
            return error(EINVAL);
        if (h->direct)
            h->inode->drop_clean();
        Pages const &bytes = h->inode->seen;
        if (at >= bytes.size())
            return size_t{0};
        size_t const got = std::min<uint64_t>(length, bytes.size() - at);
        bytes.read(at, data, got);
        return got;
    }
    static Status pwrite(void *self, File file, void const *data, size_t length, uint64_t offset)
    {
        Disk &d = disk(self);
        Disk::Handle *const h = d.handle(file);
        if (h == nullptr || !h->write)
            return error(EBADF);
        int const done = d.write(*h, data, length, offset);
        return done < 0 ? Status(done) : kOk;
    }
    static Status fdatasync(void *self, File file)
    {
        Disk &d = disk(self);
        Disk::Handle *const h = d.handle(file);
        if (h == nullptr)
            return error(EBADF);
        Bad const bad = d.bad_for("flush", h->name);
        if (!d.step())
            return error(EIO);
        ++d.flushes;
        if (bad == Bad::flush_lies)
            return kOk;
        if (bad == Bad::flush_fails)
            h->inode->lose_dirty();
        if (bad != Bad::none)
            return error(EIO);
        h->inode->flush();
        return kOk;
    }
    static Status fsync_dir(void *self, char const *sub)
    {
        Disk &d = disk(self);
        int code;
        if (!d.step() || fails(d, "dir", sub, code))
            return error(EIO);
        d.flush_names(sub);
        return kOk;
    }
    static void drop_cache(void *self, File file)
    {
        if (Disk::Handle *const h = disk(self).handle(file))
            h->inode->drop_clean();
    }
    static Status rename(void *self, char const *from, char const *to)
    {
        Disk &d = disk(self);
        int code;
        if (!d.step() || fails(d, "rename", from, code))
            return error(EIO);
        if (d.seen_.count(from) == 0)
            return error(ENOENT);
        d.written_.erase(d.seen_[from].get());
        Disk::Change const change{Disk::Change::rename, from, to, nullptr};
        d.apply(change, d.seen_);
        d.journal_.push_back(change);
        return kOk;
    }
    static Status unlink(void *self, char const *name)
    {
        Disk &d = disk(self);
        int code;
        if (!d.step() || fails(d, "unlink", name, code))
            return error(EIO);
        if (d.seen_.count(name) == 0)
            return error(ENOENT);
        Disk::Change const change{Disk::Change::unlink, name, "", nullptr};
        d.apply(change, d.seen_);
        d.journal_.push_back(change);
        return kOk;
    }
    static Status lock(void *self, File file, Nanoseconds)
    {
        Disk &d = disk(self);
        Disk::Handle *const h = d.handle(file);
        int code = EIO;
        if (d.off_ || h == nullptr || fails(d, "lock", h->name, code))
            return error(code);
        for (Disk::Handle const &other : d.handles_)
            if (&other != h && other.inode == h->inode && other.locked)
                return error(EBUSY);
        h->locked = true;
        return kOk;
    }

    // ---- data

    static Status submit(void *self, WriteRequest *request)
    {
        Disk &d = disk(self);
        Disk::Handle *const h = d.handle(request->file);
        if (h == nullptr || !h->write)
            return error(EBADF);
        d.check_write(*h, *request);
        d.parked_.push_back({request, Crc32c().add(request->data, request->length).value()});
        return kOk;
    }
    static unsigned reap(void *self, WriteRequest **ret, unsigned most, Nanoseconds)
    {
        Disk &d = disk(self);
        unsigned count = 0;
        // Some, in any order; at least one if nothing woke us.
        while (count < most && !d.parked_.empty() && (count == 0 || d.random_.one_in(2))) {
            if (count == 0 && d.woken_ && d.random_.one_in(2))
                break;
            size_t const which = d.random_.below(d.parked_.size());
            Disk::Parked const parked = d.parked_[which];
            d.parked_.erase(d.parked_.begin() + static_cast<long>(which));
            d.finish(parked);
            ret[count++] = parked.request;
        }
        d.woken_ = false;
        return count;
    }
    static void wake(void *self) { disk(self).woken_ = true; }
    static int write_now(void *self, WriteRequest const *request)
    {
        Disk &d = disk(self);
        Disk::Handle *const h = d.handle(request->file);
        if (h == nullptr || !h->write)
            return -EBADF;
        d.check_write(*h, *request);
        WriteRequest copy = *request;
        d.finish({&copy, Crc32c().add(request->data, request->length).value()});
        return copy.result;
    }
    static int flush(void *self, File file) { return fdatasync(self, file).code; }
    static void file_opened(void *, File) {}
    static void file_closing(void *, File) {}
    static void memory(void *, void *, size_t) {}
};

Io Disk::io()
{
    static constexpr FileOps kFiles = {
        Ops::open,   Ops::close,     Ops::list,        Ops::size,      Ops::modified,
        Ops::limits, Ops::prealloc,  Ops::write_zeros, Ops::truncate,  Ops::pread,
        Ops::pwrite, Ops::fdatasync, Ops::fdatasync,   Ops::fsync_dir, Ops::drop_cache,
        Ops::rename, Ops::unlink,    Ops::lock,
    };
    static constexpr DataOps kData = {
        Ops::submit, Ops::reap,        Ops::wake,         Ops::write_now,
        Ops::flush,  Ops::file_opened, Ops::file_closing, Ops::memory,
    };
    return {&kFiles, &kData, this, this};
}

} // namespace fault
