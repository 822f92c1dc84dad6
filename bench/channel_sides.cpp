// SPDX-License-Identifier: MIT OR Apache-2.0
// The sides of a ping-pong: what is done before, between and after the two looks at the clock.
#include "channel_sides.hpp"

#include <weir.h>

#include <fmt/core.h>
#ifdef WEIR_BENCH_BOOST
#include <boost/interprocess/ipc/message_queue.hpp>
#endif

#include <climits>
#include <memory>

#include <linux/futex.h>
#include <sys/syscall.h>

namespace bench {
namespace {

void must(int code, char const *what)
{
    if (code != 0)
        throw std::runtime_error(fmt::format("{}: {}", what, weir_strerror(code)));
}

/// The first and the last word of a message.
void write_ends(void *data, std::size_t size, std::uint64_t value)
{
    std::memcpy(data, &value, sizeof value);
    std::memcpy(static_cast<char *>(data) + size - sizeof value, &value, sizeof value);
}

bool ends_are(void const *data, std::size_t size, std::uint64_t value)
{
    std::uint64_t first, last;
    std::memcpy(&first, data, sizeof first);
    std::memcpy(&last, static_cast<char const *>(data) + size - sizeof last, sizeof last);
    return first == value && last == value;
}

/// A matrix with a channel for each direction.
struct Channels {
    weir_matrix *matrix = nullptr;
    weir_channel *there = nullptr, *back = nullptr;

    Channels()
    {
        must(weir_matrix_create(nullptr, nullptr, &matrix), "a matrix");
        must(weir_channel_create(matrix, "there", nullptr, &there), "a channel");
        must(weir_channel_create(matrix, "back", nullptr, &back), "a channel");
    }
    ~Channels()
    {
        weir_channel_unref(there);
        weir_channel_unref(back);
        weir_matrix_unref(matrix);
    }
};

class ChannelSide {
  public:
    ChannelSide(Channels const &all, bool pinging, Waits waits, std::size_t size)
        : matrix_(all.matrix), out_(pinging ? all.there : all.back), waits_(waits), size_(size)
    {
        must(weir_channel_subscribe(pinging ? all.back : all.there, &in_), "a subscription");
    }
    void prepare(int number)
    {
        void *data = nullptr;
        must(weir_matrix_alloc(matrix_, size_, nullptr, &next_, &data), "a block");
        write_ends(data, size_, std::uint64_t(number));
    }
    void send(int) { must(weir_channel_post(out_, next_, size_, nullptr, 0), "a post"); }
    void receive(int)
    {
        int code = 0;
        std::int64_t const timeout = waits_ == Waits::asleep ? WEIR_WAIT_FOREVER : 0;
        do
            code = weir_channel_read(in_, timeout, &got_, &data_);
        while (code == -EAGAIN);
        must(code, "a read");
    }
    bool finish(int number)
    {
        bool const right = got_.length == size_ && ends_are(data_, size_, std::uint64_t(number));
        return weir_channel_ack(in_, &got_) == 0 && right;
    }

  private:
    weir_matrix *matrix_;
    weir_channel *out_;
    weir_subscription *in_ = nullptr;
    Waits waits_;
    std::size_t size_;
    weir_ref next_ = 0;
    weir_message got_{};
    void *data_ = nullptr;
};

/// A word for each direction, in cache lines of their own.
struct Words {
    alignas(64) std::atomic<std::uint32_t> there{0};
    alignas(64) std::atomic<std::uint32_t> back{0};
};

class LineSide {
  public:
    LineSide(std::atomic<std::uint32_t> &out, std::atomic<std::uint32_t> &in) : out_(out), in_(in)
    {
    }
    void prepare(int) {}
    void send(int number)
    {
        out_.store(std::uint32_t(number) + 1, std::memory_order_release); // pairs with receive()
    }
    void receive(int number)
    {
        while (in_.load(std::memory_order_acquire) != std::uint32_t(number) + 1) { // send()
        }
    }
    bool finish(int) { return true; }

  protected:
    std::atomic<std::uint32_t> &out_, &in_;
};

/// The least that a message takes which lies elsewhere and may be another reader's: a cell that leads
/// to it, claimed by a CAS, and a word of the message itself. Two lines, the second behind the first.
class CellSide {
  public:
    static constexpr int kCells = 1024; ///< as a channel has by default
    struct alignas(64) Line {
        std::atomic<std::uint64_t> word{0};
    };
    struct Way {
        Line cell[kCells], message[kCells];
    };

