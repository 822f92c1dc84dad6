/* SPDX-License-Identifier: MIT OR Apache-2.0
 * What a call costs that does next to nothing: each language calls these as it calls weir's.
 */
#include <stddef.h>
#include <stdint.h>

uint32_t empty_number(void);
size_t empty_size(const size_t *object);

uint32_t empty_number(void) { return 1; }

/* A look at the object, as a call has it that only tells something. */
size_t empty_size(const size_t *object) { return object == NULL ? 0 : *object; }
