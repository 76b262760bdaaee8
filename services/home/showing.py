"""What a family is shown, in their language: how things go, what is due, the next visit. Pure: what is kept in, words out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from services.charts.trajectory import Guide, Trajectory
from services.home.words import Language
from services.pages.patient_state import Kept, age, due
from services.pages.print.plan import CURVES, curves_of
from services.people.age_policy import Rule
from services.people.families import Link

TITLES = {"growth": "Growth", "lungs": "Lungs", "hba1c": "Blood sugar (HbA1c)", "act": "Asthma control"}
DIRECTIONS = {
    "growth": "Each number is a place among 100 children of the same age and sex: 50 is the middle. A line that stays level is good.",
    "lungs": "Higher is better. 100 % is what is expected for age and height.",
    "hba1c": "Lower is better. Many aim for 7 % or less.",
    "act": "Higher is better. 20 or more means well under control.",
}
LINES = {
    "height": "height",
    "weight": "weight",
    "BMI": "weight for height",
    "FEV1": "lungs",
    "HbA1c": "HbA1c",
    "ACT": "score",
}
EXPECTED = {
    "Assessment of disease": "A look at how active the disease is",
    "HbA1c": "An HbA1c test",
    "PHQ": "Questions about mood",
    "Spirometry": "A breathing test",
    "Asthma control": "Questions about asthma control",
    "Height and weight": "Height and weight",
}
UNITS = {"hba1c": " %", "lungs": " %"}
MOOD = "PHQ"
GOALS = {"4548-4": "hba1c"}
"""Which curve a goal's measure (LOINC) is drawn on."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture with what it says."""

    name: str
    title: str
    direction: str
    last: str
    chart: Trajectory


@dataclass(frozen=True, slots=True)
class Sees:
    """Whoever looks, at whom, by which rule."""

    link: Link
    rule: Rule
    years: int | None

    def may(self, item: str) -> bool:
        """Whether an item is theirs to see."""
        return self.rule.shows(item, self.link.who, self.years)


def sees(link: Link, rule: Rule, kept: Kept, today: date) -> Sees:
    """By the patient's age today."""
    return Sees(link, rule, age(kept, today))


def curves(kept: Kept, who: Sees, goals: dict[str, float], language: Language) -> Iterator[Shown]:
    """What is drawn, with the family's own goal where there is one."""
    digits = {curve.name: curve.digits for curve in CURVES}
    for curve, chart in curves_of(kept):
        if not who.may(curve.name):
            continue
        lines = [replace(line, name=language.say(LINES[line.name])) for line in chart.lines]
        guides = list(chart.guides)
        if curve.name in goals:
            own = Guide(goals[curve.name], language.say("my goal"))
            guides = [each for each in guides if abs(each.at - own.at) > (chart.high - chart.low) / 20] + [own]
        said = [
            language.say(
                "{what}: {value} on {day}",
                what=line.name,
                value=_said(curve.name, line.points[-1][1], digits[curve.name], language),
                day=language.day(line.points[-1][0]),
            )
            for line in lines
        ]
        title, last = language.say(TITLES[curve.name]), "; ".join(said)
        drawn = replace(chart, lines=lines, guides=guides, description=f"{title}. {last}.")
        yield Shown(curve.name, title, language.say(DIRECTIONS[curve.name]), last, drawn)


def _said(name: str, value: float, digits: int, language: Language) -> str:
    """A value in words; among a hundred children there is no place 0, and none behind all."""
    if name == "growth" and not 1 <= round(value) <= 99:
        return language.say("less than 1") if value < 50 else language.say("more than 99")
    return language.number(value, digits) + UNITS.get(name, "")


def dues(kept: Kept, who: Sees, today: date, language: Language) -> Iterator[str]:
    """What should be looked at, each with when it last was."""
    for each in due(kept, today) if who.may("due") else ():
        if each.expected.words == MOOD and not who.may("mood"):
            continue
        what = language.say(EXPECTED[each.expected.words])
        if each.last is None:
            yield language.say("{what}: not done yet, as far as we know", what=what)
        else:
            yield language.say("{what}: last done on {day}", what=what, day=language.day(each.last))
