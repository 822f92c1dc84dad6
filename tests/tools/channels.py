# SPDX-License-Identifier: MIT OR Apache-2.0
"""weir pub and weir sub: lines, frames and files through a channel, the end, kills, full disks."""

import os
import signal
import struct
import subprocess
import time
from collections import Counter

from support import BAD_USAGE, read_tree, wait_for

LINES = 100000
HAND = 256  # messages that a reader holds at most


def stream(lines):
    return "".join(f"{i}\n" for i in range(1, lines + 1)).encode()


def start_sub(tool, matrix, channel, *arguments):
    """A weir sub that writes to a file, whose path it gets as `out`."""
    out = tool.folder / f"out-{len(tool.children)}"
    with open(out, "wb") as to:
        child = subprocess.Popen([tool.weir, "sub", "--matrix", matrix, "--channel", channel,
                                  *map(str, arguments)], stdout=to, stderr=subprocess.PIPE)
    child.out = out
    tool.children.append(child)
    return child


def pub(tool, matrix, channel, *arguments, data=b"", code=0):
    return tool.run("pub", "--matrix", matrix, "--channel", channel, *arguments, input=data,
                    code=code)


def start_pub(tool, matrix, channel, *arguments):
    child = subprocess.Popen([tool.weir, "pub", "--matrix", matrix, "--channel", channel,
                              *map(str, arguments)], stdin=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    tool.children.append(child)
    return child


def sub(tool, matrix, channel, *arguments, code=0):
    """What it writes, as bytes, and what it complains of."""
    linger = () if "--linger" in arguments else ("--linger", "0")
    out, err = tool.run("sub", "--matrix", matrix, "--channel", channel, *linger, *arguments,
                        code=code)
    return out.encode("utf-8", "surrogateescape"), err


def finish(child, code=0):
    _, err = child.communicate(timeout=30)
    assert child.returncode == code, (child.returncode, code, err)
    return child.out.read_bytes() if hasattr(child, "out") else err


def stat(tool, matrix, channel):
    return tool.json("channel", "stat", matrix, channel)


def wait_for_channel(tool, matrix, channel):
    def there():
        done = subprocess.run([tool.weir, "channel", "stat", matrix, channel], capture_output=True)
        return done.returncode == 0
    wait_for(there, "the channel is made")


def nothing_left(tool, matrix):
    """Only what names stand for."""
    state = tool.json("stat", matrix)
    assert state["used_blocks"] == len(state["roots"]), state
    tool.run("check", matrix)


def test_three_readers_of_a_queue_share_the_lines(tool):
    matrix = tool.free_name()
    readers = [start_sub(tool, matrix, "numbers", "--mode", "queue") for _ in range(3)]
    pub(tool, matrix, "numbers", "--mode", "queue", "--end", data=stream(LINES))
    outs = [finish(reader) for reader in readers]
    assert Counter(b"".join(outs).splitlines()) == Counter(stream(LINES).splitlines())
    for out in outs:
        numbers = [int(line) for line in out.splitlines()]
        assert numbers == sorted(numbers)
    nothing_left(tool, matrix)


def test_every_subscriber_of_a_broadcast_gets_all_lines(tool):
    matrix = tool.free_name()
    readers = [start_sub(tool, matrix, "numbers", "--mode", "broadcast") for _ in range(3)]
    pub(tool, matrix, "numbers", "--mode", "broadcast", "--end", data=stream(LINES))
    for reader in readers:
        assert finish(reader) == stream(LINES)
    nothing_left(tool, matrix)


def test_a_killed_reader_loses_nothing(tool):
    matrix = tool.free_name()
    readers = [start_sub(tool, matrix, "numbers") for _ in range(3)]
    writer = start_pub(tool, matrix, "numbers", "--end")
    data = stream(LINES)
    kills = 0
    for at in range(0, len(data), len(data) // 10 + 1):
        writer.stdin.write(data[at:at + len(data) // 10 + 1])
        writer.stdin.flush()
        if kills < 6:
            time.sleep(0.02)
            victim = readers[kills % 3]
            victim.kill()
            victim.wait()
            readers[kills % 3] = start_sub(tool, matrix, "numbers", "--linger", "100ms")
            kills += 1
    writer.stdin.close()
    writer.stdin = None
    finish(writer)
    for reader in readers:
        finish(reader)
    # A kill may cut the last line of a write short; that one comes again.
    lines = [line for child in tool.children if hasattr(child, "out")
             for line in child.out.read_bytes().split(b"\n")[:-1]]
    found = Counter(lines)
    assert found.keys() == set(data.splitlines())
    assert len(lines) - LINES <= kills * HAND, len(lines)
    nothing_left(tool, matrix)


def test_what_a_reader_has_in_hand_keeps_the_others_there(tool):
    matrix = tool.free_name()
    line = b"x" * 10000 + b"\n"
    pub(tool, matrix, "hand", "--end", data=line * 20)  # more than a pipe holds
    stuck = tool.start("sub", "--matrix", matrix, "--channel", "hand")
    wait_for(lambda: stat(tool, matrix, "hand")["held"] == 20, "the first reader has all")
    other = start_sub(tool, matrix, "hand", "--linger", "0")
    time.sleep(0.3)
    assert other.poll() is None
    stuck.kill()
    assert finish(other) == line * 20


def test_a_broadcast_begins_when_its_subscribers_are_there(tool):
    matrix = tool.free_name()
    writer = start_pub(tool, matrix, "early", "--mode", "broadcast", "--end")
    writer.stdin.write(b"one\ntwo\n")
    writer.stdin.flush()
    readers = []
    for _ in range(2):
        time.sleep(0.15)
        readers.append(start_sub(tool, matrix, "early"))
    writer.stdin.close()
    writer.stdin = None
    finish(writer)
    assert [finish(reader) for reader in readers] == [b"one\ntwo\n"] * 2


def test_a_killed_subscriber_of_a_broadcast_holds_nobody_up(tool):
    matrix = tool.free_name()
    readers = [start_sub(tool, matrix, "numbers", "--mode", "broadcast") for _ in range(2)]
    writer = start_pub(tool, matrix, "numbers", "--mode", "broadcast", "--subscribers", 2, "--end")
    writer.stdin.write(stream(LINES)[:200000])
    writer.stdin.flush()
    wait_for(lambda: readers[1].out.stat().st_size > 1000, "the broadcast has begun")
    readers[1].kill()
    writer.stdin.write(stream(LINES)[200000:])
    writer.stdin.close()
    writer.stdin = None
    finish(writer)
    assert finish(readers[0]) == stream(LINES)
    nothing_left(tool, matrix)


def test_a_late_reader_gets_what_waits_and_leaves(tool):
    matrix = tool.free_name()
    pub(tool, matrix, "late", "--end", data=b"one\ntwo\n")
    assert sub(tool, matrix, "late") == (b"one\ntwo\n", "")
    begun = time.monotonic()
    assert sub(tool, matrix, "late", "--linger", "300ms") == (b"", "")
    assert 0.25 < time.monotonic() - begun < 5


def test_a_reader_that_waits_is_not_sent_away_by_an_old_end(tool):
    matrix = tool.free_name()
    pub(tool, matrix, "again", "--end", data=b"one\n")
    assert sub(tool, matrix, "again")[0] == b"one\n"
    reader = start_sub(tool, matrix, "again", "--linger", "20s")
    time.sleep(0.15)
    pub(tool, matrix, "again", data=b"two\n")
    wait_for(lambda: reader.out.read_bytes() == b"two\n", "the line")
    time.sleep(0.15)
    assert reader.poll() is None  # that was not all
    pub(tool, matrix, "again", "--end", data=b"three\n")
    assert finish(reader) == b"two\nthree\n"


def test_the_end_waits_for_every_publisher(tool):
    matrix = tool.free_name()
    reader = start_sub(tool, matrix, "many")
    slow = start_pub(tool, matrix, "many")
    slow.stdin.write(b"slow\n")
    slow.stdin.flush()
    wait_for(lambda: reader.out.read_bytes() == b"slow\n", "the first line")
    pub(tool, matrix, "many", "--end", data=b"fast\n")
    time.sleep(0.2)
    assert reader.poll() is None
    slow.stdin.write(b"slower\n")
    slow.stdin.close()
    slow.stdin = None
    finish(slow)
    assert finish(reader) == b"slow\nfast\nslower\n"


def test_a_killed_publisher_has_not_said_that_this_was_all(tool):
    matrix = tool.free_name()
    reader = start_sub(tool, matrix, "killed")
    writer = start_pub(tool, matrix, "killed", "--end")
    writer.stdin.write(b"first\n")
    writer.stdin.flush()
    wait_for(lambda: reader.out.read_bytes() == b"first\n", "the first line")
    writer.kill()
    writer.communicate()
    time.sleep(0.4)
    assert reader.poll() is None
    pub(tool, matrix, "killed", "--end", data=b"second\n")
    assert finish(reader) == b"first\nsecond\n"


def test_lines_come_out_as_they_went_in(tool):
    matrix = tool.free_name()
    data = b"\n\nnul \0 and \xff\n" + b"long " * 100000 + b"\nno end"
    pub(tool, matrix, "lines", "--end", data=data)
    assert sub(tool, matrix, "lines")[0] == data + b"\n"


def test_a_line_is_posted_before_more_comes(tool):
    matrix = tool.free_name()
    reader = start_sub(tool, matrix, "prompt", "--count", 1)
    writer = start_pub(tool, matrix, "prompt")
    writer.stdin.write(b"now\nnot yet")
    writer.stdin.flush()
    assert finish(reader) == b"now\n"
    writer.send_signal(signal.SIGTERM)
    writer.wait(timeout=10)
    assert b"interrupted" in finish(writer, code=1)


def test_frames_begin_with_their_length(tool):
    matrix = tool.free_name()
    messages = [b"", b"a\nb", bytes(range(256)), b"x" * 100000]
    data = b"".join(struct.pack("<I", len(m)) + m for m in messages)
    out, _ = tool.run("pub", "--matrix", matrix, "--channel", "frames", "--frames", "--end",
                      "--json", input=data)
    assert '"messages": 4' in out and f'"bytes": {sum(map(len, messages))}' in out, out
    assert stat(tool, matrix, "frames")["waiting"] == 4
    reader = start_sub(tool, matrix, "frames", "--frames")
    assert finish(reader) == data


def test_a_broken_frame_is_an_error_and_no_end(tool):
    matrix = tool.free_name()
    data = struct.pack("<I", 3) + b"abc" + struct.pack("<I", 5) + b"de"
    _, err = pub(tool, matrix, "broken", "--frames", "--end", data=data, code=1)
    assert "middle of a frame" in err, err
    reader = start_sub(tool, matrix, "broken", "--linger", "0")
    wait_for(lambda: reader.out.read_bytes() == b"abc\n", "what came before")
    time.sleep(0.2)
    assert reader.poll() is None
    huge = struct.pack("<I", 3) + b"def" + struct.pack("<I", 1 << 30)
    _, err = pub(tool, matrix, "broken", "--frames", data=huge, code=1)
    assert "does not fit" in err, err
    wait_for(lambda: reader.out.read_bytes() == b"abc\ndef\n", "what came before")


def test_files_are_written_below_a_folder(tool):
    matrix = tool.free_name()
    source = tool.folder / "in"
    contents = {"a": b"A\n", "deep/er/b": b"\0" * 300000, "deep/empty": b""}
    for path, content in contents.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_bytes(content)
    pub(tool, matrix, "files", "--files", "--end", *[source / path for path in contents])
    sub(tool, matrix, "files", "--files", "--out", tool.folder / "out")
    where = str(source).lstrip("/")
    assert read_tree(tool.folder / "out") == {f"{where}/{p}": c for p, c in contents.items()}

    pub(tool, matrix, "files", "--files", "--end", data=b"all of it\nin one\n")
    sub(tool, matrix, "files", "--files", "--out", tool.folder / "piped")
    assert read_tree(tool.folder / "piped") == {"stdin": b"all of it\nin one\n"}
    _, err = pub(tool, matrix, "files", "--files", source / "a", tool.folder / "none", code=1)
    assert "none: No such file" in err, err
    assert stat(tool, matrix, "files")["waiting"] == 1  # what came before
    os.mkfifo(tool.folder / "fifo")
    for odd in [tool.folder, tool.folder / "fifo"]:
        _, err = pub(tool, matrix, "files", "--files", odd, code=1)
        assert "not a regular file" in err, err
    pub(tool, matrix, "files", "--files", "--end", data=b"again")
    _, err = sub(tool, matrix, "files", "--files", "--out", source / "a", code=1)
    assert "Not a directory" in err, err
    sub(tool, matrix, "files", "--files", "--out", tool.folder / "after")
    assert read_tree(tool.folder / "after") == {f"{where}/a": b"A\n", "stdin": b"again"}
    nothing_left(tool, matrix)


def test_a_file_that_leads_out_of_the_folder_is_refused(tool):
    out = tool.folder / "out"
    for number, path in enumerate([b"../evil", b"/tmp/evil", b"a/../../evil", b"", b"a/", b"..",
                                   b"a\0b"]):
        matrix = tool.free_name()
        message = struct.pack("<I", len(path)) + path + b"bytes"
        frame = struct.pack("<I", len(message)) + message
        pub(tool, matrix, "evil", "--frames", "--end", data=frame)
        _, err = sub(tool, matrix, "evil", "--files", "--out", out, code=1)
        assert "not below a folder" in err, (number, err)
        assert stat(tool, matrix, "evil")["waiting"] == 1
    matrix = tool.free_name()
    pub(tool, matrix, "lines", "--end", data=b"just a line\n")
    _, err = sub(tool, matrix, "lines", "--files", "--out", out, code=1)
    assert "no file of weir pub" in err, err
    assert not out.exists() and not (tool.folder / "evil").exists()


def test_a_symbolic_link_in_the_folder_leads_nowhere(tool):
    outside = tool.folder / "outside"
    out = tool.folder / "out"
    (out / "deep").mkdir(parents=True)
    outside.mkdir()
    (outside / "kept").write_bytes(b"kept")
    for link in [out / "link", out / "deep" / "link"]:
        link.symlink_to(outside)
    (out / "file").symlink_to(outside / "kept")
    (tool.folder / "also-out").symlink_to(out)
    matrix = tool.free_name()
    bad = [b"link/evil", b"./link/evil", b"deep//link/evil", b"link/new/evil", b"."]
    good = [b"file", b"./new//folder/./file", b"deep/file"]
    pub(tool, matrix, "files", "--frames", "--end",
        data=b"".join(frame(path, b"bytes") for path in bad + good))
    _, err = sub(tool, matrix, "files", "--files", "--out", tool.folder / "also-out", code=1)
    assert err.count("is a symbolic link") == 4 and err.count("not below") == 5, err
    assert "5 messages could not be written" in err, err
    assert read_tree(outside) == {"kept": b"kept"}
    assert not (out / "file").is_symlink(), "it takes the place of the link"
    for path in "file", "new/folder/file", "deep/file":
        assert (out / path).read_bytes() == b"bytes"
    assert not list(out.rglob(".weir-sub-*"))


def frame(path, content):
    """A message of weir pub --files, as weir pub --frames reads it."""
    message = struct.pack("<I", len(path)) + path + content
    return struct.pack("<I", len(message)) + message


def test_a_file_that_cannot_be_written_does_not_stop_the_others(tool):
    bad = [frame(b"one/below", b"one is a file"), frame(b"../evil", b"evil"),
           struct.pack("<I", 2) + b"no", frame(b"x" * 300, b"a long name")]
    for mode in "queue", "broadcast":
        matrix = tool.free_name()
        out = tool.folder / f"out-{mode}"
        if mode == "broadcast":
            reader = start_sub(tool, matrix, "some", "--mode", mode, "--files", "--out", out)
            wait_for_channel(tool, matrix, "some")
        pub(tool, matrix, "some", "--frames", "--end", "--mode", mode,
            data=frame(b"one", b"1") + b"".join(bad) + frame(b"two", b"2"))
        if mode == "broadcast":
            err = reader.communicate(timeout=30)[1].decode()
            assert reader.returncode == 1, err
        else:
            _, err = sub(tool, matrix, "some", "--files", "--out", out, code=1)
        assert read_tree(out) == {"one": b"1", "two": b"2"}
        for what in "Not a directory", "not below a folder", "no file of weir pub", "too long":
            assert err.count(what) == 1, err
        assert "4 messages could not be written" in err, err
        left = stat(tool, matrix, "some")
        assert left["waiting"] == (4 if mode == "queue" else 0) and left["held"] == 0, left
    assert not (tool.folder / "evil").exists()


def test_two_readers_do_not_wait_for_what_the_other_cannot_write(tool):
    matrix = tool.free_name()
    pub(tool, matrix, "bad", "--frames", "--end",
        data=b"".join(frame(b"../evil", b"evil") for _ in range(600)))
    readers = [start_sub(tool, matrix, "bad", "--files", "--linger", "0", "--out",
                         tool.folder / "out") for _ in range(2)]
    for reader in readers:
        finish(reader, code=1)
    left = stat(tool, matrix, "bad")
    assert left["waiting"] == 600 and left["held"] == 0, left


def test_a_file_that_no_reader_would_take_is_not_posted(tool):
    matrix = tool.segment()
    good = tool.folder / "good"
    good.write_bytes(b"bytes")
    _, err = pub(tool, matrix, "files", "--files", good, tool.folder / ".." / tool.folder.name /
                 "good", code=BAD_USAGE)
    assert "below a folder" in err, err
    assert stat(tool, matrix, "files")["waiting"] == 0


def test_what_cannot_be_written_stays(tool):
    matrix = tool.free_name()
    pub(tool, matrix, "full", "--end", data=stream(100))
    with open("/dev/full", "wb") as full:
        done = subprocess.run([tool.weir, "sub", "--matrix", matrix, "--channel", "full"],
                              stdout=full, stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 1 and b"No space left" in done.stderr, done
    assert stat(tool, matrix, "full")["waiting"] == 100
    reader = subprocess.Popen([tool.weir, "sub", "--matrix", matrix, "--channel", "full"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    tool.children.append(reader)
    reader.stdout.close()
    assert reader.wait(timeout=30) == 1
    assert b"Broken pipe" in reader.stderr.read()
    reader.stdout = reader.stderr = None
    assert sub(tool, matrix, "full")[0] == stream(100)


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
                  ["channel"], ["channel", "ls"], ["channel", "stat", "m"], ["router"],
                  ["router", "add", "m", "r"], ["router", "add", "m", "r", "--to", "a", "--drop"],
                  ["router", "add", "m", "r", "--to", "a", "b"],
                  ["router", "add", "m", "r", "--mask", "1", "--to", "a"],
                  ["router", "set", "m", "r", "0", "--drop"]]:
        tool.run(*words, code=BAD_USAGE)
