"""What a site's records are worth: a file a check, found by its name.

A file here holds `CHECK`: what is looked at, how much may be found before somebody has to act and who says so, what to do
and who. Checks see the persons of a site one after the other, and figures of its loads; they keep counts, never persons,
so memory stays flat. What files share stands in folders: `facts` (a person's records as checks read them), `kinds` (makers
of like checks), `tables`. Checks see records, never FHIR, and stand outside a mapping's identity: what they find of several
records is told in counts and ids and never written into a source record.
"""

import pkgutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from itertools import groupby, islice
from operator import attrgetter
from typing import Literal, NamedTuple, Protocol

from schemas.events import IMPLAUSIBLE
from schemas.gaps import Who
from schemas.loads import TypeCounts
from transforms.quality.facts import Person, Row, add_number, fact_of, lean, person_of
from transforms.quality.facts.numbers import Numbers
from transforms.quality.facts.profile import Profile, profile_of

Kind = Literal["conformance", "completeness", "plausibility"]
"""Kahn MG et al. A harmonized data quality assessment terminology and framework. EGEMS 2016;4:1244."""
Status = Literal["failed", "noted", "passed", "not-applicable"]
"""Noted: found, but no more than is tolerated. Not applicable: too little to look at, which is no pass."""
WORST: tuple[Status, ...] = ("failed", "noted", "passed", "not-applicable")
EXAMPLES = 5
"""Records that are named of what was found."""


class Line(NamedTuple):
    """What one check found of one type, code or field."""

    of: str
    looked: int
    found: int
    examples: tuple[str, ...] = ()
    """Ids of records, for whoever looks them up at the site."""
    said: str = ""
    """The figures in words, where counts do not say it."""
    tolerated: float | None = None
    """Another share than the check's."""


@dataclass(frozen=True)
class About:
    """What is known of the site beside its records."""

    today: date
    before: Profile | None = None
    """How many records there were when an earlier load was judged."""
    counts: Mapping[str, TypeCounts] = field(default_factory=dict)
    """Figures of the last completed load, by resource type."""
    held: Mapping[str, int] = field(default_factory=dict)
    """Records not withdrawn, by record type."""
    quarantined: Mapping[str, int] = field(default_factory=dict)
    """Resources that could not be used, by record type."""
    complete: Mapping[str, date] = field(default_factory=dict)
    """Up to when each record type is complete."""


class Found(NamedTuple):
    """A record that is not as it should be."""

    of: str
    record: str


NOTHING: tuple[Found, ...] = ()


class Judge(Protocol):
    """One check at work."""

    def see(self, person: Person) -> Sequence[Found]:
        """A person of the site; each comes once. Returns the records that are not as they should be, where a check knows."""

    def lines(self, profile: Profile) -> Iterable[Line]:
        """What was found, when all were seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How one thing is looked at. Its name is its file's."""

    kind: Kind
    what: str
    """What is found."""
    tolerated: float
    """The share of what is looked at that may be found."""
    least: int = 1
    """Fewer looked at say nothing."""
    source: str
    """Of the threshold."""
    fix: str
    who: Who
    reads: frozenset[str] = frozenset()
    """Codes of the observations that it sets beside one another; none: it looks at each record by itself."""
    alone: bool = False
    """Whether it judges a person without the others of the site: then a night judges those whom its load touched."""
    begin: Callable[[About], Judge]


class Result(NamedTuple):
    """What a check found at a site."""

    name: str
    check: Check
    status: Status
    lines: list[tuple[Status, Line]]


class Judged(NamedTuple):
    """A site, judged."""

    results: list[Result]
    profile: Profile
    persons: int


def shipped() -> dict[str, Check]:
    """That of each file of this folder, by name."""
    names = (found.name for found in pkgutil.iter_modules(__path__) if not found.ispkg)
    return {name.replace("_", "-"): import_module(f"{__name__}.{name}").CHECK for name in sorted(names)}


def no_sink(_check: str, _found: Found) -> None:
    """Keeps no finding."""


def flag_of(name: str) -> str:
    """The flag of a record that a check found, in its provenance."""
    return name if name == "duplicates" else f"{IMPLAUSIBLE}{name}"


PORTION = 5_000
"""Records of one person that are held at once, besides those that are set beside one another."""


class Flagger:
    """The checks that judge a person without the others, for what they find of each record; nothing else is counted."""

    def __init__(self, today: date) -> None:
        about = About(today=today)
        alone = {name: check for name, check in shipped().items() if check.alone}
        self._codes = frozenset(code for check in alone.values() for code in check.reads)
        judges = [(flag_of(name), check.begin(about), bool(check.reads)) for name, check in alone.items()]
        self._each = [(flag, judge) for flag, judge, beside in judges if not beside]
        self._beside = [(flag, judge) for flag, judge, beside in judges if beside]

    def flags(self, records: Iterable[Row]) -> dict[str, set[str]]:
        """One person's records that are not as they should be, by id → their flags; the record of the person comes first."""
        found, person, left = dict[str, set[str]](), Person(()), iter(records)
        beside = Numbers()
        while some := list(islice(left, PORTION)):
            person = Person(map(lean, map(fact_of, some)), person)
            for fact in person.facts:
                if fact.code in self._codes:
                    add_number(beside, fact)
            _judged(person, self._each, found)
        _judged(Person((), person, beside), self._beside, found)
        return found


def _judged(person: Person, judges: Iterable[tuple[str, Judge]], found: dict[str, set[str]]) -> None:
    for flag, judge in judges:
        for one in judge.see(person):
            found.setdefault(one.record, set()).add(flag)


def judge(
    rows: Iterable[Row],
    about: About,
    checks: Mapping[str, Check] | None = None,
    sink: Callable[[str, Found], None] = no_sink,
) -> Judged:
    """All checks over a site's current records, which come by subject; `sink` is given each record that is found."""
    used = shipped() if checks is None else checks
    judges = {name: check.begin(about) for name, check in used.items()}
    counted: Counter[tuple[str, str, int]] = Counter()
    persons = 0
    for _, records in groupby(rows, attrgetter("subject")):
        person = person_of(records)
        persons += 1
        profile_of(person, counted)
        for name, each in judges.items():
            for found in each.see(person):
                sink(name, found)
    profile = Profile(counted)
    return Judged([_result(name, used[name], each, profile) for name, each in judges.items()], profile, persons)


def _result(name: str, check: Check, judge: Judge, profile: Profile) -> Result:
    lines = [(status_of(check, line), line) for line in judge.lines(profile)]
    statuses = {status for status, _ in lines}
    status: Status = next((each for each in WORST if each in statuses), "not-applicable")
    return Result(name, check, status, lines)


def status_of(check: Check, line: Line) -> Status:
    """Too little to look at is neither passed nor failed."""
    if line.looked < max(check.least, 1):
        return "not-applicable"
    tolerated = check.tolerated if line.tolerated is None else line.tolerated
    if line.found > tolerated * line.looked:
        return "failed"
    return "noted" if line.found else "passed"
