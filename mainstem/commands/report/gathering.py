"""What is told to a site: what could not be used, line by line and part by part, what was withdrawn for it, and how it goes."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import msgspec

from connectors.formats.ndjson import read_batches
from connectors.landing import Landing
from mainstem.commands.codes.gathering import as_written, of_records
from mainstem.commands.report.contested import Contested, contested
from mainstem.commands.report.fetching import contested_at_pages
from mainstem.refresh import Refresh
from mainstem.refresh.derive import mapper_of
from mainstem.refresh.refused import refused
from mainstem.state import Load
from schemas.loads import Gap, TypeCounts
from schemas.outcomes import record_type_of
from schemas.problems import Problem, Reason, reason_of, who_acts
from transforms import Mapper
from transforms.fhir.elements import Scalar, text_of
from transforms.fhir.us_core import is_must_have

PARTS_LOOKED_AT = 200_000
"""Landed lines of a type that are read for parts that were left out."""
CODES = 20
RULES = 30
"""Broken rules that are told."""
_WITHDRAWN = "withdrawn"
_NUMBERED = re.compile(r"\[[0-9.]+\]")


@dataclass(frozen=True)
class Line:
    """One resource, or one part of one, that gave no record."""

    reference: str
    """The hospital's own: `Observation/wt-7`."""
    part: bool
    """Whether the rest of the resource stands."""
    reason: Reason
    field: str
    load: str
    file: str
    line: int
    withdrawn: bool = False
    """Whether what the resource gave before was withdrawn."""

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "reference",
        "what",
        "field",
        "reason",
        "meaning",
        "what_to_do",
        "who",
        "withdrew",
        "load",
        "file",
        "line",
    )

    def as_row(self) -> dict[str, Any]:
        """For machines and spreadsheets."""
        return {
            "reference": self.reference,
            "what": "part" if self.part else "resource",
            "field": self.field,
            "reason": self.reason.value,
            "meaning": self.reason.meaning,
            "what_to_do": self.reason.fix,
            "who": who_acts(self.reason),
            "withdrew": "yes" if self.withdrawn else "no",
            "load": self.load,
            "file": self.file,
            "line": self.line,
        }


@dataclass(frozen=True)
class Group:
    """Lines that are mended alike."""

    reason: Reason
    field: str
    count: int
    parts: int

    @property
    def who(self) -> str:
        """Who can mend them."""
        return who_acts(self.reason)


@dataclass(frozen=True)
class Told:
    """One load of the trend."""

    load: Load
    read: int
    mapped: int
    unusable: int
    """Resources skipped for a reason that somebody can mend."""
    expected: int
    parts: int
    withdrawn: int
    source_unusable: int
    reasons: list[tuple[str, int]]

    @property
    def kind(self) -> str:
        """What the load did."""
        return self.load.plan.replay or self.load.mode


@dataclass
class DataReport:
    """All of it."""

    site: str
    name: str
    made: datetime
    lines: list[Line] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    trend: list[Told] = field(default_factory=list)
    """The newest first."""
    gaps: list[Gap] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unmapped: list[tuple[str, str, str, int]] = field(default_factory=list)
    """(system, code, target system, records), the most frequent."""
    unmapped_codes: int = 0
    unmapped_records: int = 0
    rules: list["Broken"] = field(default_factory=list)
    """What resources that the last load checked in full break: what US Core demands first, then the most frequent."""
    judged: int = 0
    """Resources that it checked."""
    contested: list["Contested"] = field(default_factory=list)
    """Records that clinicians say are wrong."""
    came: list["Came"] = field(default_factory=list)
    """Every type that the site is asked for, in the order of the site file."""

    @property
    def never(self) -> list[str]:
        """Types of which nothing ever came: what they would tell is unknown, not zero."""
        return [each.resource_type for each in self.came if each.state == NEVER]


class Came(NamedTuple):
    """What came of a type."""

    resource_type: str
    whole_up_to: datetime | None
    """Everything the source knew then is here, UTC."""
    state: str
    """In words."""


NEVER, NONE, LOADED, PARTLY = "never came", "came: the site has none", "came", "came in part, never whole"


class Broken(NamedTuple):
    """A rule of FHIR R4, or a demand of US Core, that resources of a type break."""

    resource_type: str
    rule: str
    """`Observation.status: missing`."""
    found: int
    must_have: bool
    """Whether it is of an element that US Core demands."""


def gather(refresh: Refresh, *, loads: int, contests: Path | None = None) -> DataReport:
    """What a site is told, with a trend over its last loads that ended.

    `contests`: the pages' list of contested records; without it they are asked, where the settings say how.
    """
    site, store = refresh.site, refresh.store
    report = DataReport(site.site, site.name, refresh.clock())
    report.lines = [*_resources(refresh), *_parts(refresh, report.notes)]
    counts = Counter((each.reason, _place(each.field)) for each in report.lines)
    parts = Counter((each.reason, _place(each.field)) for each in report.lines if each.part)
    report.groups = [Group(*key, count, parts[key]) for key, count in counts.most_common()]
    ended = (load for load in store.loads.of(site.site, limit=10 * loads) if load.report is not None)
    report.trend = [_told(load) for load in islice(ended, loads)]
    report.gaps = list(store.gaps.of(site.site))
    report.came = list(_came(refresh))
    if report.trend and report.trend[0].load.report:
        report.notes += report.trend[0].load.report.notes
        _add_rules(report, report.trend[0].load.report.types)
    _add_codes(report, refresh)
    report.contested, unread = (contested(refresh, contests), []) if contests else contested_at_pages(refresh)
    report.notes += unread
    return report


