# SPDX-License-Identifier: MIT OR Apache-2.0
"""weir pub and weir sub: who gets which lines, the end, kills, late comers."""

import time
from collections import Counter

from channel_support import finish, nothing_left, pub, start_pub, start_sub, stat, stream, sub
from support import wait_for

LINES = 100000
HAND = 256  # messages that a reader holds at most


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
