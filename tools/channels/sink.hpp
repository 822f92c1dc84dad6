// SPDX-License-Identifier: MIT OR Apache-2.0
// Where messages are written to, straight from their blocks: stdout, or files.
#pragma once

#include "../ingest/files.hpp"
#include "channels.hpp"

#include <sys/uio.h>

#include <cstddef>
#include <string>
#include <vector>

namespace tool::channels {

/// The bytes of one message.
struct Payload {
    unsigned char const *data;
    std::size_t length;
};

/// Whether a file of this path stays in the folder that it is written to: anybody may post one.
bool stays_below(std::string const &stored);

class Sink {
  public:
    explicit Sink(SubscribeOptions const &options) : options_(options) {}

    bool is_folder() const { return options_.framing == Framing::files; }
    /// Returns when they are written; throws if one cannot be. Of files, those that cannot be, but
    /// others can, are named on stderr and returned by their places.
    std::vector<std::size_t> write(std::vector<Payload> const &batch);

  private:
    void write_stream(std::vector<Payload> const &batch);
    std::string try_file(Payload const &message) const;
    ingest::File open_out() const;
    void write_file(Payload const &message) const;

    SubscribeOptions const &options_;
    std::vector<iovec> pieces_;
    std::vector<unsigned char> prefixes_;
};

} // namespace tool::channels
