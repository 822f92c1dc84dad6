// SPDX-License-Identifier: MIT OR Apache-2.0
// Each peer with its best setting that still means durable: synced, with files that are used again
// and allocated ahead where it can.
#include "log_peers.hpp"

#include "../tools/error.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>
#include <cstring>
#include <mutex>

#include <sys/stat.h>
#ifdef WEIR_BENCH_LEVELDB
#include <leveldb/db.h>
#endif
#ifdef WEIR_BENCH_ROCKSDB
#include <rocksdb/db.h>
#include <rocksdb/version.h>
#endif
#ifdef WEIR_BENCH_SQLITE
#include <sqlite3.h>
#endif
#ifdef WEIR_BENCH_LMDB
#include <lmdb.h>
#endif

namespace bench {
namespace {
using tool::Failure;
using tool::bench::Payloads;

/// In the order of the numbers.
[[maybe_unused]] std::string key_bytes(std::uint64_t key)
{
    std::string bytes(8, '\0');
    for (int i = 7; i >= 0; --i, key >>= 8)
        bytes[std::size_t(i)] = static_cast<char>(key & 0xff);
    return bytes;
}

#if defined(WEIR_BENCH_LEVELDB) || defined(WEIR_BENCH_ROCKSDB)
/// RocksDB began as a copy of LevelDB; the calls have the same names.
template <class Database, class WriteOptions, class ReadOptions, class Slice>
class SortedStore : public Store {
  public:
    explicit SortedStore(Database *database) : database_(database) { write_.sync = true; }

  private:
    void put(std::uint64_t key, void const *data, std::size_t length) override
    {
        auto const status =
            database_->Put(write_, key_bytes(key), Slice(static_cast<char const *>(data), length));
        if (!status.ok())
            throw Failure(status.ToString());
    }
    bool get(std::uint64_t key, std::string &ret_data) override
    {
        return database_->Get(ReadOptions(), key_bytes(key), &ret_data).ok();
    }

    std::unique_ptr<Database> database_;
    WriteOptions write_;
};
#endif

#ifdef WEIR_BENCH_LEVELDB
std::unique_ptr<Store> open_leveldb(std::string const &folder)
{
    leveldb::Options options;
    options.create_if_missing = true;
    options.write_buffer_size = 64 << 20; // no table is made while it is measured
    leveldb::DB *database = nullptr;
    auto const status = leveldb::DB::Open(options, folder, &database);
    if (!status.ok())
        throw Failure(status.ToString());
    return std::make_unique<
        SortedStore<leveldb::DB, leveldb::WriteOptions, leveldb::ReadOptions, leveldb::Slice>>(
        database);
}
#endif

#ifdef WEIR_BENCH_ROCKSDB
std::unique_ptr<Store> open_rocksdb(std::string const &folder)
{
    rocksdb::Options options;
    options.create_if_missing = true;
    options.write_buffer_size = 64 << 20;
    options.recycle_log_file_num = 4;
    rocksdb::DB *database = nullptr;
    auto const status = rocksdb::DB::Open(options, folder, &database);
    if (!status.ok())
        throw Failure(status.ToString());
    return std::make_unique<
        SortedStore<rocksdb::DB, rocksdb::WriteOptions, rocksdb::ReadOptions, rocksdb::Slice>>(
        database);
}
#endif

#ifdef WEIR_BENCH_SQLITE
/// WAL with synchronous=FULL. One connection: several would sleep on each other's locks.
class SqliteStore : public Store {
  public:
    explicit SqliteStore(std::string const &file)
    {
        must(sqlite3_open(file.c_str(), &database_));
        for (char const *const text : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
                                       "CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB)"})
            must(sqlite3_exec(database_, text, nullptr, nullptr, nullptr));
        must(sqlite3_prepare_v2(database_, "INSERT INTO t VALUES(?,?)", -1, &insert_, nullptr));
        must(sqlite3_prepare_v2(database_, "SELECT v FROM t WHERE k=?", -1, &select_, nullptr));
    }
    ~SqliteStore() override
    {
        sqlite3_finalize(insert_);
        sqlite3_finalize(select_);
        sqlite3_close(database_);
    }

