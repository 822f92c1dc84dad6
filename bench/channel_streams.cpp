// SPDX-License-Identifier: MIT OR Apache-2.0
// Streams of messages through a channel and through its peers.
#include "channel_streams.hpp"
#include "ping_pong.hpp"

#include <weir.h>

#include <fmt/core.h>
#ifdef WEIR_BENCH_BOOST
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#endif

#include <algorithm>

namespace bench {
namespace {

constexpr std::size_t kWaiting = 1024; ///< messages that wait for a reader, with all of them

struct Payload {
    std::uint64_t word[8];

    static Payload of(int poster, int number)
    {
        Payload payload;
        std::uint64_t const value = std::uint64_t(unsigned(poster)) << 32 | unsigned(number);
        std::fill(std::begin(payload.word), std::end(payload.word), value);
        return payload;
    }
};
static_assert(sizeof(Payload) == 64);

/// A reader's books: each poster's messages come in their order, and as they were written.
class Ledger {
  public:
    explicit Ledger(int posters) : next_(std::size_t(posters)) {}
    void enter(void const *data, std::size_t length, Counts &counts)
    {
        Payload got;
        std::memcpy(&got, data, sizeof got);
        std::uint64_t const poster = got.word[0] >> 32;
        if (length != sizeof got || poster >= next_.size()) {
            ++counts.damaged;
            return;
        }
        int &next = next_[poster];
        Payload const expected = Payload::of(int(poster), next++);
        counts.damaged += std::memcmp(&got, &expected, sizeof got) != 0;
    }

  private:
    std::vector<int> next_;
};

void must(int code, char const *what)
{
    if (code < 0)
        throw std::runtime_error(fmt::format("{}: {}", what, weir_strerror(code)));
}

// ---- weir

class ChannelPoster {
  public:
    ChannelPoster(weir_matrix *matrix, weir_channel *channel, int batch)
        : matrix_(matrix), channel_(channel), blocks_(std::size_t(batch)),
          data_(std::size_t(batch)), lengths_(std::size_t(batch), sizeof(Payload))
    {
    }
    void post(int own, int messages)
    {
        for (int number = 0; number < messages;)
            number +=
                blocks_.size() == 1 ? one(own, number) : several(own, number, messages - number);
    }

  private:
    int one(int own, int number)
    {
        must(weir_matrix_alloc(matrix_, sizeof(Payload), nullptr, &blocks_[0], &data_[0]),
             "a block");
        Payload const payload = Payload::of(own, number);
        std::memcpy(data_[0], &payload, sizeof payload);
        must(weir_channel_post(channel_, blocks_[0], sizeof payload, nullptr, WEIR_WAIT_FOREVER),
             "a post");
        return 1;
    }
    int several(int own, int number, int at_most)
    {
        std::size_t const wanted = std::min(blocks_.size(), std::size_t(at_most));
        int const got = weir_matrix_alloc_many(matrix_, sizeof(Payload), wanted, nullptr,
                                               blocks_.data(), data_.data());
        must(got, "blocks");
        for (int i = 0; i < got; ++i) {
            Payload const payload = Payload::of(own, number + i);
            std::memcpy(data_[std::size_t(i)], &payload, sizeof payload);
        }
        for (int posted = 0; posted < got;) {
            int const done = weir_channel_post_many(
                channel_, &blocks_[std::size_t(posted)], lengths_.data(), nullptr,
                std::size_t(got - posted), nullptr, WEIR_WAIT_FOREVER);
            must(done, "posts");
            posted += done;
        }
        return got;
    }

    weir_matrix *matrix_;
    weir_channel *channel_;
    std::vector<weir_ref> blocks_;
    std::vector<void *> data_;
    std::vector<std::uint64_t> lengths_;
};

class ChannelReader {
  public:
    ChannelReader(weir_channel *channel, Stream const &stream, int batch)
        : ledger_(stream.posters), got_(std::size_t(batch)), data_(std::size_t(batch))
    {
        must(weir_channel_subscribe(channel, &subscription_), "a subscription");
    }
    void read(int messages, Counts &counts)
    {
        for (int done = 0; done < messages;)
            done += got_.size() == 1 ? one(counts) : several(counts);
    }

  private:
    int one(Counts &counts)
    {
        must(weir_channel_read(subscription_, WEIR_WAIT_FOREVER, &got_[0], &data_[0]), "a read");
        ledger_.enter(data_[0], got_[0].length, counts);
        must(weir_channel_ack(subscription_, &got_[0]), "an answer");
        return 1;
    }
    int several(Counts &counts)
    {
        int const got = weir_channel_read_many(subscription_, got_.size(), WEIR_WAIT_FOREVER,
                                               got_.data(), data_.data());
        must(got, "reads");
        for (int i = 0; i < got; ++i)
            ledger_.enter(data_[std::size_t(i)], got_[std::size_t(i)].length, counts);
        int const answered = weir_channel_ack_many(subscription_, got_.data(), std::size_t(got));
        must(answered, "answers");
        counts.damaged += answered != got;
        return got;
    }

