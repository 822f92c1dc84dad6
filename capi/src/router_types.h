// SPDX-License-Identifier: MIT OR Apache-2.0
// Types of routers. Read by weirgen alone, never compiled.
/**
 * @file Routers
 */

/**
 * A named table of rules in a matrix: it says to which channels a message goes.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_router);

/**
 * Which messages a rule is for.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_router_condition) {
    /** every message */
    WEIR_ROUTER_ANY = 0,
    /** the message's tag is `tag` */
    WEIR_ROUTER_TAG = 1,
    /** the message's tag and `mask` make `tag` */
    WEIR_ROUTER_MASK = 2,
    /** the message's topic fits the pattern `topic`: `*` stands for any bytes, `?` for one */
    WEIR_ROUTER_TOPIC = 3,
    /** no other rule is for the message, wherever this one stands */
    WEIR_ROUTER_OTHERWISE = 4,
};

/**
 * What a rule does with a message.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_router_action) {
    /** posts it to the one channel */
    WEIR_ROUTER_TO = 0,
    /** posts it to one of the channels, the same one for the same tag */
    WEIR_ROUTER_HASH = 1,
    /** posts it to the channels in turn, to the next one if one is full, retired or missing */
    WEIR_ROUTER_ROUND_ROBIN = 2,
    /** posts it to the channel that has the largest part of its room left in the level */
    WEIR_ROUTER_LEAST_FULL = 3,
    /** posts a copy to each of the channels but the last, and to that one the message itself */
    WEIR_ROUTER_COPY = 4,
    /** frees it */
    WEIR_ROUTER_DROP = 5,
};

/**
 * A rule for weir_router_add_rule().
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_router_rule) {
    /** size of this struct */
    size_t size;
    /** what the tag must be */
    uint64_t tag;
    /** with `WEIR_ROUTER_MASK`: which bits of the tag count, at least those of `tag` */
    uint64_t mask;
    /** utf8 nullable; the pattern, at most 63 bytes, NULL but for `WEIR_ROUTER_TOPIC` */
    const char *topic;
    /** utf8 nullable; names of up to 16 channels, a newline between them, NULL for `WEIR_ROUTER_DROP` alone */
    const char *channels;
    /** number of the rule that it comes before; 0: it is the last */
    uint64_t before;
    /** which messages it is for */
    weir_router_condition condition;
    /** what is done with them */
    weir_router_action action;
};

/**
 * Options of weir_router_post().
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_route_options) {
    /** size of this struct */
    size_t size;
    /** the user's 64 bits: what rules look at, and handed to the reader */
    uint64_t tag;
    /** utf8 nullable; what rules look at, not handed to the reader, and NULL fits no pattern */
    const char *topic;
    /** level in the channel that gets it */
    uint32_t priority;
    /** must be 0 */
    uint32_t reserved0;
};

/**
 * A rule of a router.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_rule_info) {
    /** its number, given once */
    uint64_t id;
    /** what the tag must be */
    uint64_t tag;
    /** which bits of the tag count */
    uint64_t mask;
    /** messages that came to it */
    uint64_t matched;
    /** posts to its channels that were done */
    uint64_t posted;
    /** posts to its channels that were not */
    uint64_t refused;
    /** which messages it is for */
    weir_router_condition condition;
    /** what is done with them */
    weir_router_action action;
    /** the pattern, ended by NUL */
    char topic[64];
    /** names of the channels, a newline between them, ended by NUL */
    char channels[1024];
};

/**
 * Called for each rule. Anything but 0 ends the walk and is returned;
 * a negative value cannot be told from an error.
 *
 * @param[in] info     the rule, valid during the call
 * @param[in] userdata userdata(of=callback) nullable; the caller's pointer
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_rule_fn) int (const struct weir_rule_info *info, void *userdata);
