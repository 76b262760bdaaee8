"""Values of several records: by published examples, with their inputs, gone when they are; whatever the records' order."""

import json
import tracemalloc
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from histories import (
    ANNE,
    GAD7,
    KEY,
    PHQ9,
    answers,
    assessment,
    derive,
    deriver,
    girl,
    height,
    mapped,
    medicine,
    observed,
    of,
    record,
    visit,
    weight,
)
from how_many import some
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import OperatorError
from schemas.outcomes import RECORD_TYPES
from transforms.derive import Deriver, Value, shipped, values
from transforms.derive.references.gli import Predicted, gli_2012
from transforms.derive.references.growth import Grown, grown
from transforms.mapped import Current, Mapped
from transforms.privacy import FieldPolicy


def test_growth_of_a_girl() -> None:
    """Age by days ÷ 30.4375; BMI of the weight and the height of its day; all of the references' own numbers."""
    found = derive(girl(), weight(40, "2024-03-02"), height(140, "2024-03-02"), weight(41, "2024-06-02"))
    months = 3653 / 30.4375
    for method, measure, value in (("weight", "weight", 40), ("height", "stature", 140), ("bmi", "bmi", 40 / 1.96)):
        place = grown(measure, "F", months, value)  # type: ignore[arg-type]
        assert isinstance(place, Grown)
        assert of(found, f"{method}-z")[0] == pytest.approx(place.z, abs=1e-6)
        assert of(found, f"{method}-percentile")[0] == pytest.approx(place.percentile, abs=1e-6)
    assert of(found, "bmi") == [round(40 / 1.96, 6)]
    assert len(of(found, "weight-z")) == 2
    (bmi,) = (each for each in found if each["method"] == "bmi-z")
    assert (bmi["quantity"], bmi["unit"], len(bmi["inputs"]), bmi["effective_date"]) == (
        "z-score",
        "{Zscore}",
        3,
        "2024-03-02",
    )


def test_who_was_measured_lying_is_longer_for_it_than_standing() -> None:
    """By 0.7 cm, from the age on at which the reference is of standing children; before it is of lying ones, as are most readings."""
    for day, months, less in (("2016-03-02", 731 / 30.4375, 0.7), ("2016-03-01", 730 / 30.4375, 0.0)):
        (z,) = of(derive(girl("2014-03-02"), observed("8306-3", 90, "cm", day)), "height-z")
        expected = grown("stature", "F", months, 90 - less)
        assert isinstance(expected, Grown)
        assert z == pytest.approx(expected.z, abs=1e-6)


def test_what_growth_cannot_be_told_of() -> None:
    """No sex, no full birth date, before birth, above 20 years, an estimated height, another unit, a bound."""
    ours = (weight(40, "2024-03-02"), height(140, "2024-03-02"))
    for person in (girl(sex="unknown"), girl("2014-03"), girl("2024-03-03"), girl("2000-01-01")):
        assert of(derive(person, *ours), "weight-z") == []
    assert of(derive(*ours), "weight-z") == []
    estimated = observed("8301-4", 140, "cm", "2024-03-02")
    assert of(derive(girl(), weight(40, "2024-03-02"), estimated), "bmi") == []
    assert of(derive(girl(), observed("29463-7", 88, "[lb_av]", "2024-03-02")), "weight-z") == []
    assert of(derive(girl(), weight(40, "2024-03-02", comparator=">")), "weight-z") == []
    assert of(derive(girl(), weight(40, "2024-03")), "weight-z") == []


def test_an_adults_height_holds_a_childs_does_not() -> None:
    """A weight of another day: none of a child, of an adult with the last height since 20."""
    assert of(derive(girl(), weight(40, "2024-03-03"), height(140, "2024-03-02")), "bmi") == []
    grown_up = derive(
        girl("1990-03-02"), weight(60, "2024-03-03"), height(170, "2020-03-02"), height(150, "2003-01-01")
    )
    assert of(grown_up, "bmi") == [round(60 / 2.89, 6)]


