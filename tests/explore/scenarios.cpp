// SPDX-License-Identifier: MIT OR Apache-2.0
// All families of scenarios, in the order in which they are run.
#include "tests/explore/scenarios.hpp"

namespace weir::explore {

void register_all()
{
    register_index();
    register_participants();
    register_matrix();
    register_lanes();
    register_growth();
    register_trim();
    register_resize();
    register_wait();
    register_channel();
    register_router();
    register_flush();
    register_pool();
}

} // namespace weir::explore
