"""What is said of a patient before a visit: last states, what is overdue, what stands out."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.pages.patient_state import Kept, age, diseases, flags, overdue, standing_out, states

DAY = date(2026, 11, 3)
CROHN = Kept("s-1", date(2013, 11, 4), "female", (("34000006", "K50.90"),), {})
DIABETES = replace(CROHN, diagnoses=((None, "E10.65"),))
FIBROSIS = replace(CROHN, diagnoses=(("190905008", None),))


def known(method: str, *values: tuple[int, float, str | None]) -> dict[str, list[tuple[date, float, str | None]]]:
    """Values of a method, each so many days before the visit."""
    return {method: [(DAY - timedelta(days=ago), number, band) for ago, number, band in values]}


def test_age_is_in_full_years_on_the_day_of_the_visit() -> None:
    """One day before the birthday."""
    assert (age(CROHN, DAY), age(CROHN, DAY + timedelta(days=1)), age(replace(CROHN, born=None), DAY)) == (12, 13, None)


def test_disease_is_known_by_either_code() -> None:
    """By SNOMED CT, by a category of ICD-10-CM and what is below it; nothing that only begins alike."""
    assert (diseases(CROHN), diseases(DIABETES)) == (["Crohn's disease"], ["Type 1 diabetes"])
    assert diseases(replace(CROHN, diagnoses=((None, "E100"), (None, "K5")))) == []


def test_states_are_told_with_what_was_before() -> None:
    """The last first; words for bands; nothing for what was never known."""
    kept = replace(CROHN, values=known("pga-state", (200, 2, "moderate"), (100, 1, "mild"), (10, 0, "remission")))
    assert states(kept) == [("Disease state", "remission", "moderate, mild", "24 October 2026")]
    with_sugar = replace(DIABETES, values=known("hba1c-band", (10, 9.44, "above-9")))
    assert states(with_sugar) == [("HbA1c", "9.4 % (above 9)", "–", "24 October 2026")]


def test_overdue_goes_by_the_disease_and_the_day() -> None:
    """Never recorded, recorded too long ago, recorded in time; nothing of a disease the patient has not."""
    assert list(overdue(CROHN, DAY)) == ["Assessment of disease: never recorded", "Height and weight: never recorded"]
    late = known("pga-state", (121, 0, "remission")) | known("bmi-percentile", (120, 40, None))
    assert list(overdue(replace(CROHN, values=late), DAY)) == [
        "Assessment of disease: last on 5 July 2026, 121 days ago"
    ]


def test_questionnaire_is_asked_for_from_its_age() -> None:
    """Depression from twelve years; of whom the age is not known it is asked for."""
    asked = [list(overdue(replace(DIABETES, born=born), DAY)) for born in (date(2015, 1, 1), date(2014, 1, 1), None)]
    assert [any("PHQ" in each for each in found) for found in asked] == [False, True, True]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (known("pga-state", (5, 3, "severe")), ["Disease state: severe on 29 October 2026"]),
        (known("pga-state", (5, 1, "mild")), []),
        (known("phq-9-severity", (5, 12, "moderate")), ["Depression (PHQ-9): 12 (moderate) on 29 October 2026"]),
        (known("systemic-steroid-days-90", (5, 29, None)), ["Days on steroids, of 90: 29 on 29 October 2026"]),
        (known("systemic-steroid-days-90", (5, 28, None)), []),
        (known("height-percentile", (5, 2, None)), ["Height percentile: 2 on 29 October 2026"]),
        (known("height-percentile", (5, 0.3, None)), ["Height percentile: below 1 on 29 October 2026"]),
    ],
)
def test_last_state_that_wants_a_look_stands_out(
    values: dict[str, list[tuple[date, float, str | None]]], said: list[str]
) -> None:
    """By its band or its number; the last one alone."""
    assert list(standing_out(replace(CROHN, values=values))) == said


def test_lung_function_that_fell_within_a_year_stands_out() -> None:
    """Ten points below the best of the year before; an older best is no measure."""
    method = "fev1-percent-predicted-gli2022"
    fell = replace(FIBROSIS, values=known(method, (300, 92, None), (5, 81, None)))
    assert list(standing_out(fell)) == ["FEV1 fell to 81 % from a best of 92 % within a year"]
    long_ago = replace(FIBROSIS, values=known(method, (400, 92, None), (5, 81, None)))
    assert list(standing_out(long_ago)) == []


def test_what_stands_out_comes_before_what_is_overdue() -> None:
    """The first line is the first thing to see to."""
    kept = replace(CROHN, values=known("pga-state", (130, 3, "severe")))
    found = flags(kept, DAY)
    assert found[0].startswith("Disease state: severe")
    assert found[1].startswith("Overdue. Assessment of disease")
