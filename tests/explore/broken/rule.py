# SPDX-License-Identifier: MIT OR Apache-2.0
"""One row: what is edited, and which scenario must notice."""


def rule(name, scenario, bounds, *edits, sees="", schedules=None, walk=None, also=(),
         within=()):
    """bounds: preemptions, deaths, stops. sees: what the failure must say. also: files of the explorer
    that have the edited code inline. within: of the files that have an edited header's code inline,
    those in which breaking it is enough; without it all are compiled. walk: the seed of random walks
    instead of a search in order: deep in a large scenario they meet a flaw sooner."""
    return {"rule": name, "scenario": scenario, "bounds": bounds, "edits": edits, "sees": sees,
            "schedules": schedules or (3000000 if walk else 200000), "walk": walk, "also": also,
            "within": within}
