# SPDX-License-Identifier: MIT OR Apache-2.0
"""weir channel, weir router, and the channels of weir top."""

import json
import subprocess
import time

from channels import pub, start_pub, start_sub, stat, sub
from support import wait_for


def shm_bytes(matrix):
    with open(f"/dev/shm/weir.{matrix}", "rb") as file:
        return file.read()


def test_channels_are_listed(tool):
    matrix = tool.segment()
    out, _ = tool.run("channel", "ls", matrix)
    assert out == "no channels\n"
    pub(tool, matrix, "b\x9b", data=b"one\ntwo\n")
    pub(tool, matrix, "a", "--mode", "broadcast", "--subscribers", 0, "--retain-count", 3,
        data=b"kept\n")
    before = shm_bytes(matrix)
    [a, b] = tool.json("channel", "ls", matrix)["channels"]
    assert (a["name"], a["mode"], a["waiting"], a["lag"]) == ("a", "broadcast", 1, 0), a
    assert (b["waiting"], b["waiting_bytes"], b["lag"]) == (2, 6, 2), b
    assert b["oldest_age_ns"] > 0
    out, _ = tool.run("channel", "ls", matrix)
    assert "queue" in out and "broadcast" in out and len(out.splitlines()) == 3, out
    assert shm_bytes(matrix) == before  # nobody notices


def test_a_channel_is_shown_with_its_subscribers(tool):
    matrix = tool.segment()
    reader = start_sub(tool, matrix, "news", "--mode", "broadcast")
    wait_for(lambda: subprocess.run([tool.weir, "channel", "stat", matrix, "news"],
                                    capture_output=True).returncode == 0, "the channel")
    wait_for(lambda: stat(tool, matrix, "news")["subscribers"] == 1, "the subscriber")
    out, _ = tool.run("channel", "stat", matrix, "news")
    assert f"pid {reader.pid}" in out and "broadcast, 1024 messages" in out, out
    assert stat(tool, matrix, "news")["readers"][0]["lag"] == 0
    pub(tool, matrix, "levels", "--levels", 2, "--overflow", "drop-oldest", "--ageing", "1s",
        data=b"low\n")
    pub(tool, matrix, "levels", "--priority", 1, "--tag", 255, data=b"high\n")
    out, _ = tool.run("channel", "stat", matrix, "levels")
    assert "full: drop-oldest" in out and "tag 0xff" in out and "ageing 1.00 s" in out, out
    state = stat(tool, matrix, "levels")
    assert [level["waiting"] for level in state["by_level"]] == [1, 1], state
    _, err = tool.run("channel", "stat", matrix, "none", code=1)
    assert "ENOENT" in err, err


def test_tail_of_a_queue_shows_headers_and_takes_nothing(tool):
    matrix = tool.segment()
    pub(tool, matrix, "q", "--tag", 5, data=b"one\ntwo\n")
    before = shm_bytes(matrix)
    out, _ = tool.run("channel", "tail", matrix, "q", "-n", 1, "--json")
    assert shm_bytes(matrix) == before
    header = json.loads(out)
    assert (header["sequence"], header["length"], header["tag"]) == (0, 3, 5), header
    assert "hex" not in header
    sub(tool, matrix, "q", "--count", 1)
    out, _ = tool.run("channel", "tail", matrix, "q", "-n", 1)
    assert out.splitlines()[1].split()[:3] == ["0", "1", "3"], out


def test_tail_of_a_broadcast_shows_each_message(tool):
    matrix = tool.segment()
    reader = start_sub(tool, matrix, "news", "--mode", "broadcast")
    wait_for(lambda: tool.json("channel", "ls", matrix)["channels"], "the channel")
    tail = tool.start("channel", "tail", matrix, "news", "-n", 2)
    wait_for(lambda: stat(tool, matrix, "news")["subscribers"] == 2, "the tail")
    pub(tool, matrix, "news", "--subscribers", 2, "--end", data=b"one \x1b\ntwo\n")
    out, _ = tail.communicate(timeout=10)
    lines = out.decode().splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["0", "1"], lines
    assert lines[1].endswith("one \\x1b") and lines[2].endswith("two"), lines
    reader.wait(timeout=10)
    assert reader.out.read_bytes() == b"one \x1b\ntwo\n"


def test_a_channel_that_is_removed_sends_its_readers_away(tool):
    matrix = tool.segment()
    pub(tool, matrix, "gone", data=b"one\n")
    readers = [start_sub(tool, matrix, "gone") for _ in range(2)]
    wait_for(lambda: stat(tool, matrix, "gone")["waiting"] == 0, "the readers")
    tool.run("channel", "rm", matrix, "gone")
    for reader in readers:
        assert reader.wait(timeout=10) == 0
    _, err = tool.run("channel", "rm", matrix, "gone", code=1)
    assert "ENOENT" in err, err
    assert tool.json("channel", "ls", matrix)["channels"] == []


def test_the_end_of_a_removed_channel_is_not_that_of_the_next(tool):
    matrix = tool.segment()
    pub(tool, matrix, "gone", "--end")
    tool.run("channel", "rm", matrix, "gone")
    reader = start_sub(tool, matrix, "gone", "--linger", "0")
    time.sleep(0.3)
    assert reader.poll() is None
    pub(tool, matrix, "gone", "--end", data=b"one\n")
    assert reader.wait(timeout=10) == 0 and reader.out.read_bytes() == b"one\n"


def route(tool, matrix, *arguments):
    report = tool.json("router", "post", matrix, "r", *arguments)
    return report["messages"], report["posted"], report["dropped"]


