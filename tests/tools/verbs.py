# SPDX-License-Identifier: MIT OR Apache-2.0
"""The verbs on named segments, their JSON, and their exit codes."""

import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import termios
import time
import xml.etree.ElementTree
from pathlib import Path

from support import BAD_USAGE, Skip, shm_file, wait_for, wait_for_line

ON_A_NAME = ["stat", "map", "blocks", "participants", "check", "heal", "trim", "top"]
HEADER_BYTES = 64 << 10


def holder(tool, name, blocks=5, size=5000):
    """A process that has blocks in the segment until it is killed."""
    child = tool.start("fixture", name, "--blocks", blocks, "--size", size, "--wait")
    wait_for_line(child, "ready")
    return child


def kill(child):
    child.send_signal(signal.SIGKILL)
    child.wait()


def test_version_and_help_exit_with_0(tool):
    out, _ = tool.run("--version")
    assert re.fullmatch(r"weir \d+\.\d+\.\d+\n", out), out
    for verb in [[], ["ls"], ["ingest"], ["bench", "matrix"]]:
        out, _ = tool.run(*verb, "--help")
        assert "--help" in out, out


def test_every_option_is_in_the_manual(tool):
    manual = (Path(__file__).parents[2] / "tools" / "weir.1").read_text().replace("\\-", "-")
    options_part = manual[manual.index(".SH OPTIONS"):manual.index(".SH INGEST")]
    help_text, _ = tool.run("--help")
    verbs = re.findall(r"^  (\w[\w-]*) ", help_text[help_text.index("Subcommands"):], re.M)
    assert len(verbs) >= 10, help_text
    for verb in verbs:
        out, _ = tool.run(verb, "--help")
        parts = re.findall(r"^  (\w[\w-]*) ", out[out.index("Subcommands"):], re.M) \
            if "Subcommands" in out else [None]
        for part in parts:
            out, _ = tool.run(*filter(None, [verb, part]), "--help")
            for option in re.findall(r"--[\w-]+", out[out.index("Options"):]):
                known = option in options_part or option in ("--help", "--version")
                assert known, (verb, part, option)


def test_hidden_verbs_are_not_in_the_help(tool):
    out, _ = tool.run("--help")
    assert "ingest-worker" not in out and "fixture" not in out, out


def test_bad_usage_exits_with_64(tool):
    bad = [[], ["no-such-verb"], ["stat"], ["stat", "a", "b"], ["map", "x", "--rows", "0"],
           ["create", "x", "--capacity", "64X"], ["create", "x", "--capacity", "-1"],
           ["create", "x", "--mode", "9"], ["ingest"],
           ["ingest", "--from", "/", "--producers", "0"],
           ["ingest", "--from", "/", "--kill", "often"], ["ingest", "--from", "/", "--kill", "1us"],
           ["bench"], ["bench", "matrix", "--threads", "0"], ["blocks", "x", "--limit", "many"],
           ["bench", "matrix", "--seconds", "nan"], ["bench", "matrix", "--seconds", "0.009"],
           ["blocks", "x", "--limit", "-1"], ["create", "x", "--mode", "000"],
           ["create", "x", "--mode", "1777"], ["ingest", "--from", ""], ["map", "x", "-o", ""],
           ["blocks", "x", "--older-than", "soon"], ["blocks", "x", "--older-than", "0"],
           ["blocks", "x", "--older-than", "1s", "--all"], ["trim", "x", "--keep", "much"],
           ["create", "x", "--prefault", "much"], ["create", "x", "--node", "-1"],
           ["create", "x", "--node", "1024"], ["create", "x", "--group", ""],
           ["create", "x", "--group", "no such group"], ["create", "x", "--group", "4294967295"],
           ["create", "x", "--capacity", "1M", "--prefault", "2M"],
           ["top", "x", "--interval", "1ms"], ["top", "x", "--interval", "2000m"]]
    for arguments in bad:
        out, err = tool.run(*arguments, code=BAD_USAGE)
        assert out == "" and err.startswith("weir: "), (arguments, out, err)
    _, err = tool.run("no-such-verb", code=BAD_USAGE)
    assert "no-such-verb is not a verb" in err, err
    for words, where in ([], "weir"), (["log"], "weir log"):
        _, err = tool.run(*words, "--foo", code=BAD_USAGE)
        assert f"--foo is not an option here; {where} --help" in err, err