def test_sex_at_birth_chooses_the_reference() -> None:
    """Where it is told."""
    ours = weight(40, "2024-03-02")
    assert of(derive(girl(birth_sex="male"), ours), "weight-z") == of(derive(girl(sex="male"), ours), "weight-z")


def test_a_bmi_the_site_wrote_down_counts_where_none_can_be_computed() -> None:
    """And is not told twice where one can."""
    written = observed("39156-5", 20.4, "kg/m2", "2024-03-02")
    assert len(of(derive(girl(), written), "bmi-z")) == 1
    assert len(of(derive(girl(), written, weight(40, "2024-03-02"), height(140, "2024-03-02")), "bmi-z")) == 1


def test_lung_function_by_both_editions() -> None:
    """Height of at most 90 days; GLI-2012's group by race; the ratio of one time's FEV1 and FVC."""
    blown = [
        observed("20150-9", 1.9, "L", "2024-03-02", effective="2024-03-02T10:00:00Z"),
        observed("19868-9", 2.2, "L", "2024-03-02", effective="2024-03-02T10:00:00Z"),
        observed("19868-9", 2.4, "L", "2024-03-02", effective="2024-03-02T11:00:00Z"),
    ]
    found = derive(girl(race=["2106-3"]), height(140, "2024-01-02"), *blown)
    expected = gli_2012("fev1", "F", 3653 / 365.25, 140, "caucasian")
    assert isinstance(expected, Predicted)
    assert of(found, "fev1-predicted-gli2012") == [pytest.approx(expected.predicted, abs=1e-6)]
    assert of(found, "fev1-percent-predicted-gli2012") == [pytest.approx(expected.percent(1.9), abs=1e-6)]
    assert of(found, "fev1-z-gli2012") == [pytest.approx(expected.z(1.9), abs=1e-6)]
    assert (len(of(found, "fvc-z-gli2022")), len(of(found, "fev1fvc-z-gli2022"))) == (2, 1)
    unknown = derive(girl(race=["UN"]), height(140, "2024-01-02"), *blown)
    assert (of(unknown, "fev1-z-gli2012"), len(of(unknown, "fev1-z-gli2022"))) == ([], 1)
    assert of(derive(girl(), height(140, "2023-11-02"), *blown), "fev1-z-gli2022") == []
    more = observed("20150-9", 2.3, "L", "2024-03-02", effective="2024-03-02T10:00:00Z")
    impossible = derive(girl(), height(140, "2024-01-02"), more, blown[1])
    assert (len(of(impossible, "fev1-z-gli2022")), of(impossible, "fev1fvc-z-gli2022")) == (1, [])


def test_kidney_function_by_published_equations() -> None:
    """A child of 120 cm and 0.6 mg/dL: 82.6 (0.413·120/0.6); adults by the published equation of 2021."""
    child = derive(girl(), observed("2160-0", 0.6, "mg/dL", "2024-03-02"), height(120, "2024-03-02"))
    assert (of(child, "egfr-schwartz-2009"), of(child, "egfr-ckd-epi-2021")) == ([82.6], [])
    woman = derive(girl("1974-03-02"), observed("2160-0", 0.8, "mg/dL", "2024-03-02"))
    assert of(woman, "egfr-ckd-epi-2021") == [pytest.approx(142 * (0.8 / 0.7) ** -1.2 * 0.9938**50 * 1.012, abs=1e-6)]
    man = derive(girl("1974-03-02", sex="male"), observed("2160-0", 0.8, "mg/dL", "2024-03-02"))
    assert of(man, "egfr-ckd-epi-2021") == [pytest.approx(142 * (0.8 / 0.9) ** -0.302 * 0.9938**50, abs=1e-6)]
    assert of(derive(girl("2006-03-02"), observed("2160-0", 0.8, "mg/dL", "2024-03-02")), "egfr-ckd-epi-2021") != []
    assert of(derive(girl("2006-03-03"), observed("2160-0", 0.8, "mg/dL", "2024-03-02")), "egfr-ckd-epi-2021") == []


