// SPDX-License-Identifier: MIT OR Apache-2.0
// A segment in the explorer's image, and one mapping of it per fibre.
#pragma once

#include "core/base/error.hpp"
#include "core/segment/participants.hpp"
#include "tests/explore/explorer.hpp"

#include <cstdint>
#include <string>

namespace weir::explore {

class SegmentWorld : public Scenario {
  protected:
    /// Formats a segment; `spare` more bytes of the image are the scenario's own.
    void make_segment(GeometryRequest const &request, std::size_t spare);
    /// One mapping, as the process of a fibre has it.
    void adopt(Segment &segment) const { segment.adopt(base_, geometry_); }

    char *spare() const { return spare_; }
    std::byte *base() const { return base_; }
    Geometry const &geometry() const { return geometry_; }
    std::string value_of(void const *address, uint64_t value) const override;

    ParticipantSlot *slots() const;
    /// The slot whose word `address` is, or -1.
    int slot_of_word(void const *address) const;

  private:
    std::byte *base_ = nullptr;
    char *spare_ = nullptr;
    Geometry geometry_;
};

/// The smallest request for so many granules of 64, 256 and 65536 bytes.
GeometryRequest tiny_request(uint64_t small, uint64_t medium, uint64_t large,
                             uint32_t participants);

/// For set-up: ends the explorer if `status` says no.
void must(Status status, char const *what);

/// `live(gen 1)`, `reaping(gen 1, by 2 gen 0)`.
std::string text_of(SlotWord word);

} // namespace weir::explore