def test_what_is_invalid_is_explained(tool):
    name = tool.free_name()
    for capacity in ["0", "1", "63K", "8193G", "100T"]:
        for verb in (["create", name], ["ingest", "--from", "/proc/self/fdinfo"]):
            _, err = tool.run(*verb, "--capacity", capacity, code=BAD_USAGE)
            assert "--capacity: not 64K to 8T" in err, err
    node = next(n for n in range(1024) if not os.path.exists(f"/sys/devices/system/node/node{n}"))
    _, err = tool.run("create", name, "--node", node, code=BAD_USAGE)
    assert f"no NUMA node {node} (EINVAL)" in err, err
    assert not shm_file(name).exists()
    os.mkfifo(shm_file(name))
    _, err = tool.run("stat", name, code=1)
    assert "not a segment" in err, err


def test_what_is_no_name_is_bad_usage(tool):
    verbs = [[verb] for verb in ON_A_NAME + ["create", "rm"]] + [
        ["channel", "ls"], ["router", "create"], ["ingest", "--from", tool.folder, "--name"]]
    for verb in verbs:
        for bad in ["", "a/b", "/", "/a/", "x" * 201, "/" + "x" * 256, "x" * 9 + "\n", "\x7f"]:
            rest = ["r"] if verb[0] == "router" else []
            out, err = tool.run(*verb, bad, *rest, code=BAD_USAGE)
            assert out == "" and "1 to 200 bytes without a slash, or an abs" in err, (verb, err)
            assert "\n\n" not in err and "\x7f" not in err, err
    name = tool.free_name().ljust(200, "x")
    tool.segments.append(name)
    tool.run("create", name, "--capacity", "1M")
    tool.run("rm", name)


def test_an_unknown_name_exits_with_1(tool):
    name = tool.free_name()
    for verb in ON_A_NAME + ["rm"]:
        out, err = tool.run(verb, name, code=1)
        assert out == "" and name in err and "ENOENT" in err and err.count("\n") == 1, err


def test_a_file_that_is_no_segment_exits_with_1(tool):
    name = tool.free_name()
    for content in [b"", b"hello", bytes(1 << 20), os.urandom(1 << 20)]:
        shm_file(name).write_bytes(content)
        for verb in ON_A_NAME:
            _, err = tool.run(verb, name, code=1)
            assert name in err, err
        [row] = [r for r in tool.json("ls")["segments"] if r["name"] == name]
        assert "error" in row, row
        tool.run("ls")


def test_names_cannot_drive_the_terminal(tool):
    _, err = tool.run("stat", "a\x1b[31mb", code=BAD_USAGE)
    assert "\x1b" not in err and "a\\x1b[31mb" in err, err


def test_ls_shows_a_segment(tool):
    name = tool.segment("32M")
    tool.run("fixture", name, "--blocks", 3, "--leave")
    [row] = [r for r in tool.json("ls")["segments"] if r["name"] == name]
    assert row["capacity"] == 32 << 20 and row["used_blocks"] == 3 and row["participants"] == 0, row
    out, _ = tool.run("ls")
    assert re.search(rf"^{name} +32\.0 MiB ", out, re.M), out


