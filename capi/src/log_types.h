// SPDX-License-Identifier: MIT OR Apache-2.0
// Types of the log. Read by weirgen alone, never compiled.
/**
 * @file Log
 */

/**
 * A durable log that is open for appending: a folder of files.
 *
 * One process at a time has it open. Its handle is of no use in a fork child.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_log);

/**
 * A position in a log from which records are read, by this process or another.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_log_reader);

/**
 * How a log is opened.
 *
 * @since 0.1
 */
WEIR_FLAGS(weir_log_flags, uint32_t) {
    /** `-ENOENT` if there is no log in the folder */
    WEIR_LOG_NO_CREATE = 1,
    /** `-EEXIST` if there is one */
    WEIR_LOG_EXCLUSIVE = 2,
    /** nothing is written or locked and nothing can be appended; tells what recovery would find */
    WEIR_LOG_READ_ONLY = 4,
    /** recovery reads the whole log, not only what lies behind the last evidence */
    WEIR_LOG_VERIFY_ALL = 8,
    /** network file systems too, whose locks and flushes may not hold what they promise */
    WEIR_LOG_ANY_FILESYSTEM = 16,
};

/**
 * What opening does with a log that is damaged below what was acknowledged.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_log_recovery) {
    /** `-WEIR_E_CORRUPT`, and nothing is changed */
    WEIR_LOG_RECOVERY_STRICT = 0,
    /** the log ends in front of the damage; the rest is moved to the folder `quarantine` */
    WEIR_LOG_RECOVERY_POINT_IN_TIME = 1,
};

/**
 * What becomes durable while nobody waits. Waiting means durable in each.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_log_durability) {
    /**
     * every write is; soon after, by a flush: the pieces of a record that fills several buffers, and what
     * goes through the page cache, of which about `buffer_size` times `buffer_count` bytes may be missing
     */
    WEIR_LOG_DURABILITY_SYNC = 0,
    /** what was written, every `sync_interval_ns` */
    WEIR_LOG_DURABILITY_PERIODIC = 1,
    /** what somebody waits for */
    WEIR_LOG_DURABILITY_NONE = 2,
};

/**
 * When the log notes on disk, apart from the records, up to where they are durable. Only with this
 * evidence can recovery tell damage in the last batches from a torn write.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_log_evidence) {
    /** `idle_evidence_ns` after the last acknowledgement; before that the batches that follow are evidence */
    WEIR_LOG_EVIDENCE_IDLE = 0,
    /** before each acknowledgement, with a second write */
    WEIR_LOG_EVIDENCE_BEFORE_ACK = 1,
};

/**
 * How segment files are made before they are used.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_log_prepare) {
    /** filled with zeros while there is time, else their space is reserved */
    WEIR_LOG_PREPARE_AUTO = 0,
    /** always filled with zeros: commits are fast, and appending may wait for it */
    WEIR_LOG_PREPARE_ZEROED = 1,
    /** space is reserved only: for pure streaming */
    WEIR_LOG_PREPARE_FALLOCATED = 2,
};

/**
 * How batches are written.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_log_backend) {
    /** what the variable `WEIR_LOG_BACKEND` of the environment says (`io_uring` or `pwritev2`); else io_uring where it works, else pwritev2 */
    WEIR_LOG_BACKEND_AUTO = 0,
    /** `-EOPNOTSUPP` where it does not work */
    WEIR_LOG_BACKEND_IO_URING = 1,
    /** plain system calls in threads of the log */
    WEIR_LOG_BACKEND_PWRITEV2 = 2,
};

/**
 * Whether writes go past the page cache.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_log_direct) {
    /** where the file system can */
    WEIR_LOG_DIRECT_AUTO = 0,
    /** never */
    WEIR_LOG_DIRECT_NEVER = 1,
};

