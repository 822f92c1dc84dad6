// SPDX-License-Identifier: MIT OR Apache-2.0

// Package empty is what the package's calls are measured beside: functions of C that do nothing.
package empty

/*
#include <stddef.h>
#include <stdint.h>

struct empty_object;
__attribute__((noinline)) static uint32_t empty_number(void) { return 1; }
__attribute__((noinline)) static size_t empty_size(struct empty_object *object)
{
    return object == NULL ? 0 : *(size_t *)object;
}
*/
import "C"

// Number takes nothing.
func Number() C.uint32_t { return C.empty_number() }

// Size takes a pointer.
func Size(object *C.struct_empty_object) C.size_t { return C.empty_size(object) }
