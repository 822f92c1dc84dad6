// SPDX-License-Identifier: MIT OR Apache-2.0
// Input of the generator's tests: everything a comment may hold.
/**
 * @file A heading. The text behind it
 * goes on here.
 *
 * And here.
 */

/**
 * Does it. The second sentence belongs to the same paragraph and is long enough to be broken in two.
 *
 * A paragraph, with `code that is never broken even if the line becomes rather long` and weir_fresh().
 *
 * - an item
 * - an item that is so long that it goes on in the next line, below its
 *   own beginning
 *
 * @code
 * if (weir_fresh() > 0)
 *     puts("yes");
 *
 * return 0;
 * @endcode
 *
 * A last paragraph.
 *
 * @class library static
 * @return value; the number
 *   of things
 * @thread any
 * @blocks no
 * @note only once
 * @note in the morning
 * @source Somebody, 1999
 * @skip rust it has its own
 * @skip python so has it
 * @deprecated 0.1 use weir_fresh()
 * @since 0.1
 */
WEIR_API uint32_t weir_old(void) noexcept
{
    return 0;
}

/** Does it better.
 *
 * @class library static
 * @return value
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API uint32_t weir_fresh(void) noexcept
{
    return 0;
}

/**
 * Kinds.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_sort) {
    /** the old one
     * @deprecated 0.1 use weir_fresh()
     */
    WEIR_SORT_OLD = 1,
    /** the first line
     *  and the second. And a paragraph
     *
     *  of its own */
    WEIR_SORT_NEW = 2,
};
