// SPDX-License-Identifier: MIT OR Apache-2.0
// The disk: names, power, failures, writes.
#include "tests/fault/disk.hpp"

#include "core/flush/crc32c.hpp"

#include <algorithm>

namespace fault {

using weir::File;

// ---- names

Disk::Disk(Disk const &other)
    : limits(other.limits), random_(other.random_), operations_(other.operations_)
{
    std::map<Inode const *, std::shared_ptr<Inode>> copies;
    auto copy = [&](std::shared_ptr<Inode> const &inode) {
        if (!inode)
            return inode;
        auto &made = copies[inode.get()];
        if (!made)
            made = std::make_shared<Inode>(*inode);
        return made;
    };
    for (auto const &[name, inode] : other.seen_)
        seen_[name] = copy(inode);
    for (auto const &[name, inode] : other.stable_)
        stable_[name] = copy(inode);
    for (Change change : other.journal_) {
        change.inode = copy(change.inode);
        journal_.push_back(change);
    }
    // What is in flight happens to the copy at its power cut, as it may to the original.
    for (Parked const &parked : other.parked_)
        loose_.push_back(other.loose_from(parked));
    for (Loose const &loose : other.loose_)
        loose_.push_back(loose);
    for (Loose &loose : loose_)
        loose.inode = copy(loose.inode);
}

Disk::Loose Disk::loose_from(Parked const &parked) const
{
    weir::WriteRequest const &request = *parked.request;
    auto const *const bytes = static_cast<uint8_t const *>(request.data);
    return {handles_[static_cast<size_t>(request.file)].inode,
            request.offset,
            {bytes, bytes + request.length}};
}

void Disk::orphan()
{
    for (Parked const &parked : parked_)
        loose_.push_back(loose_from(parked));
    parked_.clear();
}

void Disk::leave_behind()
{
    for (Parked const &parked : parked_)
        loose_.push_back(loose_from(parked));
    left_ = off_ = true;
}

void Disk::apply(Change const &change, Names &names)
{
    switch (change.kind) {
    case Change::create:
    case Change::folder:
        names[change.a] = change.inode;
        return;
    case Change::rename: {
        auto const from = names.find(change.a);
        if (from == names.end())
            return;
        auto const inode = from->second;
        names.erase(from);
        names[change.b] = inode;
        return;
    }
    case Change::unlink:
        names.erase(change.a);
        return;
    }
}

namespace {
std::string folder_of(std::string const &name)
{
    size_t const slash = name.find('/');
    return slash == std::string::npos ? "" : name.substr(0, slash);
}
} // namespace

void Disk::flush_names(std::string const &sub)
{
    std::vector<Change> rest;
    for (Change const &change : journal_) {
        bool const here = folder_of(change.a) == sub ||
                          (change.kind == Change::rename && folder_of(change.b) == sub);
        if (here)
            apply(change, stable_);
        else
            rest.push_back(change);
    }
    journal_ = rest;
}

std::vector<std::string> Disk::names() const
{
    std::vector<std::string> result;
    for (auto const &entry : seen_)
        result.push_back(entry.first);
    return result;
}

std::vector<uint8_t> Disk::content(std::string const &name) const
{
    Pages const &bytes = seen_.at(name)->seen;
    std::vector<uint8_t> result(bytes.size());
    bytes.read(0, result.data(), result.size());
    return result;
}

void Disk::rot(std::string const &name, uint64_t offset, uint8_t mask, uint64_t length)
{
    Inode &inode = *seen_.at(name);
    std::vector<uint8_t> bytes(length);
    inode.stable.read(offset, bytes.data(), length);
    for (uint8_t &byte : bytes)
        byte ^= mask;
    inode.stable.write(offset, bytes.data(), length);
    inode.seen.write(offset, bytes.data(), length);
}

void Disk::put(std::string const &name, std::vector<uint8_t> const &bytes)
{
    auto &inode = seen_[name];
    if (!inode)
        inode = std::make_shared<Inode>();
    inode->resize(bytes.size());
    inode->seen.write(0, bytes.data(), bytes.size());
    inode->flush();
    stable_[name] = inode;
}

void Disk::remove(std::string const &name)
{
    seen_.erase(name);
    stable_.erase(name);
}

bool Disk::same_as(Disk const &other) const
{
    if (seen_.size() != other.seen_.size())
        return false;
    for (auto const &[name, inode] : seen_) {
        auto const at = other.seen_.find(name);
        if (at == other.seen_.end() || !inode != !at->second ||
            (inode && !(inode->seen == at->second->seen)))
            return false;
    }
    return true;
}

size_t Disk::open_files() const
{
    return static_cast<size_t>(std::count_if(handles_.begin(), handles_.end(),
                                             [](Handle const &h) { return h.inode != nullptr; }));
}

// ---- power

bool Disk::step()
{
    if (!off_ && ++operations_ > cut_at_)
        off_ = true;
    return !off_;
}

/// Strategies: 0 nothing of what is dirty, 1 all, 2 half, 3 most, 4 few, 5 whole 4 KiB pages.
void Disk::survive(Inode &inode, Random &random, unsigned strategy)
{
    auto survives = [&]() {
        switch (strategy) {
        case 0:
            return false;
        case 1:
            return true;
        case 3:
            return !random.one_in(8);
        case 4:
            return random.one_in(8);
        default:
            return random.one_in(2);
        }
    };
    uint64_t const size = inode.size_dirty && !survives() ? inode.stable.size() : inode.seen.size();
    std::vector<uint8_t> kept(inode.dirty.size());
    for (size_t p = 0; p < kept.size(); ++p) {
        bool survived = false;
        for (uint64_t s = 0; inode.dirty[p] >> s != 0; ++s) {
            bool const dirty = (inode.dirty[p] >> s & 1) != 0;
            if (strategy != 5 || s == 0)
                survived = dirty && survives();
            if (dirty && survived)
                kept[p] |= static_cast<uint8_t>(1u << s);
        }
    }
    inode.keep(size, kept);
}

void Disk::power_cut(Random &random)
{
    orphan();
    for (Loose const &loose : loose_)
        if (!random.one_in(3))
            loose.inode->write(loose.offset, loose.bytes.data(), loose.bytes.size());
    loose_.clear();
    // Names: the journal up to some place, or any part of it.
    bool const prefix = random.one_in(2);
    size_t const upto = static_cast<size_t>(random.below(journal_.size() + 1));
    for (size_t i = 0; i < journal_.size(); ++i)
        if (prefix ? i < upto : random.one_in(2))
            apply(journal_[i], stable_);
    journal_.clear();
    auto const strategy = static_cast<unsigned>(random.below(6));
    std::vector<Inode *> done;
    for (auto const &entry : stable_) {
        Inode *const inode = entry.second.get();
        if (inode == nullptr || std::find(done.begin(), done.end(), inode) != done.end())
            continue;
        done.push_back(inode);
        survive(*inode, random, strategy);
    }
    seen_ = stable_;
    handles_.clear();
    injections_.clear();
    off_ = left_ = false;
    never_cut();
}

void Disk::kill(Random &random)
{
    orphan();
    while (!loose_.empty()) {
        size_t const which = static_cast<size_t>(random.below(loose_.size()));
        Loose const loose = loose_[which];
        loose_.erase(loose_.begin() + static_cast<long>(which));
        if (!random.one_in(4)) // else it was not taken up
            loose.inode->write(loose.offset, loose.bytes.data(), loose.bytes.size());
    }
    handles_.clear();
    injections_.clear();
    off_ = left_ = false;
    never_cut();
}

void Disk::settle()
{
    for (auto const &entry : seen_)
        if (entry.second)
            entry.second->flush();
    stable_ = seen_;
    journal_.clear();
}

// ---- failures

void Disk::inject(char const *kind, char const *name, Bad bad, uint64_t after)
{
    injected_ = false;
    injections_.push_back({kind, name, bad, after});
}

Bad Disk::bad_for(char const *kind, std::string const &name)
{
    for (size_t i = 0; i < injections_.size(); ++i) {
        Injection &injection = injections_[i];
        if (injection.kind != kind || name.find(injection.name) == std::string::npos)
            continue;
        if (injection.after-- != 0)
            continue;
        Bad const bad = injection.bad;
        injections_.erase(injections_.begin() + static_cast<long>(i));
        injected_ = true;
        return bad;
    }
    return Bad::none;
}

Disk::Handle *Disk::handle(File file)
{
    auto const index = static_cast<size_t>(file);
    if (file < 0 || index >= handles_.size() || !handles_[index].inode)
        return nullptr;
    return &handles_[index];
}

int Disk::write(Handle &to, void const *data, size_t length, uint64_t offset)
{
    Bad const bad = bad_for("write", to.name);
    if (!step()) {
        if (!left_ && random_.one_in(2)) // the write under way when the power goes
            to.inode->write(offset, data, length);
        return -EIO;
    }
    switch (bad) {
    case Bad::eio:
        return -EIO;
    case Bad::enospc:
        return -ENOSPC;
    case Bad::short_write:
        to.inode->write(offset, data, length / 2);
        return -EIO;
    case Bad::lost_write:
        return 0;
    case Bad::misdirected:
        to.inode->write(offset ^ 4096, data, length);
        return 0;
    default:
        to.inode->write(offset, data, length);
        return 0;
    }
}

void Disk::finish(Parked const &parked)
{
    weir::WriteRequest &request = *parked.request;
    Handle &to = handles_[static_cast<size_t>(request.file)];
    uint32_t const sum = weir::Crc32c().add(request.data, request.length).value();
    if (sum != parked.sum)
        violations_.push_back("bytes in flight changed at " + std::to_string(request.offset));
    request.result = write(to, request.data, request.length, request.offset);
    if (request.result == 0 && request.durable)
        to.inode->flush_range(request.offset, request.length);
}

void Disk::check_write(Handle const &to, weir::WriteRequest const &request)
{
    for (Parked const &other : parked_) {
        auto const &with = *other.request;
        if (handles_[static_cast<size_t>(with.file)].inode == to.inode &&
            with.offset < request.offset + request.length &&
            request.offset < with.offset + with.length)
            violations_.push_back("writes in flight overlap at " + std::to_string(request.offset));
    }
    auto &blocks = written_[to.inode.get()];
    for (uint64_t b = request.offset / 4096; b < (request.offset + request.length) / 4096; ++b) {
        if (blocks.size() <= b)
            blocks.resize(b + 1);
        if (blocks[b])
            violations_.push_back(to.name + ": written twice at " + std::to_string(b * 4096));
        blocks[b] = true;
    }
}

} // namespace fault
