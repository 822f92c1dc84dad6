// SPDX-License-Identifier: MIT OR Apache-2.0
// The bytes of a file, in pages that copies share until one of them is written: what a file was
// and what it is differ in few, and so do the many ends that a test gives to one run.
//
// One thread, as the disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace fault {

inline constexpr uint64_t kPageBytes = 4096;

class Pages {
  public:
    uint64_t size() const { return size_; }
    /// What is new is zeros.
    void resize(uint64_t size);
    /// Behind the end are zeros.
    void read(uint64_t offset, void *data, size_t length) const;
    /// Within the size. nullptr: zeros.
    void write(uint64_t offset, void const *data, size_t length);
    /// The same place of another file; whole pages are shared.
    void copy(Pages const &from, uint64_t offset, uint64_t length);
    bool operator==(Pages const &other) const;

  private:
    struct Page {
        uint32_t uses;
        uint8_t bytes[kPageBytes];
    };
    /// A share of a page. None: zeros.
    class Share {
      public:
        Share() = default;
        Share(Share const &other) : page_(other.page_)
        {
            if (page_ != nullptr)
                ++page_->uses;
        }
        Share(Share &&other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
        Share &operator=(Share other) noexcept
        {
            std::swap(page_, other.page_);
            return *this;
        }
        ~Share()
        {
            if (page_ != nullptr && --page_->uses == 0)
                give_back(page_);
        }
        uint8_t const *bytes() const { return page_ == nullptr ? nullptr : page_->bytes; }
        bool same_as(Share const &other) const { return page_ == other.page_; }
        /// Nobody else sees what is written there. `keep`: with what it held.
        uint8_t *own(bool keep);

      private:
        Page *page_ = nullptr;
    };
    static Page *take();
    static void give_back(Page *page);
    /// How many bytes of that page belong to the file.
    uint64_t used_of(size_t page) const;

    std::vector<Share> pages_;
    uint64_t size_ = 0; ///< what lies behind it in the last page is zeros
};

} // namespace fault
