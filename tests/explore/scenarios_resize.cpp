// SPDX-License-Identifier: MIT OR Apache-2.0
// Scenarios of blocks that change their size: beside frees, allocations, heals, and deaths in between.
#include "tests/explore/matrix_world.hpp"
#include "tests/explore/scenarios.hpp"

namespace weir::explore {
namespace {

using Programs = std::vector<MatrixProgram>;
using Pieces = std::vector<Piece>;

void add(char const *name, char const *about, int deepest, Pieces small, Programs programs,
         bool keep = false, std::function<void(MatrixWorld &)> extra_check = nullptr)
{
    MatrixPlan plan;
    plan.pieces[kSmall] = std::move(small);
    plan.keep_blocks = keep;
    scenarios().push_back({"resize", name, about,
                           [=] {
                               auto world = std::make_unique<MatrixWorld>(plan, programs);
                               world->extra_check = extra_check;
                               return world;
                           },
                           deepest});
}

/// Nobody else touches the block: it has the length that was asked for.
MatrixProgram resizes(std::size_t piece, Granules granules)
{
    return [=](Actor const &me) {
        bool const done = me.resize(me.piece(piece), granules);
        auto const extent = me.matrix().data(me.piece(piece));
        if (!extent.ok() || (done && extent->size != uint64_t{granules} << kGranuleShift[kSmall]))
            fail("it was resized, but has not its new size");
    };
}

MatrixProgram resize_frees(std::size_t piece, Granules granules)
{
    return [=](Actor const &me) {
        me.resize(me.piece(piece), granules);
        me.free_piece(piece);
    };
}

/// While its owner resizes it, a block is busy.
MatrixProgram frees_if_not_busy(std::size_t piece)
{
    return [=](Actor const &me) {
        Status const status = me.matrix().free(me.piece(piece));
        if (!status.ok() && status.code != -EBUSY && !(status.code == -kStale && anybody_died()))
            fail("free says %d", status.code);
    };
}

MatrixProgram frees(std::size_t piece)
{
    return [=](Actor const &me) { me.free_piece(piece); };
}

MatrixProgram allocs(Granules granules)
{
    return [=](Actor const &me) { me.alloc(granules); };
}

MatrixProgram alloc_free(Granules granules)
{
    return [=](Actor const &me) { me.alloc_and_free(granules); };
}

MatrixProgram heals()
{
    return [](Actor const &me) { me.heal(); };
}

/// Whoever dies, the block at granule 0 stays somebody's or nobody's, at least so long.
std::function<void(MatrixWorld &)> keeps(Granules granules)
{
    return [=](MatrixWorld &world) {
        BlockWord const word = world.monitor(kSmall).word(0);
        if (!word.is(Kind::allocated) || word.granules() < granules)
            fail("the block was not kept: %s", text_of(word).c_str());
    };
}

void register_growing()
{
    add("grow_in_place", "a block takes from the FREE block on its right", 3,
        {used(2, 0), open(4), used(2)}, {resizes(0, 4), frees(2)});
    add("grow_all", "the same, and takes it whole", 3, {used(2, 0), open(2), used(2)},
        {resizes(0, 4), frees(2)});
    add("grow_ones", "one granule takes one granule", 3, {used(1, 0), open(1), used(2)},
        {resizes(0, 2), frees(2)});
    add("grow_vs_right", "its right neighbour is just being freed", 3,
        {used(2, 0), used(2), used(2)}, {resize_frees(0, 3), frees(1)});
    add("grow_vs_left", "its left neighbour is just being freed", 3,
        {used(2), used(2, 0), open(2), used(2)}, {resize_frees(1, 4), frees(0)});
    add("grow_vs_both", "both neighbours, and the one behind them", 2,
        {used(2), used(2, 0), used(2), used(2)}, {resize_frees(1, 3), frees(0), frees(2)});
    add("grow_vs_taker", "somebody else wants the same FREE block", 2,
        {used(2, 0), open(4), used(2)}, {resize_frees(0, 4), alloc_free(2), allocs(3)});
    add("grow_two", "two want what is between them: the left one alone can get it", 3,
        {used(2, 0), open(2), used(2, 1), open(2)}, {resizes(0, 4), resizes(2, 4)});
}

void register_shrinking()
{
    add("shrink", "its tail is given back beside a free", 3, {used(4, 0), used(2), used(2)},
        {resizes(0, 2), frees(1)});
    add("shrink_one", "down to one granule", 3, {used(3, 0), open(2), used(1)},
        {resizes(0, 1), frees(2)});
    add("shrink_quota", "exact out-of-memory beside a shrink", 2, {used(4, 0), used(3), open(1)},
        {resizes(0, 2), alloc_free(3), allocs(2)});
    add("shrink_merge", "a shrink between two frees", 2, {used(2), used(4, 0), used(2), used(1)},
        {resizes(1, 1), frees(0), frees(2)});
    add("shrink_grow", "smaller, and larger again", 2, {used(4, 0), open(2), used(2)},
        {[](Actor const &me) {
             me.resize(me.piece(0), 1);
             me.resize(me.piece(0), 5);
         },
         alloc_free(2), frees(2)});
}

void register_same_block()
{
    add("resize_free", "somebody frees the block that its owner shrinks", 3,
        {used(4, 0), used(2), open(2)},
        {[](Actor const &me) { me.resize(me.piece(0), 2, {-kStale}); }, frees_if_not_busy(0),
         frees(1)});
    add("resize_free_grow", "the same while it grows", 2, {used(2, 0), open(4), used(2)},
        {[](Actor const &me) { me.resize(me.piece(0), 4, {-kStale}); }, frees_if_not_busy(0),
         alloc_free(2)});
    add("resize_state", "its state changes while its size does", 3, {used(4, 0), open(2)},
        {resizes(0, 2), [](Actor const &me) {
             Status const status = me.matrix().transition(me.piece(0), 0, 50);
             if (!status.ok() && status.code != -EBUSY && !anybody_died())
                 fail("transition says %d", status.code);
         }});
    add("realloc", "a block that must move, beside frees", 2,
        {used(1, 0), used(1), open(3), used(3)},
        {[](Actor const &me) {
             Allocation moved;
             Status const status = me.matrix().realloc(me.piece(0), {192, 1, false, 0}, moved);
             if (status.code == -ENOMEM || (status.code == -EBUSY && anybody_stopped()))
                 return;
             if (!status.ok())
                 fail("realloc says %d", status.code);
             me.free(moved.ref);
         },
         frees(1), frees(3)});
    add("realloc_free", "somebody frees the block that is being moved", 2,
        {used(1, 0), used(1), open(3), used(3)},
        {[](Actor const &me) {
             Allocation moved;
             Status const status = me.matrix().realloc(me.piece(0), {128, 1, false, 0}, moved);
             if (status.ok())
                 me.free(moved.ref);
             else if (status.code != -kStale && status.code != -ENOMEM)
                 fail("realloc says %d", status.code);
         },
         [](Actor const &me) {
             Status const status = me.matrix().free(me.piece(0));
             if (!status.ok() && status.code != -kStale && status.code != -EBUSY)
                 fail("free says %d", status.code);
         }});
}

void register_deaths()
{
    add("resize_heal", "a heal beside a growing block", 2, {used(2, 0), open(4), used(2)},
        {resizes(0, 4), heals(), frees(2)});
    add("resize_heal_right", "a heal, and the right neighbour is just being freed", 2,
        {used(2, 0), used(2), used(2)}, {resizes(0, 4), frees(1), heals()});
    add("shrink_heal", "a heal beside a shrinking block", 2, {used(4, 0), used(2), open(2)},
        {resizes(0, 1), frees(1), heals()});
    add("grow_keep", "a growing block of a dead one is kept, and its TAIL is right", 2,
        {used(2, 0), open(4), used(2)}, {resizes(0, 4), heals(), frees(2)}, true, keeps(2));
    add("grow_all_keep", "the same where the neighbour is taken whole", 2,
        {used(1, 0), open(2), used(1)}, {resizes(0, 3), heals(), alloc_free(2)}, true, keeps(1));
    add("shrink_keep", "the same of a shrinking one", 2, {used(4, 0), used(2), open(2)},
        {resizes(0, 2), frees(1), heals()}, true, keeps(2));
    add("keep_two", "who heals a kept block dies as well", 1, {used(4, 0), used(2, 1), open(2)},
        {resizes(0, 2), heals(), alloc_free(2)}, true, keeps(2));
}

} // namespace

void register_resize()
{
    register_growing();
    register_shrinking();
    register_same_block();
    register_deaths();
}

} // namespace weir::explore
