// SPDX-License-Identifier: MIT OR Apache-2.0
// One block: from ref to word and back, free, states, owners.
#include "core/matrix/matrix.hpp"

#include "core/matrix/lane_hot.hpp"
#include "core/matrix/sector_hot.hpp"

namespace weir {
WEIR_HOT unsigned Matrix::sector_of(uint64_t offset) const noexcept
{
    unsigned index = 0;
    while (index < kSectors && !sectors_[index].holds(offset))
        ++index;
    return index;
}

/// EINVAL: can be no block of this matrix. kStale: was one, or is another's. The result comes by
/// reference: a struct would be put together in memory, in the way of each free.
WEIR_HOT int Matrix::locate(Ref ref, Place &ret) noexcept
{
    uint64_t const offset = ref.value & kOffsetMask;
    unsigned const index = sector_of(offset);
    if (index == kSectors)
        return -EINVAL;
    Sector *const sector = &sectors_[index];
    uint64_t const inside = offset - sector->data_offset();
    if ((inside & (sector->bytes_of(1) - 1)) != 0)
        return -EINVAL;
    auto const head = static_cast<Granule>(inside >> sector->granule_shift());
    Granule limit = sector->known_limit(); // its line has other words, which free() writes
    if (!WEIR_LIKELY(head < limit)) {
        limit = sector->limit();
        sector->note_limit(limit);
        if (head >= limit)
            return -EINVAL;
    }
    // acquire: pairs with hand_out() and change(); the block's bytes are visible
    BlockWord const word = sector->word(head, acquire);
    if (!word.is_users())
        return -kStale;
    if (!sector->plausible(head, word, limit))
        return -kCorrupt;
    ret.sector = sector;
    ret.index = index;
    ret.head = head;
    ret.word = word;
    return 0;
}

WEIR_HOT int Matrix::find_here(Ref ref, Place &ret) noexcept
{
    if (int const code = locate(ref, ret); code != 0)
        return code;
    uint32_t const generation = static_cast<uint32_t>(ref.value >> kRefGenerationShift) ^ salt_;
    return ret.word.generation() == generation ? 0 : -kStale;
}

Result<Place> Matrix::find(Ref ref) noexcept
{
    Place place;
    if (WEIR_LIKELY(find_quickly(ref, place, acquire))) // as in locate()
        return place;
    int const code = find_here(ref, place);
    if (code != 0)
        return Status{code};
    return place;
}

/// Changes a block's word by `step(word, ret_next)`, which may refuse with a status.
template <class Step> Status Matrix::change_block(Ref ref, Step step) noexcept
{
    for (int i = 0; i < kWordTries; ++i) {
        auto const found = find(ref);
        WEIR_TRY(found);
        BlockWord word = found->word;
        BlockWord next = word;
        WEIR_TRY(step(word, next));
        if (word == next || found->sector->change(found->head, word, next))
            return kOk;
    }
    return error(kCorrupt);
}

/// A block that is CLAIMED by us, with our window open.
WEIR_HOT void Matrix::free_claimed(Place const &place, Caller const &self) noexcept
{
    Run const freed{place.head, place.word.granules()};
    WorkPlace &work = work_place(self);
    Run const published = place.sector->release_hot(freed, self.owner(), known_steps(work, self));
    self.close();
    tell_waiting();
    remember(work, place.index, published.head);
    self.count(self.counters().frees, relaxed); // for people
}

/// free_fast() may not know that the sector has grown.
void Matrix::note_growth(Lane &lane, Place const &place) noexcept
{
    if (place.index < kLarge)
        lane.sector[place.index].limit = place.sector->known_limit();
}

Status Matrix::free(Ref ref) noexcept
{
    if (!has_lanes())
        return free_shared(ref);
    if (WEIR_LIKELY(free_fast(ref))) {
        tell_waiting();
        return kOk;
    }
    WEIR_TRY(enter());
    Place found;
    Lane *const lane = prepare_lane();
    if (lane != nullptr && find_here(ref, found) == 0 && found.word.is(Kind::allocated)) {
        note_growth(*lane, found);
        if (push(*lane, found))
            return kOk;
    }
    return free_shared(ref);
}

/// Without a lane, or to say why not.
Status Matrix::free_shared(Ref ref) noexcept
{
    WEIR_TRY(enter());
    Caller const self = caller();
    for (int i = 0; i < kWordTries; ++i) {
        Place found;
        if (!WEIR_LIKELY(find_quickly(ref, found, relaxed))) {
            if (int const code = find_here(ref, found); code != 0)
                return Status{code};
            if (!found.word.is(Kind::allocated))
                return error(EBUSY);
        }
        BlockWord word = found.word;
        self.open();
        if (found.sector->change(found.head, word,
                                 word.as_claimed(self.owner(), word.granules()))) {
            free_claimed(found, self);
            return kOk;
        }
        self.close(); // its state or owner changed, or somebody else freed it: look again
    }
    return error(kCorrupt);
}

Status Matrix::free_owned(Ref ref, Owner from) noexcept
{
    if (WEIR_LIKELY(has_lanes() && free_fast(ref, from))) {
        tell_waiting();
        return kOk;
    }
    auto const found = find(ref);
    WEIR_TRY(found);
    BlockWord word = found->word;
    if (!word.is(Kind::allocated) || word.owner() != from)
        return error(EPERM);
    // Who joins, and heals others meanwhile, cannot have a lane yet.
    if (Lane *const lane = is_joined() ? prepare_lane() : nullptr; lane != nullptr) {
        note_growth(*lane, *found);
        if (push(*lane, *found))
            return kOk;
    }
    Caller const self = caller();
    self.open();
    if (!found->sector->change(found->head, word, word.as_claimed(self.owner(), word.granules()))) {
        self.close();
        return error(kStale); // nobody but the caller has a right to it: it was freed behind us
    }
    free_claimed(*found, self);
    return kOk;
}

Result<Extent> Matrix::data(Ref ref) noexcept
{
    if (Extent const found = data_fast(ref); WEIR_LIKELY(found.size != 0))
        return found;
    Place here; // as find(), whose result is put together in memory
    if (int const code = find_here(ref, here); code != 0)
        return Status{code};
    return extent_of(here);
}

Result<Ref> Matrix::ref_of(void const *data, uint64_t size) noexcept
{
    auto const address = reinterpret_cast<uint64_t>(data);
    auto const base = reinterpret_cast<uint64_t>(segment_.base());
    if (address < base || address - base >= segment_.geometry().total)
        return error(EINVAL);
    Place found;
    if (int const code = locate({address - base}, found); code != 0)
        return Status{code};
    if (size > found.sector->bytes_of(found.word.granules()))
        return error(EINVAL);
    return make_ref(*found.sector, found.head, found.word);
}

Result<uint8_t> Matrix::state(Ref ref) noexcept
{
    auto const found = find(ref);
    WEIR_TRY(found);
    return found->word.user();
}

Status Matrix::set_state(Ref ref, uint8_t state) noexcept
{
    WEIR_TRY(enter());
    return change_block(ref, [state](BlockWord word, BlockWord &next) {
        next = word.with_user(state);
        return word.is(Kind::allocated) ? kOk : error(EBUSY);
    });
}

Status Matrix::transition(Ref ref, uint8_t from, uint8_t to) noexcept
{
    WEIR_TRY(enter());
    return change_block(ref, [from, to](BlockWord word, BlockWord &next) {
        next = word.with_user(to);
        if (!word.is(Kind::allocated))
            return error(EBUSY);
        return word.user() == from ? kOk : error(EAGAIN);
    });
}

Result<uint64_t> Matrix::owner(Ref ref) noexcept
{
    auto const found = find(ref);
    WEIR_TRY(found);
    return id_of(found->word.owner());
}

Status Matrix::move_owner(Ref ref, Owner from, Owner to) noexcept
{
    return change_block(ref, [from, to](BlockWord word, BlockWord &next) {
        next = word.with_owner(to);
        if (!word.is(Kind::allocated))
            return error(EBUSY);
        return word.owner() == from ? kOk : error(EPERM);
    });
}

/// Giving to somebody who dies at that moment: the word is changed [G], then his slot is read. His
/// healer makes the slot REAPING, then walks the words. So either the walk meets the block, or we
/// see that he is gone and take it back.
Status Matrix::give(Ref ref, uint64_t participant) noexcept
{
    WEIR_TRY(enter());
    Owner const self = me().owner;
    if (participant == 0)
        return move_owner(ref, self, kNobody);
    Owner const to = owner_of_id(participant);
    if (to == kNobody || to > participants_.count())
        return error(EINVAL);
    SlotWord const live = SlotWord::of(SlotState::live, generation_of_id(participant));
    if (!(participants_.word_of(to) == live))
        return error(ESRCH);
    WEIR_TRY(move_owner(ref, self, to)); // [G]
    if (participants_.word_of(to) == live)
        return kOk;
    // If his healer has it already, it is freed or kept by policy, as if he had died later.
    return move_owner(ref, to, self).ok() ? error(ESRCH) : kOk;
}

Status Matrix::take(Ref ref) noexcept
{
    WEIR_TRY(enter());
    return move_owner(ref, kNobody, me().owner);
}

} // namespace weir
