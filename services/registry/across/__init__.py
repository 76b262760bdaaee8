"""Sites beside each other: what one of them has far otherwise than its peers. A file a check, found by its name.

Most faults of a feed show nothing at the site itself: every number is plausible, every field of its kind. A file here
holds `CHECK`: which figures of each site are compared, how far sites lie apart by right and who says so, what to do. Checks
are pure functions of plain counts; what files share stands in folders: `counting` (a registry's tables counted),
`kinds` (what is far).
"""

import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import groupby
from operator import attrgetter
from typing import Literal, NamedTuple

from services.registry.across.counting.counts import Counts
from services.registry.across.kinds.far import Compared, Figure, compared

Status = Literal["failed", "passed", "not-applicable"]
"""Not applicable: too few sites have enough of it to say what is usual, or this one has too little: that is no pass."""
WORST: tuple[Status, ...] = ("failed", "passed", "not-applicable")
CALLS = 3
"""Findings that are named first."""
_FARTHEST = 10.0
"""Beyond this many spreads nothing is worse than worst: how many records it concerns decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How sites are compared in one thing. Its name is its file's."""

    what: str
    harm: int
    """3 where numbers say something wrong, 2 where something is missing, 1 where something is blurred: what is called for first."""
    tolerated: float
    """How far sites lie apart by right, as one standard deviation on the scale of the figures, besides what they do lie apart."""
    least: int
    """Fewer looked at say nothing of a site."""
    source: str
    """Of what is tolerated."""
    fix: str
    who: str = "site IT"
    figures: Callable[[Counts], Iterable[Figure]]


class Result(NamedTuple):
    """What came out of one check at one site."""

    check: str
    site: str
    status: Status
    lines: list[Compared]


class Outlier(NamedTuple):
    """Something of which a site lies far from its peers."""

    check: str
    line: Compared


class Across(NamedTuple):
    """The sites of a registry, compared."""

    sites: list[str]
    results: list[Result]
    calls: list[Outlier]
    """Those most worth a call first: one of a site and thing, however many checks tell of it."""


@cache
def shipped() -> dict[str, Check]:
    """That of each file of this folder, by name."""
    names = (found.name for found in pkgutil.iter_modules(__path__) if not found.ispkg)
    return {name.replace("_", "-"): import_module(f"{__name__}.{name}").CHECK for name in sorted(names)}


def compare(counts: Counts) -> Across:
    """All checks over what was counted at the sites."""
    sites = sorted({*counts.persons, *(site for site, _type in counts.records)})
    found = {name: _lines(check, counts) for name, check in shipped().items()}
    results = [_result(name, site, lines) for name, lines in found.items() for site in sites]
    far = [Outlier(name, line) for name, lines in found.items() for line in lines if line.far]
    return Across(sites, results, _first(far))


def _lines(check: Check, counts: Counts) -> list[Compared]:
    ordered = sorted(check.figures(counts), key=attrgetter("of"))
    of_each = (list(some) for _, some in groupby(ordered, attrgetter("of")))
    return [line for some in of_each for line in compared(some, check.tolerated, check.least)]


def _result(name: str, site: str, lines: Sequence[Compared]) -> Result:
    own = sorted((line for line in lines if line.site == site), key=lambda line: (line.z is None, -abs(line.z or 0)))
    status: Status = "not-applicable"
    if any(line.z is not None for line in own):
        status = "failed" if any(line.far for line in own) else "passed"
    return Result(name, site, status, own)


def _first(found: Iterable[Outlier]) -> list[Outlier]:
    checks, told, first = shipped(), set(), []
    for each in sorted(found, key=lambda each: (-checks[each.check].harm, -_weight(each.line), each.line)):
        thing = each.line.site, each.line.thing
        if thing not in told:
            told.add(thing)
            first.append(each)
    return first[:CALLS]


def _weight(line: Compared) -> float:
    """Records concerned, by how far."""
    return min(abs(line.z or 0), _FARTHEST) * line.looked
