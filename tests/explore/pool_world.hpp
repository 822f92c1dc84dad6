// SPDX-License-Identifier: MIT OR Apache-2.0
// A tiny pool in a tiny matrix, and what a specification knows of its slots.
#pragma once

#include "core/pool/pool.hpp"
#include "tests/explore/matrix_world.hpp"

#include <string>
#include <vector>

namespace weir::explore {

struct PoolPlan {
    uint64_t capacity = 2;
    uint64_t most = 0; ///< 0: it does not grow
    bool keep = false;
    /// Slots that are taken before the schedule begins: one letter each, '-' for the outsider.
    std::string taken;
    bool stale = false;   ///< there are hints of the taken ones, as a late one leaves them
    bool retires = false; ///< it may be over at the end
};

class PoolWorld;

/// What a program may do. Each call is checked.
class Swimmer {
  public:
    Swimmer(PoolWorld &world, int number) : world_(world), number_(number) {}

    int number() const { return number_; }
    Matrix &matrix() const;
    /// A slot of 0 if there was none.
    SlotId acquire(Nanoseconds timeout = 0) const;
    /// A slot that is live; it may be another one's.
    void release(SlotId slot) const;
    void acquire_and_release(int times = 1, Nanoseconds timeout = 0) const;
    /// The slot that was taken before, by its number.
    SlotId before(unsigned index) const;
    void grow(uint64_t slots) const;
    void heal() const;
    void retire() const;

  private:
    PoolWorld &world_;
    int number_;
};

using PoolProgram = std::function<void(Swimmer const &)>;

class PoolWorld : public MatrixWorld {
  public:
    PoolWorld(PoolPlan plan, MatrixPlan matrix, std::vector<PoolProgram> programs);

    void prepare() override;
    void changed(void const *address, int who) override;
    void stalled(int) override {} // sleepers wait for those who have ended
    void overslept(int who) override;
    std::string value_of(void const *address, uint64_t value) const override;

    Pool &pool(int fibre) { return *pools_[static_cast<std::size_t>(fibre)]; }
    PoolWord word(uint32_t index) const;
    SlotId before(unsigned index) const { return before_[index]; }
    /// A call begins; returns the moment.
    uint64_t enter(int who);
    /// It ends: what it has released counts from now on.
    void leave(int who);
    /// It said that there was no slot.
    void note_empty(int who, uint64_t began);
    void note_taken(int who, Taken got);
    /// The slot may leave its user's hand.
    void note_release(SlotId slot) { going_[slot.index()] = true; }
    bool retires() const { return plan_.retires; }

  protected:
    void begin_run() override;
    void settle() override;
    int helpers() const override { return 3; }

  private:
    void make_pool();
    void open_handles();
    void learn();
    void slot_changed(uint32_t index, int who);
    bool is_legal(PoolWord from, PoolWord to, uint32_t index, int who) const;
    bool is_available(uint32_t index) const;
    void count_available();
    void check_slots();

    PoolPlan plan_;
    std::vector<Pool *> pools_;
    std::vector<SlotId> before_;
    PoolHeader *header_ = nullptr;
    Ref ref_;
    Slots view_, view_before_;
    std::vector<PoolWord> seen_;
    std::vector<bool> going_;    ///< its user has called release()
    std::vector<int> in_flight_; ///< who made it available and has not returned; kNoFibre
    uint64_t moment_ = 0;        ///< counts what happens
    uint64_t last_empty_ = 0;    ///< when no slot counted as available last
};

} // namespace weir::explore
