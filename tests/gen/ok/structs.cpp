// SPDX-License-Identifier: MIT OR Apache-2.0
// Input of the generator's tests: structs of all kinds, with every type a field may have.

/**
 * A mode.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_mode) {
    /** the only one */
    WEIR_MODE_ONE = 1,
};

/**
 * Called.
 *
 * @param[in] userdata userdata(of=callback) nullable; what was given
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_call_fn) int (void *userdata);

/**
 * A handle.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_chest);

/**
 * Ends a chest.
 *
 * @class weir_chest dtor
 * @param[in] chest nullable; the chest
 * @return handle
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API struct weir_chest *weir_chest_unref(struct weir_chest *chest) noexcept { return nullptr; }

/**
 * Options with every type a field may have.
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_chest_options) {
    /** size of this struct */
    size_t size;
    /** a time, ns */
    int64_t timeout_ns;
    /** utf8; ended by NUL */
    const char *name;
    /** another chest */
    struct weir_chest *parent;
    /** NULL for none */
    weir_call_fn callback;
    /** handed to `callback` */
    void *userdata;
    /** the mode */
    weir_mode mode;
    /** small numbers */
    uint16_t low;
    /** smaller ones */
    uint8_t bytes_of[2];
};

/**
 * One field only.
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_tiny_options) {
    /** size of this struct */
    size_t size;
};

/**
 * What a chest says.
 *
 * @kind info
 * @since 0.1
 */
WEIR_STRUCT(weir_chest_info) {
    /** size of this struct */
    size_t size;
    /** counters */
    uint64_t counters[3];
};

/**
 * An entry.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_chest_entry) {
    /** a number */
    uint32_t number;
    /** letters */
    char letters[4];
};

/**
 * Makes a chest and fills what it knows.
 *
 * @class weir_chest ctor
 * @param[in]  name    utf8; its name
 * @param[in]  options sized nullable; NULL means all defaults
 * @param[in]  tiny    sized; others
 * @param[out] ret_chest owned; the new handle
 * @return ok
 * @errors
 *   -E2BIG  `options` has an unknown field that is not 0
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks timeout(options.timeout_ns)
 * @since 0.1
 */
WEIR_API int weir_chest_create(const char *name, const struct weir_chest_options *options,
                             const struct weir_tiny_options *tiny,
                             struct weir_chest **ret_chest) noexcept
{
    return -EINVAL;
}

/**
 * Reads what a chest says.
 *
 * @class weir_chest method
 * @param[in]  chest         the chest
 * @param[in]  count       how many entries
 * @param[out] ret_info    sized; counters
 * @param[out] ret_entries array(len=count); entries
 * @return count; the entries that were filled
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_chest_inquire(struct weir_chest *chest, size_t count, struct weir_chest_info *ret_info,
                              struct weir_chest_entry *ret_entries) noexcept
{
    return -EINVAL;
}

/**
 * A piece of the caller's memory.
 *
 * @kind part
 * @since 0.1
 */
WEIR_STRUCT(weir_piece) {
    /** bytes(len=len) nullable; its first byte */
    const void *data;
    /** bytes */
    size_t len;
    /** any number */
    uint32_t tag;
    /** 0 */
    uint32_t reserved0;
};

/**
 * Puts pieces into a chest.
 *
 * @class weir_chest method
 * @param[in] chest  the chest
 * @param[in] pieces array(len=count); the pieces
 * @param[in] count  how many
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_chest_fill(struct weir_chest *chest, const struct weir_piece *pieces,
                             size_t count) noexcept
{
    return -EINVAL;
}

/**
 * So many fields that the initialiser takes several lines.
 *
 * @kind info
 * @since 0.1
 */
WEIR_STRUCT(weir_wide_info) {
    /** size of this struct */
    size_t size;
    /** number 1 */
    uint64_t number1;
    /** number 2 */
    uint64_t number2;
    /** number 3 */
    uint64_t number3;
    /** number 4 */
    uint64_t number4;
    /** number 5 */
    uint64_t number5;
    /** number 6 */
    uint64_t number6;
    /** number 7 */
    uint64_t number7;
    /** number 8 */
    uint64_t number8;
    /** number 9 */
    uint64_t number9;
    /** number 10 */
    uint64_t number10;
    /** number 11 */
    uint64_t number11;
    /** number 12 */
    uint64_t number12;
    /** number 13 */
    uint64_t number13;
    /** number 14 */
    uint64_t number14;
    /** number 15 */
    uint64_t number15;
    /** number 16 */
    uint64_t number16;
    /** number 17 */
    uint64_t number17;
    /** number 18 */
    uint64_t number18;
    /** number 19 */
    uint64_t number19;
    /** number 20 */
    uint64_t number20;
    /** number 21 */
    uint64_t number21;
    /** number 22 */
    uint64_t number22;
    /** number 23 */
    uint64_t number23;
    /** number 24 */
    uint64_t number24;
    /** number 25 */
    uint64_t number25;
};

/**
 * Called.
 *
 * @param[in] number   one
 * @param[in] userdata userdata(of=callback) nullable; what was given
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_number_fn) int (uint32_t number, void *userdata);

/**
 * Takes everything that a thunk has to make up.
 *
 * @class weir_chest method
 * @param[in]  chest      the chest
 * @param[in]  callback   called
 * @param[in]  userdata   userdata(of=callback) nullable; passed on
 * @param[in]  fd         a descriptor
 * @param[in]  data       bytes(len=8); eight bytes
 * @param[in]  entries    array(len=1); an entry
 * @param[inout] info     sized; filled
 * @param[out] ret_buffer bytes(len=return); a copy
 * @param[out] ret_text   utf8 borrowed(of=chest); its name
 * @return count
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_chest_search(struct weir_chest *chest, weir_number_fn callback, void *userdata,
                               int fd, const void *data, const struct weir_chest_entry *entries,
                               struct weir_wide_info *info, void *ret_buffer,
                               const char **ret_text) noexcept
{
    return -EINVAL;
}

/**
 * Needs two chests, which no thunk has.
 *
 * @class weir_chest method
 * @param[in] chest   the chest
 * @param[in] other   another one
 * @param[in] options sized nullable; NULL means all defaults
 * @return ok
 * @errors
 *   -EINVAL a pointer is NULL
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API int weir_chest_merge(struct weir_chest *chest, struct weir_chest *other,
                              const struct weir_tiny_options *options) noexcept
{
    return -EINVAL;
}
