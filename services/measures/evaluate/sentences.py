"""A measure's result in plain words, for patients and families too: numbers, whole counts, what is unknown."""

from services.measures.declared import Measure
from services.measures.evaluate.counts import Counts

YEAR_DAYS = 365.25


def sentence(measure: Measure, where: str, when: str, counts: Counts) -> str:
    """The result of one place and time. `where`: "At North"; `when`: "October 2026"."""
    one, several = measure.people
    if counts.seen == 0:
        return f"{where}, no {one} was seen in {when}."
    if counts.measured == 0:
        seen = f"the one {one}" if counts.seen == 1 else f"none of the {counts.seen} {several}"
        return f"{where}, {seen} seen in {when} was {'not ' if counts.seen == 1 else ''}measured."
    said = {"share": _share, "rate": _rate, "level": _level}[measure.kind](measure, where, when, counts)
    if counts.unmeasured == 0:
        return said + ("." if measure.kind == "rate" else "; everyone seen was measured.")
    more = "was" if counts.unmeasured == 1 else "were"
    return said + f"; {counts.unmeasured} more {more} seen without a measurement."


def _whom(measure: Measure, count: int) -> str:
    return f"{count} {measure.people[0 if count == 1 else 1]}"


def _share(measure: Measure, where: str, when: str, counts: Counts) -> str:
    whom = measure.people[0 if counts.measured == 1 else 1]
    had = "" if measure.per == "event" else "seen and measured "
    return f"{where}, {counts.met} of {counts.measured} {whom} {had}in {when} had {measure.achievement}"


def _rate(measure: Measure, where: str, when: str, counts: Counts) -> str:
    years = counts.days / YEAR_DAYS
    said = f"{where}, {_whom(measure, counts.measured)} had {counts.events} {measure.achievement} in {when}"
    return said if not years else f"{said}, {value_of(measure, counts):.1f} in {measure.per_years} years of one person"


def _level(measure: Measure, where: str, when: str, counts: Counts) -> str:
    value = value_of(measure, counts)
    unit = f" {measure.unit}" if measure.unit else ""
    middle = "mean" if measure.chart == "xbar" else "median"
    return f"{where}, the {middle} {measure.achievement} of {_whom(measure, counts.measured)} seen and measured in {when} was {value:.1f}{unit}"


def value_of(measure: Measure, counts: Counts) -> float | None:
    """What a point of its chart shows: a share, a rate in `per_years` years of one person, a mean or a median."""
    if counts.measured == 0:
        return None
    if measure.kind == "share":
        return counts.met / counts.measured
    if measure.kind == "rate":
        return counts.events / (counts.days / YEAR_DAYS) * measure.per_years if counts.days else None
    return counts.mean if measure.chart == "xbar" else counts.median