/**
 * Options of weir_log_open() and weir_log_repair(). Sizes of a log that exists stay as they are.
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_log_options) {
    /** size of this struct */
    size_t size;
    /** how it is opened */
    weir_log_flags flags;
    /** permission bits of the files that are made; 0: 0600 */
    uint32_t mode;
    /** what to do about damage */
    weir_log_recovery recovery;
    /** what becomes durable by itself */
    weir_log_durability durability;
    /** with `WEIR_LOG_DURABILITY_PERIODIC`: 1 ms to 1 h; 0: 100 ms */
    int64_t sync_interval_ns;
    /** what lies unwritten so long is written, though nobody waits for it: 1 ms to 1 h; 0: 100 ms; -1: never */
    int64_t idle_flush_ns;
    /** when durability is noted */
    weir_log_evidence evidence;
    /** writes of waiting threads in flight: 1 to 16; 0: 2 */
    uint32_t commit_depth;
    /** with `WEIR_LOG_EVIDENCE_IDLE`: 1 ms to 1 min; 0: 20 ms */
    int64_t idle_evidence_ns;
    /** how long a write that somebody waits for is held back to gather more, at most half of what the last one took: 0 to 10 ms */
    int64_t group_window_ns;
    /** writes of the log's own thread in flight: 1 to 32 and below `buffer_count`; 0: 4 */
    uint32_t write_depth;
    /** buffers in memory, a power of two: 4 to 64; 0: 8 */
    uint32_t buffer_count;
    /** bytes of a buffer, a power of two: 64 KiB to 16 MiB, at most a quarter of `segment_size`; 0: 512 KiB, or less */
    uint64_t buffer_size;
    /** bytes of a segment file, a power of two: 1 MiB to 4 GiB; 0: 64 MiB, or what the log has */
    uint64_t segment_size;
    /** most bytes of a record, or of the records of an atomic batch: 1 to 1 GiB; 0: 16 MiB */
    uint64_t max_record;
    /** most bytes of all segment files, at least 4 segments; appending fails with `-ENOSPC` when retention cannot make room; 0: no limit */
    uint64_t max_bytes;
    /** segments are removed when so many newer bytes are durable, at least 1 segment; 0: never by bytes */
    uint64_t retain_bytes;
    /** segments are removed when their last change is so long ago, at least 1 s; 0: never by age */
    int64_t retain_ns;
    /** segment files kept ready ahead: 1 to 16; 0: 1 */
    uint32_t spare_segments;
    /** how segment files are made */
    weir_log_prepare prepare;
    /** most bytes per second of zeros that are written ahead, at least 1 MiB; 0: 256 MiB */
    uint64_t prepare_rate;
    /** how batches are written */
    weir_log_backend backend;
    /** whether past the page cache */
    weir_log_direct direct;
    /** threads that write with pwritev2: 1 to 16; 0: 3 */
    uint32_t io_threads;
    /** 0 */
    uint32_t reserved0;
    /** how long an append waits for room, at least 1; 0 and -1: for ever */
    int64_t append_timeout_ns;
    /** a reservation that is not committed so long is given up, and its writer gets `-WEIR_E_STALE`: 100 ms to 1 h; 0: 10 s; -1: never */
    int64_t stall_timeout_ns;
    /** how long opening waits for the files of a process that was just killed: 1 ns to 1 min; 0: 5 s */
    int64_t lock_timeout_ns;
    /** 0; else `-EOPNOTSUPP` */
    uint64_t lease_bytes;
};

/**
 * One record of an atomic batch, or one piece of a gathered record.
 *
 * @kind part
 * @since 0.1
 */
WEIR_STRUCT(weir_log_part) {
    /** nullable bytes(len=len); its first byte, NULL only if `len` is 0 */
    const void *data;
    /** bytes */
    size_t len;
    /** a number of the user's, handed back by readers: 0 to 65535 */
    uint32_t tag;
    /** 0 */
    uint32_t reserved0;
};

/**
 * How a log is read.
 *
 * @since 0.1
 */
WEIR_FLAGS(weir_reader_flags, uint32_t) {
    /** go on behind damage: weir_log_reader_next() says 2 for the first record behind a gap */
    WEIR_READER_SALVAGE = 1,
    /** beyond what is durable, up to what was written */
    WEIR_READER_WRITTEN = 2,
};

/**
 * What a cursor does.
 *
 * @since 0.1
 */
WEIR_FLAGS(weir_cursor_flags, uint32_t) {
    /** neither retention nor truncation passes it */
    WEIR_CURSOR_HOLD = 1,
};

/**
 * How a log is.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_log_verdict) {
    /** nothing is missing */
    WEIR_LOG_WHOLE = 0,
    /** something that was never acknowledged is not whole; opening drops it, or mends what was spare */
    WEIR_LOG_TORN = 1,
    /** something that was acknowledged is damaged */
    WEIR_LOG_CORRUPT = 2,
};

