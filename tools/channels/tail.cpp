// SPDX-License-Identifier: MIT OR Apache-2.0
// weir channel tail: shows messages without keeping them from anybody.
//
// Of a broadcast channel each message, as one more subscriber. In a queue who reads takes, so there
// it is the header of the next message, as often as that is another one.
#include "channels.hpp"

#include "../error.hpp"
#include "../interrupt.hpp"
#include "../output.hpp"
#include "../owners.hpp"
#include "open.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tool::channels {
namespace {
constexpr std::size_t kPreview = 60;

/// One line for people, or one JSON object a line; without bytes, of a queue's message.
std::string line_of(weir_message const &m, std::optional<std::string_view> bytes, bool json)
{
    if (json) {
        nlohmann::ordered_json object{{"level", m.priority}, {"sequence", m.sequence},
                                      {"length", m.length},  {"tag", m.tag},
                                      {"sender", m.sender},  {"posted_at_ns", m.posted_at_ns},
                                      {"missed", m.missed}};
        if (bytes)
            object["hex"] = hex_digits(bytes->data(), bytes->size());
        return object.dump() + "\n";
    }
    std::string line = fmt::format("{:>5} {:>10} {:>9} {:>18}", m.priority, m.sequence, m.length,
                                   fmt::format("{:#x}", m.tag));
    if (bytes)
        line += "  " + printable(std::string(bytes->substr(0, kPreview))) +
                (bytes->size() > kPreview ? " …" : "");
    return line + "\n";
}

class Tail {
  public:
    explicit Tail(TailOptions const &options) : options_(options)
    {
        if (!options.target.json)
            print(fmt::format("{:>5} {:>10} {:>9} {:>18}\n", "level", "number", "bytes", "tag"));
    }

    void follow_broadcast(Channel const &channel)
    {
        Subscription const reader = subscribe(channel);
        weir_message message{};
        void *data = nullptr;
        while (reader && wants_more()) {
            int const code = weir_channel_read(reader.get(), kTurnNs, &message, &data);
            if (code == -WEIR_E_RETIRED)
                return;
            if (is_turn_over(code)) {
                check_stdout();
                continue;
            }
            must(code, "read");
            std::string const line =
                line_of(message, std::string_view(static_cast<char *>(data), message.length),
                        options_.target.json);
            must(weir_channel_ack(reader.get(), &message), "ack"); // before a slow terminal
            show(line);
        }
    }

    void sample_queue(Channel const &channel)
    {
        std::optional<weir_message> last;
        while (wants_more()) {
            weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
            int const code = weir_channel_inquire(channel.get(), &info);
            if (code == -WEIR_E_RETIRED)
                return;
            must(code, "inquire");
            weir_message next{};
            next.priority = info.next_priority;
            next.sequence = info.next_sequence;
            next.length = info.next_length;
            next.tag = info.next_tag;
            next.sender = info.next_sender;
            next.posted_at_ns = info.next_posted_at_ns;
            bool const same =
                last && last->sequence == next.sequence && last->priority == next.priority;
            if (info.waiting != 0 && !same) {
                show(line_of(next, std::nullopt, options_.target.json));
                last = next;
            }
            check_stdout();
            sleep_ns(options_.interval_ns);
        }
    }

  private:
    bool wants_more() const
    {
        return !was_interrupted() && (options_.count == 0 || shown_ < options_.count);
    }
    void show(std::string const &line)
    {
        print(line);
        ++shown_;
    }

    TailOptions const &options_;
    std::uint64_t shown_ = 0;
};
} // namespace

int tail_channel(TailOptions const &options)
{
    watch_interrupts();
    ObjectTarget const &target = options.target;
    Matrix const watched = observe_matrix(target.matrix, target.foreign);
    Channel const looked_at = attach_channel(watched, target.name);
    Tail tail(options);
    if (inquire(looked_at).mode != WEIR_CHANNEL_BROADCAST) {
        tail.sample_queue(looked_at);
        return 0;
    }
    Matrix const matrix = attach_matrix(target.matrix, target.foreign);
    tail.follow_broadcast(attach_channel(matrix, target.name));
    return 0;
}

} // namespace tool::channels
