// SPDX-License-Identifier: MIT OR Apache-2.0
// The protocol on a channel's cells (states and healing table in channel.hpp).
#pragma once

#include "core/channel/cell.hpp"
#include "core/index/bit_tree.hpp"
#include "core/matrix/matrix.hpp"

namespace weir {

#ifdef WEIR_EXPLORE
inline constexpr unsigned kMinCapacityShift = 0;
#else
inline constexpr unsigned kMinCapacityShift = 4; // so that 45 bits of lap last for centuries
#endif
inline constexpr unsigned kMaxCapacityShift = 20;

/// A message in a reader's hand.
struct Message {
    Ref ref;
    uint64_t length = 0;
    uint64_t tag = 0;
    uint64_t position = 0;
    uint64_t sender = 0;
    int64_t posted_at_ns = 0;
    uint64_t missed = 0;
    uint32_t redeliveries = 0;
};

struct ChannelInfo {
    uint64_t type_id = 0, capacity = 0, waiting = 0, waiting_bytes = 0, held = 0, writing = 0;
    int64_t oldest_age_ns = 0;
    uint64_t posted = 0, next_tag = 0, next_length = 0;
    bool fail_when_full = false;
};

class Ring {
  public:
    /// Bytes of the block of a channel.
    static uint64_t bytes_for(unsigned capacity_shift) noexcept;
    /// Writes the header into a zeroed block of that size.
    static void format(void *block, unsigned capacity_shift, uint64_t type_id,
                       bool fail_when_full) noexcept;
    /// Validates the channel in a block. kCorrupt, kVersion.
    static Result<Ring> of(Matrix &matrix, Ref ref) noexcept;

    /// EAGAIN: full. `id` of the poster goes with the message.
    Status post(Ref ref, uint64_t length, uint64_t tag) noexcept;
    /// EAGAIN: nothing waits. `missed` counts messages whose block was gone.
    Status read(Message &ret, uint64_t &missed) noexcept;
    /// `keep`: the block becomes ours, else it is freed.
    Status answer(Message const &message, bool keep) noexcept;
    Status nack(Message const &message) noexcept;
    void inquire(ChannelInfo &ret) const noexcept;

    void retire() noexcept;
    bool retired() const noexcept
    {
        return header_->retired.load(relaxed) != 0; // a switch; who misses it sees it next time
    }
    /// Frees what waits. `all`: nobody has the channel open, so what is held as well.
    void drain(bool all) noexcept;
    void heal(Owner dead) noexcept;
    void visit(void (*found)(void *, Ref), void *userdata) noexcept;

    ChannelHeader &header() const noexcept { return *header_; }
    uint64_t type_id() const noexcept { return type_id_; }
    bool fail_when_full() const noexcept { return fail_when_full_; }
    uint64_t capacity() const noexcept { return uint64_t{1} << shift_; }

  private:
    enum class Look { found, again, far, empty };

    Cell &cell(uint64_t position) const noexcept { return cells_[position & (capacity() - 1)]; }
    uint64_t lap(uint64_t position) const noexcept
    {
        return position >> shift_ & CellWord::kLapMask;
    }
    CellWord load(uint64_t position) const noexcept
    {
        // [B] seq_cst, for the look before sleeping; pairs with change()
        return {cell(position).word.load(seq_cst)};
    }
    bool change(uint64_t position, CellWord from, CellWord to) noexcept
    {
        // [W] seq_cst; also: what was written into the cell before is visible after
        return cell(position).word.compare_exchange(from.raw, to.raw, seq_cst, relaxed);
    }
    static bool behind(uint64_t lap, uint64_t of) noexcept; ///< modulo the lap's bits

    Status take_cell(uint64_t &ret_position, CellWord &ret_writing) noexcept;
    Look look_at_redelivery(Message &ret, uint64_t &missed) noexcept;
    Look look_from_head(Message &ret, uint64_t &missed) noexcept;
    bool filled_meanwhile(uint64_t from, uint64_t to) const noexcept;
    bool grab(uint64_t position, CellWord full, Message &ret, uint64_t &missed) noexcept;
    void pass_on(uint64_t position, CellWord from) noexcept;
    void give_back(uint64_t position, CellWord held) noexcept;
    Status hold_for_answer(Message const &message, CellWord &ret_freeing) noexcept;
    void heal_cell(uint64_t position, CellWord word) noexcept;
    bool nobodys(Ref ref) noexcept;
    void advance(atomic<uint64_t> &hint, uint64_t from) noexcept;

    Matrix *matrix_ = nullptr;
    ChannelHeader *header_ = nullptr;
    Cell *cells_ = nullptr;
    BitTree redelivery_;
    unsigned shift_ = 0;
    uint64_t type_id_ = 0;
    bool fail_when_full_ = false;
};

} // namespace weir
