// SPDX-License-Identifier: MIT OR Apache-2.0
// What handles of named objects share (channels, routers, pools): how an object is made and opened. A
// process has one mark per object in the directory, so all who open it through one matrix handle get
// one handle, which they count.
#pragma once

#include "core/base/alloc.hpp"
#include "core/matrix/matrix.hpp"

#include <utility>

namespace weir {

/// Process memory first: an object that has its name already could not be taken back.
template <class Handle> struct SpareHandle {
    SpareHandle() noexcept = default;
    SpareHandle(SpareHandle const &) = delete;
    SpareHandle &operator=(SpareHandle const &) = delete;
    ~SpareHandle() { destroy(handle); }

    Handle *handle = make<Handle>();
};

/// All under the matrix's objects_mutex().
struct OpenHandle {
    Matrix *matrix_ = nullptr;
    OpenObject object_;
    uint32_t references_ = 1;
    OpenHandle *next_ = nullptr;

    OpenHandle() noexcept = default;
    OpenHandle(OpenHandle const &) = delete;
    OpenHandle &operator=(OpenHandle const &) = delete;

    /// Makes an object: a block that `format(memory)` fills, under a name.
    template <class Format>
    static Status make_named(Matrix &matrix, char const *name, RootKind kind,
                             AllocRequest const &request, Format format) noexcept
    {
        Allocation block;
        Status const allocated = matrix.alloc(request, block);
        if (!allocated.ok()) // a matrix smaller than the object has no room for it either
            return allocated.code == -EINVAL ? error(ENOMEM) : allocated;
        format(block.data);
        Status const bound = matrix.bind_object(name, kind, block.ref);
        if (bound.ok())
            return bound;
        static_cast<void>(matrix.free_owned(block.ref, matrix.me().owner)); // if it is ours still
        // Nobody but us had a right to the block: else somebody has written over its word.
        bool const lost = bound.code == -kStale || bound.code == -EPERM;
        return lost ? error(kCorrupt) : bound;
    }
    /// Opens an object: the handle that this matrix handle has of it, else `spare`, which is then
    /// taken. `prepare(handle, ref)` looks whether the object is what is wanted, and fills the spare.
    template <class Handle, class Prepare>
    static Result<Handle *> open_named(Matrix &matrix, char const *name, RootKind kind,
                                       Handle *&spare, Prepare prepare) noexcept
    {
        Guard const guard(matrix.objects_mutex());
        // Who may write marks the object; a read-only handle looks at it without.
        auto const object = matrix.segment().read_only() ? matrix.watch_object(name, kind)
                                                         : matrix.open_object(name, kind);
        WEIR_TRY(object);
        Status const fits = prepare(*spare, object->ref);
        OpenHandle *const known = find(matrix, *object);
        if (!fits.ok()) {
            if (known == nullptr)
                matrix.close_object(*object);
            // Without a mark it may have gone while we looked at it.
            bool const gone = object->seen != 0 && !matrix.object_still_there(*object).ok();
            return gone ? error(ENOENT) : fits;
        }
        if (known != nullptr) {
            known->share(*object);
            return static_cast<Handle *>(known);
        }
        spare->add_to(matrix, *object);
        return std::exchange(spare, nullptr);
    }
    /// What was opened right after it was made. It was there a moment ago: else somebody retired it.
    template <class Handle> static Result<Handle *> just_made(Result<Handle *> opened) noexcept
    {
        int const code = opened.status().code;
        bool const gone = code == -ENOENT || code == -kType || code == -kVersion;
        return gone ? error(kRetired) : opened;
    }
    void add_user() noexcept
    {
        Guard const guard(matrix_->objects_mutex());
        ++references_;
    }
    /// True if that was the last user: the mark is gone, and the handle is to be destroyed, then
    /// its matrix unref'ed. `last()` is called before, with the mark.
    template <class Last> bool drop_user(Last last) noexcept
    {
        Matrix &matrix = *matrix_;
        Guard const guard(matrix.objects_mutex());
        if (--references_ != 0)
            return false;
        last();
        auto *at = static_cast<OpenHandle *>(matrix.open_objects());
        if (at == this)
            matrix.open_objects() = next_;
        for (; at != nullptr; at = at->next_)
            if (at->next_ == this)
                at->next_ = next_;
        matrix.close_object(object_);
        return true;
    }
    bool drop_user() noexcept
    {
        return drop_user([] {});
    }
    /// Every call begins with it: the matrix is there, and a fork child has its own mark.
    Status enter_object() noexcept
    {
        // acquire: pairs with share() and Directory::open_again(), for which we need no mutex
        uint64_t const marked_as = __atomic_load_n(&object_.marked_as, __ATOMIC_ACQUIRE);
        return WEIR_LIKELY(matrix_->enter_as(marked_as)) ? kOk : enter_again();
    }

    /// For what looks alone: before, as above, and after, whether it was there all the time.
    bool is_watched() const noexcept { return object_.seen != 0; }
    Status still_there() noexcept
    {
        return is_watched() ? matrix_->object_still_there(object_) : kOk;
    }

  private:
    /// A block is one object's, so what is found is of the kind that was opened. Without a mark it
    /// may be another object's by now, which the entry's word tells.
    static OpenHandle *find(Matrix &matrix, OpenObject const &object) noexcept
    {
        auto *at = static_cast<OpenHandle *>(matrix.open_objects());
        while (at != nullptr && !(at->object_.ref == object.ref && at->object_.seen == object.seen))
            at = at->next_;
        return at;
    }
    /// One more user of a handle that is there. In a fork child its mark may have been the
    /// parent's until now.
    void share(OpenObject const &object) noexcept
    {
        ++references_;
        // release: pairs with enter_object(); all else of the object is what it was
        __atomic_store_n(&object_.marked_as, object.marked_as, __ATOMIC_RELEASE);
    }
    void add_to(Matrix &matrix, OpenObject const &object) noexcept
    {
        matrix_ = &matrix;
        object_ = object;
        next_ = static_cast<OpenHandle *>(matrix.open_objects());
        matrix.open_objects() = this;
        matrix.ref();
    }
    WEIR_COLD Status enter_again() noexcept
    {
        WEIR_TRY(matrix_->enter());
        Guard const guard(matrix_->objects_mutex());
        if (matrix_->is(object_.marked_as))
            return kOk;
        return matrix_->open_object_again(object_);
    }
};

} // namespace weir
