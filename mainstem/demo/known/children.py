"""The children of a clinic: who they are, when they are seen, who of them reaches what is wanted in which month."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from mainstem.demo.known.quiet import quiet_counts, quiet_noise
from mainstem.demo.known.truth import FIRST_MONTH, MONTHS, VISIT_MONTHS, Clinic, Known, KnownSite

RACES = (("2106-3", 0.56), ("2054-5", 0.2), ("2131-1", 0.14), ("2028-9", 0.1))
"""CDC race: White, Black or African American, other, Asian; with their shares."""
HISPANIC, NOT_HISPANIC = "2135-2", "2186-5"
BEFORE = 13 - FIRST_MONTH.month
"""Months before the first January, with which charts begin."""
LANGUAGES = (("en", 0.78), ("es", 0.22))


@dataclass(frozen=True, slots=True)
class Child:
    """One child of a clinic."""

    id: str
    clinic: Clinic
    sex: str
    """M or F."""
    born: date
    race: str
    ethnicity: str
    language: str
    level: float
    """Where the child usually stands among the others: 0 lowest, 1 highest."""
    tall: float
    """Height in standard deviations."""
    turn: int
    """In which of the three months of a quarter the child is seen."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A visit: of whom, when, and what is true of the child there."""

    child: Child
    day: date
    number: int
    reached: bool
    """What the clinic wants."""
    thriving: bool
    """Growth as it should be."""
    noise: float
    """The month's, in standard errors."""
    draw: float
    """How well the child fares among those alike, 0 to 1: mostly as ever."""


def children(known: Known, site: KnownSite, clinic: Clinic) -> list[Child]:
    """The clinic's children, the same at every call."""
    chance = _chance(known, site, clinic, "children")
    count = site.thirds * VISIT_MONTHS
    return [_child(chance, site, clinic, number, count) for number in range(count)]


def _child(chance: Random, site: KnownSite, clinic: Clinic, number: int, count: int) -> Child:
    youngest, oldest = clinic.ages
    days = chance.randrange(round((oldest - youngest) * 365.25))
    place = number // VISIT_MONTHS
    return Child(
        id=f"{clinic.name}-{number + 1:03}",
        clinic=clinic,
        sex=chance.choice("MF"),
        born=FIRST_MONTH - timedelta(days=round(youngest * 365.25) + 60 + days),
        race=_chosen(chance, RACES),
        ethnicity=HISPANIC if chance.random() < 0.24 else NOT_HISPANIC,
        language=_chosen(chance, LANGUAGES),
        level=(place + 0.5) / (count // VISIT_MONTHS),
        tall=chance.gauss(0, 0.7),
        turn=number % VISIT_MONTHS,
    )


def visits(known: Known, site: KnownSite, clinic: Clinic) -> Iterator[Seen]:
    """All visits of the clinic, month by month."""
    ours = children(known, site, clinic)
    chance = _chance(known, site, clinic, "visits")
    months = list(months_of(MONTHS))
    sizes = [site.thirds] * MONTHS
    reached = quiet_counts(chance, sizes, [known.share(site, clinic, month) for month in months], before=BEFORE)
    thriving = quiet_counts(chance, sizes, [0.8 + site.aside] * MONTHS, before=BEFORE)
    noise = quiet_noise(chance, MONTHS, before=BEFORE)
    for number, month in enumerate(months):
        due = [child for child in ours if child.turn == number % VISIT_MONTHS]
        best = _best(chance, due, reached[number])
        grown = _best(chance, due, thriving[number])
        for child in due:
            day = month + timedelta(days=_day(chance))
            draw = 0.7 * child.level + 0.3 * chance.random()
            yield Seen(child, day, number, child.id in best, child.id in grown, noise[number], draw)


def due_next(known: Known, site: KnownSite, clinic: Clinic) -> Iterator[tuple[Child, date]]:
    """Whose next visit is in the month after the last one, and when."""
    month = list(months_of(MONTHS + 1))[-1]
    chance = _chance(known, site, clinic, "appointments")
    for child in children(known, site, clinic):
        if child.turn == MONTHS % VISIT_MONTHS:
            yield child, month + timedelta(days=2 + _day(chance) % 20)


def _best(chance: Random, due: list[Child], count: int) -> set[str]:
    """Those who stand highest that month; who usually does mostly does."""
    ranked = sorted(due, key=lambda child: child.level + chance.gauss(0, 0.25), reverse=True)
    return {child.id for child in ranked[:count]}


def _day(chance: Random) -> int:
    """A day of the month, no later than the 28th."""
    return chance.randrange(27)


def _chosen(chance: Random, shares: tuple[tuple[str, float], ...]) -> str:
    return chance.choices([name for name, _ in shares], [share for _, share in shares])[0]


def _chance(known: Known, site: KnownSite, clinic: Clinic, what: str) -> Random:
    return Random(f"{known.seed}/{site.id}/{clinic.name}/{what}")


def months_of(count: int) -> Iterator[date]:
    """The first days of so many months."""
    for number in range(count):
        years, month = divmod(FIRST_MONTH.month - 1 + number, 12)
        yield date(FIRST_MONTH.year + years, month + 1, 1)
