// SPDX-License-Identifier: MIT OR Apache-2.0
// Is there a libFuzzer with sanitizers?
#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(uint8_t const *, size_t) { return 0; }