@pytest.mark.parametrize(
    ("code", "unit", "method", "bands"),
    [
        (
            "44261-6",
            "{score}",
            "phq-9-severity",
            {4: "minimal", 5: "mild", 14: "moderate", 15: "moderately-severe", 27: "severe"},
        ),
        ("89204-2", None, "phq-9-screen", {9: "negative", 10: "positive"}),
        ("55758-7", "{score}", "phq-2-screen", {2: "negative", 3: "positive", 6: "positive"}),
        ("70274-6", "{score}", "gad-7-severity", {4: "minimal", 5: "mild", 10: "moderate", 15: "severe", 21: "severe"}),
        (
            "82668-5",
            "{score}",
            "act-control",
            {15: "very-poorly-controlled", 19: "not-well-controlled", 20: "well-controlled"},
        ),
        ("4548-4", "%", "hba1c-band", {6.9: "below-7", 7: "7-to-9", 9: "7-to-9", 9.1: "above-9"}),
        ("97510-2", "%", "time-in-range", {70: "target-missed", 70.5: "target-met"}),
    ],
)
def test_scores_fall_in_their_bands(code: str, unit: str | None, method: str, bands: dict[float, str]) -> None:
    """At each published boundary; beyond the scale there is none."""
    for value, band in bands.items():
        ((told, name),) = of(derive(observed(code, value, unit, "2024-03-02")), method)
        assert name == band
        assert told in (value, 0, 1)
    assert of(derive(observed(code, 128, unit, "2024-03-02"), observed(code, -1, unit, "2024-03-02")), method) == []


def test_scores_that_questionnaires_tell() -> None:
    """The same of a questionnaire's answer; C-ACT by its name alone."""
    phq = record("pro_response", instrument="PHQ-9", code="44261-6", value=12, effective_date="2024-03-02")
    act = record("pro_response", codings=[{"code": "C-ACT"}], value=19, effective_date="2024-03-02")
    found = derive(phq, act)
    assert of(found, "phq-9-severity") == [(12, "moderate")]
    assert of(found, "c-act-control") == [(19, "not-well-controlled")]


def test_a_score_that_is_not_told_is_the_sum_of_its_items() -> None:
    """Where each is answered once, on a day without a total; the first two questions alone are the PHQ-2."""
    found = derive(*answers(PHQ9), *answers(GAD7, response="gad"), *answers(PHQ9[:2], "2024-04-02", "two"))
    assert of(found, "phq-9-severity") == [(18, "moderately-severe")]
    assert of(found, "phq-9-screen") == [(1, "positive")]
    assert of(found, "gad-7-severity") == [(15, "severe")]
    assert of(found, "phq-2-screen") == [(1, "positive")]
    whole = next(each for each in found if each["method"] == "phq-9-severity")
    assert len(whole["inputs"]) == 9
    total = record("pro_response", code="44261-6", value=17, effective_date="2024-03-02")
    assert of(derive(*answers(PHQ9), total), "phq-9-severity") == [(17, "moderately-severe")]


def test_items_that_a_sites_code_map_names_are_summed_up() -> None:
    """The record's code is LOINC's, its coding the site's own; answered by a code or by a number."""
    moment = {"effective": "2024-03-02T10:00:00Z", "effective_date": "2024-03-02"}
    for said in ({"value_code": "LA6570-1"}, {"value": 2}):
        items = [
            record("observation", code=code, codings=[{"system": "urn:x", "code": f"Q{place}"}], **moment, **said)
            for place, code in enumerate(PHQ9)
        ]
        assert of(derive(*items), "phq-9-severity") == [(18, "moderately-severe")]


@pytest.mark.parametrize(
    "given",
    [
        answers(PHQ9[:8]),
        [*answers(PHQ9[:8]), *answers(PHQ9[8:], response="other")],
        [*answers(PHQ9), *answers(PHQ9[:1], first=20)],
        answers(PHQ9, status="in-progress"),
        answers(PHQ9, value=4, weight=None, value_code=None),
        answers(PHQ9, value_code="LA11111-1", weight=None, value=None),
    ],
)
def test_of_a_form_that_is_not_whole_there_is_no_score(given: list[Current]) -> None:
    """An item missing, in another response, answered twice, not finished, outside its scale, in an answer nobody knows."""
    assert of(derive(*given), "phq-9-severity") == []
    assert of(derive(*given), "phq-2-screen") == []


