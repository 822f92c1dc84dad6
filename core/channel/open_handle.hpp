// SPDX-License-Identifier: MIT OR Apache-2.0
// What handles of named objects share: a process has one mark per object in the directory, so all
// who open it through one matrix handle get one handle, which they count.
#pragma once

#include "core/matrix/matrix.hpp"

namespace weir {

/// All under the matrix's objects_mutex().
struct OpenHandle {
    Matrix *matrix_ = nullptr;
    OpenObject object_;
    uint32_t references_ = 1;
    OpenHandle *next_ = nullptr;

    OpenHandle() noexcept = default;
    OpenHandle(OpenHandle const &) = delete;
    OpenHandle &operator=(OpenHandle const &) = delete;

    /// Who may write marks the object; a read-only handle looks at it without.
    static Result<OpenObject> open(Matrix &matrix, char const *name, RootKind kind) noexcept
    {
        return matrix.segment().read_only() ? matrix.watch_object(name, kind)
                                            : matrix.open_object(name, kind);
    }
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
        object_ = object;
    }
    void add_to(Matrix &matrix, OpenObject const &object) noexcept
    {
        matrix_ = &matrix;
        object_ = object;
        next_ = static_cast<OpenHandle *>(matrix.open_objects());
        matrix.open_objects() = this;
        matrix.ref();
    }
    void add_user() noexcept
    {
        Guard const guard(matrix_->objects_mutex());
        ++references_;
    }
    /// True if that was the last user: the mark is gone, and the handle is to be destroyed, then
    /// its matrix unref'ed.
    bool drop_user() noexcept
    {
        Matrix &matrix = *matrix_;
        Guard const guard(matrix.objects_mutex());
        if (--references_ != 0)
            return false;
        auto *at = static_cast<OpenHandle *>(matrix.open_objects());
        if (at == this)
            matrix.open_objects() = next_;
        for (; at != nullptr; at = at->next_)
            if (at->next_ == this)
                at->next_ = next_;
        matrix.close_object(object_);
        return true;
    }
    /// Every call begins with it: the matrix is there, and a fork child has its own mark.
    Status enter_object() noexcept
    {
        WEIR_TRY(matrix_->enter());
        return WEIR_LIKELY(object_.marked_as == matrix_->me()) ? kOk : mark_again();
    }

    /// For what looks alone: before, as above, and after, whether it was there all the time.
    bool is_watched() const noexcept { return object_.seen != 0; }
    Status still_there() noexcept
    {
        return is_watched() ? matrix_->object_still_there(object_) : kOk;
    }

  private:
    WEIR_COLD Status mark_again() noexcept
    {
        Guard const guard(matrix_->objects_mutex());
        if (object_.marked_as == matrix_->me())
            return kOk;
        return matrix_->open_object_again(object_);
    }
};

} // namespace weir
