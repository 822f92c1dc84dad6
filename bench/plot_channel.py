# SPDX-License-Identifier: MIT OR Apache-2.0
"""The parts of docs/BENCHMARKS.md on channels and on pools."""

from plot_common import COLOURS, HEADINGS, by_chart, machine, plt, save, score, table

CHANNEL_COLOURS = {
    "weir": COLOURS["weir"], "iceoryx2": COLOURS["iceoryx2"], "a cache line alone": "#c8c8c8",
    "two lines, one claimed": "#909090", "a futex alone": "#c8c8c8",
    "weir, 32 a call": COLOURS["weir without lanes"],
    "Boost message_queue": COLOURS["Boost.Interprocess"],
    "Boost.Lockfree queue, threads": "#8fbf7f", "Boost.Lockfree spsc, threads": "#c3e0b8",
    "crossbeam-channel, threads": "#d98a1f",
}


def size_name(size):
    return f"{size:.0f} B" if size < 1024 else f"{size / 1024:.0f} KiB" if size < 1 << 20 else f"{size / (1 << 20):.0f} MiB"


def plot_one_way(rows, folder):
    """The medians by size; the floor has none, so it is a line."""
    figure, both = plt.subplots(1, 2, figsize=(10, 3.6))
    for axes, how in zip(both, ("spinning", "asleep")):
        series = by_chart(rows, f"one way, {how}")
        for who, points in series.items():
            places = sorted(points)
            axes.plot(places, [points[x][0] for x in places], marker="o", markersize=3, label=who,
                      linestyle=":" if who.endswith("alone") else "-", color=CHANNEL_COLOURS.get(who))
        sizes = sorted({x for points in series.values() for x in points})
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [size_name(x) for x in sizes])
        axes.set_yscale("log")
        axes.set_ylabel("ns one way, median, less is better")
        axes.set_title(f"one way between two processes, {how}", fontsize=10)
        axes.grid(which="major", linewidth=0.3)
        axes.legend(fontsize=8)
    return save(figure, folder, "bench-one-way.svg")


def plot_named_bars(axes, series, title):
    """A bar for each contestant; the least and the most of its runs beside it."""
    points = [next(iter(it.values())) for it in series.values()]
    figures = [p[0] for p in points]
    errors = [[p[0] - p[1] for p in points], [p[2] - p[0] for p in points]]
    axes.barh(range(len(series)), figures, xerr=errors, error_kw={"linewidth": 0.6},
              color=[CHANNEL_COLOURS.get(who, COLOURS.get(who, "#8f8f8f")) for who in series])
    axes.set_yticks(range(len(series)), list(series), fontsize=7)
    axes.invert_yaxis()
    axes.set_title(title, fontsize=10)
    axes.grid(axis="x", linewidth=0.3)
    axes.set_axisbelow(True)


def plot_streams(rows, folder):
    names = list(dict.fromkeys(row["name"] for row in rows if row.get("chart") == "throughput"))
    figure, all_axes = plt.subplots(1, max(1, len(names)), figsize=(11, 3), squeeze=False)
    for axes, name in zip(all_axes[0], names):
        plot_named_bars(axes, by_chart([row for row in rows if row["name"] == name], "throughput"), name)
        axes.set_xlabel("ns per message, less is better")
    return save(figure, folder, "bench-streams.svg")


def plot_pools(rows, folder):
    names = list(dict.fromkeys(row["name"] for row in rows))
    figure, all_axes = plt.subplots(1, len(names), figsize=(11, 2.4), squeeze=False)
    for axes, name in zip(all_axes[0], names):
        plot_named_bars(axes, by_chart(rows, name), name)
        axes.set_xlabel("ns per pair, less is better")
    return save(figure, folder, "bench-pools.svg")


def head(part, document, command, clock):
    facts = document["circumstances"]
    return [
        HEADINGS[part], "",
        f"{machine(facts, command)} weir {facts['weir']}, Boost {facts['Boost']}, "
        f"{', '.join(facts['peers'])}.", "",
        f"Each figure is the median of {document['rounds']} runs in which all contestants take "
        f"turns, {clock}; a ratio is weir's by the peer's. The figures hold for this machine alone.", "",
        score(document["rows"]), "",
    ]


def channel_part(document, docs):
    rows = document["rows"]
    return [
        *head("channel", document, "./dev bench channel --peers", "in wall time"),
        f"![one way]({plot_one_way(rows, docs)})", "",
        f"![messages]({plot_streams(rows, docs)})", "",
        *table(rows), "",
        "- *One way*: half of what a message and its answer take between two processes, each on a "
        "processor of its own; from the call that posts until the call that reads returns. The message "
        "is written before, and released after; its first and its last word are read back. The cost of "
        "the clock is taken off. *Spinning* asks again and again, *asleep* waits in the kernel.",
        "- *A cache line alone*: a word that one process stores and the other sees. *A futex alone*: the "
        "same, with the two system calls. *Two lines, one claimed*: the least for a message "
        "that lies elsewhere and may be another reader's: a cell, claimed by a CAS, and a word of the "
        "message that it leads to.",
        "- *64 B, 4 to 1*: so many processes post, so many read, until all are read. Each message is "
        "allocated, written as a whole, posted, read, compared, and freed; at most 1024 wait. To "
        "several readers it is a broadcast: each reads all. A row is the time per message posted. Those "
        "marked *threads* copy between threads of one process and keep nothing if it dies.",
    ]


def pool_part(document, docs):
    rows = document["rows"]
    return [
        *head("pool", document, "./dev bench pool --peers",
              "in processor time of the slowest thread"),
        f"![pools]({plot_pools(rows, docs)})", "",
        *table(rows), "",
        "- A pair takes a slot of 64 B, writes and reads a word of it, and gives it back.",
        "- *For one thread*: `WEIR_POOL_SINGLE_THREAD`; boost::pool, which checks nothing, in its "
        "user's code or by calls. *Two empty calls* are the floor of a pair through a library.",
        "- *In a matrix*: shared with other processes. ArrayQueue holds the numbers of free slots.",
    ]
