// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of growth: two growers, death in growth, growth against alloc and heal, a full file
// system. A sector grows by multiples of four small granules here.
#include "tests/explore/matrix_world.hpp"
#include "tests/explore/scenarios.hpp"
#include "tests/explore/seams.hpp"

namespace weir::explore {
namespace {

void add(char const *name, char const *about, int deepest, MatrixPlan plan,
         std::vector<MatrixProgram> programs,
         std::function<void(MatrixWorld &)> extra_check = nullptr)
{
    scenarios().push_back({"growth", name, about,
                           [=] {
                               auto world = std::make_unique<MatrixWorld>(plan, programs);
                               world->extra_check = extra_check;
                               return world;
                           },
                           deepest});
}

void keeps_to_capacity(MatrixWorld &world)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < kSectors; i++)
        for (Granule at = 0; at < world.monitor(i).limit();) {
            BlockWord const head = world.monitor(i).word(at);
            sum += head.is(Kind::trimmed) ? 0 : uint64_t{head.granules()} << kGranuleShift[i];
            at += head.granules();
        }
    uint64_t const capacity = world.handle(0).segment().geometry().request.capacity;
    if (sum > capacity)
        fail("%llu bytes are committed, the capacity is %llu", static_cast<unsigned long long>(sum),
             static_cast<unsigned long long>(capacity));
}

MatrixPlan growing(std::vector<Piece> small, Granules reserve)
{
    MatrixPlan plan;
    plan.pieces[kSmall] = std::move(small);
    plan.reserve[kSmall] = reserve;
    return plan;
}

MatrixProgram allocs(Granules granules)
{
    return [=](Actor const &me) { me.alloc(granules); };
}

/// Makes room, so that nothing may be refused.
MatrixProgram alloc_free(Granules granules)
{
    return [=](Actor const &me) { me.alloc_and_free(granules); };
}

MatrixProgram frees(std::size_t piece)
{
    return [=](Actor const &me) { me.free_piece(piece); };
}

/// The file system may be full as well.
void alloc_if_disk(Actor const &me, Granules granules)
{
    Allocation got;
    Status const status = me.matrix().alloc({granules * 64, 1, false, 0}, got);
    bool const in_the_way = status.code == -EBUSY && anybody_stopped();
    if (status.ok())
        me.free(got.ref);
    else if (status.code != -ENOSPC && status.code != -ENOMEM && !in_the_way)
        fail("alloc says %d", status.code);
}

/// With a quarter of it in the small sector, which is all that it may grow to.
MatrixProgram prefaults(Granules small)
{
    return [=](Actor const &me) {
        Status const status = me.matrix().prefault(uint64_t{small} * 64 * 4, nullptr, nullptr);
        if (!status.ok() && !(status.code == -EBUSY && anybody_stopped()))
            fail("prefault says %d", status.code);
    };
}
} // namespace

void register_growth()
{
    add("grow2", "two grow at once, and there is room for both", 3, growing({used(4)}, 12),
        {allocs(4), allocs(4)});
    add("grow2_small", "two small requests meet in one growth", 3, growing({used(4)}, 8),
        {allocs(1), allocs(2)});
    add("grow3", "three grow, the last has no room", 2, growing({used(4)}, 12),
        {allocs(4), allocs(4), allocs(4)});
    add("grow_first", "the sector is empty at first", 3, growing({}, 8), {allocs(2), allocs(3)});
    add("grow_vs_free", "growth beside the free of the last block", 2,
        growing({used(2), used(2)}, 8), {allocs(3), frees(1)});
    add("grow_vs_alloc", "what a grower adds is wanted by others", 2,
        growing({used(2), open(2)}, 8), {alloc_free(4), alloc_free(2), allocs(1)});
    add("grow_heal", "a heal beside a growth", 2, growing({used(4)}, 8),
        {allocs(2), [](Actor const &me) { me.heal(); }, alloc_free(4)});
    add("grow_check", "a walk while its last block is merged with new memory", 3,
        growing({used(2), open(2)}, 8),
        {alloc_free(4), [](Actor const &me) {
             CheckReport report;
             if (!me.matrix().check(false, report).ok() || report.broken_chains != 0)
                 fail("check finds a broken chain");
         }});
    add("grow_heal_walk", "the same in a heal", 2, growing({used(2, 0), open(2)}, 8),
        {frees(0), alloc_free(4), [](Actor const &me) { me.heal(); }});
    add("prefault", "two prefault at once, beside an allocation that needs growth", 1,
        growing({used(4)}, 12), {prefaults(12), prefaults(8), allocs(4)}, [](MatrixWorld &world) {
            if (world.monitor(kSmall).limit() != 12 && !anybody_died() && !anybody_stopped())
                fail("the small sector has %u granules, not 12", world.monitor(kSmall).limit());
        });
    add("prefault2", "two prefault at once", 2, growing({used(4)}, 12),
        {prefaults(12), prefaults(8)});
    // Room for one large granule or for small growth, not for both.
    MatrixPlan tight = growing({used(4)}, 8);
    tight.isolate = false;
    tight.capacity = (1u << 16) + 256;
    add("grow_capacity", "two sectors together never exceed the capacity", 3, tight,
        {[](Actor const &me) { me.alloc_in(kLarge, 1); }, allocs(2)}, keeps_to_capacity);
    add("grow_full", "the file system is full at the second growth", 2, growing({used(4)}, 12),
        {[](Actor const &me) {
             fail_commit_after(4);
             alloc_if_disk(me, 4);
         },
         [](Actor const &me) { alloc_if_disk(me, 2); }});
}

} // namespace weir::explore
