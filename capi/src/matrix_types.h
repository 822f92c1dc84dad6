// SPDX-License-Identifier: MIT OR Apache-2.0
// Types of the matrix. Read by weirgen alone, never compiled.
/**
 * @file Matrix
 */

/**
 * A shared-memory segment with an allocator that every attached process may use.
 *
 * One handle is one participant: a process that attaches twice is two of them.
 * A fork child becomes a participant of its own with its first call.
 *
 * @since 0.1
 */
WEIR_HANDLE(weir_matrix);

/**
 * How a matrix is made or opened.
 *
 * @since 0.1
 */
WEIR_FLAGS(weir_matrix_flags, uint32_t) {
    /** a request is served by the sector of its size or not at all */
    WEIR_MATRIX_ISOLATE = 1,
    /** open files of users other than the caller and root too; without it they are refused with `-EPERM` */
    WEIR_MATRIX_ALLOW_FOREIGN = 2,
    /** attach for looking alone: the file is mapped for reading, no participant slot is taken, and what would change something fails with `-EROFS`; not for creating */
    WEIR_MATRIX_READ_ONLY = 4,
    /** `numa_node` counts */
    WEIR_MATRIX_ON_NODE = 8,
    /** `group` counts */
    WEIR_MATRIX_SET_GROUP = 16,
    /** threads of this handle keep no freed blocks for their next allocations: every free is seen by all at once, and costs more */
    WEIR_MATRIX_NO_LANES = 32,
};

/**
 * How much a wish for a kind of memory matters.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_effort) {
    /** not wished */
    WEIR_EFFORT_NONE = 0,
    /** if it can be had; weir_matrix_memory() tells what was got */
    WEIR_EFFORT_TRY = 1,
    /** the call fails if it cannot be had */
    WEIR_EFFORT_REQUIRE = 2,
};

/**
 * What becomes of the blocks of a process that died or left.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_death_policy) {
    /** they are freed */
    WEIR_DEATH_RECLAIM = 0,
    /** they stay allocated and belong to nobody */
    WEIR_DEATH_KEEP = 1,
};

/**
 * The three parts of a matrix, by the size of the requests they serve.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_sector) {
    /** up to 1 KiB, in steps of 64 bytes */
    WEIR_SECTOR_SMALL = 0,
    /** up to 1 MiB, in steps of 256 bytes */
    WEIR_SECTOR_MEDIUM = 1,
    /** above 1 MiB, in steps of 64 KiB */
    WEIR_SECTOR_LARGE = 2,
};

/**
 * Options of weir_matrix_create(), weir_matrix_attach(), weir_matrix_open() and
 * weir_matrix_attach_fd(). What shapes the segment counts only where one is
 * made; a segment that exists keeps what it has.
 *
 * @kind options
 * @since 0.1
 */
WEIR_STRUCT(weir_matrix_options) {
    /** size of this struct */
    size_t size;
    /** most bytes of block data over all sectors: 64 KiB to 8 TiB, rounded up to 64 KiB; 0: 256 MiB */
    uint64_t capacity;
    /** bytes of block data committed at creation, a quarter in the small sector, half in the medium one, rounded down to 64 KiB in each; at most `capacity`; 0: none, all on demand */
    uint64_t commit;
    /** most bytes of the small sector; 0: `capacity`; never more than 16 GiB */
    uint64_t small_limit;
    /** most bytes of the medium sector; 0: `capacity`; never more than 64 GiB */
    uint64_t medium_limit;
    /** most bytes of the large sector; 0: `capacity` */
    uint64_t large_limit;
    /** how long a call waits for a stopped process that holds what it needs, ns; 0: 100 ms; at most 1 h */
    int64_t stall_ns;
    /** permission bits of the file; 0: 0600 for a named segment, and for one without a name all, so that whoever gets a descriptor of it may attach */
    uint32_t mode;
    /** most participants at one time: 2 to 1023; 0: 128 */
    uint32_t participants;
    /** what becomes of the blocks of the dead */
    weir_death_policy death_policy;
    /** how it is made or opened */
    weir_matrix_flags flags;
    /** huge pages: for a segment without a name from the system's pool of 2 MiB pages; else, and if the pool has too few, transparent ones, which are only tried; each process asks for its own mapping; a pool that is used up later is `-ENOSPC` as a full file system is */
    weir_effort huge_pages;
    /** keep the pages that this process uses in memory; the whole segment counts against `RLIMIT_MEMLOCK`, though what is not used is neither committed nor locked */
    weir_effort lock;
    /** with `WEIR_MATRIX_ON_NODE`: the NUMA node that the memory of a new segment comes from while it has some; only tried, but a node that does not exist is `-EINVAL`; else 0 */
    uint32_t numa_node;
    /** with `WEIR_MATRIX_SET_GROUP`: the group of the file, before its name appears; else 0 */
    uint32_t group;
    /** what people see as this participant's name, ended by NUL, any bytes; empty: the name of the program */
    char participant_name[16];
};

