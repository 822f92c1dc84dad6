// SPDX-License-Identifier: MIT OR Apache-2.0
// The allocators in shared memory that are compared, behind one shape: make, allocate, release.
#pragma once

#include <weir.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>

#ifdef WEIR_BENCH_BOOST
#include <boost/interprocess/managed_shared_memory.hpp>
#include <unistd.h>
#endif

namespace bench {

inline constexpr std::size_t kCapacity = std::size_t{50} << 20;

/// A block as its user keeps it.
struct Block {
    void *data = nullptr;
    weir_ref ref = 0;
};

/// As it is by default: threads keep freed blocks for their next allocations.
class Weir {
  public:
    static constexpr char const *kName = "weir";

    explicit Weir(std::size_t capacity = kCapacity, weir_matrix_flags flags = 0)
    {
        weir_matrix_options options = WEIR_MATRIX_OPTIONS_INIT;
        options.capacity = capacity;
        options.flags = flags;
        int const code = weir_matrix_create(nullptr, &options, &matrix_);
        if (code < 0) {
            std::fprintf(stderr, "bench: %s\n", weir_strerror(code));
            std::exit(1);
        }
    }
    Weir(Weir const &) = delete;
    Weir &operator=(Weir const &) = delete;
    ~Weir() { weir_matrix_unref(matrix_); }

    bool allocate(std::size_t size, Block &block)
    {
        return weir_matrix_alloc(matrix_, size, nullptr, &block.ref, &block.data) == 0;
    }
    void release(Block const &block) { weir_matrix_free(matrix_, block.ref); }
    weir_matrix *handle() const { return matrix_; }

  private:
    weir_matrix *matrix_ = nullptr;
};

/// The shared path alone.
class WeirShared : public Weir {
  public:
    static constexpr char const *kName = "weir without lanes";

    explicit WeirShared(std::size_t capacity = kCapacity) : Weir(capacity, WEIR_MATRIX_NO_LANES) {}
};

#ifdef WEIR_BENCH_BOOST
class Boost {
  public:
    static constexpr char const *kName = "Boost.Interprocess";

    explicit Boost(std::size_t capacity = kCapacity)
        : name_("weir-bench-" + std::to_string(getpid())),
          memory_(boost::interprocess::create_only, name_.c_str(), capacity)
    {
    }
    Boost(Boost const &) = delete;
    Boost &operator=(Boost const &) = delete;
    ~Boost() { boost::interprocess::shared_memory_object::remove(name_.c_str()); }

    bool allocate(std::size_t size, Block &block)
    {
        block.data = memory_.allocate(size, std::nothrow);
        return block.data != nullptr;
    }
    void release(Block const &block) { memory_.deallocate(block.data); }

  private:
    std::string name_;
    boost::interprocess::managed_shared_memory memory_;
};
#endif

} // namespace bench
