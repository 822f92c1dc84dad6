// SPDX-License-Identifier: MIT OR Apache-2.0
// Loads mimalloc and jemalloc. Debian's libraries of both define malloc itself, so a program that
// is linked with one has it everywhere: they are loaded at run time and privately (RTLD_LOCAL), and
// their own entry points are looked up by handle.
#include "libraries.hpp"

#include <cstdlib>
#include <cstring>

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <unistd.h>

namespace bench {
namespace {

struct Names {
    char const *file, *allocate, *release;
};

MallocLibrary load(Names const &names, std::string (*version)(void *handle))
{
    MallocLibrary library;
    // DEEPBIND: what it calls of itself is its own, not the program's
    void *const handle = dlopen(names.file, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (handle == nullptr) {
        library.missing = dlerror();
        return library;
    }
    library.allocate = reinterpret_cast<void *(*)(std::size_t)>(dlsym(handle, names.allocate));
    library.release = reinterpret_cast<void (*)(void *)>(dlsym(handle, names.release));
    if (library.allocate == nullptr || library.release == nullptr)
        library.missing = std::string(names.file) + " lacks " + names.allocate;
    else if (library.allocate == &std::malloc)
        library.missing = std::string(names.file) + " has replaced the program's malloc";
    else
        library.version = version(handle);
    return library;
}

std::string mimalloc_version(void *handle)
{
    auto const version = reinterpret_cast<int (*)()>(dlsym(handle, "mi_version"));
    if (version == nullptr)
        return "unknown";
    int const v = version(); // two digits: 2.0.9 is 209
    return std::to_string(v / 100) + "." + std::to_string(v / 10 % 10) + "." +
           std::to_string(v % 10);
}

std::string jemalloc_version(void *handle)
{
    using Control = int (*)(char const *, void *, std::size_t *, void *, std::size_t);
    auto const control = reinterpret_cast<Control>(dlsym(handle, "mallctl"));
    char const *text = nullptr;
    std::size_t size = sizeof text;
    if (control == nullptr || control("version", &text, &size, nullptr, 0) != 0)
        return "unknown";
    return std::string(text).substr(0, std::string(text).find('-'));
}

} // namespace

MallocLibrary const &glibc()
{
    static MallocLibrary const library{&std::malloc, &std::free, gnu_get_libc_version(), {}};
    return library;
}

MallocLibrary const &mimalloc()
{
    static MallocLibrary const library =
        load({"libmimalloc.so.2", "mi_malloc", "mi_free"}, mimalloc_version);
    return library;
}

MallocLibrary const &jemalloc()
{
    // malloc and free of the library itself: its fastest way, faster than mallocx()
    static MallocLibrary const library =
        load({"libjemalloc.so.2", "malloc", "free"}, jemalloc_version);
    return library;
}

void make_room_for_libraries(char **arguments)
{
    constexpr char const *kTunable = "glibc.rtld.optional_static_tls=16384";
    bool const lacks_room = jemalloc().missing.find("static TLS") != std::string::npos ||
                            mimalloc().missing.find("static TLS") != std::string::npos;
    char const *const before = std::getenv("GLIBC_TUNABLES");
    if (!lacks_room || (before != nullptr && std::strstr(before, kTunable) != nullptr))
        return;
    std::string const tunables =
        before == nullptr ? kTunable : std::string(before) + ":" + kTunable;
    setenv("GLIBC_TUNABLES", tunables.c_str(), 1);
    execv("/proc/self/exe",
          arguments); // returns only if it fails: then the row says what is missing
}

} // namespace bench
