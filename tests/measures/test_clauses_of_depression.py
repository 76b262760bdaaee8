"""CMS2 and CMS159 from QI-Core resources on, clause by clause, in both years: what fulfils it, and what falls just short of it."""

from pathlib import Path
from typing import Any

import pytest
from published_years import UCUM, Resources, Year, both, cases, of_kind, over, stayed, sure, told_for
from qicore_persons import EXCLUDED, IN, MET, OUT, done, ordered, outcomes, patient, problem, seen, told

from services.measures.language.codes import Code
from services.measures.official import cms2, cms159
from services.measures.official import common as c
from services.measures.official.cms2 import ADOLESCENTS, ADULTS


def to_screen(born: str, y: Year) -> Resources:
    return [patient(born), seen(cms2.KINDS[0], y("03-15"))]


def screened(
    y: Year, day: str, answer: Code | None, of: cms2.Ages = ADULTS, hour: str = "09", **given: Any
) -> dict[str, Any]:
    return told(of.screening, f"{y(day)}T{hour}:00:00.000Z", *([answer] if answer else []), **given)


def supplied(y: Year, code: Any, at: str, **given: Any) -> dict[str, Any]:
    """An order of a drug for thirty days."""
    thirty = {"value": 30, "unit": "d", "system": UCUM, "code": "d"}
    return ordered(
        "MedicationRequest", code, f"{y(at)}T10:30:00.000Z", dispenseRequest={"expectedSupplyDuration": thirty}, **given
    )


