// SPDX-License-Identifier: MIT OR Apache-2.0
// weir sub: writes the messages of a channel to stdout or to files.
//
// A message is acknowledged when it is written, so whoever is killed loses none: what he had in
// hand, at most a batch, another reader gets, or he himself when he comes back.
#include "channels.hpp"

#include "../error.hpp"
#include "../interrupt.hpp"
#include "../output.hpp"
#include "end.hpp"
#include "open.hpp"
#include "sink.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <fmt/format.h>

namespace tool::channels {
namespace {
constexpr std::uint64_t kBatch = 256;
/// In hand they keep their places in the ring, so a small one is not emptied into one hand.
constexpr std::uint64_t kHandPart = 4;

class Reading {
  public:
    explicit Reading(SubscribeOptions const &options)
        : options_(options), open_(open_channel(options.choice)), reader_(subscribe(open_.channel)),
          sink_(options), since_ns_(now_ns()),
          came_late_(is_end(open_.matrix, options.choice.channel)),
          hand_(std::clamp<std::uint64_t>(open_.info.capacity / kHandPart, 1, kBatch))
    {
        must(weir_matrix_participant_id(open_.matrix.get(), &me_), "participant");
    }

    void run()
    {
        while (reader_ && !was_interrupted() && !has_enough()) {
            int const code = read();
            if (code == -WEIR_E_RETIRED)
                break; // what waited in it is gone, and so is who would post
            if (code > 0)
                pass_on(static_cast<std::size_t>(code));
            else if (!is_turn_over(code))
                must(code, "read");
            else if (is_over())
                break;
        }
        if (missed_ != 0)
            fmt::print(stderr, "weir: {} messages were lost before they could be read\n", missed_);
    }

  private:
    bool has_enough() const { return options_.count != 0 && done_ >= options_.count; }

    int read()
    {
        std::uint64_t const wanted = options_.count == 0 ? hand_ : options_.count - done_;
        messages_.resize(std::min(wanted, hand_));
        return weir_channel_read_many(reader_.get(), messages_.size(), kTurnNs, messages_.data());
    }

    void pass_on(std::size_t count)
    {
        messages_.resize(count);
        payloads_.clear();
        for (weir_message const &message : messages_) {
            void *data = nullptr;
            must(weir_matrix_data(open_.matrix.get(), message.block, &data, nullptr), "data");
            payloads_.push_back({static_cast<unsigned char *>(data), message.length});
            missed_ += message.missed;
        }
        sink_.write(payloads_);
        for (std::size_t acked = 0; acked < count;) {
            int const code =
                weir_channel_ack_many(reader_.get(), messages_.data() + acked, count - acked);
            if (code == -EBUSY)
                sleep_ns(kMillisecond);
            else
                acked += static_cast<std::size_t>(must(code, "ack"));
        }
        done_ += count;
    }

    /// Whether all has been read and no more is coming. What another reader has in hand may come
    /// to us if he dies.
    bool is_over()
    {
        if (!is_end(open_.matrix, options_.choice.channel)) {
            came_late_ = false;
            return false;
        }
        if (came_late_ && done_ == 0 && now_ns() - since_ns_ < options_.linger_ns)
            return false;
        weir_channel_info const info = inquire(open_.channel);
        std::uint64_t const unread =
            info.mode == WEIR_CHANNEL_BROADCAST ? lag() : info.waiting + info.held;
        return unread + info.writing == 0;
    }

    std::uint64_t lag() const
    {
        struct Sum {
            std::uint64_t me;
            std::uint64_t lag;
        } sum{me_, 0};
        auto const add = [](weir_subscriber_info const *info, void *userdata) {
            auto &mine = *static_cast<Sum *>(userdata);
            mine.lag += info->participant == mine.me ? info->lag : 0;
            return 0;
        };
        must(weir_channel_subscribers(open_.channel.get(), add, &sum), "subscribers");
        return sum.lag;
    }

    SubscribeOptions const &options_;
    OpenChannel const open_;
    Subscription const reader_;
    Sink sink_;
    std::int64_t since_ns_;
    bool came_late_; ///< after the end of what was posted before
    std::uint64_t hand_;
    std::uint64_t me_ = 0;
    std::vector<weir_message> messages_;
    std::vector<Payload> payloads_;
    std::uint64_t done_ = 0;
    std::uint64_t missed_ = 0;
};
} // namespace

int subscribe_to(SubscribeOptions const &options)
{
    watch_interrupts();
    Reading(options).run();
    return 0;
}

} // namespace tool::channels
