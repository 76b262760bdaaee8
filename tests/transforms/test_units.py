"""Units as hospitals write them: read where they can mean one thing only, refused by name where not."""

import csv
import json
from importlib.resources import files
from typing import Any

import pytest
from how_many import some
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.problems import Reason
from transforms import CodeMapRow, Mapper, Outcome
from transforms.codes.spellings import FREQUENT, is_listed, spelled
from transforms.codes.units import _parser, _scales, unit_table

UCUM = "http://unitsofmeasure.org"
SITE = Mapper(site="north", time_zone="America/New_York", subject_key=b"a key of thirty-two bytes, no less")


def measured(loinc: str, site: Mapper = SITE, **quantity: Any) -> Outcome:
    return site.map_line(json.dumps(_coded(loinc) | {"valueQuantity": quantity}).encode())


def _coded(loinc: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": "m1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-03-02T09:10:00Z",
    }


def value(loinc: str, **quantity: Any) -> tuple[float, str | None, list[str]]:
    (record,) = measured(loinc, **quantity).records
    content, provenance = json.loads(record.content), json.loads(b"{" + record.provenance + b"}")
    return content["value"], content.get("unit"), provenance.get("flags", [])


def problem(loinc: str, **quantity: Any) -> Reason:
    found = measured(loinc, **quantity).problem
    assert found is not None
    return found.reason


