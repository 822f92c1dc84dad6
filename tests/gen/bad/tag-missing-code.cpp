// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: code without its end.

/**
 * Does it.
 *
 * @code
 * weir_a();
 */
WEIR_API int weir_a(void) noexcept { return 0; }
