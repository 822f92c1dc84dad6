# SPDX-License-Identifier: MIT OR Apache-2.0
"""weir log, weir ingest --log, weir record and weir replay."""

import json
import os
import signal
import struct
import subprocess
import time
from pathlib import Path

from support import BAD_USAGE, Skip, make_tree, wait_for

HEAD = struct.Struct("<QQII")  # index, length, mode, length of the path: of a record of an ingest


def make_log(tool, name="log", files=20):
    """A log that was closed cleanly, and the files in it."""
    contents = make_tree(tool.folder / f"{name}-in", files=files, big=300000)
    log = tool.folder / name
    tool.run("ingest", "--from", tool.folder / f"{name}-in", "--log", log)
    return log, contents


def dump(tool, log, *arguments, code=0):
    out, _ = tool.run("log", "dump", log, "--json", *arguments, code=code)
    return [json.loads(line) for line in out.splitlines()]


def payloads(tool, log):
    return [bytes.fromhex(record["hex"]) for record in dump(tool, log)]


def files_in(records):
    """Path and content, of what an ingest has appended."""
    found = {}
    for record in records:
        _, length, _, path_length = HEAD.unpack_from(record)
        path = record[HEAD.size:HEAD.size + path_length]
        found[os.fsdecode(path)] = record[HEAD.size + path_length:]
        assert len(found[os.fsdecode(path)]) == length
    return found


def flip(file, offset, mask=1):
    with open(file, "r+b") as opened:
        opened.seek(offset)
        byte = opened.read(1)[0]
        opened.seek(offset)
        opened.write(bytes([byte ^ mask]))


def first_segment(log):
    return sorted(log.glob("seg-*"))[0]


