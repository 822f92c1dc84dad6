// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: everything that a later release may not change.

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_colour) {
    /** red */
    WEIR_COLOUR_RED = 2,
};

/**
 * A thing.
 *
 * @since 0.1
 */
constexpr uint32_t WEIR_LIMIT = 6;

/**
 * A thing.
 *
 * @kind id(Slot)
 * @since 0.1
 */
typedef uint64_t weir_cell;

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_thing);

/**
 * Does it.
 *
 * @class weir_thing dtor
 * @param[in] thing nullable; the thing
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_thing *weir_thing_close(struct weir_thing *thing) noexcept { return 0; }

/**
 * A thing.
 *
 * @param[in] number one
 * @param[in] userdata userdata(of=callback) nullable; given
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_call_fn) int (uint32_t number, void *userdata);

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_entry) {
    /** text */
    uint64_t first;
    /** text */
    uint64_t second;
};

/**
 * A thing.
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_box_options) {
    /** text */
    size_t size;
};

/**
 * A thing.
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_other_options) {
    /** text */
    size_t size;
    /** text */
    uint64_t moved;
    /** text */
    uint64_t first;
};

/**
 * Does it.
 *
 * @class library static
 * @param[in] number one
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_kind(int64_t number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread owner
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_thread(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @blocks yes
 * @thread any
 * @since 0.1
 */
WEIR_API int weir_blocks(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_signal(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return count
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_result(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] text utf8; one
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_nullable(const char *text) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] number one
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_words(const uint32_t *number) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @errors
 *   -EAGAIN new
 *   -EINVAL old
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_codes(void) noexcept { return 0; }

/**
 * Does it.
 *
 * @class library static
 * @param[in] number array(len=4); one
 * @return bool
 * @errors
 *   -EINVAL old
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_first_codes(const uint32_t *number) noexcept { return 0; }
