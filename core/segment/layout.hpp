// SPDX-License-Identifier: MIT OR Apache-2.0
// The structs that lie in a segment. docs/FORMAT.md shows them as byte tables; a test compares.
#pragma once

#include "core/base/atomic.hpp"
#include "core/base/base.hpp"
#include "core/segment/slot_word.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

inline constexpr uint64_t kMagic = 0x0a58544d52494557; // "WEIRMTX\n", little endian
inline constexpr uint32_t kFormatVersion = 1;

/// Features a reader must know (incompat), must know to write (ro_compat), may ignore (compat).
inline constexpr uint64_t kKnownIncompat = 0;
inline constexpr uint64_t kKnownRoCompat = 0;

inline constexpr uint32_t kStateReady = 1;
inline constexpr uint32_t kStateRetired = 2;

inline constexpr uint32_t kMaxRoots = 4096;
inline constexpr size_t kRootNameMax = 63;

/// What participants pass to each other of one block size: so many batches of so many blocks.
#ifdef WEIR_EXPLORE
inline constexpr unsigned kExchangeShelves = 1;
inline constexpr unsigned kExchangeBatch = 2;
inline constexpr unsigned kExchangeRacks = 1; // all sizes share it: an entry of another is stale
#else
inline constexpr unsigned kExchangeShelves = 4;
inline constexpr unsigned kExchangeBatch = 32;
inline constexpr unsigned kExchangeRacks = 32; ///< one per size that lanes keep
#endif

struct Uuid {
    uint8_t bytes[16];
};

/// Constant after creation. Read once, at attach.
struct SectorDescriptor {
    uint32_t granule_shift;
    uint32_t classes;
    uint64_t max_granules;
    uint64_t words;
    uint64_t hints;
    uint64_t map;
    uint64_t data;
};
static_assert(sizeof(SectorDescriptor) == 48);

/// A lock in shared memory; see ticket.hpp.
struct alignas(kCacheLine) TicketWord {
    /// Owner in the low 16 bits, use count above. Writers: anybody from 0 by CAS; the owner, and
    /// the healer of a dead owner, back to 0.
    atomic<uint64_t> word;
};

/// A sector's own line. It changes rarely, where few requests look in vain.
struct alignas(kCacheLine) SectorLimit {
    /// Granules that exist. Writer: the holder of the growth ticket. Only ever grows.
    atomic<uint64_t> granules;
    /// Of these, granules in TRIMMED blocks. Writers: the holder of the growth ticket; after his
    /// death his healer, who counts them.
    atomic<uint64_t> trimmed;
    /// How often the index may have lost a step of a chunk (Sector::forget_step()). Writers: who
    /// forgets one, and healers.
    atomic<uint64_t> forgets;
};

struct Header {
    uint64_t magic;
    uint32_t format_version;
    uint32_t header_bytes;
    uint64_t incompat;
    uint64_t ro_compat;
    uint64_t compat;
    uint64_t layout_hash;
    Uuid uuid;
    uint64_t total_bytes;
    uint64_t capacity;
    uint64_t limit[3];
    uint32_t participants;
    uint32_t roots;
    uint32_t isolate;
    uint32_t keep_blocks;
    int64_t created_at_ns; ///< CLOCK_REALTIME
    uint64_t participants_offset;
    uint64_t windows_offset;
    uint64_t roots_offset;
    SectorDescriptor sector[3];
    uint64_t exchange_offset;
    uint8_t reserved[208];

    /// kStateReady or kStateRetired. Writer: retire(), once.
    alignas(kCacheLine) atomic<uint32_t> state;
    /// Who waits for memory sleeps here. Bit 0: somebody sleeps. Above: counts wakes. Writers:
    /// anybody by CAS. Beside `state`: each call reads that line, and it changes rarely.
    atomic<uint32_t> memory;
    /// Where the next participant begins to look for a slot: a hint, spreads re-use.
    alignas(kCacheLine) atomic<uint32_t> next_slot;
    /// Deaths healed since creation; for people.
    atomic<uint32_t> deaths;
    /// Who may raise a limit, give memory back and take it again.
    TicketWord growth;
    /// Who may change the directory of roots.
    TicketWord directory;
    SectorLimit sector_limit[3];
};
static_assert(offsetof(Header, state) == 512);
static_assert(sizeof(Header) == 512 + 7 * kCacheLine);

/// Who somebody is. All but `word` is written by the holder while the slot is still its alone,
/// and read by others for people only.
struct alignas(kCacheLine) ParticipantSlot {
    /// Truth. Writers: by CAS, along the states of segment.hpp.
    atomic<uint64_t> word;
    atomic<uint32_t> pid;
    atomic<uint32_t> uid;
    atomic<uint64_t> started_at;
    atomic<uint64_t> attached_at_ns;
    atomic<uint64_t> name[2];
    /// Times somebody waited for this one in vain. Writers: anybody, adding.
    atomic<uint64_t> stalls;
};
static_assert(sizeof(ParticipantSlot) == kCacheLine);

/// One of a participant's sets of counters (rules.md M6). The first threads of a process have one
/// each and write it with plain stores; all others share the last one and add atomically.
struct alignas(kCacheLine) WindowCounters {
    /// Windows opened. Writers: its threads; only ever grows.
    atomic<uint64_t> begun;
    /// Windows closed. begun == ended: nothing is withheld through this set. Writers: its threads;
    /// after their death the healer, who sets it to `begun`.
    atomic<uint64_t> ended;
    // For people. Writers: its threads.
    atomic<uint64_t> allocs; ///< by the shared path
    atomic<uint64_t> frees;
    atomic<uint64_t> failures;
    atomic<uint64_t> hits; ///< allocations that a lane served
    atomic<uint64_t> refills;
    atomic<uint64_t> flushes; ///< times that a lane gave blocks back
};
static_assert(sizeof(WindowCounters) == kCacheLine);

/// The batches of one block size; the protocol is in core/matrix/exchange.hpp.
struct alignas(kCacheLine) ExchangeRack {
    /// state:2 | count:8 from bit 8 | holder:16 from bit 16 | giver:16 from bit 32 of each batch.
    /// Writers: by CAS, along the states of exchange.hpp; who has it in hand, by stores.
    atomic<uint64_t> shelf[kExchangeShelves];
    /// Owner id of who ran empty last; 0: nobody, or there was no room since: a hint. Writers: anybody.
    atomic<uint64_t> wanted;
    /// generation << 28 | granule of each block: hints. Writer: who fills the shelf.
    alignas(kCacheLine) atomic<uint64_t> entry[kExchangeShelves][kExchangeBatch];
};

/// A named ref; the protocol is in core/matrix/roots.hpp.
struct alignas(kCacheLine) RootEntry {
    /// state:4 | kind:8 | owner:16 | use count:36. Truth of the entry.
    atomic<uint64_t> word;
    atomic<uint64_t> ref;
    /// The name, NUL padded. Writer: the holder of the directory ticket, while WRITING.
    atomic<uint64_t> name[8];
    /// Participants that have the object open: bit owner % 64 of word owner / 64. Writers: each
    /// its own bit; its healer clears it. Here and not in the object, whose memory may be gone.
    atomic<uint64_t> users[16];
    atomic<uint64_t> reserved[6];
};
static_assert(sizeof(RootEntry) == 4 * kCacheLine);
static_assert(kMaxParticipants < 16 * 64);

} // namespace weir
