// SPDX-License-Identifier: MIT OR Apache-2.0
// router: a named table of rules that says to which channels a message goes. The rules are in
// shared memory (route_table.hpp); the channels are opened by each process when it first posts to
// them, by name, and again if they were retired and made anew. It keeps them open as long as some
// rule names them; that one was retired it finds when it posts to it, or when rules have changed.
#pragma once

#include "core/channel/channel.hpp"
#include "core/channel/route_table.hpp"

namespace weir {

/// What the matrix does for routers; for its options.
extern RootOps const kRouterRootOps;

/// What is handed to post().
struct Routed {
    Ref ref;
    uint64_t length = 0;
    uint64_t tag = 0;
    char const *topic = nullptr;
    unsigned level = 0;
};

/// One process's handle of a router; shared by all its users in the process.
class Router : private OpenHandle {
  public:
    static Result<Router *> create(Matrix &matrix, char const *name) noexcept;
    static Result<Router *> attach(Matrix &matrix, char const *name) noexcept;

    Router() noexcept = default;
    ~Router();

    void ref() noexcept { add_user(); }
    void unref() noexcept;
    Status retire() noexcept;
    Status add(Rule const &rule, uint64_t before, uint64_t &ret_id) noexcept;
    Status remove(uint64_t id) noexcept;
    /// How many channels have it. ENOENT: no rule fits, or there is no such channel.
    Status post(Routed const &what, Nanoseconds timeout) noexcept;
    Status rules(int (*visit)(Rule const &, void *), void *userdata) noexcept;

  private:
    friend struct OpenHandle;
    struct Target;

    Status enter() noexcept;
    static Result<Router *> attach_once(Matrix &matrix, char const *name, Router *&spare) noexcept;
    Result<Target *> open_target(char const *name) noexcept;
    Target *add_target(Target &made) noexcept;
    void close_target(Target *target, bool gone) noexcept;
    static void close_all(Target *targets) noexcept;
    void prune_if_changed() noexcept
    {
        // relaxed: a hint, of this process
        uint64_t const version = rules_.version();
        if (!WEIR_LIKELY(__atomic_load_n(&pruned_at_, __ATOMIC_RELAXED) == version))
            prune(version);
    }
    void prune(uint64_t version) noexcept;
    Target *find_target(char const *name) noexcept;
    Status post_to(char const *name, Routed const &what, Nanoseconds timeout) noexcept;
    Status post_to_group(Rule const &rule, Routed const &what, Nanoseconds timeout) noexcept;
    Status post_to_any(Rule const &rule, unsigned first, Routed const &what,
                       Nanoseconds timeout) noexcept;
    unsigned least_full(Rule const &rule, unsigned level) noexcept;
    Status copy_to_all(Rule const &rule, Routed const &what, Nanoseconds timeout) noexcept;
    Status make_copies(Routed const &what, unsigned count, Ref *copies) noexcept;

    RouteRules rules_;
    Target *targets_ = nullptr; ///< under the matrix's objects_mutex()
    uint64_t pruned_at_ = 0;    ///< version of the rules when targets_ was last compared with them
};

} // namespace weir
