// SPDX-License-Identifier: MIT OR Apache-2.0
// Precompiled for the weir command: parsing these takes longer than its own code. Each file includes
// what it needs all the same (-Db_pch=false builds without this one).

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
