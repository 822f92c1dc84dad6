// SPDX-License-Identifier: MIT OR Apache-2.0
// Types of channels. Read by weirgen alone, never compiled.
/**
 * @file Channels
 */

/**
 * A named queue of blocks in a matrix: what one process posts, another reads,
 * and nothing is copied.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_channel);

/**
 * A reader of a channel.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_subscription);

/**
 * Who gets a message.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_channel_mode) {
    /** each message goes to one reader */
    WEIR_CHANNEL_QUEUE = 0,
};

/**
 * What a post does when the channel is full.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_channel_overflow) {
    /** waits until there is room or its timeout ends */
    WEIR_CHANNEL_BLOCK = 0,
    /** fails at once with `-EAGAIN`, whatever its timeout */
    WEIR_CHANNEL_FAIL = 1,
};

/**
 * Options of weir_channel_create(), weir_channel_attach() and
 * weir_channel_open().
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_channel_options) {
    /** size of this struct */
    size_t size;
    /** the user's number for the type of the messages; attach with another one that is not 0 is `-WEIR_E_TYPE` */
    uint64_t type_id;
    /** messages it can hold: rounded up to a power of two from 16 to 1048576; 0: 1024 */
    uint32_t capacity;
    /** who gets a message */
    weir_channel_mode mode;
    /** what a post does when it is full */
    weir_channel_overflow overflow;
    /** must be 0 */
    uint32_t reserved0;
};

/**
 * Options of weir_channel_post().
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_post_options) {
    /** size of this struct */
    size_t size;
    /** the user's 64 bits, handed to the reader */
    uint64_t tag;
    /** level; 0 is the only one of this version */
    uint32_t priority;
    /** must be 0 */
    uint32_t reserved0;
};

/**
 * A message in a reader's hand. Its block belongs to nobody until
 * weir_channel_ack(), weir_channel_take() or weir_channel_nack().
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_message) {
    /** the block */
    weir_ref block;
    /** bytes of it that the poster used */
    uint64_t length;
    /** the poster's 64 bits */
    uint64_t tag;
    /** position in the channel, from 0 */
    uint64_t sequence;
    /** the participant that posted it */
    uint64_t sender;
    /** when it was posted, CLOCK_MONOTONIC ns */
    int64_t posted_at_ns;
    /** messages that this reader lost before this one */
    uint64_t missed;
    /** how often it was handed out before, at most 63 are counted */
    uint32_t redeliveries;
    /** level */
    uint32_t priority;
};

/**
 * What waits in a channel. Others may work at the same time: the numbers are
 * those of one pass over the cells.
 *
 * @kind info
 * @since 0.1
 */
WEIR_STRUCT(weir_channel_info) {
    /** size of this struct */
    size_t size;
    /** the number that was given at creation */
    uint64_t type_id;
    /** messages it can hold */
    uint64_t capacity;
    /** messages that wait */
    uint64_t waiting;
    /** bytes that wait, by the posters' lengths */
    uint64_t waiting_bytes;
    /** messages in readers' hands */
    uint64_t held;
    /** messages that are being posted */
    uint64_t writing;
    /** age of the oldest that waits, ns */
    int64_t oldest_age_ns;
    /** positions that posters have taken since creation */
    uint64_t posted;
    /** tag of the next message, if one waits */
    uint64_t next_tag;
    /** bytes of the next message, if one waits */
    uint64_t next_length;
    /** who gets a message */
    weir_channel_mode mode;
    /** what a post does when it is full */
    weir_channel_overflow overflow;
};
