"""`mainstem map` on one core of the types that the synthetic children do not have: requests, answers, appointments, goals …

Of this checkout alone: an older one maps some of them, or none.
"""

from collections.abc import Iterator

import content
from bench import CHANGES, FEW, Bench
from figure import Figure
from measuring import Ran, quickest

LINES = 60_000
ROUNDS = 3


def figures(bench: Bench) -> Iterator[Figure]:
    """Resources a second without the start, by the difference of many lines and few."""
    for kind in CHANGES:
        few, many = _mapped(bench, kind, FEW), _mapped(bench, kind, LINES)
        marginal, by_cpu = ((LINES - FEW) / (after - before) for after, before in _times(many, few))
        note = f"{many.mebibytes / few.mebibytes:.2f} times the memory of {FEW:,} lines"
        yield Figure(f"map, one core, other types, {kind}", marginal, "resources/s", "now", by_cpu, "", note)


def _times(many: Ran, few: Ran) -> tuple[tuple[float, float], tuple[float, float]]:
    return (many.seconds, few.seconds), (many.cpu, few.cpu)


def _mapped(bench: Bench, kind: str, lines: int) -> Ran:
    delivery, now = bench.other_types(kind, lines), bench.checkouts[0]
    site = content.site_file(delivery)
    return quickest(now.mainstem("map", "--site", site, delivery, core=0) for _ in range(ROUNDS))
