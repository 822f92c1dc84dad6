# SPDX-License-Identifier: MIT OR Apache-2.0
"""weir pub, sub, channel and router: streams of the shell, what does not fit, options, names."""

import os
import signal
import subprocess
import time

from channel_support import (finish, nothing_left, pub, start_pub, start_sub, stat, stream, sub,
                             wait_for_channel)
from support import BAD_USAGE, wait_for


def without_streams(tool, *arguments, closed):
    """Runs it as under a shell's <&- and >&-; its exit code and what it says."""
    done = subprocess.run([tool.weir, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, timeout=30, preexec_fn=lambda: os.close(closed))
    return done.returncode, done.stderr


def test_a_closed_stream_is_an_error_and_no_segment(tool):
    matrix = tool.segment()
    pub(tool, matrix, "lines", data=stream(100))
    channel = ["--matrix", matrix, "--channel", "lines"]
    code, err = without_streams(tool, "sub", *channel, closed=1)
    assert code == 1 and b"cannot write to stdout" in err, (code, err)
    code, err = without_streams(tool, "pub", *channel, closed=0)
    assert code == 1 and b"cannot read stdin" in err, (code, err)
    assert stat(tool, matrix, "lines")["waiting"] == 100
    tool.run("check", matrix)


def test_what_there_is_no_room_for_is_said(tool):
    matrix = tool.segment()
    names = ["--matrix", matrix, "--channel"]
    full = ["--capacity", "16", "--timeout", "10ms"]
    _, err = pub(tool, matrix, "full", *full, data=stream(17), code=1)
    assert "no room in the channel within 10ms" in err and "16 messages" in err, err
    _, err = pub(tool, matrix, "full", "--timeout", 0, data=b"more\n", code=1)
    assert "no room in the channel (E" in err, err
    mode = ["--mode", "broadcast"]
    readers = [tool.start("sub", *names, "many", *mode) for _ in range(64)]
    wait_for_channel(tool, matrix, "many")
    wait_for(lambda: stat(tool, matrix, "many")["subscribers"] == 64, "all are there")
    _, err = tool.run("sub", *names, "many", *mode, code=1)
    assert "64 subscribers" in err, err
    tool.run("channel", "rm", matrix, "many")
    assert all(reader.wait(timeout=10) == 0 for reader in readers)


def test_a_reader_that_is_interrupted_ends_well(tool):
    matrix = tool.free_name()
    reader = start_sub(tool, matrix, "wait")
    pub(tool, matrix, "wait", data=b"one\n")
    wait_for(lambda: reader.out.read_bytes() == b"one\n", "the line")
    reader.send_signal(signal.SIGINT)
    finish(reader)
    nothing_left(tool, matrix)


def test_more_than_fits_waits_for_readers(tool):
    matrix = tool.segment("1M")
    writer = start_pub(tool, matrix, "small", "--end", "--capacity", 4096)
    writer.stdin.write(b"x" * 200000 + b"\n")
    line = b"y" * 20000 + b"\n"

    def feed():
        writer.stdin.write(line * 200)
        writer.stdin.close()
        writer.stdin = None

    reader = start_sub(tool, matrix, "small")
    feed()
    finish(writer)
    assert finish(reader) == b"x" * 200000 + b"\n" + line * 200
    _, err = pub(tool, matrix, "small", data=b"first\n" + b"z" * (3 << 20) + b"\n", code=1)
    assert "does not fit in the matrix" in err, err
    assert sub(tool, matrix, "small", "--count", 1)[0] == b"first\n"
    nothing_left(tool, matrix)


def test_what_a_post_does_when_the_channel_is_full(tool):
    for overflow, posted, kept, code in [("fail", 16, range(1, 17), 1),
                                         ("drop-new", 20, range(1, 17), 0),
                                         ("drop-oldest", 20, range(5, 21), 0),
                                         ("block", 16, range(1, 17), 1)]:
        matrix = tool.free_name()
        _, err = pub(tool, matrix, "full", "--overflow", overflow, "--capacity", 16, "--timeout",
                     "50ms", data=stream(20), code=code)
        assert code == 0 or f"after {posted} messages" in err, err
        assert ("4 messages were dropped" in err) == (overflow == "drop-new"), (overflow, err)
        assert stat(tool, matrix, "full")["overflow"] == overflow
        pub(tool, matrix, "full", "--end")
        out, err = sub(tool, matrix, "full")
        assert [int(line) for line in out.splitlines()] == list(kept)
        assert ("4 messages were lost" in err) == (overflow == "drop-oldest"), (overflow, err)
        nothing_left(tool, matrix)


def test_priorities_tags_types_and_times(tool):
    matrix = tool.free_name()
    pub(tool, matrix, "c", "--levels", 3, "--type", 7, "--message-size", 3, data=b"low\n")
    pub(tool, matrix, "c", "--priority", 2, "--tag", 99, "--end", data=b"top\n")
    state = stat(tool, matrix, "c")
    assert state["levels"] == 3 and state["type_id"] == 7 and state["message_size"] == 3, state
    assert state["next"]["tag"] == 99 and state["next"]["level"] == 2, state
    _, err = pub(tool, matrix, "c", "--type", 8, data=b"", code=1)
    assert "TYPE" in err, err
    _, err = pub(tool, matrix, "c", data=b"four\n", code=1)
    assert "EMSGSIZE" in err, err
    _, err = pub(tool, matrix, "c", "--priority", 3, data=b"", code=BAD_USAGE)
    assert "3 priorities, 0 to 2" in err, err
    _, err = pub(tool, matrix, "one", "--priority", 1, data=b"", code=BAD_USAGE)
    assert "one priority, which is 0" in err, err
    pub(tool, matrix, "c", "--end")
    assert sub(tool, matrix, "c")[0] == b"top\nlow\n"
    pub(tool, matrix, "short", "--ttl", "10ms", "--end", data=b"gone\n")
    time.sleep(0.05)
    out, err = sub(tool, matrix, "short")
    assert out == b"" and stat(tool, matrix, "short")["expired"] == 1
    nothing_left(tool, matrix)


def test_late_subscribers_get_what_is_kept_for_them(tool):
    matrix = tool.free_name()
    pub(tool, matrix, "news", "--mode", "broadcast", "--retain-count", 2, "--subscribers", 0,
        "--end", data=b"old\nnew\nnewest\n")
    for _ in range(2):
        assert sub(tool, matrix, "news")[0] == b"new\nnewest\n"


def test_what_a_channel_is_cannot_be_wished(tool):
    matrix = tool.free_name()
    pub(tool, matrix, "c", "--mode", "queue")
    for verb in ["pub", "sub"]:
        _, err = tool.run(verb, "--matrix", matrix, "--channel", "c", "--mode", "broadcast",
                          code=1, input=b"")
        assert "is a queue channel" in err, err
    _, err = pub(tool, matrix, "c", "--subscribers", 2, code=BAD_USAGE)
    assert "no subscribers" in err, err
    _, err = pub(tool, matrix, "n" * 60, code=BAD_USAGE)
    assert "1 to 59 bytes" in err, err
    pub(tool, matrix, "n" * 59)


def test_what_is_no_name_is_bad_usage(tool):
    log = tool.folder / "log"
    for bad in ["", "x" * 64, "a\nb"]:
        for words in [["pub", "--matrix", "m", "--channel", bad],
                      ["sub", "--matrix", "m", "--channel", bad],
                      ["channel", "stat", "m", bad], ["channel", "rm", "m", bad],
                      ["channel", "tail", "m", bad], ["router", "create", "m", bad],
                      ["router", "post", "m", bad], ["router", "add", "m", "r", "--to", bad],
                      ["router", "add", "m", "r", "--copy", "a", "b c", bad],
                      ["router", "add", "m", "r", "--copy", bad, "a"],
                      ["record", "--matrix", "m", bad, log],
                      ["replay", "--matrix", "m", log, bad]]:
            _, err = tool.run(*words, code=BAD_USAGE)
            assert "bytes, and no control characters" in err, (words, err)
    for words in [["pub", "--channel", "c"], ["sub", "--channel", "c"], ["record", "c", log],
                  ["replay", log, "c"]]:
        _, err = tool.run(*words, "--matrix", "a/b", code=BAD_USAGE)
        assert "without a slash" in err, err
    for verb in ["pub", "sub"]:
        _, err = tool.run(verb, "--matrix", "m", "--channel", "c", "--matrix-capacity", "1",
                          code=BAD_USAGE)
        assert "--matrix-capacity: not 64K to 8T" in err, err
    for retain in [["--retain", "1s"], ["--retain-count", "1", "--mode", "queue"]]:
        _, err = pub(tool, tool.free_name(), "c", *retain, code=BAD_USAGE)
        assert "for --mode broadcast" in err, err
    matrix = tool.segment()
    tool.run("router", "create", matrix, "r")
    for words, why in [[["--topic", "x" * 64, "--drop"], "at most 63 bytes"],
                       [["--copy", *range(17)], "at most 16 channels"],
                       [[], "one of --to"]]:
        _, err = tool.run("router", "add", matrix, "r", *words, code=BAD_USAGE)
        assert why in err, err
    for words in [["add", matrix, "r", "--before", 9, "--drop"], ["remove", matrix, "r", 9],
                  ["set", matrix, "r", 9, "--drop"]]:
        _, err = tool.run("router", *words, code=1)
        assert "no rule 9 (ENOENT)" in err, err
    tool.run("router", "add", matrix, "r", "--tag", 1, "--to", "one")
    pub(tool, matrix, "one")
    _, err = tool.run("router", "post", matrix, "r", "x", "--tag", 1, "--priority", 7,
                      code=BAD_USAGE)
    assert "no priority 7" in err, err
    tool.run("router", "remove", matrix, "r", 1)
    tool.run("router", "add", matrix, "r", "--copy", "a", "b c")
    [rule] = tool.json("router", "show", matrix, "r")["rules"]
    assert rule["channels"] == ["a", "b c"], rule


def test_bad_usage_is_exit_code_64(tool):
    for words in [["pub"], ["sub", "--matrix", "m"], ["pub", "--matrix", "m", "--channel", "c", "x"],
                  ["pub", "--matrix", "m", "--channel", "c", "--mode", "pipe"],
                  ["sub", "--matrix", "m", "--channel", "c", "--lines", "--frames"],
                  ["sub", "--matrix", "m", "--channel", "c", "--files", "--frames"],
                  ["pub", "--matrix", "m", "--channel", "c", "--overflow", "explode"],
                  ["channel", "tail", "m", "c", "-n", "0"],
                  ["sub", "--matrix", "m", "--channel", "c", "--count", "0"],
                  ["channel"], ["channel", "ls"], ["channel", "stat", "m"], ["router"],
                  ["router", "add", "m", "r"], ["router", "add", "m", "r", "--to", "a", "--drop"],
                  ["router", "add", "m", "r", "--to", "a", "b"],
                  ["router", "add", "m", "r", "--mask", "1", "--to", "a"],
                  ["router", "add", "m", "r", "--tag", "3", "--mask", "1", "--to", "a"],
                  ["router", "set", "m", "r", "0", "--drop"]]:
        tool.run(*words, code=BAD_USAGE)
