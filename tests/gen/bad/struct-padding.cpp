// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: structs with holes.

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_a) {
    /** text */
    uint32_t first;
    /** text */
    uint64_t second;
};

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_b) {
    /** text */
    uint64_t first;
    /** text */
    uint8_t second;
};

/**
 * A thing.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_c) {
    /** text */
    uint8_t first;
    /** text */
    uint16_t second[3];
    /** text */
    uint8_t third;
};
