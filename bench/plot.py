#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes docs/BENCHMARKS.md and its plots from what `./dev bench --peers --json FILE` wrote."""

import argparse
import json
import re
import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

# One colour for each allocator in all plots; they can be told apart without colour by their order.
COLOURS = {
    "weir": "#1f5fa8", "weir without lanes": "#7fa7d4", "mimalloc": "#d98a1f", "jemalloc": "#a8451f",
    "weir, in as many threads": "#7fa7d4", "glibc": "#6b6b6b", "Boost.Interprocess": "#4d8a3d", "the hand-over alone": "#c8c8c8", "iceoryx2": "#7a4fa0",
}
VERSIONS = ("weir", "glibc", "mimalloc", "jemalloc", "Boost", "iceoryx2")


def kernel_version(text):
    """Without what the builder of the kernel added to its version."""
    return re.sub(r"(\d+\.\d+(\.\d+)?)-\S+", r"\1", text)


def by_chart(rows, chart):
    """{contestant: {x: (median, least, most)}}, in the order of the rows."""
    series = {}
    for row in rows:
        if row.get("chart") != chart:
            continue
        sides = [(row["who"], row["figure"], row["runs"])]
        if "peer_figure" in row:
            sides.append((row["peer"], row["peer_figure"], row["peer_runs"]))
        for who, figure, runs in sides:
            series.setdefault(who, {})[row["x"]] = (figure, min(runs), max(runs))
    return series


def save(figure, folder, name):
    figure.tight_layout()
    figure.savefig(folder / name, metadata={"Date": None})
    plt.close(figure)
    return name


def bars(axes, series, title, one, several):
    """Groups of bars, one group for each x; a logarithmic axis, as factors are what matters."""
    places = sorted({x for points in series.values() for x in points})
    width = 0.8 / max(1, len(series))
    for number, (who, points) in enumerate(series.items()):
        at = [places.index(x) + (number - (len(series) - 1) / 2) * width for x in points]
        figures = [p[0] for p in points.values()]
        errors = [[p[0] - p[1] for p in points.values()], [p[2] - p[0] for p in points.values()]]
        axes.bar(at, figures, width, yerr=errors, label=who, color=COLOURS.get(who),
                 error_kw={"linewidth": 0.6})
    axes.set_xticks(range(len(places)), [f"{int(x)} {one if x == 1 else several}" for x in places])
    axes.set_yscale("log")
    axes.set_ylim(1, 10 * max(p[2] for points in series.values() for p in points.values()))
    axes.set_ylabel("ns per operation, less is better")
    axes.set_title(title, fontsize=10)
    axes.grid(axis="y", which="both", linewidth=0.3)
    axes.set_axisbelow(True)


def plot_reference(rows, folder):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), gridspec_kw={"width_ratios": [3, 2]})
    bars(left, by_chart(rows, "reference"), "reference workload (32–543 B, 70 % allocations)",
         "thread", "threads")
    bars(right, by_chart(rows, "handed"), "each block freed by another thread",
         "thread", "threads")
    left.legend(fontsize=8, loc="upper left", ncol=3)
    return save(figure, folder, "bench-threads.svg")


def plot_pairs(rows, folder):
    figure, axes = plt.subplots(figsize=(7.5, 4))
    for who, points in by_chart(rows, "pairs").items():
        axes.plot(list(points), [p[0] for p in points.values()], marker="o", markersize=3,
                  linestyle="-" if len(points) > 5 else ":", label=who, color=COLOURS.get(who))
    sizes = [4 ** n for n in range(2, 13)]
    names = [f"{s} B" if s < 1024 else f"{s >> 10} KiB" if s < 1 << 20 else f"{s >> 20} MiB" for s in sizes]
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, names, fontsize=7)
    axes.set_yscale("log")
    axes.set_ylabel("ns per pair, less is better")
    axes.set_title("allocation and release by size, 1 thread, first and last word written", fontsize=10)
    axes.grid(which="major", linewidth=0.3)
    axes.legend(fontsize=8)
    return save(figure, folder, "bench-pairs.svg")


def plot_processes(rows, folder):
    series = {}
    for who, points in by_chart(rows, "processes").items():
        # "weir, 2 threads" and "weir, 8 threads" are one series
        name = "weir, in as many threads" if who.startswith("weir, ") else who
        series.setdefault(name, {}).update(points)
    figure, axes = plt.subplots(figsize=(6, 3.6))
    bars(axes, series, "reference workload in processes that share one allocator", "process",
         "processes")
    axes.legend(fontsize=8, loc="upper left")
    return save(figure, folder, "bench-processes.svg")


def quantity(figure, unit):
    digits = 3 if unit in ("x", "%", "ms") else 1
    return f"{figure:,.{digits}f} {unit}"