def test_a_score_is_told_in_whole_points_and_when_the_form_is_finished() -> None:
    """Half a point is a slip; what is still being filled in is no score."""
    half = observed("44261-6", 9.5, "{score}", "2024-03-02")
    begun = record("pro_response", code="44261-6", value=4, effective_date="2024-03-02", status="in-progress")
    assert derive(half, begun) == []


@pytest.mark.parametrize("status", ["cancelled", "registered", "in-progress", "stopped", "entered-in-error", "unknown"])
def test_a_result_that_is_not_there_yet_or_no_longer_holds_gives_no_value(status: str) -> None:
    """Of a reading, a score, an answer, a state: as measures count it."""
    local = [{"system": "urn:oid:1.2.3", "code": "PUCAI"}]
    none = (
        weight(40, "2024-03-02", status=status),
        observed("44261-6", 12, "{score}", "2024-03-02", status=status),
        record("observation", codings=local, value=40, effective_date="2024-03-02", status=status),
        record("pro_response", codings=[{"code": "C-ACT"}], value=19, effective_date="2024-03-02", status=status),
    )
    assert derive(girl(), *none, *answers(PHQ9, status=status)) == []
    assert len(derive(girl(), weight(40, "2024-03-02", status="preliminary"))) == 2


def test_cut_points_of_disease_activity_lie_below_a_number_and_a_childs_asthma_is_told_in_whole_points() -> None:
    """PUCAI below 10, 35, 65; sPCDAI below 15, 30, up to all it can be; half a point of the C-ACT is a slip."""
    pucai = {0: "remission", 9.5: "remission", 10: "mild", 34.5: "mild", 35: "moderate", 64.5: "moderate", 65: "severe"}
    spcdai = {14.95: "remission", 15: "mild", 29.95: "mild", 30: "moderate-to-severe", 90: "moderate-to-severe"}
    for name, states in (("PUCAI", pucai | {85: "severe", 86: None}), ("sPCDAI", spcdai | {91: None})):
        for score, state in states.items():
            found = of(derive(assessment(name, "2024-01-01", score=score)), f"{name.lower()}-state")
            assert found == ([] if state is None else [(score, state)])
    for score, band in (
        (12, "very-poorly-controlled"),
        (13, "not-well-controlled"),
        (20, "well-controlled"),
        (19.5, None),
    ):
        answered = record("pro_response", codings=[{"code": "C-ACT"}], value=score, effective_date="2024-03-02")
        assert of(derive(answered), "c-act-control") == ([] if band is None else [(score, band)])
    shown = {value.name: value.method for value in shipped()}
    assert shown["pucai-state"] == "remission below 10; mild below 35; moderate below 65; severe up to 85"
    assert shown["hba1c-band"] == "below-7 below 7; 7-to-9 up to 9; above-9 up to 25"


def test_steroid_days_count_overlaps_once_and_gaps_not() -> None:
    """Of the 90 and the 365 days that end with a visit; creams, plans and what nobody can tell the end of do not count."""
    found = derive(
        visit("2024-06-30"),
        visit("2024-01-01"),
        medicine("8640", "2024-06-01", "2024-06-10"),
        medicine("8638", "2024-06-06", days_supply=10),
        medicine("8640", "2024-06-30", "2024-09-30"),
        medicine("8640", "2024-03-01", "2024-04-05"),
        medicine("8640", "2024-05-01"),
        medicine("8640", "2024-05-02", "2024-05-20", status="cancelled"),
        medicine("5492", "2024-05-02", "2024-05-20", route=[{"code": "6064005"}]),
        medicine("3264", "2024-05-02", kind="given", route=[{"code": "47625008"}]),
    )
    by_day = {each["effective_date"]: each["value"] for each in found if each["method"] == "systemic-steroid-days-90"}
    assert by_day == {"2024-01-01": 0, "2024-06-30": 15 + 1 + 4 + 1}  # from 2024-04-02 on
    assert max(of(found, "systemic-steroid-days-365")) == 15 + 1 + 36 + 1
    assert of(derive(visit("2024-06-30")), "systemic-steroid-days-90") == []


