"""The pre-visit plan: what it says of each patient, in plain texts."""

from dataclasses import dataclass

TEMPLATE = "pre_visit_plan"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture of the plan."""

    picture: str
    caption: str
    alternative: str


@dataclass(frozen=True, slots=True)
class PatientPlan:
    """One patient's page."""

    key: str
    name: str
    """The pseudonym's beginning: only the site can tell whose it is."""
    time: str
    who: str
    """Age, sex, diagnoses, treatment."""
    first: str
    """The first flag, short."""
    flags: tuple[str, ...]
    """What is overdue or stands out, the most pressing first."""
    states: tuple[tuple[str, str, str, str], ...]
    """What, last, before, when."""
    pictures: tuple[Drawing, ...]
    agenda: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PreVisitPlan:
    """One day's plans at a site."""

    network: str
    site: str
    title: str
    summary: str
    foot: str
    patients: tuple[PatientPlan, ...]
