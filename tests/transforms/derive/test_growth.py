"""Growth references against what CDC and WHO publish, and against another computation of the same."""

import csv
import math
import random
from importlib.metadata import distribution

import pytest

from transforms.derive.references.growth import Grown, Measure, Sex, Ungiven, grown

FILES: dict[Measure, str] = {"stature": "lenage", "weight": "wtage", "bmi": "bmiage", "head": "hcageinf"}
SEXES: dict[str, Sex] = {"1": "M", "2": "F"}


def found(measure: Measure, sex: Sex, months: float, value: float) -> Grown:
    """Given by the reference."""
    place = grown(measure, sex, months, value)
    assert isinstance(place, Grown)
    return place


def published(measure: Measure) -> list[dict[str, str]]:
    """CDC's data file, as another package ships it: LMS and the percentiles."""
    path = distribution("growthcharts").locate_file(f"growthcharts/data/{FILES[measure]}.csv")
    with open(str(path), encoding="utf-8-sig") as file:  # noqa: PTH123 - a package path
        return list(csv.DictReader(file))


@pytest.mark.parametrize("measure", list(FILES))
def test_every_percentile_that_cdc_publishes(measure: Measure) -> None:
    """At each age of the data files, both boundary ages among them, the printed values stand at their percentiles."""
    compared = 0
    for row in published(measure):
        months = float(row["Agemos"])
        if not 24 <= months <= 240:
            continue
        for name in row:
            if name[0] == "P" and not (measure == "bmi" and int(name[1:]) > 95):
                place = found(measure, SEXES[row["Sex"]], months, float(row[name]))
                assert place.percentile == pytest.approx(int(name[1:]), abs=1e-5)
                compared += 1
    assert compared > 200


def test_cdcs_worked_examples_of_bmi() -> None:
    """From the page of the extended BMI-for-age data file: below P95, above it, and back."""
    girl = found("bmi", "F", 114.5, 21.2)
    assert (round(girl.z, 4), round(girl.percentile, 1), girl.method) == (1.4215, 92.2, "cdc-2000")
    boy = found("bmi", "M", 50.5, 22.6)
    assert (round(boy.z, 2), round(boy.percentile, 4), boy.method) == (2.83, 99.7683, "cdc-2022-extended")
    assert boy.percent_of_p95 == pytest.approx(100 * 22.6 / 17.8219, abs=1e-3)
    assert round(found("bmi", "M", 92.5, 24.1).percentile, 1) == 98.7
    assert found("bmi", "F", 184.5, 27.2).z == pytest.approx(1.5, abs=0.01)


def another(measure: Measure, sex: Sex, months: float, value: float) -> tuple[float, float]:
    """CDC's published steps by other means: the data file row by row, scipy's distributions."""
    from scipy.stats import norm  # a second of imports that every worker would pay while it collects

    rows = [row for row in published(measure) if SEXES[row["Sex"]] == sex]
    ages = [float(row["Agemos"]) for row in rows]
    high = next(place for place, age in enumerate(ages) if age >= months) or 1
    share = (months - ages[high - 1]) / (ages[high] - ages[high - 1])
    l, m, s = ((1 - share) * float(rows[high - 1][k]) + share * float(rows[high][k]) for k in "LMS")  # noqa: E741
    z = ((value / m) ** l - 1) / (l * s)
    if measure == "bmi" and norm.cdf(z) >= 0.95:
        p95 = m * (1 + l * s * norm.ppf(0.95)) ** (1 / l)
        years = months / 12
        boys, girls = 0.3728 + 0.5196 * years - 0.0091 * years**2, 0.8334 + 0.3712 * years - 0.0011 * years**2
        half = norm.cdf((value - p95) / (boys if sex == "M" else girls))
        return norm.ppf((90 + 10 * half) / 100), 90 + 10 * half
    return z, 100 * norm.cdf(z)


@pytest.mark.slow
def test_a_thousand_random_children_by_another_computation() -> None:
    """Any age with fractions from 24 to 240 months, both sexes, thin to very obese: equal to 1e-6."""
    chance = random.Random(14)
    spans: list[tuple[Measure, float, float]] = [("stature", 75, 200), ("weight", 8, 150), ("bmi", 11, 55)]
    compared = 0
    while compared < 1000:
        measure, low, high = chance.choice(spans)
        months = chance.choice([24.0, 24.25, 239.9, 240.0, chance.uniform(24, 240), chance.uniform(24, 240)])
        sex: Sex = chance.choice(["M", "F"])
        value = chance.uniform(low, high)
        z, percentile = another(measure, sex, months, value)
        place = found(measure, sex, months, value)
        if abs(z) < 6:  # beyond, scipy's percentile is too near 100 to go back from
            assert place.z == pytest.approx(z, abs=1e-6)
            assert place.percentile == pytest.approx(percentile, abs=1e-6)
            compared += 1