def test_a_steroid_is_known_by_its_ingredient_its_tablet_or_its_atc_code() -> None:
    """And a taper lasts as long as its steps; one with an open step nobody knows the end of."""
    atc = {"system": "http://www.whocc.no/atc", "code": "H02AB06"}
    tablet = record("medication", kind="ordered", start_date="2024-06-01", end_date="2024-06-03", code="312615")
    by_atc = record("medication", kind="ordered", start_date="2024-05-01", days_supply=2, codings=[atc])
    steps = [{"sequence": 1, "days": 7}, {"sequence": 2, "days": 14}, {"sequence": 2, "days": 3}]
    taper = medicine("8640", "2024-04-05", steps=steps)
    vague = medicine("8640", "2024-05-20", steps=[*steps, {"sequence": 3}])
    inhaled = record("medication", kind="ordered", start_date="2024-06-10", days_supply=9, code="896188")
    found = derive(visit("2024-06-30"), tablet, by_atc, taper, vague, inhaled)
    assert of(found, "systemic-steroid-days-90") == [3 + 2 + 21]


def test_exacerbations_treated_with_intravenous_antibiotics() -> None:
    """Courses a fortnight apart are one; by mouth, or without cystic fibrosis, none."""
    iv = {"route": [{"code": "47625008"}]}
    courses = (
        medicine("10627", "2024-01-01", "2024-01-14", **iv),
        medicine("29561", "2024-01-05", "2024-01-20", **iv),
        medicine("29561", "2024-02-03", "2024-02-05", **iv),
        medicine("29561", "2024-06-01", "2024-06-14", **iv),
        medicine("2551", "2024-09-01", "2024-09-14", route=[{"code": "26643006"}]),
    )
    cf = record("condition", code="190905008")
    found = derive(cf, *courses)
    assert of(found, "iv-antibiotic-exacerbation") == [23, 14]
    assert [each["effective_date"] for each in found] == ["2024-01-01", "2024-06-01"]
    assert derive(*courses) == []
    refuted = record("condition", code="190905008", verification_status="refuted")
    assert derive(refuted, *courses) == []


def test_disease_states_and_the_last_known_at_a_visit() -> None:
    """PUCAI and sPCDAI by score, PGA as said; a visit before any assessment knows none."""
    found = derive(
        assessment("PUCAI", "2024-01-01", score=65),
        assessment("sPCDAI", "2024-02-01", score=15),
        assessment("PGA", "2024-03-01", state="remission"),
        visit("2023-12-31"),
        visit("2024-02-11"),
        visit("2024-03-01"),
        visit("2024-05-01", status="planned"),
    )
    assert of(found, "pucai-state") == [(65, "severe")]
    assert of(found, "spcdai-state") == [(15, "mild")]
    assert of(found, "pga-state") == [(0, "remission")]
    assert of(found, "last-disease-state") == [(10, "mild"), (0, "remission")]


def test_of_two_assessments_of_a_day_the_later_is_the_last_known() -> None:
    """Whatever their ids and their order."""
    worse = assessment("PUCAI", "2024-01-01", score=40, effective="2024-01-01T08:00:00Z")
    better = assessment("PUCAI", "2024-01-01", score=5, effective="2024-01-01T17:00:00Z")
    for first, second in (("a", "b"), ("b", "a")):
        named = [
            each._replace(
                content=each.content.replace(each.id.hex().encode(), name.encode().hex().ljust(32, "0").encode())
            )
            for each, name in ((worse, first), (better, second))
        ]
        for order in (named, named[::-1]):
            assert of(derive(*order, visit("2024-01-02")), "last-disease-state") == [(1, "remission")]


