// SPDX-License-Identifier: MIT OR Apache-2.0
// A router's block: two copies of its rules, of which one counts, and a line of counters per rule.
//
// How it changes
//   Who changes it holds the ticket, writes the whole other table, and makes it count by one store
//   of `current` (version, whose lowest bit says which table). Who reads takes the version, reads
//   the rules, and believes what he read if the version is the same afterwards; else he reads
//   again. So nobody sees half a rule, and a post waits for nobody.
//
// Invariants
//   R1  The table that `current` names is whole.
//   R2  A rule's id is given once; its line of counters is nobody else's while the rule is there, and
//       counts what was posted by it alone.
//
// Death
//   of who changes it: the table that counts is untouched, or the new one counts. His healer gives
//   the ticket back.
//
// What it trusts and checks
//   Nothing in it: counts and indices are bounded where they are read, names are copied and ended.
#pragma once

#include "core/matrix/matrix.hpp"

#include <cstddef>

namespace weir {

#ifdef WEIR_EXPLORE
inline constexpr unsigned kMaxRules = 2, kMaxRouteNames = 3, kMaxTargets = 2;
#else
inline constexpr unsigned kMaxRules = 64, kMaxRouteNames = 64, kMaxTargets = 16;
#endif
inline constexpr size_t kNameBytes = 64;

enum class RuleMatch : unsigned { any = 0, tag = 1, mask = 2, topic = 3, otherwise = 4 };
enum class RuleAction : unsigned {
    to = 0,
    hash = 1,
    round_robin = 2,
    least_full = 3,
    copy = 4,
    drop = 5,
};

/// A name of 64 bytes, ended by NUL. All words are written before `current` by who has the ticket.
struct RouteName {
    atomic<uint64_t> word[kNameBytes / 8];
};

struct RuleRecord {
    atomic<uint64_t> id; ///< 0 is none
    /// match | action << 8 | number of targets << 16 | line of counters << 24
    atomic<uint64_t> shape;
    atomic<uint64_t> tag;
    atomic<uint64_t> mask;
    atomic<uint64_t> target[2]; ///< a byte each: index of the channel's name
    atomic<uint64_t> reserved[2];
    RouteName topic;
};
static_assert(sizeof(RuleRecord) == 128);

struct RouteTable {
    atomic<uint64_t> rules;
    atomic<uint64_t> names;
    atomic<uint64_t> last_id;
    atomic<uint64_t> reserved[5];
    RuleRecord rule[kMaxRules];
    RouteName name[kMaxRouteNames];
};

/// A count, and whose it is: rule:20 | count:44. A post that waited until its rule was gone must not
/// count for the next rule of the line.
struct RuleCount {
    static constexpr uint64_t kCount = (uint64_t{1} << 44) - 1;
    static constexpr uint64_t of(uint64_t rule) noexcept
    {
        return (rule % ((1 << 20) - 1) + 1) << 44; // 0: nobody's
    }
    static constexpr bool is_of(uint64_t raw, uint64_t rule) noexcept
    {
        return (raw & ~kCount) == of(rule);
    }
};

/// All but `turn` are a RuleCount each. Writers: whoever posts by the rule, by CAS; who adds the rule.
struct alignas(kCacheLine) RuleCounters {
    atomic<uint64_t> matched;
    atomic<uint64_t> posted;
    atomic<uint64_t> refused;
    atomic<uint64_t> turn; ///< of round robin
};

inline constexpr uint64_t kRouterMagic = 0x0a52544f52494557; // "WEIROTR\n", little endian
inline constexpr uint32_t kRouterVersion = 1;

struct RouterHeader {
    uint64_t magic;
    uint32_t version;
    uint32_t reserved0;
    uint64_t reserved1[6];
    /// Who may change the rules.
    alignas(kCacheLine) TicketWord writer;
    /// Version of the rules; lowest bit: the table that counts. Writer: the holder of the ticket.
    alignas(kCacheLine) atomic<uint64_t> current;
    /// 1 after retirement. Writers: who retires it, or heals him.
    atomic<uint64_t> retired;
    RuleCounters counters[kMaxRules];
    RouteTable table[2];
};

/// A rule in process memory.
struct Rule {
    uint64_t id = 0;
    uint64_t tag = 0, mask = 0;
    uint64_t matched = 0, posted = 0, refused = 0;
    RuleMatch match = RuleMatch::any;
    RuleAction action = RuleAction::to;
    unsigned line = 0; ///< of counters
    unsigned targets = 0;
    char topic[kNameBytes] = {};
    char target[kMaxTargets][kNameBytes] = {};
};

/// Whether a pattern with `*` (any bytes) and `?` (one byte) fits a whole text.
bool glob_fits(char const *pattern, char const *text) noexcept;

class RouteRules {
  public:
    static void format(void *block) noexcept;
    /// kCorrupt, kVersion.
    static Result<RouteRules> of(Matrix &matrix, Ref ref) noexcept;

    /// The first rule that fits; `topic` may be NULL. ENOENT: none does.
    Status find(uint64_t tag, char const *topic, Rule &ret) const noexcept;
    /// The rule at `place`, with its counters. ENOENT: there are not so many.
    Status at(unsigned place, Rule &ret) const noexcept;
    /// Before the rule `before`, or as the last one. ENOSPC: no place; ENOENT: no such `before`.
    Status add(Rule const &rule, uint64_t before, uint64_t &ret_id) noexcept;
    Status remove(uint64_t id) noexcept;
    void heal(Owner dead) noexcept;

    /// Unless the line is another rule's by now.
    void count(Rule const &rule, atomic<uint64_t> RuleCounters::*what, uint64_t by) const noexcept;
    /// A turn of round robin.
    uint64_t take_turn(Rule const &rule) const noexcept
    {
        return counters(rule).turn.fetch_add(1, relaxed); // whoever's it is: a turn is a turn
    }
    /// Counts the changes.
    uint64_t version() const noexcept { return header_->current.load(relaxed); }
    /// Whether some rule names this channel; also if it cannot be told.
    bool has_target(char const *channel) const noexcept;
    RouterHeader &header() const noexcept { return *header_; }

  private:
    struct Draft;
    RuleCounters &counters(Rule const &rule) const noexcept
    {
        return header_->counters[rule.line % kMaxRules];
    }
    template <class Read> Status consistently(Read read) const noexcept;
    template <class Edit> Status change(Edit edit) noexcept;
    static bool fits(RuleRecord const &record, uint64_t tag, char const *topic) noexcept;
    static void read_rule(RouteTable const &table, unsigned place, Rule &ret) noexcept;
    void write(RouteTable &table, Draft const &draft) noexcept;

    Matrix *matrix_ = nullptr;
    RouterHeader *header_ = nullptr;
};

} // namespace weir
