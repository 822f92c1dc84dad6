# SPDX-License-Identifier: MIT OR Apache-2.0
"""weir create with the kinds of memory: prefault, huge pages, node, group, lock."""

import os
import re
import resource
import signal
import subprocess
from pathlib import Path

from support import Skip, shm_file


def test_create_prefaults_what_is_asked_for(tool):
    name = tool.free_name()
    out, _ = tool.run("create", name, "--capacity", "64M", "--prefault", "16M")
    assert re.fullmatch(r"\d+\.\d MiB in memory\n", out), out
    stat = tool.json("stat", name)
    assert 16 << 20 <= stat["committed_bytes"] <= 17 << 20, stat
    assert shm_file(name).stat().st_blocks * 512 >= 16 << 20
    assert tool.run("create", tool.free_name(), "--capacity", "64M") == ("", "")
    tool.run("create", name, "--prefault", "1M", code=1)  # EEXIST: the old one stays
    assert tool.json("stat", name)["committed_bytes"] == stat["committed_bytes"]


def test_create_reports_what_is_only_tried(tool):
    name = tool.free_name()
    out, _ = tool.run("create", name, "--prefault", "8M", "--huge-pages", "--node", "0")
    assert re.search(r"^(\d.* in huge pages|no huge pages \(E[A-Z]+\))$", out, re.M), out
    out2, _ = tool.run("create", tool.free_name(), "--huge-pages")
    assert re.fullmatch(r"no huge pages( yet: .*| \(E[A-Z]+\))\n", out2), out2
    assert re.search(r"^(on node 0 while it has memory|not on node 0 \(E[A-Z]+\))$", out, re.M), out


def test_create_sets_group_and_mode(tool):
    group = os.getgroups()[0] if os.getgroups() else os.getgid()
    for given, mode in [([], 0o600), (["--group", group], 0o660),
                        (["--group", group, "--mode", "640"], 0o640)]:
        name = tool.free_name()
        tool.run("create", name, *given)
        found = shm_file(name).stat()
        assert found.st_mode & 0o777 == mode and found.st_gid in (group, os.getgid()), found
    if os.getuid() != 0:
        raise Skip("only root can be nobody")
    name = tool.free_name()
    _, err = tool.run("create", name, "--group", 1, code=1, user=65534, group=65534,
                      extra_groups=[])
    assert "no member of the group 1 (EPERM)" in err and not shm_file(name).exists(), err


def test_create_that_fails_later_leaves_nothing(tool):
    name = tool.free_name()
    limit = (1 << 20, 1 << 20)
    _, err = tool.run("create", name, "--lock", "--capacity", "64M", code=1,
                      **({"user": 65534, "group": 65534, "extra_groups": []}
                         if os.getuid() == 0 else {}),
                      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, limit))
    assert "RLIMIT_MEMLOCK" in err and "(EAGAIN)" in err, err
    assert not shm_file(name).exists()
    script = 'mount -t tmpfs -o size=8m none "$1" || exit 77; "$0" create "$1/x" --prefault 16M; ' \
             'code=$?; ls -A "$1"; exit $code'
    done = subprocess.run(["unshare", "-m", "sh", "-c", script, tool.weir, tool.folder],
                          capture_output=True, text=True, timeout=60)
    if done.returncode == 77 or "unshare" in done.stderr:
        raise Skip("only root can mount a file system")
    assert done.returncode == 1 and "prefault" in done.stderr and "(ENOSPC)" in done.stderr, done
    assert done.stdout == "", done


def test_create_stays_while_it_locks(tool):
    name = tool.free_name()
    child = tool.start("create", name, "--capacity", "1M", "--prefault", "1M", "--lock")
    lines = [child.stdout.readline(), child.stdout.readline()]
    if child.poll() is not None or not lines[1]:
        raise Skip("RLIMIT_MEMLOCK is too small for a segment of 1 MiB")
    assert lines[1].startswith(b"locked until"), lines
    status = Path(f"/proc/{child.pid}/status").read_text()
    assert int(re.search(r"VmLck:\s+(\d+)", status).group(1)) >= 1024, status
    [person] = tool.json("participants", name)["participants"]
    assert person["pid"] == child.pid, person
    child.send_signal(signal.SIGTERM)
    assert child.wait() == 0
    assert tool.json("stat", name)["committed_bytes"] >= 1 << 20
