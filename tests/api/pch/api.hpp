// SPDX-License-Identifier: MIT OR Apache-2.0
// Precompiled for the tests of the C API: parsing these takes as long as the tests themselves. Each
// file includes what it needs all the same (-Db_pch=false builds without this one).

#include "tests/api/support.hpp"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>
