// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: a raw string that does not begin.

char const *text = R"x;
