# SPDX-License-Identifier: MIT OR Apache-2.0
"""weir: shared memory, channels and durable logs for the processes of one machine."""
from weir import _ffi, errors
from weir._error import Error
from weir._ffi import VERSION as __version__
from weir._ffi import (AllocFlags, BlockKind, ChannelMode, ChannelOverflow, CheckFlags, CursorFlags,
                       DeathPolicy, Effort, LogDurability, LogEvidence, LogFlags, LogRecovery,
                       LogVerdict, MatrixFlags, PoolFlags, ReaderFlags, RouterAction,
                       RouterCondition)
from weir.batch import Blocks, Messages
from weir.channel import Channel, Message, Subscription
from weir.errors import *  # noqa: F403
from weir.log import Log, LogReader, Record, load_cursor, store_cursor, verify
from weir.matrix import Block, Matrix
from weir.pool import Ids, Pool, Slot
from weir.router import Router, Rule

OWNER_NONE = _ffi.WEIR_OWNER_NONE
REF_NONE = _ffi.WEIR_REF_NONE


def library_version() -> str:
    """The version of the library that is loaded."""
    return _ffi.weir_version_string().decode()


__all__ = ["AllocFlags", "Block", "BlockKind", "Blocks", "Channel", "ChannelMode",
           "ChannelOverflow", "CheckFlags", "CursorFlags", "DeathPolicy", "Effort", "Error", "Ids",
           "Log", "LogDurability", "LogEvidence", "LogFlags", "LogReader", "LogRecovery",
           "LogVerdict", "Matrix", "MatrixFlags", "Message", "Messages", "OWNER_NONE", "Pool",
           "PoolFlags", "REF_NONE", "ReaderFlags", "Record", "Router", "RouterAction",
           "RouterCondition", "Rule", "Slot", "Subscription", "__version__", "errors",
           "library_version", "load_cursor", "store_cursor", "verify"]
