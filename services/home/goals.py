"""A family's own goals of whatever is measured of them: the series of that measure, the goal in it, and which way is meant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, select

from services.charts.trajectory import Guide, Line, Trajectory
from services.home.showing import GOALS, Sees, Shown
from services.home.words import Language
from services.registry.tables import RECORD_TABLES

GOAL, OBSERVATION = RECORD_TABLES["goal"], RECORD_TABLES["observation"]
OVER = ("completed", "cancelled", "rejected", "entered-in-error")
NAMES = {
    "29463-7": "Weight",
    "8302-2": "Height",
    "39156-5": "Weight for height (BMI)",
    "8480-6": "Blood pressure, upper number",
    "8462-4": "Blood pressure, lower number",
    "97507-8": "Glucose sensor: average",
    "97510-2": "Glucose sensor: time in range",
    "55423-8": "Steps",
    "1989-3": "Vitamin D",
    "2276-4": "Iron store (ferritin)",
    "38445-3": "Gut test (calprotectin)",
    "44261-6": "Mood (PHQ-9)",
}
"""LOINC → what families call it."""
MOOD = ("44261-6", "89204-2", "55758-7")
"""Told as mood, and kept from whom mood is."""


@dataclass(frozen=True, slots=True)
class OwnGoal:
    """One goal, and what was measured."""

    code: str
    unit: str
    low: float | None
    high: float | None
    points: Sequence[tuple[date, float]]


def own_goals(connection: Connection, site: str, subject: str) -> list[OwnGoal]:
    """Those that hold and are on none of the usual curves, the last one of each measure; values in another unit are left out."""
    row, found = GOAL.c, dict[str, OwnGoal]()
    query = select(GOAL).where(row.site == site, row.subject == subject, row.measure.is_not(None)).order_by(row.id)
    for each in connection.execute(query):
        least, most = (each.comparator or "").startswith(">"), (each.comparator or "").startswith("<")
        low = each.value if each.value is not None and not most else each.value_low
        high = each.value if each.value is not None and not least else each.value_high
        if each.measure in GOALS or each.lifecycle_status in OVER or (low is None and high is None):
            continue
        unit = each.unit or ""
        points = _measured(connection, site, subject, each.measure, unit)
        if points:
            ends = (None if low is None else float(low), None if high is None else float(high))
            found[each.measure] = OwnGoal(each.measure, unit, *ends, points)
    return list(found.values())


def drawn(goals: Sequence[OwnGoal], who: Sees, language: Language) -> Iterator[Shown]:
    """Each as a picture with what it says: the last value, which way is meant, whether it is reached."""
    for goal in goals:
        if not who.may("mood" if goal.code in MOOD else "goals"):
            continue
        title = language.say(NAMES[goal.code]) if goal.code in NAMES else language.say("Another value of mine")
        day, value = goal.points[-1]
        unit = f" {goal.unit}" if goal.unit else ""
        last = language.say(
            "{what}: {value} on {day}", what=title, value=language.number(value, 1) + unit, day=language.day(day)
        )
        reached = (
            language.say("The goal is reached.") if _reached(goal) else language.say("The goal is not reached yet.")
        )
        chart = Trajectory([Line(title, goal.points)], _guides(goal, language), *_span(goal), f"{title}. {last}.")
        yield Shown(f"goal-{goal.code}", title, f"{_direction(goal, unit, language)} {reached}", last, chart)


def _measured(connection: Connection, site: str, subject: str, code: str, unit: str) -> list[tuple[date, float]]:
    row = OBSERVATION.c
    theirs = (row.site == site, row.subject == subject, row.code == code, row.value.is_not(None))
    query = select(row.effective_date, row.value, row.unit).where(*theirs).order_by(row.effective_date, row.id)
    whole = [each for each in connection.execute(query) if len(each.effective_date or "") == len("2026-10-05")]
    return [(date.fromisoformat(each.effective_date), float(each.value)) for each in whole if (each.unit or "") == unit]


def _reached(goal: OwnGoal) -> bool:
    value = goal.points[-1][1]
    return (goal.low is None or value >= goal.low) and (goal.high is None or value <= goal.high)


def _direction(goal: OwnGoal, unit: str, language: Language) -> str:
    low, high = (None if each is None else language.number(each, 1) + unit for each in (goal.low, goal.high))
    if low is None:
        return language.say("Lower is better: my goal is {goal} or less.", goal=high)
    if high is None:
        return language.say("Higher is better: my goal is {goal} or more.", goal=low)
    if low == high:
        return language.say("My goal is {goal}.", goal=low)
    return language.say("My goal is from {low} to {high}.", low=low, high=high)


def _guides(goal: OwnGoal, language: Language) -> list[Guide]:
    levels = dict.fromkeys(each for each in (goal.low, goal.high) if each is not None)
    return [Guide(each, language.say("my goal")) for each in levels]


def _span(goal: OwnGoal) -> tuple[float, float]:
    levels = [value for _, value in goal.points] + [each for each in (goal.low, goal.high) if each is not None]
    room = (max(levels) - min(levels)) / 10 or abs(levels[0]) / 10 or 1.0
    return min(levels) - room, max(levels) + room