/**
 * What was found in a log. Up to `WEIR_LOG_FOUND_OPEN_CHAIN` it is where
 * the valid part ends.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_log_finding) {
    /** nothing to tell */
    WEIR_LOG_FOUND_NOTHING = 0,
    /** zeros: never written */
    WEIR_LOG_FOUND_ZEROS = 1,
    /** a whole batch of what the file held before it was recycled */
    WEIR_LOG_FOUND_EARLIER_USE = 2,
    /** a whole batch that an earlier recovery dropped */
    WEIR_LOG_FOUND_DROPPED = 3,
    /** a batch header that is not whole */
    WEIR_LOG_FOUND_DAMAGED_HEADER = 4,
    /** a record that is not whole, or their number or digest is wrong */
    WEIR_LOG_FOUND_DAMAGED_RECORD = 5,
    /** a whole batch of another place */
    WEIR_LOG_FOUND_MISDIRECTED = 6,
    /** a whole batch that does not follow the one before it */
    WEIR_LOG_FOUND_BROKEN_LINK = 7,
    /** a segment file is missing */
    WEIR_LOG_FOUND_SEGMENT_MISSING = 8,
    /** a segment file is too short, or its header is not whole */
    WEIR_LOG_FOUND_SEGMENT_DAMAGED = 9,
    /** the last batch ends inside a long record or an atomic batch, and nothing follows */
    WEIR_LOG_FOUND_OPEN_CHAIN = 10,
    /** both superblocks are damaged or contradict each other */
    WEIR_LOG_FOUND_META = 11,
    /** a batch of a life of the log that META does not know: the newer superblock is lost */
    WEIR_LOG_FOUND_HIGHER_EPOCH = 12,
    /** META says where the log was closed, and it ends elsewhere */
    WEIR_LOG_FOUND_CLOSED_END = 13,
    /** one superblock is damaged */
    WEIR_LOG_FOUND_META_COPY = 14,
    /** a segment file that holds nothing yet is damaged */
    WEIR_LOG_FOUND_UNUSED_SEGMENT = 15,
    /** a cursor is damaged */
    WEIR_LOG_FOUND_CURSOR = 16,
    /** one of the two places of a cursor is damaged */
    WEIR_LOG_FOUND_CURSOR_SLOT = 17,
};

/**
 * What was mended in a log.
 *
 * @since 0.1
 */
WEIR_FLAGS(weir_log_mended, uint32_t) {
    /** a superblock, by the other one */
    WEIR_LOG_MENDED_META_COPY = 1,
    /** both superblocks, by the segments */
    WEIR_LOG_MENDED_META = 2,
    /** the header of a segment */
    WEIR_LOG_MENDED_SEGMENT_HEADER = 4,
    /** a damaged segment that held nothing was removed */
    WEIR_LOG_MENDED_UNUSED_SEGMENT = 8,
    /** segments that were truncated, and leftovers, were removed */
    WEIR_LOG_MENDED_TRUNCATED = 16,
    /** what was never acknowledged was dropped */
    WEIR_LOG_MENDED_TAIL = 32,
    /** damaged parts were moved to the folder `quarantine` */
    WEIR_LOG_MENDED_QUARANTINE = 64,
    /** a cursor: of its two slots one was damaged, or it stood where the log does not reach any
     *  more, and now it stands at the end */
    WEIR_LOG_MENDED_CURSOR = 128,
    /** what was whole was written to another log */
    WEIR_LOG_MENDED_SALVAGED = 256,
};

/**
 * What recovery, weir_log_verify() or weir_log_repair() found.
 *
 * @kind info
 * @since 0.1
 */
