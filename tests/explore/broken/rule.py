# SPDX-License-Identifier: MIT OR Apache-2.0
"""One row: what is edited, and which scenario must notice."""


def rule(name, scenario, bounds, *edits, sees="", schedules=200000, also=(), within=()):
    """bounds: preemptions, deaths, stops. sees: what the failure must say. also: files of the explorer
    that have the edited code inline. within: of the files that have an edited header's code inline,
    those in which breaking it is enough; without it all are compiled."""
    return {"rule": name, "scenario": scenario, "bounds": bounds, "edits": edits, "sees": sees,
            "schedules": schedules, "also": also, "within": within}
