// SPDX-License-Identifier: MIT OR Apache-2.0
// weir record and weir replay: from a channel to a durable log and back.
//
// record acknowledges a message when its record is durable: whoever is killed, a message is in the
// channel or in the log, and perhaps in both. A record is the message's tag, 8 bytes, and its bytes.
#include "verbs.hpp"

#include "clock.hpp"
#include "log_handle.hpp"
#include "matrix_handle.hpp"
#include "output.hpp"

#include "interrupt.hpp"

#include <cerrno>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool {
namespace {
constexpr std::uint32_t kRecordTag = 1;
constexpr std::int64_t kTurnNs = 100 * kMillisecond;
constexpr std::size_t kMostPending = 256;

struct Count {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
};

Channel open_channel(Matrix const &matrix, std::string const &name)
{
    weir_channel *channel = nullptr;
    must(weir_channel_open(matrix.get(), name.c_str(), nullptr, &channel), printable(name));
    return Channel(channel);
}

void tell(char const *verb, Count const &count, bool json)
{
    if (json)
        print_json({{verb, count.messages}, {"bytes", count.bytes}});
    else
        print(fmt::format("{} {} messages, {}\n", verb, count.messages, human_bytes(count.bytes)));
}

class Recorder {
  public:
    explicit Recorder(RecordOptions const &options)
        : options_(options), matrix_(attach_matrix(options.matrix, options.foreign)),
          channel_(open_channel(matrix_, options.channel)), reader_(subscribe(channel_))
    {
        weir_log_options const with = WEIR_LOG_OPTIONS_INIT;
        log_ = open_log(options.folder, with);
    }

    Count run()
    {
        weir_message message{};
        void *data = nullptr;
        while (reader_ && !was_interrupted() && wants_more() && next(message, data))
            append(message, data);
        flush();
        return done_;
    }

  private:
    bool wants_more() const
    {
        return options_.count == 0 || done_.messages + pending_.size() < options_.count;
    }

    /// Does not wait while something is not durable yet. False: the channel was retired, or the
    /// command is interrupted.
    bool next(weir_message &ret_message, void *&ret_data)
    {
        while (!was_interrupted()) {
            bool const wait = pending_.empty();
            int const code =
                weir_channel_read(reader_.get(), wait ? kTurnNs : 0, &ret_message, &ret_data);
            if (code >= 0)
                return true;
            if (code == -WEIR_E_RETIRED)
                return false;
            if (code != -EAGAIN && code != -ETIMEDOUT && code != -EBUSY)
                must(code, "read");
            flush();
        }
        return false;
    }

    void append(weir_message const &message, void const *data)
    {
        weir_log_part const parts[] = {{&message.tag, sizeof message.tag, kRecordTag, 0},
                                       {data, message.length, 0, 0}};
        must(weir_log_appendv(log_.get(), parts, std::size(parts), &last_), "append");
        pending_.push_back(message);
        if (pending_.size() >= kMostPending)
            flush();
    }

    void flush()
    {
        if (pending_.empty())
            return;
        must(weir_log_wait(log_.get(), last_, WEIR_WAIT_FOREVER), "wait for the log");
        for (auto const &message : pending_) {
            int code = weir_channel_ack(reader_.get(), &message);
            for (; code == -EBUSY; code = weir_channel_ack(reader_.get(), &message))
                sleep_ns(kMillisecond);
            must(code, "ack");
            ++done_.messages;
            done_.bytes += message.length;
        }
        pending_.clear();
    }

    RecordOptions const &options_;
    Matrix matrix_;
    Channel channel_;
    Subscription reader_;
    Log log_;
    std::vector<weir_message> pending_;
    std::uint64_t last_ = 0; ///< LSN of the last record
    Count done_;
};

/// Repeats a call that waits for a turn at most, until it succeeds or somebody interrupts.
template <typename Try> void wait_until(Try attempt, char const *what)
{
    int code = -EAGAIN;
    while (code == -EAGAIN || code == -ETIMEDOUT || code == -EBUSY) {
        if (was_interrupted())
            throw Failure("interrupted");
        code = attempt();
    }
    must(code, what);
}

/// Posts one recorded message, waiting for room and for memory; returns its length.
std::size_t post(Matrix const &matrix, Channel const &channel, Record const &record)
{
    std::uint64_t tag = record.tag;
    unsigned char const *bytes = record.data;
    std::size_t length = record.length;
    if (record.tag == kRecordTag && length >= sizeof tag) {
        std::memcpy(&tag, bytes, sizeof tag);
        bytes += sizeof tag;
        length -= sizeof tag;
    }
    weir_alloc_options patient = WEIR_ALLOC_OPTIONS_INIT;
    patient.timeout_ns = kTurnNs;
    weir_ref block = WEIR_REF_NONE;
    void *data = nullptr;
    auto const alloc = [&] {
        int const code =
            weir_matrix_alloc(matrix.get(), length == 0 ? 1 : length, &patient, &block, &data);
        if (code == -EINVAL)
            throw Failure(fmt::format("a message of {} bytes does not fit in the matrix", length));
        return code;
    };
    wait_until(alloc, "alloc");
    std::memcpy(data, bytes, length);
    weir_post_options with = WEIR_POST_OPTIONS_INIT;
    with.tag = tag;
    // If that fails, the block goes back when we leave the matrix, which is at once.
    wait_until([&] { return weir_channel_post(channel.get(), block, length, &with, kTurnNs); },
               "post");
    return length;
}
} // namespace

int record_channel(RecordOptions const &options)
{
    watch_interrupts();
    tell("recorded", Recorder(options).run(), options.json);
    return 0;
}

int replay_log(ReplayOptions const &options)
{
    watch_interrupts();
    Matrix const matrix = attach_matrix(options.matrix, options.foreign);
    Channel const channel = open_channel(matrix, options.channel);
    LogReader const reader = read_log(options.folder, options.from, 0);
    Count count;
    each_record(reader, [&](Record const &record) {
        count.bytes += post(matrix, channel, record);
        ++count.messages;
        return true;
    });
    tell("replayed", count, options.json);
    return 0;
}

} // namespace tool
