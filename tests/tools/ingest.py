# SPDX-License-Identifier: MIT OR Apache-2.0
"""weir ingest: what is delivered, what kills do, and that each of its checks can fail."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from support import BAD_USAGE, Skip, make_tree, read_tree, shm_file, wait_for

NOBODY = 65534


def assert_all_good(report, files):
    assert report["good"], report
    assert report["files"] == report["verified"] == files, report
    assert report["deliveries"] == files + report["duplicates"], report
    segment = report["segment"]
    assert segment["whole"] and segment["used_blocks"] == 0 and segment["errors"] == 0, report


def held(tool, *arguments):
    """Starts an ingest that waits before it compares; returns it and how to let it go on."""
    gate = tool.folder / "gate"
    os.mkfifo(gate)
    child = tool.start("ingest", *arguments, "--hold", gate, "--json")
    writer = os.open(gate, os.O_WRONLY)  # returns when the command waits there

    def release():
        os.close(writer)
        out, err = child.communicate(timeout=30)
        return child.returncode, json.loads(out), err.decode()

    return child, release


def problem_of(report):
    assert len(report["problems"]) == 1, report
    return report["problems"][0]


def test_all_files_of_a_tree_are_verified(tool):
    contents = make_tree(tool.folder / "in")
    report = tool.json("ingest", "--from", tool.folder / "in")
    assert_all_good(report, len(contents))
    assert report["duplicates"] == 0
    assert report["bytes"] == report["verified_bytes"] == sum(map(len, contents.values()))
    assert report["post_to_read_ns"]["samples"] == len(contents)


def test_the_summary_says_what_was_done(tool):
    contents = make_tree(tool.folder / "in")
    out, err = tool.run("ingest", "--from", tool.folder / "in")
    assert f"all {len(contents)} files verified" in out, out
    assert "0 blocks left, segment whole" in out, out
    assert err == "", err


def test_an_empty_folder_is_fine(tool):
    (tool.folder / "in").mkdir()
    assert_all_good(tool.json("ingest", "--from", tool.folder / "in"), 0)


def test_written_files_are_equal(tool):
    contents = make_tree(tool.folder / "in")
    report = tool.json("ingest", "--from", tool.folder / "in", "--out", tool.folder / "out")
    assert_all_good(report, len(contents))
    assert read_tree(tool.folder / "out") == contents


def test_one_producer_and_one_consumer_are_enough(tool):
    contents = make_tree(tool.folder / "in")
    report = tool.json("ingest", "--from", tool.folder / "in", "--producers", 1, "--consumers", 1)
    assert_all_good(report, len(contents))


def test_a_capacity_below_the_tree_makes_producers_wait(tool):
    contents = make_tree(tool.folder / "in", files=1000, big=5 << 20)
    report = tool.json("ingest", "--from", tool.folder / "in", "--capacity", "10M",
                       "--producers", 6, "--consumers", 1)
    assert_all_good(report, len(contents))
    assert report["bytes"] > 10 << 20


def test_nothing_is_lost_when_workers_are_killed(tool):
    contents = make_tree(tool.folder / "in", files=4000)
    killed = 0
    for seed in range(1, 6):
        report = tool.json("ingest", "--from", tool.folder / "in", "--kill", "2ms", "--seed", seed)
        assert_all_good(report, len(contents))
        killed += report["kills"]["producers"] + report["kills"]["consumers"]
    assert killed > 20, killed


def test_written_files_are_equal_when_workers_are_killed(tool):
    contents = make_tree(tool.folder / "in", files=2000)
    report = tool.json("ingest", "--from", tool.folder / "in", "--out", tool.folder / "out",
                       "--kill", "5ms", "--capacity", "16M")
    assert_all_good(report, len(contents))
    assert report["kills"]["producers"] + report["kills"]["consumers"] > 5, report
    assert read_tree(tool.folder / "out") == contents


def test_a_file_that_takes_longer_than_a_worker_lives_gets_through(tool):
    (tool.folder / "in").mkdir()
    (tool.folder / "in" / "big").write_bytes(bytes(100 << 20))
    report = tool.json("ingest", "--from", tool.folder / "in", "--kill", "1ms",
                       "--capacity", "128M", "--producers", 1, "--consumers", 1)
    assert_all_good(report, 1)
    assert report["kills"]["withheld"] > 0, report


def test_a_changed_file_is_found(tool):
    make_tree(tool.folder / "in")
    child, release = held(tool, "--from", tool.folder / "in")
    (tool.folder / "in" / "a name with spaces").write_bytes(b"Spaces\n")
    code, report, _ = release()
    assert code == 1 and not report["good"]
    problem = problem_of(report)
    assert problem["path"] == "a name with spaces" and "checksum" in problem["reason"], problem


def test_a_longer_file_is_found(tool):
    make_tree(tool.folder / "in")
    child, release = held(tool, "--from", tool.folder / "in")
    (tool.folder / "in" / "empty").write_bytes(b"!")
    code, report, _ = release()
    assert code == 1 and "1 bytes, 0 were" in problem_of(report)["reason"], report


def test_a_missing_file_is_found(tool):
    make_tree(tool.folder / "in")
    child, release = held(tool, "--from", tool.folder / "in")
    (tool.folder / "in" / "one").unlink()
    code, report, _ = release()
    assert code == 1 and "cannot be read again" in problem_of(report)["reason"], report


def test_a_damaged_written_file_is_found(tool):
    make_tree(tool.folder / "in")
    child, release = held(tool, "--from", tool.folder / "in", "--out", tool.folder / "out")
    (tool.folder / "out" / "sizes" / "1024").write_bytes(bytes(1024))
    code, report, _ = release()
    assert code == 1 and "the written file" in problem_of(report)["reason"], report


def test_a_lost_block_is_found(tool):
    contents = make_tree(tool.folder / "in")
    report = tool.json("ingest", "--from", tool.folder / "in", "--leave-block", code=1)
    assert report["verified"] == len(contents) and not report["good"]
    assert report["segment"]["used_blocks"] == report["segment"]["orphans"] == 1, report
    out, _ = tool.run("ingest", "--from", tool.folder / "in", "--leave-block", code=1)
    assert "NOT WHOLE" in out and "1 of them leaks" in out, out


def test_an_unreadable_file_is_named(tool):
    if os.geteuid() != 0:
        user = {}
    else:
        shutil.copy(tool.weir, tool.folder / "weir")
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    contents = make_tree(tool.folder / "in", files=10)
    tool.folder.chmod(0o755)
    (tool.folder / "in" / "one").chmod(0)
    try:
        tool.run("--version", **user)
    except (AssertionError, PermissionError):
        raise Skip("another user cannot run the command here")
    out, _ = tool.run("ingest", "--from", tool.folder / "in", code=1, **user)
    assert f"{len(contents) - 1} of {len(contents)} files verified" in out, out
    assert "one: cannot be read: Permission denied" in out, out


def test_links_and_pipes_are_skipped_and_counted(tool):
    contents = make_tree(tool.folder / "in", files=5)
    (tool.folder / "in" / "link").symlink_to("one")
    (tool.folder / "in" / "loop").symlink_to(".")
    (tool.folder / "in" / "dangling").symlink_to("nowhere")
    os.mkfifo(tool.folder / "in" / "pipe")
    report = tool.json("ingest", "--from", tool.folder / "in")
    assert_all_good(report, len(contents))
    assert report["skipped_links"] == 3 and report["skipped_specials"] == 1, report


def test_a_file_above_the_capacity_is_refused_before_the_start(tool):
    make_tree(tool.folder / "in")
    _, err = tool.run("ingest", "--from", tool.folder / "in", "--capacity", "4M", code=1)
    assert "--capacity 4.0 MiB is too small" in err and "big" in err, err


def test_a_missing_folder_is_an_error(tool):
    _, err = tool.run("ingest", "--from", tool.folder / "in", code=1)
    assert "No such file" in err and err.count("\n") == 1, err


def test_a_file_is_no_folder(tool):
    (tool.folder / "in").write_bytes(b"")
    _, err = tool.run("ingest", "--from", tool.folder / "in", code=1)
    assert "not a folder" in err, err


def test_an_out_folder_that_cannot_be_written_is_an_error(tool):
    make_tree(tool.folder / "in", files=5)
    (tool.folder / "out").write_bytes(b"")
    tool.run("ingest", "--from", tool.folder / "in", "--out", tool.folder / "out", code=1)


def test_a_file_that_cannot_be_written_is_a_problem_of_its_own(tool):
    contents = make_tree(tool.folder / "in", files=5)
    (tool.folder / "out" / "big").mkdir(parents=True)
    report = tool.json("ingest", "--from", tool.folder / "in", "--out", tool.folder / "out", code=1)
    assert report["verified"] == len(contents) - 1 and report["failed_workers"] == 0, report
    problem = problem_of(report)
    assert problem["path"] == "big" and "cannot be written: Is a dir" in problem["reason"], problem


def test_a_failing_run_says_so_in_json(tool):
    make_tree(tool.folder / "in", files=5)
    report = tool.json("ingest", "--from", tool.folder / "in", "--capacity", "4M", code=1)
    assert report["good"] is False and "too small" in report["error"], report


def test_the_files_that_are_read_are_never_written(tool):
    """--out in --from, --from in --out, both the same, by another name and through a link."""
    make_tree(tool.folder / "in" / "deep", files=5)
    program = tool.folder / "in" / "program"
    program.write_bytes(b"program")
    program.chmod(0o4755)
    (tool.folder / "link").symlink_to("in")
    before = program.stat()
    for out in ["in", "link", "in/new", "in/deep", "link/deep/new/er", "in/../in", "."]:
        _, err = tool.run("ingest", "--from", tool.folder / "in", "--out", tool.folder / out,
                          code=BAD_USAGE)
        assert "must not be in one another" in err, err
    after = program.stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert not (tool.folder / "in" / "new").exists()


def test_written_files_have_the_mode_of_their_sources(tool):
    make_tree(tool.folder / "in", files=5)
    modes = {"one": 0o600, "big": 0o755, "empty": 0o444, "sizes/1023": 0o4711, "sizes/1024": 0o666}
    for path, mode in modes.items():
        (tool.folder / "in" / path).chmod(mode)
    tool.run("ingest", "--from", tool.folder / "in", "--out", tool.folder / "out")
    found = {path: (tool.folder / "out" / path).stat().st_mode & 0o7777 for path in modes}
    assert found == {path: mode & 0o777 for path, mode in modes.items()}, found


def test_files_that_lie_about_their_size_are_named(tool):
    if not Path("/proc/self/status").exists():
        raise Skip("no /proc")
    out, _ = tool.run("ingest", "--from", "/proc/sys/kernel/random", code=1)
    assert "has a size of 0 and content" in out, out


def test_a_full_file_system_is_named_soon(tool):
    make_tree(tool.folder / "in", files=50)
    name = tool.free_name()
    begin = time.monotonic()
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=2m none /dev/shm || exit 99; exec "$@"',
         "sh", tool.weir, "ingest", "--from", tool.folder / "in", "--name", name],
        capture_output=True, timeout=60)
    if done.returncode == 99 or b"unshare" in done.stderr:
        raise Skip("only root can mount")
    assert done.returncode == 1 and b"ENOSPC" in done.stderr, done
    assert time.monotonic() - begin < 25, done


def test_writing_never_follows_links_out_of_the_folder(tool):
    make_tree(tool.folder / "in", files=5)
    (tool.folder / "elsewhere").mkdir()
    (tool.folder / "out").mkdir()
    (tool.folder / "out" / "sizes").symlink_to(tool.folder / "elsewhere")
    out, _ = tool.run("ingest", "--from", tool.folder / "in", "--out", tool.folder / "out", code=1)
    assert "cannot be written" in out, out
    assert list((tool.folder / "elsewhere").iterdir()) == []


def test_a_named_segment_can_be_looked_at_and_goes_at_the_end(tool):
    make_tree(tool.folder / "in")
    name = tool.free_name()
    child, release = held(tool, "--from", tool.folder / "in", "--name", name)
    roots = {root["name"] for root in tool.json("stat", name)["roots"]}
    assert "weir-ingest.ledger" in roots, roots
    code, report, _ = release()
    assert code == 0 and not shm_file(name).exists()


def test_a_taken_name_is_refused(tool):
    make_tree(tool.folder / "in", files=5)
    name = tool.segment()
    _, err = tool.run("ingest", "--from", tool.folder / "in", "--name", name, code=1)
    assert "EEXIST" in err, err
    assert shm_file(name).exists()


def test_an_interrupt_removes_what_was_made_and_ends_as_one(tool):
    make_tree(tool.folder / "in", files=5)
    for number in [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]:
        name = tool.free_name()
        out = tool.folder / f"out-{number.name}"
        child, _ = held(tool, "--from", tool.folder / "in", "--name", name, "--out", out)
        assert shm_file(name).exists() and list(out.glob(".weir-ingest.*"))
        child.send_signal(number)
        assert child.wait(timeout=10) == -number
        assert not shm_file(name).exists() and not list(out.glob(".weir-ingest.*"))
        (tool.folder / "gate").unlink()


def test_a_closed_stdout_does_not_leave_the_name(tool):
    make_tree(tool.folder / "in", files=5)
    name = tool.free_name()
    gate = tool.folder / "gate"
    os.mkfifo(gate)
    child = tool.start("ingest", "--from", tool.folder / "in", "--name", name, "--hold", gate)
    writer = os.open(gate, os.O_WRONLY)
    child.stdout.close()
    os.close(writer)
    assert child.wait(timeout=20) == 1
    tool.children.remove(child)  # what clears away would read from it
    child.stderr.close()
    assert not shm_file(name).exists()


def test_workers_die_with_their_parent(tool):
    make_tree(tool.folder / "in", files=4000)
    child = tool.start("ingest", "--from", tool.folder / "in", "--producers", 1)
    listed = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    wait_for(lambda: len(listed.read_text().split()) == 3, "three workers", 5)
    workers = listed.read_text().split()
    child.kill()
    child.wait()
    wait_for(lambda: not any(is_alive(pid) for pid in workers), "dead workers")


def is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
