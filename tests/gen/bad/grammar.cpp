// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: text that does not parse. Each item is told by itself.

/** A handle. @since 0.1 */
WEIR_HANDLE weir_thing;

/** No comma. */
WEIR_ENUM(weir_colour) {
    /** red */
    WEIR_COLOUR_RED = 1
};

/** Not a number. */
WEIR_ENUM(weir_taste) {
    /** sweet */
    WEIR_TASTE_SWEET = kSweet,
};

/** Octal. */
WEIR_FLAGS(weir_octal, uint32_t) {
    /** which? */
    WEIR_OCTAL_TEN = 010,
};

/** Not a width. */
WEIR_FLAGS(weir_wide, uint16_t) {
    /** a bit */
    WEIR_WIDE_BIT = 1,
};

/** An empty array. */
WEIR_STRUCT(weir_arrays) {
    /** nothing */
    char text[0];
};

/** A bit-field. */
WEIR_STRUCT(weir_bits) {
    /** three bits */
    uint32_t three : 3;
};

/** A declaration only. */
WEIR_API int weir_declared(void) noexcept;

/** No noexcept. */
WEIR_API int weir_throws(void) { return 0; }

/** Varargs. */
WEIR_API int weir_print(const char *format, ...) noexcept { return 0; }

/** A function pointer without a callback. */
WEIR_API int weir_pointer(int (*function)(void)) noexcept { return 0; }

/** An array parameter. */
WEIR_API int weir_array(uint8_t bytes[16]) noexcept { return 0; }

/** No name. */
WEIR_API int weir_nameless(int) noexcept { return 0; }

/** An id of another width. */
typedef uint32_t weir_small;

/** Too large. */
constexpr uint64_t WEIR_LARGE = 2 << 63;

/** Larger. */
constexpr uint64_t WEIR_LARGER = 99999999999999999999;

/** A default. */
WEIR_API int weir_default(int x = 3) noexcept { return x; }

/** A word behind the star. */
WEIR_API int weir_volatile(const char *volatile text) noexcept { return 0; }

/** No type. */
WEIR_API int weir_typeless(const text) noexcept { return 0; }

/** A number as a name. */
WEIR_HANDLE(3);

/** A comment in the middle. */
WEIR_ENUM(weir_middle) {
    /** one */
    WEIR_MIDDLE_ONE = /** two */ 1,
    /** after the last */
};

}

/** Cut off. */
WEIR_HANDLE(
