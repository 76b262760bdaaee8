"""What followed a test of change, by the chart's own rules: a signal, or none; whole counts before and since, never a p-value. Pure."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.measures.declared import Measure
from services.pages.periods import Row
from services.pages.results import Note, Series, by_lines_before


class Moved(StrEnum):
    """What the chart says."""

    BETTER = "better"
    WORSE = "worse"
    CHANCE = "chance"
    EARLY = "early"

    @property
    def words(self) -> str:
        """For people."""
        return WORDS[self]


WORDS = {
    Moved.BETTER: "better than chance gives since then",
    Moved.WORSE: "worse than chance gives since then",
    Moved.CHANCE: "nothing beyond what chance gives",
    Moved.EARLY: "too early, or too few people, to say",
}


@dataclass(frozen=True, slots=True)
class Effect:
    """What followed."""

    moved: Moved
    said: str
    """The chart's rule, in words; empty where none speaks."""
    before: tuple[int, int]
    """Met of measured, in as many periods before as came since."""
    since: tuple[int, int]


LEAST = 2
"""Periods that are over since it began, before anything is said."""


def effect_of(series: Series, since: date, measure: Measure) -> Effect:
    """Of something tried at a site since a day: signals that began then or later; what had begun before is not its doing. Judged by the
    lines from before that day: new ones, approved because it got better, would hide that it did."""
    series = by_lines_before(series, measure, since.replace(day=1))
    drawn = [row for row in series.rows if row.complete and row.measured]
    after = [row for row in drawn if row.end >= since and row.start >= since.replace(day=1)]
    before = [row for row in drawn if row not in after][-max(1, len(after)) :]
    counts = (_sum(before), _sum(after))
    told = [note for note in series.notes if note.better is not None and _began(series, note) >= since.replace(day=1)]
    if series.chart is None or len(after) < LEAST:
        return Effect(Moved.EARLY, "", *counts)
    if not told:
        return Effect(Moved.CHANCE, "", *counts)
    last = max(told, key=lambda note: note.last)
    return Effect(Moved.BETTER if last.better else Moved.WORSE, _said(last), *counts)


def _began(series: Series, note: Note) -> date:
    return min((row.start for row in series.rows if note.number in row.notes), default=note.last)


def _said(note: Note) -> str:
    return f"{note.when}: {note.text}"


def _sum(rows: list[Row]) -> tuple[int, int]:
    return sum(row.met for row in rows), sum(row.measured for row in rows)
