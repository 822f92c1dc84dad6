// SPDX-License-Identifier: MIT OR Apache-2.0
// The rules of who may write which block word, and the history of what was free.
#include "tests/explore/sector_monitor.hpp"

#include "tests/explore/explorer.hpp"

#include <algorithm>
#include <cstdio>

namespace weir::explore {

std::string text_of(BlockWord word)
{
    static char const *const kName[] = {"INTERIOR",  "TAIL",   "FREE",     "CLAIMED",
                                        "ALLOCATED", "CACHED", "RESIZING", "TRIMMED"};
    auto const kind = static_cast<unsigned>(word.kind());
    char text[100];
    int length = std::snprintf(text, sizeof text, "%s(%u granules, gen %u",
                               kind < 8 ? kName[kind] : "?", word.granules(), word.generation());
    if (word.owner() != weir::kNobody)
        length +=
            std::snprintf(text + length, sizeof text - static_cast<size_t>(length), ", owner %u=%c",
                          word.owner(), letter(static_cast<int>(word.owner()) - 1));
    std::snprintf(text + length, sizeof text - static_cast<size_t>(length), "%s)",
                  word.is_claimed_without_memory() ? ", without memory" : "");
    return text;
}

void SectorMonitor::init(std::byte *base, Geometry const &geometry, unsigned sector)
{
    SectorGeometry const &g = geometry.sector[sector];
    max_ = static_cast<Granule>(g.max_granules);
    unit_ = std::max<Granules>(1, static_cast<Granules>(kGrowthUnit >> g.granule_shift));
    words_ = reinterpret_cast<char const *>(base) + g.words;
    limit_ = reinterpret_cast<uint64_t const *>(
        reinterpret_cast<Header *>(base)->sector_limit[sector].granules.address());
}

void SectorMonitor::reset()
{
    used_ = false;
    seen_limit_ = limit();
    shadow_.resize(max_);
    for (Granule i = 0; i < max_; i++)
        shadow_[i] = word(i);
    head_of_.assign(max_, 0);
    users_.assign(max_, false);
    known_.assign(max_, false);
    holder_.assign(max_, weir::kNobody);
    held_since_.assign(max_, 0);
    free_at_start_.assign(max_, true);
    events_.clear();
    find_heads(0);
    for (Granule i = 0; i < seen_limit_; i += shadow_[i].granules()) {
        if (!shadow_[i].is_users())
            continue;
        known_[i] = true;
        for (Granule j = i; j < i + shadow_[i].granules(); j++) {
            users_[j] = true;
            free_at_start_[j] = false;
        }
    }
}

void SectorMonitor::changed(void const *address, Owner writer, uint64_t now)
{
    used_ = true;
    if (address != limit_) {
        auto const at = static_cast<Granule>((static_cast<char const *>(address) - words_) /
                                             static_cast<std::ptrdiff_t>(sizeof(BlockWord)));
        BlockWord const from = shadow_[at], to = word(at);
        if (from == to)
            return;
        shadow_[at] = to;
        if (at >= seen_limit_)
            return; // words above the limit mean nothing
        check_writer(at, from, to, writer);
        follow(at, from, to, now);
        if (head_of_[at] == at)
            find_heads(at);
    } else {
        Granule const old = seen_limit_;
        seen_limit_ = limit();
        if (seen_limit_ < old || seen_limit_ > max_)
            fail("the limit moves from %u to %u", old, seen_limit_);
        for (Granule i = old; i < seen_limit_; i++) { // made by a grower, in its hand
            holder_[i] = writer;
            held_since_[i] = now;
        }
        find_heads(old);
    }
}

/// Invariant 1, and which head each granule belongs to. Hops lead to where `changed` is as they did
/// before, and from the next one on that was a head before.
void SectorMonitor::find_heads(Granule changed)
{
    Granule at = changed;
    while (at < seen_limit_) {
        BlockWord const head = shadow_[at];
        if (!head.is_head() || head.granules() == 0 || head.granules() > seen_limit_ - at) {
            fail("invariant 1: a hop lands at %u on %s: %s", at, text_of(head).c_str(),
                 layout().c_str());
            return;
        }
        for (Granule i = at; i < at + head.granules(); i++)
            head_of_[i] = at;
        at += head.granules();
        if (at < seen_limit_ && head_of_[at] == at)
            return;
    }
}

void SectorMonitor::check_writer(Granule at, BlockWord from, BlockWord to, Owner writer) const
{
    bool const begins = to.is(Kind::allocated) && !from.is_users();
    uint32_t const generation = (from.generation() + (begins ? 1 : 0)) & BlockWord::kGenerationMask;
    if (to.generation() != generation)
        fail("generation: word %u goes from %s to %s", at, text_of(from).c_str(),
             text_of(to).c_str());

    Granule const head = head_of_[at];
    if (head == at)
        return check_head_change(at, from, to, writer);
    BlockWord const held = shadow_[head];
    bool const mine = held.is(Kind::claimed) || held.is(Kind::resizing);
    if (!mine || held.owner() != writer)
        fail("participant %u writes word %u inside the block at %u, %s, which it does not hold",
             writer, at, head, text_of(held).c_str());
}

/// A claim may take the FREE block and the writer's own one on its right in one step.
bool SectorMonitor::merges_with_held(Granule at, BlockWord from, BlockWord to, Owner writer) const
{
    Granule const next = at + from.granules();
    if (!to.is(Kind::claimed) || to.owner() != writer || next >= shadow_.size())
        return false;
    BlockWord const held = shadow_[next];
    return head_of_[next] == next && held.is(Kind::claimed) && held.owner() == writer &&
           to.granules() == from.granules() + held.granules();
}

/// By its owner, or by who heals it. The length changes only where the writer holds the other part.
bool SectorMonitor::resizes(Granule at, BlockWord from, BlockWord to) const
{
    Granules const shorter = std::min(from.granules(), to.granules());
    Granules const longer = std::max(from.granules(), to.granules());
    bool const same = to.is_users() && to.user() == from.user() &&
                      (to.owner() == from.owner() || to.owner() == weir::kNobody);
    if (!same || shorter == longer)
        return same;
    BlockWord const other = at + shorter < shadow_.size() ? shadow_[at + shorter] : BlockWord{0};
    return other.is(Kind::claimed) && other.owner() == from.owner() &&
           other.granules() == longer - shorter;
}

void SectorMonitor::check_head_change(Granule at, BlockWord from, BlockWord to, Owner writer) const
{
    bool legal = false;
    Owner const owner = from.owner();
    bool const dead = owner != weir::kNobody && is_dead(static_cast<int>(owner) - 1);
    bool const claims =
        to.is(Kind::claimed) && to.owner() == writer && to.granules() == from.granules();
    bool const frees_dead = dead && to == from.as_free(from.granules()); // by its healer
    switch (from.kind()) {
    case Kind::free:
        legal = claims || merges_with_held(at, from, to, writer);
        break;
    case Kind::cached:
        legal = claims || (to.is(Kind::allocated) && owner == writer) || frees_dead ||
                to == from.with_owner(writer); // the exchange
        break;
    case Kind::claimed: // its holder may do anything; of the dead, only a healer takes it
        if (owner == writer)
            legal = !to.is_users() || to.owner() == writer;
        else if (from.is_claimed_without_memory())
            legal = dead && claims && to.is_claimed_without_memory();
        else
            legal = dead && claims;
        break;
    case Kind::trimmed:
        legal = claims && to.is_claimed_without_memory();
        break;
    case Kind::allocated:
        legal =
            claims || (to.is(Kind::allocated) && to.granules() == from.granules()) ||
            (to.is(Kind::resizing) && owner == writer && to == from.as_resizing(from.granules())) ||
            (to.is(Kind::cached) && to.owner() == writer) || frees_dead;
        break;
    case Kind::resizing:
        legal = owner == writer
                    ? resizes(at, from, to)
                    : dead && (claims || (to.is(Kind::resizing) && to == from.with_owner(writer)));
        break;
    default:
        break; // invariant 1 has failed before
    }
    if (!legal)
        fail("participant %u changes the head at %u from %s to %s", writer, at,
             text_of(from).c_str(), text_of(to).c_str());
}

void SectorMonitor::follow(Granule at, BlockWord from, BlockWord to, uint64_t now)
{
    if (head_of_[at] != at)
        return;
    bool const was_users = from.is_users(), is_users = to.is_users();
    if (was_users && !is_users) {
        set_users(at, from.granules(), false, now);
        known_[at] = false;
    }
    if (!was_users && is_users)
        set_users(at, to.granules(), true, now);
    if (was_users && is_users)
        resize_users(at, from, to, now);
    if (to.is(Kind::claimed)) {
        for (Granule i = at; i < at + to.granules() && i < max_; i++)
            if (holder_[i] != to.owner()) {
                holder_[i] = to.owner();
                held_since_[i] = now;
            }
    } else if (to.is(Kind::free) || to.is_users() || to.is(Kind::cached) || to.is(Kind::trimmed)) {
        for (Granule i = at; i < at + to.granules() && i < max_; i++)
            holder_[i] = weir::kNobody;
    }
}

void SectorMonitor::resize_users(Granule at, BlockWord from, BlockWord to, uint64_t now)
{
    if (to.granules() > from.granules())
        return set_users(at + from.granules(), to.granules() - from.granules(), true, now);
    for (Granule i = at + to.granules(); i < at + from.granules(); i++) {
        holder_[i] = from.owner(); // it has cut it off
        held_since_[i] = now;
    }
    set_users(at + to.granules(), from.granules() - to.granules(), false, now);
}

void SectorMonitor::set_users(Granule head, Granules length, bool by_users, uint64_t now)
{
    for (Granule i = head; i < head + length; i++) {
        if (users_[i] == by_users)
            fail("invariant 2: granule %u is %s while it %s: %s", i,
                 by_users ? "handed out" : "freed", by_users ? "is a user's" : "is nobody's",
                 layout().c_str());
        users_[i] = by_users;
        // Taken from the moment since which its holder did not let go of it.
        bool const held = by_users && holder_[i] != weir::kNobody;
        events_.push_back({held ? held_since_[i] : now, i, !by_users});
    }
}

void SectorMonitor::check_at_rest() const
{
    bool left_free = false;
    for (Granule at = 0; at < seen_limit_; at += shadow_[at].granules()) {
        BlockWord const head = shadow_[at];
        Granules const length = head.granules();
        if (!head.is_head() || length == 0)
            return; // invariant 1 has failed before
        if (head.is(Kind::claimed) || head.is(Kind::resizing))
            return fail("at rest: %s at %u: %s", text_of(head).c_str(), at, layout().c_str());
        BlockWord const tail = shadow_[at + length - 1];
        if (length > 1 && (!tail.is(Kind::tail) || tail.granules() != length))
            return fail("invariant 3: the TAIL of the block at %u is %s: %s", at,
                        text_of(tail).c_str(), layout().c_str());
        if (head.is(Kind::trimmed) && (at % unit_ != 0 || length % unit_ != 0))
            return fail("T2: the TRIMMED block at %u is not of whole units: %s", at,
                        layout().c_str());
        bool const is_free = head.is(Kind::free);
        if (is_free && left_free)
            return fail("invariant 3: two FREE neighbours at %u: %s", at, layout().c_str());
        left_free = is_free;
        Owner const owner = head.owner();
        if (head.is_users() && !known_[at] && !(owner == weir::kNobody && nobody_may_own_))
            return fail("leak: nobody knows the block at %u, %s", at, text_of(head).c_str());
        if (owner != weir::kNobody && is_dead(static_cast<int>(owner) - 1))
            return fail("the block at %u still names the dead: %s", at, text_of(head).c_str());
    }
}

bool SectorMonitor::was_exhausted(uint64_t begin, uint64_t end, Granules length, Granules align,
                                  bool may_grow) const
{
    std::vector<uint8_t> free = free_at_start_;
    if (!may_grow)
        for (Granule i = seen_limit_; i < max_; i++)
            free[i] = false;
    auto const could_serve = [&] {
        for (Granule at = 0; at + length <= max_; at++) {
            if ((at & (align - 1)) != 0)
                continue;
            Granules run = 0;
            while (run < length && free[at + run])
                run++;
            if (run == length)
                return true;
        }
        return false;
    };
    std::vector<Event> events = events_;
    std::stable_sort(events.begin(), events.end(),
                     [](Event const &a, Event const &b) { return a.time < b.time; });
    auto next = events.begin();
    for (; next != events.end() && next->time <= begin; ++next)
        free[next->at] = next->free;
    if (!could_serve())
        return true;
    while (next != events.end() && next->time <= end) {
        uint64_t const now = next->time;
        for (; next != events.end() && next->time == now; ++next)
            free[next->at] = next->free;
        if (!could_serve())
            return true;
    }
    return false;
}

std::string SectorMonitor::layout() const
{
    std::string text;
    for (Granule at = 0; at < seen_limit_;) {
        BlockWord const head = shadow_[at];
        text += std::to_string(at) + ':' + text_of(head) + ' ';
        if (!head.is_head() || head.granules() == 0)
            break;
        at += head.granules();
    }
    return text;
}

} // namespace weir::explore
