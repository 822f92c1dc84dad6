// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: what the lexer cannot cut.

#endif
#if 1
char const *text = "no end;
char c = 'x;
/* no end
