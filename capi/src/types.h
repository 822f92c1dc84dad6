// SPDX-License-Identifier: MIT OR Apache-2.0
// Types and constants that all objects share. Read by weirgen alone, never compiled.
/**
 * @file Shared types
 */

/**
 * A block of a matrix, as any process of the machine can pass it on. 0 is none.
 *
 * The upper 16 bits check the generation of the block and the matrix it belongs
 * to; the lower 48 bits are the byte offset of its data from the start of the
 * segment.
 *
 * @kind id(Block)
 * @since 0.1
 */
typedef uint64_t weir_ref;

/**
 * A slot of a pool, as any user of the pool can pass it on. 0 is none.
 *
 * The upper 32 bits are the generation of the slot, which tells a slot from what
 * the same place was before; the lower 32 bits are its index, below the pool's
 * capacity.
 *
 * @kind id(Slot)
 * @since 0.1
 */
typedef uint64_t weir_slot;

/**
 * The library's own error codes. Functions return them negated, like errno
 * names: `-WEIR_E_STALE`.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_error) {
    /** the block, slot or message was given back before */
    WEIR_E_STALE = 4096,
    /** the segment or file contradicts itself */
    WEIR_E_CORRUPT = 4097,
    /** an earlier input or output error ended this object */
    WEIR_E_POISONED = 4098,
    /** the object was retired */
    WEIR_E_RETIRED = 4099,
    /** made by a version that this library cannot work with */
    WEIR_E_VERSION = 4100,
    /** the reader was overtaken by the writers */
    WEIR_E_LAPPED = 4101,
    /** the object is of another type */
    WEIR_E_TYPE = 4102,
    /** the handle belongs to the parent of this process, which cannot join the segment by itself */
    WEIR_E_FORKED = 4103,
};

/**
 * What a build of the library on this machine may or may not be able to do.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_feature) {
    /** segments with a name, in `/dev/shm` */
    WEIR_FEATURE_NAMED = 1,
    /** segments without a name, passed by descriptor */
    WEIR_FEATURE_MEMFD = 2,
    /** asynchronous input and output by io_uring */
    WEIR_FEATURE_IO_URING = 3,
};

/**
 * A timeout that never ends.
 *
 * @since 0.1
 */
constexpr int64_t WEIR_WAIT_FOREVER = -1;

/**
 * No block.
 *
 * @since 0.1
 */
constexpr uint64_t WEIR_REF_NONE = 0;

/**
 * No slot.
 *
 * @since 0.1
 */
constexpr uint64_t WEIR_SLOT_NONE = 0;

/**
 * Nobody: the owner of a block that outlives its maker.
 *
 * @since 0.1
 */
constexpr uint64_t WEIR_OWNER_NONE = 0;

/**
 * The first block state that is free for the user's own meaning.
 *
 * @since 0.1
 */
constexpr uint32_t WEIR_STATE_USER_MIN = 49;

/**
 * The last block state that is free for the user's own meaning.
 *
 * @since 0.1
 */
constexpr uint32_t WEIR_STATE_USER_MAX = 255;
