// SPDX-License-Identifier: MIT OR Apache-2.0
// weir create and weir rm: named segments come and go.
#include "verbs.hpp"

#include "error.hpp"
#include "matrix_handle.hpp"
#include "output.hpp"

#include <grp.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <system_error>

#include <fmt/format.h>

namespace tool {

namespace {
bool has_node(std::int64_t node)
{
    return access(fmt::format("/sys/devices/system/node/node{}", node).c_str(), F_OK) == 0;
}

/// A line for errors that say little without the option that is their cause; empty: there is none.
std::string why_refused(CreateOptions const &options, int code)
{
    if (code == -EAGAIN && options.lock)
        return "--lock: RLIMIT_MEMLOCK (ulimit -l) must allow the segment's address space, up to "
               "three times its capacity and some tables (EAGAIN)";
    if (code == -EPERM && !options.group.empty())
        return fmt::format("--group: the caller is no member of the group {} (EPERM)",
                           printable(options.group));
    return {};
}

std::uint32_t group_id(std::string const &group)
{
    if (::group const *const found = getgrnam(group.c_str()); found != nullptr)
        return found->gr_gid;
    std::uint32_t id = 0;
    auto const [end, problem] = std::from_chars(group.data(), group.data() + group.size(), id);
    if (problem != std::errc() || end != group.data() + group.size() || id == UINT32_MAX)
        throw BadUsage(fmt::format("--group: there is no group '{}'", printable(group)));
    return id;
}

weir_matrix_options shape_of(CreateOptions const &options)
{
    weir_matrix_options shape = matrix_options("weir create");
    shape.capacity = options.capacity;
    shape.mode = options.mode;
    if (options.isolate)
        shape.flags |= WEIR_MATRIX_ISOLATE;
    if (options.huge_pages)
        shape.huge_pages = WEIR_EFFORT_TRY;
    if (options.lock)
        shape.lock = WEIR_EFFORT_REQUIRE;
    if (options.node >= 0) {
        shape.flags |= WEIR_MATRIX_ON_NODE;
        shape.numa_node = static_cast<std::uint32_t>(options.node);
    }
    if (!options.group.empty()) {
        shape.flags |= WEIR_MATRIX_SET_GROUP;
        shape.group = group_id(options.group);
    }
    return shape;
}

Matrix make_segment(CreateOptions const &options)
{
    weir_matrix_options const shape = shape_of(options);
    weir_matrix *matrix = nullptr;
    int const code = weir_matrix_create(options.name.c_str(), &shape, &matrix);
    if (code == -EINVAL && options.node >= 0 && !has_node(options.node))
        throw BadUsage(
            fmt::format("--node: this machine has no NUMA node {} (EINVAL)", options.node));
    if (std::string const why = why_refused(options, code); !why.empty())
        throw Failure(why);
    must(code, printable(options.name));
    return Matrix(matrix);
}

void prefault(Matrix const &matrix, CreateOptions const &options)
{
    Progress progress(Progress::Style::automatic);
    auto const show = [](std::uint64_t done, std::uint64_t total, void *userdata) {
        auto &line = *static_cast<Progress *>(userdata);
        if (line.due())
            line.show(fmt::format("prefault {} of {}", human_bytes(done), human_bytes(total)));
        return 0;
    };
    int const code = weir_matrix_prefault(matrix.get(), options.prefault, show, &progress);
    progress.clear();
    must(code, printable(options.name) + ": prefault");
}

/// What became of the wishes, of which most are only tried.
void report(Matrix const &matrix, CreateOptions const &options)
{
    weir_memory_info const got = memory_of(matrix);
    std::string text;
    if (options.prefault != 0)
        text += fmt::format("{} in memory\n", human_bytes(got.resident_bytes));
    if (options.huge_pages && got.huge_error != 0 && got.pages == WEIR_PAGES_NORMAL)
        text += fmt::format("no huge pages ({})\n", weir_error_name(got.huge_error));
    else if (options.huge_pages && options.prefault == 0 && got.huge_bytes == 0)
        text += "no huge pages yet: they are made where --prefault touches memory\n";
    else if (options.huge_pages)
        text += fmt::format("{} in huge pages\n", human_bytes(got.huge_bytes));
    if (options.node >= 0 && got.numa_error != 0)
        text += fmt::format("not on node {} ({})\n", options.node, weir_error_name(got.numa_error));
    else if (options.node >= 0)
        text += fmt::format("on node {} while it has memory\n", got.numa_node);
    if (options.lock)
        text += "locked until this command is interrupted; the segment stays then\n";
    if (!text.empty())
        print(text);
}

void wait_for_interrupt()
{
    sigset_t signals;
    sigemptyset(&signals);
    for (int const signal : {SIGINT, SIGTERM, SIGHUP})
        sigaddset(&signals, signal);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    int ignored = 0;
    sigwait(&signals, &ignored);
}
} // namespace

int create_segment(CreateOptions const &options)
{
    if (options.prefault > options.capacity)
        throw BadUsage("--prefault is more than --capacity");
    Matrix const matrix = make_segment(options);
    try {
        if (options.prefault != 0)
            prefault(matrix, options);
        report(matrix, options);
    } catch (...) {
        weir_matrix_unlink(options.name.c_str()); // all that was asked for, or nothing
        throw;
    }
    if (options.lock)
        wait_for_interrupt();
    return 0;
}

namespace {
/// Names that the library refuses to remove, because it does not know what stands there.
bool is_refused(int code) { return code == -WEIR_E_CORRUPT || code == -EACCES || code == -EBUSY; }

void remove_anything(std::string const &name)
{
    std::string const path = name[0] == '/' ? name : "/dev/shm/weir." + name;
    if (unlink(path.c_str()) != 0)
        fail_errno(printable(path));
}
} // namespace

int remove_segments(RemoveOptions const &options)
{
    for (auto const &name : options.names) {
        int const code = weir_matrix_unlink(name.c_str());
        if (options.force && is_refused(code))
            remove_anything(name);
        else if (code == -WEIR_E_CORRUPT)
            throw Failure(printable(name) + ": not a segment; --force removes it all the same");
        else
            must(code, printable(name));
    }
    return 0;
}

} // namespace tool