WEIR_STRUCT(weir_log_report) {
    /** size of this struct */
    size_t size;
    /** how the log is */
    weir_log_verdict verdict;
    /** what decided it */
    weir_log_finding finding;
    /** the number of the segment where it is, or 0 */
    uint64_t segment;
    /** bytes from the beginning of that file, or 0 */
    uint64_t offset;
    /** the position in the log, or 0 */
    uint64_t lsn;
    /** what lies behind the valid part */
    weir_log_finding at_end;
    /** what was changed */
    weir_log_mended mended;
    /** the oldest position that is kept */
    uint64_t first_lsn;
    /** where the valid part ends */
    uint64_t end_lsn;
    /** what the files prove to have been acknowledged */
    uint64_t durable_lsn;
    /** the life of the log when it was looked at: each opening begins one */
    uint64_t epoch;
    /** where the scan began */
    uint64_t scanned_lsn;
    /** segment files */
    uint64_t segments;
    /** batches that were read */
    uint64_t batches;
    /** records that were read; aborted ones and padding are none */
    uint64_t records;
    /** bytes of their payloads */
    uint64_t record_bytes;
    /** bytes that are neither payloads nor their headers */
    uint64_t padding_bytes;
    /** atomic batches and long records that were never finished */
    uint64_t void_chains;
    /** whole batches behind the end that are dropped */
    uint64_t dropped_batches;
    /** bytes that went to the folder `quarantine` */
    uint64_t quarantined_bytes;
    /** places that salvage passed over */
    uint64_t gaps;
    /** bytes of those */
    uint64_t gap_bytes;
    /** named cursors */
    uint64_t cursors;
    /** 1: somebody had it open for appending, and what lies behind the valid part is what was
     *  being written; else 0 */
    uint32_t has_writer;
    /** 0 */
    uint32_t reserved0;
};

/**
 * Counters of an open log since it was opened.
 *
 * @kind info
 * @since 0.1
 */
WEIR_STRUCT(weir_log_info) {
    /** size of this struct */
    size_t size;
    /** the oldest position that is kept */
    uint64_t first_lsn;
    /** as weir_log_durable() */
    uint64_t durable_lsn;
    /** as weir_log_tail() */
    uint64_t tail_lsn;
    /** the life of the log: each opening begins one */
    uint64_t epoch;
    /** records that were written; aborted ones and padding are none */
    uint64_t records;
    /** bytes of their payloads */
    uint64_t record_bytes;
    /** batches that were written */
    uint64_t batches;
    /** bytes of those */
    uint64_t batch_bytes;
    /** bytes of them that are padding */
    uint64_t padding_bytes;
    /** batches that a waiting thread wrote by itself */
    uint64_t waiter_writes;
    /** batches that the log's own thread wrote */
    uint64_t thread_writes;
    /** flushes that were not part of a write */
    uint64_t flushes;
    /** buffers that were opened */
    uint64_t rotations;
    /** times an append waited for room */
    uint64_t room_waits;
    /** times the next buffer's segment was not ready */
    uint64_t segment_waits;
    /** times the log waited for a writer that did not commit */
    uint64_t stalls;
    /** reservations that were given up */
    uint64_t evictions;
    /** bytes of memory that are kept because a writer that was given up may still write there */
    uint64_t leaked_bytes;
    /** segment files that were made, from zeros or by reserving */
    uint64_t segments_made;
    /** segment files that were used again */
    uint64_t segments_recycled;
    /** segment files that retention or truncation took away */
    uint64_t segments_removed;
    /** segment files that were handed out before they were zeroed */
    uint64_t segments_unzeroed;
    /** the age of the oldest write that has not finished, ns; 0: none */
    int64_t oldest_inflight_ns;
    /** device writes by their duration: element i counts those of 2^i to 2^(i+1) - 1 ns */
    uint64_t write_latency[64];
    /** the backend that writes: `io_uring` or `pwritev2`, ended by NUL */
    char backend[16];
    /** why this one, ended by NUL */
    char backend_reason[96];
    /** the error that belongs to the reason, positive; 0: none */
    uint32_t backend_error;
    /** 1: files are written past the page cache */
    uint32_t direct;
    /** 1: an accepted record has its place on disk; 0: the file system copies on write */
    uint32_t space_guaranteed;
    /** 1: the file system is in memory, nothing survives a power cut */
    uint32_t volatile_storage;
    /** what recovery found: the fields of weir_log_report */
    weir_log_verdict recovered_verdict;
    /** what decided that */
    weir_log_finding recovered_finding;
    /** where */
    uint64_t recovered_lsn;
    /** batches that recovery read */
    uint64_t recovered_batches;
    /** batches that recovery dropped */
    uint64_t recovered_dropped;
    /** what recovery mended */
    weir_log_mended recovered_mended;
    /** 0 */
    uint32_t reserved0;
};