def test_stat_counts_blocks_by_sector(tool):
    name = tool.segment()
    for size, blocks in [(100, 3), (5000, 2), (2 << 20, 1)]:
        tool.run("fixture", name, "--blocks", blocks, "--size", size, "--leave")
    stat = tool.json("stat", name)
    assert [s["used_blocks"] for s in stat["sectors"]] == [3, 2, 1], stat
    assert stat["used_blocks"] == 6 and stat["allocs"] == 6, stat
    assert stat["used_bytes"] == sum(s["used_bytes"] for s in stat["sectors"])
    assert stat["used_bytes"] >= 3 * 100 + 2 * 5000 + (2 << 20)
    assert stat["file_bytes"] == shm_file(name).stat().st_blocks * 512, stat
    assert stat["page_bytes"] == 4096, stat
    out, _ = tool.run("stat", name)
    assert "6 blocks" in out and stat["uuid"] in out, out


def test_blocks_tell_their_owner(tool):
    name = tool.segment()
    child = holder(tool, name)
    tool.run("fixture", name, "--blocks", 2, "--leave")
    listing = tool.json("blocks", name)
    assert listing["total"] == 7
    owners = sorted(b["owner_name"] for b in listing["blocks"])
    assert owners == ["nobody"] * 2 + [f"weir (pid {child.pid})"] * 5, owners
    sums = {o["owner_name"]: o["blocks"] for o in tool.json("blocks", name, "--by-owner")["owners"]}
    assert sums == {"nobody": 2, f"weir (pid {child.pid})": 5}, sums
    out, _ = tool.run("blocks", name)
    assert out.count("allocated") == 7, out
    out, _ = tool.run("blocks", name, "--limit", 2)
    assert out.count("allocated") == 2 and "2 of 7 blocks" in out, out
    tool.run("blocks", name, "--by-owner")


def test_blocks_by_owner_tell_who_lives(tool):
    name = tool.segment()
    child = holder(tool, name)
    tool.run("fixture", name, "--blocks", 2, "--size", 100, "--leave")
    first, second = tool.json("blocks", name, "--by-owner")["owners"]  # most bytes first
    assert (first["pid"], first["name"], first["alive"]) == (child.pid, "weir", True), first
    assert first["bytes"] >= 5 * 5000 and first["largest"] >= 5000, first
    assert second["owner_name"] == "nobody" and "pid" not in second, second
    out, _ = tool.run("blocks", name, "--by-owner")
    assert re.search(rf"^weir \(pid {child.pid}\) +live +5 ", out, re.M), out


def test_blocks_older_than_leaves_out_what_came_meanwhile(tool):
    name = tool.segment()
    tool.run("fixture", name, "--blocks", 3, "--leave")
    old = {b["block"] for b in tool.json("blocks", name)["blocks"]}
    began = time.monotonic()
    looking = tool.start("blocks", name, "--older-than", "2s", "--json")
    # It takes no slot, so nobody sees it come: its mapping does.
    mappings = pathlib.Path(f"/proc/{looking.pid}/maps")
    wait_for(lambda: name in mappings.read_text(), "it is attached")
    time.sleep(0.2)  # its first look
    tool.run("fixture", name, "--blocks", 4, "--leave")
    out, _ = looking.communicate(timeout=20)
    assert time.monotonic() - began >= 2
    found = json.loads(out)
    assert found["total"] == 3 and {b["block"] for b in found["blocks"]} == old, found
    assert tool.json("blocks", name)["total"] == 7
    sums = tool.json("blocks", name, "--by-owner", "--older-than", "1ms")
    assert sums["total"] == 7 and sums["owners"][0]["blocks"] == 7, sums


def test_trim_gives_memory_back(tool):
    name = tool.segment()
    for _ in range(2):
        child = holder(tool, name, blocks=1, size=4 << 20)
        kill(child)
        tool.run("heal", name)
        before = shm_file(name).stat().st_blocks
        assert tool.json("trim", name, "--keep", "1M") == {"trimmed_bytes": 3 << 20}
        assert before - shm_file(name).stat().st_blocks == (3 << 20) // 512
        stat = tool.json("stat", name)
        assert stat["trimmed_bytes"] == 3 << 20 and stat["free_bytes"] == 1 << 20, stat
        assert stat["cached_bytes"] == 0 and stat["scattered_bytes"] == 0, stat
        assert stat["sectors"][2]["trimmed_bytes"] == 3 << 20, stat
    out, _ = tool.run("stat", name)
    assert re.search(r" 3\.0 MiB trimmed$", out, re.M), out
    out, _ = tool.run("map", name, "--width", "60", "--rows", "1")
    assert "_____" in out and "large: 1.0 MiB committed" in out, out
    out, _ = tool.run("blocks", name, "--all")
    assert "trimmed" in out, out
    assert tool.json("check", name)["trimmed_bytes"] == 3 << 20
    out, _ = tool.run("trim", name)
    assert out == "1.0 MiB given back to the system\n", out


