// SPDX-License-Identifier: MIT OR Apache-2.0
// What a look at the channels of a matrix from outside tells.
#pragma once

#include "../matrix_handle.hpp"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace tool::channels {

struct Facts {
    std::string name;
    weir_channel_info info;
    std::vector<weir_subscriber_info> subscribers;
};

/// Of one that must be there.
Facts facts_of(Matrix const &matrix, std::string const &name);
/// Of all but those that are retired.
std::vector<Facts> all_facts(Matrix const &matrix);

/// Messages that the slowest reader has not answered: of a queue, what waits and what is in hand.
std::uint64_t lag_of(Facts const &facts);
/// Those dropped, and those whose time to live ended.
std::uint64_t lost_of(Facts const &facts);

/// The name, made safe to print.
std::string shown_name(Facts const &facts);
/// What every list of channels has of one.
nlohmann::ordered_json summary_json(Facts const &facts);

} // namespace tool::channels
