// SPDX-License-Identifier: MIT OR Apache-2.0
// The words for the library's numbers.
#include "names.hpp"

namespace tool {

char const *sector_name(weir_sector sector)
{
    switch (sector) {
    case WEIR_SECTOR_SMALL:
        return "small";
    case WEIR_SECTOR_MEDIUM:
        return "medium";
    case WEIR_SECTOR_LARGE:
        return "large";
    default:
        return "unknown";
    }
}

char const *block_kind_name(weir_block_kind kind)
{
    switch (kind) {
    case WEIR_BLOCK_FREE:
        return "free";
    case WEIR_BLOCK_CLAIMED:
        return "claimed";
    case WEIR_BLOCK_ALLOCATED:
        return "allocated";
    case WEIR_BLOCK_CACHED:
        return "cached";
    case WEIR_BLOCK_RESIZING:
        return "resizing";
    case WEIR_BLOCK_TRIMMED:
        return "trimmed";
    default:
        return "unknown";
    }
}

char const *root_kind_name(weir_root_kind kind)
{
    switch (kind) {
    case WEIR_ROOT_BLOCK:
        return "block";
    case WEIR_ROOT_CHANNEL:
        return "channel";
    case WEIR_ROOT_POOL:
        return "pool";
    case WEIR_ROOT_ROUTER:
        return "router";
    default:
        return "unknown";
    }
}

char const *participant_state_name(weir_participant_state state)
{
    switch (state) {
    case WEIR_PARTICIPANT_LIVE:
        return "live";
    case WEIR_PARTICIPANT_DEAD:
        return "dead";
    case WEIR_PARTICIPANT_REAPING:
        return "reaping";
    default:
        return "unknown";
    }
}

} // namespace tool
