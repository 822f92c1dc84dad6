// SPDX-License-Identifier: MIT OR Apache-2.0
// A producer: takes a job, reads its file straight into a block, posts the block.
#include "files.hpp"
#include "worker.hpp"

#include "../error.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tool::ingest {
namespace {
constexpr int kReadTries = 5;
constexpr std::size_t kChunk = 4 << 20;
constexpr std::int64_t kTurnNs = 100 * kMillisecond;
constexpr std::int64_t kFirstPauseNs = 50 * kMicrosecond;
constexpr std::int64_t kLongestPauseNs = 5 * kMillisecond;

/// A file in a block of the matrix, owned by this process.
struct Loaded {
    weir_ref block = WEIR_REF_NONE;
    std::uint64_t length = 0;
    std::uint32_t mode = 0;
};

class Producer {
  public:
    Producer(Session const &session, Subscription reader, Channel data)
        : session_(session), reader_(std::move(reader)), data_(std::move(data)),
          root_(open_folder(session.options.from))
    {
    }

    void run()
    {
        weir_message job{};
        while (take(session_, reader_, job)) {
            std::uint64_t const index = file_of(session_, job);
            Outcome problem;
            Loaded loaded;
            if (load(session_.ledger.path(index), loaded, problem)) {
                // relaxed: the post publishes it
                session_.ledger.entry(index).mode.store(loaded.mode, std::memory_order_relaxed);
                post(index, loaded);
            } else {
                session_.ledger.record_failure(index, problem);
            }
            acknowledge(session_, reader_, job); // last: until here the job comes back if we die
            bump(session_.slot.messages);
        }
    }

  private:
    bool load(std::string const &path, Loaded &ret_loaded, Outcome &ret_problem);
    bool fill(File const &file, void *data, std::uint64_t length, bool &ret_complete);
    int allocate(std::uint64_t length, weir_ref &ret_block, void *&ret_data);
    void post(std::uint64_t index, Loaded const &loaded);
    void discard(weir_ref block) { must(weir_matrix_free(session_.matrix.get(), block), "free"); }

    Session const &session_;
    Subscription reader_; ///< of the jobs
    Channel data_;
    File root_;
};

/// Loads a file as it is at one size: read again if that changed meanwhile.
bool Producer::load(std::string const &path, Loaded &ret_loaded, Outcome &ret_problem)
{
    auto const unreadable = [&ret_problem](int why) {
        ret_problem = {Kind::unreadable, static_cast<std::uint32_t>(why)};
        return false;
    };
    std::uint64_t length = 0;
    for (int i = 0; i < kReadTries; ++i) {
        File const file = open_file(root_, path);
        struct stat info {};
        if (!file || fstat(file.fd(), &info) != 0)
            return unreadable(errno);
        if (!S_ISREG(info.st_mode))
            return unreadable(EINVAL);
        length = static_cast<std::uint64_t>(info.st_size);
        session_.laps.lap(kReadFile);

        weir_ref block = WEIR_REF_NONE;
        void *data = nullptr;
        if (int const code = allocate(length, block, data); code < 0)
            return unreadable(-code);
        bool complete = false;
        bool const readable = fill(file, data, length, complete);
        int const why = errno;
        session_.laps.lap(kReadFile);
        if (readable && complete) {
            ret_loaded = {block, length, info.st_mode & 0777};
            return true;
        }
        discard(block);
        if (!readable)
            return unreadable(why);
        bump(session_.slot.rereads);
    }
    ret_problem = {Kind::unstable, length == 0};
    return false;
}

/// Reads exactly `length` bytes into the block. Not complete: the file is shorter or longer by now.
bool Producer::fill(File const &file, void *data, std::uint64_t length, bool &ret_complete)
{
    auto *const bytes = static_cast<char *>(data);
    std::uint64_t got = 0;
    while (got < length) {
        std::size_t const want = std::min<std::uint64_t>(length - got, kChunk);
        std::int64_t const part = read_up_to(file, bytes + got, want);
        if (part < 0)
            return false;
        got += static_cast<std::uint64_t>(part);
        bump(session_.slot.bytes, static_cast<std::uint64_t>(part));
        if (static_cast<std::size_t>(part) < want)
            break;
    }
    char beyond = 0;
    std::int64_t const more = read_up_to(file, &beyond, 1);
    ret_complete = got == length && more == 0;
    return more >= 0;
}

/// Allocates, waiting while the consumers have to make room. A negative errno if it never can.
int Producer::allocate(std::uint64_t length, weir_ref &ret_block, void *&ret_data)
{
    std::size_t const bytes = std::max<std::uint64_t>(length, 1); // there are no empty blocks
    for (std::int64_t pause = kFirstPauseNs;; pause = std::min(2 * pause, kLongestPauseNs)) {
        int const code =
            weir_matrix_alloc(session_.matrix.get(), bytes, nullptr, &ret_block, &ret_data);
        // relaxed: for the parent to look at now and then; also 0 after a predecessor who was killed
        session_.slot.starved_by.store(static_cast<std::uint64_t>(code < 0 ? -code : 0),
                                       std::memory_order_relaxed);
        if (code >= 0) {
            session_.laps.lap(kAlloc);
            return 0;
        }
        if (code == -EINVAL)
            return -EFBIG; // grew beyond the matrix's capacity since it was listed
        if (code != -ENOMEM && code != -ENOSPC && code != -EBUSY)
            must(code, "alloc");
        if (pause == kFirstPauseNs)
            bump(session_.slot.full);
        sleep_ns(pause);
        session_.laps.lap(kWait);
    }
}

void Producer::post(std::uint64_t index, Loaded const &loaded)
{
    weir_post_options options = WEIR_POST_OPTIONS_INIT;
    options.tag = index;
    int code = weir_channel_post(data_.get(), loaded.block, loaded.length, &options, 0);
    Phase phase = kPost;
    while (code == -EAGAIN || code == -ETIMEDOUT || code == -EBUSY) {
        phase = kWait;
        if (code == -EBUSY)
            sleep_ns(kFirstPauseNs);
        code = weir_channel_post(data_.get(), loaded.block, loaded.length, &options, kTurnNs);
    }
    must(code, "post");
    session_.laps.lap(phase);
}
} // namespace

void produce(Session const &session)
{
    Channel jobs = join(session, kJobChannel);
    Channel data = join(session, kDataChannel);
    Subscription reader = jobs ? subscribe(jobs) : nullptr;
    if (reader && data)
        Producer(session, std::move(reader), std::move(data)).run();
}

} // namespace tool::ingest
