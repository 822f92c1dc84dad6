// SPDX-License-Identifier: MIT OR Apache-2.0
// Who else makes records durable: LevelDB, RocksDB, SQLite, LMDB, and fio, which is the disk alone.
#pragma once

#include "../tools/bench/log_sides.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bench {

using tool::bench::Waited;

/// A store that acknowledges a record when it is durable. Opened once; each run adds records, and
/// reads them back and compares them when the time is over.
class Store {
  public:
    virtual ~Store() = default;
    Waited run(unsigned threads, std::uint32_t bytes, std::int64_t slice_ns);

  protected:
    virtual void put(std::uint64_t key, void const *data, std::size_t length) = 0;
    /// False: it is not there.
    virtual bool get(std::uint64_t key, std::string &ret_data) = 0;

  private:
    std::uint64_t next_ = 0; ///< key, the same for no two records
};

struct NamedStore {
    std::string name;
    std::string version;
    std::string missing; ///< why it is not measured
    std::unique_ptr<Store> store;
};
std::vector<NamedStore> open_stores(std::string const &folder);

struct FioResult {
    double per_second = 0;
    double bytes_per_second = 0;
    double p99_us = 0;
};
/// The version of fio; empty: it is not there.
std::string fio_version();
/// Runs fio with one job description on a file that it has written before.
FioResult run_fio(std::string const &file, std::vector<std::string> const &options, bool writes);

} // namespace bench
