"""What a site's records are worth: a file a check, found by its name.

A file here holds `CHECK`: what is looked at, how much may be found before somebody has to act and who says so, what to do
and who. Checks see the persons of a site one after the other, of one with very many records some at a time, and figures of its
loads; they keep counts, never persons, so memory stays flat. What files share stands in folders: `facts` (a person's records as checks read them), `kinds` (makers
of like checks), `tables`. Checks see records, never FHIR, and stand outside a mapping's identity: what they find of several
records is told in counts and ids and never written into a source record.
"""

import pkgutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from importlib import import_module
from itertools import groupby, islice
from operator import attrgetter
from typing import Literal, NamedTuple, Protocol

from schemas.events import IMPLAUSIBLE
from schemas.gaps import Who
from schemas.loads import TypeCounts
from transforms.quality.facts import Person, Row, add_number, fact_of
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
        """A person of the site, or of one with many records some and then the next. Returns the records that are not as they should be, where a check knows."""

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
    """Codes of the observations that it sets beside one another, all that it is shown; none: it is shown every record."""
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
    return name if name in _NOT_IMPLAUSIBLE else f"{IMPLAUSIBLE}{name}"


_NOT_IMPLAUSIBLE = frozenset({"duplicates", "replaced-in-circle"})
"""Of these one record has to count."""


PORTION = 1_000
"""Records of one person that are held at once, besides those that are set beside one another."""


class _Judges(NamedTuple):
    """Checks at work, by name."""

    each: list[tuple[str, Judge]]
    """Those that are shown a person's records some at a time."""
    beside: list[tuple[str, Judge]]
    """Those that set readings beside one another: they are shown all readings of their codes, at the end."""
    codes: frozenset[str]
    """Of the readings that are set beside one another."""

    @classmethod
    def of(cls, checks: Mapping[str, Check], begun: Mapping[str, Judge]) -> "_Judges":
        """Of some checks."""
        each = [(name, judge) for name, judge in begun.items() if not checks[name].reads]
        beside = [(name, judge) for name, judge in begun.items() if checks[name].reads]
        return cls(each, beside, frozenset(code for check in checks.values() for code in check.reads))

    def found(self, records: Iterable[Row], see: Callable[[Person], object]) -> Iterator[tuple[str, Found]]:
        """What they find of one person, of whom few records are held at once; `see` is shown them, too."""
        left, beside, person = iter(records), Numbers(), Person(())
        some = list(islice(left, PORTION))
        while some:
            following = list(islice(left, PORTION))
            person = Person(map(fact_of, some), person, last=not following)
            for fact in person.facts:
                if fact.code in self.codes:
                    add_number(beside, fact)
            see(person)
            yield from _found(person, self.each)
            some = following
        yield from _found(Person((), person, beside=beside), self.beside)


def _found(person: Person, judges: Iterable[tuple[str, Judge]]) -> Iterator[tuple[str, Found]]:
    for name, judge in judges:
        for one in judge.see(person):
            yield name, one


class Flagger:
    """The checks that judge a person without the others, for what they find of each record; nothing else is counted."""

    def __init__(self, today: date) -> None:
        about = About(today=today)
        alone = {name: check for name, check in shipped().items() if check.alone}
        self._judges = _Judges.of(alone, {name: check.begin(about) for name, check in alone.items()})
        self._flags = {name: flag_of(name) for name in alone}

    def flags(self, records: Iterable[Row]) -> dict[str, set[str]]:
        """One person's records that are not as they should be, by id → their flags."""
        found: dict[str, set[str]] = {}
        for name, one in self._judges.found(records, lambda _: None):
            found.setdefault(one.record, set()).add(self._flags[name])
        return found


def judge(
    rows: Iterable[Row],
    about: About,
    checks: Mapping[str, Check] | None = None,
    sink: Callable[[str, Found], None] = no_sink,
) -> Judged:
    """All checks over a site's current records, which come as `rows_of` gives them; `sink` is given each that is found."""
    used = shipped() if checks is None else checks
    begun = {name: check.begin(about) for name, check in used.items()}
    judges = _Judges.of(used, begun)
    counted: Counter[tuple[str, str, int]] = Counter()
    persons = 0
    for _, records in groupby(rows, attrgetter("subject")):
        persons += 1
        for name, found in judges.found(records, partial(profile_of, counted=counted)):
            sink(name, found)
    profile = Profile(counted)
    return Judged([_result(name, used[name], each, profile) for name, each in begun.items()], profile, persons)


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
