// SPDX-License-Identifier: MIT OR Apache-2.0
// The flush ring under the explorer: its disk, its monitor, its checks at rest.
#include "tests/explore/flush_world.hpp"

#include "core/flush/arena.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weir {

// ---- pages come from the image

namespace {
struct Pages {
    char *next, *end;
    bool in_use;
};
Pages g_pages;
} // namespace

void *map_pages(std::size_t size) noexcept
{
    explore::system_call(nullptr, "mmap");
    std::size_t const rounded = round_up(size, kCacheLine);
    if (g_pages.next + rounded > g_pages.end)
        return nullptr;
    char *const pages = g_pages.next;
    g_pages.next += rounded;
    return std::memset(pages, 0, rounded);
}
void unmap_pages(void *, std::size_t) noexcept {}

namespace explore {
namespace {
constexpr std::size_t kSpareBuffers = 3;

/// The bytes of a record, which say which it is.
void fill(char *to, uint64_t length, unsigned number)
{
    for (uint64_t i = 0; i < length; ++i)
        to[i] = static_cast<char>(1 + number * 3 + i % 3);
}
} // namespace

FlushPlan::FlushPlan()
{
    options.buffer_size = 512;
    options.segment_size = 8192;
    options.buffer_count = 2;
    options.block = 128;
    options.write_depth = 2;
    options.commit_depth = 1;
    options.idle_flush = -1;
    options.stall_timeout = -1;
    options.max_record = 4096;
    start.at = 512;
}

FlushWorld::FlushWorld(FlushPlan const &plan, std::vector<FlushProgram> programs)
    : plan_(plan), programs_(std::move(programs))
{
    step_limit = 20000;
    stops_killable = true;
}

FlushWorld::~FlushWorld() = default;

void FlushWorld::prepare()
{
    std::size_t const buffers = plan_.options.buffer_count + kSpareBuffers;
    std::size_t const size =
        round_up(sizeof(FlushRing), 4096) + buffers * plan_.options.buffer_size;
    char *const image = reserve_image(size, size);
    g_pages = {image, image + size, true};
    keep(&g_pages, sizeof g_pages);
    keep(&state_, sizeof state_);
    state_ = State{};
    state_.failing = plan_.fail_write;

    static DataOps const ops = {submit, reap,    wake_owner, write_now,
                                flush,  nullptr, nullptr,    nullptr};
    Io io;
    io.data = &ops;
    io.data_self = this;
    RingHost host;
    host.self = this;
    host.file_at = file_at;
    if (!FlushRing::create(plan_.options, plan_.start, io, host, ring_).ok()) {
        std::fprintf(stderr, "explore: no ring\n");
        std::abort();
    }
    if (plan_.shares_errors)
        ring_->share_errors();
    ring_->ready_upto_.store(plan_.space, relaxed); // nobody runs yet
    state_.durable = state_.written = state_.cut = plan_.start.at;
    state_.generation = ring_->generation_of(plan_.start.at);

    name(&ring_->tail_, 1, 8, "tail");
    name(&ring_->duty_, 1, 8, "duty");
    name(&ring_->attention_, 1, 4, "attention");
    name(&ring_->durable_, 1, 8, "durable");
    name(&ring_->written_, 1, 8, "written");
    name(&ring_->cut_, 1, 8, "cut");
    name(&ring_->token_, 1, 4, "token");
    name(&ring_->mark_, 1, 4, "mark");
    name(&ring_->room_, 1, 8, "room");
    name(&ring_->state_, 1, 4, "state");
    name(&ring_->poison_, 1, 4, "poison");
    name(&ring_->commits_, 1, 4, "commits");
    name(&ring_->cut_whole_, 1, 8, "cut_whole");
    name(&ring_->closed_, 1, 8, "closed");
    name(&ring_->next_sequence_, 1, 8, "next_sequence");
    name(ring_->buffers_, plan_.options.buffer_count, sizeof(FlushRing::Buffer), "buffer");
    name(ring_->gates_, FlushRing::kGates, sizeof(Gate), "gate");
    name(ring_->timed_gates_, FlushRing::kGates, sizeof(Gate), "timed_gate");
    name(ring_->batches_, FlushRing::kBatches, sizeof(FlushRing::Batch), "batch");
    name(ring_->arena_, ring_->arena_size_, 1, "mem");
    watch(&ring_->tail_, &ring_->tail_ + 1);
}

void FlushWorld::run()
{
    owner_ = kNoFibre;
    for (auto const &program : programs_) {
        int const number = fibres();
        spawn(plan_.deaths && number == 0, [this, &program, number] {
            Appender me(*this, number);
            program(me);
        });
    }
    if (plan_.has_owner)
        owner_ = spawn(false, [this] { be_owner(false); });
    if (!run_all())
        return;
    check_duty();
    spawn(false, [this] { static_cast<void>(ring_->close()); });
    owner_ = spawn(false, [this] { be_owner(true); });
    if (run_all())
        check_at_rest();
}

bool FlushWorld::others_run() const
{
    for (int i = 0; i < fibres(); i++)
        if (i != owner_ && !is_dead(i) && !has_ended(i) && !is_stopped(i))
            return true;
    return false;
}

void FlushWorld::be_owner(bool until_closed)
{
    while (ring_->step())
        if (!until_closed && !others_run())
            return;
}

// ---- the disk

File FlushWorld::file_at(void *self, Lsn lsn)
{
    return static_cast<File>(lsn / static_cast<FlushWorld *>(self)->plan_.options.segment_size);
}

/// Invariants 5 and 6.
unsigned FlushWorld::begin_write(WriteRequest const &request, bool own)
{
    Lsn const lsn =
        static_cast<uint64_t>(request.file) * plan_.options.segment_size + request.offset;
    if (state_.write_count == kMostWrites || lsn + request.length > kDiskBytes)
        fail("the scenario's disk is too small");
    if (request.length == 0 || lsn % plan_.options.block != 0)
        fail("a write that is not of blocks");
    for (unsigned i = 0; i < state_.write_count; i++)
        if (lsn < state_.writes[i].lsn + state_.writes[i].length &&
            state_.writes[i].lsn < lsn + request.length)
            fail("invariant 6: LSN %llu is written twice", static_cast<unsigned long long>(lsn));
    uint32_t const crc = Crc32c().add(request.data, request.length).value();
    bool const is_first = (lsn - plan_.options.block) % plan_.options.segment_size == 0;
    Lsn const begin = lsn - (is_first ? plan_.options.block : 0);
    state_.writes[state_.write_count] = {const_cast<WriteRequest *>(&request),
                                         lsn,
                                         begin,
                                         request.length,
                                         crc,
                                         false,
                                         own,
                                         false,
                                         false};
    return state_.write_count++;
}

int FlushWorld::end_write(unsigned index)
{
    Write &write = state_.writes[index];
    if (Crc32c().add(write.request->data, write.length).value() != write.crc)
        fail("invariant 5: bytes changed under a write at LSN %llu",
             static_cast<unsigned long long>(write.lsn));
    write.done = true;
    write.on_disk = write.request->durable && plan_.fail_writeback < 0;
    if (state_.failing >= 0 && state_.failing-- == 0) {
        write.length = 0;
        return -EIO;
    }
    std::memcpy(state_.disk + write.lsn, write.request->data, write.length);
    return 0;
}

/// The page cache brings a write to the disk, or fails and remembers that.
void FlushWorld::write_back(unsigned index)
{
    Write &write = state_.writes[index];
    if (write.on_disk || write.lost)
        return;
    write.lost = static_cast<int>(index) == plan_.fail_writeback;
    write.on_disk = !write.lost;
    state_.cache_failed[file_at(this, write.lsn)] |= write.lost;
}

/// Who asks next is told of a failure in the file, whosever it was; nobody is told again.
int FlushWorld::take_error(File file)
{
    int const code = state_.cache_failed[file] ? -EIO : 0;
    state_.cache_failed[file] = false;
    return code;
}

Status FlushWorld::submit(void *self, WriteRequest *request)
{
    auto &world = *static_cast<FlushWorld *>(self);
    system_call(request, "submit");
    world.begin_write(*request, false);
    return kOk;
}

int FlushWorld::write_now(void *self, WriteRequest const *request)
{
    auto &world = *static_cast<FlushWorld *>(self);
    system_call(request, "pwritev2 begins");
    unsigned const index = world.begin_write(*request, true);
    system_call(request, "pwritev2 ends");
    int const code = world.end_write(index);
    if (world.plan_.fail_writeback < 0 || !request->durable)
        return code;
    world.write_back(index);
    system_call(request, "pwritev2 looks for errors");
    return world.take_error(request->file);
}

unsigned FlushWorld::reap(void *self, WriteRequest **ret, unsigned most, Nanoseconds timeout)
{
    auto &world = *static_cast<FlushWorld *>(self);
    State &s = world.state_;
    unsigned found = kMostWrites;
    for (int look = 0; look < 2; look++) {
        system_call(self, "reap");
        for (unsigned i = 0; i < s.write_count; i++)
            if (!s.writes[i].own && !s.writes[i].done &&
                (found == kMostWrites || world.plan_.newest_first))
                found = i;
        if (found != kMostWrites || timeout == 0 || s.woken || look == 1)
            break;
        s.owner_sleeps = timeout < 0 ? kLongestSleep : timeout;
        sleep_on(&s.sleep_word, s.owner_sleeps);
        s.owner_sleeps = 0;
    }
    if (timeout != 0)
        s.woken = false;
    if (found == kMostWrites || most == 0)
        return 0;
    WriteRequest *const request = s.writes[found].request;
    request->result = world.end_write(found);
    if (world.plan_.fail_writeback >= 0 && request->durable) {
        world.write_back(found);
        request->result = world.take_error(request->file);
    }
    note_change();
    ret[0] = request;
    return 1;
}

void FlushWorld::wake_owner(void *self)
{
    auto &world = *static_cast<FlushWorld *>(self);
    system_call(self, "wake the I/O thread");
    world.state_.woken = true;
    note_change();
    wake(&world.state_.sleep_word);
}

int FlushWorld::flush(void *self, File file)
{
    auto &world = *static_cast<FlushWorld *>(self);
    system_call(self, "fdatasync begins");
    auto const is_of_file = [&](unsigned i) {
        return file_at(self, world.state_.writes[i].lsn) == file;
    };
    unsigned done = 0; // a bit for each write
    for (unsigned i = 0; i < world.state_.write_count; i++)
        done |= world.state_.writes[i].done && is_of_file(i) ? 1u << i : 0;
    system_call(self, "fdatasync ends");
    if (world.plan_.fail_writeback >= 0) {
        for (unsigned i = 0; i < world.state_.write_count; i++)
            if ((done >> i & 1) != 0)
                world.write_back(i);
        system_call(self, "fdatasync looks for errors");
        return world.take_error(file);
    }
    if (world.plan_.fail_flush >= 0)
        return -EIO;
    if (world.plan_.flush_fails_once && !world.state_.flush_failed) {
        world.state_.flush_failed = true;
        for (unsigned i = 0; i < world.state_.write_count; i++)
            if (!world.state_.writes[i].on_disk && is_of_file(i))
                world.state_.writes[i].lost = true;
        return -EIO;
    }
    for (unsigned i = 0; i < world.state_.write_count; i++)
        world.state_.writes[i].on_disk |= (done >> i & 1) != 0 && !world.state_.writes[i].lost;
    return 0;
}

/// Up to where all is written, or on the disk.
Lsn FlushWorld::contiguous(bool on_disk) const
{
    Lsn at = plan_.start.at;
    for (bool more = true; more;) {
        more = false;
        for (unsigned i = 0; i < state_.write_count; i++) {
            Write const &w = state_.writes[i];
            bool const counts = on_disk ? w.on_disk : w.done;
            if (counts && w.length != 0 && w.begin <= at && at < w.lsn + w.length) {
                at = w.lsn + w.length;
                more = true;
            }
        }
    }
    return at;
}

// ---- each change

void FlushWorld::changed(void const *address, int who)
{
    if (address == ring_->tail_.address())
        return tail_changed(who);
    if (address == ring_->durable_.address())
        return durable_changed();
    Lsn const written = peek(ring_->written_), cut = peek(ring_->cut_);
    if (written < state_.written || cut < state_.cut)
        fail("invariant 9: a watermark falls");
    if (written > cut && address == ring_->written_.address())
        fail("invariant 9: written above cut");
    if (written > contiguous(false))
        fail("invariant 10: written above what was completed");
    state_.written = written;
    state_.cut = cut;
}

/// Invariants 3, 7 and 14, when a generation opens.
void FlushWorld::tail_changed(int who)
{
    TailWord const tail{peek(ring_->tail_)};
    uint64_t const before = state_.generation;
    if (tail.is_in(before))
        return;
    uint64_t const now = before + 1;
    if (!tail.is_in(now))
        return fail("invariant 3: %c opens generation %llu after %llu", letter(who),
                    static_cast<unsigned long long>(tail.generation()),
                    static_cast<unsigned long long>(before));
    state_.generation = now;
    DutyWord const duty{peek(ring_->duty_)};
    if (duty.generation() != now)
        return fail("3.3: the tail is moved before the duty");
    FlushRing::Buffer const &buffer = ring_->buffer_of(now);
    if (peek(buffer.gen) != now)
        return fail("invariant 2: generation %llu opens without its memory",
                    static_cast<unsigned long long>(now));
    uint64_t const size = plan_.options.buffer_size;
    auto const *const mem = reinterpret_cast<char const *>(peek(buffer.mem));
    if (std::any_of(mem, mem + size, [](char c) { return c != 0; }))
        return fail("invariant 7: a buffer opens with old bytes");
    uint64_t const count = plan_.options.buffer_count;
    if (now >= count + ring_->generation_of(plan_.start.at) &&
        contiguous(false) < (now - count + 1) * size)
        return fail("invariant 7: a buffer opens before its old bytes are on disk");
    if (now * size % plan_.options.segment_size == 0 && peek(ring_->ready_upto_) <= now * size)
        return fail("invariant 14: a generation opens in a segment that is not ready");
}

/// Invariants 9, 10 and 15.
void FlushWorld::durable_changed()
{
    Lsn const durable = peek(ring_->durable_);
    if (durable < state_.durable || durable > peek(ring_->written_))
        fail("invariant 9: durable falls, or is above written");
    if (durable > contiguous(true))
        fail("invariant 10: durable above what is on disk");
    if (peek(ring_->poison_) != 0)
        fail("invariant 15: durable moves after poison");
    state_.durable = durable;
    if (state_.durable_count < kSeen)
        state_.durable_seen[state_.durable_count++] = durable;
}

/// Invariants 4, 11 and 12: who sleeps for ever while nobody is going to wake him.
void FlushWorld::overslept(int who)
{
    if (anybody_died() || anybody_stopped())
        return;
    if (who != owner_)
        return fail("invariants 11, 12: %c was forgotten in its sleep on %s", letter(who),
                    name_of(slept_on(who)).c_str());
    if (state_.owner_sleeps < kLongestSleep)
        return;
    if (plan_.options.durability == Durability::sync && peek(ring_->poison_) == 0 &&
        ring_->safe_.lsn > ring_->provable_.lsn)
        return fail("the I/O thread sleeps for ever, and what is written lacks its flush");
    for (int i = 0; i < fibres(); i++)
        if (i != owner_ && is_asleep(i))
            return fail("invariants 11, 12: %c sleeps on %s, and the I/O thread for ever",
                        letter(i), name_of(slept_on(i)).c_str());
}

/// Who dies between reserve and commit holds no lock and is not in the middle of a rotation: the
/// user's memory is touched in neither.
bool FlushWorld::may_die() const
{
    DutyWord const duty{peek(ring_->duty_)};
    bool const rotates =
        duty.duty() == Duty::claimed || !TailWord{peek(ring_->tail_)}.is_in(duty.generation());
    return !rotates && peek(ring_->desk_lock_.word_) == 0 && peek(ring_->eviction_lock_.word_) == 0;
}

// ---- at rest

/// Invariant 4: a full buffer has a duty, and one that can be done is done without an append.
void FlushWorld::check_duty()
{
    TailWord const tail{peek(ring_->tail_)};
    DutyWord const duty{peek(ring_->duty_)};
    bool const full = tail.offset() > plan_.options.buffer_size;
    if (!full || peek(ring_->poison_) != 0 || anybody_died() || anybody_stopped() ||
        peek(ring_->state_) != 0)
        return;
    if (duty.duty() != Duty::needed)
        return fail("invariant 4: the buffer is full, and nobody has the duty");
    if (plan_.has_owner && ring_->can_open(duty.generation() + 1))
        fail("invariant 4: the next buffer is free, and nobody opens it");
}

void FlushWorld::check_at_rest()
{
    uint64_t const segment = plan_.options.segment_size;
    flush_test::LogReader reader(
        [&](uint64_t n) {
            return std::vector<char>(state_.disk + n * segment, state_.disk + (n + 1) * segment);
        },
        segment, plan_.start, plan_.options.block);
    flush_test::Contents const found = reader.read();
    if (!found.wrong.empty())
        return fail("invariant 8: what was written is wrong: %s", found.wrong.c_str());
    bool const poisoned = peek(ring_->poison_) != 0;
    if (poisoned && static_cast<int>(peek(ring_->poison_)) != plan_.poison)
        return fail("the ring is poisoned by %d", static_cast<int>(peek(ring_->poison_)));
    for (unsigned i = 0; i < state_.durable_count; i++)
        if (found.outside.count(state_.durable_seen[i]) == 0 && state_.durable_seen[i] < found.end)
            return fail("invariant 10: durable pointed into a chain, at %llu",
                        static_cast<unsigned long long>(state_.durable_seen[i]));
    check_units(found);
}

/// Invariants 13 and 16: what a caller was told is what the disk says.
void FlushWorld::check_units(flush_test::Contents const &found)
{
    bool const poisoned = peek(ring_->poison_) != 0;
    for (unsigned i = 0; i < state_.unit_count; i++) {
        Unit const &unit = state_.units[i];
        std::string bytes(unit.length, '\0');
        fill(bytes.data(), unit.length, i);
        auto const same = [&](flush_test::Record const &r) {
            return r.bytes == bytes && (unit.lsn == 0 || r.lsn == unit.lsn);
        };
        bool const is_there = std::any_of(found.records.begin(), found.records.end(), same);
        if (unit.acknowledged && !is_there)
            return fail("invariant 16: %c's record %u was acknowledged, and is not there",
                        letter(unit.who), i);
        if (unit.code == 0 && !poisoned && !is_there)
            return fail("invariant 13: %c was told success, record %u is not there",
                        letter(unit.who), i);
        bool const told_no = unit.code != 0 && unit.code != -kPoisoned && unit.code != 1;
        if (told_no && is_there)
            return fail("invariant 13: %c was told %d, record %u is there", letter(unit.who),
                        unit.code, i);
    }
    if (found.records.size() > state_.unit_count)
        fail("invariant 13: more records than were appended");
}

// ---- what fibres do

FlushRing &Appender::ring() { return world_.ring(); }

int Appender::append(uint64_t length, Nanoseconds timeout)
{
    auto &state = world_.state_;
    char bytes[2048];
    unsigned const number = state.unit_count++;
    state.units[number] = {0, length, 1, number_, false}; // 1: not told yet
    fill(bytes, length, number);
    bool const refused = state.poison_returned;
    Part const part{bytes, length, 0};
    Lsn at = 0;
    int const code = ring().append(&part, 1, timeout, at).code;
    if (code == 0 && refused)
        fail("invariant 15: an append that began after poison succeeds");
    state.units[number].code = code;
    if (code == 0)
        state.units[number].lsn = lsn = at;
    say("append says %d, LSN %llu", code, static_cast<unsigned long long>(at));
    return code;
}

int Appender::batch(std::vector<uint64_t> lengths, Nanoseconds timeout)
{
    auto &state = world_.state_;
    char bytes[4][1024];
    Part parts[4];
    unsigned const first = state.unit_count;
    for (std::size_t i = 0; i < lengths.size(); i++) {
        unsigned const number = state.unit_count++;
        state.units[number] = {0, lengths[i], 1, number_, false};
        fill(bytes[i], lengths[i], number);
        parts[i] = {bytes[i], lengths[i], 0};
    }
    Lsn at = 0;
    int const code = ring().append_batch(parts, lengths.size(), timeout, at).code;
    for (std::size_t i = 0; i < lengths.size(); i++)
        state.units[first + i].code = code;
    if (code == 0)
        state.units[first + lengths.size() - 1].lsn = lsn = at;
    return code;
}

int Appender::reserve(uint64_t length)
{
    auto &state = world_.state_;
    unsigned const number = state.unit_count++;
    state.units[number] = {0, length, 1, number_, false};
    int const code = ring().reserve(length, 0, -1, lsn, place_).code;
    state.units[number].code = code == 0 ? -EAGAIN : code; // until it is committed
    if (code == 0)
        state.units[number].lsn = lsn;
    return code;
}

int Appender::commit(uint64_t length)
{
    auto &state = world_.state_;
    for (unsigned i = 0; i < state.unit_count; i++)
        if (state.units[i].lsn == lsn) {
            fill(static_cast<char *>(place_), length, i);
            state.units[i].code = 1;
            state.units[i].length = length;
            return state.units[i].code = ring().commit(lsn, length).code;
        }
    return 1;
}

int Appender::abort() { return ring().abort(lsn).code; }

int Appender::wait(Nanoseconds timeout)
{
    auto &state = world_.state_;
    int const code = ring().wait(lsn, timeout).code;
    say("wait says %d", code);
    if (code != 0)
        return code;
    if (state.durable <= lsn)
        fail("wait says that LSN %llu is durable", static_cast<unsigned long long>(lsn));
    for (unsigned i = 0; i < state.unit_count; i++)
        if (state.units[i].code == 0 && state.units[i].lsn != 0 && state.units[i].lsn <= lsn)
            state.units[i].acknowledged = true;
    return 0;
}

int Appender::sync() { return ring().sync().code; }

} // namespace explore
} // namespace weir
