"""One list of types: every other place computes what it needs from it, and the folder of mappings agrees with it."""

import tomllib
from collections import Counter
from pathlib import Path

import pytest

import transforms
from schemas.outcomes import (
    LENDING_TYPES,
    MAPPED_TYPES,
    RECORD_TYPES,
    REFERRED_TYPES,
    families,
    fhir_types_of,
    needed_by,
    record_type_of,
)
from schemas.sites import parse_site
from services.registry.tables import RECORD_TABLES
from transforms.fhir.type_names import R4_TYPES
from transforms.resources import declared, mappings

TRANSFORMS = Path(transforms.__file__).parent
SITE = """
site = "north"
name = "North"
time_zone = "UTC"
subject_key = "env:KEY"
types = ["{}"]
files = {{folder = "in"}}
"""


def snake(fhir_type: str) -> str:
    """`MedicationRequest` is mapped in `medication_request.py`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in fhir_type).lstrip("_")


def test_each_mapped_type_is_one_file_of_the_folder() -> None:
    files = {path.stem for path in (TRANSFORMS / "resources").glob("*.py") if path.name != "__init__.py"}
    assert (
        {snake(name) for name in MAPPED_TYPES}
        <= files
        <= {snake(name) for name in MAPPED_TYPES + LENDING_TYPES + REFERRED_TYPES}
    )


def test_each_file_declares_the_type_it_is_named_after() -> None:
    """So that one type's declaration is found without loading the others'."""
    for name in (*MAPPED_TYPES, *LENDING_TYPES, *REFERRED_TYPES):
        found = declared(name)
        assert found is None or found.source == name
    assert declared("Observation") is not None
    assert declared("Basic") is None


def test_each_mapping_gives_the_record_that_names_its_type() -> None:
    given = {name: resource.record for name, resource in mappings().items() if name in MAPPED_TYPES}
    assert given == {name: record_type_of(name) for name in MAPPED_TYPES}


def test_each_record_that_is_given_beside_others_is_given_by_the_types_it_names() -> None:
    """And no others."""
    given = {(each.beside.record, name) for name, each in mappings().items() if each.beside}
    assert given == {(record, name) for record, model in RECORD_TYPES.items() for name in model.beside}


def test_no_type_feeds_two_records_and_each_is_one_of_fhir() -> None:
    named = Counter(name for model in RECORD_TYPES.values() for name in model.fhir)
    assert set(named.values()) == {1}
    assert {*MAPPED_TYPES, *LENDING_TYPES, *REFERRED_TYPES} <= R4_TYPES
    assert not {*MAPPED_TYPES} & {*REFERRED_TYPES, *LENDING_TYPES}


def test_field_policy_decides_about_the_mapped_and_derived_records_and_no_others() -> None:
    policy = tomllib.loads((TRANSFORMS / "privacy" / "field_policy.toml").read_text())
    assert {*policy} - {"every_record"} == {
        "derived_observation",
        "disease_assessment",
        *(record_type_of(name) for name in MAPPED_TYPES),
    }


def test_registry_has_a_table_for_each_record_type() -> None:
    assert {*RECORD_TABLES} == {*RECORD_TYPES}


def test_names_are_looked_up_and_never_guessed() -> None:
    """`medication` is no type of FHIR's lower-cased, and a Medication becomes no record."""
    assert fhir_types_of("medication")[0] == "MedicationRequest"
    assert record_type_of("Medication") is None
    assert fhir_types_of("derived_observation") == ()


@pytest.mark.parametrize("name", [*MAPPED_TYPES, *LENDING_TYPES, *REFERRED_TYPES])
def test_site_may_name_what_is_mapped_or_referred_to(name: str) -> None:
    assert parse_site(SITE.format(name), "north.toml").types == [name]


def test_types_that_are_read_with_one_another_stand_together() -> None:
    """Tasks side by side mapped an order before its Medication, and told it twice."""
    found = families(["Patient", "MedicationRequest", "Observation", "Medication", "DiagnosticReport"])
    assert sorted(map(tuple, found)) == [
        ("DiagnosticReport", "Observation"),
        ("Medication", "MedicationRequest"),
        ("Patient",),
    ]
    assert families([]) == []


def test_what_the_model_promises_of_a_type_is_told_until_it_is_mapped() -> None:
    """A Claim nobody needs; of what is mapped or looked up nothing is left to say."""
    assert needed_by("MeasureReport") == ["measure_result"]
    assert needed_by("Claim") == []
    assert [name for name in (*MAPPED_TYPES, *REFERRED_TYPES) if needed_by(name)] == []