def test_an_instrument_without_a_loinc_code_is_known_by_a_local_code_that_is_its_name() -> None:
    """A score, and a state in the site's own word; of no other local code."""
    local = {"system": "urn:oid:1.2.3"}
    pucai = record("observation", codings=[local | {"code": "pucai"}], value=5, effective_date="2024-03-02")
    pga = record(
        "observation",
        codings=[local | {"code": "PGA"}],
        value_codings=[local | {"code": "Quiescent"}],
        effective_date="2024-03-02",
    )
    other = record("observation", codings=[local | {"code": "PUCAI-2"}], value=5, effective_date="2024-03-02")
    found = derive(pucai, pga, other)
    assert [(each["method"], each["value_code"]) for each in found] == [
        ("pga-state", "remission"),
        ("pucai-state", "remission"),
    ]


def test_a_state_that_only_the_assessment_beside_a_reading_tells_is_not_lost() -> None:
    """The site's own word for it does not leave, so the reading tells neither value nor word."""
    told = record(
        "observation", "told", codings=[{"system": "urn:x", "code": "PGA"}], effective_date="2024-03-02", absent="OT"
    )
    beside = assessment("PGA", "2024-03-02", state="severe", told_by=f"r-{told.id.hex()}")
    for order in ((told, beside), (beside, told)):
        found = derive(*order, visit("2024-03-09"))
        assert of(found, "pga-state") == [(3, "severe")]
        assert of(found, "last-disease-state") == [(7, "severe")]


def test_how_long_somebody_has_diabetes() -> None:
    """From the earliest onset, as of each visit since; a month or a year alone by its middle, never by when it was recorded."""
    early = record("condition", code="46635009", onset_date="2020-03-02")
    late = record("condition", codings=[{"system": "icd", "code": "E10.9"}], recorded_date="2022-03-02")
    found = derive(early, late, visit("2024-03-02"), visit("2019-03-02"))
    assert of(found, "diabetes-duration") == [round(1461 / 365.25, 6)]
    for vague, day in (("2018", "2018-07-01"), ("2019-11", "2019-11-15")):
        since = record("condition", code="46635009", onset_date=vague, recorded_date="2021-03-02")
        days = (date(2024, 3, 2) - date.fromisoformat(day)).days
        assert of(derive(early, since, visit("2024-03-02")), "diabetes-duration") == [round(days / 365.25, 6)]


@pytest.mark.parametrize(
    ("age", "high", "unit", "since"),
    [
        (8, None, "a", "2022-03-02"),
        (8, 10, "a", "2023-03-02"),
        (96, None, "mo", "2022-03-02"),
        (5, None, "d", "2014-03-07"),
    ],
)
def test_an_onset_told_as_an_age_counts_from_birth(age: float, high: float | None, unit: str, since: str) -> None:
    """And moves with the birth date; where that is not known there is no duration, for the recording is not the onset."""
    told = {"onset_age": age, "onset_age_unit": unit, "recorded_date": "2023-12-01"}
    onset = record("condition", code="46635009", **told | ({} if high is None else {"onset_age_high": high}))
    (found,) = derive(girl(), onset, visit("2024-03-02"), wanted="diabetes-duration")
    assert found["value"] == round((date(2024, 3, 2) - date.fromisoformat(since)).days / 365.25, 6)
    assert len(found["inputs"]) == 3
    for nobody in ((), (girl("2014"),)):
        assert derive(*nobody, onset, visit("2024-03-02"), wanted="diabetes-duration") == []


def test_the_last_visit_and_the_age_at_transition() -> None:
    """One record a person that moves with the visits; leaving a centre by its enrolment."""
    whole = visit("2024-03-02")
    ward = visit("2024-03-03", part_of=json.loads(whole.content)["id"])
    called_off = visit("2025-01-01", status="cancelled")
    found = derive(girl("2004-03-02"), whole, ward, visit("2024-01-02"), called_off)
    (last,) = (each for each in found if each["method"] == "last-visit")
    assert (last["value"], last["effective_date"], len(last["inputs"])) == (2, "2024-03-02", 2)
    left = record("enrolment", registry="ibd", status="transitioned", end_date="2024-03-02")
    assert of(derive(girl("2004-03-02"), left), "age-at-transition") == [(20, "transitioned")]