def test_top_tells_who_has_and_does_what(tool):
    name = tool.segment()
    child = holder(tool, name)
    busy = tool.start("fixture", name, "--churn")
    wait_for_line(busy, "ready")
    report = tool.json("top", name, "--interval", "300ms")
    assert 0.3 <= report["seconds"] < 10, report
    rows = {row.get("pid"): row for row in report["owners"]}
    assert rows[child.pid]["blocks"] == 5 and rows[child.pid]["bytes"] >= 25000, rows
    assert rows[child.pid]["allocs_per_second"] == 0, rows
    assert rows[busy.pid]["allocs_per_second"] > 100, rows
    assert rows[busy.pid]["frees_per_second"] > 100, rows
    assert report["allocs_per_second"] >= rows[busy.pid]["allocs_per_second"] * 0.9, report
    assert report["owners"][0]["pid"] == child.pid, report
    for once in [["--once"], []]:  # without a terminal it is the same
        out, _ = tool.run("top", name, "--interval", "100ms", *once)
        assert re.search(rf"^weir +{child.pid} +live +5 ", out, re.M) and "\x1b" not in out, out


def test_top_leaves_the_dead_to_be_seen(tool):
    name = tool.segment()
    child = holder(tool, name)
    kill(child)
    for _ in range(2):  # it heals nobody, and is no participant itself
        [row] = tool.json("top", name, "--interval", "50ms")["owners"]
        assert (row["pid"], row["state"], row["blocks"]) == (child.pid, "dead", 5), row
    healed = tool.json("heal", name)
    assert healed["participants"] == 1 and healed["blocks_reclaimed"] == 5, healed
    assert healed["duration_ns"] > 1000, healed  # five blocks; attaching did it


def read_until(fd, text, seconds=20):
    """What a terminal shows until `text` comes."""
    seen = b""
    end = time.monotonic() + seconds
    while text not in seen:
        ready, _, _ = select.select([fd], [], [], max(0, end - time.monotonic()))
        assert ready, (text, seen)
        seen += os.read(fd, 65536)
    return seen


def test_top_gives_the_terminal_back(tool):
    name = tool.segment()
    child = holder(tool, name)
    for leave in ["q", "ctrl-c", "SIGTERM"]:
        master, slave = pty.openpty()
        before = termios.tcgetattr(slave)
        top = subprocess.Popen([tool.weir, "top", name, "--interval", "50ms"], stdin=slave,
                               stdout=slave, stderr=slave, preexec_fn=os.setsid)
        tool.children.append(top)
        shown = read_until(master, b"\x1b[?1049h")
        for _ in range(3):  # it is drawn again and again
            shown += read_until(master, b"q: quit")
        assert str(child.pid).encode() in shown, shown
        assert termios.tcgetattr(slave)[3] & termios.ICANON == 0
        if leave == "SIGTERM":
            top.terminate()
        elif leave == "ctrl-c":
            top.send_signal(signal.SIGINT)
        else:
            os.write(master, b"xq")
        read_until(master, b"\x1b[?1049l")
        assert top.wait(timeout=20) == 0
        assert termios.tcgetattr(slave) == before, leave
        os.close(master)
        os.close(slave)


def test_participants_tell_who_is_attached(tool):
    name = tool.segment()
    child = holder(tool, name)
    found = tool.json("participants", name)["participants"]
    assert [(p["pid"], p["state"], p["allocs"]) for p in found] == [(child.pid, "live", 5)], found
    out, _ = tool.run("participants", name)
    assert str(child.pid) in out and "live" in out, out