def _came(refresh: Refresh) -> Iterator[Came]:
    """Of several types that become one kind of record, which of them gave some is not told apart."""
    site = refresh.site
    rows = {row.resource_type: row for row in refresh.store.status(site.site)}
    given = {row.record_type for row in rows.values() if row.records}
    for name in dict.fromkeys([*site.types, *site.more_types]):
        row = rows.get(name)
        any_came = row is not None and (row.record_type in given or bool(row.quarantined))
        if row is None or row.watermark is None:
            yield Came(name, None, PARTLY if row is not None and (row.records or row.quarantined) else NEVER)
        else:
            kept_of_it = any_came or record_type_of(name) is None
            yield Came(name, row.watermark, LOADED if kept_of_it else NONE)


def _place(path: str) -> str:
    """A field without which of several it is."""
    return _NUMBERED.sub("", path)


def _resources(refresh: Refresh) -> Iterator[Line]:
    found = list(refused(refresh))
    gone = refresh.store.contents.withdrawn_as_unusable([each.ref for each in found if each.ref])
    for each in found:
        named = each.reference or (f"{each.resource_type}/h-{each.ref.hex()}" if each.ref else each.resource_type)
        yield Line(named, False, each.reason, each.path, each.load, each.file, each.line, each.ref in gone)


def _parts(refresh: Refresh, notes: list[str]) -> Iterator[Line]:
    """Parts left out of what the last load landed of each type; the figures of a load count them, its lines name them."""
    seen: set[str] = set()
    landings = dict(refresh.landing_zone.loads())
    mapper = mapper_of(refresh)
    for load in refresh.store.loads.of(refresh.site.site):
        counted = load.report.types if load.report else {}
        for name, figures in counted.items():
            landing = landings.get(load.id)
            if name in seen or landing is None or not landing.files(name):
                continue
            seen.add(name)
            if sum(count for reason, count in figures.parts_skipped.items() if reason != _WITHDRAWN):
                yield from _parts_of(refresh, load.id, landing, name, mapper, notes)


def _parts_of(
    refresh: Refresh, load: str, landing: Landing, name: str, mapper: Mapper, notes: list[str]
) -> Iterator[Line]:
    read = 0
    for path in landing.files(name):
        for number, lines in read_batches(path, cap=refresh.site.limits.line_bytes):
            if isinstance(lines, Problem):
                continue
            read += len(lines)
            refresh.progress("parts", name, read)
            if read > PARTS_LOOKED_AT:
                notes.append(
                    f"{name}: parts were looked for in the first {PARTS_LOOKED_AT:,} lines of the last load alone"
                )
                return
            for place, outcome in sorted(mapper.map_lines(lines).unusual.items()):
                for each in outcome.left_out:
                    if not each.reason.expected:
                        reference = f"{name}/{_ident(lines[place])}"
                        yield Line(reference, True, each.reason, each.path, load, path.name, number + place)


class _Identified(msgspec.Struct):
    id: Scalar = None


def _ident(line: bytes) -> str:
    return text_of(msgspec.json.decode(line, type=_Identified).id)


def _told(load: Load) -> Told:
    assert load.report is not None
    total = load.report.total
    unusable = {code: count for code, count in total.skipped.items() if not reason_of(code).expected}
    return Told(
        load,
        total.read,
        total.mapped,
        sum(unusable.values()),
        sum(total.skipped.values()) - sum(unusable.values()),
        sum(count for reason, count in total.parts_skipped.items() if reason != _WITHDRAWN),
        total.withdrawn,
        total.source_unusable,
        Counter(unusable).most_common(),
    )


def _add_rules(report: DataReport, types: Mapping[str, TypeCounts]) -> None:
    report.judged = sum(each.sampled + each.refused_judged for each in types.values())
    found = [
        Broken(name, rule, count, is_must_have(rule))
        for name, each in types.items()
        for rule, count in each.broken.items()
    ]
    report.rules = sorted(found, key=lambda each: (not each.must_have, -each.found, each.rule))[:RULES]


def _add_codes(report: DataReport, refresh: Refresh) -> None:
    """As the hospital writes them."""
    gathered = of_records(refresh)
    found = sorted(gathered.locals.values(), key=lambda local: (-local.count, local.system, local.code))
    as_written(refresh, found[:CODES])
    report.unmapped = [(each.system, each.code, each.target, each.count) for each in found[:CODES]]
    report.unmapped_codes, report.unmapped_records = len(found), sum(each.count for each in found)
