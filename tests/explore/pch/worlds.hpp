// SPDX-License-Identifier: MIT OR Apache-2.0
// Precompiled for the scenarios: parsing the worlds takes longer than what they make of them. Each
// file includes what it needs all the same (-Db_pch=false builds without this one).

#include "tests/explore/channel_tables.hpp"
#include "tests/explore/flush_world.hpp"
#include "tests/explore/matrix_world.hpp"
#include "tests/explore/pool_world.hpp"
#include "tests/explore/router_world.hpp"
#include "tests/explore/scenarios.hpp"
