// SPDX-License-Identifier: MIT OR Apache-2.0
// The directory's steps, and their healing (states in roots.hpp).
#include "core/matrix/roots.hpp"

#include <cstring>

namespace weir {
RootOps const &Matrix::ops_of(unsigned kind) const noexcept
{
    static constexpr RootOps kNone{};
    bool const known = root_ops_ != nullptr && kind < kRootKinds && root_ops_[kind] != nullptr;
    return known ? *root_ops_[kind] : kNone;
}

Status RootName::of(char const *text, RootName &ret) noexcept
{
    size_t const length = strnlen(text, kRootNameMax + 1);
    if (length > kRootNameMax)
        return error(ENAMETOOLONG);
    if (length == 0)
        return error(EINVAL);
    for (size_t i = 0; i < length; ++i)
        if (static_cast<unsigned char>(text[i]) < ' ' || text[i] == 0x7f)
            return error(EINVAL);
    std::memset(ret.word, 0, sizeof ret.word);
    std::memcpy(ret.word, text, length);
    return kOk;
}

Directory::Directory(Matrix &matrix) noexcept
    : matrix_(matrix), entries_(matrix.segment().at<RootEntry>(matrix.segment().geometry().roots)),
      count_(matrix.segment().geometry().request.roots)
{
}

bool Directory::same_name(uint32_t index, RootName const &name) const noexcept
{
    for (unsigned k = 0; k < 8; ++k)
        // acquire: who reads a new name sees the word that was written before it; pairs with write()
        if (entries_[index].name[k].load(acquire) != name.word[k])
            return false;
    return true;
}

/// The entry that has this name now.
bool Directory::find(RootName const &name, uint32_t &ret_index, RootWord &ret_word) const noexcept
{
    for (uint32_t i = 0; i < count_; ++i) {
        RootWord const word = load(i);
        if (!word.is(RootState::bound) || !same_name(i, name))
            continue;
        ret_index = i;
        ret_word = word;
        return true;
    }
    return false;
}

Result<Ref> Directory::lookup(RootName const &name, RootKind kind) const noexcept
{
    constexpr int kTries = 1000; // somebody binds and unbinds this name all the time
    for (int i = 0; i < kTries; ++i) {
        uint32_t index;
        RootWord word;
        if (!find(name, index, word))
            return error(ENOENT);
        Ref const ref = ref_at(index);
        if (!same_name(index, name) || load(index).raw != word.raw)
            continue;
        if (!word.is(RootState::bound, kind))
            return error(kType);
        return ref;
    }
    return error(ENOENT);
}

Status Directory::bind(RootName const &name, RootKind kind, Ref ref) noexcept
{
    TicketWord &ticket = matrix_.segment().header().directory;
    WEIR_TRY(matrix_.take_ticket(ticket));
    Status const done = bind_held(name, kind, ref);
    matrix_.give_ticket(ticket);
    return done;
}

Status Directory::bind_held(RootName const &name, RootKind kind, Ref ref) noexcept
{
    uint32_t index;
    RootWord word;
    if (find(name, index, word))
        return error(EEXIST);
    for (uint32_t i = 0; i < count_; ++i)
        if (RootWord const found = load(i); found.is(RootState::free))
            return write(i, found, name, kind, ref);
    return error(ENOSPC);
}

Status Directory::write(uint32_t index, RootWord from, RootName const &name, RootKind kind,
                        Ref ref) noexcept
{
    RootEntry &entry = entries_[index];
    Owner const me = matrix_.me().owner;
    RootWord const writing =
        RootWord::of(RootState::writing, static_cast<unsigned>(kind), me, from.uses() + 1);
    if (!change(index, from, writing))
        return error(kCorrupt); // we hold the ticket: somebody scribbles
    for (unsigned k = 0; k < 8; ++k)
        entry.name[k].store(name.word[k], release); // pairs with same_name() and each()
    // release: who sees the ref sees the name and the word; pairs with ref_at()
    entry.ref.store(ref.value, release);
    Status moved = matrix_.move_owner(ref, me, kNobody);
    if (moved.code == -EPERM) // it may be nobody's already
        moved = matrix_.move_owner(ref, kNobody, kNobody);
    if (!moved.ok()) {
        clear(index, writing);
        return moved;
    }
    change(index, writing, writing.to(RootState::bound));
    return kOk;
}

/// The ref is 0 in every FREE entry: a healer must never find an old one in a WRITING entry.
void Directory::clear(uint32_t index, RootWord from) noexcept
{
    entries_[index].ref.store(0, release); // pairs with ref_at()
    change(index, from, from.to(RootState::free));
}

Result<Ref> Directory::unbind(RootName const &name) noexcept
{
    TicketWord &ticket = matrix_.segment().header().directory;
    WEIR_TRY(matrix_.take_ticket(ticket));
    auto const done = unbind_held(name);
    matrix_.give_ticket(ticket);
    return done;
}

Result<Ref> Directory::unbind_held(RootName const &name) noexcept
{
    uint32_t index;
    RootWord word;
    if (!find(name, index, word))
        return error(ENOENT);
    if (!word.is(RootState::bound, RootKind::block))
        return error(kType);
    Owner const me = matrix_.me().owner;
    RootWord const writing = word.to(RootState::writing, me);
    if (!change(index, word, writing))
        return error(kCorrupt);
    Ref const ref = ref_at(index);
    bool const ours = matrix_.move_owner(ref, kNobody, me).ok();
    clear(index, writing);
    return ours ? ref : Ref{};
}

Status Directory::retire(OpenObject const &object) noexcept
{
    TicketWord &ticket = matrix_.segment().header().directory;
    WEIR_TRY(matrix_.take_ticket(ticket));
    RootWord const word = load(object.entry);
    bool const done = word.is(RootState::bound) && ref_at(object.entry) == object.ref &&
                      change(object.entry, word, word.to(RootState::retired));
    matrix_.give_ticket(ticket);
    return done ? kOk : error(kRetired);
}

// ---- who has an object open

/// Sets the mark of `owner` on an entry that is `word`. Only the owner's process, under its
/// objects_mutex(), or the owner's reaper does this.
Directory::Mark Directory::mark(uint32_t index, RootWord word, Owner owner) noexcept
{
    uint64_t const bit = uint64_t{1} << owner % 64;
    bool const was_set =
        (entries_[index].users[owner / 64].fetch_or(bit, seq_cst) & bit) != 0; // [U]
    if (entries_[index].word.load(seq_cst) == word.raw)
        return was_set ? Mark::was_there : Mark::set;
    if (!was_set) { // else another handle of the process stands on it
        unmark(index, owner);
        collect_if_retired(index); // our mark may have stopped the collector
    }
    return Mark::too_late;
}

void Directory::unmark(uint32_t index, Owner owner) noexcept
{
    entries_[index].users[owner / 64].fetch_and(~(uint64_t{1} << owner % 64), seq_cst);
}

bool Directory::unused(uint32_t index) const noexcept
{
    for (atomic<uint64_t> const &users : entries_[index].users)
        if (users.load(seq_cst) != 0) // [C]
            return false;
    return true;
}

Result<OpenObject> Directory::open(RootName const &name, RootKind kind) noexcept
{
    constexpr int kTries = 1000;
    for (int i = 0; i < kTries; ++i) {
        uint32_t index;
        RootWord word;
        if (!find(name, index, word))
            return error(ENOENT);
        if (!word.is(RootState::bound, kind))
            return error(kType);
        Ref const ref = ref_at(index);
        if (same_name(index, name) && mark(index, word, matrix_.me().owner) != Mark::too_late)
            return OpenObject{ref, index, matrix_.me().packed()};
    }
    return error(ENOENT);
}

Status Directory::open_again(OpenObject &object) noexcept
{
    RootWord const word = load(object.entry);
    bool const there = word.is(RootState::bound) || word.is(RootState::retired);
    if (!there || !(ref_at(object.entry) == object.ref) ||
        mark(object.entry, word, matrix_.me().owner) == Mark::too_late)
        return error(kRetired);
    // release: pairs with OpenHandle::enter_object()
    __atomic_store_n(&object.marked_as, matrix_.me().packed(), __ATOMIC_RELEASE);
    return kOk;
}

Result<OpenObject> Directory::watch(RootName const &name, RootKind kind) const noexcept
{
    constexpr int kTries = 1000; // as lookup()
    for (int i = 0; i < kTries; ++i) {
        uint32_t index;
        RootWord word;
        if (!find(name, index, word))
            return error(ENOENT);
        if (!word.is(RootState::bound, kind))
            return error(kType);
        OpenObject const object{ref_at(index), index, kNoIdentity, word.raw};
        if (same_name(index, name) && still_there(object))
            return object;
    }
    return error(ENOENT);
}

/// Each step of an entry counts in its word, as visit_unmarked() says.
bool Directory::still_there(OpenObject const &object) const noexcept
{
    acquire_fence(); // what was read above was read before the word below; pairs with change()
    return load(object.entry).raw == object.seen;
}

void Directory::close(OpenObject const &object) noexcept
{
    if (object.seen != 0 || !matrix_.is(object.marked_as))
        return; // without a mark, or a fork child that never used it
    unmark(object.entry, Identity::of(object.marked_as).owner);
    collect_if_retired(object.entry);
}

void Directory::collect_if_retired(uint32_t index) noexcept
{
    RootWord const word{entries_[index].word.load(seq_cst)}; // after unmark(): [U] and [C] again
    if (word.is(RootState::retired))
        collect(index, word);
}

void Directory::collect(uint32_t index, RootWord word) noexcept
{
    RootWord const collecting = word.to(RootState::collecting, matrix_.me().owner);
    if (!unused(index) || !change(index, word, collecting)) // [C]
        return;
    if (!unused(index)) {
        RootWord const again = collecting.to(RootState::retired);
        change(index, collecting, again);
        if (unused(index)) // he who was in the way left before he could see RETIRED
            collect(index, again);
        return;
    }
    Ref const ref = ref_at(index);
    if (auto const drain = matrix_.ops_of(word.kind()).drain; drain != nullptr)
        drain(matrix_, ref);
    static_cast<void>(matrix_.free_owned(ref, kNobody)); // gone already: as good
    clear(index, collecting);
}

// ---- healing

void Directory::heal(Owner dead) noexcept
{
    for (uint32_t i = 0; i < count_; ++i) {
        RootWord const word = load(i);
        bool const interrupted = word.is(RootState::writing) || word.is(RootState::collecting);
        if (interrupted && word.owner() == dead)
            heal_entry(i, word);
        heal_object(i, dead);
        // [U] of the dead one, whose mark nobody else changes
        if ((entries_[i].users[dead / 64].load(seq_cst) >> dead % 64 & 1) != 0)
            unmark(i, dead);
        collect_if_retired(i);
    }
}

/// With the dead one's mark on it, which only we change, the object stays while we work on it.
void Directory::heal_object(uint32_t index, Owner dead) noexcept
{
    constexpr int kTries = 8; // an entry goes from BOUND to RETIRED at most once in its life
    for (int i = 0; i < kTries; ++i) {
        RootWord const word = load(index);
        if (!word.is(RootState::bound) && !word.is(RootState::retired))
            return;
        Ref const ref = ref_at(index);
        if (mark(index, word, dead) == Mark::too_late)
            continue;
        RootOps const &ops = matrix_.ops_of(word.kind());
        if (ops.heal != nullptr)
            ops.heal(matrix_, ref, dead);
        if (word.is(RootState::retired) && ops.retire != nullptr)
            ops.retire(matrix_, ref); // who retired it may have died before he said so to its users
        return;
    }
}

void Directory::visit(void (*found)(void *userdata, Ref block), void *userdata) noexcept
{
    for (uint32_t i = 0; i < count_; ++i) {
        RootWord const word = load(i);
        if (!is_object(word))
            continue;
        if (matrix_.is_joined())
            visit_marked(i, word, found, userdata);
        else
            visit_unmarked(i, found, userdata);
    }
}

bool Directory::is_object(RootWord word) const noexcept
{
    return (word.is(RootState::bound) || word.is(RootState::retired)) &&
           matrix_.ops_of(word.kind()).visit != nullptr;
}

/// Calls `use(ref)` while our mark keeps the object. False: its word is not `word` any more.
template <class Use> bool Directory::use_marked(uint32_t index, RootWord word, Use use) noexcept
{
    Owner const me = matrix_.me().owner;
    Guard const guard(matrix_.objects_mutex());
    Ref const ref = ref_at(index);
    Mark const marked = mark(index, word, me);
    if (marked == Mark::too_late)
        return false;
    use(ref);
    if (marked == Mark::set) {
        unmark(index, me);
        collect_if_retired(index);
    }
    return true;
}

void Directory::visit_marked(uint32_t index, RootWord word, FoundFn found, void *userdata) noexcept
{
    use_marked(index, word,
               [&](Ref ref) { matrix_.ops_of(word.kind()).visit(matrix_, ref, found, userdata); });
}

void Directory::wake() noexcept
{
    constexpr int kTries = 8; // as in heal_object()
    for (uint32_t i = 0; i < count_; ++i)
        for (int turn = 0; turn < kTries; ++turn) {
            RootWord const word = load(i);
            bool const there = word.is(RootState::bound) || word.is(RootState::retired);
            auto const wake = matrix_.ops_of(word.kind()).wake;
            if (!there || wake == nullptr ||
                use_marked(i, word, [&](Ref ref) { wake(matrix_, ref); }))
                break;
        }
}

namespace {
/// Passes on what an object names, but keeps what it should name and does not: that may be a
/// reading of memory which is the object's no more.
struct Doubtful {
    void (*found)(void *userdata, Ref block);
    void *userdata;
    uint64_t missing = 0;

