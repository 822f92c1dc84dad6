// SPDX-License-Identifier: MIT OR Apache-2.0
// A thread that another one cancels must not end inside the core, with descriptors, a slot or a lock
// in its hand. Where a call needs C library functions that are cancellation points (open, close,
// read), it switches cancellation off; system calls that are needed more often are made by number.
#pragma once

#include <pthread.h>

namespace weir {

/// While it lives, this thread cannot be cancelled; afterwards as before.
class NoCancel {
  public:
    NoCancel() noexcept { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
    NoCancel(NoCancel const &) = delete;
    NoCancel &operator=(NoCancel const &) = delete;
    ~NoCancel()
    {
        int ignored;
        pthread_setcancelstate(before_, &ignored);
    }

  private:
    int before_ = PTHREAD_CANCEL_ENABLE;
};

} // namespace weir
