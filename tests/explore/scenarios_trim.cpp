// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of trimming: memory given back and taken again beside allocations, frees, growth, heals,
// and a full file system. A unit is four small granules here.
#include "tests/explore/matrix_world.hpp"
#include "tests/explore/scenarios.hpp"
#include "tests/explore/seams.hpp"

namespace weir::explore {
namespace {

void add(char const *name, char const *about, int deepest, MatrixPlan plan,
         std::vector<MatrixProgram> programs,
         std::function<void(MatrixWorld &)> extra_check = nullptr)
{
    scenarios().push_back({"trim", name, about,
                           [=] {
                               auto world = std::make_unique<MatrixWorld>(plan, programs);
                               world->extra_check = extra_check;
                               return world;
                           },
                           deepest});
}

MatrixPlan small(std::vector<Piece> pieces, Granules reserve = 0)
{
    MatrixPlan plan;
    plan.pieces[kSmall] = std::move(pieces);
    plan.reserve[kSmall] = reserve;
    return plan;
}

/// The large sector takes all of the capacity but `room` bytes and what `pieces` have.
MatrixPlan tight(std::vector<Piece> pieces, uint64_t room)
{
    MatrixPlan plan = small(std::move(pieces));
    plan.pieces[kLarge] = {used(1)};
    plan.capacity = (1u << 16) + room;
    for (Piece const &piece : plan.pieces[kSmall])
        plan.capacity += piece.kind == Kind::trimmed ? 0 : uint64_t{piece.length} << 6;
    return plan;
}

MatrixProgram trims(uint64_t keep_bytes = 0)
{
    return [=](Actor const &me) { me.trim(keep_bytes); };
}

MatrixProgram allocs(Granules granules)
{
    return [=](Actor const &me) { me.alloc(granules); };
}

MatrixProgram alloc_free(Granules granules)
{
    return [=](Actor const &me) { me.alloc_and_free(granules); };
}

MatrixProgram frees(std::size_t piece)
{
    return [=](Actor const &me) { me.free_piece(piece); };
}

MatrixProgram heals()
{
    return [](Actor const &me) { me.heal(); };
}

/// Nobody else works: it must be there.
void must_alloc(Actor const &me, Granules granules)
{
    if (me.alloc(granules).value == 0)
        fail("%u granules are refused, although trimmed memory could serve", granules);
}

/// What the file system refuses stays TRIMMED, and is there when it has room again.
void take_on_a_full_disk(Actor const &me)
{
    fail_commit_after(0);
    Allocation got;
    Status const refused = me.matrix().alloc({2 * 64, 1, false, 0}, got);
    if (refused.code != -ENOSPC)
        fail("alloc on a full file system says %d", refused.code);
    must_alloc(me, 2);
}

void look(Actor const &me)
{
    CheckReport report;
    Status const status = me.matrix().check(false, report);
    if (!status.ok() || report.broken_chains + report.wrong_tails + report.miscounted != 0)
        fail("check finds errors in a healthy matrix: %d", status.code);
}

void register_giving()
{
    add("trim_alloc", "memory given back while somebody wants it", 3, small({used(4), open(8)}),
        {trims(), alloc_free(2)});
    add("trim_alloc_all", "the same, and he needs all of it", 2, small({used(4), open(8)}),
        {trims(), alloc_free(8), alloc_free(1)});
    add("trim_free", "what is trimmed is no neighbour of what is freed on both sides", 2,
        small({used(4), open(8), used(2)}), {trims(), frees(0), frees(2)});
    add("trim_rests", "the rests of what is trimmed merge with what is freed", 2,
        small({used(2), open(8), used(2)}), {trims(), frees(0), frees(2)});
    add("trim_two", "two trim at once", 3, small({open(4), used(4), open(4)}), {trims(), trims()});
    add("trim_keep", "a part is kept", 3, small({used(4), open(8)}), {trims(256), allocs(4)});
    add("trim_heal", "a heal beside a trim", 2, small({used(4, 0), open(4)}),
        {trims(), heals(), alloc_free(4)});
    add("trim_check", "a check beside a trim and a taking back", 2, small({open(4), used(4)}),
        {trims(), look, alloc_free(2)});
    add("trim_refused", "a file system that cannot make holes", 3, small({open(8)}),
        {[](Actor const &me) {
             refuse_holes();
             uint64_t bytes = 0;
             Status const status = me.matrix().trim(0, bytes);
             if (status.code != -EOPNOTSUPP && !(status.ok() && bytes == 0))
                 fail("trim says %d", status.code);
         },
         alloc_free(2)});
}

void register_taking()
{
    add("take_one", "a part of what was trimmed is taken back", 3, small({used(4), gone(8)}),
        {allocs(2)});
    add("take_two", "two take back at once", 3, small({gone(8), used(4)}), {allocs(4), allocs(3)});
    add("take_all", "the second one is refused, exactly", 2, small({gone(4), used(4)}),
        {allocs(3), alloc_free(2), frees(1)});
    add("take_row", "what is free on both sides of it helps", 2,
        small({used(2), open(2), gone(4), open(2), used(2)}), {alloc_free(7), frees(0)});
    add("take_rows", "two trimmed blocks with a free one between", 3,
        small({gone(4), open(4), gone(4)}), {allocs(12)});
    add("take_grow", "it is taken back before the sector grows", 2, small({used(4), gone(4)}, 12),
        {allocs(4), allocs(4)});
    add("take_and_grow", "one block from what was trimmed and what is new", 2,
        small({used(2), open(2), gone(4)}, 12), {alloc_free(9), allocs(1)});
    add("take_trim", "taken back beside a trim", 2, small({gone(4), used(2), open(6)}),
        {trims(), allocs(4), alloc_free(2)});
    add("take_heal", "taken back beside a heal", 2, small({gone(8), used(4, 0)}),
        {allocs(3), heals(), alloc_free(4)});
    add("take_best", "with little capacity left, the place that lacks least", 3,
        tight({gone(8), open(2), used(2)}, 256), {[](Actor const &me) { must_alloc(me, 5); }});
    add("take_full", "a file system that is full in between", 3, small({gone(8), used(4)}),
        {take_on_a_full_disk});
}

/// Nobody else works, and the capacity allows it.
void must_grow(Actor const &me, Granules granules)
{
    if (!me.resize(me.piece(0), granules))
        fail("the block is refused %u granules, although those behind it are trimmed", granules);
}

void register_growing()
{
    add("grow_trimmed", "a block takes back what is trimmed behind it", 3,
        small({used(2, 0), open(2), gone(8), used(4)}),
        {[](Actor const &me) { must_grow(me, 6); }});
    add("grow_trimmed_row", "the same over two trimmed blocks, and all of them", 3,
        small({used(4, 0), gone(4), open(4), gone(4)}),
        {[](Actor const &me) { must_grow(me, 16); }});
    add("grow_trimmed_tight", "no more than the capacity allows", 2,
        tight({used(4, 0), gone(8)}, 256), {[](Actor const &me) {
            me.resize(me.piece(0), 12);
            must_grow(me, 8);
            if (me.resize(me.piece(0), 9))
                fail("the block has more than the capacity");
        }});
    add("grow_trimmed_alloc", "somebody else takes it back as well", 2,
        small({used(2, 0), open(2), gone(8), used(4)}),
        {[](Actor const &me) { me.resize(me.piece(0), 8); }, alloc_free(6)});
    add("grow_trimmed_room", "two blocks, and the capacity has room for one", 2,
        tight({used(4, 0), gone(4), used(4, 1), gone(4)}, 256),
        {[](Actor const &me) { me.resize(me.piece(0), 8); },
         [](Actor const &me) { me.resize(me.piece(2), 8); }});
    add("grow_trimmed_trim", "somebody trims meanwhile, and the neighbour is freed", 2,
        small({used(2, 0), open(2), gone(4), used(4)}),
        {[](Actor const &me) { me.resize(me.piece(0), 8); }, trims(), frees(3)});
    add("grow_trimmed_heal", "a heal beside it", 2, small({used(4, 0), gone(4), used(4)}),
        {[](Actor const &me) { me.resize(me.piece(0), 6); }, heals(), alloc_free(3)});
    add("grow_trimmed_full", "a file system that is full leaves the block as it was", 3,
        small({used(4, 0), gone(8)}), {[](Actor const &me) {
            fail_commit_after(0);
            if (me.resize(me.piece(0), 8))
                fail("a block has grown over memory that the file system refused");
            must_grow(me, 8);
        }});
}

} // namespace

void register_trim()
{
    register_growing();
    register_giving();
    register_taking();
}

} // namespace weir::explore