def spellings() -> list[tuple[str, str]]:
    with files("transforms.codes").joinpath("spellings.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if not row["only_for"]]
    return [
        (written, row["unit"]) for row in rows for written in (*row["any_case"].split("|"), row["this_case"]) if written
    ]


def test_every_spelling_means_one_listed_ucum_unit() -> None:
    """No spelling stands twice with two meanings, and what it means is UCUM."""
    meant: dict[str, str] = {}
    for written, unit in spellings():
        for each in written.split("|") if unit else ():
            assert meant.setdefault(each.casefold() if not each.endswith("M") else each, unit) == unit
            assert spelled(each) == unit
            assert is_listed(unit)
            assert _parser()(unit) is not None


@pytest.mark.parametrize(
    ("code", "number", "unit", "meant"),
    [
        ("777-3", 198, "thou/mcL", (198, "10*3/uL")),
        ("777-3", 198, "10³/µL", (198, "10*3/uL")),
        ("777-3", 198, "X10(9)/L", (198, "10*3/uL")),
        ("777-3", 198000, "/uL", (198, "10*3/uL")),
        ("777-3", 198, "G/L", (198, "10*3/uL")),
        ("789-8", 4.4, "M/mm3", (4.4, "10*6/uL")),
        ("8480-6", 104, "mm Hg", (104, "mm[Hg]")),
        ("6690-2", 4.1, "Tsd./µl", (4.1, "10*3/uL")),
        ("789-8", 4.4, "Mio/µl", (4.4, "10*6/uL")),
        ("33914-3", 90, "ml/min/1,73 m²", (90, "mL/min/{1.73_m2}")),
        ("1920-8", 31, "UI/L", (31, "U/L")),
        ("3016-3", 2.1, "mUI/L", (2.1, "m[iU]/L")),
        ("30341-2", 12, "mm/1ère heure", (12, "mm/h")),
        ("38445-3", 250, "µg/g Stuhl", (250, "ug/g")),
        ("59408-5", 97, "% SpO2", (97, "%")),
        ("8867-4", 98, "Schläge/min", (98, "/min")),
        ("8867-4", 92, "beats/min", (92, "/min")),
        ("9279-1", 18, "Breaths/Minute", (18, "/min")),
        ("29463-7", 44, "Pounds", (19.95806428, "kg")),
        ("29463-7", 22.4, "KGS", (22.4, "kg")),
        ("8302-2", 50, "inches", (127, "cm")),
        ("8302-2", 118, "CMS", (118, "cm")),
        ("8310-5", 99.5, "° F", (37.5, "Cel")),
        ("8310-5", 99.5, "F", (37.5, "Cel")),
        ("8310-5", 37.5, "℃", (37.5, "Cel")),
        ("8310-5", 37.5, "C", (37.5, "Cel")),
        ("30341-2", 12, "mm/hr", (12, "mm/h")),
        ("38445-3", 310, "mcg/g", (310, "ug/g")),
        ("1751-7", 3.9, "gm/dL", (3.9, "g/dL")),
        ("1988-5", 1.4, "MG/DL", (14, "mg/L")),
        ("2160-0", 0.6, "mg/dl", (0.6, "mg/dL")),
        ("2951-2", 138, "mEq/L", (138, "mmol/L")),
        ("1920-8", 33, "units/L", (33, "U/L")),
        ("3016-3", 2.1, "mcIU/mL", (2.1, "u[iU]/mL")),
        ("62238-1", 101, "mL/min/1.73m²", (101, "mL/min/{1.73_m2}")),
        ("5821-4", 4, "/hpf", (4, "/[HPF]")),
        ("20447-9", 80, "copies/mL", (80, "{copies}/mL")),
    ],
)
def test_a_unit_as_hospitals_write_it_is_read_and_flagged(
    code: str, number: float, unit: str, meant: tuple[float, str]
) -> None:
    """`K/uL` is no kelvin, `F` no farad: the table is asked before UCUM's grammar."""
    found = value(code, value=number, unit=unit)
    assert found[:2] == meant
    assert {"unit-repaired", "unit-converted"} & set(found[2])
    assert value(code, value=number, unit=unit, system=UCUM, code=unit)[:2] == meant


def test_a_unit_of_a_local_system_is_read_by_the_table_alone() -> None:
    """Whatever UCUM's grammar makes of another system's code is nothing."""
    assert value("777-3", value=198, system="urn:local:units", code="K/uL")[:2] == (198, "10*3/uL")
    assert value("777-3", value=198, system="urn:local:units", code="37", unit="K/uL")[:2] == (198, "10*3/uL")
    assert problem("29463-7", value=3, system="urn:local:units", code="[stone_av]") is Reason.UNKNOWN_UNIT


@pytest.mark.parametrize(
    ("text", "code"), [("lb", "kg"), ("g/dL", "mg/dL"), ("cm", "[in_i]"), ("°F", "Cel"), ("%", "1")]
)
def test_a_text_that_contradicts_the_code_is_a_problem(text: str, code: str) -> None:
    """Nobody knows which of them the number was written in."""
    assert problem("29463-7", value=30, unit=text, system=UCUM, code=code) is Reason.UNIT_CONTRADICTED


@pytest.mark.parametrize(
    ("text", "code"),
    [("mmHg", "mm[Hg]"), ("mcg/L", "ng/mL"), ("beats/minute", "/min"), ("K/µL", "10*9/L"), ("a lot", "kg")],
)
def test_a_text_that_says_the_same_otherwise_is_none(text: str, code: str) -> None:
    """So do most: the text is for people, the code for machines."""
    assert measured("55555-7", value=30, unit=text, system=UCUM, code=code).records


@pytest.mark.parametrize(
    "unit", ["6175550142", "42", "Kim", "Pat", "dan", "02139", "a.Kat", "mol/{Quux}/Kim", "G/L", "#"]
)
def test_what_only_ucums_grammar_takes_does_not_leave(unit: str) -> None:
    """A code without a row of its own keeps units of the closed list only."""
    for extra in ({}, {"system": UCUM, "code": unit}):
        outcome = measured("55555-7", value=3, unit=unit, **extra)
        assert outcome.problem is not None
        assert outcome.problem.reason in (Reason.UNKNOWN_UNIT, Reason.UNIT_CONTRADICTED)


def test_a_rare_unit_is_converted_and_its_writing_withheld() -> None:
    """UCUM's arithmetic may use what the list does not hold; only the code's own unit leaves."""
    outcome = measured("29463-7", value=3, system=UCUM, code="[stone_av]")
    record = json.loads(outcome.records[0].content)
    assert record["value"] == pytest.approx(19.0508, abs=1e-3)
    assert "raw_unit" not in record
    assert b"unit-withheld" in outcome.records[0].provenance


@pytest.mark.parametrize(
    ("code", "number", "unit", "percent"),
    [
        ("2708-6", 0.94, "1", 94),
        ("19926-5", 0.79, "ratio", 79),
        ("97510-2", 0.72, "1", 72),
        ("4544-3", 0.41, "L/L", 41),
        ("4544-3", 0.41, "{fraction}", 41),
        ("4548-4", 0.072, "1", 7.2),
        ("17856-6", 0.065, "{fraction}", 6.5),
    ],
)
def test_a_fraction_becomes_percent_where_the_code_says_so(code: str, number: float, unit: str, percent: float) -> None:
    """By the table of the code, never by arithmetic on whatever is without dimension."""
    assert value(code, value=number, unit=unit)[:2] == (percent, "%")
    assert problem("8289-1", value=number, unit=unit) is Reason.UNIT_MISMATCH


def test_a_number_in_another_quantity_s_unit_is_left_out() -> None:
    """A percentile under the code of a body mass index: measured, and no index."""
    (record,) = measured("39156-5", value=85, unit="%").records
    content, provenance = json.loads(record.content), json.loads(b"{" + record.provenance + b"}")
    assert content.keys().isdisjoint({"value", "unit", "raw_value", "raw_unit"})
    assert (content["absent"], provenance["flags"]) == ("OT", ["unit-of-another"])
    assert problem("39156-5", value=85, unit="cm") is Reason.UNIT_MISMATCH
    said = json.dumps(_coded("39156-5") | {"valueString": "85 %"}).encode()
    assert "value" not in json.loads(SITE.map_line(said).records[0].content)


def test_scales_are_of_codes_that_have_a_row() -> None:
    """A line for a code without a unit would do nothing."""
    assert set(_scales()) <= set(unit_table())


def test_a_value_without_unit_is_judged_no_less() -> None:
    """4000 without a unit is no pulse."""
    assert value("8867-4", value=4000) == (4000, None, ["implausible-high", "unit-missing"])
    assert value("8867-4", value=88) == (88, None, ["unit-missing"])


def test_the_sites_own_word_stands_above_the_table() -> None:
    """Where a hospital means something else by it, its code map says so."""
    site = Mapper(
        site="north", time_zone="UTC", subject_key=b"k" * 32, code_map=[CodeMapRow("", "K/uL", UCUM, "10*6/L")]
    )
    (record,) = measured("777-3", site, value=198, unit="K/uL").records
    assert json.loads(record.content)["value"] == 0.198


@settings(max_examples=some(300))
@given(st.text(max_size=20))
def test_any_text_is_a_listed_unit_or_none(text: str) -> None:
    """Whatever is read as a unit is one that may leave."""
    meant = spelled(text)
    assert meant is None or is_listed(meant)


def test_frequent_units_read_as_themselves() -> None:
    """A spelling never takes a unit's own name away."""
    assert all(spelled(unit) == unit for unit in FREQUENT)
