// SPDX-License-Identifier: MIT OR Apache-2.0
// Input of the generator's tests: everything that a later release may change.

/**
 * Values, one of which went.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_step) {
    /** stays */
    WEIR_STEP_ONE = 1,
    /** was WEIR_STEP_TWO */
    WEIR_STEP_OBSOLETE_2 = 2,
    /** came
     * @since 0.3 */
    WEIR_STEP_THREE = 3,
};

/**
 * Options that grew.
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_step_options) {
    /** size of this struct */
    size_t size;
    /** from the start */
    uint64_t first;
    /** later
     * @since 0.3 */
    uint64_t second;
};

/**
 * Demands less than before.
 *
 * @class library static
 * @param[in] text    utf8 nullable; may now be NULL
 * @param[in] options sized nullable; grew
 * @return ok
 * @errors
 *   -EAGAIN came in 0.3, see CHANGELOG.md
 *   -EINVAL always
 * @thread any
 * @blocks no
 * @signal safe
 * @since 0.1
 */
WEIR_API int weir_step_old(const char *text, const struct weir_step_options *options) noexcept
{
    return -EINVAL;
}

/**
 * Came with 0.3.
 *
 * @class library static
 * @return value
 * @thread any
 * @blocks no
 * @since 0.3
 */
WEIR_API uint32_t weir_step_new(void) noexcept
{
    return 0;
}
