"""A day's pre-visit plans of a site, from the registry: who is booked, what is known of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection

from schemas.errors import OperatorError
from services.charts import pictures
from services.charts.growth import growth
from services.charts.trajectory import Guide, Line, Trajectory, specification
from services.pages.growth import growth_charts
from services.pages.patient_records import appointments, kept_of
from services.pages.patient_state import Kept, age, diseases, flags, in_words, states
from services.pages.print.pre_visit import TEMPLATE, Drawing, PatientPlan, PreVisitPlan
from services.pages.print.setting import pdf, png
from services.pages.wording import title_of

GROWN = 18
GROWTH = "growth"
SHOWN = 8
"""Characters of a pseudonym: enough to tell patients of one day apart."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What is drawn where it is known."""

    name: str
    lines: tuple[tuple[str, str], ...]
    """Methods with what they are called."""
    guides: tuple[tuple[float, str], ...]
    span: tuple[float, float]
    caption: str
    digits: int = 0


CURVES = (
    Curve(
        GROWTH,
        (("height-percentile", "height"), ("weight-percentile", "weight"), ("bmi-percentile", "BMI")),
        tuple((at, str(at)) for at in (3, 25, 50, 75, 97)),
        (0, 100),
        "Growth: percentile at that age and sex",
    ),
    Curve(
        "lungs",
        (("fev1-percent-predicted-gli2022", "FEV1"),),
        ((40, "40 %"), (70, "70 %"), (100, "100 %")),
        (20, 130),
        "Lung function: FEV1, share of predicted (GLI 2022)",
    ),
    Curve("hba1c", (("hba1c-band", "HbA1c"),), ((7, "7 %"), (9, "9 %")), (4, 14), "HbA1c in %", 1),
    Curve(
        "act", (("act-control", "ACT"),), ((15, "15"), (20, "20")), (5, 25), "Asthma control test: 20 and more is well"
    ),
)


class Plans:
    """The plans, with their pictures."""

    def __init__(self, connection: Connection, *, network: str, site: str, day: date, made: datetime) -> None:
        """Raises OperatorError where nobody is booked that day."""
        self.made = made
        self._day = day
        self.pictures: dict[str, str] = {}
        booked = appointments(connection, site, day)
        if not booked:
            raise OperatorError(
                f"nobody is booked at {site} on {day}",
                "Check the site and the day; appointments come with the site's data.",
            )
        found = kept_of(connection, site, list(dict.fromkeys(subject for subject, _ in booked)))
        self.subjects = tuple(found)
        known = [(time, found[subject]) for subject, time in booked if subject in found]
        patients = tuple(self._patient(number, time, kept) for number, (time, kept) in enumerate(known, start=1))
        self.plan = PreVisitPlan(
            network=network,
            site=title_of(site),
            title=f"Visits of {day:%A}, {in_words(day)}",
            summary=_summary(patients, len(booked)),
            foot=f"{title_of(site)} · data as of {made:%-d %B %Y, %H:%M} UTC · for the care team; destroy after the visit",
            patients=patients,
        )

    def pdf(self) -> bytes:
        """As a PDF."""
        return pdf(TEMPLATE, self.plan, self.pictures, made=self.made)

    def png(self) -> list[bytes]:
        """Its pages."""
        return png(TEMPLATE, self.plan, self.pictures)

    def _patient(self, number: int, time: str, kept: Kept) -> PatientPlan:
        found = flags(kept, self._day)
        return PatientPlan(
            key=str(number),
            name=kept.subject[: 2 + SHOWN],
            time=time,
            who=who_of(kept, self._day),
            first=found[0] if found else "–",
            flags=found,
            states=tuple(states(kept)),
            pictures=tuple(self._drawings(number, kept)),
            agenda=tuple(raised_of(kept)),
        )

    def _drawings(self, number: int, kept: Kept) -> Iterator[Drawing]:
        for drawn in drawn_of(kept):
            name = f"{drawn.name}-{number}"
            self.pictures[name] = pictures.svg(drawn.specification())
            yield Drawing(name, drawn.caption, drawn.said)


def _summary(patients: Sequence[PatientPlan], booked: int) -> str:
    """How many are booked, and of how many of them nothing else came."""
    flagged = sum(bool(patient.flags) for patient in patients)
    said = f"{booked} booked; for {flagged} of them something is overdue or stands out."
    unknown = booked - len(patients)
    return said + (f" Of {unknown} nothing but the booking came: no page is theirs." if unknown else "")


class Drawn(NamedTuple):
    """A patient's curve, as the care team sees it."""

    name: str
    caption: str
    said: str
    """What it shows in words, for who does not see it."""
    specification: Callable[[], dict[str, Any]]


def drawn_of(kept: Kept) -> Iterator[Drawn]:
    """Growth among percentiles, or, where nothing was measured at an age they are for, the percentiles that are known; then the others."""
    charts = list(growth_charts(kept))
    for name, caption, grown in charts:
        yield Drawn(name, caption, grown.description, partial(growth, grown))
    for curve, chart in curves_of(kept):
        if not (charts and curve.name == GROWTH):
            yield Drawn(curve.name, curve.caption, chart.description, partial(specification, chart))


def curves_of(kept: Kept) -> Iterator[tuple[Curve, Trajectory]]:
    """What can be drawn of a patient."""
    for curve in CURVES:
        lines = [
            Line(words, [(day, value) for day, value, _ in kept.values[method]])
            for method, words in curve.lines
            if kept.values.get(method)
        ]
        if lines:
            last = ", ".join(f"{line.name} {line.points[-1][1]:.{curve.digits}f}" for line in lines)
            guides = [Guide(at, name) for at, name in curve.guides]
            said = f"{curve.caption}, over time; last: {last}."
            yield curve, Trajectory(lines, guides, *curve.span, said)


def who_of(kept: Kept, day: date) -> str:
    """Age and sex, diseases, treatments, in words."""
    years = age(kept, day)
    words = {"male": ("boy", "man"), "female": ("girl", "woman")}.get(kept.sex or "", ("patient", "patient"))
    who = words[years is not None and years >= GROWN] + (f" of {years}" if years is not None else ", age not known")
    treated = [f"now on {', '.join(kept.treatments)}"] if kept.treatments else []
    return " · ".join([who[0].upper() + who[1:], *diseases(kept), *treated])


def raised_of(kept: Kept) -> Iterator[str]:
    """What patient and family raised and nobody answered."""
    for topic, day in kept.raised:
        yield f"{topic}{f', raised on {in_words(day)}' if day else ''}, not answered yet"
