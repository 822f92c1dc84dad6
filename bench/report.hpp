// SPDX-License-Identifier: MIT OR Apache-2.0
// What is compared, how it is measured, and what is said about it.
#pragma once

#include "workloads.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

namespace bench {

/// One of those who do the same work. The first of a group is ours.
struct Contestant {
    std::string name;
    std::function<Outcome()> run; ///< empty: not measured
    double at_most = 0;           ///< ours by its figure; 0: no promise
    std::string missing;          ///< why it is not measured
};

struct Group {
    std::string name;
    std::string chart; ///< what plot.py draws it in; empty: nothing
    double x = 0;      ///< where there: threads, or bytes
    std::vector<Contestant> contestants;
};

/// One line of the table.
struct Row {
    std::string name, unit, who, peer;
    double figure = 0, peer_figure = 0;
    double at_most = 0;  ///< of the ratio, or of the figure if there is no peer; 0: no promise
    std::string missing; ///< why there is no peer's figure
    bool sound = true;   ///< nothing failed and nothing was damaged
    std::string chart;
    double x = 0;
    std::vector<double> figures, peer_figures; ///< of each run

    bool has_peer() const { return !peer.empty() && missing.empty(); }
    double ratio() const { return figure / peer_figure; }
    std::string verdict() const;
};

double median(std::vector<double> values);

enum class TimeOf {
    wall,
    workers, ///< their CPU time: means something where others use the machine, with 1 thread
};

/// All contestants take turns, `rounds` times; the median of each counts. Nanoseconds per operation.
std::vector<Row> measure(Group const &group, int rounds, TimeOf time);

/// A figure that is ours alone, with a bound; `scale` turns seconds per operation into `unit`.
Row measure_alone(std::string const &name, std::string const &unit, double scale, double at_most,
                  std::function<Outcome()> const &run, int rounds, TimeOf time);

void print_heading(int rounds);
void print(Row const &row);
nlohmann::ordered_json to_json(Row const &row);
/// Machine, kernel, versions.
nlohmann::ordered_json circumstances();

/// Rows as they come: printed at once, counted, and kept for a file.
class Table {
  public:
    explicit Table(int rounds);
    nlohmann::ordered_json &circumstances() { return document_["circumstances"]; }
    void add(std::vector<Row> const &rows);
    /// Prints the sum and writes the file, if it has a name. What main() returns.
    int end(std::string const &file);

  private:
    nlohmann::ordered_json document_;
    int met_ = 0, missed_ = 0, unsound_ = 0;
};

} // namespace bench
