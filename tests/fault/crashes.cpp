// SPDX-License-Identifier: MIT OR Apache-2.0
// R1, R9 and R12: appends, power cuts at any operation, failures of the disk, recoveries that are
// cut themselves, and the oracle. `crashes [ring] [STATES [SEED]]`: the serial writer, or the whole
// log with its ring. A failure prints the seed, `crashes [ring] replay SEED` plays it.
#include "tests/fault/crash_run.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

int failed(uint64_t seed, std::string const &why)
{
    printf("not ok 1 - power cuts\n# seed %llu: %s\n1..1\n", static_cast<unsigned long long>(seed),
           why.c_str());
    return 1;
}

} // namespace

int main(int argc, char **argv)
{
    bool const ring = argc > 1 && strcmp(argv[1], "ring") == 0;
    if (ring)
        --argc, ++argv;
    fault::MakeLog const make = ring ? fault::make_ring_log : fault::make_serial_log;
    if (argc > 2 && strcmp(argv[1], "replay") == 0) {
        uint64_t const seed = strtoull(argv[2], nullptr, 0);
        fault::CrashRun run(seed, true, make);
        std::string const why = run.run();
        return why.empty() ? (puts("fine"), 0) : failed(seed, why);
    }
    uint64_t const states = argc > 1 ? strtoull(argv[1], nullptr, 0) : 100000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], nullptr, 0) : 1;
    auto const begin = std::chrono::steady_clock::now();
    fault::CrashCounts sum;
    for (; sum.states < states; ++seed) {
        fault::CrashRun run(seed, false, make);
        std::string const why = run.run();
        if (!why.empty())
            return failed(seed, why);
        sum.add(run.counts());
    }
    std::chrono::duration<double> const took = std::chrono::steady_clock::now() - begin;
    printf("ok 1 - power cuts\n# %llu states (%llu of them in recovery), %llu epochs, %llu units, "
           "%llu kills, %llu failures, %llu repaired, %.0f states/s\n1..1\n",
           static_cast<unsigned long long>(sum.states), static_cast<unsigned long long>(sum.nested),
           static_cast<unsigned long long>(sum.epochs), static_cast<unsigned long long>(sum.units),
           static_cast<unsigned long long>(sum.kills),
           static_cast<unsigned long long>(sum.failures),
           static_cast<unsigned long long>(sum.repaired),
           static_cast<double>(sum.states) / took.count());
    // What never happened was not tested.
    bool const all = (sum.failures > 0) == ring && sum.nested > 0 && sum.kills > 0 &&
                     sum.torn > 0 && sum.truncated > 0 && sum.repaired > 0;
    return all || states < 1000 ? 0 : failed(0, "some kind of run never came up");
}
