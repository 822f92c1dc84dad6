// SPDX-License-Identifier: MIT OR Apache-2.0
// Between the public structs and the core's.
#pragma once

#include "capi/include/weir.h"
#include "core/channel/router.hpp"
#include "core/matrix/matrix.hpp"
#include "core/pool/pool.hpp"

#include <cstddef>

namespace weir::capi {

/// What a user may choose as the state of a block.
constexpr bool user_state_ok(uint32_t state) noexcept
{
    return state == 0 || (state >= WEIR_STATE_USER_MIN && state <= WEIR_STATE_USER_MAX);
}

/// -EINVAL if a field is out of range. Fields of 0 become their defaults.
int to_core(weir_matrix_options const &from, MatrixOptions &into) noexcept;
/// NULL means all defaults; also -E2BIG.
int to_core(weir_alloc_options const *from, size_t size, AllocRequest &into) noexcept;
int to_core(weir_channel_options const &from, ChannelOptions &into) noexcept;
int to_core(weir_pool_options const &from, PoolOptions &into) noexcept;
int to_core(weir_ids_options const &from, PoolOptions &into) noexcept;
/// -EINVAL or -ENAMETOOLONG if it is no rule.
int to_core(weir_router_rule const &from, Rule &into) noexcept;

/// Many messages pass in a second: the core fills the caller's struct.
inline Message &core(weir_message &message) noexcept
{
    return reinterpret_cast<Message &>(message);
}
inline Message const &core(weir_message const &message) noexcept
{
    return reinterpret_cast<Message const &>(message);
}
static_assert(sizeof(Message) == sizeof(weir_message));
static_assert(offsetof(Message, ref) == offsetof(weir_message, block));
static_assert(offsetof(Message, length) == offsetof(weir_message, length));
static_assert(offsetof(Message, tag) == offsetof(weir_message, tag));
static_assert(offsetof(Message, position) == offsetof(weir_message, sequence));
static_assert(offsetof(Message, sender) == offsetof(weir_message, sender));
static_assert(offsetof(Message, posted_at_ns) == offsetof(weir_message, posted_at_ns));
static_assert(offsetof(Message, missed) == offsetof(weir_message, missed));
static_assert(offsetof(Message, redeliveries) == offsetof(weir_message, redeliveries));
static_assert(offsetof(Message, level) == offsetof(weir_message, priority));

weir_matrix_info from_core(MatrixStats const &from) noexcept;
weir_memory_info from_core(MemoryKind const &kind, MemoryUse const &use) noexcept;
weir_check_report from_core(CheckReport const &from) noexcept;
weir_heal_report from_core(HealReport const &from) noexcept;
weir_block_info from_core(BlockInfo const &from) noexcept;
weir_participant_info from_core(ParticipantInfo const &from) noexcept;
weir_root_info from_core(RootInfo const &from) noexcept;
weir_channel_info from_core(ChannelInfo const &from) noexcept;
weir_pool_info from_core(PoolStats const &from) noexcept;
weir_slot_info from_core(PoolSlotInfo const &from) noexcept;

weir_subscriber_info from_core(SubscriberInfo const &from) noexcept;
weir_rule_info from_core(Rule const &from) noexcept;

/// Calls a user's callback with public structs.
template <class CoreInfo, class PublicFn> struct WalkAdapter {
    PublicFn callback;
    void *userdata;

    static int call(CoreInfo const &info, void *self) noexcept
    {
        auto const &adapter = *static_cast<WalkAdapter *>(self);
        auto const converted = from_core(info);
        return adapter.callback(&converted, adapter.userdata);
    }
    int (*function() const noexcept)(CoreInfo const &, void *) { return &WalkAdapter::call; }
};

} // namespace weir::capi
