// SPDX-License-Identifier: MIT OR Apache-2.0
// weir pub: posts lines, frames or files to a channel.
#include "channels.hpp"

#include "../error.hpp"
#include "../interrupt.hpp"
#include "../output.hpp"
#include "end.hpp"
#include "open.hpp"
#include "sink.hpp"
#include "source.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool::channels {
namespace {
constexpr std::size_t kBatch = 256;
constexpr char kPost[] = "post";
/// Subscribers that are started together with a publisher need not be there at the same moment.
constexpr std::int64_t kGatherNs = 500 * kMillisecond;

std::string within(std::int64_t ns)
{
    auto const time = static_cast<double>(ns);
    return ns == 0        ? ""
           : ns < kSecond ? fmt::format(" within {:g}ms", time / kMillisecond)
                          : fmt::format(" within {:g}s", time / kSecond);
}

/// A block of ours, which is freed if it is not posted.
class Block {
  public:
    Block(Matrix const &matrix, weir_ref ref, void *data)
        : matrix_(matrix), ref_(ref), data_(static_cast<unsigned char *>(data))
    {
    }
    Block(Block const &) = delete;
    Block &operator=(Block const &) = delete;
    ~Block()
    {
        if (ref_ != WEIR_REF_NONE)
            weir_matrix_free(matrix_.get(), ref_);
    }
    unsigned char *data() const { return data_; }
    weir_ref release() { return std::exchange(ref_, WEIR_REF_NONE); }

  private:
    Matrix const &matrix_;
    weir_ref ref_;
    unsigned char *data_;
};

/// Blocks on their way into a channel, a batch at a time.
class Poster {
  public:
    Poster(OpenChannel const &open, PublishOptions const &options)
        : open_(open), timeout_ns_(options.timeout_ns)
    {
        with_.tag = options.tag;
        with_.priority = options.priority;
    }
    Poster(Poster const &) = delete;
    Poster &operator=(Poster const &) = delete;
    ~Poster()
    {
        if (!blocks_.empty()) // after a failure
            weir_matrix_free_many(open_.matrix.get(), blocks_.data(), blocks_.size());
    }

    /// Waits for memory, which what we have in hand must not take up meanwhile.
    Block alloc(std::size_t size)
    {
        weir_alloc_options with = WEIR_ALLOC_OPTIONS_INIT;
        weir_ref block = WEIR_REF_NONE;
        void *data = nullptr;
        auto const attempt = [&](std::int64_t timeout_ns) {
            with.timeout_ns = timeout_ns;
            return weir_matrix_alloc(open_.matrix.get(), std::max<std::size_t>(size, 1), &with,
                                     &block, &data);
        };
        int const code = attempt(0);
        if (code < 0)
            flush();
        if (code == -EINVAL)
            throw Failure(fmt::format("a message of {} bytes does not fit in the matrix", size));
        if (code < 0)
            wait_until(attempt, "alloc");
        return {open_.matrix, block, data};
    }

    void add(Block &block, std::size_t length)
    {
        lengths_.push_back(length);
        blocks_.push_back(block.release());
        if (blocks_.size() == kBatch)
            flush();
    }

    void add_copy(std::string_view message)
    {
        Block block = alloc(message.size());
        std::memcpy(block.data(), message.data(), message.size());
        add(block, message.size());
    }

    void flush()
    {
        while (!blocks_.empty()) {
            int const posted =
                wait_until([this](std::int64_t turn_ns) { return post_some(turn_ns); }, kPost);
            auto const count = static_cast<std::size_t>(posted);
            for (std::size_t i = 0; i < count; ++i)
                bytes_ += lengths_[i];
            messages_ += count;
            blocks_.erase(blocks_.begin(), blocks_.begin() + posted);
            lengths_.erase(lengths_.begin(), lengths_.begin() + posted);
        }
    }

    std::uint64_t messages() const { return messages_; }
    std::uint64_t bytes() const { return bytes_; }
    std::uint64_t dropped() const { return dropped_; }

  private:
    /// How many, or an error. One by one where the channel may refuse them, which a batch does not
    /// tell.
    int post_some(std::int64_t timeout_ns)
    {
        if (open_.info.overflow != WEIR_CHANNEL_DROP_NEW)
            return weir_channel_post_many(open_.channel.get(), blocks_.data(), lengths_.data(),
                                          nullptr, blocks_.size(), &with_, timeout_ns);
        int const code = weir_channel_post(open_.channel.get(), blocks_.front(), lengths_.front(),
                                           &with_, timeout_ns);
        dropped_ += code == 1 ? 1 : 0;
        return code < 0 ? code : 1;
    }

    /// Tries again and again, until the timeout ends or somebody interrupts.
    template <typename Try> int wait_until(Try attempt, char const *what)
    {
        std::int64_t const end = timeout_ns_ < 0 ? INT64_MAX : now_ns() + timeout_ns_;
        for (;;) {
            std::int64_t const left = std::max<std::int64_t>(end - now_ns(), 0);
            int const code = attempt(std::min(left, kTurnNs));
            if (!is_turn_over(code) && code != -ENOMEM)
                return must(code, what);
            if (was_interrupted())
                throw Failure("interrupted");
            bool const fails = open_.info.overflow == WEIR_CHANNEL_FAIL && code == -EAGAIN;
            bool const full = what == kPost && (code == -EAGAIN || code == -ETIMEDOUT);
            if ((fails || left == 0) && full)
                throw Failure(fmt::format("no room in the channel{} ({}) after {} messages",
                                          fails ? "" : within(timeout_ns_), weir_error_name(code),
                                          messages_));
            if (fails || left == 0)
                throw Failure(fmt::format("{}: {} ({}) after {} messages", what,
                                          weir_strerror(code), weir_error_name(code), messages_));
        }
    }

