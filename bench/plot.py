#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes docs/BENCHMARKS.md and its plots from what `./dev bench --peers --json FILE` wrote, or with
--log, --channel or --pool the part of what `./dev bench log --peers --json FILE` and so on wrote. The
other parts stay."""

import argparse
import json
import pathlib

from plot_channel import channel_part, pool_part
from plot_common import (COLOURS, HEADINGS, by_chart, kernel_version, plt, quantity, save, table,
                         write_part)

LOG_COLOURS = {
    "weir": "#1f5fa8", "fio psync 4 KiB O_DSYNC": "#6b6b6b", "LevelDB": "#d98a1f", "RocksDB": "#a8451f",
    "SQLite": "#4d8a3d", "LMDB": "#7a4fa0", "memcpy + CRC32C": "#c8c8c8",
}
LOG_VERSIONS = ("weir", "fio", "LevelDB", "RocksDB", "SQLite", "LMDB")
VERSIONS = ("weir", "glibc", "mimalloc", "jemalloc", "Boost", "iceoryx2")


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


def plot_log(rows, folder):
    """Durable appends by threads, the log beside its peers; and appends in memory by size."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), gridspec_kw={"width_ratios": [3, 2]})
    series = {}
    for who, points in by_chart(rows, "durable").items():
        series.setdefault(who.replace(" (best of the stores)", ""), {}).update(points)
    for who, points in series.items():
        ordered = sorted(points.items())
        left.plot([x for x, _ in ordered], [p[0] for _, p in ordered], marker="o", markersize=3,
                  label=who, color=LOG_COLOURS.get(who))
    threads = sorted({x for points in series.values() for x in points})
    left.set_xscale("log", base=2)
    left.set_xticks(threads, [f"{int(t)}" for t in threads])
    left.set_yscale("log")
    left.set_xlabel("threads")
    left.set_ylabel("records of 1 KiB per second, more is better")
    left.set_title("durable appends", fontsize=10)
    left.grid(which="major", linewidth=0.3)
    left.legend(fontsize=8)
    series = by_chart(rows, "append")
    places = sorted({x for points in series.values() for x in points})
    for number, (who, points) in enumerate(series.items()):
        right.bar([places.index(x) + (number - 0.5) * 0.4 for x in points],
                  [p[0] for p in points.values()], 0.4, label=who, color=LOG_COLOURS.get(who))
    right.set_xticks(range(len(places)), [f"{int(x)} B" for x in places])
    right.set_yscale("log")
    right.set_ylabel("ns per append, less is better")
    right.set_title("appends in memory, 1 thread", fontsize=10)
    right.legend(fontsize=8)
    return save(figure, folder, "bench-log.svg")


def log_table(rows):
    lines = ["| what | bytes | threads | weir | peer | its figure | ratio | target | verdict |",
             "| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | --- |"]
    for row in rows:
        sign = "≤" if row["less_is_better"] else "≥"
        targets = [f"{sign} {row['ratio_target']:.3g}"] if "ratio_target" in row else []
        targets += [f"{sign} {row['figure_target']:.3g} {row['unit']}"] if "figure_target" in row else []
        peer = quantity(row["peer_figure"], row["unit"]) if "peer_figure" in row else ""
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        verdict = f"**{row['verdict']}**" if row["verdict"] == "MISSED" else row["verdict"]
        lines.append(f"| {row['name']} | {row['bytes']:,} | {row['threads']} | "
                     f"{quantity(row['figure'], row['unit'])} | {row.get('peer', '')} | {peer} | "
                     f"{ratio} | {', '.join(targets)} | {verdict} |")
    return lines


def log_part(document, docs):
    plot = plot_log(document["rows"], docs)
    facts = document["circumstances"]
    promised = [r for r in document["rows"] if r["verdict"] in ("met", "MISSED")]
    met = sum(r["verdict"] == "met" for r in promised)
    versions = ", ".join(f"{name} {facts[name]}" for name in LOG_VERSIONS if name in facts)
    return [
        HEADINGS["log"],
        "",
        f"Measured on {facts['date']} with `./dev bench log --peers`: {facts['cpu']}, {facts['cores']} "
        f"cores, {kernel_version(facts['kernel'])}; load of the machine before: "
        f"{facts['load_before']}. {versions}.",
        "",
        f"Each figure is the median of {document['rounds']} runs in which all contestants take turns; "
        "a ratio is the median of the runs' ratios, weir's figure by the peer's. Each record has a "
        "payload of its own; all that was acknowledged is read back and compared, with the stores, "
        "too. The figures hold for this machine alone.",
        "",
        f"**{met} of {len(promised)} targets are met.**",
        "",
        f"![appends]({plot})",
        "",
        *log_table(document["rows"]),
        "",
        "- *Append*: bursts of 8 MiB in memory, 64 MiB of buffers; the write that follows is not in "
        "the figure. Wall time by records of all threads. The floor copies with memcpy and sums with "
        "three lanes of the CRC32C instruction, in as much memory; it does not use AVX-512, which the "
        "log does where it is.",
        "- *Durable append*: each thread waits for each of its records. The log has its default "
        "options, and segments are used again. LevelDB and RocksDB: `sync`, no table is made "
        "meanwhile, RocksDB recycles its files; SQLite: WAL, `synchronous=FULL`, one connection; "
        "LMDB: a transaction for each record. fio writes 4 KiB blocks of a file that was written "
        "before.",
        "- *One append behind*: after each append it waits for the one before. *pwritev2* is weir "
        "without io_uring.",
        "- *Streaming*: one thread, durability NONE, one sync at the end. fio: the best of 256 KiB, "
        "512 KiB and 1 MiB, as many bytes into a file that was written before.",
        "- *Verify*: reads all, checks each sum.",
    ]


def matrix_part(document, docs):
    rows, facts = document["rows"], document["circumstances"]
    plots = [(plot_reference(rows, docs), "ns per operation by threads"),
             (plot_pairs(rows, docs), "ns per pair by size"),
             (plot_processes(rows, docs), "ns per operation by processes")]
    promised = [r for r in rows if "target" in r]
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
    which = parser.add_mutually_exclusive_group()
    for name in HEADINGS:
        which.add_argument(f"--{name}", dest="part", action="store_const", const=name,
                           help=f"they are the figures of `./dev bench {name} --peers`")
    options = parser.parse_args()
    document = json.loads(options.json.read_text())
    plt.rcParams.update({"svg.hashsalt": "weir", "svg.fonttype": "none", "font.size": 9})
    make = {None: matrix_part, "log": log_part, "channel": channel_part, "pool": pool_part}
    write_part(options.docs, options.part or "matrix", make[options.part](document, options.docs))


if __name__ == "__main__":
    main()
