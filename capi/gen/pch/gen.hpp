// SPDX-License-Identifier: MIT OR Apache-2.0
// Precompiled for weirgen: parsing the standard's headers takes longer than its own code. Each file
// includes what it needs all the same (-Db_pch=false builds without this one).

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>
