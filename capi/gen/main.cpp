// SPDX-License-Identifier: MIT OR Apache-2.0
// weirgen: reads the annotated sources, refuses what breaks a rule, writes or checks every output.
#include "emit.hpp"
#include "lint.hpp"
#include "orphans.hpp"
#include "parser.hpp"
#include "writer.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>

namespace weir::gen {
namespace {

constexpr int kFine = 0;
constexpr int kRefused = 1;
constexpr int kUsage = 2;

constexpr char const *kHelp =
    "usage: weirgen --root DIR --write|--check|--list [--only KIND] FILE...\n"
    "  --root DIR   the project; FILEs and outputs are relative to it\n"
    "  --write      write every output whose bytes change\n"
    "  --check      compare every output with its file, and look for orphans\n"
    "  --list       print the path of every output\n"
    "  --only KIND  one output: header, map, snapshot, json, abi-table, probe, surface, options,\n"
    "               man, python, rust, go, debian\n"
    "weirgen --rules prints the name of every lint rule\n"
    "exit status: 0 fine, 1 input refused or files stale, 2 usage or I/O\n";

struct Options {
    std::string root;
    std::string only;
    bool write = false;
    bool check = false;
    bool list = false;
    std::vector<std::string> files;
};

int complain(std::string const &message)
{
    std::fprintf(stderr, "weirgen: %s\n", message.c_str());
    return kUsage;
}

bool parse_options(int count, char **arguments, Options &options)
{
    for (int i = 1; i < count; ++i) {
        std::string const argument = arguments[i];
        bool const more = i + 1 < count;
        if (argument == "--root" && more)
            options.root = arguments[++i];
        else if (argument == "--only" && more)
            options.only = arguments[++i];
        else if (argument == "--write")
            options.write = true;
        else if (argument == "--check")
            options.check = true;
        else if (argument == "--list")
            options.list = true;
        else if (starts_with(argument, "-"))
            return false;
        else
            options.files.push_back(argument);
    }
    return !options.root.empty() && options.write + options.check + options.list == 1 &&
           !options.files.empty();
}

/// A file as messages name it: relative to the root, whatever form it was given in.
std::string relative(std::string const &root, std::string const &file)
{
    std::filesystem::path const path(file);
    if (path.is_relative() && std::filesystem::exists(std::filesystem::path(root) / path))
        return path.lexically_normal().generic_string();
    std::filesystem::path const base = std::filesystem::weakly_canonical(root);
    return std::filesystem::weakly_canonical(path).lexically_relative(base).generic_string();
}

std::vector<Snapshot> read_released(std::string const &root)
{
    std::vector<Snapshot> released;
    std::error_code failed;
    std::filesystem::path const folder = std::filesystem::path(root) / "capi/abi/released";
    for (auto const &entry : std::filesystem::directory_iterator(folder, failed))
        if (entry.path().extension() == ".abi")
            released.push_back(
                {entry.path().stem().string(), read_file(entry.path().string()).value_or("")});
    std::sort(released.begin(), released.end(), [](Snapshot const &a, Snapshot const &b) {
        return version_less(a.version, b.version);
    });
    return released;
}

/// Everything that is read; the input is only judged further if the stage before found nothing.
class Run {
  public:
    explicit Run(Options const &options) : options_(options) {}

    int all()
    {
        if (int const status = load(); status != kFine)
            return status;
        resolve(model_);
        check_declarations(model_, diagnostics_);
        if (diagnostics_.failed())
            return refuse();
        released_ = read_released(options_.root);
        check_abi(model_, released_, read_file(path("CHANGELOG.md")).value_or(""), diagnostics_);
        if (diagnostics_.failed())
            return refuse();
        if (options_.list)
            return list();
        return options_.write ? write() : check();
    }

  private:
    std::string path(std::string const &file) const { return options_.root + "/" + file; }

    int refuse() const
    {
        std::fputs(diagnostics_.text().c_str(), stderr);
        return kRefused;
    }

