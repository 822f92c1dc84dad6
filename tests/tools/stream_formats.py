# SPDX-License-Identifier: MIT OR Apache-2.0
"""weir pub and weir sub: lines, frames and files, broken ones, full disks."""

import os
import signal
import struct
import subprocess
import time

from channel_support import (finish, nothing_left, pub, start_pub, start_sub, stat, stream, sub,
                             wait_for_channel)
from support import BAD_USAGE, read_tree, wait_for


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


def test_who_waits_does_not_outlive_his_reader(tool):
    matrix = tool.free_name()
    waits = [["sub", "--matrix", matrix, "--channel", "lines", "--mode", "broadcast"],
             ["channel", "tail", matrix, "lines"]]
    pub(tool, matrix, "lines", "--mode", "broadcast", "--retain-count", 1,
        "--subscribers", 0, data=b"one\n")
    for arguments in waits:
        reader = subprocess.Popen([tool.weir, *arguments], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        tool.children.append(reader)
        assert reader.stdout.readline() != b""
        reader.stdout.close()  # nothing more comes
        assert reader.wait(timeout=30) == 1
        assert b"Broken pipe" in reader.stderr.read()
        reader.stdout = reader.stderr = None


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
