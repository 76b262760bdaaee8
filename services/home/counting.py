"""Which measures count a patient, and how often researchers' questions did: reckoned anew from the patient's own records, so that nothing is
kept of each count and each person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from sqlalchemy import Connection

from services.home.showing import Sees
from services.home.words import Language
from services.measures.compile.asked import Reads, reads_of
from services.measures.compile.from_registry import persons_of
from services.measures.declared import Measure
from services.measures.evaluate.periods import periods
from services.measures.evaluate.persons import Standings
from services.measures.library import measures
from services.registry.completeness import completeness

MONTHS = 12
MOOD_CODES = frozenset({"depression", "depression-screening", "bipolar-disorder", "phq", "phq-9"})
"""Code sets of measures that tell of mood."""
IN, MAYBE = "initial-population", "unknown"
"""Who counts, and who is told beside the figure as unknown: both were looked at and both are in a number."""


@dataclass(frozen=True, slots=True)
class CountedIn:
    """A measure that counts the patient."""

    title: str
    months: int
    """In how many of the last twelve months."""


def counted_in(
    connection: Connection, site: str, subject: str, who: Sees, today: date, language: Language
) -> list[CountedIn]:
    """Each measure that counts them within the last twelve months; one about mood is not told to whom mood is not."""
    shown = tuple(each for each in measures().values() if who.may("mood") or not _of_mood(each))
    since, until = _months(today)
    found: dict[str, set[str]] = {}
    for person in persons_of(connection, [subject], _reads(shown)):
        for stands in _standings(shown, since, until).of(person) if person.site == site else ():
            if stands.populations[IN] or stands.populations[MAYBE]:
                found.setdefault(stands.measure, set()).add(stands.period)
    return [CountedIn(language.say(each.title), len(found[each.id])) for each in shown if each.id in found]


def last_load(connection: Connection, site: str) -> date | None:
    """When the site's data last came: figures are counted anew after each load."""
    for each in completeness(connection):
        if each.site == site and each.last_completed is not None:
            return each.last_completed.date()
    return None


def _of_mood(measure: Measure) -> bool:
    return any(each.id in MOOD_CODES for each in measure.code_sets)


def _months(today: date) -> tuple[str, str]:
    """From the first of the last twelve months, this one the last, to today."""
    year, month = divmod(today.year * 12 + today.month - MONTHS, 12)
    return f"{year}-{month + 1:02}", today.isoformat()


@lru_cache(4)
def _reads(shown: Sequence[Measure]) -> Reads:
    return reads_of(shown)


@lru_cache(4)
def _standings(shown: Sequence[Measure], since: str, until: str) -> Standings:
    """Compiled once a day."""
    return Standings(shown, periods("month", since, until))
