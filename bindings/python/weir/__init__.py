# SPDX-License-Identifier: MIT OR Apache-2.0
"""weir: shared memory, channels and durable logs for the processes of one machine."""
from weir import _ffi
from weir._error import Error
from weir._ffi import VERSION as __version__
from weir.channel import Channel, Message, Subscription
from weir.errors import *  # noqa: F403
from weir.log import Log, LogReader, Record, load_cursor, store_cursor, verify
from weir.matrix import Block, Matrix

OWNER_NONE = _ffi.WEIR_OWNER_NONE
REF_NONE = _ffi.WEIR_REF_NONE


def library_version() -> str:
    """The version of the library that is loaded."""
    return _ffi.weir_version_string().decode()


__all__ = ["Block", "Channel", "Error", "Log", "LogReader", "Matrix", "Message", "OWNER_NONE",
           "REF_NONE", "Record", "Subscription", "__version__", "library_version", "load_cursor",
           "store_cursor", "verify"]