def target(row):
    if "target" not in row:
        return ""
    return f"≤ {row['target']:.3g}" + ("" if row["target_is"] == "ratio" else f" {row['unit']}")


def table(rows):
    lines = ["| what | weir | peer | its figure | ratio | target | verdict |",
             "| --- | ---: | --- | ---: | ---: | ---: | --- |"]
    for row in rows:
        name = row["name"].strip()
        if row["who"] != "weir":
            name += f" ({row['who']})"
        peer = quantity(row["peer_figure"], row["unit"]) if "peer_figure" in row else ""
        ratio = f"{row['ratio']:.3f}" if "ratio" in row else ""
        verdict = row["verdict"]
        verdict = f"**{verdict}**" if verdict in ("MISSED", "UNSOUND") else verdict
        lines.append(f"| {name} | {quantity(row['figure'], row['unit'])} | {row.get('peer', '')} | "
                     f"{peer} | {ratio} | {target(row)} | {verdict} |")
    return lines


def page(document, plots):
    facts = document["circumstances"]
    promised = [r for r in document["rows"] if "target" in r]
    met = sum(r["verdict"] == "met" for r in promised)
    versions = ", ".join(f"{name} {facts[name]}" for name in VERSIONS if name in facts)
    return [
        "<!-- SPDX-License-Identifier: MIT OR Apache-2.0 -->",
        "<!-- Made by bench/plot.py. Do not edit. -->",
        "# Benchmarks",
        "",
        f"Measured on {facts['date']} with `./dev bench --peers`: {facts['cpu']}, {facts['cores']} "
        f"cores, {kernel_version(facts['kernel'])}, {facts['compiler']}; load of the machine before: "
        f"{facts['load_before']}. {versions}.",
        "",
        f"Each figure is the median of {document['rounds']} runs in which all contestants take turns"
        + ("" if facts["clock"] == "wall" else ", in CPU time of the workers, not wall time")
        + ". Payloads are written and read back; operations that fail do not count. A ratio is "
        "weir's time by the peer's: below 1 weir is faster. glibc, mimalloc and jemalloc serve the "
        "private memory of one process and do not survive its death; Boost.Interprocess and iceoryx2 "
        "serve shared memory. The figures hold for this machine alone.",
        "",
        f"**{met} of {len(promised)} targets are met.**",
        "",
        *(line for name, text in plots for line in (f"![{text}]({name})", "")),
        "## Rows with a target",
        "",
        *table(promised),
        "",
        "## All other rows",
        "",
        *table([r for r in document["rows"] if "target" not in r]),
        "",
        "## What is measured",
        "",
        "- *Reference workload*: 32 to 543 bytes, 70 % allocations, at most 200 live blocks a thread, "
        "50 MB; an allocation and a release are an operation each; every byte is written.",
        "- *Freed by another thread*: the same sizes; each thread hands its blocks to its neighbour. The "
        "hand-over alone is the same without an allocator.",
        "- *Processes*: the same workload in processes that share one allocator, beside threads.",
        "- *Pair*: an allocation and its release. The first and the last word are written and read.",
        "- *Shared path*: without lanes (`WEIR_MATRIX_NO_LANES`), each free is seen by all at once.",
        "- *iceoryx2*: loan and drop of a sample of a publisher, not sent.",
        "- *Healing*: 100,000 blocks of a process that was killed; `weir_matrix_heal()` alone.",
        "- *Tables by committed data*: measured at the file: what the file system granted, less the "
        "data, less what an empty matrix has. Lanes are private memory and not in it.",
        "- *Trace*: 1,000,000 random allocations and releases; live bytes swing between 48 and "
        "96 MiB. Of all sizes: 80 % of the blocks have 16 to 1024 B, 18 % up to 64 KiB, 2 % up to "
        "2 MiB. The yard-stick places the same requests as TLSF does, on numbers alone, with 8 bytes "
        "of header a block.",
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("json", type=pathlib.Path, help="what `./dev bench --peers --json` wrote")
    parser.add_argument("--docs", type=pathlib.Path, help="where to write",
                        default=pathlib.Path(__file__).resolve().parents[1] / "docs")
    options = parser.parse_args()
    document = json.loads(options.json.read_text())
    plt.rcParams.update({"svg.hashsalt": "weir", "svg.fonttype": "none", "font.size": 9})
    rows = document["rows"]
    plots = [(plot_reference(rows, options.docs), "ns per operation by threads"),
             (plot_pairs(rows, options.docs), "ns per pair by size"),
             (plot_processes(rows, options.docs), "ns per operation by processes")]
    (options.docs / "BENCHMARKS.md").write_text("\n".join(page(document, plots)) + "\n")


if __name__ == "__main__":
    main()