    int load()
    {
        std::string const history = "capi/abi/releases.txt";
        std::optional<std::string> const releases = read_file(path(history));
        if (!releases)
            return complain("cannot read " + history);
        model_.releases = parse_releases(history, *releases, diagnostics_);
        for (std::string const &given : options_.files) {
            std::string const file = relative(options_.root, given);
            std::optional<std::string> const text = read_file(path(file));
            if (!text)
                return complain("cannot read " + given);
            model_.sections.push_back(parse(file, *text, diagnostics_));
        }
        return diagnostics_.failed() ? refuse() : kFine;
    }

    std::vector<Output> outputs() const
    {
        std::vector<Output> all = {
            {"header", "capi/include/weir.h", emit_header(model_)},
            {"map", "capi/abi/weir.map", emit_map(model_)},
            {"snapshot", "capi/abi/weir.abi", emit_snapshot(model_)},
            {"json", "capi/abi/weir.json", emit_json(model_)},
            {"abi-table", "capi/src/abi_table.inc", emit_abi_table(model_, released_)},
            {"probe", "tests/abi/probe.c", emit_probe(model_)},
            {"surface", "tests/api/surface_gen.c", emit_surface(model_)},
            {"options", "tests/api/options_gen.c", emit_options(model_, released_)},
        };
        emit_man(model_, all);
        emit_python(model_, all);
        emit_rust(model_, all);
        emit_go(model_, all);
        all.push_back(emit_debian(model_));
        std::vector<Output> wanted;
        for (Output const &output : all)
            if (options_.only.empty() || options_.only == output.kind)
                wanted.push_back(output);
        return wanted;
    }

    int write() const
    {
        std::vector<Output> const wanted = outputs();
        if (wanted.empty())
            return complain("no output is called '" + options_.only + "'");
        for (Output const &output : wanted)
            if (!write_if_changed(path(output.path), output.text))
                return complain("cannot write " + output.path);
        return kFine;
    }

    int list() const
    {
        for (Output const &output : outputs())
            std::puts(output.path.c_str());
        return kFine;
    }

    int check() const
    {
        std::vector<Output> const wanted = outputs();
        if (wanted.empty())
            return complain("no output is called '" + options_.only + "'");
        int stale = 0;
        std::vector<std::string> known;
        for (Output const &output : wanted) {
            known.push_back(output.path);
            std::optional<std::string> const bytes = read_file(path(output.path));
            if (bytes == output.text)
                continue;
            ++stale;
            std::fprintf(stderr, "weirgen: %s: %s\n", output.path.c_str(),
                         bytes ? "stale" : "missing");
        }
        if (options_.only.empty())
            stale += report_orphans(known);
        if (stale == 0)
            return kFine;
        std::fprintf(stderr, "weirgen: %d %s not fresh; `meson compile regen` writes them\n", stale,
                     stale == 1 ? "file is" : "files are");
        return kRefused;
    }

    int report_orphans(std::vector<std::string> const &known) const
    {
        int count = 0;
        for (std::string const &file : find_orphans(options_.root, known)) {
            std::fprintf(stderr, "weirgen: %s: orphan, no emitter writes it\n", file.c_str());
            ++count;
        }
        return count;
    }

    Options const &options_;
    Diagnostics diagnostics_;
    Model model_;
    std::vector<Snapshot> released_;
};

} // namespace
} // namespace weir::gen

int main(int count, char **arguments)
{
    using namespace weir::gen;
    Options options;
    if (count == 2 && std::string(arguments[1]) == "--help") {
        std::fputs(kHelp, stdout);
        return kFine;
    }
    if (count == 2 && std::string(arguments[1]) == "--rules") {
        std::fputs(rule_list().c_str(), stdout);
        return kFine;
    }
    if (!parse_options(count, arguments, options)) {
        std::fputs(kHelp, stderr);
        return kUsage;
    }
    try {
        return Run(options).all();
    } catch (std::exception const &error) {
        return complain(error.what());
    }
}