  private:
    void must(int code)
    {
        if (code != SQLITE_OK)
            throw Failure(sqlite3_errmsg(database_));
    }
    void put(std::uint64_t key, void const *data, std::size_t length) override
    {
        std::lock_guard<std::mutex> const lock(mutex_);
        sqlite3_bind_int64(insert_, 1, static_cast<sqlite3_int64>(key));
        sqlite3_bind_blob(insert_, 2, data, static_cast<int>(length), SQLITE_STATIC);
        if (sqlite3_step(insert_) != SQLITE_DONE)
            throw Failure(sqlite3_errmsg(database_));
        sqlite3_reset(insert_);
    }
    bool get(std::uint64_t key, std::string &ret_data) override
    {
        sqlite3_bind_int64(select_, 1, static_cast<sqlite3_int64>(key));
        bool const found = sqlite3_step(select_) == SQLITE_ROW;
        if (found)
            ret_data.assign(static_cast<char const *>(sqlite3_column_blob(select_, 0)),
                            static_cast<std::size_t>(sqlite3_column_bytes(select_, 0)));
        sqlite3_reset(select_);
        return found;
    }

    std::mutex mutex_;
    sqlite3 *database_ = nullptr;
    sqlite3_stmt *insert_ = nullptr;
    sqlite3_stmt *select_ = nullptr;
};
#endif

#ifdef WEIR_BENCH_LMDB
class LmdbStore : public Store {
  public:
    explicit LmdbStore(std::string const &folder)
    {
        mkdir(folder.c_str(), 0700);
        must(mdb_env_create(&environment_));
        must(mdb_env_set_mapsize(environment_, std::size_t{8} << 30));
        must(mdb_env_open(environment_, folder.c_str(), 0, 0600));
        MDB_txn *transaction = nullptr;
        must(mdb_txn_begin(environment_, nullptr, 0, &transaction));
        must(mdb_dbi_open(transaction, nullptr, 0, &table_));
        must(mdb_txn_commit(transaction));
    }
    ~LmdbStore() override { mdb_env_close(environment_); }

  private:
    static void must(int code)
    {
        if (code != 0)
            throw Failure(mdb_strerror(code));
    }
    void put(std::uint64_t key, void const *data, std::size_t length) override
    {
        std::string name = key_bytes(key);
        MDB_val where{name.size(), name.data()};
        MDB_val what{length, const_cast<void *>(data)};
        MDB_txn *transaction = nullptr;
        must(mdb_txn_begin(environment_, nullptr, 0, &transaction));
        must(mdb_put(transaction, table_, &where, &what, 0));
        must(mdb_txn_commit(transaction));
    }
    bool get(std::uint64_t key, std::string &ret_data) override
    {
        std::string name = key_bytes(key);
        MDB_val where{name.size(), name.data()};
        MDB_val what{};
        MDB_txn *transaction = nullptr;
        must(mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &transaction));
        bool const found = mdb_get(transaction, table_, &where, &what) == 0;
        if (found)
            ret_data.assign(static_cast<char const *>(what.mv_data), what.mv_size);
        mdb_txn_abort(transaction);
        return found;
    }

    MDB_env *environment_ = nullptr;
    MDB_dbi table_ = 0;
};
#endif

std::string output_of(std::string const &command)
{
    std::unique_ptr<FILE, int (*)(FILE *)> const pipe(popen(command.c_str(), "r"), pclose);
    std::string text;
    std::array<char, 4096> piece{};
    while (pipe && fgets(piece.data(), piece.size(), pipe.get()) != nullptr)
        text += piece.data();
    return text;
}
} // namespace

