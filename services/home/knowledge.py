"""What the network knows of others with the same condition: whole counts of one quarter, never a share without its number."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from threading import Event

from sqlalchemy import Connection, Engine

from services.charts.ladder import SMALLEST
from services.home.words import Language
from services.measures.evaluate.counts import NETWORK, Counts
from services.measures.library import measures
from services.pages.counted import Memory, NotCountedError
from services.pages.kept import KeptSurveys
from services.pages.periods import rows_of
from services.pages.warming import count_all
from services.people.ideas import ideas
from services.registry.database import reading

ICONS = 100
"""So many icons at most; more people are told as of every 100."""
CROHNS, COLITIS, DIABETES, FIBROSIS, ASTHMA = (
    "Crohn's disease",
    "Ulcerative colitis",
    "Type 1 diabetes",
    "Cystic fibrosis",
    "Asthma",
)


@dataclass(frozen=True, slots=True)
class Told:
    """How a measure of the library is told to families."""

    measure: str
    met: str
    """With {met} and {n}."""
    unknown: tuple[str, str]
    """Of one and of many, with {number}."""


TOLD = {
    CROHNS: Told(
        "ibd1",
        "Of {n} young people with Crohn's disease or ulcerative colitis who came to a clinic, {met} had a quiet disease.",
        (
            "{number} more came, and nobody wrote down how the disease was.",
            "{number} more came, and nobody wrote down how their disease was.",
        ),
    ),
    DIABETES: Told(
        "t1d1",
        "Of {n} people with type 1 diabetes who came to a clinic, {met} had an HbA1c below 7 %.",
        ("{number} more came, and that HbA1c is not known.", "{number} more came, and their HbA1c is not known."),
    ),
    FIBROSIS: Told(
        "cf2",
        "Of {n} children with cystic fibrosis who came to a clinic, {met} weighed at least as much for their height as half of all children.",
        (
            "{number} more came, and that weight or height is not known.",
            "{number} more came, and their weight or height is not known.",
        ),
    ),
    ASTHMA: Told(
        "ast1",
        "Of {n} people with asthma who came to a clinic, {met} had it well under control.",
        (
            "{number} more came, and nobody asked how the asthma was.",
            "{number} more came, and nobody asked how their asthma was.",
        ),
    ),
}
TOLD[COLITIS] = TOLD[CROHNS]


@dataclass(frozen=True, slots=True)
class Known:
    """One sentence with its icons."""

    sentence: str
    unknown: str
    since: date
    until: date
    met: int
    of: int
    """Icons, and how many of them are filled."""
    every: int
    """0, or of how many the icons are a share."""


def known_of(
    connection: Connection, diseases: list[str], memory: Memory, now: datetime, language: Language
) -> list[Known] | None:
    """Of each of the patient's conditions, the last quarter that is over and told of enough people; none while others are counted."""
    try:
        return list(_known_of(connection, diseases, memory, now, language))
    except NotCountedError:
        return None


def _known_of(
    connection: Connection, diseases: list[str], memory: Memory, now: datetime, language: Language
) -> Iterator[Known]:
    for told in dict.fromkeys(TOLD[disease] for disease in diseases if disease in TOLD):
        counted, _ = memory.counted(connection, measures()[told.measure], now)
        ours = [each for each in counted.counts["quarter"] if each.site == NETWORK]
        rows = rows_of(counted.measure, ours, "quarter", counted.first, counted.until)
        over = [row for row in rows if row.complete and row.measured >= SMALLEST]
        if over:
            yield _known(told, over[-1].counts, over[-1].start, over[-1].end, language)


def count_known(
    engine: Engine,
    memory: Memory,
    clock: Callable[[], datetime],
    stop: Event,
) -> None:
    """Counts what families are told of, before anybody asks: by conditions, and where something is tried that somebody raised."""
    registry = partial(reading, engine)
    with registry() as connection:
        tried = {idea.measure for idea in ideas(connection)}
    told = {each.measure for each in TOLD.values()}
    wanted = [measure for name, measure in measures().items() if name in told or measure.id in tried]
    count_all(registry, memory, wanted, clock, stop, KeptSurveys(engine))


def _known(told: Told, counts: Counts, since: date, until: date, language: Language) -> Known:
    n, met = counts.measured, counts.met
    unknown = max(0, counts.seen - n)
    shown, every = (n, 0) if n <= ICONS else (ICONS, ICONS)
    return Known(
        language.say(told.met, n=language.number(n), met=language.number(met)),
        language.say_many(*told.unknown, unknown) if unknown else "",
        since,
        until,
        round(met * shown / n),
        shown,
        every,
    )