    static void step(void *self, Ref block) noexcept
    {
        auto &doubtful = *static_cast<Doubtful *>(self);
        if (block.value == 0)
            ++doubtful.missing;
        else
            doubtful.found(doubtful.userdata, block);
    }
};
} // namespace

/// Who may not write sets no mark, so the object may go while we look. Nothing of it is freed
/// before its entry is COLLECTING, and each step of an entry counts in its word: if the word is
/// the same afterwards, the object was there all the time.
void Directory::visit_unmarked(uint32_t index, FoundFn found, void *userdata) noexcept
{
    constexpr int kTries = 8; // BOUND to RETIRED, then it goes; others may stop its collector
    for (int i = 0; i < kTries; ++i) {
        RootWord const word = load(index);
        if (!is_object(word))
            return;
        Doubtful doubtful{found, userdata};
        matrix_.ops_of(word.kind()).visit(matrix_, ref_at(index), &Doubtful::step, &doubtful);
        acquire_fence(); // what was read above was read before the word below; pairs with change()
        if (load(index).raw != word.raw)
            continue;
        for (; doubtful.missing != 0; --doubtful.missing)
            found(userdata, {});
        return;
    }
}

void Directory::heal_entry(uint32_t index, RootWord word) noexcept
{
    Ref const ref = ref_at(index);
    auto const place = matrix_.find(ref);
    bool const nobodys =
        place.ok() && place->word.is(Kind::allocated) && place->word.owner() == kNobody;
    if (!nobodys)
        clear(index, word);
    else
        change(index, word,
               word.to(word.is(RootState::writing) ? RootState::bound : RootState::retired));
}

// ---- what users and objects call

Status Matrix::bind(char const *name, Ref ref) noexcept
{
    WEIR_TRY(find(ref));
    return bind_object(name, RootKind::block, ref);
}

Status Matrix::bind_object(char const *name, RootKind kind, Ref ref) noexcept
{
    WEIR_TRY(enter());
    RootName checked;
    WEIR_TRY(RootName::of(name, checked));
    return Directory(*this).bind(checked, kind, ref);
}

Result<Ref> Matrix::lookup(char const *name) noexcept
{
    if (segment_.retired())
        return error(kRetired);
    RootName checked;
    WEIR_TRY(RootName::of(name, checked));
    return Directory(*this).lookup(checked, RootKind::block);
}

Result<Ref> Matrix::unbind(char const *name) noexcept
{
    WEIR_TRY(enter());
    RootName checked;
    WEIR_TRY(RootName::of(name, checked));
    return Directory(*this).unbind(checked);
}

Result<OpenObject> Matrix::open_object(char const *name, RootKind kind) noexcept
{
    WEIR_TRY(enter());
    RootName checked;
    WEIR_TRY(RootName::of(name, checked));
    return Directory(*this).open(checked, kind);
}

Status Matrix::open_object_again(OpenObject &object) noexcept
{
    WEIR_TRY(enter());
    return Directory(*this).open_again(object);
}

Result<OpenObject> Matrix::watch_object(char const *name, RootKind kind) noexcept
{
    if (segment_.retired())
        return error(kRetired);
    RootName checked;
    WEIR_TRY(RootName::of(name, checked));
    return Directory(*this).watch(checked, kind);
}

Status Matrix::object_still_there(OpenObject const &object) noexcept
{
    return segment_.retired() || !Directory(*this).still_there(object) ? error(kRetired) : kOk;
}

void Matrix::close_object(OpenObject const &object) noexcept { Directory(*this).close(object); }

Status Matrix::retire_object(OpenObject const &object) noexcept
{
    WEIR_TRY(enter());
    return Directory(*this).retire(object);
}

Status Matrix::roots(RootFn callback, void *userdata) noexcept
{
    return Status{
        Directory(*this).each([=](RootInfo const &info) { return callback(info, userdata); })};
}

} // namespace weir
