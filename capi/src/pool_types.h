// SPDX-License-Identifier: MIT OR Apache-2.0
// Types of pools. Read by weirgen alone, never compiled.
/**
 * @file Pools
 */

/**
 * Slots of one size that are taken and given back: in the memory of a process, or
 * in a matrix, where any process may use them.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_pool);

/**
 * An allocator of numbers, for people who keep their own storage.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_ids);

/**
 * How a pool is made.
 *
 * @since 0.1
 */
WEIR_FLAGS(weir_pool_flags, uint32_t) {
    /** one thread at a time uses the pool: no atomic operations, nothing is checked about that; not in a matrix */
    WEIR_POOL_SINGLE_THREAD = 1,
    /** when all slots are taken it doubles, up to `max_capacity`, and weir_pool_grow() works; slots stay where they are */
    WEIR_POOL_GROWABLE = 2,
    /** the bytes of a slot are 0 whenever it is acquired */
    WEIR_POOL_ZERO = 4,
};

/**
 * Options of weir_pool_create(), weir_pool_create_in() and weir_pool_attach().
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_pool_options) {
    /** size of this struct */
    size_t size;
    /** bytes of a slot that its user has: 1 to 2^40; attach with another one that is not 0 is `-WEIR_E_TYPE` */
    uint64_t slot_size;
    /** slots at the beginning: up to 2^31, and 2^46 bytes in all; with `WEIR_POOL_GROWABLE` rounded up to a power of two of at least 64; 0: 1024 */
    uint64_t capacity;
    /** with `WEIR_POOL_GROWABLE`: most slots that it may grow to, at least `capacity`; 0: 2^31, or what has 2^46 bytes; without the flag 0 or `capacity` */
    uint64_t max_capacity;
    /** the user's number for the type of the slots; attach with another one that is not 0 is `-WEIR_E_TYPE` */
    uint64_t type_id;
    /** bytes, a power of two up to 4096, that slots are aligned to and their size is rounded up to; 0: 64 from 64 bytes on, 16 from 16 bytes on, else 8 */
    uint32_t alignment;
    /** how it is made */
    weir_pool_flags flags;
    /** in a matrix: what becomes of the slots of a process that died or left */
    weir_death_policy death_policy;
    /** must be 0 */
    uint32_t reserved0;
};

/**
 * What a pool is and what its slots are, counted while others go on.
 *
 * @kind info
 * @since 0.1
 */
WEIR_STRUCT(weir_pool_info) {
    /** size of this struct */
    size_t size;
    /** bytes of a slot that its user has */
    uint64_t slot_size;
    /** bytes from one slot to the next */
    uint64_t stride_bytes;
    /** slots that exist */
    uint64_t capacity;
    /** most slots that there may be */
    uint64_t max_capacity;
    /** the user's number for the type of the slots */
    uint64_t type_id;
    /** slots in users' hands */
    uint64_t live;
    /** slots that nobody has */
    uint64_t free;
    /** slots kept by threads for their next acquisitions; anybody gets them when there are no others */
    uint64_t cached;
    /** pieces of memory that the slots lie in */
    uint64_t extents;
    /** of all extents, words and index included */
    uint64_t memory_bytes;
    /** bytes that slots are aligned to */
    uint32_t alignment;
    /** how it was made */
    weir_pool_flags flags;
};

/**
 * A slot in a user's hand, as weir_pool_walk() reports it.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_slot_info) {
    /** the slot */
    weir_slot slot;
    /** the participant that acquired it; 0 outside a matrix, and for nobody */
    uint64_t owner;
};

/**
 * Called for each slot in a user's hand. Anything but 0 ends the walk and is
 * returned by it; a negative value cannot be told from an error.
 *
 * @param[in] info     the slot, valid during the call
 * @param[in] userdata userdata(of=callback) nullable; the caller's pointer
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_slot_fn) int (const struct weir_slot_info *info, void *userdata);

/**
 * Options of weir_ids_create().
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_ids_options) {
    /** size of this struct */
    size_t size;
    /** numbers at the beginning, as in weir_pool_options */
    uint64_t capacity;
    /** most numbers that there may be, as in weir_pool_options */
    uint64_t max_capacity;
    /** `WEIR_POOL_SINGLE_THREAD` and `WEIR_POOL_GROWABLE` */
    weir_pool_flags flags;
    /** must be 0 */
    uint32_t reserved0;
};
