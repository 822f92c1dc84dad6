// SPDX-License-Identifier: MIT OR Apache-2.0
// A consumer: checksums a block where it is, writes it out if asked to, records the outcome.
#include "checksum.hpp"
#include "files.hpp"
#include "run_log.hpp"
#include "worker.hpp"

#include "../error.hpp"

#include <memory>
#include <utility>

#include <fmt/format.h>

namespace tool::ingest {
namespace {
class Consumer {
  public:
    Consumer(Session const &session, Subscription reader)
        : session_(session), reader_(std::move(reader)),
          scratch_(fmt::format("{}/{}", session.options.scratch, session.options.slot))
    {
        if (!session.options.out.empty())
            out_ = open_folder(session.options.out);
        if (!session.options.log.empty())
            log_ = std::make_unique<LogWriter>(session, reader_);
    }

    void run()
    {
        weir_message message{};
        while (next(message)) {
            note_latency(message);
            if (!deliver(message))
                continue;                            // the log answers when it is durable
            acknowledge(session_, reader_, message); // last: frees the block
            bump(session_.slot.messages);
            bump(session_.slot.bytes, message.length);
        }
    }

  private:
    /// With a log: what was appended is made durable before it is waited for more.
    bool next(weir_message &ret_message)
    {
        if (log_ && !log_->is_empty()) {
            if (!log_->is_full() && take_at_once(session_, reader_, ret_message))
                return true;
            log_->flush();
        }
        return take(session_, reader_, ret_message);
    }

    void note_latency(weir_message const &message)
    {
        // A redelivered message waited for a dead process, which is another question.
        if (message.redeliveries == 0 && session_.laps.since() > message.posted_at_ns)
            session_.slot.latency.add(static_cast<std::uint64_t>(session_.laps.since()) -
                                      static_cast<std::uint64_t>(message.posted_at_ns));
    }

    /// False: it is answered later.
    bool deliver(weir_message const &message)
    {
        std::uint64_t const index = file_of(session_, message);
        void *data = nullptr;
        std::size_t size = 0;
        must(weir_matrix_data(session_.matrix.get(), message.block, &data, &size), "data");
        if (message.length > size)
            throw Failure("a message is longer than its block");
        std::uint32_t const checksum = crc32c(0, data, message.length);
        session_.laps.lap(kChecksum);
        if (out_ && !write(index, data, message.length))
            return true;
        if (log_) {
            log_->add(message, index, data, checksum);
            return false;
        }
        session_.ledger.record_delivery(index, message.length, checksum);
        return true;
    }

    /// False if it cannot be written, which is recorded: a problem of this file alone.
    bool write(std::uint64_t index, void const *data, std::size_t length)
    {
        // relaxed: the message has published it
        std::uint32_t const mode =
            session_.ledger.entry(index).mode.load(std::memory_order_relaxed);
        try {
            write_file(out_, session_.ledger.path(index), scratch_, {data, length, mode});
        } catch (SystemFailure const &failure) {
            session_.ledger.record_failure(
                index, {Kind::unwritable, static_cast<std::uint32_t>(failure.code())});
            return false;
        }
        session_.laps.lap(kWrite);
        return true;
    }

    Session const &session_;
    Subscription reader_;
    std::string scratch_;
    File out_;
    std::unique_ptr<LogWriter> log_;
};
} // namespace

void consume(Session const &session)
{
    Channel const data = join(session, kDataChannel);
    Subscription reader = data ? subscribe(data) : nullptr;
    if (reader)
        Consumer(session, std::move(reader)).run();
}

} // namespace tool::ingest
