// SPDX-License-Identifier: MIT OR Apache-2.0
// Input of the generator's tests: C++ that is passed over: strings, raw strings, comments, namespaces, conditionals in bodies.
#include <cstdio>
#define COMMENTED /* a comment that
   goes on */ 1 // and another one \
   too
#define LOCAL_MACRO(x) \
    ((x) + 1)
#if defined(__linux__)
#include <cstring>
#endif

/* WEIR_API in a comment is nothing. */
// extern "C" neither.
/** A doc comment without tags, on something of our own. */
namespace {
char const kText[] = "WEIR_API { \" ";
char const kRaw[] = R"x(WEIR_API int weir_raw(void) noexcept { )" )x";
constexpr int kMany = 1'000'000;
char const kBrace = '{';
struct Local {
    int value = 0; /* } */
};
int helper(int x) { return x ? helper(x - 1) : LOCAL_MACRO(0); }
} // namespace

namespace weir::inner {
struct Table { int a; };
static Table const kTable[] = {{1}, {2}};
}

struct Pair {
    int a;
} const kPairs[] = {{1}, {2}};

template <typename T> static T twice(T x) { return x * 2; }

static int const kStart = helper(3), kNext = {4};

struct weir_known {
    int core;
};

using namespace weir::inner;

/**
 * The only one that counts.
 *
 * @class library static
 * @return value
 * @thread any
 * @blocks no
 * @since 0.1
 */
WEIR_API uint32_t weir_only(void) noexcept
{
#if defined(__linux__)
    auto const nested = [](int x) { return x; };
    return nested('}') + sizeof(R"(})");
#else
    return 0;
#endif
}