/**
 * The universally unique id of a segment.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_uuid) {
    /** 16 random bytes, version 4 */
    uint8_t value[16];
};

/**
 * Sizes and counters of a matrix. Sizes are bytes of block data; arrays are
 * indexed by weir_sector. Counters go over all participants since creation.
 *
 * @kind info
 * @since 0.1
 */
WEIR_STRUCT(weir_matrix_info) {
    /** size of this struct */
    size_t size;
    /** most bytes of block data */
    uint64_t capacity;
    /** bytes of the whole file, most of them never touched */
    uint64_t segment_bytes;
    /** block data that the file system has granted, without what was trimmed */
    uint64_t committed_bytes;
    /** in blocks that somebody has */
    uint64_t used_bytes;
    /** in free blocks */
    uint64_t free_bytes;
    /** held for an instant by running operations */
    uint64_t claimed_bytes;
    /** kept by threads for their next allocations */
    uint64_t cached_bytes;
    /** free, but given back to the system; no part of `committed_bytes` and `free_bytes` */
    uint64_t trimmed_bytes;
    /** the largest free block */
    uint64_t largest_free_bytes;
    /** free bytes outside the largest free block of their sector: no request as large as all of them could have them. What blocks have beyond what was asked for is not known */
    uint64_t scattered_bytes;
    /** tables and index that go with the committed data */
    uint64_t overhead_bytes;
    /** blocks that somebody has */
    uint64_t used_blocks;
    /** free blocks */
    uint64_t free_blocks;
    /** allocations that succeeded */
    uint64_t allocs;
    /** blocks that were freed by a call */
    uint64_t frees;
    /** allocations that failed */
    uint64_t failures;
    /** times a call waited in vain for a stopped process */
    uint64_t stalls;
    /** participants that were healed after their death */
    uint64_t deaths;
    /** participants now */
    uint64_t participants;
    /** committed bytes by sector */
    uint64_t sector_committed[3];
    /** used bytes by sector */
    uint64_t sector_used[3];
    /** free bytes by sector */
    uint64_t sector_free[3];
    /** trimmed bytes by sector */
    uint64_t sector_trimmed[3];
    /** used blocks by sector */
    uint64_t sector_blocks[3];
    /** bytes per step by sector */
    uint64_t sector_granule[3];
};

/**
 * What the pages behind a segment are.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_pages) {
    /** of the usual size */
    WEIR_PAGES_NORMAL = 0,
    /** huge where the kernel finds some: weir_matrix_prefault() asks for them, else it is the system's settings that decide */
    WEIR_PAGES_TRANSPARENT = 1,
    /** huge ones, all of them */
    WEIR_PAGES_HUGETLB = 2,
};

/**
 * What kind of memory a handle got, and how much of it is there. What was wished
 * in vain has a negative code; 0 means got, or not wished.
 *
 * @kind info
 * @since 0.1
 */
