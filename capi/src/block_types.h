// SPDX-License-Identifier: MIT OR Apache-2.0
// Types of blocks. Read by weirgen alone, never compiled.
/**
 * @file Blocks
 */

/**
 * How a block is allocated.
 *
 * @since 0.1
 */
WEIR_FLAGS(weir_alloc_flags, uint32_t) {
    /** the bytes asked for are 0 */
    WEIR_ALLOC_ZERO = 1,
};

/**
 * Options of weir_matrix_alloc(), weir_matrix_alloc_many() and
 * weir_matrix_realloc().
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_alloc_options) {
    /** size of this struct */
    size_t size;
    /** of the data's address, a power of two up to 2 MiB; 0: 64 */
    size_t alignment;
    /** how it is allocated */
    weir_alloc_flags flags;
    /** the user's state the block begins with: 0, or 49 to 255 */
    uint32_t state;
    /** how long to wait for memory, ns: 0 is not at all, negative is for ever */
    int64_t timeout_ns;
};
