// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: a release history that is none.

constexpr int kNothing = 0;
