// SPDX-License-Identifier: MIT OR Apache-2.0
// The files under a folder: a walk that follows no symbolic links and goes on after errors.
#include "tree.hpp"

#include "../error.hpp"
#include "../output.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace tool::ingest {
namespace {
struct CloseDir {
    void operator()(DIR *folder) const noexcept { closedir(folder); }
};

class Walk {
  public:
    explicit Walk(Tree &tree) : tree_(tree) {}

    /// `at` is the open parent, `name` the folder in it, `prefix` its path with a slash.
    void folder(int at, char const *name, std::string const &prefix, int flags)
    {
        int const fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
        std::unique_ptr<DIR, CloseDir> const open(fd < 0 ? nullptr : fdopendir(fd));
        if (!open) {
            tree_.unreadable.push_back(prefix + ": " + error_text(errno));
            return;
        }
        // A folder that changes under the walk is listed as it is at that moment.
        while (dirent const *const item = readdir(open.get()))
            if (std::strcmp(item->d_name, ".") != 0 && std::strcmp(item->d_name, "..") != 0)
                visit(fd, item->d_name, prefix);
    }

  private:
    void visit(int at, char const *name, std::string const &prefix)
    {
        struct stat info {};
        std::string const path = prefix + name;
        if (fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno != ENOENT) // gone meanwhile
                tree_.unreadable.push_back(path + ": " + error_text(errno));
        } else if (S_ISDIR(info.st_mode)) {
            folder(at, name, path + "/", O_NOFOLLOW);
        } else if (S_ISREG(info.st_mode)) {
            file(path, static_cast<std::uint64_t>(info.st_size));
        } else {
            ++(S_ISLNK(info.st_mode) ? tree_.links : tree_.specials);
        }
    }

    void file(std::string const &path, std::uint64_t size)
    {
        tree_.paths.push_back(path);
        tree_.bytes += size;
        if (size >= tree_.largest) {
            tree_.largest = size;
            tree_.largest_path = path;
        }
    }

    Tree &tree_;
};
} // namespace

Tree list_tree(std::string const &root)
{
    struct stat info {};
    if (stat(root.c_str(), &info) != 0)
        fail_errno(printable(root));
    if (!S_ISDIR(info.st_mode))
        throw Failure(printable(root) + ": not a folder");
    Tree tree;
    Walk(tree).folder(AT_FDCWD, root.c_str(), "", 0);
    if (tree.paths.empty() && !tree.unreadable.empty())
        throw Failure(printable(root) + tree.unreadable.front());
    std::sort(tree.paths.begin(), tree.paths.end());
    return tree;
}

} // namespace tool::ingest
