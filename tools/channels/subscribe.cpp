// SPDX-License-Identifier: MIT OR Apache-2.0
// weir sub: writes the messages of a channel to stdout or to files.
//
// A message is acknowledged when it is written, so whoever is killed loses none: what he had in
// hand, at most a batch, another reader gets, or he himself when he comes back.
//
// A file that cannot be written does not stop the others. In a queue its message is kept in hand to
// the end, so that it is not read again and again; then it is in the channel as before, for whoever
// can write it. A broadcast message is over, for nobody else would get it.
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
constexpr std::uint64_t kReadBatch = 256;
/// In hand they keep their places in the ring, so a small one is not emptied into one hand.
constexpr std::uint64_t kHandPart = 4;

class Reading {
  public:
    explicit Reading(SubscribeOptions const &options)
        : options_(options), open_(open_channel(options.choice)), reader_(subscribe(open_.channel)),
          sink_(options), since_ns_(now_ns()),
          came_late_(is_end(open_.matrix, options.choice.channel)),
          hand_(std::clamp<std::uint64_t>(open_.info.capacity / kHandPart, 1, kReadBatch))
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
            else if (!sink_.is_folder())
                check_stdout();
        }
        if (missed_ != 0)
            fmt::print(stderr, "weir: {} messages were lost before they could be read\n", missed_);
        if (refused_ != 0)
            throw Failure(fmt::format("{} messages could not be written{}", refused_,
                                      is_queue() ? " and stay in the channel" : ""));
    }

  private:
    bool is_queue() const { return open_.info.mode == WEIR_CHANNEL_QUEUE; }
    /// Also when the hand is full of what cannot be written.
    bool has_enough() const
    {
        bool const full = is_queue() && refused_ >= hand_;
        return full || (options_.count != 0 && done_ >= options_.count);
    }

    int read()
    {
        std::uint64_t const wanted = options_.count == 0 ? hand_ : options_.count - done_;
        messages_.resize(std::min(wanted, hand_));
        data_.resize(messages_.size());
        return weir_channel_read_many(reader_.get(), messages_.size(), kTurnNs, messages_.data(),
                                      data_.data());
    }

    void pass_on(std::size_t count)
    {
        messages_.resize(count);
        payloads_.clear();
        for (std::size_t i = 0; i < count; ++i) {
            payloads_.push_back({static_cast<unsigned char *>(data_[i]), messages_[i].length});
            missed_ += messages_[i].missed;
        }
        auto const refused = sink_.write(payloads_);
        refused_ += refused.size();
        if (is_queue())
            for (auto at = refused.rbegin(); at != refused.rend(); ++at)
                messages_.erase(messages_.begin() + static_cast<std::ptrdiff_t>(*at));
        acknowledge(messages_.size());
        done_ += count - refused.size();
    }

    void acknowledge(std::size_t count)
    {
        for (std::size_t acked = 0; acked < count;) {
            int const code =
                weir_channel_ack_many(reader_.get(), messages_.data() + acked, count - acked);
            if (code == -EBUSY)
                sleep_ns(kMillisecond);
            else
                acked += static_cast<std::size_t>(must(code, "ack"));
        }
    }

    /// Whether all has been read and no more is coming. What another reader has in hand may come
    /// to us if he dies; but two who keep what they cannot write must not wait for each other.
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
            is_queue() ? info.waiting + (refused_ == 0 ? info.held : 0) : lag();
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
    std::vector<void *> data_; ///< of each
    std::vector<Payload> payloads_;
    std::uint64_t done_ = 0;
    std::uint64_t missed_ = 0;
    std::uint64_t refused_ = 0; ///< could not be written
};
} // namespace

int subscribe_to(SubscribeOptions const &options)
{
    watch_interrupts();
    Reading(options).run();
    return 0;
}

} // namespace tool::channels
