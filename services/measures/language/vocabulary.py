"""Series by name: what a clinician calls them, of which record type they are, where their code stands."""

from dataclasses import dataclass

from services.measures.language.codes import Codes
from services.measures.language.events import THIS, Known, Series
from services.measures.language.moments import Moment, Span
from services.measures.language.truths import Truth


def visits(*kinds: Codes) -> Series:
    """Visits, of these kinds where any are given."""
    return _coded(Series("encounter", "visits"), "types", kinds)


def diagnoses(*codes: Codes) -> Series:
    """Diagnoses and problems."""
    return _coded(Series("condition", "diagnoses"), "codings", codes)


def results(*codes: Codes) -> Series:
    """Measurements, findings and answers; components of a panel are results too."""
    return _coded(Series("observation", "results"), "codings", codes)


def procedures(*codes: Codes) -> Series:
    """Procedures and interventions done."""
    return _coded(Series("procedure", "procedures"), "codings", codes)


def medications_ordered(*codes: Codes) -> Series:
    """Orders of medications."""
    ordered = Series("medication", "medication orders").where(THIS.field("kind").one_of("ordered", "reported"))
    return _coded(ordered, "codings", codes)


def services_ordered(*codes: Codes) -> Series:
    """Orders of and referrals to services."""
    return _coded(_asked("service", "service orders"), "codings", codes)


def devices_ordered(*codes: Codes) -> Series:
    """Orders of devices."""
    return _coded(_asked("device", "device orders"), "codings", codes)


def _asked(kind: str, noun: str) -> Series:
    return Series("service_request", noun).where(THIS.field("kind").one_of(kind))


def has_result() -> Truth:
    """A result with a value of any kind."""
    return Known(THIS, VALUES)


VALUES = (
    "value",
    "value_code",
    "value_codings",
    "value_low",
    "value_high",
    "ratio_numerator",
    "value_time",
    "value_instant",
    "value_date",
)
"""Fields of an observation that hold a value."""


@dataclass(frozen=True, slots=True)
class AgeAt(Truth):
    """Full years at a moment, from youngest to oldest, both included; none: without a bound."""

    moment: Moment
    youngest: int
    oldest: int | None


@dataclass(frozen=True, slots=True)
class Died(Truth):
    """The person died on or before the last day of a span."""

    by: Span


def age_at(moment: Moment, youngest: int, oldest: int | None = None) -> Truth:
    """Age in full years at a moment."""
    return AgeAt(moment, youngest, oldest)


def died(by: Span) -> Truth:
    """The person died on or before the last day of a span."""
    return Died(by)


def _coded(series: Series, field: str, codes: tuple[Codes, ...]) -> Series:
    return series.where(THIS.field(field).coded(*codes)) if codes else series
