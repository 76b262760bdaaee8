"""What a text may say, and values of rare types: read by a strict grammar and flagged, or withheld."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from schemas.outcomes import AnyRecord
from transforms import Mapper

UCUM = "http://unitsofmeasure.org"
SITE = Mapper(site="north", time_zone="America/New_York", subject_key=b"a key of thirty-two bytes, no less")
RECORD: TypeAdapter[Any] = TypeAdapter(AnyRecord)


def found(loinc: str, **value: Any) -> dict[str, Any]:
    """The fields of the value, and the flags."""
    resource = {
        "resourceType": "Observation",
        "id": "v1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-03-02",
    }
    outcome = SITE.map_line(json.dumps(resource | value).encode())
    assert outcome.problem is None, outcome.problem
    (record,) = outcome.records
    RECORD.validate_json(record.content)
    usual = {"type", "id", "subject", "site", "status", "code", "codings", "effective_date"}
    content = {name: each for name, each in json.loads(record.content).items() if name not in usual}
    return content | {"flags": json.loads(b"{" + record.provenance + b"}").get("flags", [])}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("<0.6 mg/L", {"value": 0.6, "unit": "mg/L", "raw_value": "0.6", "raw_unit": "mg/L", "comparator": "<"}),
        ("≥ 3 mg/dL", {"value": 30, "unit": "mg/L", "raw_value": "3", "raw_unit": "mg/dL", "comparator": ">="}),
        ("7.10mg/L", {"value": 7.1, "unit": "mg/L", "raw_value": "7.10", "raw_unit": "mg/L"}),
        (" 45 ", {"value": 45, "raw_value": "45"}),
        ("Negative", {"value_code": "260385009"}),
        ("NOT  DETECTED", {"value_code": "260415000"}),
        ("non-reactive", {"value_code": "131194007"}),
        ("1:64", {"ratio_numerator": 1, "ratio_denominator": 64}),
        (">1:1280", {"ratio_numerator": 1, "ratio_denominator": 1280, "comparator": ">"}),
    ],
)
def test_a_text_that_says_a_value_is_read_as_one(text: str, read: dict[str, Any]) -> None:
    """Comparator, number and unit of the list; a titre; a word of the list. Flagged."""
    value = found("1988-5", valueString=text)
    assert "from-text" in value.pop("flags")
    assert value == read


@pytest.mark.parametrize(
    "text",
    [
        "Negative, called to mother",
        "617-555-0142",
        "6175550142",
        "007",
        "1,200",
        "45 Quackenbush",
        "3 kg",
        "7.2 10 x",
        "1:30",
        "2026-03-02",
        "nobody",
        "",
    ],
)
def test_any_other_text_is_withheld(text: str) -> None:
    """A telephone number is no value, kilograms are none of a concentration, 1:30 may be the time."""
    value = found("1988-5", valueString=text)
    assert value["absent"] in ("OT", "NI")
    assert text == "" or value["flags"] == ["text-withheld"]
    assert set(value) == {"absent", "flags"}


def test_a_concept_in_words_only_is_read_by_the_same_list() -> None:
    """Laboratories send their words as concepts, too."""
    assert found("5778-6", valueCodeableConcept={"text": "Positive"}) == {
        "value_code": "10828004",
        "flags": ["from-text"],
    }
    assert found("5778-6", valueCodeableConcept={"text": "Ann Example"})["absent"] == "OT"


def test_a_range_keeps_both_ends_in_the_unit_of_its_code() -> None:
    """One end alone is a range, too."""
    ends = {"low": {"value": 35, "unit": "lbs"}, "high": {"value": 40, "unit": "lbs"}}
    value = found("29463-7", valueRange=ends)
    assert (value["value_low"], value["value_high"], value["unit"]) == (15.87573295, 18.1436948, "kg")
    assert found("29463-7", valueRange={"low": {"value": 3, "unit": "kg"}})["value_low"] == 3
    assert found("29463-7", valueRange={})["absent"] == "NI"


def test_a_ratio_keeps_both_numbers() -> None:
    """A titre has no unit, a concentration has one."""
    titre = {"numerator": {"value": 1}, "denominator": {"value": 128}}
    assert found("5778-6", valueRatio=titre) == {"ratio_numerator": 1, "ratio_denominator": 128, "flags": []}
    mixed = {"numerator": {"value": 5, "unit": "mg"}, "denominator": {"value": 2, "unit": "mL"}}
    assert found("5778-6", valueRatio=mixed)["unit"] == "mg/mL"
    named = {"numerator": {"value": 5, "unit": "Ann"}, "denominator": {"value": 2}}
    assert found("5778-6", valueRatio=named) == {"absent": "OT", "flags": ["value-type-withheld"]}


def test_a_time_that_is_the_value_is_kept_as_one() -> None:
    """When the last meal was, when the next visit is to be."""
    assert found("5778-6", valueTime="07:30:00") == {"value_time": "07:30:00", "flags": []}
    when = found("5778-6", valueDateTime="2099-03-02T23:30:00-05:00")
    assert when == {"value_instant": "2099-03-03T04:30:00Z", "value_date": "2099-03-02", "flags": []}


def test_the_reference_range_is_kept_in_the_unit_of_the_code() -> None:
    """Of several the one for everybody; where that cannot be told, none."""
    value = {"valueQuantity": {"value": 4, "unit": "mg/L"}}
    usual = {"low": {"value": 0, "unit": "mg/dL"}, "high": {"value": 0.5, "unit": "mg/dL"}}
    girls = {"high": {"value": 7, "unit": "mg/L"}, "appliesTo": [{"text": "girls"}]}
    for listed in ([usual], [usual, girls], [{"text": "see note"}, usual]):
        read = found("1988-5", **value, referenceRange=listed)
        assert (read["reference_low"], read["reference_high"], read["reference_unit"]) == (0, 5, "mg/L")
        assert read["flags"] == []
    assert found("1988-5", **value, referenceRange=[usual, usual])["flags"] == ["reference-several"]
    assert found("1988-5", **value, referenceRange=[{"high": {"value": 5, "unit": "Ann"}}])["flags"] == [
        "reference-withheld"
    ]


def test_a_whole_number_is_judged_by_its_code() -> None:
    """Of a code that has a unit, its lack is flagged."""
    assert found("8867-4", valueInteger=4000)["flags"] == ["implausible-high", "unit-missing"]
    assert found("72166-2", valueInteger=4000)["flags"] == []


def test_a_comparator_inside_the_number_is_put_in_its_place() -> None:
    """Interfaces from HL7 v2 write it so."""
    value = found("1988-5", valueQuantity={"value": "<0.6", "unit": "mg/L"})
    assert (value["value"], value["comparator"], value["flags"]) == (0.6, "<", ["number-as-text"])
