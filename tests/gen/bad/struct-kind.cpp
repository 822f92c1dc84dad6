// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: structs that are not what they say.

/**
 * A thing.
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_a) {
    /** text */
    uint64_t number;
};

/**
 * A thing.
 *
 * @kind info
 * @since 0.1
 */
WEIR_STRUCT(weir_b) {
    /** text */
    uint32_t size;
    /** text */
    uint32_t other;
};

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_c) {
    /** text */
    uint64_t number;
    /** text */
    const uint32_t *pointer;
};

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_d) {
    /** text */
    size_t size;
};

/**
 * A thing.
 *
 * @kind id(Entry)
 * @since 0.1
 */
WEIR_STRUCT(weir_e) {
    /** text */
    uint64_t number;
};

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
typedef uint64_t weir_cell;

/**
 * A thing.
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_f) {
    /** text */
    size_t size;
    /** text */
    uint8_t large[4096];
};

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_g) {
};

/**
 * A thing.
 *
 * @param[in] userdata userdata(of=callback) nullable; given
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_call_fn) int (void *userdata);

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_h) {
    /** text */
    weir_call_fn callback;
};

/**
 * A thing.
 *
 * @kind part
 * @since 0.1
 */
WEIR_STRUCT(weir_i) {
    /** text */
    const void *pointer;
    /** text */
    size_t length;
};

/**
 * A thing.
 *
 * @kind part
 * @since 0.1
 */
WEIR_STRUCT(weir_j) {
    /** bytes(len=length); text */
    const void *pointer;
    /** text */
    uint64_t length;
};

/**
 * A thing.
 *
 * @kind part
 * @since 0.1
 */
WEIR_STRUCT(weir_k) {
    /** text */
    size_t size;
};