def test_a_record_that_another_replaces_does_not_count() -> None:
    """As for whoever counts."""
    old, new = (
        observed("29463-7", 40, "kg", "2024-03-02", "old"),
        weight(41, "2024-03-02", replaces=["r-" + b"old".ljust(16, b"\0").hex()]),
    )
    assert len(of(derive(girl(), old, new), "weight-z")) == 1


@pytest.mark.slow
def test_of_a_person_with_very_many_readings_little_is_held() -> None:
    """What they say alike once, the rest in some sixty bytes each; and the values are those of one who has few."""
    codings = [{"system": "http://loinc.org", "code": "29463-7"}]

    def many(count: int) -> Iterator[Current]:
        yield girl()
        for number in range(count):
            day = (date(2020, 1, 1) + timedelta(number // 4)).isoformat()
            moment = {"effective": f"{day}T{10 + number % 4}:00:00Z", "status": "final", "codings": codings}
            made = weight if number % 2 else height
            yield made(20 + number % 9 if number % 2 else 110 + number % 5, day, **moment)

    list(deriver("bmi, weight-z").derive(many(10)))
    tracemalloc.start()
    try:
        count = sum(1 for _ in deriver("bmi, weight-z").derive(many(20_000)))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count > 15_000
    assert most < 20_000 * 150
    few = list(many(2_400))
    lazily = {each.id: each.content for each in mapped(deriver("bmi, weight-z").derive(few))}
    by_year = (deriver("bmi, weight-z").derive([few[0], *few[start : start + 400]]) for start in range(1, 2_400, 400))
    assert lazily == {each.id: each.content for found in by_year for each in mapped(found)}


def test_a_version_stands_beside_another() -> None:
    """Each with records of its own, for as long as both are asked for."""
    first = next(value for value in shipped() if value.name == "bmi")
    second = Value(**{name: getattr(first, name) for name in first.__slots__} | {"version": "2"})
    both = Deriver(site="north", subject_key=KEY, values=[first, second])
    records = [girl(), weight(40, "2024-03-02"), height(140, "2024-03-02")]
    old, new = both.derive(records)
    assert isinstance(old, Mapped)
    assert isinstance(new, Mapped)
    assert (old.id != new.id, json.loads(new.content)["method_version"]) == (True, "2")
    standing = [Current(each.id, each.type, ANNE, each.content) for each in (old, new)]
    only = Deriver(site="north", subject_key=KEY, values=[second])
    assert list(only.derive([*records, *standing])) == [new, old.id[:12]]
    other = Current(b"o" * 16, "derived_observation", ANNE, b'{"method":"another"}')
    assert list(only.derive([other])) == []


def test_values_are_asked_for_by_name() -> None:
    """All, none, or some; each tells all that a reader must know of it."""
    assert values("none") == []
    assert [value.key for value in values("weight-z, bmi@1")] == ["bmi@1", "weight-z@1"]
    with pytest.raises(OperatorError, match="no derived value waist"):
        values("waist")
    keys = [value.key for value in shipped()]
    assert len(set(keys)) == len(keys) > 40
    for value in shipped():
        assert value.window
        assert value.method
        assert value.sources
        assert value.needs <= {*RECORD_TYPES}


def test_the_policy_decides_about_every_field() -> None:
    """As of mapped records."""
    always = {"type", "id", "subject", "site"}
    listed = set(FieldPolicy.load().listed("derived_observation"))
    assert listed == set(RECORD_TYPES["derived_observation"].model_fields) - always


DAYS = st.integers(0, 5).map(lambda day: f"2024-03-0{day + 1}")
KINDS = [
    *("w", "h", "phq", "visit", "pred", "person", "fev1", "crea", "item", "pucai", "iv", "cf", "t1d", "left", "instead")
]
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("w"), DAYS, st.integers(20, 90)),
        st.tuples(st.just("h"), DAYS, st.integers(90, 180)),
        st.tuples(st.just("born"), st.sampled_from(["2014-03-02", "2015", "2010-05-06"]), st.just(0)),
        st.tuples(st.just("phq"), DAYS, st.integers(-2, 30)),
        st.tuples(st.just("visit"), DAYS, st.just(0)),
        st.tuples(st.just("pred"), DAYS, st.integers(1, 60)),
        st.tuples(st.just("fev1"), DAYS, st.integers(1, 4)),
        st.tuples(st.just("crea"), DAYS, st.integers(0, 3)),
        st.tuples(st.just("item"), st.sampled_from([f"2024-03-0{day}" for day in range(1, 10)]), st.integers(0, 4)),
        st.tuples(st.just("pucai"), DAYS, st.integers(-5, 90)),
        st.tuples(st.just("iv"), DAYS, st.integers(1, 30)),
        st.tuples(st.just("cf"), st.just("2020-03-01"), st.just(0)),
        st.tuples(st.just("t1d"), st.sampled_from(["2019-05-01", "2020-05", "2024-03-03"]), st.just(0)),
        st.tuples(st.just("left"), DAYS, st.integers(0, 1)),
        st.tuples(st.just("no"), st.sampled_from(["w", "h", "phq", "pucai", "fev1"]), st.integers(1, 6)),
        st.tuples(st.just("instead"), DAYS, st.integers(20, 90)),
        st.tuples(st.just("gone"), st.sampled_from(KINDS), st.integers(1, 9)),
    ),
    max_size=40,
)
CODES = {
    "w": ("29463-7", "kg"),
    "h": ("8302-2", "cm"),
    "phq": ("44261-6", "{score}"),
    "fev1": ("20150-9", "L"),
    "crea": ("2160-0", "mg/dL"),
}


