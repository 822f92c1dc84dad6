// SPDX-License-Identifier: MIT OR Apache-2.0
// weir log bench: appends beside what they cost at least, measured in the same minute.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tool::bench {

struct LogBenchSettings {
    std::string folder; ///< a folder of our own is made in it
    double seconds = 1; ///< per figure and side
    std::vector<unsigned> threads = {1, 2, 8};
    int rounds = 5;
    std::string only; ///< rows with this text in their name
};

/// One figure: weir beside a floor or a peer. Medians of rounds in which the sides take turns; the
/// ratio is the median of the rounds' ratios.
struct LogFigure {
    std::string name;
    std::string peer; ///< or floor; empty: there is none
    std::string unit; ///< 1/s and MB/s: more is better; of others, less
    unsigned threads = 1;
    std::uint32_t bytes = 0; ///< of a record
    double weir = 0;
    double other = 0;
    double ratio = 0;        ///< weir by other
    double ratio_target = 0; ///< 0: none
    double target = 0;       ///< of the figure, 0: none
    std::string chart;       ///< what a plot draws it in; empty: nothing
    std::string missing;     ///< why there is no peer's figure
    std::vector<double> runs, other_runs;

    bool less_is_better() const { return unit != "1/s" && unit != "MB/s"; }
    bool has_other() const { return !peer.empty() && missing.empty(); }
    /// "met", "MISSED", "not measured: why", or empty without a target.
    std::string verdict() const;
};

using Measured = std::function<double()>;
using Show = std::function<void(LogFigure const &)>;

/// Measures both sides in turns.
LogFigure take_turns(LogFigure figure, int rounds, Measured const &weir, Measured const &other);

/// Runs all rows; `show` gets each as soon as it is there.
std::vector<LogFigure> run_log(LogBenchSettings const &settings, Show const &show);

} // namespace tool::bench
