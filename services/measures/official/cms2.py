"""CMS2, screening for depression and follow-up plan: people screened at or before a visit, and followed up where positive."""

from typing import NamedTuple

from services.measures.declared import Definition, Populations
from services.measures.language.codes import LOINC, SNOMED, Code, ValueSet
from services.measures.language.events import OTHER, THIS, Pick, Series
from services.measures.language.moments import PERIOD
from services.measures.language.truths import Named, Surely, Truth, all_of, any_of, named, not_
from services.measures.language.vocabulary import (
    age_at,
    has_result,
    procedures,
    services_ordered,
    visits,
)
from services.measures.official.common import TELEPHONE
from services.measures.official.editions import OF_CONTAINED, OF_NOT, OF_REFUTED, Edition, begun, observed, recorded

KINDS = (
    ValueSet("2.16.840.1.113883.3.600.1916", "Encounter to Screen for Depression"),
    ValueSet("2.16.840.1.113883.3.526.3.1022", "Physical Therapy Evaluation"),
    TELEPHONE,
)
BIPOLAR = ValueSet("2.16.840.1.113883.3.67.1.101.1.128", "Bipolar Disorder")
MEDICAL_REASON = ValueSet("2.16.840.1.113883.3.526.3.1007", "Medical Reason")
DECLINED = Code(SNOMED, "720834000", "screening for depression declined")
NEGATIVE = Code(SNOMED, "428171000124102", "screening for depression negative")
POSITIVE = Code(SNOMED, "428181000124104", "screening for depression positive")
DAYS_BEFORE_VISIT, DAYS_AFTER_VISIT = 14, 2


class Ages(NamedTuple):
    """What differs between adolescents and adults."""

    name: str
    screening: Code
    drugs: ValueSet
    referral: ValueSet
    follow_up: ValueSet


ADOLESCENTS = Ages(
    "adolescents",
    Code(LOINC, "73831-0", "screening for depression, adolescents"),
    ValueSet("2.16.840.1.113883.3.526.3.1567", "Adolescent Depression Medications"),
    ValueSet("2.16.840.1.113883.3.526.3.1570", "Referral for Adolescent Depression"),
    ValueSet("2.16.840.1.113883.3.526.3.1569", "Follow Up for Adolescent Depression"),
)
ADULTS = Ages(
    "adults",
    Code(LOINC, "73832-8", "screening for depression, adults"),
    ValueSet("2.16.840.1.113883.3.526.3.1566", "Adult Depression Medications"),
    ValueSet("2.16.840.1.113883.3.526.3.1571", "Referral for Adult Depression"),
    ValueSet("2.16.840.1.113883.3.526.3.1568", "Follow Up for Adult Depression"),
)


def definition(edition: Edition) -> Definition:
    """The measure of a year."""
    young, adult = _met(edition, ADOLESCENTS), _met(edition, ADULTS)
    return Definition(
        id="CMS2",
        version=str(edition.year),
        title="Screening for depression and follow-up plan",
        sources=("CMS2, Preventive Care and Screening: Screening for Depression and Follow-Up Plan (FHIR, eCQI)",),
        sentence="People of 12 years or more who were screened for depression and, where positive, followed up.",
        direction="increase",
        differs=(OF_REFUTED, OF_NOT, OF_CONTAINED),
        groups=(
            Populations(
                initial=named(
                    "12 years old or more with a visit",
                    age_at(PERIOD.start, 12),
                    named("Visit in the period", _visits().exist()),
                ),
                exclusions=named("Bipolar disorder before a visit", _bipolar(edition)),
                numerator=named(
                    "Screened, and followed up where positive",
                    any_of(
                        all_of(age_at(PERIOD.start, 12, 16), young),
                        all_of(age_at(PERIOD.start, 17, 17), any_of(young, adult)),
                        all_of(age_at(PERIOD.start, 18), adult),
                    ),
                ),
                exceptions=named(
                    "Not screened for a medical or the patient's reason",
                    any_of(_not_screened(edition, ADOLESCENTS), _not_screened(edition, ADULTS)),
                ),
            ),
        ),
    )


