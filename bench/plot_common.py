# SPDX-License-Identifier: MIT OR Apache-2.0
"""What all parts of docs/BENCHMARKS.md share: series for plots, tables, and how the parts make a page."""

import re

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

# Each part of the page but the first begins with its heading; in this order.
HEADINGS = {"log": "## The log", "channel": "## Channels", "pool": "## Pools"}

# One colour for each allocator in all plots; they can be told apart without colour by their order.
COLOURS = {
    "weir": "#1f5fa8", "weir without lanes": "#7fa7d4", "mimalloc": "#d98a1f", "jemalloc": "#a8451f",
    "weir, in as many threads": "#7fa7d4", "glibc": "#6b6b6b", "Boost.Interprocess": "#4d8a3d", "the hand-over alone": "#c8c8c8", "iceoryx2": "#7a4fa0",
}


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


def machine(facts, command):
    """Where and when it was measured."""
    return (f"Measured on {facts['date']} with `{command}`: {facts['cpu']}, {facts['cores']} cores, "
            f"{kernel_version(facts['kernel'])}; load of the machine before: {facts['load_before']}.")


def score(rows):
    promised = [row for row in rows if row["verdict"] in ("met", "MISSED", "UNSOUND") and "target" in row]
    met = sum(row["verdict"] == "met" for row in promised)
    return f"**{met} of {len(promised)} targets are met.**"


def split_page(text):
    """{part: its text} of a page; the first part is the matrix."""
    parts = {}
    for name, heading in reversed(HEADINGS.items()):
        text, found, rest = text.partition(heading + "\n")
        if found:
            parts[name] = heading + "\n" + rest
    return {"matrix": text, **parts}


def write_part(docs, name, lines):
    """Replaces one part of the page and keeps the others as they are."""
    path = docs / "BENCHMARKS.md"
    parts = split_page(path.read_text() if path.exists() else "")
    parts[name] = "\n".join(lines)
    texts = [parts[key].strip("\n") for key in ("matrix", *HEADINGS) if parts.get(key)]
    path.write_text("\n\n".join(texts) + "\n")