Waited Store::run(unsigned threads, std::uint32_t bytes, std::int64_t slice_ns)
{
    constexpr unsigned kThreadShift = 32;
    std::vector<Payloads> payloads;
    for (unsigned thread = 0; thread < threads; ++thread)
        payloads.emplace_back(thread, bytes);
    std::vector<std::uint64_t> counts(threads);
    std::uint64_t const first = next_;
    next_ += std::uint64_t{1} << 40;
    auto const key = [&](unsigned thread, std::uint64_t number) {
        return first + (std::uint64_t{thread} << kThreadShift) + number;
    };
    Waited const waited =
        tool::bench::wait_together(threads, slice_ns, [&](unsigned thread, std::uint64_t number) {
            put(key(thread, number), payloads[thread].take(number), bytes);
            counts[thread] = number + 1;
        });
    std::string data;
    for (unsigned thread = 0; thread < threads; ++thread)
        for (std::uint64_t i = 0; i < counts[thread]; ++i)
            if (!get(key(thread, i), data) || !payloads[thread].is(i, data.data(), data.size()))
                throw Failure("a peer does not hold what it acknowledged");
    return waited;
}

std::vector<NamedStore> open_stores(std::string const &folder)
{
    std::string const absent = "it was not there when this program was built";
    std::vector<NamedStore> stores(4);
    stores[0] = {"LevelDB", "", absent, nullptr};
    stores[1] = {"RocksDB", "", absent, nullptr};
    stores[2] = {"SQLite", "", absent, nullptr};
    stores[3] = {"LMDB", "", absent, nullptr};
#ifdef WEIR_BENCH_LEVELDB
    stores[0] = {"LevelDB",
                 std::to_string(leveldb::kMajorVersion) + "." +
                     std::to_string(leveldb::kMinorVersion),
                 "", open_leveldb(folder + "/leveldb")};
#endif
#ifdef WEIR_BENCH_ROCKSDB
    stores[1] = {"RocksDB",
                 std::to_string(ROCKSDB_MAJOR) + "." + std::to_string(ROCKSDB_MINOR) + "." +
                     std::to_string(ROCKSDB_PATCH),
                 "", open_rocksdb(folder + "/rocksdb")};
#endif
#ifdef WEIR_BENCH_SQLITE
    stores[2] = {"SQLite", sqlite3_libversion(), "",
                 std::make_unique<SqliteStore>(folder + "/sqlite")};
#endif
#ifdef WEIR_BENCH_LMDB
    stores[3] = {"LMDB",
                 std::to_string(MDB_VERSION_MAJOR) + "." + std::to_string(MDB_VERSION_MINOR) + "." +
                     std::to_string(MDB_VERSION_PATCH),
                 "", std::make_unique<LmdbStore>(folder + "/lmdb")};
#endif
    return stores;
}

std::string fio_version()
{
    std::string text = output_of("fio --version 2>/dev/null");
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text.rfind("fio-", 0) == 0 ? text.substr(4) : text;
}

FioResult run_fio(std::string const &file, std::vector<std::string> const &options, bool writes)
{
    std::string command = "fio --name=bench --direct=1 --overwrite=1 --thread --group_reporting "
                          "--output-format=json --filename='" +
                          file + "'";
    for (auto const &option : options)
        command += " --" + option;
    std::string const text = output_of(command + " 2>&1");
    auto const begin = text.find('{'); // notes come before it
    auto const document =
        nlohmann::json::parse(begin == std::string::npos ? "" : text.substr(begin), nullptr, false);
    if (document.is_discarded() || document["jobs"].empty() || document["jobs"][0]["error"] != 0)
        throw Failure("fio failed: " + text.substr(0, 300));
    auto const &side = document["jobs"][0][writes ? "write" : "read"];
    FioResult result;
    result.per_second = side["iops"];
    result.bytes_per_second = side["bw_bytes"];
    if (side["clat_ns"].contains("percentile"))
        result.p99_us = side["clat_ns"]["percentile"]["99.000000"].get<double>() / 1e3;
    return result;
}

} // namespace bench
