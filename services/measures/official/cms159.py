"""CMS159, depression remission at twelve months: people with depression whose PHQ-9 is below 5, a year after it was above 9."""

from typing import Literal

from services.measures.declared import Definition, Populations
from services.measures.language.codes import ValueSet
from services.measures.language.columns import ACTIVE
from services.measures.language.events import OTHER, THIS, Row, Series
from services.measures.language.moments import PERIOD, Between, Span
from services.measures.language.truths import Named, Surely, Truth, all_of, any_of, named, not_
from services.measures.language.vocabulary import (
    age_at,
    diagnoses,
    died,
    procedures,
    services_ordered,
    visits,
)
from services.measures.official.common import (
    HOSPICE_ASKED,
    HOSPICE_CARE,
    HOSPICE_DIAGNOSIS,
    HOSPICE_VISIT,
    INPATIENT,
    PALLIATIVE_ASKED,
    PALLIATIVE_CARE,
    PALLIATIVE_DIAGNOSIS,
    PALLIATIVE_VISIT,
    TO_HOSPICE,
    YES,
)
from services.measures.official.editions import FINAL, ORDERS, Edition, begun, observed

DEPRESSION = (
    ValueSet("2.16.840.113883.3.67.1.101.3.2444", "Major Depression Including Remission"),
    ValueSet("2.16.840.1.113883.3.67.1.101.1.254", "Dysthymia"),
)
OTHER_DISORDERS = (
    ValueSet("2.16.840.1.113883.3.67.1.101.1.128", "Bipolar Disorder"),
    ValueSet("2.16.840.1.113883.3.67.1.101.1.246", "Personality Disorder Emotionally Labile"),
    ValueSet("2.16.840.1.113883.3.464.1003.105.12.1104", "Schizophrenia or Psychotic Disorder"),
    ValueSet("2.16.840.1.113883.3.464.1003.105.12.1152", "Pervasive Developmental Disorder"),
)
CONTACT = ValueSet("2.16.840.1.113762.1.4.1080.5", "Contact or Office Visit")
PHQ9 = ValueSet("2.16.840.1.113883.3.67.1.101.1.263", "PHQ 9 and PHQ 9M Tools")
IDENTIFIED = Between(
    PERIOD.start.plus(months=-14), PERIOD.start.plus(months=-2, days=-1), "the time of the first assessment"
)
"""When the first assessment counts: from 14 to 2 months before the measurement period."""


def _confirmed(*codes: ValueSet) -> Series:
    return diagnoses(*codes).where(
        THIS.field("clinical_status").one_of(*ACTIVE), THIS.field("verification_status").one_of("confirmed")
    )


def _assessments() -> Series:
    return observed(PHQ9).where(THIS.field("status").one_of(*FINAL), begun())


def _points(assessment: Row, how: Literal["<", ">"], number: str) -> Truth:
    """As published: a whole number; an amount is none, whether in a unit or without one."""
    amount = any_of(assessment.field("unit").known, Surely(assessment.field("flags").one_of("unit-missing")))
    return all_of(named("A number of points, no amount", not_(amount)), assessment.field("value").compare(how, number))


def _index() -> Series:
    """Assessments above 9 at a visit for depression, or in the week before it."""
    seen = visits(CONTACT).where(THIS.field("status").one_of("finished"), THIS.period.ends_during(IDENTIFIED))
    for_depression = seen.with_any(_confirmed(*DEPRESSION), THIS.period.overlaps_exactly(OTHER.prevalence))
    week = Between(OTHER.period.start.plus(days=-7), OTHER.period.end, "the visit or the week before")
    high = _assessments().where(_points(THIS, ">", "9"))
    return high.with_any(for_depression, THIS.effective.during(week))


INDEX = _index().first("the first high PHQ-9", by=THIS.effective.start)
DAY_BEFORE = INDEX.event.effective.start.plus(days=-1)
"""As published: an age at an instant (CQL) is not known on the birthday, since nobody knows the time of the birth."""
YEAR_LATER = Between(
    INDEX.event.effective.start.plus(months=12, days=-60),
    INDEX.event.effective.start.plus(months=12, days=60),
    "a year later, 60 days more or less",
)
"""When the second assessment counts."""
WHOLE = Between(IDENTIFIED.start, YEAR_LATER.end, "the time from the first to the second assessment")
AND_A_DAY = Between(IDENTIFIED.start, YEAR_LATER.end.plus(days=1), "that time and a day more")
SURELY_WHOLE = Between(
    IDENTIFIED.start,
    INDEX.event.effective.start.plus(months=12, days=59),
    "the time from the first to the second assessment, its last day left out",
)