    weir_subscription *subscription_ = nullptr;
    Ledger ledger_;
    std::vector<weir_message> got_;
    std::vector<void *> data_;
};

/// Workers are numbered: the posters first. Pinned if there is one of each.
void pin_pair(Stream const &stream, int number)
{
    if (stream.posters == 1 && stream.readers == 1)
        pin(number);
}

/// `post(own, messages)`, `read(messages, counts)` in processes.
template <class MakePoster, class MakeReader>
Outcome in_stream(Stream const &stream, MakePoster make_poster, MakeReader make_reader)
{
    int const each = stream.messages / stream.posters;
    auto outcome = in_processes(stream.posters + stream.readers,
                                [&](int number, Barrier const &all_are_ready, Counts &counts) {
                                    pin_pair(stream, number);
                                    if (number < stream.posters) {
                                        auto poster = make_poster();
                                        all_are_ready();
                                        poster.post(number, each);
                                    } else {
                                        auto reader = make_reader();
                                        all_are_ready();
                                        reader.read(stream.messages, counts);
                                    }
                                });
    outcome.operations = std::uint64_t(stream.messages);
    return outcome;
}

#ifdef WEIR_BENCH_BOOST
namespace ipc = boost::interprocess;

struct QueuePoster {
    ipc::message_queue queue;

    void post(int own, int messages)
    {
        for (int number = 0; number < messages; ++number) {
            Payload const payload = Payload::of(own, number);
            queue.send(&payload, sizeof payload, 0);
        }
    }
};

struct QueueReader {
    ipc::message_queue queue;
    Ledger ledger;

    void read(int messages, Counts &counts)
    {
        for (int done = 0; done < messages; ++done) {
            Payload got;
            std::size_t length = 0;
            unsigned priority = 0;
            queue.receive(&got, sizeof got, length, priority);
            ledger.enter(&got, length, counts);
        }
    }
};

/// A failed attempt: the other one may need this processor.
void back_off(int &failures)
{
    if (++failures > 64)
        std::this_thread::yield();
}

template <class Queue> Outcome in_threads_through(Queue &queue, Stream const &stream)
{
    int const each = stream.messages / stream.posters;
    auto outcome = in_threads(stream.posters + 1, [&](int number, Counts &counts) {
        pin_pair(stream, number);
        Ledger ledger(stream.posters);
        bool const posts = number < stream.posters;
        for (int done = 0; done < (posts ? each : stream.messages); ++done) {
            Payload payload = Payload::of(number, done);
            int failures = 0;
            while (!(posts ? queue.push(payload) : queue.pop(payload)))
                back_off(failures);
            if (!posts)
                ledger.enter(&payload, sizeof payload, counts);
        }
    });
    outcome.operations = std::uint64_t(stream.messages);
    return outcome;
}
#endif
} // namespace

Outcome channel_stream(Stream const &stream, int batch)
{
    weir_matrix *matrix = nullptr;
    weir_channel *channel = nullptr;
    weir_channel_options options = WEIR_CHANNEL_OPTIONS_INIT;
    options.capacity = kWaiting;
    options.mode = stream.readers == 1 ? WEIR_CHANNEL_QUEUE : WEIR_CHANNEL_BROADCAST;
    must(weir_matrix_create(nullptr, nullptr, &matrix), "a matrix");
    must(weir_channel_create(matrix, "stream", &options, &channel), "a channel");
    Outcome const outcome = in_stream(
        stream, [=] { return ChannelPoster(matrix, channel, batch); },
        [=] { return ChannelReader(channel, stream, batch); });
    weir_channel_unref(channel);
    weir_matrix_unref(matrix);
    return outcome;
}

#ifdef WEIR_BENCH_BOOST
Outcome message_queue_stream(Stream const &stream)
{
    std::string const name = fmt::format("weir-bench-{}-stream", getpid());
    ipc::message_queue(ipc::create_only, name.c_str(), kWaiting, sizeof(Payload));
    auto const open = [&] { return ipc::message_queue(ipc::open_only, name.c_str()); };
    Outcome const outcome = in_stream(
        stream, [&] { return QueuePoster{open()}; },
        [&] {
            return QueueReader{open(), Ledger(stream.posters)};
        });
    ipc::message_queue::remove(name.c_str());
    return outcome;
}

Outcome lockfree_stream(Stream const &stream)
{
    boost::lockfree::queue<Payload, boost::lockfree::capacity<kWaiting>> queue;
    return in_threads_through(queue, stream);
}

Outcome lockfree_spsc_stream(Stream const &stream)
{
    boost::lockfree::spsc_queue<Payload, boost::lockfree::capacity<kWaiting>> queue;
    return in_threads_through(queue, stream);
}
#endif

} // namespace bench
