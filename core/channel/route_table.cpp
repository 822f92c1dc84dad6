// SPDX-License-Identifier: MIT OR Apache-2.0
// Reading a router's rules while others change them, and changing them.
#include "core/channel/route_table.hpp"

#include "core/base/alloc.hpp"
#include "core/base/bits.hpp"
#include "core/segment/ticket.hpp"

#include <cstring>

namespace weir {
namespace {
/// Each is a change by somebody else between two loads.
constexpr int kReadTries = 100000;

void read_name(RouteName const &from, char *into) noexcept
{
    for (unsigned i = 0; i < kNameBytes / 8; ++i) {
        uint64_t const word = from.word[i].load(relaxed); // counts if the version is the same after
        std::memcpy(into + 8 * i, &word, 8);
    }
    into[kNameBytes - 1] = '\0';
}

void write_name(RouteName &into, char const *from) noexcept
{
    for (unsigned i = 0; i < kNameBytes / 8; ++i) {
        uint64_t word;
        std::memcpy(&word, from + 8 * i, 8);
        into.word[i].store(word, release); // pairs with the fence in consistently()
    }
}

unsigned bounded(uint64_t count, unsigned most) noexcept
{
    return count > most ? most : static_cast<unsigned>(count);
}
} // namespace

bool glob_fits(char const *pattern, char const *text) noexcept
{
    char const *star = nullptr, *again = nullptr;
    // Ends: each turn moves on in the text, or in the pattern.
    for (;;) {
        if (*pattern == '*') {
            star = ++pattern;
            again = text;
        } else if (*text == '\0') {
            return *pattern == '\0';
        } else if (*pattern == '?' || *pattern == *text) {
            ++pattern;
            ++text;
        } else if (star != nullptr) {
            pattern = star; // the last star takes one byte more
            text = ++again;
        } else {
            return false;
        }
    }
}

void RouteRules::format(void *block) noexcept
{
    auto &header = *static_cast<RouterHeader *>(block);
    header.magic = kRouterMagic;
    header.version = kRouterVersion;
}

Result<RouteRules> RouteRules::of(Matrix &matrix, Ref ref) noexcept
{
    auto const block = matrix.data(ref);
    if (!block.ok() || block->size < sizeof(RouterHeader))
        return error(kCorrupt);
    RouteRules rules;
    rules.matrix_ = &matrix;
    rules.header_ = static_cast<RouterHeader *>(block->data);
    if (rules.header_->magic != kRouterMagic)
        return error(kCorrupt);
    if (rules.header_->version != kRouterVersion)
        return error(kVersion);
    return rules;
}

/// Calls `read(table)` until nobody has changed the rules meanwhile.
template <class Read> Status RouteRules::consistently(Read read) const noexcept
{
    for (int i = 0; i < kReadTries; ++i) {
        uint64_t const version = header_->current.load(acquire); // pairs with change()
        Status const done = read(header_->table[version & 1]);
        acquire_fence(); // what was read above before the version below; pairs with write()
        if (header_->current.load(relaxed) == version)
            return done;
    }
    return error(kCorrupt);
}

bool RouteRules::fits(RuleRecord const &record, uint64_t tag, char const *topic) noexcept
{
    // relaxed: counts if the version is the same afterwards, here and below
    auto const match = static_cast<RuleMatch>(record.shape.load(relaxed) & 0xff);
    if (match == RuleMatch::any)
        return true;
    if (match == RuleMatch::tag)
        return tag == record.tag.load(relaxed);
    if (match == RuleMatch::mask)
        return (tag & record.mask.load(relaxed)) == record.tag.load(relaxed);
    if (match != RuleMatch::topic || topic == nullptr)
        return false;
    char pattern[kNameBytes];
    read_name(record.topic, pattern);
    return glob_fits(pattern, topic);
}

Status RouteRules::find(uint64_t tag, char const *topic, Rule &ret) const noexcept
{
    return consistently([&](RouteTable const &table) {
        // relaxed: counts if the version is the same afterwards
        unsigned const count = bounded(table.rules.load(relaxed), kMaxRules);
        unsigned otherwise = count;
        for (unsigned i = 0; i < count; ++i) {
            uint64_t const shape = table.rule[i].shape.load(relaxed); // as above
            bool const last = static_cast<RuleMatch>(shape & 0xff) == RuleMatch::otherwise;
            if (last && otherwise == count)
                otherwise = i;
            if (!fits(table.rule[i], tag, topic))
                continue;
            read_rule(table, i, ret);
            return kOk;
        }
        if (otherwise == count)
            return error(ENOENT);
        read_rule(table, otherwise, ret);
        return kOk;
    });
}

Status RouteRules::at(unsigned place, Rule &ret) const noexcept
{
    Status const done = consistently([&](RouteTable const &table) {
        // relaxed: counts if the version is the same afterwards
        if (place >= bounded(table.rules.load(relaxed), kMaxRules))
            return error(ENOENT);
        read_rule(table, place, ret);
        return kOk;
    });
    RuleCounters const &count = counters(ret);
    auto const of = [&ret](atomic<uint64_t> const &word) {
        uint64_t const raw = word.load(relaxed); // counts, for people
        return RuleCount::is_of(raw, ret.id) ? raw & RuleCount::kCount : 0;
    };
    ret.matched = of(count.matched);
    ret.posted = of(count.posted);
    ret.refused = of(count.refused);
    return done;
}

void RouteRules::count(Rule const &rule, atomic<uint64_t> RuleCounters::*what,
                       uint64_t by) const noexcept
{
    constexpr int kTries = 1 << 20; // each failure is another's success, or a scribbler's
    atomic<uint64_t> &word = counters(rule).*what;
    uint64_t seen = word.load(relaxed); // a count: no order, here and below
    for (int i = 0; i < kTries && RuleCount::is_of(seen, rule.id); ++i) {
        uint64_t const next = (seen & ~RuleCount::kCount) | ((seen + by) & RuleCount::kCount);
        if (word.compare_exchange(seen, next, relaxed, relaxed)) // as above
            return;
    }
}

bool RouteRules::has_target(char const *channel) const noexcept
{
    Status const found = consistently([&](RouteTable const &table) {
        // relaxed: counts if the version is the same afterwards
        unsigned const count = bounded(table.names.load(relaxed), kMaxRouteNames);
        for (unsigned i = 0; i < count; ++i) {
            char name[kNameBytes];
            read_name(table.name[i], name);
            if (std::strncmp(name, channel, kNameBytes) == 0)
                return kOk;
        }
        return error(ENOENT);
    });
    return found.code != -ENOENT;
}

void RouteRules::read_rule(RouteTable const &table, unsigned place, Rule &ret) noexcept
{
    RuleRecord const &record = table.rule[place];
    uint64_t const shape = record.shape.load(relaxed); // relaxed, all: as in consistently()
    ret.id = record.id.load(relaxed);
    ret.match = static_cast<RuleMatch>(shape & 0xff);
    ret.action = static_cast<RuleAction>(shape >> 8 & 0xff);
    ret.targets = bounded(shape >> 16 & 0xff, kMaxTargets);
    ret.line = bounded(shape >> 24 & 0xff, kMaxRules - 1);
    ret.tag = record.tag.load(relaxed); // as above, to the end
    ret.mask = record.mask.load(relaxed);
    read_name(record.topic, ret.topic);
    for (unsigned i = 0; i < ret.targets; ++i) {
        uint64_t const word = record.target[i / 8].load(relaxed); // as above
        read_name(table.name[(word >> i % 8 * 8 & 0xff) % kMaxRouteNames], ret.target[i]);
    }
}

// ---- changes

/// A whole table in process memory: too large for a stack.
struct RouteRules::Draft {
    unsigned count = 0;
    uint64_t last_id = 0;
    Rule rule[kMaxRules];
    bool has_line(unsigned line) const noexcept
    {
        for (unsigned i = 0; i < count; ++i)
            if (rule[i].line == line)
                return true;
        return false;
    }
    /// Distinct channels in all rules; counting ends above what there is room for.
    unsigned names() const noexcept
    {
        unsigned found = 0;
        for (unsigned i = 0; i < count; ++i)
            for (unsigned k = 0; k < rule[i].targets; ++k)
                found += is_first(i, k) ? 1 : 0;
        return found;
    }
    bool is_first(unsigned of_rule, unsigned target) const noexcept
    {
        char const *const name = rule[of_rule].target[target];
        for (unsigned i = 0; i <= of_rule; ++i)
            for (unsigned k = 0; k < (i == of_rule ? target : rule[i].targets); ++k)
                if (std::memcmp(rule[i].target[k], name, kNameBytes) == 0)
                    return false;
        return true;
    }
    unsigned place_of(uint64_t id) const noexcept
    {
        unsigned i = 0;
        while (i < count && rule[i].id != id)
            ++i;
        return i;
    }
};

/// With the ticket: the draft of what counts, edited, into the other table.
template <class Edit> Status RouteRules::change(Edit edit) noexcept
{
    Draft *const draft = make<Draft>();
    if (draft == nullptr)
        return error(ENOMEM);
    Status done = matrix_->take_ticket(header_->writer);
    if (!done.ok()) {
        destroy(draft);
        return done;
    }
    uint64_t const version = header_->current.load(relaxed); // ours: we have the ticket
    RouteTable const &from = header_->table[version & 1];
    draft->count = bounded(from.rules.load(relaxed), kMaxRules); // as above
    draft->last_id = from.last_id.load(relaxed);                 // as above
    for (unsigned i = 0; i < draft->count; ++i)
        read_rule(from, i, draft->rule[i]);
    done = edit(*draft);
    if (done.ok()) {
        write(header_->table[~version & 1], *draft);
        header_->current.store(version + 1, seq_cst); // R1; pairs with consistently()
    }
    matrix_->give_ticket(header_->writer);
    destroy(draft);
    return done;
}

/// Into the table that does not count. Release: who reads any of it in a table that counted before
/// finds another version afterwards.
void RouteRules::write(RouteTable &table, Draft const &draft) noexcept
{
    unsigned names = 0;
    char known[kMaxRouteNames][kNameBytes];
    auto const index_of = [&](char const *name) {
        unsigned i = 0;
        while (i < names && std::memcmp(known[i], name, kNameBytes) != 0)
            ++i;
        if (i == names && i < kMaxRouteNames) {
            std::memcpy(known[names++], name, kNameBytes);
            write_name(table.name[i], name);
        }
        return i;
    };
    for (unsigned i = 0; i < draft.count; ++i) {
        Rule const &rule = draft.rule[i];
        RuleRecord &record = table.rule[i];
        uint64_t target[2] = {};
        for (unsigned k = 0; k < rule.targets; ++k)
            target[k / 8] |= uint64_t{index_of(rule.target[k])} << k % 8 * 8;
        record.id.store(rule.id, release); // release, all: as said above
        record.shape.store(static_cast<uint64_t>(rule.match) |
                               static_cast<uint64_t>(rule.action) << 8 |
                               uint64_t{rule.targets} << 16 | uint64_t{rule.line} << 24,
                           release); // as above, to the end
        record.tag.store(rule.tag, release);
        record.mask.store(rule.mask, release);
        record.target[0].store(target[0], release); // as above
        record.target[1].store(target[1], release);
        write_name(record.topic, rule.topic);
    }
    table.rules.store(draft.count, release); // as above, here and below
    table.names.store(names, release);
    table.last_id.store(draft.last_id, release);
}

Status RouteRules::add(Rule const &rule, uint64_t before, uint64_t &ret_id) noexcept
{
    return change([&](Draft &draft) {
        if (draft.count == kMaxRules)
            return error(ENOSPC);
        unsigned const place = before == 0 ? draft.count : draft.place_of(before);
        if (before != 0 && place == draft.count)
            return error(ENOENT);
        for (unsigned i = draft.count; i > place; --i)
            draft.rule[i] = draft.rule[i - 1];
        ++draft.count;
        Rule &mine = draft.rule[place];
        mine = rule;
        mine.line = kMaxRules; // none yet
        mine.id = ++draft.last_id;
        if (draft.names() > kMaxRouteNames)
            return error(ENOSPC);
        // In turn, so that a slow poster's count does not meet the next rule.
        for (unsigned i = 0; i < kMaxRules && mine.line == kMaxRules; ++i)
            if (unsigned const line = static_cast<unsigned>((mine.id + i) % kMaxRules);
                !draft.has_line(line))
                mine.line = line;
        RuleCounters &count = header_->counters[mine.line];
        for (atomic<uint64_t> *word : {&count.matched, &count.posted, &count.refused})
            word->store(RuleCount::of(mine.id), relaxed); // published with the rule
        count.turn.store(0, relaxed);                     // as above
        ret_id = mine.id;
        return kOk;
    });
}

Status RouteRules::remove(uint64_t id) noexcept
{
    return change([&](Draft &draft) {
        unsigned const place = draft.place_of(id);
        if (place == draft.count)
            return error(ENOENT);
        for (unsigned i = place; i + 1 < draft.count; ++i)
            draft.rule[i] = draft.rule[i + 1];
        --draft.count;
        return kOk;
    });
}

void RouteRules::heal(Owner dead) noexcept { Ticket(header_->writer).give_back(dead); }

} // namespace weir
