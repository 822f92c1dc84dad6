# SPDX-License-Identifier: MIT OR Apache-2.0
"""Waiting in an event loop for the descriptor of a handle."""
from __future__ import annotations

import asyncio
import os
from typing import Callable

from weir._handle import Handle, _settle


async def readable(handle: Handle, fileno: Callable[[], int]) -> None:
    """Returns when the handle's descriptor is readable or the handle is closed: look again then.

    Who waits watches a copy of its own: tasks do not take each other's place in the loop, and the
    end of the handle takes no descriptor from under the loop.
    """
    loop = asyncio.get_running_loop()
    future: "asyncio.Future[None]" = loop.create_future()
    waiter = (loop, future)
    handle._waiters.add(waiter)  # first: a close from now on wakes us
    try:
        fd = os.dup(fileno())
        try:
            loop.add_reader(fd, _settle, future)
            try:
                await future
            finally:
                loop.remove_reader(fd)
        finally:
            os.close(fd)
    finally:
        handle._waiters.discard(waiter)