def test_who_looks_changes_nothing(tool):
    name = tool.segment()
    child = holder(tool, name)
    kill(child)
    before = shm_file(name).read_bytes()
    for verb in ["stat", "map", "blocks", "participants", "check"]:
        tool.run(verb, name)
    tool.run("ls")
    assert shm_file(name).read_bytes() == before
    [dead] = tool.json("participants", name)["participants"]
    assert dead["state"] == "dead" and tool.json("check", name)["dead_blocks"] == 5, dead


def test_looking_needs_no_right_to_write(tool):
    if os.geteuid() != 0:
        raise Skip("only root can become another user")
    name = tool.segment()
    tool.run("fixture", name, "--blocks", 3, "--leave")
    shm_file(name).chmod(0o644)
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    for verb in ["stat", "map", "blocks", "participants", "check"]:
        tool.run(verb, name, **nobody)  # what root made is trusted
    [row] = [r for r in json.loads(tool.run("ls", "--json", **nobody)[0])["segments"]
             if r["name"] == name]
    assert row["used_blocks"] == 3, row
    for arguments in [["check", name, "--repair"], ["heal", name]]:
        _, err = tool.run(*arguments, code=1, **nobody)
        assert "EACCES" in err, err


def test_heal_takes_back_what_the_dead_had(tool):
    name = tool.segment()
    child = holder(tool, name)
    assert tool.json("stat", name)["used_blocks"] == 5
    kill(child)
    assert tool.json("check", name)["dead_blocks"] == 5
    healed = tool.json("heal", name)  # also what attaching has healed
    assert (healed["participants"], healed["blocks_reclaimed"]) == (1, 5), healed
    assert healed["reclaimed_bytes"] >= 5 * 5000, healed
    stat = tool.json("stat", name)
    assert stat["used_blocks"] == 0 and stat["deaths"] == 1, stat
    out, _ = tool.run("heal", name)
    assert "0 dead participants" in out, out


def test_check_counts_leaks_but_is_content(tool):
    name = tool.segment()
    tool.run("fixture", name, "--blocks", 4, "--size", 100, "--leave")
    report = tool.json("check", name)
    assert report["errors"] == 0 and report["orphans"] == 4, report
    out, _ = tool.run("check", name, "--repair")
    assert "4 blocks" in out and "whole: no errors" in out, out


def test_check_finds_a_scribbled_segment(tool):
    name = tool.segment()
    tool.run("fixture", name, "--blocks", 50, "--size", 3000, "--leave")
    with open(shm_file(name), "r+b") as file:
        end = file.seek(0, os.SEEK_END)
        start = HEADER_BYTES
        while True:
            try:
                start = file.seek(start, os.SEEK_DATA)
            except OSError:
                break
            stop = min(file.seek(start, os.SEEK_HOLE), end)
            file.seek(start)
            file.write(b"\xff" * (stop - start))
            start = stop
    out, err = tool.run("check", name, code=1)
    assert "error" in out + err or "CORRUPT" in err, (out, err)
    for verb in ON_A_NAME:  # may fail or not, but neither crashes nor hangs
        code = tool.start(verb, name).wait(timeout=20)
        assert code in (0, 1), (verb, code)


def test_map_draws_a_segment(tool):
    name = tool.segment()
    child = holder(tool, name, blocks=20, size=60000)
    out, _ = tool.run("map", name, "--rows", 2, "--width", 60)
    assert f"A weir (pid {child.pid})" in out and "\x1b" not in out, out
    rows = [line for line in out.splitlines() if line.startswith("  ")]
    assert rows and max(map(len, rows)) == 60, out
    medium = [s for s in tool.json("map", name)["sectors"] if s["sector"] == "medium"][0]
    assert any(c["use"] == "owned" for c in medium["cells"]), medium
    assert medium["used_bytes"] >= 20 * 60000, medium


