// SPDX-License-Identifier: MIT OR Apache-2.0
// The segment of a run: its limits, its channels, and its end.
#pragma once

#include "ingest.hpp"
#include "summary.hpp"
#include "tree.hpp"

#include "../matrix_handle.hpp"

namespace tool::ingest {

/// A matrix with the two channels and the ledger. A name is removed when this ends.
class Segment {
  public:
    /// Throws if the capacity cannot hold the largest file, or the name is taken.
    Segment(Options const &options, Tree const &tree);
    ~Segment();
    Segment(Segment const &) = delete;
    Segment &operator=(Segment const &) = delete;

    Matrix const &matrix() const { return matrix_; }
    Channel const &jobs() const { return jobs_; }
    Channel const &data() const { return data_; }
    Ledger const &ledger() const { return *ledger_; }

    /// Tells all workers that the run is over.
    void retire_channels();
    /// Frees what the parent has, leaves, and looks at what remains as a newcomer.
    SegmentState close();

  private:
    std::string name_;
    Matrix matrix_;
    Channel jobs_;
    Channel data_;
    std::unique_ptr<Ledger> ledger_;
};

} // namespace tool::ingest
