// SPDX-License-Identifier: MIT OR Apache-2.0
// Input of the generator's tests: constants of every width.

/**
 * Smallest.
 *
 * @since 0.1
 */
constexpr int8_t WEIR_SMALLEST = -127;

/**
 * Plain.
 *
 * @since 0.1
 */
constexpr uint32_t WEIR_PLAIN = 0xffffffff;

/**
 * For ever.
 *
 * @since 0.1
 */
constexpr int64_t WEIR_EVER = -1;

/**
 * Widest.
 *
 * @since 0.1
 */
constexpr uint64_t WEIR_WIDEST = 1 << 63;

constexpr size_t kNotOurs = 4096;
