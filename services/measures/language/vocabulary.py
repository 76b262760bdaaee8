"""Series by name: what a clinician calls them, of which record type they are, where their code stands."""

from dataclasses import dataclass

from services.measures.language.codes import Codes, CodeSet
from services.measures.language.columns import NORMALISED
from services.measures.language.events import THIS, Known, Pick, Series
from services.measures.language.moments import KNOWN, Between, Moment, Span
from services.measures.language.truths import Named, Surely, Truth, any_of, named, not_

NOT_SEEN = ("planned", "cancelled", "entered-in-error")
"""Encounter statuses that are no visit."""
DOUBTED = ("refuted", "entered-in-error", "unconfirmed", "provisional", "differential")
"""Verification statuses under which a diagnosis is not (yet) made."""
NOT_TAKEN = ("cancelled", "draft", "entered-in-error", "not-done", "not-taken", "declined", "unknown")
"""Statuses of a medicine under which it was not taken."""
NOT_MEANT = ("proposal", "plan", "option")
"""Intents under which a medicine is not ordered."""


def visits(*kinds: Codes) -> Series:
    """Visits, of these kinds where any are given."""
    return _coded(Series("encounter", "visits"), "types", kinds)


def visits_made() -> Series:
    """Visits that took place, of any kind; a stretch of one, such as a stay on one ward, is counted with it."""
    return Series("encounter", "visits").where(
        not_(Surely(THIS.field("status").one_of(*NOT_SEEN))), not_(THIS.field("part_of").known)
    )


def diagnoses_made(codes: CodeSet, *such: Truth) -> Series:
    """Diagnoses of the set that are not in doubt, and so; whether they are active does not matter."""
    sure = not_(Surely(THIS.field("verification_status").one_of(*DOUBTED)))
    return Series("condition", "diagnoses").where(THIS.is_a(codes), sure, *such)


def diagnosed(codes: CodeSet) -> Truth:
    """There is a diagnosis of the set that is not in doubt."""
    return diagnoses_made(codes).exist()


def first_diagnosed(codes: CodeSet) -> Pick:
    """The first diagnosis of the set that is not in doubt and has a date or an age; without one, nothing is known of it."""
    dated = any_of(THIS.field("onset_date").known, THIS.field("onset_age").known)
    return diagnoses_made(codes, dated).first("the first diagnosis with a date or an age")


def measured(codes: CodeSet) -> Series:
    """Results by their normalised code."""
    return Series("observation", "results").where(THIS.is_a(codes))


def answered(codes: CodeSet) -> Series:
    """Answers and scores of questionnaires by their normalised code."""
    return Series("pro_response", "answers").where(THIS.is_a(codes))


def derived(method: str, noun: str) -> Series:
    """Values that were worked out by a method of `mainstem derive`."""
    return Series("derived_observation", noun).where(THIS.field("method").one_of(method))


def done(codes: CodeSet) -> Series:
    """Procedures that were completed, by their normalised code."""
    return Series("procedure", "procedures").where(THIS.is_a(codes), THIS.field("status").one_of("completed"))


def treatments(codes: CodeSet) -> Series:
    """Medicines of the set that were taken, or ordered to be."""
    return Series("medication", "medicines").where(
        THIS.is_a(codes),
        not_(Surely(THIS.field("status").one_of(*NOT_TAKEN))),
        not_(Surely(THIS.field("intent").one_of(*NOT_MEANT))),
    )


def on(moment: Moment) -> Truth:
    """A medicine is taken on that day."""
    return THIS.taking.overlaps(Between(moment, moment))


def on_treatment(codes: CodeSet, moment: Moment = KNOWN) -> Truth:
    """A medicine of the set is taken on that day; none given: on the last day of the period that is known."""
    return treatments(codes).where(on(moment)).exist()


def cared_for_here(span: Span) -> Named:
    """The site still has the person: by an enrolment that overlaps, where any is known. Who moves counts where the episode is."""
    enrolments = Series("enrolment", "enrolments").where(
        not_(Surely(THIS.field("status").one_of("planned", "entered-in-error", "cancelled")))
    )
    return named(
        "Cared for here",
        any_of(not_(enrolments.exist()), enrolments.where(THIS.membership.overlaps(span)).exist()),
    )


def set_aside(measure: str, span: Span) -> Named:
    """The site has excluded the person from a measure for a time."""
    held = Series("set_aside", "exclusions by the site").where(
        THIS.field("measure").one_of(measure), THIS.validity.overlaps(span)
    )
    return named("Set aside by the site", held.exist())


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


CODED_VALUES = ("value_code", "value_codings")
"""Those of them that hold a word in a code."""


@dataclass(frozen=True, slots=True)
class AgeAt(Truth):
    """Full years at a moment, from youngest to oldest, both included; none: without a bound."""

    moment: Moment
    youngest: int
    oldest: int | None


@dataclass(frozen=True, slots=True)
class PersonIs(Truth):
    """What the person's own record says is one of these words."""

    field: str
    values: tuple[str, ...]


def sex(*values: str) -> Truth:
    """The administrative sex is one of these; unknown where none is recorded."""
    return PersonIs("sex", values)


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
    """Of these codes; of a code set of the network's own by the normalised code, where the record type has one."""
    normalised = any(kind == series.record for kind, _ in NORMALISED)
    sets = tuple(each for each in codes if normalised and isinstance(each, CodeSet))
    others = tuple(each for each in codes if each not in sets)
    asked = [THIS.is_a(*sets)] if sets else []
    asked += [THIS.field(field).coded(*others)] if others else []
    return series.where(any_of(*asked)) if asked else series