def definition(edition: Edition) -> Definition:
    """The measure of a year."""
    last = (
        _assessments()
        .where(THIS.effective.start.during(YEAR_LATER))
        .last("the last PHQ-9 a year later", by=THIS.effective.start)
    )
    return Definition(
        id="CMS159",
        version=str(edition.year),
        title="Depression remission at twelve months",
        sources=("CMS159, Depression Remission at Twelve Months (FHIR, eCQI Resource Center)",),
        sentence="People with depression who were in remission a year after a high PHQ-9.",
        direction="increase",
        groups=(
            Populations(
                initial=named(
                    "12 years old or more before the day of a PHQ-9 above 9 at a visit for depression",
                    INDEX.exists(),
                    age_at(DAY_BEFORE, 12),
                ),
                exclusions=named(
                    "Exclusions",
                    any_of(
                        _hospice(WHOLE),
                        _palliative(edition),
                        named("Died", died(SURELY_WHOLE if edition.year == 2025 else YEAR_LATER)),
                        _other_disorder(),
                    ),
                ),
                numerator=named("Last PHQ-9 a year later below 5", _points(last.event, "<", "5")),
            ),
        ),
    )


def _other_disorder() -> Named:
    found = _confirmed(*OTHER_DISORDERS).where(THIS.prevalence.starts_no_later_than(YEAR_LATER))
    return named("Bipolar, personality, psychotic or developmental disorder", found.exist())


def _hospice(when: Span) -> Named:
    stays = visits(INPATIENT).where(
        THIS.field("discharge_disposition").coded(*TO_HOSPICE),
        THIS.period.ends_during(when),
        THIS.field("status").one_of("finished"),
    )
    seen = visits(HOSPICE_VISIT).where(
        THIS.period.overlaps(when),
        not_(Surely(THIS.field("status").one_of("cancelled", "entered-in-error", "unknown"))),
    )
    said = observed(HOSPICE_ASKED).where(
        THIS.field("status").one_of(*FINAL), THIS.effective.overlaps(when), THIS.field("value_codings").coded(YES)
    )
    ordered = services_ordered(HOSPICE_CARE).where(
        THIS.authored.during(when),
        THIS.field("status").one_of("active", "completed"),
        THIS.field("intent").one_of(*ORDERS),
    )
    done = procedures(HOSPICE_CARE).where(THIS.performed.overlaps(when), _perhaps_done())
    diagnosed = _confirmed(HOSPICE_DIAGNOSIS).where(THIS.prevalence.overlaps(when))
    series = (stays, seen, said, ordered, done, diagnosed)
    return named("Hospice care up to the second assessment", any_of(*(each.exist() for each in series)))


def _palliative(edition: Edition) -> Named:
    """Until 2025 compared to the instant, from the first of the first day to a last day that has none: what begins at a time of it is not
    known to be in time.
    """

    def in_time(span: Span) -> Truth:
        if edition.year > 2025:
            return span.overlaps(WHOLE)
        return all_of(span.starts_no_later_than_exactly(WHOLE), span.overlaps(AND_A_DAY).timed)

    said = observed(PALLIATIVE_ASKED).where(THIS.field("status").one_of(*FINAL), in_time(THIS.effective))
    diagnosed = _confirmed(PALLIATIVE_DIAGNOSIS).where(in_time(THIS.prevalence))
    seen = visits(PALLIATIVE_VISIT).where(in_time(THIS.period), THIS.field("status").one_of("finished"))
    done = procedures(PALLIATIVE_CARE).where(in_time(THIS.performed), _perhaps_done())
    series = (said, diagnosed, seen, done)
    return named("Palliative care up to the second assessment", any_of(*(each.exist() for each in series)))


def _perhaps_done() -> Truth:
    return not_(Surely(THIS.field("status").one_of("not-done", "entered-in-error", "unknown")))
