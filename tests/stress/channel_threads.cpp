// SPDX-License-Identifier: MIT OR Apache-2.0
// Posters and readers of one channel on two handles: every message is answered once, in the order
// of its poster but for redeliveries. Plain main, for ThreadSanitizer.
#include "tests/stress/stress.hpp"

using namespace stress;

namespace {
constexpr unsigned kPosters = 2;
constexpr unsigned kReaders = 2;
uint64_t seed = 0;

/// What a message says: number * kPosters + poster.
constexpr uint64_t kPayload = 64;

struct Counts {
    std::atomic<uint64_t> posted{0};
    std::atomic<uint64_t> answered{0};
    std::atomic<uint64_t> sum_posted{0};
    std::atomic<uint64_t> sum_answered{0};
    std::atomic<unsigned> posters{kPosters};
};

void post_all(Matrix &matrix, Channel &channel, unsigned self, bool one_mapping,
              Deadline const &deadline, Counts &counts)
{
    Random random(seed + self + 1);
    for (uint64_t number = 1; !deadline.passed(); ++number) {
        Allocation block;
        if (!matrix.alloc(kPayload + random.below(300), block).ok()) {
            expect(false, "alloc");
            break;
        }
        Bytes(block.data, one_mapping).write(number * kPosters + self); // the channel orders it
        Status const done = channel.post(block.ref, kPayload, number, kSecond);
        expect(done.ok() || done.code == -ETIMEDOUT, "post");
        if (!done.ok()) {
            expect(matrix.free(block.ref).ok(), "free of what was not posted");
            continue;
        }
        counts.posted.fetch_add(1);
        counts.sum_posted.fetch_add(number * (self + 1));
    }
    counts.posters.fetch_sub(1);
}

void read_all(Matrix &matrix, Channel &channel, unsigned self, bool one_mapping, Counts &counts)
{
    auto const made = channel.subscribe();
    expect(made.ok(), "subscribe");
    if (!made.ok())
        return;
    Subscription &reader = **made;
    Random random(seed + self + 100);
    uint64_t last[kPosters] = {};
    for (;;) {
        Message message;
        bool const over = counts.posters.load() == 0; // read before looking for the last time
        Status const done = reader.read(over ? 0 : 50 * kMillisecond, message);
        if (!done.ok()) {
            expect(done.code == -EAGAIN || done.code == -ETIMEDOUT, "read");
            if (over && counts.answered.load() == counts.posted.load())
                break;
            continue;
        }
        auto const extent = matrix.data(message.ref);
        expect(extent.ok() && message.missed == 0, "data of a message");
        if (!extent.ok())
            break;
        uint64_t const payload = Bytes(extent->data, one_mapping).read();
        uint64_t const number = payload / kPosters;
        uint64_t const poster = payload % kPosters;
        expect(number == message.tag && message.length == kPayload, "contents");
        // with one reader at a time, what is new comes in order
        expect(message.redeliveries != 0 || number > last[poster], "order");
        if (message.redeliveries == 0)
            last[poster] = number;
        if (message.redeliveries < 3 && random.below(5) == 0) {
            expect(reader.nack(message).ok(), "nack");
            continue;
        }
        if (random.below(4) == 0) {
            expect(reader.take(message).ok(), "take");
            expect(matrix.free(message.ref).ok(), "free of what was taken");
        } else {
            expect(reader.ack(message).ok(), "ack");
        }
        counts.sum_answered.fetch_add(number * (poster + 1));
        counts.answered.fetch_add(1);
    }
    reader.close();
}

void run(Matrix &one, Matrix &two, uint32_t capacity, Nanoseconds time)
{
    ChannelOptions options;
    options.capacity = capacity;
    auto const here = Channel::open(one, "channel", options);
    auto const there = Channel::open(two, "channel", options);
    expect(here.ok() && there.ok(), "open");
    if (!here.ok() || !there.ok())
        return;
    Counts counts;
    bool const one_mapping = &one == &two;
    run_threads(kPosters + kReaders, time, [&](unsigned self, Deadline const &deadline) {
        if (self < kPosters)
            post_all(self == 0 ? one : two, self == 0 ? **here : **there, self, one_mapping,
                     deadline, counts);
        else
            read_all(self % 2 == 0 ? one : two, self % 2 == 0 ? **here : **there, self, one_mapping,
                     counts);
    });
    expect(counts.posted.load() > 0, "nothing was posted");
    expect(counts.posted.load() == counts.answered.load(), "as many answers as messages");
    expect(counts.sum_posted.load() == counts.sum_answered.load(), "the same messages");
    expect((*here)->retire().ok(), "retire");
    (*here)->unref();
    (*there)->unref();
    expect_all_free(one);
}
} // namespace

int main(int argc, char **argv)
{
    Nanoseconds const time = part_time(argc, argv);
    seed = first_seed(argc, argv);
    Matrix &one = must(Matrix::create(nullptr, options_for(8 << 20)));
    Matrix &two = must(Matrix::attach_fd(one.fd(), options_for(8 << 20)));
    run(one, one, 16, time); // posters wait for room
    run(one, one, 1024, time);
    run(one, two, 16, time / 2);
    two.unref();
    one.unref();
    return verdict("channel_threads");
}