WEIR_STRUCT(weir_memory_info) {
    /** size of this struct */
    size_t size;
    /** address space of this handle */
    uint64_t mapped_bytes;
    /** what the file system has granted, tables included */
    uint64_t file_bytes;
    /** in this process's page tables; 0 if the kernel does not tell */
    uint64_t resident_bytes;
    /** of those, by huge pages */
    uint64_t huge_bytes;
    /** bytes per page of the file */
    uint64_t page_bytes;
    /** what its pages are */
    weir_pages pages;
    /** why there are no huge pages, or only transparent ones: as `-ENOSPC`, the pool has too few */
    int32_t huge_error;
    /** 1 if what this process uses stays in memory */
    uint32_t locked;
    /** why it does not: as `-ENOMEM` or `-EPERM`, `RLIMIT_MEMLOCK` is too small */
    int32_t lock_error;
    /** the node that this handle bound the segment to; -1: none */
    int32_t numa_node;
    /** why it did not: as `-ENOSYS`, a kernel without NUMA */
    int32_t numa_error;
};

/**
 * What a part of a sector is at the moment.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_block_kind) {
    /** anybody may have it */
    WEIR_BLOCK_FREE = 2,
    /** in the hands of a running operation */
    WEIR_BLOCK_CLAIMED = 3,
    /** a user's block */
    WEIR_BLOCK_ALLOCATED = 4,
    /** kept by a thread for its next allocation */
    WEIR_BLOCK_CACHED = 5,
    /** a user's block that is changing its size */
    WEIR_BLOCK_RESIZING = 6,
    /** free, but its memory was given back to the system */
    WEIR_BLOCK_TRIMMED = 7,
};

/**
 * One block, as weir_matrix_walk() reports it.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_block_info) {
    /** the block's ref if it is allocated, else 0 */
    weir_ref block;
    /** where its data begins, bytes from the segment's start */
    uint64_t offset;
    /** bytes */
    uint64_t length;
    /** the participant that has it, 0 for nobody */
    uint64_t owner;
    /** which sector */
    weir_sector sector;
    /** what it is */
    weir_block_kind kind;
    /** the user's state, 0 or 49 to 255 */
    uint32_t state;
    /** how often a block began here, modulo 16384 */
    uint32_t generation;
};

/**
 * Called for each block. Anything but 0 ends the walk and is returned by it;
 * a negative value cannot be told from an error.
 *
 * @param[in] info     the block, valid during the call
 * @param[in] userdata userdata(of=callback) nullable; the caller's pointer
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_walk_fn) int (const struct weir_block_info *info, void *userdata);

/**
 * The life of a participant slot.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_participant_state) {
    /** a process that lives */
    WEIR_PARTICIPANT_LIVE = 1,
    /** a process that died and that nobody healed so far */
    WEIR_PARTICIPANT_DEAD = 2,
    /** a process that died and is being healed */
    WEIR_PARTICIPANT_REAPING = 3,
};

/**
 * One participant, as weir_matrix_participants() reports it.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_participant_info) {
    /** what weir_block_owner() and weir_matrix_participant_id() return */
    uint64_t participant;
    /** when it attached, CLOCK_REALTIME ns */
    int64_t attached_at_ns;
    /** when its process started, clock ticks since boot, as in /proc */
    uint64_t started_at;
    /** successful allocations */
    uint64_t allocs;
    /** blocks it freed */
    uint64_t frees;
    /** times a call of others waited in vain for this one */
    uint64_t stalls;
    /** operations that are running now */
    uint64_t running;
    /** process id, in the pid namespace where it attached; for people to read */
    int32_t pid;
    /** user id */
    uint32_t uid;
    /** whether it lives */
    weir_participant_state state;
    /** slot number, from 0 */
    uint32_t slot;
    /** name for people to read */
    char name[16];
};

/**
 * Called for each participant. Anything but 0 ends the walk and is returned;
 * a negative value cannot be told from an error.
 *
 * @param[in] info     the participant, valid during the call
 * @param[in] userdata userdata(of=callback) nullable; the caller's pointer
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_participant_fn) int (const struct weir_participant_info *info, void *userdata);

/**
 * What weir_matrix_check() does besides looking.
 *
 * @since 0.1
 */
