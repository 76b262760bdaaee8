"""CMS122, glycemic status above 9 % (lower is better): adults with diabetes whose last HbA1c or GMI was above 9 %, or is missing."""

from services.measures.declared import Definition, Populations
from services.measures.language.codes import CPT, HCPCS, LOINC, Code, ValueSet
from services.measures.language.events import THIS, Field, Known, Row
from services.measures.language.moments import PERIOD
from services.measures.language.truths import Named, Surely, Truth, any_of, named, not_
from services.measures.language.vocabulary import CODED_VALUES, VALUES, age_at
from services.measures.official.common import (
    ESTABLISHED_ADULT,
    HOME_CARE,
    INITIAL_ADULT,
    OFFICE,
    TELEPHONE,
    WELLNESS,
    adult_outpatient_visit,
    frail_and_ill_from_66,
    hospice,
    nursing_home,
    palliative,
)
from services.measures.official.editions import OF_CONTAINED, OF_NOT, OF_REFUTED, Edition

DIABETES = ValueSet("2.16.840.1.113883.3.464.1003.103.12.1001", "Diabetes")
HBA1C = ValueSet("2.16.840.1.113883.3.464.1003.198.12.1013", "HbA1c Laboratory Test")
GMI = Code(LOINC, "97506-0", "glucose management indicator")
NUTRITION = ValueSet("2.16.840.1.113883.3.464.1003.1006", "Nutrition Services")
NUTRITION_THERAPY = (
    Code(CPT, "97802", "medical nutrition therapy, first assessment, one person"),
    Code(CPT, "97803", "medical nutrition therapy, reassessment, one person"),
    Code(CPT, "97804", "medical nutrition therapy, group"),
    Code(HCPCS, "G0270", "medical nutrition therapy after a second referral, one person"),
    Code(HCPCS, "G0271", "medical nutrition therapy after a second referral, group"),
)


def definition(edition: Edition) -> Definition:
    """The measure of a year."""
    return Definition(
        id="CMS122",
        version=str(edition.year),
        title="Diabetes: glycemic status above 9 %",
        sources=("CMS122, Diabetes: Glycemic Status Assessment Greater Than 9% (FHIR, eCQI Resource Center)",),
        sentence="Adults with diabetes whose last HbA1c of the year was above 9 %, or who have none.",
        direction="decrease",
        differs=(OF_NOT, OF_REFUTED) if edition.year == 2025 else (OF_NOT, OF_CONTAINED),
        groups=(
            Populations(
                initial=named(
                    "18 to 75 years old with diabetes and a visit",
                    age_at(PERIOD.end, 18, 75),
                    _visit(edition),
                    _diabetes(edition),
                ),
                exclusions=named(
                    "Exclusions",
                    any_of(
                        hospice(edition),
                        nursing_home(edition),
                        frail_and_ill_from_66(edition),
                        palliative(edition),
                    ),
                ),
                numerator=_numerator(edition),
            ),
        ),
    )


def _visit(edition: Edition) -> Named:
    if edition.year == 2025:
        return adult_outpatient_visit(edition)
    kinds = (OFFICE, WELLNESS, ESTABLISHED_ADULT, INITIAL_ADULT, HOME_CARE, NUTRITION, *NUTRITION_THERAPY, TELEPHONE)
    return named("Visit in the period", edition.visits(*kinds).where(THIS.period.during(PERIOD)).exist())


def _diabetes(edition: Edition) -> Named:
    """Until 2025 any diagnosis; then one made at a visit."""
    found = edition.diagnoses(DIABETES).where(THIS.prevalence.overlaps(PERIOD))
    if edition.year > 2025:
        found = found.where(THIS.field("category").one_of("encounter-diagnosis"))
    return named("Diabetes in the period", found.exist())


def _has_result(edition: Edition, test: Row) -> Truth:
    in_words = Surely(test.field("flags").one_of("text-withheld", "value-type-withheld"))
    if edition.year > 2025:
        return named("It has a result", any_of(Known(test, VALUES), in_words))
    other_than_coded = Known(test, tuple(each for each in VALUES if each not in CODED_VALUES))
    return named("It has a result that is not coded", any_of(other_than_coded, in_words))


def _numerator(edition: Edition) -> Named:
    """As published a test "without result" counts. A result that is a range, a time, or in words is one, if no number.

    A coded word is one too by the text; of 2025 two of three published cases want it to be none.
    """
    tests = edition.laboratory(HBA1C, GMI).where(THIS.effective.latest.during(PERIOD))
    last = tests.last("the last test", by=THIS.effective.latest)
    that_day = tests.where(THIS.effective.latest.same_day(last.event.effective.latest))
    lowest = that_day.first("the lowest test of the last day", by=Field(THIS, "value"))
    return named(
        "Last glycemic status above 9 %, or unknown",
        any_of(
            named("The test has no result", lowest.exists(), not_(_has_result(edition, lowest.event))),
            named("The lowest of the last day is above 9 %", Field(lowest.event, "value").compare(">", "9", "%")),
            named("No test in the period", not_(tests.exist())),
        ),
    )
