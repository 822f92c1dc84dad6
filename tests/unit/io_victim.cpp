// SPDX-License-Identifier: MIT OR Apache-2.0
// What io_errors.py runs while strace answers system calls with errors.
//   io_victim FOLDER BACKEND STEP…     each step prints `step code`
#include "core/flush/backend.hpp"
#include "core/flush/io_pwrite.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace weir;

namespace {

constexpr size_t kLength = 1 << 20;
constexpr uint32_t kBatch = 128 << 10;

struct Victim {
    PosixFiles *files = nullptr;
    Backend backend;
    File file = kNoFile;
    char *bytes = static_cast<char *>(aligned_alloc(4096, kLength));

    FileOps const &ops() const { return PosixFiles::kOps; }
    DataOps const &data() const { return *backend.io.data; }
    void *self() const { return backend.io.data_self; }

    WriteRequest request(uint64_t number, uint32_t length = kBatch) const
    {
        WriteRequest made;
        made.file = file;
        made.durable = true;
        made.length = length;
        made.offset = number * kBatch;
        made.data = bytes + made.offset;
        return made;
    }
    int write(uint64_t number, bool durable)
    {
        WriteRequest made = request(number);
        made.durable = durable;
        return data().write_now(self(), &made);
    }
    /// All of the file at once; the worst result.
    int batches()
    {
        constexpr unsigned kCount = kLength / kBatch;
        WriteRequest requests[kCount];
        int worst = 0;
        for (unsigned i = 0; i < kCount; ++i) {
            requests[i] = request(i);
            if (Status const done = data().submit(self(), &requests[i]); !done.ok())
                return done.code;
        }
        for (unsigned out = kCount; out != 0;) {
            WriteRequest *done[kCount];
            unsigned const count = data().reap(self(), done, kCount, 20 * kSecond);
            if (count == 0)
                return -ETIMEDOUT;
            for (unsigned i = 0; i < count; ++i)
                worst = std::min(worst, done[i]->result);
            out -= count;
        }
        return worst;
    }
    int read()
    {
        char *const back = static_cast<char *>(aligned_alloc(4096, kLength));
        Result<size_t> const got = ops().pread(files, file, back, kLength, 0);
        bool const same = got.ok() && *got == kLength && std::memcmp(back, bytes, kLength) == 0;
        free(back);
        return !got.ok() ? got.status().code : same ? 0 : -EILSEQ;
    }
    int run(char const *step);
};

int Victim::run(char const *step)
{
    auto const is = [step](char const *name) { return std::strcmp(step, name) == 0; };
    if (is("write"))
        return write(0, true);
    if (is("second"))
        return write(1, true);
    if (is("plain"))
        return write(0, false);
    if (is("batches"))
        return batches();
    if (is("flush"))
        return data().flush(self(), file);
    if (is("pwrite"))
        return ops().pwrite(files, file, bytes, kLength, 0).code;
    if (is("read"))
        return read();
    if (is("prealloc"))
        return ops().prealloc(files, file, 0, kLength).code;
    if (is("zeros"))
        return ops().write_zeros(files, file, 0, kLength).code;
    if (is("rename"))
        return ops().rename(files, "a", "b").code;
    if (is("fsync"))
        return ops().fsync(files, file).code;
    if (is("fdatasync"))
        return ops().fdatasync(files, file).code;
    if (is("fsync_dir"))
        return ops().fsync_dir(files, "").code;
    if (is("truncate"))
        return ops().truncate(files, file, 4096).code;
    if (is("unlink"))
        return ops().unlink(files, "a").code;
    if (is("open"))
        return ops().open(files, "other", kOpenWrite | kOpenCreate, 0600).status().code;
    return -EINVAL;
}
} // namespace

int main(int count, char **words)
{
    if (count < 3)
        return 2;
    Victim victim;
    for (size_t i = 0; i < kLength; ++i)
        victim.bytes[i] = static_cast<char>(i * 31 + i / 4096 + 1);
    if (!PosixFiles::open(words[1], true, 0700, victim.files).ok())
        return 3;
    Result<File> const file = victim.ops().open(victim.files, "a", kOpenWrite | kOpenCreate, 0600);
    if (!file.ok())
        return 4;
    victim.file = *file;
    BackendOptions options;
    options.threads = 2;
    options.depth = 8;
    options.kind = std::strcmp(words[2], "pwritev2") == 0   ? BackendKind::pwritev2
                   : std::strcmp(words[2], "io_uring") == 0 ? BackendKind::io_uring
                                                            : BackendKind::automatic;
    Status const opened = open_backend(victim.files, options, victim.backend);
    printf("backend %d %s\nreason %d %s\n", opened.code, victim.backend.name,
           victim.backend.reason_code, victim.backend.reason);
    if (!opened.ok())
        return 0;
    for (int i = 3; i < count; ++i)
        printf("%s %d\n", words[i], victim.run(words[i]));
    release_backend(victim.backend);
    return 0;
}
