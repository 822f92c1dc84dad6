#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Breaks one rule of the core at a time and requires that the explorer notices.

A check that was never seen failing proves nothing. Each row of RULES (in broken/) is a textual edit
of a core file that removes one rule (sometimes a few edits that belong together). The edited copy
lies in an overlay folder that the compiler searches first, so the core itself stays free of switches
for tests. The row names a scenario and bounds within which it must fail. Speaks TAP.

If the text of a row is not found exactly once, the row fails: then the code has moved on and the
row has to follow it.
"""

import argparse
import concurrent.futures
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

from broken import RULES


class Failure(Exception):
    pass


def headers_of(root, source, known):
    """The core headers that a file includes, directly or not."""
    if source in known:
        return known[source]
    known[source] = set()
    found = set()
    for name in re.findall(r'^#include "([^"]+)"', (root / source).read_text(), re.M):
        if (root / name).exists():
            found |= {name} | headers_of(root, name, known)
    known[source] = found
    return found


def overlay(rule, root, folder):
    """Writes the edited files; returns their names."""
    texts = {}
    for name, old, new in rule["edits"]:
        text = texts.get(name) or (root / name).read_text()
        if text.count(old) != 1:
            raise Failure(f"its text is in {name} {text.count(old)} times, not once:\n{old}")
        texts[name] = text.replace(old, new)
    for name, text in texts.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return set(texts)


def run(command, what):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{what} failed: {shlex.join(command)}\n{done.stderr[-2000:]}")


def build(rule, options, folder):
    """Compiles what the edits touch and links it before the explorer's own objects."""
    changed = overlay(rule, options.root, folder)
    known = {}
    objects = []
    sources = options.sources + [options.root / name for name in rule["also"]]
    for source in sources:
        name = str(source.relative_to(options.root))
        if rule["within"] and name not in rule["within"]:
            continue
        if name not in changed and not changed & headers_of(options.root, name, known):
            continue
        edited = folder / name if name in changed else source
        made = folder / (name.replace("/", "_") + ".o")
        run([*options.compiler, *options.flags, f"-I{folder}", f"-I{options.root}", "-w", "-c",
             str(edited), "-o", str(made)], "compiling")
        objects.append(str(made))
    program = folder / "explore"
    run([*options.compiler, *objects, *options.link, "-o", str(program)], "linking")
    return program


def check(rule, options):
    """Returns what the explorer saw; raises Failure if it saw nothing."""
    folder = options.build / re.sub(r"\W+", "_", rule["rule"])
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier run edited must not be found
    folder.mkdir(parents=True)
    program = build(rule, options, folder)
    preemptions, deaths, stops = rule["bounds"]
    order = ["random", "--random-seed", str(rule["walk"])] if rule["walk"] else ["run"]
    command = [str(program), *order, rule["scenario"], "--preemptions", str(preemptions),
               "--deaths", str(deaths), "--stops", str(stops), "--seconds", "60",
               "--max-schedules", str(rule["schedules"])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    lines = done.stdout.splitlines()
    if "Bail out!" in done.stdout:
        return [line for line in lines if "Bail out!" in line][0]
    if done.returncode == 0:
        raise Failure(f"{rule['scenario']} does not notice: {lines[0] if lines else ''}")
    if done.returncode != 1 or "FAILED" not in lines[0]:
        raise Failure(f"the explorer itself failed ({done.returncode}): {done.stderr[-500:]}")
    count = re.search(r"(\d+) schedules", lines[0])
    what = lines[1].strip()
    if "something is not restored" in what:
        raise Failure(f"{rule['scenario']} is not the same twice: {what}")
    if not re.search(rule.get("sees", ""), what):
        raise Failure(f"{rule['scenario']} fails for another reason: {what}")
    if not options.keep:
        program.unlink()
    return f"{rule['scenario']}, {count.group(1)} schedules: {what}"


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", required=True, help="the command, in one argument")
    parser.add_argument("--flags", default="-std=c++17 -O0 -DWEIR_EXPLORE -DWEIR_ASSERTIONS "
                        "-fno-exceptions -fno-rtti")
    parser.add_argument("--link", action="append", default=[],
                        help="objects or archives with everything, the original core included")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--keep", action="store_true", help="keep the broken programs")
    parser.add_argument("sources", nargs="+", type=pathlib.Path, help="the core's .cpp files")
    options = parser.parse_args()
    options.root = options.root.resolve()
    options.build = options.build.resolve()
    options.sources = [source.resolve() for source in options.sources]
    options.compiler = shlex.split(options.compiler)
    options.flags = shlex.split(options.flags)
    return options


def main():
    options = parse()
    rules = [rule for rule in RULES if options.only in rule["rule"]]
    print(f"1..{len(rules)}", flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        began = time.monotonic()
        results = [pool.submit(check, rule, options) for rule in rules]
        for number, (rule, result) in enumerate(zip(rules, results), 1):
            try:
                seen = result.result()
                print(f"ok {number} - broken: {rule['rule']}\n# {seen}", flush=True)
            except (Failure, subprocess.TimeoutExpired) as reason:
                failed += 1
                print(f"not ok {number} - broken: {rule['rule']}")
                for line in str(reason).splitlines():
                    print(f"# {line}", flush=True)
    print(f"# {len(rules)} rules in {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
