# SPDX-License-Identifier: MIT OR Apache-2.0
"""weir pub and weir sub, started, fed and awaited."""

import subprocess

from support import wait_for


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
