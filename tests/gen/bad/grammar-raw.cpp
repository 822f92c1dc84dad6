// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: a raw string without an end.

char const *text = R"x(never)y";
