// SPDX-License-Identifier: MIT OR Apache-2.0
// A worker's life: attach by the inherited descriptor, work until the channels are retired.
#include "worker.hpp"

#include "../error.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include <fmt/format.h>

namespace tool::ingest {
namespace {
constexpr std::int64_t kTurnNs = 100 * kMillisecond;
constexpr std::int64_t kBusyNs = kMillisecond;
constexpr int kAttachTries = 1000;

/// No worker outlives its parent, not even one that was killed.
void die_with(int parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        fail_errno("prctl");
    if (getppid() != parent)
        _exit(1); // it died before the call
}

/// Participant slots of the recently killed may still be taken; the parent is healing them.
Matrix attach(WorkerOptions const &options)
{
    weir_matrix_options const given =
        matrix_options(fmt::format("{}-{}", options.role, options.slot));
    weir_matrix *matrix = nullptr;
    int code = -EBUSY;
    for (int i = 0; i < kAttachTries && code == -EBUSY; ++i) {
        if (i > 0)
            sleep_ns(kBusyNs);
        code = weir_matrix_attach_fd(options.matrix_fd, &given, &matrix);
    }
    must(code, "attach");
    close(options.matrix_fd);
    return Matrix(matrix);
}

int live(WorkerOptions const &options)
{
    die_with(options.parent);
    Matrix const matrix = attach(options);
    Ledger const ledger = Ledger::attach(matrix);
    if (options.slot >= ledger.workers())
        throw Failure("no such worker");
    Laps laps(ledger.slot(options.slot));
    Session const session{matrix, ledger, ledger.slot(options.slot), options, laps};
    options.role == "producer" ? produce(session) : consume(session);
    return 0;
}
} // namespace

int run_worker(WorkerOptions const &options)
{
    try {
        return live(options);
    } catch (Failure const &failure) {
        throw Failure(fmt::format("{}-{}: {}", options.role, options.slot, failure.what()));
    }
}

Channel join(Session const &session, char const *name)
{
    weir_channel *channel = nullptr;
    int const code = weir_channel_attach(session.matrix.get(), name, nullptr, &channel);
    // The parent made the channels before its first worker: what is missing was retired.
    if (code != -ENOENT && code != -WEIR_E_RETIRED)
        must(code, name);
    return Channel(channel);
}

bool take(Session const &session, Subscription const &reader, weir_message &ret_message)
{
    int code = weir_channel_read(reader.get(), 0, &ret_message, nullptr);
    Phase phase = kTake;
    while (code == -EAGAIN || code == -ETIMEDOUT || code == -EBUSY) {
        phase = kWait;
        if (code == -EBUSY)
            sleep_ns(kBusyNs);
        code = weir_channel_read(reader.get(), kTurnNs, &ret_message, nullptr);
        session.laps.lap(kWait);
    }
    session.laps.lap(phase);
    if (code == -WEIR_E_RETIRED)
        return false;
    must(code, "read");
    if (ret_message.redeliveries > 0)
        bump(session.slot.redelivered);
    return true;
}

bool take_at_once(Session const &session, Subscription const &reader, weir_message &ret_message)
{
    if (weir_channel_read(reader.get(), 0, &ret_message, nullptr) < 0)
        return false; // take() tells what it is
    session.laps.lap(kTake);
    if (ret_message.redeliveries > 0)
        bump(session.slot.redelivered);
    return true;
}

void acknowledge(Session const &session, Subscription const &reader, weir_message const &message)
{
    int code = weir_channel_ack(reader.get(), &message);
    while (code == -EBUSY) {
        sleep_ns(kBusyNs);
        code = weir_channel_ack(reader.get(), &message);
    }
    must(code, "ack");
    session.laps.lap(kAck);
}

std::uint64_t file_of(Session const &session, weir_message const &message)
{
    if (message.tag >= session.ledger.files())
        throw Failure(fmt::format("message {} names file {}, which does not exist",
                                  message.sequence, message.tag));
    return message.tag;
}

} // namespace tool::ingest
