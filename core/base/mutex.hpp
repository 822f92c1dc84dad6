// SPDX-License-Identifier: MIT OR Apache-2.0
// A lock between threads of one process, for handles; never in shared memory, where a dead
// holder would keep it for ever.
#pragma once

#include <pthread.h>

namespace weir {

class Mutex {
  public:
    Mutex() noexcept = default;
    Mutex(Mutex const &) = delete;
    Mutex &operator=(Mutex const &) = delete;
    void lock() noexcept { pthread_mutex_lock(&mutex_); }
    void unlock() noexcept { pthread_mutex_unlock(&mutex_); }
    /// In a fork child, where the thread that held it does not exist.
    void reset() noexcept { mutex_ = PTHREAD_MUTEX_INITIALIZER; }

  private:
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

class Guard {
  public:
    explicit Guard(Mutex &mutex) noexcept : mutex_(mutex) { mutex_.lock(); }
    Guard(Guard const &) = delete;
    Guard &operator=(Guard const &) = delete;
    ~Guard() { mutex_.unlock(); }

  private:
    Mutex &mutex_;
};

} // namespace weir
