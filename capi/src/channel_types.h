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
    /** each message goes to every subscriber, of which there are at most 64 */
    WEIR_CHANNEL_BROADCAST = 1,
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
    /** drops the message that is posted: its block is freed, it is counted, and the post says so */
    WEIR_CHANNEL_DROP_NEW = 2,
    /** drops the oldest message of the level, unless a reader has it in its hand, then as `WEIR_CHANNEL_BLOCK`, and no other reader loses it */
    WEIR_CHANNEL_DROP_OLDEST = 3,
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
    /** bytes of each message; attach with another one that is not 0 is `-WEIR_E_TYPE`; 0: any */
    uint64_t message_size;
    /** time to live, ns: an older message is freed and counted instead of read; 0: for ever */
    int64_t ttl_ns;
    /** a message that waits for longer, ns, counts as one of the highest level; 0: strict by level */
    int64_t ageing_ns;
    /** broadcast: messages that are younger, ns, are kept for who subscribes later, unless room is needed */
    int64_t retain_ns;
    /** broadcast: so many newest messages of each level are kept for who subscribes later, unless room is needed */
    uint64_t retain_count;
    /** messages each level can hold: rounded up to a power of two from 16 to 1048576; 0: 1024 */
    uint32_t capacity;
    /** who gets a message */
    weir_channel_mode mode;
    /** what a post does when it is full */
    weir_channel_overflow overflow;
    /** priority levels, 1 to 8; 0: 1 */
    uint32_t levels;
};

/**
 * Options of weir_channel_post() and weir_channel_post_many().
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_post_options) {
    /** size of this struct */
    size_t size;
    /** the user's 64 bits, handed to the reader */
    uint64_t tag;
    /** level: 0 is the lowest, and a higher one is read first */
    uint32_t priority;
    /** must be 0 */
    uint32_t reserved0;
};

/**
 * A message in a reader's hand. Its block belongs to nobody until
 * weir_channel_ack(), weir_channel_take() or weir_channel_nack(), and is not
 * freed before, whatever the channel does when it is full.
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
    /** position in its level, from 0 */
    uint64_t sequence;
    /** the participant that posted it */
    uint64_t sender;
    /** when it was posted: CLOCK_MONOTONIC ns, less than 1 us off unless the slewing of that clock changes by more than 500 ppm */
    int64_t posted_at_ns;
    /** messages that were lost before this one: broadcast, by this reader; queue, by all readers, each told once */
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
    /** messages each level can hold */
    uint64_t capacity;
    /** messages that wait; broadcast: that somebody has not answered, or that are kept for later subscribers */
    uint64_t waiting;
    /** bytes that wait, by the posters' lengths */
    uint64_t waiting_bytes;
    /** queue: messages in readers' hands */
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
    /** position of the next message in its level, if one waits */
    uint64_t next_sequence;
    /** the participant that posted the next message, if one waits */
    uint64_t next_sender;
    /** when the next message was posted, CLOCK_MONOTONIC ns, if one waits */
    int64_t next_posted_at_ns;
    /** messages dropped by overflow: refused, or taken away from a reader at least */
    uint64_t dropped;
    /** messages whose time to live ended before everybody had read them */
    uint64_t expired;
    /** bytes of each message; 0: any */
    uint64_t message_size;
    /** time to live, ns; 0: for ever */
    int64_t ttl_ns;
    /** waiting time after which a message counts as one of the highest level, ns; 0: none */
    int64_t ageing_ns;
    /** age up to which messages are kept for later subscribers, ns */
    int64_t retain_ns;
    /** messages of each level that are kept for later subscribers */
    uint64_t retain_count;
    /** messages that wait in each level */
    uint64_t level_waiting[8];
    /** bytes that wait in each level */
    uint64_t level_bytes[8];
    /** level of the next message, if one waits */
    uint32_t next_priority;
    /** levels */
    uint32_t levels;
    /** broadcast: subscribers */
    uint32_t subscribers;
    /** 0 */
    uint32_t reserved0;
    /** who gets a message */
    weir_channel_mode mode;
    /** what a post does when it is full */
    weir_channel_overflow overflow;
};

/**
 * A subscriber of a broadcast channel.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_subscriber_info) {
    /** the participant it belongs to */
    uint64_t participant;
    /** messages that it has not answered */
    uint64_t lag;
    /** messages that it lost and has not been told of */
    uint64_t missed;
    /** its place, 0 to 63 */
    uint32_t slot;
    /** 0 */
    uint32_t reserved0;
};

/**
 * Called for each subscriber. Anything but 0 ends the walk and is returned;
 * a negative value cannot be told from an error.
 *
 * @param[in] info     the subscriber, valid during the call
 * @param[in] userdata userdata(of=callback) nullable; the caller's pointer
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_subscriber_fn) int (const struct weir_subscriber_info *info, void *userdata);