def add(tool, matrix, *arguments):
    return tool.json("router", "add", matrix, "r", *arguments)["id"]


def rules(tool, matrix):
    found = tool.json("router", "show", matrix, "r")["rules"]
    return {rule["id"]: rule for rule in found}, [rule["id"] for rule in found]


def test_a_router_posts_by_its_rules_and_counts(tool):
    matrix = tool.segment()
    for channel in "abc":
        pub(tool, matrix, channel)
    tool.run("router", "create", matrix, "r")
    out, _ = tool.run("router", "show", matrix, "r")
    assert out == "no rules\n"
    by_tag = add(tool, matrix, "--tag", 1, "--to", "a")
    by_mask = add(tool, matrix, "--tag", 2, "--mask", 2, "--round-robin", "a", "b")
    by_topic = add(tool, matrix, "--topic", "image/*", "--copy", "a", "b", "c")
    by_none = add(tool, matrix, "--otherwise", "--drop")
    assert route(tool, matrix, "--tag", 1, "x", "y") == (2, 2, 0)
    assert route(tool, matrix, "--tag", 6, "x", "y") == (2, 2, 0)
    assert route(tool, matrix, "--topic", "image/png", "x") == (1, 3, 0)
    assert route(tool, matrix, "--topic", "text", "x") == (1, 0, 1)
    found, order = rules(tool, matrix)
    assert order == [by_tag, by_mask, by_topic, by_none]
    counts = {i: (r["matched"], r["posted"], r["refused"]) for i, r in found.items()}
    assert counts == {by_tag: (2, 2, 0), by_mask: (2, 2, 0), by_topic: (1, 3, 0),
                      by_none: (1, 0, 0)}, counts
    assert found[by_topic]["channels"] == ["a", "b", "c"], found
    assert [stat(tool, matrix, c)["waiting"] for c in "abc"] == [4, 2, 1]
    out, _ = tool.run("router", "show", matrix, "r")
    assert "topic image/*" in out and "a b c" in out and "tag 0x2 of 0x2" in out, out


def test_rules_are_replaced_and_removed(tool):
    matrix = tool.segment()
    pub(tool, matrix, "a", "--capacity", 16, "--overflow", "fail")
    tool.run("router", "create", matrix, "r")
    first = add(tool, matrix, "--drop")
    last = add(tool, matrix, "--topic", "never", "--drop")
    new = tool.json("router", "set", matrix, "r", first, "--least-full", "a", "nowhere")["id"]
    before = add(tool, matrix, "--tag", 9, "--hash", "nowhere", "--before", new)
    assert rules(tool, matrix)[1] == [before, new, last]
    tool.run("router", "post", matrix, "r", input=b"one\ntwo\n")
    assert stat(tool, matrix, "a")["waiting"] == 2
    _, err = tool.run("router", "post", matrix, "r", "--tag", 9, "x", code=1)
    assert "channel is missing" in err, err
    tool.run("router", "remove", matrix, "r", new)
    _, err = tool.run("router", "post", matrix, "r", "x", code=1)
    assert "no rule" in err, err
    _, err = tool.run("router", "remove", matrix, "r", new, code=1)
    assert "ENOENT" in err, err
    _, err = tool.run("router", "set", matrix, "r", 77, "--drop", code=1)
    assert "ENOENT" in err and rules(tool, matrix)[1] == [before, last], err
    state = tool.json("stat", matrix)
    assert state["used_blocks"] == len(state["roots"]) + 2, state  # the messages
    tool.run("router", "rm", matrix, "r")
    _, err = tool.run("router", "show", matrix, "r", code=1)
    assert "ENOENT" in err, err


def test_top_shows_channels_beside_participants(tool):
    matrix = tool.segment()
    out, _ = tool.run("top", matrix, "--once", "--interval", "50ms")
    assert "channel" not in out and "running" in out, out
    pub(tool, matrix, "q", "--capacity", 16, "--overflow", "drop-oldest", data=b"x\n" * 20)
    pub(tool, matrix, "q", "--end", data=b"y\n")
    sub(tool, matrix, "q")
    report = tool.json("top", matrix, "--interval", "50ms")
    [q] = report["channels"]
    assert (q["name"], q["mode"], q["waiting"], q["dropped"]) == ("q", "queue", 0, 5), q
    assert report["owners"], report
    pub(tool, matrix, "q", data=b"yy\n")
    [q] = tool.json("top", matrix, "--interval", "50ms")["channels"]
    assert (q["waiting"], q["waiting_bytes"], q["lag"], q["posts_per_second"]) == (1, 2, 1, 0), q
    assert q["oldest_age_ns"] >= 50_000_000, q
    out, _ = tool.run("top", matrix, "--once", "--interval", "50ms")
    assert "posts/s" in out and "largest" in out, out


def test_top_counts_posts_per_second(tool):
    matrix = tool.segment()
    writer = start_pub(tool, matrix, "q", "--overflow", "drop-oldest")
    wait_for(lambda: tool.json("channel", "ls", matrix)["channels"], "the channel")
    top = tool.start("top", matrix, "--json", "--interval", "400ms")
    lines = 0
    while top.poll() is None:
        writer.stdin.write(b"x\n" * 10)
        writer.stdin.flush()
        lines += 10
        time.sleep(0.005)
    report = json.loads(top.communicate()[0])
    rate = report["channels"][0]["posts_per_second"]
    assert 0 < rate <= lines / report["seconds"] + 1, (lines, report)