def _visits() -> Series:
    return visits(*KINDS).where(THIS.period.during(PERIOD), THIS.field("status").one_of("finished"))


def _bipolar(edition: Edition) -> Truth:
    listed = edition.diagnoses(BIPOLAR).where(THIS.field("category").one_of("problem-list-item", "health-concern"))
    by_day, exactly = THIS.prevalence.starts_before(OTHER.period), THIS.prevalence.starts_before_exactly(OTHER.period)
    return listed.with_any(_visits(), exactly if edition.year == 2025 else by_day).exist()


def _screenings(edition: Edition, ages: Ages) -> Series:
    """Screenings with an answer, on the day of a visit or up to 14 days before."""
    final = ("final",) if edition.year == 2025 else ("final", "corrected")
    answered = observed(ages.screening).where(THIS.field("status").one_of(*final), has_result())
    return answered.with_any(_visits(), THIS.effective.end.days_before(DAYS_BEFORE_VISIT, OTHER.period.start))


def _last(edition: Edition, ages: Ages) -> Pick:
    return _screenings(edition, ages).last(f"the last screening for {ages.name}", by=THIS.effective.start)


def _met(edition: Edition, ages: Ages) -> Truth:
    answer = _last(edition, ages).event.field("value_codings")
    return any_of(
        named(f"Last screening for {ages.name} negative", answer.coded(NEGATIVE)),
        named(f"Last screening for {ages.name} positive and followed up", _followed_up(edition, ages)),
    )


def _followed_up(edition: Edition, ages: Ages) -> Truth:
    """At one visit: screened before it, and followed up during it or up to two days after."""
    last = _last(edition, ages).event
    positive = last.field("value_codings").coded(POSITIVE)
    at_visit = last.effective.start.days_before(DAYS_BEFORE_VISIT, THIS.period.start)
    ordered = all_of(
        OTHER.authored.start.days_after(DAYS_AFTER_VISIT, THIS.period.end), OTHER.authored.starts_during(PERIOD)
    )
    done = all_of(OTHER.performed.starts_during_exactly(THIS.period), OTHER.performed.starts_during(PERIOD))
    screened = _visits().where(positive, begun(last), at_visit)
    referrals = services_ordered(ages.referral).where(THIS.field("status").one_of("active", "completed"))
    follow_ups = procedures(ages.follow_up).where(THIS.field("status").one_of("completed"))
    return any_of(
        screened.with_any(_drugs(edition, ages), ordered).exist(),
        screened.with_any(referrals, ordered).exist(),
        screened.with_any(follow_ups, done).exist(),
    )


def _drugs(edition: Edition, ages: Ages) -> Series:
    """From 2026 on only what is taken on after a visit at which the last screening was positive.

    As published also an order of which nobody knows how long it supplies (CQL: see `advanced_illness`).
    """
    ordered = edition.medications(ages.drugs, statuses=("active", "completed"))
    if edition.year == 2025:
        return ordered
    last = _last(edition, ages).event
    return ordered.where(last.field("value_codings").coded(POSITIVE)).with_any(
        _visits(),
        last.effective.start.days_before(DAYS_BEFORE_VISIT, OTHER.period.start),
        not_(Surely(named("not taken on after the visit", not_(THIS.supply.overlaps_after(OTHER.period))))),
    )


def _not_screened(edition: Edition, ages: Ages) -> Named:
    during, exactly = THIS.issued.start.during(OTHER.period), THIS.issued.start.during_exactly(OTHER.period)
    cancelled = (
        recorded(ages.screening)
        .where(
            THIS.field("status").one_of("cancelled"),
            THIS.field("status_reasons").coded(DECLINED, MEDICAL_REASON),
        )
        .with_any(_visits(), exactly if edition.year == 2025 else during)
    )
    return named(
        f"Screening for {ages.name} not done for a reason, and none done",
        cancelled.exist(),
        not_(_screenings(edition, ages).exist()),
    )
