"""Lung function references: GLI's printed equations, another implementation, boundary ages."""

import math
import random
from typing import get_args

import pytest

from transforms.derive.references.gli import GROUPS, Lungs, Predicted, gli_2012, gli_2022
from transforms.derive.references.growth import Sex, Ungiven

MEASURES = get_args(Lungs)


def given(found: Predicted | Ungiven) -> Predicted:
    """Given by the reference."""
    assert isinstance(found, Predicted)
    return found


def test_the_printed_equation_of_2012() -> None:
    """Caucasian boys' FEV1 at 10 years, by hand: the coefficients of the paper's table, the spline of the supplement."""
    found = given(gli_2012("fev1", "M", 3.0, 100, "caucasian"))
    median = math.exp(-10.342 + 2.2196 * math.log(100) + 0.0574 * math.log(3) - 0.1133230622)
    assert found.predicted == pytest.approx(median, abs=1e-9)
    other = given(gli_2012("fev1", "M", 3.0, 100, "african-american"))
    assert other.predicted == pytest.approx(median * math.exp(-0.1589), abs=1e-9)
    assert other.lms.s == pytest.approx(math.exp(-2.3268 + 0.0798 * math.log(3) + 0.2143372309 + 0.1096), abs=1e-9)


def test_six_hundred_random_people_by_another_implementation() -> None:
    """Both editions, all groups, fractions of years, the boundary ages: predicted, per cent, z, lower limit to 1e-6."""
    from pyspiro import BOWERMAN_2022, GLI_2012  # brings pandas, which every worker would import while it collects

    by_group, by_all, chance = GLI_2012(), BOWERMAN_2022(), random.Random(2012)
    for _ in range(600):
        years = chance.choice([3.0, 95.0, round(chance.uniform(3, 95), 1), chance.uniform(3, 20)])
        sex: Sex = chance.choice(["M", "F"])
        number, height, group = int(sex == "M"), chance.uniform(90, 200), chance.randrange(5)
        measure: Lungs = chance.choice(MEASURES)
        value = chance.uniform(0.4, 0.99) if measure == "fev1fvc" else chance.uniform(0.5, 6)
        for ours, theirs, with_group in (
            (given(gli_2012(measure, sex, years, height, GROUPS[group])), by_group, (group + 1,)),
            (given(gli_2022(measure, sex, years, height)), by_all, ()),
        ):
            parameter = MEASURES.index(measure)
            numbered = theirs.Parameters[("FEV1", "FVC", "FEV1FVC")[parameter]].value
            asked = (number, years, height, *with_group, numbered, value)
            _, median, _ = theirs.lms(*asked)
            percent, z, lower, _ = theirs.all(*asked)
            assert ours.predicted == pytest.approx(median, abs=1e-6)
            assert ours.percent(value) == pytest.approx(percent, abs=0.0051)  # theirs is rounded to 0.01
            assert ours.z(value) == pytest.approx(z, abs=1e-6)
            assert ours.lln == pytest.approx(lower, abs=1e-6)


def test_what_the_references_do_not_give() -> None:
    """Ages below 3 and above 95; a group of none."""
    for years in (2.99, 95.01):
        assert isinstance(gli_2022("fvc", "F", years, 100), Ungiven)
        assert isinstance(gli_2012("fvc", "F", years, 100, "other"), Ungiven)
    assert isinstance(gli_2012("fvc", "F", 30, 160, ""), Ungiven)
    assert isinstance(gli_2012("fvc", "F", 95, 160, "other"), Predicted)
