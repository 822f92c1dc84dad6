// SPDX-License-Identifier: MIT OR Apache-2.0
// index: the hierarchical atomic bitset. Start here.
//
// What it is
//   A set of small numbers that many threads of many processes change at once and in which the
//   next member is found with a few loads. It is a tree of words: bit i of level n + 1 says that
//   word i of level n is probably not empty. The top level is one word.
//     radix.hpp     how many bits of a word are used: 64, and 2 for the explorer
//     bit_tree.hpp  the tree; several trees (columns) of one shape lie interleaved, with a map
//                   on top that says which columns are probably not empty
//
// Glossary
//   column: one of the interleaved sets. A matrix has one column per size class.
//   level 0: the members themselves.
//
// What the bits mean
//   Bits are hints: the truth stands in other words (a block's, a slot's, a cell's). A bit that
//   is set for no reason costs a look. A bit that is missing would cost the thing it stands for,
//   so three rules keep bits from being lost:
//     1. set() ensures every level up to the map, also if the lower bit was set already.
//     2. clear() of the last bit of a word clears the bit above, then reads the word again and,
//        if it is not empty, ensures all levels above it again.
//     3. (the user's) Who clears a member because the thing is not there looks again afterwards
//        and sets it if the thing has appeared.
//   Rules 2 and 3 repair everything once all operations have ended; rule 1 lets a thread find
//   what it has just set while another one is stopped between two levels.
//
// Invariants
//   I1  When no operation runs and none was interrupted: a member's bit is set at each level.
//   I2  When no operation runs, also if one was interrupted by a death: a member that was set
//       after the last clear of that member began is set at each level, or the interrupted
//       operation's owner is dead and its healer sets it again.
//
// Death
//   In set(): levels above are missing; the thing's healer calls set() again. In clear(): a
//   level above has a bit too many (a look), or one too few, which is the case that rule 2 was
//   about to repair: again the healer of the things sets them again.
//
// What it trusts and checks
//   The memory may hold anything. find() returns numbers below the size only, and moves forward
//   with each step, so it ends.
#pragma once

#include "core/index/bit_tree.hpp"
