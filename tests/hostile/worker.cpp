// SPDX-License-Identifier: MIT OR Apache-2.0
// Random calls of all that the library offers on a matrix; only the extents it returns are judged.
#include "hostile.hpp"

#include <cstdio>
#include <cstring>

namespace hostile {
namespace {
int count_block(weir_block_info const *, void *count)
{
    ++*static_cast<uint64_t *>(count);
    return 0;
}
int count_participant(weir_participant_info const *, void *count)
{
    ++*static_cast<uint64_t *>(count);
    return 0;
}
int count_root(weir_root_info const *, void *count)
{
    ++*static_cast<uint64_t *>(count);
    return 0;
}
} // namespace

Worker::Worker(Victim &victim, uint64_t seed, bool alone) noexcept
    : victim_(victim), matrix_(victim.matrix()), random_(seed), alone_(alone)
{
    open_channel();
    open_pool();
}

Worker::~Worker()
{
    close_channel();
    CALL(weir_pool_unref(pool_));
}

void Worker::step() noexcept
{
    switch (random_.below(24)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        return allocate();
    case 5:
    case 6:
    case 7:
    case 8: {
        weir_ref &ref = refs_[random_.below(kRefs)];
        CALL(weir_matrix_free(matrix_, ref));
        ref = random_.one_in(8) ? ref : 0; // a second free now and then
        return;
    }
    case 9:
    case 10:
        return use(some_ref());
    case 11:
        return random_.one_in(2) ? change(some_ref()) : change_size(refs_[random_.below(kRefs)]);
    case 12:
        return look();
    case 13:
        return name_it();
    case 14:
        return random_.one_in(8) ? second_handle() : random_.one_in(4) ? batch() : use(some_ref());
    case 15:
    case 16:
    case 17:
        return post();
    case 20:
    case 21:
        return acquire();
    case 22:
    case 23:
        return release();
    default:
        return read();
    }
}

weir_ref Worker::some_ref() noexcept
{
    weir_ref const ref = refs_[random_.below(kRefs)];
    if (random_.one_in(16))
        return random_.next();
    return random_.one_in(16) ? ref + 64 * random_.below(100) : ref;
}

weir_ref *Worker::place_for_ref() noexcept
{
    weir_ref *const place = &refs_[random_.below(kRefs)];
    if (*place != 0)
        CALL(weir_matrix_free(matrix_, *place));
    *place = 0;
    return place;
}

void Worker::allocate() noexcept
{
    weir_alloc_options options = WEIR_ALLOC_OPTIONS_INIT;
    uint64_t const most = random_.one_in(20) ? 2 << 20 : random_.one_in(4) ? 64 << 10 : 1 << 10;
    size_t const size = 1 + random_.below(most);
    bool const plain = !random_.one_in(4);
    if (!plain) {
        options.alignment = size_t{1} << random_.below(22);
        options.flags = random_.one_in(2) ? WEIR_ALLOC_ZERO : 0;
        options.state = random_.one_in(2) ? 49 : 0;
        options.timeout_ns = some_timeout();
    }
    weir_ref *const place = place_for_ref();
    void *data = nullptr;
    if (CALL(weir_matrix_alloc(matrix_, size, plain ? nullptr : &options, place, &data)) < 0)
        return;
    if (!victim_.holds(data, size))
        fail("weir_matrix_alloc: %zu bytes at %p are not in the segment", size, data);
    static_cast<char *>(data)[0] = 1;
    static_cast<char *>(data)[size - 1] = 1;
}

void Worker::use(weir_ref ref) noexcept
{
    void *data = nullptr;
    size_t size = 0;
    if (CALL(weir_matrix_data(matrix_, ref, &data, &size)) == 0) {
        if (!victim_.holds(data, size))
            fail("weir_matrix_data: %zu bytes at %p are not in the segment", size, data);
        if (size != 0 && size <= 4096)
            std::memset(data, 2, size);
    }
    weir_ref found;
    CALL(weir_matrix_ref_of(matrix_, victim_.library_base() + random_.below(victim_.size()),
                            random_.below(4096), &found));
    CALL(weir_block_size(matrix_, ref, &size));
}

void Worker::change(weir_ref ref) noexcept
{
    uint64_t owner = 0;
    CALL(weir_block_state(matrix_, ref));
    CALL(weir_block_set_state(matrix_, ref, 50));
    CALL(weir_block_transition(matrix_, ref, 50, 51));
    CALL(weir_block_owner(matrix_, ref, &owner));
    switch (random_.below(4)) {
    case 0:
        owner = 0;
        break;
    case 1:
        owner = random_.below(1 << 20);
        break;
    default:
        CALL(weir_matrix_participant_id(matrix_, &owner));
    }
    CALL(weir_block_give(matrix_, ref, owner));
    CALL(weir_block_take(matrix_, ref));
}

void Worker::change_size(weir_ref &ref) noexcept
{
    size_t const size = 1 + random_.below(random_.one_in(10) ? 1 << 20 : 4096);
    if (random_.one_in(2)) {
        CALL(weir_matrix_resize(matrix_, random_.one_in(8) ? some_ref() : ref, size));
        return;
    }
    weir_alloc_options options = WEIR_ALLOC_OPTIONS_INIT;
    options.alignment = random_.one_in(4) ? 4096 : 0;
    options.flags = random_.one_in(4) ? WEIR_ALLOC_ZERO : 0;
    void *data = nullptr;
    if (CALL(weir_matrix_realloc(matrix_, ref, size, &options, &ref, &data)) < 0)
        return;
    if (!victim_.holds(data, size))
        fail("weir_matrix_realloc: %zu bytes at %p are not in the segment", size, data);
    static_cast<char *>(data)[size - 1] = 1;
}

void Worker::batch() noexcept
{
    weir_ref blocks[16];
    void *data[16];
    size_t const size = 1 + random_.below(2000);
    int const made = CALL(weir_matrix_alloc_many(matrix_, size, 16, nullptr, blocks, data));
    for (int i = 0; i < made; ++i) {
        if (!victim_.holds(data[i], size))
            fail("weir_matrix_alloc_many: %zu bytes at %p are not in the segment", size, data[i]);
        static_cast<char *>(data[i])[size - 1] = 1;
    }
    if (made > 0)
        CALL(weir_matrix_free_many(matrix_, blocks, static_cast<size_t>(made)));
}

void Worker::look() noexcept
{
    uint64_t count = 0;
    weir_matrix_info info = WEIR_MATRIX_INFO_INIT;
    weir_check_report report = WEIR_CHECK_REPORT_INIT;
    weir_heal_report healed = WEIR_HEAL_REPORT_INIT;
    switch (random_.below(16)) {
    case 0:
        CALL(weir_matrix_check(matrix_, random_.one_in(2) ? WEIR_CHECK_REPAIR : 0, &report));
        return;
    case 1:
    case 2:
    case 3:
        CALL(weir_matrix_heal(matrix_, &healed));
        return;
    case 4:
        CALL(weir_matrix_trim(matrix_, random_.below(1 << 20), nullptr));
        return;
    case 5:
        CALL(weir_matrix_walk(matrix_, count_block, &count));
        return;
    case 6:
    case 7:
    case 8:
        CALL(weir_matrix_participants(matrix_, count_participant, &count));
        return;
    case 9:
    case 10:
    case 11:
        CALL(weir_matrix_roots(matrix_, count_root, &count));
        return;
    default:
        CALL(weir_matrix_stats(matrix_, &info));
    }
}

void Worker::name_it() noexcept
{
    char name[8];
    std::snprintf(name, sizeof name, "n%u", static_cast<unsigned>(random_.below(6)));
    weir_ref ref = 0;
    switch (random_.below(4)) {
    case 0:
        CALL(weir_matrix_bind(matrix_, name, some_ref()));
        return;
    case 1:
        CALL(weir_matrix_unbind(matrix_, name, &ref));
        *place_for_ref() = ref;
        return;
    default:
        CALL(weir_matrix_lookup(matrix_, name, &ref));
    }
}

/// Somebody who comes, works and goes.
void Worker::second_handle() noexcept
{
    weir_matrix *other = nullptr;
    weir_matrix_options options = WEIR_MATRIX_OPTIONS_INIT;
    options.stall_ns = 1000000;
    if (CALL(weir_matrix_attach_fd(weir_matrix_fd(matrix_), &options, &other)) < 0)
        return;
    weir_ref ref;
    void *data;
    CALL(weir_matrix_alloc(other, 1 + random_.below(5000), nullptr, &ref, &data));
    CALL(weir_matrix_unref(other));
}

void Worker::open_channel() noexcept
{
    weir_channel_options options = WEIR_CHANNEL_OPTIONS_INIT;
    options.capacity = 64;
    options.overflow = random_.one_in(2) ? WEIR_CHANNEL_FAIL : WEIR_CHANNEL_BLOCK;
    if (CALL(weir_channel_open(matrix_, random_.one_in(8) ? "aside" : "main", &options,
                               &channel_)) < 0)
        channel_ = nullptr;
    else if (CALL(weir_channel_subscribe(channel_, &subscription_)) < 0)
        subscription_ = nullptr;
}

void Worker::close_channel() noexcept
{
    CALL(weir_subscription_close(subscription_));
    CALL(weir_channel_unref(channel_));
    subscription_ = nullptr;
    channel_ = nullptr;
}

void Worker::post() noexcept
{
    if (channel_ == nullptr || random_.one_in(100)) {
        if (channel_ != nullptr && random_.one_in(4))
            CALL(weir_channel_retire(channel_));
        close_channel();
        return open_channel();
    }
    weir_ref ref;
    void *data;
    if (CALL(weir_matrix_alloc(matrix_, 1 + random_.below(300), nullptr, &ref, &data)) < 0)
        ref = some_ref();
    if (CALL(weir_channel_post(channel_, ref, 1, nullptr, some_timeout())) < 0)
        CALL(weir_matrix_free(matrix_, ref));
}

void Worker::read() noexcept
{
    weir_channel_info info = WEIR_CHANNEL_INFO_INIT;
    if (channel_ != nullptr && random_.one_in(10))
        CALL(weir_channel_inquire(channel_, &info));
    weir_message message;
    if (subscription_ == nullptr ||
        CALL(weir_channel_read(subscription_, some_timeout(), &message, nullptr)) < 0)
        return;
    size_t size = 0;
    if (alone_ && CALL(weir_block_size(matrix_, message.block, &size)) == 0 &&
        message.length > size)
        fail("weir_channel_read: a message of %llu bytes in a block of %zu",
             static_cast<unsigned long long>(message.length), size);
    switch (random_.below(8)) {
    case 0:
        CALL(weir_channel_nack(subscription_, &message));
        return;
    case 1:
        if (CALL(weir_channel_take(subscription_, &message)) == 0)
            *place_for_ref() = message.block;
        return;
    case 2:
        message.sequence = random_.one_in(2) ? random_.next() : message.sequence;
        message.block = random_.one_in(2) ? some_ref() : message.block;
        break;
    case 3:
        return; // kept in the hand
    default:
        break;
    }
    CALL(weir_channel_ack(subscription_, &message));
}

void Worker::open_pool() noexcept
{
    weir_pool_options options = WEIR_POOL_OPTIONS_INIT;
    options.slot_size = 100;
    options.capacity = 64;
    options.max_capacity = 512;
    options.flags = WEIR_POOL_GROWABLE;
    if (CALL(weir_pool_attach(matrix_, "slots", nullptr, &pool_)) < 0 &&
        CALL(weir_pool_create_in(matrix_, "slots", &options, &pool_)) < 0)
        pool_ = nullptr;
}

void Worker::acquire() noexcept
{
    if (pool_ == nullptr || random_.one_in(200)) {
        if (pool_ != nullptr && random_.one_in(4))
            CALL(weir_pool_destroy(pool_));
        CALL(weir_pool_unref(pool_));
        pool_ = nullptr;
        return open_pool();
    }
    size_t const at = random_.below(kRefs);
    if (random_.one_in(2))
        CALL(weir_pool_release(pool_, slots_[at]));
    void *data = nullptr;
    if (CALL(weir_pool_acquire(pool_, some_timeout(), &slots_[at], &data)) < 0)
        return;
    if (!victim_.holds(data, weir_pool_slot_size(pool_)))
        fail("weir_pool_acquire: a slot at %p is not in the segment", data);
    std::memset(data, 3, weir_pool_slot_size(pool_));
}

void Worker::release() noexcept
{
    weir_slot const slot =
        random_.one_in(16) ? random_.next() >> random_.below(64) : slots_[random_.below(kRefs)];
    void *data = nullptr;
    weir_pool_info info = WEIR_POOL_INFO_INIT;
    if (pool_ == nullptr)
        return;
    switch (random_.below(8)) {
    case 0:
        if (CALL(weir_pool_data(pool_, slot, &data)) == 0 &&
            !victim_.holds(data, weir_pool_slot_size(pool_)))
            fail("weir_pool_data: a slot at %p is not in the segment", data);
        CALL(weir_pool_release_ptr(pool_, data));
        return;
    case 1:
        CALL(weir_pool_is_live(pool_, slot));
        return;
    case 2:
        if (random_.one_in(20))
            CALL(weir_pool_grow(pool_, 1));
        return;
    case 3:
        if (random_.one_in(4))
            CALL(weir_pool_stats(pool_, &info));
        return;
    default:
        CALL(weir_pool_release(pool_, slot));
    }
}

} // namespace hostile