@pytest.mark.parametrize(
    ("sex", "days", "weight", "length", "head", "expected"),
    [
        ("F", 683, 10.4, 84.8, None, (-0.57, -0.07, -0.79, None)),
        ("M", 64, 4.1, 56.0, 39.6, (-2.54, -1.38, -2.59, 0.27)),
        ("F", 48, 4.0, 52.1, 35.4, (-1.31, -1.81, -0.44, -1.84)),
        ("M", 194, 11.9, 73.2, 46.5, (3.68, 2.32, 2.93, 2.38)),
        ("M", 0, 5.5, 55.9, 38.2, (3.77, 3.18, 2.73, 2.94)),
        ("M", 417, 14.2, 81.3, None, (3.21, 1.46, 3.07, None)),
        ("M", 269, 6.3, 64.8, None, (-3.08, -3.11, -1.71, None)),
        ("F", 38, 6.2, 57.1, 39.9, (2.52, 1.26, 2.62, 2.42)),
        ("M", 643, 8.7, 75.9, None, (-2.53, -3.24, -0.67, None)),
    ],
)
def test_whos_own_program(
    sex: Sex, days: int, weight: float, length: float, head: float | None, expected: tuple[float | None, ...]
) -> None:
    """Rows of the survey that WHO ships with its program igrowup, which looks up the day and rounds to 0.01."""
    months = days / 30.4375
    values: dict[Measure, float | None] = {"weight": weight, "stature": length, "bmi": weight / length**2 * 1e4}
    for (measure, value), z in zip((values | {"head": head}).items(), expected, strict=True):
        if value is not None and z is not None:
            place = found(measure, sex, months, value)
            assert place.z == pytest.approx(z, abs=0.03)
            assert place.method == "who-2006"


@pytest.mark.parametrize(
    ("day", "median", "spread"),
    [
        *((3, 34.7625, 0.03595), (10, 35.464, 0.0338), (45, 38.2459, 0.03058), (80, 40.0365, 0.02943)),
        *((106, 41.0805, 0.02891), (137, 42.1168, 0.02851), (168, 42.9762, 0.02825), (213, 43.9791, 0.02804)),
        *((260, 44.7935, 0.02794), (320, 45.5919, 0.02789), (440, 46.688, 0.02791), (520, 47.2114, 0.02797)),
    ],
)
def test_whos_table_by_day(day: int, median: float, spread: float) -> None:
    """Boys' head circumference of some days: between two published rows we are at most 0.03 SD from it."""
    for z in (-2, 0, 2):
        assert found("head", "M", day / 30.4375, median * (1 + z * spread)).z == pytest.approx(z, abs=0.03)


def test_a_whole_month_is_whos_printed_row() -> None:
    """LMS as printed: boys' weight at 12 months, girls' length at 6, and both at birth."""
    assert found("weight", "M", 12, 9.6479).z == 0
    assert found("stature", "F", 6, 65.7311 * (1 + 0.03448)).z == pytest.approx(1, abs=1e-9)
    assert found("weight", "M", 0, 3.3464).z == found("stature", "F", 0, 49.1477).z == 0


def test_the_reference_changes_at_24_months() -> None:
    """The last moment before is WHO's, 24.0 is CDC's, 240.0 still; beyond there is none, nor before birth."""
    assert found("weight", "F", math.nextafter(24, 0), 12).method == "who-2006"
    assert found("weight", "F", 24, 12).method == "cdc-2000"
    assert found("bmi", "F", 240, 22).method == "cdc-2000"
    assert isinstance(grown("bmi", "F", math.nextafter(240, 241), 22), Ungiven)
    assert isinstance(grown("head", "F", 36.1, 49), Ungiven)
    assert isinstance(grown("stature", "M", -0.1, 49), Ungiven)


def test_far_from_the_reference_stays_ordered() -> None:
    """BMI rises, so do z-score and percentile: through P95, past 99.99 %, where the percentile has no digits left."""
    places = [found("bmi", "F", 60.0, bmi / 10) for bmi in range(100, 4000)]
    zs = [place.z for place in places]
    assert zs == sorted(zs)
    told = [z for z in zs if z < 8.21]
    assert len(set(told)) == len(told) > 240
    assert all(math.isfinite(z) for z in zs)
    assert places[-1].percentile <= 100


def test_no_bmi_is_further_out_than_cdcs_programs_tell() -> None:
    """8.21 is their highest z-score above P95, whatever the BMI."""
    assert found("bmi", "M", 60.0, 66).z == found("bmi", "F", 30.5, 300).z == 8.21
    assert found("bmi", "M", 60.0, 30).z == pytest.approx(another("bmi", "M", 60.0, 30)[0], abs=1e-6)
