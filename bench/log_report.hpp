// SPDX-License-Identifier: MIT OR Apache-2.0
// Figures of the log as lines and as JSON, and on what they were measured.
#pragma once

#include "../tools/bench/log_bench.hpp"

#include <nlohmann/json.hpp>

namespace bench {
using Json = nlohmann::ordered_json;

void print_row(tool::bench::LogFigure const &row);
Json to_json(tool::bench::LogFigure const &row);
/// Date, machine, kernel, load and versions.
Json log_circumstances();

} // namespace bench
