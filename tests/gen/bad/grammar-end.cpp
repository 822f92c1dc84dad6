// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: a body without an end.

/** Never ends. */
WEIR_API int weir_endless(void) noexcept
{
    if (1) {
        return 0;
