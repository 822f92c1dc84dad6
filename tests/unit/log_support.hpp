// SPDX-License-Identifier: MIT OR Apache-2.0
// Small logs on the disk in memory, for unit tests.
#pragma once

#include "core/log/cursor.hpp"
#include "core/log/repair.hpp"
#include "core/log/verify.hpp"
#include "tests/fault/serial_log.hpp"
#include "tests/unit/support.hpp"

#include <cstring>
#include <memory>
#include <string>

namespace unit {
using namespace weir;
using fault::Bad;
using fault::Disk;
using fault::Oracle;
using fault::SerialLog;
using fault::SerialOptions;

/// A disk with a log of which each life is a Life.
struct World {
    Disk disk{1};
    Oracle oracle;
    SerialOptions options;
    Random random{11};
    fault::Random cuts{5};

    World()
    {
        options.segment_size = 32 << 10;
        options.buffer_size = 8 << 10;
    }
    Io io() { return disk.io(); }
    RecoverOptions recover_options() { return fault::recover_options(options); }
    LogReport report()
    {
        LogReport result;
        check_ge(verify(io(), result).code, 0);
        return result;
    }
    /// Recovery's answer; what it held is let go.
    int open(RecoverOptions const &how, LogReport *report = nullptr)
    {
        Recovered recovered;
        int const code = recover(io(), how, recovered).code;
        release_recovered(io(), recovered);
        check_eq(disk.open_files(), 0);
        if (report != nullptr)
            *report = recovered.report;
        return code;
    }
    int open() { return open(recover_options()); }
    void expect_whole()
    {
        std::string const why = oracle.check_and_go_on(io());
        cr_assert(why.empty(), "%s", why.c_str());
    }
};

/// From an open to the death of the process.
struct Life {
    World &world;
    Recovered recovered;
    std::unique_ptr<SerialLog> log;

    explicit Life(World &in, bool start = true) : world(in)
    {
        check_eq(recover(world.io(), world.recover_options(), recovered).code, 0);
        log = std::make_unique<SerialLog>(world.disk, world.oracle, world.options);
        if (start)
            must(log->start(recovered));
    }
    void must(Status status) { check_eq(status.code, 0); }
    /// `count` records in one batch, durable.
    void batch(unsigned count = 3, uint64_t length = 100)
    {
        for (unsigned i = 0; i < count; ++i)
            must(log->append(length + i, static_cast<uint16_t>(i)));
        must(log->drain());
    }
    Lsn durable() const { return log->durable(); }
};

/// Reads until something is not a record. Its answers.
struct Reading {
    std::vector<Lsn> lsns;
    std::vector<uint64_t> lengths;
    int code = 0;
    unsigned gaps = 0;

    explicit Reading(Reader &reader)
    {
        for (RecordView view;;) {
            code = reader.next(view).code;
            if (code <= 0)
                return;
            gaps += code == kRecordAfterGap ? 1 : 0;
            lsns.push_back(view.lsn);
            lengths.push_back(view.length);
        }
    }
};

struct OwnReader {
    Reader *reader = nullptr;
    OwnReader(World &world, Lsn from = 0, unsigned flags = 0, LivePage const *live = nullptr)
    {
        check_eq(Reader::open(world.io(), live, from, flags, reader).code, 0);
    }
    ~OwnReader() { Reader::close(reader); }
    OwnReader(OwnReader const &) = delete;
    OwnReader &operator=(OwnReader const &) = delete;
    Reader *operator->() { return reader; }
    Reading all() { return Reading(*reader); }
};

/// The file in which an LSN is.
inline std::string segment_of(World &world, Lsn lsn)
{
    char name[kSegmentNameBytes];
    segment_name(round_down(lsn, world.options.segment_size), name);
    return name;
}

inline void rot(World &world, Lsn lsn)
{
    world.disk.rot(segment_of(world, lsn), lsn % world.options.segment_size, 0x40);
}

/// Three batches; the last is above all evidence. Where each begins.
struct ThreeBatches {
    World world;
    Lsn begin[4] = {};

    ThreeBatches()
    {
        Life life(world);
        for (Lsn &at : begin) {
            at = life.log->tail();
            if (&at != &begin[3])
                life.batch();
        }
        world.disk.settle();
    }
};

} // namespace unit
