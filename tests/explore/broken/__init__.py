# SPDX-License-Identifier: MIT OR Apache-2.0
"""The rules that broken_rules.py breaks, a file per part of the core.

Rows of rules.md, section 6, that are not here, because this code cannot break them: a heal that
does not write the TAIL (publish() writes it again), the exact class scanned with a bound (the hop
walk finds what the search has missed), the second look of a collector (nobody marks an object
that is RETIRED), hints before FREE (a chunk in which somebody holds a block keeps its step).
Of M5, a pop that lowers the count first: only its own thread reads it. Of broadcast, the holder is
given up before the pin (rules.md found no schedule that needs it either), and the second look after a
collector has put a cell back: it takes more preemptions than these bounds have.
"""

from broken import channel, flush, matrix, pool, space

RULES = matrix.RULES + space.RULES + channel.RULES + flush.RULES + pool.RULES