    OpenChannel const &open_;
    std::int64_t timeout_ns_;
    weir_post_options with_ = WEIR_POST_OPTIONS_INIT;
    std::vector<weir_ref> blocks_;
    std::vector<std::uint64_t> lengths_;
    std::uint64_t messages_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t dropped_ = 0; ///< of those
};

/// What is there is posted before more is waited for.
void post_stream(Poster &poster, Framing framing, std::size_t longest)
{
    Source source(framing, longest);
    do {
        for (std::string_view message; source.take(message);)
            poster.add_copy(message);
        poster.flush();
    } while (source.fill());
}

/// The path as it is found again under another folder: without leading slashes.
std::string stored_path(std::string const &path)
{
    return path.substr(std::min(path.find_first_not_of('/'), path.size()));
}

class File {
  public:
    /// Without waiting for the other end of what is no regular file.
    explicit File(std::string const &path)
        : fd_(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC))
    {
        if (fd_ < 0)
            fail_errno(printable(path));
    }
    File(File const &) = delete;
    File &operator=(File const &) = delete;
    ~File() { close(fd_); }
    int fd() const { return fd_; }

  private:
    int fd_;
};

void put_path(unsigned char *to, std::string const &path)
{
    put_length(to, path.size());
    std::memcpy(to + kPrefixBytes, path.data(), path.size());
}

/// What no weir sub would take would stay in everybody's way.
void refuse_ways_out(std::vector<std::string> const &paths)
{
    for (auto const &path : paths)
        if (!stays_below(stored_path(path)))
            throw BadUsage(printable(path) + ": could not be written below a folder");
}

/// Straight into a block of its size.
void post_regular(Poster &poster, int fd, std::size_t size, std::string const &path)
{
    std::string const stored = stored_path(path);
    std::size_t const head = kPrefixBytes + stored.size();
    Block block = poster.alloc(head + size);
    put_path(block.data(), stored);
    std::size_t length = 0;
    while (length < size)
        if (std::size_t const got =
                read_some(fd, block.data() + head + length, size - length, path))
            length += got;
        else
            break;
    char more = 0;
    if (length < size || read_some(fd, &more, 1, path) != 0)
        throw Failure(printable(path) + ": changed its size while it was read");
    poster.add(block, head + length);
}

void post_stdin_whole(Poster &poster)
{
    std::string const name = "stdin";
    std::vector<unsigned char> all(kPrefixBytes + name.size());
    put_path(all.data(), name);
    for (std::size_t got = 1; got != 0;) {
        std::size_t const before = all.size();
        all.resize(before + (1 << 16));
        got = read_some(STDIN_FILENO, all.data() + before, 1 << 16, name);
        all.resize(before + got);
    }
    poster.add_copy({reinterpret_cast<char const *>(all.data()), all.size()});
}

void post_files(Poster &poster, std::vector<std::string> const &paths)
{
    refuse_ways_out(paths);
    for (auto const &path : paths) {
        File const file(path);
        struct stat about {};
        if (fstat(file.fd(), &about) != 0)
            fail_errno(printable(path));
        if (!S_ISREG(about.st_mode))
            throw Failure(printable(path) + ": not a regular file");
        post_regular(poster, file.fd(), static_cast<std::size_t>(about.st_size), path);
        poster.flush(); // the next one may not be readable
    }
    if (paths.empty())
        post_stdin_whole(poster);
    poster.flush();
}

/// Who is to get everything must be there before the first post of a broadcast.
void wait_for_subscribers(OpenChannel const &open, std::int64_t wanted)
{
    std::uint64_t seen = 0;
    std::int64_t last_change = now_ns();
    for (;;) {
        std::uint64_t const there = inquire(open.channel).subscribers;
        if (there != seen)
            last_change = now_ns();
        seen = there;
        bool const gathered = there != 0 && now_ns() - last_change >= kGatherNs;
        if (wanted < 0 ? gathered : there >= static_cast<std::uint64_t>(wanted))
            return;
        if (was_interrupted())
            throw Failure("interrupted");
        sleep_ns(5 * kMillisecond);
    }
}
} // namespace

int publish(PublishOptions const &options)
{
    watch_interrupts();
    OpenChannel const open = open_channel(options.choice);
    if (options.priority >= open.info.levels)
        throw BadUsage(open.info.levels == 1 ? "the channel has one priority, which is 0"
                                             : fmt::format("the channel has {} priorities, 0 to {}",
                                                           open.info.levels, open.info.levels - 1));
    bool const broadcast = open.info.mode == WEIR_CHANNEL_BROADCAST;
    if (!broadcast && options.subscribers > 0)
        throw BadUsage("a queue has no subscribers to wait for");
    Publishing publishing(open.matrix, options.choice.channel);
    if (broadcast)
        wait_for_subscribers(open, options.subscribers);
    Poster poster(open, options);
    if (options.framing == Framing::files)
        post_files(poster, options.files);
    else
        post_stream(poster, options.framing, stats_of(open.matrix).capacity);
    if (options.end)
        publishing.say_end();
    if (options.json)
        print_json({{"messages", poster.messages()},
                    {"bytes", poster.bytes()},
                    {"dropped", poster.dropped()}});
    else if (poster.dropped() != 0)
        fmt::print(stderr, "weir: {} messages were dropped, the channel was full\n",
                   poster.dropped());
    return 0;
}

} // namespace tool::channels
