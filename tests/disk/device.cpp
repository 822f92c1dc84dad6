// SPDX-License-Identifier: MIT OR Apache-2.0
// A loop device, mkfs, mount and unmount.
#include "tests/disk/device.hpp"

#include <linux/loop.h>

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace disk {
namespace {

using crash::text;

// The smallest that their tools make; the journal of ext4 small, so that it wraps.
constexpr FileSystem kSystems[] = {
    {"ext4", uint64_t{64} << 20, "",
     "mkfs.ext4 -q -F -b 4096 -N 512 -J size=4 -E "
     "lazy_itable_init=0,lazy_journal_init=0,nodiscard"},
    {"xfs", uint64_t{300} << 20, "", "mkfs.xfs -q -f -K"},
    {"btrfs", uint64_t{160} << 20, "nodiscard", "mkfs.btrfs -q -f -K -m single -d single"},
};

constexpr char kTop[] = "/mnt";  ///< covered, in our name space alone
constexpr int kTries = 100;      ///< others may take the free loop device before us
constexpr int kUnmounts = 10000; ///< 5 s

} // namespace

FileSystem const *file_system(std::string const &name)
{
    for (FileSystem const &each : kSystems)
        if (name == each.name)
            return &each;
    return nullptr;
}

std::string missing(FileSystem const &system)
{
    if (std::system(text("command -v mkfs.%s >/dev/null", system.name).c_str()) != 0)
        return text("no mkfs.%s", system.name);
    // A module is not listed before it is loaded.
    std::string const known =
        text("grep -qw %s /proc/filesystems || modprobe -q %s", system.name, system.name);
    return std::system((known + " 2>/dev/null").c_str()) == 0 ? "" : "the kernel does not know it";
}

std::string Device::missing()
{
    if (geteuid() != 0)
        return "only root can mount";
    if (access("/dev/fuse", R_OK | W_OK) != 0 || access("/dev/loop-control", R_OK | W_OK) != 0)
        return "no /dev/fuse or no /dev/loop-control here";
    return "";
}

std::string Device::open(VolatileDisk &disk, uint64_t seed)
{
    if (int const code = serving_.start(disk, seed); code != 0)
        return text("FUSE: %s", strerror(-code));
    if (unshare(CLONE_NEWNS) != 0 || ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return text("no mount name space of our own: %s", strerror(errno));
    if (::mount("weir-disk", kTop, "tmpfs", 0, nullptr) != 0)
        return text("%s: %s", kTop, strerror(errno));
    file_ = kTop + std::string("/disk");
    folder_ = kTop + std::string("/mounted");
    mkdir(folder_.c_str(), 0700);
    close(::open(file_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    if (int const code = serving_.mount_at(file_.c_str()); code != 0)
        return text("FUSE: %s", strerror(-code));
    int const code = attach();
    return code == 0 ? "" : text("loop device: %s", strerror(-code));
}

int Device::attach()
{
    int const control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int const file = ::open(file_.c_str(), O_RDWR | O_DIRECT | O_CLOEXEC);
    int code = control < 0 || file < 0 ? -errno : -EBUSY;
    for (int i = 0; i < kTries && code == -EBUSY; ++i) {
        int const number = ioctl(control, LOOP_CTL_GET_FREE);
        if (number < 0) {
            code = -errno;
            break;
        }
        loop_ = text("/dev/loop%d", number);
        mknod(loop_.c_str(), S_IFBLK | 0600, makedev(7, static_cast<unsigned>(number)));
        int const device = ::open(loop_.c_str(), O_RDWR | O_CLOEXEC);
        loop_config config{};
        config.fd = static_cast<uint32_t>(file);
        config.block_size = kSector;
        config.info.lo_flags = LO_FLAGS_DIRECT_IO | LO_FLAGS_AUTOCLEAR;
        code = device < 0 || ioctl(device, LOOP_CONFIGURE, &config) != 0 ? -errno : 0;
        // Held for reading only: mounting wants no other writer.
        device_ = code == 0 ? ::open(loop_.c_str(), O_RDONLY | O_CLOEXEC) : -1;
        close(device);
    }
    close(control);
    close(file);
    return code;
}

std::string Device::format(FileSystem const &system)
{
    std::string const said = std::string(kTop) + "/said";
    std::string const command =
        text("%s %s >%s 2>&1 </dev/null", system.make, loop_.c_str(), said.c_str());
    ioctl(device_, BLKFLSBUF, 0);
    int const status = std::system(command.c_str());
    if (ioctl(device_, BLKFLSBUF, 0) == 0 && status == 0)
        return "";
    char words[200] = "";
    if (FILE *const file = fopen(said.c_str(), "r"); file != nullptr) {
        words[fread(words, 1, sizeof words - 1, file)] = '\0';
        fclose(file);
    }
    return text("%s: %s", system.make, words);
}

int Device::mount(FileSystem const &system)
{
    // What the kernel still knows of another image would be a lie.
    if (ioctl(device_, BLKFLSBUF, 0) != 0)
        return -errno;
    int const done = ::mount(loop_.c_str(), folder_.c_str(), system.name, 0, system.mount_options);
    return done == 0 ? 0 : -errno;
}

/// Who has ended may have files open for a moment longer: io_uring lets go of them in the
/// background.
int Device::unmount()
{
    int code = -EBUSY;
    for (int i = 0; i < kUnmounts && code == -EBUSY; ++i) {
        if (i != 0)
            crash::sleep_us(500);
        code = umount2(folder_.c_str(), 0) == 0 ? 0 : -errno;
    }
    return code;
}

Device::~Device()
{
    umount2(folder_.c_str(), MNT_DETACH);
    if (device_ >= 0)
        close(device_); // the last one: the loop device lets go of the file
    umount2(file_.c_str(), MNT_DETACH);
}

} // namespace disk
