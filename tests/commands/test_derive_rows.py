"""`mainstem derive table` against the published formulas, written down once more: two hundred rows at the edges and beyond."""

import csv
import json
import math
from functools import cache
from importlib.resources import files
from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest
from typer.testing import CliRunner

from mainstem.commands import app

NORMAL = NormalDist()
MONTHS = (0, 0.5, 2.99, 11.5, 23.999, 24, 24.0, 24.25, 24.5, 36.7, 59.99, 120.3, 239.5, 239.99, 240)
YEARS = (3.0, 3.01, 3.24, 3.25, 7.9, 17.99, 18, 25.1, 44.4, 80.2, 94.99, 95)
GROUPS = ("caucasian", "african-american", "ne-asian", "se-asian", "other")


@cache
def rows_of(name: str) -> list[dict[str, str]]:
    """A published table."""
    text = (files("transforms.derive") / "tables" / name).read_text("utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def between(name: str, measure: str, sex: str, age: float) -> tuple[float, float, float]:
    """L, M and S at an age by a line through the nearest rows on either side."""
    months = {"week": 7 / 30.4375}
    rows = [row for row in rows_of(name) if (row["measure"], row["sex"]) == (measure, sex)]
    at = {float(row["age"]) * months.get(row.get("unit", ""), 1): row for row in rows}
    low, high = max(each for each in at if each <= age), min(each for each in at if each >= age)
    share = (age - low) / (high - low) if high > low else 0.0
    l, m, s = (float(at[low][k]) * (1 - share) + float(at[high][k]) * share for k in "lms")  # noqa: E741
    return l, m, s


def z_of(value: float, l: float, m: float, s: float) -> float:  # noqa: E741 - the method's own names
    """Cole and Green 1992, equation by equation."""
    return ((value / m) ** l - 1) / (l * s) if l else math.log(value / m) / s


def grown(measure: str, sex: str, months: float, value: float) -> float:
    """The z-score: WHO 2006, CDC 2000, CDC's extended BMI of 2022."""
    l, m, s = between("who_2006.csv" if months < 24 else "cdc_2000.csv", measure, sex, months)  # noqa: E741
    z = z_of(value, l, m, s)
    if months < 24:
        if measure in ("weight", "bmi") and abs(z) > 3:
            sd = [m * (1 + l * s * each) ** (1 / l) for each in ((2, 3) if z > 0 else (-2, -3))]
            z = math.copysign(3, z) + (value - sd[1]) / abs(sd[1] - sd[0])
        return z
    p95 = m * (1 + l * s * NORMAL.inv_cdf(0.95)) ** (1 / l)
    if measure != "bmi" or value < p95:
        return z
    years = months / 12
    one, linear, square = (0.3728, 0.5196, 0.0091) if sex == "M" else (0.8334, 0.3712, 0.0011)
    sigma = one + linear * years - square * years**2
    above = math.erfc((value - p95) / sigma / math.sqrt(2)) / 2 / 10  # 1 - (0.9 + 0.1 * normal), exact far out too
    return min(8.21, -NORMAL.inv_cdf(above)) if above else 8.21


def lungs(edition: int, measure: str, sex: str, years: float, height: float, group: int) -> tuple[float, float, float]:
    """L, M and S of GLI: the equations, the splines by quarter of a year."""
    (c,) = (row for row in rows_of(f"gli_{edition}_coefficients.csv") if (row["measure"], row["sex"]) == (measure, sex))
    l, m, s = between(f"gli_{edition}_splines.csv", measure, sex, years)  # noqa: E741
    of_group = (float(c[f"a{group + 2}"]), float(c[f"p{group + 1}"])) if group else (0.0, 0.0)
    age = math.log(years)
    return (
        float(c["q0"]) + float(c["q1"]) * age + l,
        math.exp(float(c["a0"]) + float(c["a1"]) * math.log(height) + float(c["a2"]) * age + of_group[0] + m),
        math.exp(float(c["p0"]) + float(c["p1"]) * age + of_group[1] + s),
    )


def answers(path: Path, reference: str, lines: list[str]) -> list[dict[str, Any]]:
    """What the command says of a file's lines."""
    path.write_text("\n".join(lines) + "\n", "utf-8")
    done = CliRunner().invoke(app, ["derive", "table", reference, str(path), "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


def test_growth_at_the_edges_of_its_tables_is_as_published(tmp_path: Path) -> None:
    """Birth, the switch at 24 months, fractions before a table's end; usual, thin and very heavy; spelled and parted oddly."""
    given = [(sex, age, share) for sex in "MF" for age in MONTHS for share in (0.72, 0.97, 1.16, 1.9)]
    lines, wanted = ["Sex ; age_months;height_cm;weight_kg;bmi"], []
    for place, (sex, age, share) in enumerate(given):
        table = "who_2006.csv" if age < 24 else "cdc_2000.csv"
        height, weight, bmi = (
            round(between(table, measure, sex, age)[1] * (1 + (share - 1) * scale), 3)
            for measure, scale in (("stature", 0.15), ("weight", 1), ("bmi", 1))
        )
        said = (sex, f" {sex.lower()} ", "Male" if sex == "M" else "FEMALE", "boy" if sex == "M" else "girl")[place % 4]
        lines.append(
            f"{said};{age:g};{height};{weight};{bmi}".replace(".", ",")
            if place % 2
            else f"{said};{age};{height};{weight};{bmi}"
        )
        wanted.append([grown(m, sex, age, v) for m, v in (("stature", height), ("weight", weight), ("bmi", bmi))])
    told = answers(tmp_path / "given.csv", "growth", lines)
    assert len(told) == len(wanted) == 120
    for row, expected in zip(told, wanted, strict=True):
        assert [row["height_z"], row["weight_z"], row["bmi_z"]] == pytest.approx(expected, abs=1e-6), row["row"]
        percentiles = [row["height_percentile"], row["weight_percentile"], row["bmi_percentile"]]
        assert percentiles == pytest.approx([100 * NORMAL.cdf(each) for each in expected], abs=1e-6)


def test_lungs_at_the_edges_of_their_splines_are_as_published(tmp_path: Path) -> None:
    """From the third birthday to 95 years, each group and sex, both editions; the ratio is of the two that are given."""
    given = [(sex, age, group) for sex in "MF" for age in YEARS for group in range(len(GROUPS))]
    lines = ["sex,age_years,height_cm,ethnicity,fev1_l,fvc_l"]
    heights = {age: 95 + 4.6 * min(age, 17) for age in YEARS}
    for sex, age, group in given:
        lines.append(f"{sex},{age},{heights[age]:.2f},{GROUPS[group]},1.3,1.6")
    told = answers(tmp_path / "given.csv", "gli", lines)
    assert len(told) == len(given) == 120
    for row, (sex, age, group) in zip(told, given, strict=True):
        for edition in (2012, 2022):
            for measure, value in (("fev1", 1.3), ("fvc", 1.6), ("fev1fvc", 1.3 / 1.6)):
                height = float(f"{heights[age]:.2f}")
                l, m, s = lungs(edition, measure, sex, age, height, group if edition == 2012 else 0)  # noqa: E741
                lower = m * (1 + l * s * -1.645) ** (1 / l)
                said = [
                    row[f"{measure}_{what}_gli{edition}"] for what in ("predicted", "percent_predicted", "z", "lln")
                ]
                assert said == pytest.approx([m, 100 * value / m, z_of(value, l, m, s), lower], abs=1e-6), row["row"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("M,-0.001,100,16,", "age_months is outside"),
        ("M,240.001,170,60,", "age outside the reference"),
        ("M,NaN,100,16,", "age_months is not a number"),
        ("M,1e999,100,16,", "age_months is not a number"),
        ("M,,100,16,", "age_months is empty"),
        ("M,５０,100,16,", "age_months is not a number"),
        ("M,50,100 cm,16,", "height_cm is not a number"),
        ("M,50,0,16,", "height_cm is outside"),
        ("M,50,100,-16,", "weight_kg is outside"),
        ("M,50,100,16,0", "bmi is outside"),
        ("m/f,50,100,16,", "sex is neither M nor F"),
        (",50,100,16,", "sex is neither M nor F"),
    ],
)
def test_a_cell_that_is_none_is_named_and_not_guessed(tmp_path: Path, line: str, why: str) -> None:
    """What cannot be told is empty and says why; nothing else of the row is lost."""
    bad, good = answers(
        tmp_path / "given.csv", "growth", ["sex,age_months,height_cm,weight_kg,bmi", line, "M,50,100,16,"]
    )
    assert why in bad["why_empty"]
    assert None in (bad["height_z"], bad["weight_z"], bad["bmi_z"])
    assert good["why_empty"] is None
