// SPDX-License-Identifier: MIT OR Apache-2.0
// The directory: names for blocks and for the objects made of them.
//
// States of an entry                               word: state:4 | kind:8 | owner:16 | uses:36
//   FREE (ref 0) -> WRITING(me): name, then ref -> the block to nobody -> BOUND        bind
//   BOUND -> WRITING(me) -> the block to me -> ref 0 -> FREE                           unbind
//   BOUND -> RETIRED: the name is free, the object waits for its last user             retire
//   RETIRED -> COLLECTING(me), nobody has it open -> drained, the block freed -> ref 0 -> FREE
//   Bind, unbind and retire hold the directory ticket, so that a name is given once.
//   Lookups take nothing: they read the word, the entry, and the word again.
//   Who opens an object sets his bit in `users` [U], then reads the word again; who collects makes
//   the word COLLECTING [C], then reads `users`. seq_cst: at least one sees the other.
//   A read-only handle sets no bit: it may look into an object, and believes what it saw if the
//   word is the same afterwards. What it reads meanwhile may be another's memory: checked, bounded.
//
// Death
//   WRITING(dead): ref 0, or its block is not nobody's any more -> FREE; nobody's -> BOUND (a bind
//     is finished, an unbind undone).
//   COLLECTING(dead): the block is gone -> FREE; still there -> RETIRED, and collected again.
//   The dead one's bit in `users` holds the object while its reaper works on it, then it is cleared;
//   who clears the last one collects.
#pragma once

#include "core/matrix/matrix.hpp"

namespace weir {

enum class RootState : unsigned { free = 0, writing = 1, bound = 2, retired = 3, collecting = 4 };

struct RootWord {
    uint64_t raw;

    static constexpr RootWord of(RootState state, unsigned kind, Owner owner,
                                 uint64_t uses) noexcept
    {
        return {static_cast<uint64_t>(state) << 60 | uint64_t{kind & 0xff} << 52 |
                uint64_t{owner & 0xffff} << 36 | (uses & ((uint64_t{1} << 36) - 1))};
    }
    constexpr RootState state() const noexcept { return static_cast<RootState>(raw >> 60); }
    constexpr unsigned kind() const noexcept { return raw >> 52 & 0xff; }
    constexpr Owner owner() const noexcept { return raw >> 36 & 0xffff; }
    constexpr uint64_t uses() const noexcept { return raw & ((uint64_t{1} << 36) - 1); }
    /// The next state; the use count tells two lives of an entry apart.
    constexpr RootWord to(RootState next, Owner by = kNobody) const noexcept
    {
        return of(next, next == RootState::free ? 0 : kind(), by, uses() + 1);
    }
    constexpr bool is(RootState wanted) const noexcept { return state() == wanted; }
    constexpr bool is(RootState wanted, RootKind of_kind) const noexcept
    {
        return is(wanted) && kind() == static_cast<unsigned>(of_kind);
    }
};

struct RootName {
    uint64_t word[8] = {};
    /// EINVAL if empty or with control characters, ENAMETOOLONG above 63 bytes.
    static Status of(char const *text, RootName &ret) noexcept;
};

class Directory {
  public:
    explicit Directory(Matrix &matrix) noexcept;

    Status bind(RootName const &name, RootKind kind, Ref ref) noexcept;
    Result<Ref> lookup(RootName const &name, RootKind kind) const noexcept;
    Result<Ref> unbind(RootName const &name) noexcept;
    Status retire(OpenObject const &object) noexcept;
    Result<OpenObject> open(RootName const &name, RootKind kind) noexcept;
    Status open_again(OpenObject &object) noexcept;
    Result<OpenObject> watch(RootName const &name, RootKind kind) const noexcept;
    bool still_there(OpenObject const &object) const noexcept;
    void close(OpenObject const &object) noexcept;
    void heal(Owner dead) noexcept;
    /// After the matrix was retired: wakes all who sleep on any object.
    void wake() noexcept;
    /// Reports the blocks that all objects keep alive.
    void visit(void (*found)(void *userdata, Ref block), void *userdata) noexcept;

    /// Calls `visit(info)` for each entry in use; stops at anything but 0 and returns it.
    template <class Visit> int each(Visit visit) const noexcept;

  private:
    RootWord load(uint32_t index) const noexcept
    {
        return {entries_[index].word.load(acquire)}; // pairs with change(): the entry is written
    }
    bool change(uint32_t index, RootWord from, RootWord to) noexcept
    {
        // [C] seq_cst; also pairs with load(): what was written before is visible after
        return entries_[index].word.compare_exchange(from.raw, to.raw, seq_cst, relaxed);
    }
    bool same_name(uint32_t index, RootName const &name) const noexcept;
    bool find(RootName const &name, uint32_t &ret_index, RootWord &ret_word) const noexcept;
    Ref ref_at(uint32_t index) const noexcept
    {
        // acquire: who reads a ref and then the word again sees if it became another entry's
        return {entries_[index].ref.load(acquire)};
    }
    Result<Ref> unbind_held(RootName const &name) noexcept;
    Status bind_held(RootName const &name, RootKind kind, Ref ref) noexcept;
    Status write(uint32_t index, RootWord from, RootName const &name, RootKind kind,
                 Ref ref) noexcept;
    void clear(uint32_t index, RootWord from) noexcept;
    enum class Mark { set, was_there, too_late };
    Mark mark(uint32_t index, RootWord word, Owner owner) noexcept;
    void heal_object(uint32_t index, Owner dead) noexcept;
    void unmark(uint32_t index, Owner owner) noexcept;
    bool unused(uint32_t index) const noexcept;
    void collect_if_retired(uint32_t index) noexcept;
    using FoundFn = void (*)(void *userdata, Ref block);
    bool is_object(RootWord word) const noexcept;
    template <class Use> bool use_marked(uint32_t index, RootWord word, Use use) noexcept;
    void visit_marked(uint32_t index, RootWord word, FoundFn found, void *userdata) noexcept;
    void visit_unmarked(uint32_t index, FoundFn found, void *userdata) noexcept;
    void collect(uint32_t index, RootWord word) noexcept;
    void heal_entry(uint32_t index, RootWord word) noexcept;

    Matrix &matrix_;
    RootEntry *entries_;
    uint32_t count_;
};

template <class Visit> int Directory::each(Visit visit) const noexcept
{
    for (uint32_t i = 0; i < count_; ++i) {
        RootWord const word = load(i);
        if (!word.is(RootState::bound) && !word.is(RootState::retired))
            continue;
        RootInfo info{};
        info.ref = ref_at(i).value;
        info.kind = static_cast<RootKind>(word.kind());
        info.retired = word.is(RootState::retired);
        uint64_t name[8];
        for (unsigned k = 0; k < 8; ++k)
            name[k] = entries_[i].name[k].load(acquire); // as in same_name()
        __builtin_memcpy(info.name, name, sizeof info.name);
        info.name[sizeof info.name - 1] = '\0';
        if (load(i).raw != word.raw)
            continue; // it changed under us
        if (int const code = visit(static_cast<RootInfo const &>(info)); code != 0)
            return code;
    }
    return 0;
}

} // namespace weir
