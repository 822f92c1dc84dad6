// SPDX-License-Identifier: MIT OR Apache-2.0
// LIVE: the page by which readers of other processes follow a log that is being written.
//
// It is volatile: the writer never believes it (but for `sleepers`, a hint), recovery never opens
// it. A reader believes it as far as files bear it out: a watermark beyond what the segments hold
// ends in "nothing more now".
//
// Death of the writer: the watermarks stand still. Epoch 0 is written by close() alone, so readers
// of a dead writer's log sleep with a limit and look at the files.
#pragma once

#include "core/base/clock.hpp"
#include "core/base/error.hpp"
#include "core/flush/io.hpp"
#include "core/log/layout.hpp"

namespace weir {

/// Whether somebody has this file, a log's LOCK, locked: a writer lives. Who cannot look believes so.
bool somebody_locks(File lock) noexcept;
/// The same of a folder of this machine. Without a LOCK that can be read: no.
bool has_writer(Io const &io) noexcept;

class Live {
  public:
    Live() noexcept = default;
    Live(Live const &) = delete;
    Live &operator=(Live const &) = delete;
    ~Live() { close(); }

    /// The writer's: made if it is not there, and set to a new life.
    Status publish(char const *folder, uint32_t mode, uint8_t const (&uuid)[16], uint64_t epoch,
                   Lsn durable, Lsn truncated) noexcept;
    /// A reader's. -ENOENT; -kCorrupt: it is not what it should be.
    Status open(char const *folder) noexcept;
    void close() noexcept;
    /// In a fork child: the page stays the parent's.
    LivePage *page() const noexcept { return page_; }
    /// Whether this process may count itself among the sleepers.
    bool writable() const noexcept { return writable_; }

    /// Both never fall. Wakes readers when something has moved.
    void advance(Lsn written, Lsn durable) const noexcept;
    void truncated(Lsn lsn) noexcept;
    /// The writer has gone in order.
    void end() noexcept;

  private:
    Status map(int fd, bool writable) noexcept;
    void wake() const noexcept;

    LivePage *page_ = nullptr;
    bool writable_ = false;
};

} // namespace weir
