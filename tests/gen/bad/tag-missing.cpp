// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: comments that lack a tag.

/**
 * Does it.
 *
 * @since 0.1
 */
WEIR_API int weir_bare(int number) noexcept { return number; }

/**
 * Does it.
 *
 * @class library static
 * @return ok
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_errors(void) noexcept { return 0; }

/**
 * A thing.
 *
 * @since 0.1
 */
WEIR_STRUCT(weir_entry) {
    /** a number */
    uint64_t number;
};

/**
 * A thing.
 *
 * @since 0.1
 */
typedef uint64_t weir_cell;

/**
 * A thing.
 *
 * @param[in] userdata userdata(of=callback); given
 * @since 0.1
 */
WEIR_CALLBACK(weir_call_fn) int (void *userdata);