    CellSide(Way &out, Way &in) : out_(out), in_(in) {}
    void prepare(int) {}
    void send(int number)
    {
        out_.message[number % kCells].word.store(full(number), std::memory_order_release);
        out_.cell[number % kCells].word.store(full(number), std::memory_order_release); // receive()
    }
    void receive(int number)
    {
        std::uint64_t found;
        Line &cell = in_.cell[number % kCells];
        while ((found = cell.word.load(std::memory_order_acquire)) != full(number)) { // send()
        }
        Line &message = in_.message[(found / 2 - 1) % kCells];
        cell.word.compare_exchange_strong(found, found + 1);
        right_ = message.word.load(std::memory_order_acquire) == full(number); // send()
        message.word.store(0, std::memory_order_release);                      // it is free
    }
    bool finish(int) { return right_; }

  private:
    static std::uint64_t full(int number) { return (std::uint64_t(number) + 1) * 2; }

    Way &out_, &in_;
    bool right_ = false;
};

class FutexSide : public LineSide {
  public:
    using LineSide::LineSide;
    void send(int number)
    {
        LineSide::send(number);
        syscall(SYS_futex, &out_, FUTEX_WAKE, 1, nullptr, nullptr, 0);
    }
    void receive(int number)
    {
        while (in_.load(std::memory_order_acquire) != std::uint32_t(number) + 1) // send()
            syscall(SYS_futex, &in_, FUTEX_WAIT, std::uint32_t(number), nullptr, nullptr, 0);
    }
};

template <class Side, class Both> Latency bare_latency(Rally const &rally)
{
    void *const memory =
        mmap(nullptr, sizeof(Both), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        throw std::runtime_error("no memory for both ways");
    auto *const both = new (memory) Both;
    Latency const latency = ping_pong(rally, [both](bool pinging) {
        return pinging ? std::make_unique<Side>(both->there, both->back)
                       : std::make_unique<Side>(both->back, both->there);
    });
    munmap(memory, sizeof(Both));
    return latency;
}

struct Ways {
    CellSide::Way there, back;
};

#ifdef WEIR_BENCH_BOOST
namespace ipc = boost::interprocess;

class QueueSide {
  public:
    QueueSide(std::string const &out, std::string const &in, Waits waits, std::size_t size)
        : out_(ipc::open_only, out.c_str()), in_(ipc::open_only, in.c_str()), waits_(waits),
          next_(size), got_(size)
    {
    }
    void prepare(int number) { write_ends(next_.data(), next_.size(), std::uint64_t(number)); }
    void send(int) { out_.send(next_.data(), next_.size(), 0); }
    void receive(int)
    {
        unsigned priority;
        if (waits_ == Waits::asleep)
            in_.receive(got_.data(), got_.size(), length_, priority);
        else
            while (!in_.try_receive(got_.data(), got_.size(), length_, priority)) {
            }
    }
    bool finish(int number)
    {
        return length_ == got_.size() && ends_are(got_.data(), length_, std::uint64_t(number));
    }

  private:
    ipc::message_queue out_, in_;
    Waits waits_;
    std::vector<char> next_, got_;
    std::size_t length_ = 0;
};

/// A queue that goes with this.
struct NamedQueue {
    std::string name;

    NamedQueue(char const *which, std::size_t size)
        : name(fmt::format("weir-bench-{}-{}", getpid(), which))
    {
        ipc::message_queue(ipc::create_only, name.c_str(), 16, size);
    }
    NamedQueue(NamedQueue const &) = delete;
    NamedQueue &operator=(NamedQueue const &) = delete;
    ~NamedQueue() { ipc::message_queue::remove(name.c_str()); }
};
#endif
} // namespace

Latency channel_latency(Waits waits, std::size_t size, Rally const &rally)
{
    Channels const all;
    return ping_pong(rally, [&](bool pinging) {
        return std::make_unique<ChannelSide>(all, pinging, waits, size);
    });
}

Latency cache_line_latency(Rally const &rally) { return bare_latency<LineSide, Words>(rally); }

Latency claimed_latency(Rally const &rally) { return bare_latency<CellSide, Ways>(rally); }

Latency futex_latency(Rally const &rally) { return bare_latency<FutexSide, Words>(rally); }

#ifdef WEIR_BENCH_BOOST
Latency message_queue_latency(Waits waits, std::size_t size, Rally const &rally)
{
    NamedQueue const there("there", size), back("back", size);
    return ping_pong(rally, [&](bool pinging) {
        return pinging ? std::make_unique<QueueSide>(there.name, back.name, waits, size)
                       : std::make_unique<QueueSide>(back.name, there.name, waits, size);
    });
}
#endif

} // namespace bench