WEIR_FLAGS(weir_check_flags, uint32_t) {
    /** build the index anew where it misses a free block, and count anew what is trimmed */
    WEIR_CHECK_REPAIR = 1,
};

/**
 * What weir_matrix_check() found. While others work, blocks that change under
 * the walk are counted in `unsettled` and are no errors.
 *
 * @kind info
 * @since 0.1
 */
WEIR_STRUCT(weir_check_report) {
    /** size of this struct */
    size_t size;
    /** blocks of any kind that the walk met */
    uint64_t blocks;
    /** blocks in use */
    uint64_t used_blocks;
    /** bytes in use */
    uint64_t used_bytes;
    /** bytes free */
    uint64_t free_bytes;
    /** bytes free, but given back to the system */
    uint64_t trimmed_bytes;
    /** blocks that belong to a dead participant */
    uint64_t dead_blocks;
    /** blocks of nobody that neither a root nor a channel names: leaks */
    uint64_t orphans;
    /** bytes in `orphans` */
    uint64_t orphan_bytes;
    /** places where walking from block to block does not work */
    uint64_t broken_chains;
    /** blocks whose last word names another size */
    uint64_t wrong_tails;
    /** pairs of free neighbours */
    uint64_t unmerged_pairs;
    /** free blocks that a search cannot find */
    uint64_t unfindable;
    /** sectors whose count of trimmed bytes is wrong */
    uint64_t miscounted;
    /** of these two, how many were repaired */
    uint64_t repaired;
    /** names of channels and channel cells that name no block */
    uint64_t dangling;
    /** names of blocks that were freed; they are no errors, weir_matrix_unbind() removes them */
    uint64_t freed_roots;
    /** operations that ran while it looked */
    uint64_t unsettled;
    /** offset of the first error in the segment, 0 if there is none */
    uint64_t first_error_offset;
};

/**
 * What weir_matrix_heal() did.
 *
 * @kind info
 * @since 0.1
 */
WEIR_STRUCT(weir_heal_report) {
    /** size of this struct */
    size_t size;
    /** dead participants that were healed by this call */
    uint64_t participants;
    /** blocks that came back */
    uint64_t blocks_reclaimed;
    /** bytes that came back */
    uint64_t reclaimed_bytes;
    /** blocks that were kept, by the death policy */
    uint64_t blocks_kept;
    /** operations that were interrupted in the middle, and finished or undone */
    uint64_t interrupted;
    /** how long it took, ns */
    int64_t duration_ns;
};

/**
 * Called after each piece of memory. Anything but 0 ends the work and is
 * returned.
 *
 * @param[in] done     bytes of block data that are there
 * @param[in] total    bytes of block data that will be there
 * @param[in] userdata userdata(of=callback) nullable; the caller's pointer
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_prefault_fn) int (uint64_t done, uint64_t total, void *userdata);

/**
 * What a root names.
 *
 * @since 0.1
 */
WEIR_ENUM(weir_root_kind) {
    /** a block of the user's */
    WEIR_ROOT_BLOCK = 1,
    /** a channel */
    WEIR_ROOT_CHANNEL = 2,
    /** a slot pool */
    WEIR_ROOT_POOL = 3,
    /** a router */
    WEIR_ROOT_ROUTER = 4,
};

/**
 * One root, as weir_matrix_roots() reports it.
 *
 * @kind record
 * @since 0.1
 */
WEIR_STRUCT(weir_root_info) {
    /** the block it names */
    weir_ref block;
    /** what that is */
    weir_root_kind kind;
    /** 1 if it was retired and waits for its last user to let go */
    uint32_t retired;
    /** its name, ended by NUL */
    char name[64];
};

/**
 * Called for each root. Anything but 0 ends the walk and is returned by it;
 * a negative value cannot be told from an error.
 *
 * @param[in] info     the root, valid during the call
 * @param[in] userdata userdata(of=callback) nullable; the caller's pointer
 * @scope call
 * @since 0.1
 */
WEIR_CALLBACK(weir_root_fn) int (const struct weir_root_info *info, void *userdata);
