// SPDX-License-Identifier: MIT OR Apache-2.0
// Input that must be refused: everything that would be skipped silently.

extern "C" int other(void);

int weir_forgotten(void) noexcept
{
    return 0;
}

__attribute__((visibility("default"))) int other_one(void);

[[gnu::visibility("default")]] int other_two(void);

#define MAKE(name) WEIR_API int name(void) noexcept { return 0; }

#if defined(__linux__)
/** Only there. */
WEIR_HANDLE(weir_there);
#endif

namespace weir {
/** Inside. */
WEIR_API int weir_inside(void) noexcept { return 0; }
extern "C" int third(void);
}

/**
 * Its word was lost.
 *
 * @class library static
 * @since 0.1
 */
int lost(void);

/**
 * Nothing follows.
 *
 * @since 0.1
 */

static constexpr uint32_t WEIR_STATIC = 3;

static WEIR_API int weir_static(void) noexcept { return 0; }