SCREENINGS = (
    both("negative on the day", lambda y: [screened(y, "03-15", cms2.NEGATIVE)], MET),
    both("negative fourteen days before", lambda y: [screened(y, "03-01", cms2.NEGATIVE)], MET),
    both("negative after the visit that day", lambda y: [screened(y, "03-15", cms2.NEGATIVE, hour="15")], MET),
    both("negative, in another word", lambda y: [screened(y, "03-15", c.YES)], IN),
    both("by the adolescents' test", lambda y: [screened(y, "03-15", cms2.NEGATIVE, ADOLESCENTS)], IN),
    both(
        "negative, then positive",
        lambda y: [screened(y, "03-10", cms2.NEGATIVE), screened(y, "03-14", cms2.POSITIVE)],
        IN,
    ),
    both(
        "positive, then negative",
        lambda y: [screened(y, "03-10", cms2.POSITIVE), screened(y, "03-14", cms2.NEGATIVE)],
        MET,
    ),
    both(
        "negative, the later one too late",
        lambda y: [screened(y, "03-10", cms2.NEGATIVE), screened(y, "03-16", cms2.POSITIVE)],
        MET,
    ),
    both("negative, in error", lambda y: [screened(y, "03-15", cms2.NEGATIVE, status="entered-in-error")], IN),
    both(
        "over a period that ends the day after",
        lambda y: [told_for(y, ADULTS.screening, "03-14", "03-16", cms2.NEGATIVE)],
        IN,
    ),
    both(
        "referred on the day",
        lambda y: [screened(y, "03-15", cms2.POSITIVE), ordered("ServiceRequest", ADULTS.referral, y("03-15"))],
        MET,
    ),
    both(
        "referred two days later",
        lambda y: [
            screened(y, "03-15", cms2.POSITIVE),
            ordered("ServiceRequest", ADULTS.referral, f"{y('03-17')}T23:00:00.000Z", status="completed"),
        ],
        MET,
    ),
    both(
        "referred three days later",
        lambda y: [screened(y, "03-15", cms2.POSITIVE), ordered("ServiceRequest", ADULTS.referral, y("03-18"))],
        IN,
    ),
    both(
        "referred the day before",
        lambda y: [screened(y, "03-15", cms2.POSITIVE), ordered("ServiceRequest", ADULTS.referral, y("03-14"))],
        IN,
    ),
    both(
        "referred, on hold",
        lambda y: [
            screened(y, "03-15", cms2.POSITIVE),
            ordered("ServiceRequest", ADULTS.referral, y("03-15"), status="on-hold"),
        ],
        IN,
    ),
    both(
        "referred as an adolescent",
        lambda y: [screened(y, "03-15", cms2.POSITIVE), ordered("ServiceRequest", ADOLESCENTS.referral, y("03-15"))],
        IN,
    ),
    both(
        "followed up at the visit",
        lambda y: [screened(y, "03-15", cms2.POSITIVE), done(ADULTS.follow_up, f"{y('03-15')}T10:45:00.000Z")],
        MET,
    ),
    both(
        "followed up an hour after it",
        lambda y: [screened(y, "03-15", cms2.POSITIVE), done(ADULTS.follow_up, f"{y('03-15')}T12:00:00.000Z")],
        IN,
    ),
    both(
        "followed up, not completed",
        lambda y: [
            screened(y, "03-15", cms2.POSITIVE),
            done(ADULTS.follow_up, f"{y('03-15')}T10:45:00.000Z", status="in-progress"),
        ],
        IN,
    ),
    both(
        "drugs at the visit", lambda y: [screened(y, "03-15", cms2.POSITIVE), supplied(y, ADULTS.drugs, "03-15")], MET
    ),
    both(
        "drugs stopped",
        lambda y: [screened(y, "03-15", cms2.POSITIVE), supplied(y, ADULTS.drugs, "03-15", status="stopped")],
        IN,
    ),
    both(
        "drugs planned",
        lambda y: [screened(y, "03-15", cms2.POSITIVE), supplied(y, ADULTS.drugs, "03-15", intent="plan")],
        IN,
    ),
    (
        "drugs from two days later on",
        lambda y: [screened(y, "03-15", cms2.POSITIVE), supplied(y, ADULTS.drugs, "03-17")],
        MET,
        IN,
    ),
    both(
        "drugs of no known days",
        lambda y: [screened(y, "03-15", cms2.POSITIVE), ordered("MedicationRequest", ADULTS.drugs, y("03-15"))],
        MET,
    ),
    both("bipolar on the list since the day before", lambda y: [problem(cms2.BIPOLAR, y("03-14"))], EXCLUDED),
    both("bipolar since the day after", lambda y: [problem(cms2.BIPOLAR, y("03-16"))], IN),
    both(
        "bipolar, a health concern",
        lambda y: [problem(cms2.BIPOLAR, "2020-01-01", **of_kind("health-concern"))],
        EXCLUDED,
    ),
    both(
        "bipolar, long over",
        lambda y: [problem(cms2.BIPOLAR, "2001-01-01", abatementDateTime="2002-01-01", **over())],
        EXCLUDED,
    ),
    both("bipolar, over, nobody knows since when", lambda y: [problem(cms2.BIPOLAR, "2001-01-01", **over())], IN),
)


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*SCREENINGS))
def test_depression_screening(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    """Until 2025 drugs need only be ordered in time; then taken on after the visit, from no later than it."""
    y = Year(year)
    assert outcomes("CMS2", year, [*to_screen("1970-06-15", y), *made(y)], tmp_path) == [outcome]


@pytest.mark.parametrize(
    ("years_old", "young", "adult"),
    [(11, OUT, OUT), (12, MET, IN), (16, MET, IN), (17, MET, MET), (18, IN, MET)],
)
@pytest.mark.parametrize("year", [2025, 2026])
def test_which_test_counts_at_which_age(years_old: int, young: str, adult: str, year: int, tmp_path: Path) -> None:
    """By the first day of the period: born on it. At seventeen either test counts."""
    y = Year(year)
    own = to_screen(f"{year - years_old}-01-01", y)
    assert outcomes("CMS2", year, [*own, screened(y, "03-15", cms2.NEGATIVE, ADOLESCENTS)], tmp_path) == [young]
    assert outcomes("CMS2", year, [*own, screened(y, "03-15", cms2.NEGATIVE, ADULTS)], tmp_path) == [adult]
    followed = [
        screened(y, "03-15", cms2.POSITIVE, ADOLESCENTS),
        ordered("ServiceRequest", ADOLESCENTS.referral, y("03-15")),
    ]
    assert outcomes("CMS2", year, [*own, *followed], tmp_path) == [young]


def depressed(y: Year) -> Resources:
    """Asked on 10 February of the year before, at a visit for a depression."""
    return [
        patient("1970-06-15"),
        problem(cms159.DEPRESSION[0], "2020-01-01"),
        seen(cms159.CONTACT, y("-02-10")),
        score(y, "-02-10", 15),
    ]


def score(y: Year, day: str, points: int, **given: Any) -> dict[str, Any]:
    return told(cms159.PHQ9, f"{y(day)}T10:30:00.000Z", valueInteger=points, **given)


AGAIN = (
    both("sixty days early", lambda y: [score(y, "-12-12", 4)], MET),
    both("sixty-one days early", lambda y: [score(y, "-12-11", 4)], IN),
    both("sixty days late", lambda y: [score(y, "04-11", 4)], MET),
    both("sixty-one days late", lambda y: [score(y, "04-12", 4)], IN),
    both("five points", lambda y: [score(y, "02-10", 5)], IN),
    both("better, then worse", lambda y: [score(y, "02-01", 3), score(y, "03-01", 9)], IN),
    both("worse, then better", lambda y: [score(y, "02-01", 9), score(y, "03-01", 3)], MET),
    both(
        "better, then worse in error",
        lambda y: [score(y, "02-01", 3), score(y, "03-01", 9, status="entered-in-error")],
        MET,
    ),
    both("better, then asked without an answer", lambda y: [score(y, "02-01", 3), told(cms159.PHQ9, y("03-01"))], IN),
    both("bipolar long ago, active", lambda y: [problem(cms159.OTHER_DISORDERS[0], "2001-01-01")], EXCLUDED),
    both("bipolar, resolved", lambda y: [problem(cms159.OTHER_DISORDERS[0], "2001-01-01", **over())], IN),
    both(
        "bipolar, provisional", lambda y: [problem(cms159.OTHER_DISORDERS[0], "2001-01-01", **sure("provisional"))], IN
    ),
    both("schizophrenia on the last day", lambda y: [problem(cms159.OTHER_DISORDERS[2], y("04-11"))], EXCLUDED),
    both("schizophrenia the day after", lambda y: [problem(cms159.OTHER_DISORDERS[2], y("04-12"))], IN),
    both("discharged to hospice on the last day", lambda y: [stayed(y, "04-01", "04-11", c.TO_HOSPICE[0])], EXCLUDED),
    both("discharged to hospice the day after", lambda y: [stayed(y, "04-01", "04-12", c.TO_HOSPICE[0])], IN),
    both("hospice visit before it all", lambda y: [seen(c.HOSPICE_VISIT, f"{y.year - 2}-10-31")], IN),
    both("hospice visit on the first day of all", lambda y: [seen(c.HOSPICE_VISIT, f"{y.year - 2}-11-01")], EXCLUDED),
    both(
        "hospice ordered, on hold",
        lambda y: [ordered("ServiceRequest", c.HOSPICE_CARE, y("02-01"), status="on-hold")],
        IN,
    ),
    both(
        "hospice diagnosis, not confirmed",
        lambda y: [problem(c.HOSPICE_DIAGNOSIS, y("02-01"), **sure("unconfirmed"))],
        IN,
    ),
    both("hospice diagnosis", lambda y: [problem(c.HOSPICE_DIAGNOSIS, y("02-01"))], EXCLUDED),
    both("palliative care suspended", lambda y: [done(c.PALLIATIVE_CARE, y("02-01"), status="on-hold")], EXCLUDED),
    both("palliative visit under way", lambda y: [seen(c.PALLIATIVE_VISIT, y("02-01"), status="in-progress")], IN),
)


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*AGAIN))
def test_depression_remission(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    """A year after 10 February: from 12 December to 11 April."""
    y = Year(year)
    assert outcomes("CMS159", year, [*depressed(y), *made(y)], tmp_path) == [outcome]


DIED = (
    both("the day before the last", lambda y: {"deceasedDateTime": f"{y('04-10')}T10:00:00.000Z"}, EXCLUDED),
    ("as the last day begins", lambda y: {"deceasedDateTime": f"{y('04-11')}T00:00:00.000Z"}, IN, EXCLUDED),
    ("on the last day", lambda y: {"deceasedDateTime": f"{y('04-11')}T10:00:00.000Z"}, IN, EXCLUDED),
    both("the day after", lambda y: {"deceasedDateTime": f"{y('04-12')}T00:00:00.000Z"}, IN),
    both("some day", lambda y: {"deceasedBoolean": True}, IN),
    both("not", lambda y: {}, IN),
)


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*DIED))
def test_who_died_by_the_last_day(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    """Until 2025 as published an instant of the last day is not known to be in time; that somebody died, without a day, says nothing."""
    y = Year(year)
    told_of = made(y)
    _, *rest = depressed(y)
    assert outcomes("CMS159", year, [patient("1970-06-15", **told_of), *rest], tmp_path) == [outcome]


FIRST = (
    both("nine points", lambda y: {"points": 9}, OUT),
    both("preliminary", lambda y: {"asked": {"status": "preliminary"}}, OUT),
    both("amended", lambda y: {"asked": {"status": "amended"}}, IN),
    both("visit planned", lambda y: {"visit": {"status": "planned"}}, OUT),
    both("visit under way", lambda y: {"visit": {"status": "in-progress"}}, OUT),
    both("depression resolved", lambda y: {"problem": over()}, OUT),
    both("depression in relapse", lambda y: {"problem": over("relapse")}, IN),
    both("depression provisional", lambda y: {"problem": sure("provisional")}, OUT),
    both("depression since after the visit", lambda y: {"problem": {"onsetDateTime": y("-02-11")}}, OUT),
    both("twelve that day", lambda y: {"born": f"{y.year - 13}-02-10"}, OUT),
    both("twelve the day before", lambda y: {"born": f"{y.year - 13}-02-09"}, IN),
    both("twelve the day after", lambda y: {"born": f"{y.year - 13}-02-11"}, OUT),
)


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*FIRST))
def test_the_first_assessment(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    y = Year(year)
    given = made(y)
    resources = [
        patient(given.get("born", "1970-06-15")),
        problem(cms159.DEPRESSION[1], "2010-01-01") | given.get("problem", {}),
        seen(cms159.CONTACT, y("-02-10"), **given.get("visit", {})),
        score(y, "-02-10", given.get("points", 10), **given.get("asked", {})),
    ]
    assert outcomes("CMS159", year, resources, tmp_path) == [outcome]


def test_of_two_high_scores_the_first_is_the_index(tmp_path: Path) -> None:
    """Its year decides: what is good a year after the second only does not count."""
    y = Year(2026)
    second = [seen(cms159.CONTACT, y("-09-10")), score(y, "-09-10", 20)]
    assert outcomes("CMS159", 2026, [*depressed(y), *second, score(y, "09-10", 2)], tmp_path) == [IN]
    assert outcomes("CMS159", 2026, [*depressed(y), *second, score(y, "02-10", 2)], tmp_path) == [MET]
