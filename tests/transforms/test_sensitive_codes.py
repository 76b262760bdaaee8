"""Teenagers' sensitive codes: which they are, and what each tier does with them at which age."""

import tomllib
from importlib.resources import files

import pytest

from transforms.codes.loinc import loinc_fault
from transforms.codes.systems import CVX, ICD10CM, LOINC, RXNORM, SNOMED, known_systems
from transforms.privacy.field_policy import KEEP, TIERS, WITHHOLD
from transforms.privacy.sensitive_codes import SensitiveCodes

LISTED = tomllib.loads(files("transforms.privacy").joinpath("sensitive_codes.toml").read_text("utf-8"))
GROUPS = {name: rows for name, rows in LISTED.items() if name != "ages"}
CODES = SensitiveCodes.load()


def test_five_groups_each_with_a_word_a_tier() -> None:
    """What HL7's sensitivity policies name, and nothing else."""
    assert {rows["policy"] for rows in GROUPS.values()} == {"SEX", "MH", "SUD", "STD", "HIV"}
    for name, rows in GROUPS.items():
        assert len(rows["tiers"]) == len(TIERS), name
        assert set(rows["tiers"]) <= {KEEP, WITHHOLD}, name
        assert {*rows} - {"policy", "tiers"} <= {*known_systems()}, name


def test_every_loinc_code_listed_is_one() -> None:
    """A wrong digit would let the right one out."""
    assert [code for rows in GROUPS.values() for code in rows[LOINC].split() if loinc_fault(code)] == []


@pytest.mark.parametrize(
    ("system", "code", "groups"),
    [
        (ICD10CM, "Z30.011", ["sexual_and_reproductive_health"]),
        (ICD10CM, "O09.613", ["sexual_and_reproductive_health"]),
        (ICD10CM, "F32.1", ["mental_health"]),
        (ICD10CM, "F321", ["mental_health"]),
        (ICD10CM, "F12.10", ["substance_use"]),
        (ICD10CM, "A56.01", ["sexually_transmitted_infections"]),
        (ICD10CM, "O98.713", ["sexual_and_reproductive_health", "hiv"]),
        (ICD10CM, "B20", ["hiv"]),
        (ICD10CM, "F84.0", []),
        (ICD10CM, "E84.0", []),
        (ICD10CM, "Z38.00", []),
        (LOINC, "44261-6", ["mental_health"]),
        (LOINC, "29463-7", []),
        (RXNORM, "6373", ["sexual_and_reproductive_health"]),
        (RXNORM, "63731", []),
    ],
)
def test_codes_and_their_groups(system: str, code: str, groups: list[str]) -> None:
    """With and without the dot; a drug by its whole number, a diagnosis by its opening."""
    assert CODES.groups(system, code) == groups


@pytest.mark.parametrize(
    ("tier", "age", "told"),
    [
        (1, 15, KEEP),
        (2, 11, KEEP),
        (2, 12, WITHHOLD),
        (2, 17, WITHHOLD),
        (2, 18, KEEP),
        (3, 15, WITHHOLD),
        (2, None, WITHHOLD),
    ],
)
def test_who_is_told_of_a_depression(tier: int, age: int | None, told: str) -> None:
    """Where the age cannot be told, it might be one of these."""
    assert CODES.applies(tier, ICD10CM, "F32.1", age) == told


def test_a_code_that_is_not_listed() -> None:
    """Of a listed system it is none of them; of another it might be any."""
    assert CODES.applies(2, ICD10CM, "E84.0", 15) == KEEP
    assert [CODES.applies(2, system, "35489007", 15) for system in (SNOMED, CVX)] == [WITHHOLD, WITHHOLD]
    assert CODES.applies(2, SNOMED, "35489007", 9) == KEEP
    assert CODES.applies(1, SNOMED, "35489007", 15) == KEEP
