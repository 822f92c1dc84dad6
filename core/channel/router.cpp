// SPDX-License-Identifier: MIT OR Apache-2.0
// The handles of routers, and what a rule does with a message.
#include "core/channel/router.hpp"

#include "core/base/alloc.hpp"
#include "core/base/bits.hpp"

#include <cstring>
#include <utility>

namespace weir {
namespace {
void heal_router(Matrix &matrix, Ref ref, Owner dead) noexcept
{
    auto rules = RouteRules::of(matrix, ref);
    if (rules.ok())
        const_cast<RouteRules &>(*rules).heal(dead);
}

void retire_router(Matrix &matrix, Ref ref) noexcept
{
    auto const rules = RouteRules::of(matrix, ref);
    if (rules.ok())
        rules->header().retired.store(1, relaxed); // a switch that is thrown once
}

/// Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): neighbours go to different
/// channels.
uint64_t mix(uint64_t tag) noexcept { return tag * 0x9e3779b97f4a7c15 >> 32; }

/// It may be there, but not for this post.
bool may_try_another(Status status) noexcept
{
    return status.code == -EAGAIN || status.code == -ENOENT || status.code == -kRetired;
}
} // namespace

RootOps const kRouterRootOps = {heal_router, nullptr, retire_router, nullptr};

/// A channel that this process has open for the router.
struct Router::Target {
    char name[kNameBytes] = {};
    Channel *channel = nullptr;
    unsigned users = 0;
    bool gone = false; ///< retired: not found any more, closed by its last user
    Target *next = nullptr;
};

// ---- making and opening

Result<Router *> Router::attach_once(Matrix &matrix, char const *name, Router *&spare) noexcept
{
    return open_named(matrix, name, RootKind::router, spare, [&](Router &made, Ref ref) -> Status {
        auto const rules = RouteRules::of(matrix, ref);
        WEIR_TRY(rules);
        made.rules_ = *rules;
        return kOk;
    });
}

Result<Router *> Router::attach(Matrix &matrix, char const *name) noexcept
{
    SpareHandle<Router> spare;
    return spare.handle == nullptr ? error(ENOMEM) : attach_once(matrix, name, spare.handle);
}

Result<Router *> Router::create(Matrix &matrix, char const *name) noexcept
{
    SpareHandle<Router> spare;
    if (spare.handle == nullptr)
        return error(ENOMEM);
    WEIR_TRY(make_named(matrix, name, RootKind::router, {sizeof(RouterHeader), kCacheLine, true, 0},
                        &RouteRules::format));
    return just_made(attach_once(matrix, name, spare.handle));
}

Router::~Router() { close_all(targets_); } // nobody uses the handle any more

void Router::unref() noexcept
{
    Matrix &matrix = *matrix_;
    if (!drop_user())
        return;
    destroy(this);
    matrix.unref();
}

Status Router::enter() noexcept
{
    WEIR_TRY(enter_object());
    bool const retired = rules_.header().retired.load(relaxed) != 0; // a switch
    return retired ? error(kRetired) : kOk;
}

Status Router::retire() noexcept
{
    WEIR_TRY(enter());
    WEIR_TRY(matrix_->retire_object(object_));
    rules_.header().retired.store(1, relaxed); // a switch that is thrown once
    return kOk;
}

// ---- rules

Status Router::add(Rule const &rule, uint64_t before, uint64_t &ret_id) noexcept
{
    WEIR_TRY(enter());
    Status const done = rules_.add(rule, before, ret_id);
    prune_if_changed();
    return done;
}

Status Router::remove(uint64_t id) noexcept
{
    WEIR_TRY(enter());
    Status const done = rules_.remove(id);
    prune_if_changed();
    return done;
}

Status Router::rules(int (*visit)(Rule const &, void *), void *userdata) noexcept
{
    WEIR_TRY(is_watched() ? still_there() : enter()); // looking writes nothing
    for (unsigned i = 0; i < kMaxRules; ++i) {
        Rule rule;
        Status const found = rules_.at(i, rule);
        if (found.code == -ENOENT)
            break;
        WEIR_TRY(found);
        if (int const code = visit(rule, userdata); code != 0)
            return Status{code};
    }
    return still_there();
}

// ---- channels

Router::Target *Router::find_target(char const *name) noexcept
{
    Target *at = targets_;
    while (at != nullptr && (at->gone || std::strncmp(at->name, name, kNameBytes) != 0))
        at = at->next;
    return at;
}

/// Opened when it is first needed, outside the lock.
Result<Router::Target *> Router::open_target(char const *name) noexcept
{
    {
        Guard const guard(matrix_->objects_mutex());
        if (Target *const known = find_target(name); known != nullptr) {
            ++known->users;
            return known;
        }
    }
    auto const channel = Channel::attach(*matrix_, name, {});
    WEIR_TRY(channel);
    Target *const made = make<Target>();
    if (made == nullptr) {
        (*channel)->unref();
        return error(ENOMEM);
    }
    std::memcpy(made->name, name, strnlen(name, kNameBytes - 1));
    made->channel = *channel;
    made->users = 1;
    if (Target *const first = add_target(*made); first != nullptr) {
        made->channel->unref();
        destroy(made);
        return first;
    }
    return made;
}

/// Not if another thread of ours was first: a user more of that one. Else each of the many would
/// have to be tried when the channel is retired.
Router::Target *Router::add_target(Target &made) noexcept
{
    Guard const guard(matrix_->objects_mutex());
    if (Target *const known = find_target(made.name); known != nullptr) {
        ++known->users;
        return known;
    }
    made.next = targets_;
    targets_ = &made;
    return nullptr;
}

/// After the rules have changed: channels that none of them names, and those that were retired, are
/// not kept open any longer.
WEIR_COLD void Router::prune(uint64_t version) noexcept
{
    __atomic_store_n(&pruned_at_, version, __ATOMIC_RELAXED); // a hint: who is late does it again
    Target *unused = nullptr;
    {
        Guard const guard(matrix_->objects_mutex());
        for (Target **at = &targets_; *at != nullptr;) {
            Target *const target = *at;
            if (rules_.has_target(target->name) && !target->channel->ring().retired()) {
                at = &target->next;
                continue;
            }
            target->gone = true; // who uses it now closes it
            if (target->users != 0) {
                at = &target->next;
                continue;
            }
            *at = target->next;
            target->next = unused;
            unused = target;
        }
    }
    close_all(unused);
}

/// Outside the lock, which closing a channel takes.
void Router::close_all(Target *targets) noexcept
{
    while (targets != nullptr) {
        Target *const target = std::exchange(targets, targets->next);
        target->channel->unref();
        destroy(target);
    }
}

void Router::close_target(Target *target, bool gone) noexcept
{
    {
        Guard const guard(matrix_->objects_mutex());
        target->gone = target->gone || gone;
        if (--target->users != 0 || !target->gone)
            return;
        Target **at = &targets_;
        while (*at != target)
            at = &(*at)->next;
        *at = target->next;
    }
    target->channel->unref();
    destroy(target);
}

/// 1: its channel has refused it by DROP_NEW.
Status Router::post_to(char const *name, Routed const &what, Nanoseconds timeout) noexcept
{
    constexpr int kTries = 3; // a channel that is retired and made anew all the time
    Deadline const deadline(timeout);
    Status done = error(ENOENT);
    for (int i = 0; i < kTries; ++i) {
        auto const target = open_target(name);
        WEIR_TRY(target);
        Nanoseconds const left = i == 0 || timeout <= 0 ? timeout : deadline.left();
        done = (*target)->channel->post({what.ref, what.length, what.tag, what.level}, left);
        bool const gone = done.code == -kRetired;
        close_target(*target, gone);
        if (!gone || matrix_->segment().retired())
            return done;
    }
    return done;
}

// ---- what a rule does

Status Router::post(Routed const &what, Nanoseconds timeout) noexcept
{
    WEIR_TRY(enter());
    prune_if_changed();
    Rule rule;
    WEIR_TRY(rules_.find(what.tag, what.topic, rule));
    auto const block = matrix_->find(what.ref); // an error of the message comes before its fate
    WEIR_TRY(block);
    if (block->word.owner() != matrix_->me().owner)
        return error(EPERM);
    if (what.length > block->sector->bytes_of(block->word.granules()))
        return error(EINVAL);
    if (rule.action > RuleAction::drop || (rule.targets == 0) != (rule.action == RuleAction::drop))
        return error(kCorrupt); // a peer has scribbled over it
    rules_.count(rule, &RuleCounters::matched, 1);
    if (rule.action == RuleAction::drop) {
        WEIR_TRY(matrix_->free_owned(what.ref, matrix_->me().owner));
        return kOk;
    }
    Status const done = rule.action == RuleAction::copy ? copy_to_all(rule, what, timeout)
                                                        : post_to_group(rule, what, timeout);
    auto const posted = static_cast<uint64_t>(done.ok() ? done.code : 0);
    uint64_t const wanted = rule.action == RuleAction::copy ? rule.targets : 1;
    if (posted != 0)
        rules_.count(rule, &RuleCounters::posted, posted);
    if (posted < wanted)
        rules_.count(rule, &RuleCounters::refused, wanted - posted);
    return done;
}

Status Router::post_to_group(Rule const &rule, Routed const &what, Nanoseconds timeout) noexcept
{
    uint64_t first = 0;
    if (rule.action == RuleAction::hash)
        first = mix(what.tag) % rule.targets;
    else if (rule.action == RuleAction::round_robin)
        first = rules_.take_turn(rule) % rule.targets;
    else if (rule.action == RuleAction::least_full)
        first = least_full(rule, what.level);
    bool const any =
        rule.action == RuleAction::round_robin || rule.action == RuleAction::least_full;
    Status const done = any ? post_to_any(rule, static_cast<unsigned>(first), what, timeout)
                            : post_to(rule.target[first], what, timeout);
    return done.ok() ? Status{done.code == 0 ? 1 : 0} : done;
}

/// The chosen channel, else whichever takes it at once; else the first that is there is waited for.
Status Router::post_to_any(Rule const &rule, unsigned first, Routed const &what,
                           Nanoseconds timeout) noexcept
{
    char const *full = nullptr;
    Status done = kOk;
    for (unsigned i = 0; i < rule.targets; ++i) {
        char const *const name = rule.target[(first + i) % rule.targets];
        done = post_to(name, what, 0);
        if (!may_try_another(done))
            return done;
        if (done.code == -EAGAIN && full == nullptr)
            full = name;
    }
    if (full == nullptr)
        return done;
    return timeout == 0 ? error(EAGAIN) : post_to(full, what, timeout);
}

unsigned Router::least_full(Rule const &rule, unsigned level) noexcept
{
    unsigned best = 0;
    uint64_t best_fill = UINT64_MAX;
    for (unsigned i = 0; i < rule.targets; ++i) {
        auto const target = open_target(rule.target[i]);
        if (!target.ok())
            continue;
        Ring &ring = (*target)->channel->ring();
        // in 65536ths of what it can hold
        uint64_t const fill =
            level < ring.options().levels ? ring.fill(level) * 65536 / ring.capacity() : UINT64_MAX;
        close_target(*target, ring.retired());
        if (fill < best_fill) {
            best_fill = fill;
            best = i;
        }
    }
    return best;
}

/// All copies are made before the first is posted. The message itself goes last, so that it is
/// still the caller's if nobody took any.
Status Router::copy_to_all(Rule const &rule, Routed const &what, Nanoseconds timeout) noexcept
{
    Ref copies[kMaxTargets];
    WEIR_TRY(make_copies(what, rule.targets - 1, copies));
    copies[rule.targets - 1] = what.ref;
    Deadline const deadline(timeout);
    int posted = 0;
    Status first_failure = kOk;
    bool consumed = false;
    for (unsigned i = 0; i < rule.targets; ++i) {
        bool const own = i + 1 == rule.targets;
        Routed one = what;
        one.ref = copies[i];
        Status const done = post_to(rule.target[i], one, timeout > 0 ? deadline.left() : timeout);
        posted += done.code == 0 ? 1 : 0;
        consumed = consumed || done.ok();
        if (!done.ok() && first_failure.ok())
            first_failure = done;
        if (!done.ok() && (!own || consumed)) // the others have it: so it is handed over
            static_cast<void>(matrix_->free_owned(one.ref, matrix_->me().owner));
    }
    return consumed ? Status{posted} : first_failure;
}

Status Router::make_copies(Routed const &what, unsigned count, Ref *copies) noexcept
{
    auto const from = matrix_->data(what.ref);
    WEIR_TRY(from);
    for (unsigned i = 0; i < count; ++i) {
        Allocation made;
        Status const done = matrix_->alloc(larger(what.length, uint64_t{1}), made);
        if (!done.ok()) {
            while (i > 0)
                static_cast<void>(matrix_->free(copies[--i]));
            return done;
        }
        std::memcpy(made.data, from->data, what.length);
        copies[i] = made.ref;
    }
    return kOk;
}

} // namespace weir
