// SPDX-License-Identifier: MIT OR Apache-2.0
// Structs that begin with their size: too small, too large, with a tail, for every function.
#include "tests/api/log_support.hpp"

extern "C" {
struct options_case {
    char const *structure;
    char const *kind;
    char const *function;
    char const *object;
    size_t size;
    size_t const *released;
    size_t released_count;
    void (*init)(void *into);
    int (*call)(void *object, void *data);
};
extern const struct options_case options_cases[];
extern const size_t options_count;
extern const char *options_text;
}

namespace {
using namespace api;
constexpr size_t kLargest = 4096;

/// One of each class of handles.
struct World {
    weir_matrix *matrix = unnamed();
    weir_channel *ring = channel(matrix, "ring");
    weir_subscription *reader = subscribe(ring);
    LogFolder folder, looked_at;
    weir_log *log = open_log(folder);
    weir_router *router = nullptr;
    weir_pool *pool = nullptr;

    World()
    {
        weir_log_close(open_log(looked_at));
        must(weir_router_create(matrix, "router", &router));
        weir_pool_options slots = WEIR_POOL_OPTIONS_INIT;
        slots.slot_size = 8;
        must(weir_pool_create_in(matrix, "pool", &slots, &pool));
    }
    World(World const &) = delete;
    World &operator=(World const &) = delete;
    ~World()
    {
        weir_log_close(log);
        weir_pool_unref(pool);
        weir_router_unref(router);
        weir_subscription_close(reader);
        weir_channel_unref(ring);
        weir_matrix_unref(matrix);
    }
    void *object(char const *type) const
    {
        std::string const name = type == nullptr ? "" : type;
        return name == "weir_matrix"         ? static_cast<void *>(matrix)
               : name == "weir_channel"      ? static_cast<void *>(ring)
               : name == "weir_subscription" ? static_cast<void *>(reader)
               : name == "weir_log"          ? static_cast<void *>(log)
               : name == "weir_router"       ? static_cast<void *>(router)
               : name == "weir_pool"         ? static_cast<void *>(pool)
                                             : nullptr;
    }
};

struct Buffer {
    alignas(64) unsigned char bytes[2 * kLargest];
    void *fresh(options_case const &with, size_t size)
    {
        std::memset(bytes, 0, sizeof bytes);
        with.init(bytes);
        std::memcpy(bytes, &size, sizeof size);
        return bytes;
    }
};

bool is_options(options_case const &with) { return std::strcmp(with.kind, "options") == 0; }

/// Runs `check` for every case that can be called.
template <class Check> void for_each(Check check)
{
    World const world;
    NothingLost const lost(world.matrix);
    check_ge(options_count, 15);
    for (size_t i = 0; i < options_count; ++i)
        if (options_cases[i].call != nullptr) {
            // an info is filled if what it is about is there
            options_text = is_options(options_cases[i]) ? "" : world.looked_at.c_str();
            check(options_cases[i], world.object(options_cases[i].object));
        }
    lost.verify();
}
} // namespace

Test(options_sizes, a_struct_that_is_too_small_is_refused)
{
    static Buffer buffer;
    for_each([](options_case const &with, void *object) {
        for (size_t size = 0; size < with.released[0]; ++size)
            check_eq(with.call(object, buffer.fresh(with, size)), -EINVAL, "%s with %zu",
                     with.function, size);
    });
}

Test(options_sizes, a_struct_beyond_all_reason_is_refused)
{
    static Buffer buffer;
    for_each([](options_case const &with, void *object) {
        for (size_t const size : {kLargest + 1, 2 * kLargest, SIZE_MAX / 2, SIZE_MAX})
            check_eq(with.call(object, buffer.fresh(with, size)), -EINVAL, "%s with %zu",
                     with.function, size);
    });
}

// covers: weir_matrix_create -E2BIG
// covers: weir_matrix_attach -E2BIG
// covers: weir_matrix_open -E2BIG
// covers: weir_matrix_attach_fd -E2BIG
// covers: weir_matrix_alloc -E2BIG
// covers: weir_matrix_alloc_many -E2BIG
// covers: weir_matrix_realloc -E2BIG
// covers: weir_channel_create -E2BIG
// covers: weir_channel_attach -E2BIG
// covers: weir_channel_open -E2BIG
// covers: weir_channel_post -E2BIG
// covers: weir_channel_post_many -E2BIG
// covers: weir_channel_post_copies -E2BIG
// covers: weir_router_add_rule -E2BIG
// covers: weir_router_post -E2BIG
Test(options_sizes, unknown_fields_of_options_that_are_not_zero_are_refused)
{
    static Buffer buffer;
    static int refused = 0;
    for_each([](options_case const &with, void *object) {
        if (!is_options(with))
            return;
        for (size_t const size : {with.size + 1, with.size + 8, kLargest}) {
            buffer.fresh(with, size);
            buffer.bytes[size - 1] = 1;
            check_eq(with.call(object, buffer.bytes), -E2BIG, "%s with %zu", with.function, size);
            buffer.fresh(with, size);
            buffer.bytes[with.size] = 0x80;
            check_eq(with.call(object, buffer.bytes), -E2BIG, "%s with %zu", with.function, size);
        }
        ++refused;
    });
    check_eq(refused, 21);
}

Test(options_sizes, unknown_fields_of_options_that_are_zero_do_no_harm)
{
    static Buffer buffer;
    for_each([](options_case const &with, void *object) {
        if (!is_options(with))
            return;
        int const plain = with.call(object, buffer.fresh(with, with.size));
        for (size_t const size : {with.size + 1, with.size + 8, kLargest})
            check_eq(with.call(object, buffer.fresh(with, size)), plain, "%s with %zu",
                     with.function, size);
    });
}

Test(options_sizes, a_larger_info_keeps_its_size_and_gets_a_tail_of_zeros)
{
    static Buffer buffer;
    for_each([](options_case const &with, void *object) {
        if (is_options(with))
            return;
        for (size_t const size : {with.size, with.size + 1, with.size + 64, kLargest}) {
            buffer.fresh(with, size);
            std::memset(buffer.bytes + sizeof size, 0xa5, sizeof buffer.bytes - sizeof size);
            must(with.call(object, buffer.bytes));
            size_t kept;
            std::memcpy(&kept, buffer.bytes, sizeof kept);
            check_eq(kept, size);
            for (size_t i = with.size; i < size; ++i)
                check_eq(buffer.bytes[i], 0, "%s at %zu", with.function, i);
            for (size_t i = size; i < sizeof buffer.bytes; ++i)
                check_eq(buffer.bytes[i], 0xa5, "%s behind the struct", with.function);
        }
    });
}