def damage(tool, log, number):
    """Flips a byte of the payload of record `number`; its LSN."""
    records = dump(tool, log)
    lsn = records[number]["lsn"]
    flip(first_segment(log), lsn + 16 + records[number]["length"] // 2)
    return lsn


def test_ingest_appends_every_file_to_the_log(tool):
    log, contents = make_log(tool)
    assert files_in(payloads(tool, log)) == contents


def test_ingest_says_that_the_log_is_whole(tool):
    contents = make_tree(tool.folder / "in", files=20)
    out, _ = tool.run("ingest", "--from", tool.folder / "in", "--log", tool.folder / "log")
    assert "all as the files are" in out and "log whole" in out, out
    batches = tool.json("log", "verify", tool.folder / "log")["batches"]
    report = tool.json("ingest", "--from", tool.folder / "in", "--log", tool.folder / "log")
    state = report["log"]
    after = tool.json("log", "verify", tool.folder / "log")
    assert state["batches"] == after["batches"] - batches > 0, (batches, report, after)
    assert report["good"] and state["whole"] and state["verdict"] == "log whole", report
    assert state["records"] == len(contents) and state["duplicates"] == 0, report
    assert len(payloads(tool, tool.folder / "log")) == 2 * len(contents)


def test_nothing_is_lost_from_the_log_when_its_writer_is_killed(tool):
    contents = make_tree(tool.folder / "in", files=2000)
    consumers = 0
    for seed, interval in [(1, "50ms"), (2, "10ms"), (3, "10ms")]:
        log = tool.folder / f"log{seed}"
        report = tool.json("ingest", "--from", tool.folder / "in", "--log", log,
                           "--kill", interval, "--seed", seed)
        assert report["good"] and report["verified"] == len(contents), report
        assert report["log"]["whole"] and report["log"]["verdict"] == "log whole", report
        assert files_in(payloads(tool, log)) == contents
        tool.run("log", "verify", log)
        consumers += report["kills"]["consumers"]
        assert report["log"]["openings"] >= 1, report
    assert consumers > 3, consumers


def test_ingest_finds_that_the_log_differs(tool):
    make_tree(tool.folder / "in", files=5)
    gate = tool.folder / "gate"
    os.mkfifo(gate)
    log = tool.folder / "log"
    child = tool.start("ingest", "--from", tool.folder / "in", "--log", log, "--hold", gate)
    writer = os.open(gate, os.O_WRONLY)
    damage(tool, log, 3)
    os.close(writer)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 1, (child.returncode, out, err)
    assert b"CORRUPT" in err or b"NOT WHOLE" in out, (out, err)


def test_only_one_consumer_writes_a_log(tool):
    make_tree(tool.folder / "in", files=1)
    tool.run("ingest", "--from", tool.folder / "in", "--log", tool.folder / "log",
             "--consumers", 2, code=BAD_USAGE)


def test_info_and_verify_of_a_whole_log(tool):
    log, contents = make_log(tool)
    out, _ = tool.run("log", "info", log)
    assert "whole" in out and "LSN" in out, out
    info = tool.json("log", "info", log)
    assert info["verdict"] == "whole" and info["durable_lsn"] > info["first_lsn"], info
    out, _ = tool.run("log", "verify", log)
    assert "whole" in out, out
    report = tool.json("log", "verify", log)
    assert report["verdict"] == "whole" and report["records"] == len(contents), report
    assert report["end_lsn"] == report["durable_lsn"] == info["durable_lsn"], report


def test_dump_takes_a_range(tool):
    log, _ = make_log(tool)
    records = dump(tool, log)
    lsns = [record["lsn"] for record in records]
    assert lsns == sorted(lsns)
    assert dump(tool, log, "--from", lsns[5], "--to", lsns[9]) == records[5:9]
    assert dump(tool, log, "--from", lsns[5] + 1, "--to", lsns[9]) == records[6:9]
    out, _ = tool.run("log", "dump", log, "--from", lsns[5], "--to", lsns[6], "--hex")
    assert f"{records[5]['length']:>8}\n  00000000  " in out, out


def test_a_dump_shows_no_control_characters(tool):
    (tool.folder / "in").mkdir()
    (tool.folder / "in" / "\033[31mred\nline").write_bytes(b"\033[2J\x07\x9b\n")
    log = tool.folder / "a\033[1mlog\n"
    out, _ = tool.run("ingest", "--from", tool.folder / "in", "--log", log)
    for arguments in [["dump"], ["tail"], ["verify"], ["info"], ["repair"]]:
        out, err = tool.run("log", *arguments, log)
        assert "\033" not in out + err and "\x07" not in out + err, (arguments, out, err)
    tool.json("log", "verify", log)
    (log / "META").unlink()
    for segment in log.glob("seg-*"):
        segment.unlink()
    _, err = tool.run("log", "dump", tool.folder / "no\033log", code=1)
    assert "\033" not in err, err


def test_tail_shows_the_last_records(tool):
    log, _ = make_log(tool)
    out, _ = tool.run("log", "tail", log, "-n", 3, "--json")
    assert [json.loads(line) for line in out.splitlines()] == dump(tool, log)[-3:], out
    out, _ = tool.run("log", "tail", log)
    assert len(out.splitlines()) == 11, out


def has_open(child, name):
    """Whether a process has a file open whose name begins so."""
    for link in Path(f"/proc/{child.pid}/fd").iterdir():
        try:
            if os.readlink(link).startswith(str(name)):
                return True
        except FileNotFoundError:
            pass  # closed meanwhile
    return False


def test_tail_follows(tool):
    log, contents = make_log(tool)
    child = tool.start("log", "tail", log, "-n", 0, "-f", "--json")
    wait_for(lambda: has_open(child, log / "seg-"), "the tail reads")
    time.sleep(0.3)  # to the end
    assert child.poll() is None
    more = make_tree(tool.folder / "more", files=3, big=1000)
    tool.run("ingest", "--from", tool.folder / "more", "--log", log)
    lines = [child.stdout.readline() for _ in more]
    child.send_signal(signal.SIGINT)
    child.wait(timeout=10)
    assert [json.loads(line) for line in lines] == dump(tool, log)[len(contents):]


def test_one_damaged_superblock_is_no_loss(tool):
    log, contents = make_log(tool)
    flip(log / "META", 100)
    report = tool.json("log", "verify", log, code=1)
    assert report["verdict"] == "torn", report
    out, _ = tool.run("log", "verify", log, code=1)
    assert "one superblock is damaged" in out and "drops" not in out, out
    out, _ = tool.run("log", "repair", log)
    assert "mended     a superblock" in out, out
    tool.run("log", "verify", log)
    assert files_in(payloads(tool, log)) == contents


def test_damage_is_told_with_its_place(tool):
    log, _ = make_log(tool)
    lsn = damage(tool, log, 4)
    report = tool.json("log", "verify", log, code=2)
    assert report["verdict"] == "corrupt", report
    assert report["segment"] == 0 and report["offset"] <= lsn and report["lsn"] <= lsn, report
    out, _ = tool.run("log", "verify", log, code=2)
    assert f"segment 0, offset {report['offset']}" in out, out
    _, err = tool.run("log", "dump", log, code=1)
    assert "CORRUPT" in err and f"{log}: " in err, err
    make_tree(tool.folder / "in", files=1)
    _, err = tool.run("ingest", "--from", tool.folder / "in", "--log", log, code=1)
    assert "CORRUPT" in err, err


def test_tail_goes_on_behind_damage_if_asked(tool):
    log, _ = make_log(tool)
    before = dump(tool, log)
    damage(tool, log, 4)
    _, err = tool.run("log", "tail", log, code=1)
    assert "CORRUPT" in err, err
    out, _ = tool.run("log", "tail", log, "-n", 1, "--json", "--salvage")
    last = json.loads(out)
    assert last["lsn"] in [record["lsn"] for record in before], (last, before)


def test_repair_names_the_ways_out_of_damage(tool):
    log, contents = make_log(tool)
    before = dump(tool, log)
    lsn = damage(tool, log, 4)
    _, err = tool.run("log", "repair", log, code=1)
    assert "--point-in-time" in err and "--salvage-to" in err, err
    copy = tool.folder / "copy"
    report = tool.json("log", "repair", log, "--salvage-to", copy)
    assert report["gaps"] >= 1 and report["records"] >= 1, report
    tool.run("log", "verify", copy)
    saved = payloads(tool, copy)
    assert 0 < len(saved) < len(contents)
    assert set(saved) <= {bytes.fromhex(record["hex"]) for record in before}
    report = tool.json("log", "repair", log, "--point-in-time")
    tool.run("log", "verify", log)
    left = dump(tool, log)
    assert left == before[:len(left)] and all(record["lsn"] < lsn for record in left)
    assert (log / "quarantine").is_dir()


def test_bad_usage_is_exit_code_64(tool):
    log, _ = make_log(tool)
    for words in [["log"], ["log", "verify"], ["log", "verify", ""], ["log", "verify", log, "more"],
                  ["log", "verify", log, "--unknown"], ["log", "unknown", log], ["log", "dump", ""],
                  ["log", "dump", log, "--from", "x"], ["log", "tail", log, "-n", "-1"],
                  ["log", "repair", log, "--point-in-time", "--salvage-to", "x"],
                  ["log", "tail", log, "-n", 1 << 64], ["log", "info", log, "more"],
                  ["record", "a", "b"], ["replay", "a", "b"],
                  ["record", "--matrix", "m", "channel"]]:
        tool.run(*words, code=BAD_USAGE)


def test_a_verdict_that_cannot_be_told_is_none(tool):
    log, _ = make_log(tool)
    with open("/dev/full", "w") as full:
        done = subprocess.run([tool.weir, "log", "verify", log], stdout=full,
                              stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 3 and b"stdout" in done.stderr, done


def test_a_log_that_is_not_there_is_an_error(tool):
    for verb in ["info", "verify", "dump", "tail", "repair"]:
        out, err = tool.run("log", verb, tool.folder / "none", code=3 if verb == "verify" else 1)
        assert "ENOENT" in err and err.count("\n") == 1, (verb, err)
    assert not (tool.folder / "none").exists()


def start_recorder(tool, matrix, channel, log, *arguments):
    child = tool.start("record", "--matrix", matrix, channel, log, "--json", *arguments)
    wait_for(lambda: (log / "META").exists() or child.poll() is not None, "the recorder")
    time.sleep(0.1)
    return child


def test_what_was_recorded_is_replayed(tool):
    log, contents = make_log(tool)
    matrix = tool.segment("16M")
    first, second = tool.folder / "first", tool.folder / "second"
    recorder = start_recorder(tool, matrix, "one", first, "--count", len(contents))
    replayed = tool.json("replay", "--matrix", matrix, log, "one")
    assert replayed["replayed"] == len(contents), replayed
    out, err = recorder.communicate(timeout=30)
    assert recorder.returncode == 0, err
    assert json.loads(out)["recorded"] == len(contents), out
    recorder = start_recorder(tool, matrix, "two", second, "--count", len(contents))
    tool.json("replay", "--matrix", matrix, first, "two")
    recorder.communicate(timeout=30)
    recorded = payloads(tool, first)
    assert recorded == payloads(tool, second)  # with their tags
    assert files_in(message[8:] for message in recorded) == contents
    tool.run("log", "verify", first)
    report = tool.json("stat", matrix)
    assert report["used_blocks"] == len(report["roots"]) == 2, report  # the channels


def test_a_recorder_that_is_interrupted_has_recorded_what_it_says(tool):
    log, contents = make_log(tool)
    matrix = tool.segment("16M")
    copy = tool.folder / "copy"
    recorder = start_recorder(tool, matrix, "one", copy)
    tool.json("replay", "--matrix", matrix, log, "one")
    time.sleep(0.3)
    recorder.send_signal(signal.SIGINT)
    out, _ = recorder.communicate(timeout=30)
    assert json.loads(out)["recorded"] == len(payloads(tool, copy)) == len(contents), out


def test_no_message_is_lost_when_recorders_are_killed(tool):
    log, contents = make_log(tool, files=400)
    matrix = tool.segment("64M")
    copy = tool.folder / "copy"
    recorder = start_recorder(tool, matrix, "one", copy)
    replay = tool.start("replay", "--matrix", matrix, log, "one", "--json")
    kills = 0
    while replay.poll() is None or kills < 3:
        time.sleep(0.05)
        recorder.kill()
        recorder.wait()
        kills += 1
        recorder = tool.start("record", "--matrix", matrix, "one", copy, "--json")
        assert kills < 200

    def stat():
        return tool.json("stat", matrix)

    wait_for(lambda: stat()["used_blocks"] == 1, "the rest is recorded", 20)
    recorder.send_signal(signal.SIGINT)
    recorder.communicate(timeout=30)
    wanted = {}
    for path, content in files_in(payloads(tool, log)).items():
        wanted[path] = content
    assert files_in(message[8:] for message in payloads(tool, copy)) == wanted == contents
    tool.run("log", "verify", copy)


def test_a_replay_that_waits_for_memory_can_be_interrupted(tool):
    matrix = tool.segment("4M")
    log, _ = make_log(tool)
    tool.run("replay", "--matrix", matrix, log, "full")
    child = tool.start("replay", "--matrix", matrix, log, "full")  # no room for all of it twice
    time.sleep(0.5)
    assert child.poll() is None
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=10)
    assert child.returncode == 1 and b"interrupted" in err, (child.returncode, err)
    tool.run("check", matrix)


def test_a_cursor_that_may_not_be_read_is_not_called_damaged(tool):
    log, _ = make_log(tool)
    (log / "cursors").mkdir(exist_ok=True)
    (log / "cursors" / "mine").write_bytes(b"")
    for path in [tool.folder, log, *log.iterdir()]:
        path.chmod(0o755)
    (log / "cursors" / "mine").chmod(0)
    stranger = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        _, err = tool.run("log", "verify", log, code=3, **stranger)
    except PermissionError:
        raise Skip("strangers cannot run the command where it is") from None
    assert "EACCES" in err, err


def test_a_bench_that_is_interrupted_removes_what_it_wrote(tool):
    child = tool.start("log", "bench", tool.folder, "--seconds", "0.5", "--threads", "1")
    wait_for(lambda: list(tool.folder.iterdir()), "the bench begins")
    child.send_signal(signal.SIGTERM)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 1 and b"interrupted" in err, (child.returncode, err)
    assert not list(tool.folder.iterdir())


def test_a_log_without_its_superblocks_is_corrupt_and_not_none(tool):
    log, contents = make_log(tool)
    (log / "META").unlink()
    out, _ = tool.run("log", "verify", log, code=2)
    assert "META" in out, out
    for verb in ["info", "dump", "tail"]:
        _, err = tool.run("log", verb, log, code=1)
        assert "CORRUPT" in err and "META" in err and "weir log repair" in err, (verb, err)
    tool.run("log", "repair", log)
    assert files_in(payloads(tool, log)) == contents
