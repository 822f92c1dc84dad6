// SPDX-License-Identifier: MIT OR Apache-2.0
// weir bench: small measurements that anybody can run; the comparisons with peers are in bench/.
#include "verbs.hpp"

#include "output.hpp"

#include "bench/matrix_bench.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <weir.h>

namespace tool {
namespace {
std::string processor()
{
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.compare(0, 10, "model name") == 0 && line.find(": ") != std::string::npos)
            return line.substr(line.find(": ") + 2);
    return "unknown";
}

std::string kernel()
{
    utsname name{};
    uname(&name);
    return name.release;
}

double ratio(double of, double to) { return to > 0 ? of / to : 0; }

void show_text(bench::MatrixResult const &result)
{
    std::string text = fmt::format("weir {}, {} x {}, Linux {}\n", weir_version_string(),
                                   sysconf(_SC_NPROCESSORS_ONLN), printable(processor()), kernel());
    text += fmt::format("medians of {} interleaved rounds\n\n", result.rounds);
    Table table(
        {"workload", "threads", "weir", "malloc", "weir/malloc", "2 CAS", "weir/2 CAS", "failed"});
    for (auto const &figure : result.figures) {
        bool const floor = figure.cas_pair_ns > 0;
        std::string const name =
            figure.bytes > 0 ? fmt::format("{} {} B", figure.name, figure.bytes) : figure.name;
        table.add({name, std::to_string(figure.threads), fmt::format("{:.1f} ns", figure.weir_ns),
                   fmt::format("{:.1f} ns", figure.malloc_ns),
                   fmt::format("{:.2f}", ratio(figure.weir_ns, figure.malloc_ns)),
                   floor ? fmt::format("{:.1f} ns", figure.cas_pair_ns) : "-",
                   floor ? fmt::format("{:.2f}", ratio(figure.weir_ns, figure.cas_pair_ns)) : "-",
                   std::to_string(figure.failures)});
    }
    text += table.text();
    text += "\npair: alloc, write, read back, free. reference: 32 to 543 B, 70 % allocs and 30 % "
            "frees,\nat most 200 live per thread; time per alloc or free, over all threads.\n";
    print(text);
}

void show_json(bench::MatrixResult const &result)
{
    auto figures = nlohmann::ordered_json::array();
    for (auto const &figure : result.figures) {
        nlohmann::ordered_json one{{"workload", figure.name},
                                   {"threads", figure.threads},
                                   {"weir_ns", figure.weir_ns},
                                   {"malloc_ns", figure.malloc_ns},
                                   {"ratio_to_malloc", ratio(figure.weir_ns, figure.malloc_ns)},
                                   {"failures", figure.failures}};
        if (figure.bytes > 0)
            one["bytes"] = figure.bytes;
        if (figure.cas_pair_ns > 0) {
            one["cas_pair_ns"] = figure.cas_pair_ns;
            one["ratio_to_cas_pair"] = ratio(figure.weir_ns, figure.cas_pair_ns);
        }
        figures.push_back(one);
    }
    print_json({{"bench", "matrix"},
                {"version", weir_version_string()},
                {"processors", sysconf(_SC_NPROCESSORS_ONLN)},
                {"processor", processor()},
                {"kernel", kernel()},
                {"rounds", result.rounds},
                {"capacity", result.capacity},
                {"figures", figures}});
}
} // namespace

int bench_matrix(BenchOptions const &options)
{
    bench::MatrixResult const result = bench::run_matrix({options.seconds, options.threads});
    options.json ? show_json(result) : show_text(result);
    return 0;
}

} // namespace tool
