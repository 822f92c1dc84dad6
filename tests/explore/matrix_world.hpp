// SPDX-License-Identifier: MIT OR Apache-2.0
// A tiny matrix: its layout, one handle per fibre, the operations of a program, and the checks.
#pragma once

#include "core/matrix/matrix.hpp"
#include "tests/explore/sector_monitor.hpp"
#include "tests/explore/segment_world.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::explore {

/// Owns blocks, never runs, never dies.
inline constexpr int kOutsider = kMaxFibres - 1;

/// A block of the initial layout.
struct Piece {
    Kind kind;
    Granules length;
    int owner = kOutsider; ///< fibre, of ALLOCATED
};
inline Piece used(Granules length, int owner = kOutsider)
{
    return {Kind::allocated, length, owner};
}
inline Piece open(Granules length) { return {Kind::free, length, kOutsider}; }
/// Kept by the first program's lane, or on a shelf.
inline Piece kept(Granules length) { return {Kind::cached, length, 0}; }
/// Free, but without memory.
inline Piece gone(Granules length) { return {Kind::trimmed, length, kOutsider}; }

/// What a scenario's table says.
struct MatrixPlan {
    std::vector<Piece> pieces[kSectors];
    /// Granules the sector may grow to; 0: as long as its pieces, rounded up.
    Granules reserve[kSectors] = {};
    uint64_t capacity = 0; ///< bytes of all sectors together; 0: all that is reserved
    uint32_t roots = 1;
    bool isolate = true;
    bool keep_blocks = false;
    bool lanes = false; ///< each program has a lane; a free goes there first
    /// The programs are threads of the first one's participant: they share its handle and die
    /// together.
    bool one_process = false;
    int apart = 0; ///< the last so many of them are processes of their own all the same
    /// So many programs, the first ones, are threads of one process, with one handle and a depot;
    /// at most kLanes. They do not die: they would have to die together.
    int threads = 1;
    /// This program has looked into the exchange in vain, so the others leave there what they have
    /// too much of; -1: nobody has.
    int wants = -1;
    bool shelved = false; ///< what is kept lies in the exchange, as one batch of the first program
};

class MatrixWorld;

/// The hands of a fibre: what a program may do. Each checks what it got.
class Actor {
  public:
    Actor(MatrixWorld &world, int number) : world_(world), number_(number) {}

    int number() const { return number_; }
    Matrix &matrix() const;
    /// A block of `granules` of the small sector; a null ref if there was none.
    Ref alloc(Granules granules, Granules align = 1) const
    {
        return alloc_in(kSmall, granules, align);
    }
    Ref alloc_in(unsigned sector, Granules granules, Granules align = 1) const;
    /// A block that the scenario knows to be live; ESTALE and the like are failures.
    void free(Ref ref) const;
    void free_piece(std::size_t index, unsigned sector = kSmall) const;
    Ref piece(std::size_t index, unsigned sector = kSmall) const;
    /// Only what may be free: an ENOMEM is no failure of the caller.
    void alloc_and_free(Granules granules) const;
    void heal() const;
    /// Gives memory back; that somebody keeps the ticket is no failure.
    void trim(uint64_t keep_bytes = 0) const;
    /// Tries to make a block `granules` long. -ENOSPC is no failure; `fine` are other codes that
    /// the scenario allows.
    bool resize(Ref ref, Granules granules, std::initializer_list<int> fine = {}) const;
    /// Sleeps until there is memory; a null ref if there was none for seconds, or after retirement.
    Ref alloc_waiting(Granules granules) const;
    /// As the specification sees it: no step.
    BlockWord word_at(Granule at) const;

  private:
    MatrixWorld &world_;
    int number_;
};

using MatrixProgram = std::function<void(Actor const &)>;

class MatrixWorld : public SegmentWorld {
  public:
    MatrixWorld(MatrixPlan plan, std::vector<MatrixProgram> programs);

    void prepare() override;
    void run() override;
    void changed(void const *address, int who) override;
    void died(int who) override;
    void stalled(int who) override;
    void overslept(int who) override;
    std::string value_of(void const *address, uint64_t value) const override;

    Matrix &handle(int fibre) { return *handles_[static_cast<std::size_t>(process_of(fibre))]; }
    SectorMonitor &monitor(unsigned sector) { return monitors_[sector]; }
    SectorMonitor const &monitor(unsigned sector) const { return monitors_[sector]; }
    Owner owner_of(int fibre) const { return static_cast<Owner>(process_of(fibre)) + 1; }
    uint64_t now() const { return now_; }
    /// Where a ref leads, by its offset alone.
    bool place_of(Ref ref, unsigned &sector, Granule &head) const;
    bool is_block_word(void const *address) const
    {
        return monitors_[0].holds(address) || monitors_[1].holds(address) ||
               monitors_[2].holds(address);
    }
    Ref piece(unsigned sector, std::size_t index) const { return refs_[sector][index]; }
    /// A call that said -ENOMEM: looked at when all is known.
    void note_exhausted(int fibre, unsigned sector, Granules length, Granules align,
                        uint64_t begin);

    /// Who waits for how much; 0: not any more.
    void note_waiting(int fibre, Granules granules) { wanted_[fibre] = granules; }

    /// Sets words that no operation leaves behind in a short scenario.
    std::function<void(MatrixWorld &)> spoil;
    /// More checks at rest.
    std::function<void(MatrixWorld &)> extra_check;

  protected:
    /// Before the checks at rest: empties what the scenario's objects hold.
    virtual void settle() {}
    /// Participants besides those of the programs: two healers, and who settle() spawns.
    virtual int helpers() const { return 2; }
    virtual void begin_run();

    /// How objects with names are healed; for worlds with channels.
    RootOps const *const *root_ops = nullptr;

    int programs() const { return static_cast<int>(programs_.size()); }
    void heal_twice();
    int outsider() const { return programs() + helpers(); } ///< index of its handle
    void check_at_rest();

  private:
    struct Exhausted {
        int fibre;
        unsigned sector;
        Granules length, align;
        uint64_t begin, end;
    };

    bool is_thread(int fibre) const
    {
        return plan_.one_process && fibre < programs() - plan_.apart;
    }
    int process_of(int fibre) const
    {
        return is_thread(fibre) || fibre < plan_.threads ? 0 : fibre;
    }
    void attach(int number);
    void add_lane(Matrix &matrix);
    void lay_out(unsigned sector);
    void fill_shelf();
    void add_threads();
    void check_memory(unsigned sector, void const *address) const;
    void attach_all();
    void check_exhausted() const;
    void check_people() const;
    void check_exchange() const;
    ExchangeRack *racks() const
    {
        return reinterpret_cast<ExchangeRack *>(base() + geometry().exchange);
    }

    MatrixPlan plan_;
    std::vector<MatrixProgram> programs_;
    /// They stay for ever: each is in the process's list of fork hooks, and to leave in order would
    /// be an operation on a segment that is gone.
    std::vector<Matrix *> handles_;
    std::vector<Ref> refs_[kSectors];
    SectorMonitor monitors_[kSectors], fresh_[kSectors]; ///< fresh: before each schedule
    bool has_run_ = false;
    uint64_t now_ = 0;
    std::vector<Exhausted> exhausted_;
    Granules wanted_[kMaxFibres] = {};
};

} // namespace weir::explore
