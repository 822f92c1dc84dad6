// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: no release at all.

constexpr int kNothing = 0;