def test_map_of_an_empty_segment_has_no_owners(tool):
    out, _ = tool.run("map", tool.segment())
    assert "small: " in out and "\nA " not in out, out


def test_map_writes_svg(tool):
    name = tool.segment()
    tool.run("fixture", name, "--blocks", 9, "--size", 2000, "--leave")
    out, _ = tool.run("map", name, "-o", tool.folder / "map.svg")
    assert out == ""
    root = xml.etree.ElementTree.parse(tool.folder / "map.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert f"weir map {name}" in texts and "nobody" in texts, texts
    assert len(list(root.iter("{http://www.w3.org/2000/svg}rect"))) > 5
    out, _ = tool.run("map", name, "-o", "-")
    assert out.encode() == (tool.folder / "map.svg").read_bytes()
    _, err = tool.run("map", name, "-o", tool.folder / "no" / "map.svg", code=1)
    assert "cannot write" in err, err


def test_names_of_odd_bytes_do_not_break_the_picture(tool):
    name = tool.free_name() + "-\udcff\udce2\udc82-\u20ac-\udced\udca0\udc80"
    tool.segments.append(name)
    tool.run("create", name, "--capacity", "1M")
    tool.run("map", name, "-o", tool.folder / "map.svg")
    root = xml.etree.ElementTree.parse(tool.folder / "map.svg").getroot()
    texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any("\\xff\\xe2\\x82-\u20ac-\\xed\\xa0\\x80" in text for text in texts), texts
    _, err = tool.run("create", name, code=1)
    err.encode()  # no surrogate: it is UTF-8


def test_numbers_in_json_fit_a_double(tool):
    """Refs have 64 bits, and jq and JavaScript round them: they are hexadecimal texts."""
    name = tool.segment()
    tool.run("fixture", name, "--leave")
    [block] = tool.json("blocks", name)["blocks"]
    assert re.fullmatch("0x[0-9a-f]{5,16}", block["block"]), block
    out, _ = tool.run("blocks", name)
    assert int(block["block"], 16) in [int(n, 16) for n in re.findall("0x[0-9a-f]+", out)], out
    for verb in ["ls"], ["stat", name], ["participants", name], ["check", name], ["blocks", name]:
        out, _ = tool.run(*verb, "--json")
        numbers = re.findall(r'"(\w+)": (\d+)\b', out)
        assert all(int(n) < 2 ** 53 for key, n in numbers if not key.endswith("_at_ns")), out


def test_create_and_rm(tool):
    name = tool.free_name()
    tool.run("create", name, "--capacity", "1M", "--mode", "0640")
    assert shm_file(name).stat().st_mode & 0o777 == 0o640
    _, err = tool.run("create", name, code=1)
    assert "EEXIST" in err, err
    tool.run("rm", name)
    assert not shm_file(name).exists()


def test_rm_removes_segments_alone_unless_forced(tool):
    name = tool.free_name()
    shm_file(name).write_bytes(b"precious")
    precious = tool.folder / "precious"
    precious.write_bytes(b"precious")
    for thing in [name, precious]:
        _, err = tool.run("rm", thing, code=1)
        assert "not a segment" in err and "--force" in err, err
    assert shm_file(name).exists() and precious.exists()
    tool.run("rm", "--force", name, precious)
    assert not shm_file(name).exists() and not precious.exists()
    _, err = tool.run("rm", "-f", name, code=1)
    assert "ENOENT" in err, err
    tool.run("rm", "-f", tool.folder, code=1)
    tool.run("rm", "-f", tool.segment())


def test_rm_leaves_the_attached_alone(tool):
    name = tool.segment()
    child = holder(tool, name)
    tool.run("rm", name)
    assert child.poll() is None
    tool.run("stat", name, code=1)


def test_an_absolute_path_is_a_name_too(tool):
    path = tool.folder / "segment"
    try:
        tool.run("create", path, "--capacity", "1M")
    except AssertionError as error:
        raise Skip(f"no segments on this file system: {error}".splitlines()[0])
    tool.run("fixture", path, "--leave")
    assert tool.json("stat", path)["used_blocks"] == 1
    tool.run("rm", path)
    assert not path.exists()


def test_bench_matrix_measures(tool):
    report = tool.json("bench", "matrix", "--seconds", "0.05", "--threads", "1,2")
    assert [(f["workload"], f["threads"]) for f in report["figures"]] == [
        ("pair", 1), ("reference", 1), ("reference", 2)], report
    for figure in report["figures"]:
        assert figure["weir_ns"] > 0 and figure["ratio_to_malloc"] > 0, figure
        assert figure["failures"] == 0, figure
    out, _ = tool.run("bench", "matrix", "--seconds", "0.01", "--threads", "1")
    assert "weir/malloc" in out, out


def test_log_bench_measures(tool):
    report = tool.json("log", "bench", tool.folder, "--seconds", "0.01", "--threads", "1,2")
    rows = [(f["name"], f["bytes"], f["threads"]) for f in report["figures"]]
    assert rows == [
        ("append", 64, 1), ("append", 256, 1), ("append", 1024, 1), ("append", 4096, 1),
        ("append_batch of 16", 64, 1), ("append", 64, 2), ("append_batch of 16", 64, 2),
        ("durable append", 1024, 1), ("durable append, p99", 1024, 1),
        ("durable append", 1024, 2), ("durable append, p99", 1024, 2),
        ("streaming, recycled segments", 1024, 1), ("streaming, growing log", 1024, 1),
        ("verify", 1024, 1)], rows
    for figure in report["figures"]:
        assert figure["weir"] > 0 and figure["peer_figure"] > 0 and figure["ratio"] > 0, figure
        promised = "ratio_target" in figure or "target" in figure
        assert figure["verdict"] in (("met", "MISSED") if promised else ("",)), figure
        if "p99" not in figure["name"]:
            assert len(figure["runs"]) == len(figure["peer_runs"]) == report["rounds"] >= 5, figure
    assert list(tool.folder.iterdir()) == [], "it removes what it wrote"


def test_log_bench_says_why_it_cannot(tool):
    _, err = tool.run("log", "bench", tool.folder / "nowhere", code=1)
    assert "nowhere" in err, err


def test_a_full_stdout_is_an_error(tool):
    for words in ["ls"], ["--help"], ["--version"], ["router", "add", "--help"]:
        with open("/dev/full", "w") as full:
            done = subprocess.run([tool.weir, *words], stdout=full, stderr=subprocess.PIPE,
                                  timeout=20)
        assert done.returncode == 1 and b"stdout" in done.stderr, (words, done)


def test_a_segment_of_somebody_else_is_opened_with_foreign_alone(tool):
    if os.getuid() != 0:
        raise Skip("only root can give files away")
    name = tool.segment()
    tool.run("pub", "--matrix", name, "--channel", "c", "--end", input=b"one\n")
    os.chown(shm_file(name), 65534, 65534)
    log = tool.folder / "log"
    for words in [["stat", name], ["check", name], ["record", "--matrix", name, "c", log],
                  ["replay", "--matrix", name, log, "c"],
                  ["sub", "--matrix", name, "--channel", "c"]]:
        _, err = tool.run(*words, code=1)
        assert "--foreign" in err and "(EPERM)" in err, (words, err)
    [row] = [r for r in tool.json("ls")["segments"] if r["name"] == name]
    assert "--foreign" in row["error"], row
    tool.run("stat", name, "--foreign")
    tool.run("record", "--matrix", name, "c", log, "--count", 1, "--foreign")
    tool.run("replay", "--matrix", name, log, "c", "--foreign")
    out, _ = tool.run("sub", "--matrix", name, "--channel", "c", "--count", 1, "--foreign")
    assert out == "one\n", out


def test_check_names_what_may_name_a_block(tool):
    name = tool.segment()
    tool.run("fixture", name, "--leave")
    out, _ = tool.run("check", name)
    assert "no root, channel, pool or router names" in out, out