def change(records: dict[str, Current], kind: str, what: str, number: int) -> None:
    """One thing that happens to a person's records: a reading comes or is amended, a birth date, a withdrawal."""
    name = f"{kind}-{what[-1]}"
    if kind == "gone":
        records.pop("person" if what == "person" else f"{what}-{number}", None)
    elif kind == "born":
        records["person"] = girl(what)
    elif kind == "no":
        if found := records.get(f"{what}-{number}"):
            records[f"{what}-{number}"] = found._replace(content=found.content[:-1] + b',"status":"cancelled"}')
    elif kind in CODES:
        records[name] = observed(CODES[kind][0], number, CODES[kind][1], what, name)
    else:
        records[name] = of_another_type(kind, what, number, name)


def of_another_type(kind: str, what: str, number: int, name: str) -> Current:
    """What is no plain reading."""
    if kind == "visit":
        return visit(what, name)
    if kind == "item":
        return next(iter(answers([PHQ9[int(what[-1]) - 1]], first=int(what[-1]), value=number, value_code=None)))
    if kind == "instead":
        replaced = ["r-" + f"w-{what[-1]}".encode().ljust(16, b"\0").hex()]
        return record(
            "observation", name, code="29463-7", value=number, unit="kg", effective_date=what, replaces=replaced
        )
    if kind == "left":
        return record("enrolment", name, status=("transferred", "active")[number], end_date=what)
    if kind == "pucai":
        return record("disease_assessment", name, instrument="PUCAI", score=number, effective_date=what)
    if kind in ("cf", "t1d"):
        return record("condition", name, code={"cf": "190905008", "t1d": "46635009"}[kind], onset_date=what)
    drug, route = ("10627", "47625008") if kind == "iv" else ("8640", "26643006")
    told = {"kind": "ordered", "start_date": what, "days_supply": number, "ingredients": [drug]}
    return record("medication", name, route=[{"code": route}], **told)


@given(CHANGES)
@settings(max_examples=some(150))
def test_step_by_step_is_what_all_at_once_is(changes: list[tuple[str, str, int]]) -> None:
    """After any history of changes, what was derived on the way is what would be derived of the records as they stand."""
    ours, records, standing = deriver(), dict[str, Current](), dict[bytes, Current]()
    for each in changes:
        change(records, *each)
        for found in ours.derive([*standing.values(), *records.values()]):
            if isinstance(found, Mapped):
                standing[found.id] = Current(found.id, found.type, ANNE, found.content)
            else:
                standing = {id_: record for id_, record in standing.items() if id_[:12] != found}
    at_once = {each.id: each.content for each in mapped(ours.derive(reversed(records.values())))}
    assert {id_: each.content for id_, each in standing.items()} == at_once
