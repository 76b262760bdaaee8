"""A value of several records: derived from what stands, with its inputs, and gone when they are."""

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from schemas.outcomes import RECORD_TYPES, AnyRecord
from transforms.derive import Current, Derived, Deriver, Value, record_types, values
from transforms.privacy import FieldPolicy

KEY = b"a key of thirty-two bytes, no less"
RECORD = TypeAdapter(AnyRecord)
ANNE, BEN = b"a" * 16, b"b" * 16


def observation(name: str, subject: bytes, code: str, value: float) -> Current:
    content = {"type": "observation", "code": code, "value": value, "effective_date": "2026-03-02"}
    return Current(name.encode().ljust(16, b"\0"), "observation", subject, json.dumps(content).encode())


def bmi(records: Sequence[Current]) -> Iterator[Derived]:
    """A sample: kilograms over metres squared, hanging on the weight."""
    said: dict[str, tuple[Current, Any]] = {}
    for record in records:
        content = json.loads(record.content)
        said[content["code"]] = (record, content)
    if {"29463-7", "8302-2"} <= set(said):
        (weight, kilograms), (height, centimetres) = said["29463-7"], said["8302-2"]
        value = Decimal(str(kilograms["value"])) / (Decimal(str(centimetres["value"])) / 100) ** 2
        day = kilograms["effective_date"]
        yield Derived(weight, "BMI", round(value, 1), (weight, height), "kg/m2", effective_date=day)


def deriver(version: str = "1") -> Deriver:
    return Deriver(site="north", subject_key=KEY, values=[Value("bmi", version, frozenset({"observation"}), bmi)])


WEIGHT, HEIGHT = observation("w", ANNE, "29463-7", 20), observation("h", ANNE, "8302-2", 100)


def test_none_ships_yet() -> None:
    """The folder is the list."""
    assert values() == []
    assert record_types([Value("bmi", "1", frozenset({"observation"}), bmi)]) == {"observation", "derived_observation"}


def test_a_derived_record_names_its_method_and_inputs() -> None:
    """Valid in the model; nothing of another person comes in."""
    other = observation("x", BEN, "8302-2", 170)
    (record,) = deriver().derive([WEIGHT, other, HEIGHT]).records
    content = json.loads(record.content)
    RECORD.validate_json(record.content)
    assert (content["value"], content["unit"], content["effective_date"]) == (20, "kg/m2", "2026-03-02")
    assert (content["method"], content["method_version"]) == ("bmi", "1")
    assert content["inputs"] == sorted("r-" + each.id.hex() for each in (WEIGHT, HEIGHT))
    assert json.loads(b"{" + record.provenance + b"}") == {"source": [], "mapping": "bmi@1"}
    assert (record.subject, content["subject"]) == (ANNE, "s-" + ANNE.hex())


def test_the_order_of_records_changes_nothing_and_a_correction_keeps_the_id() -> None:
    """The id hangs on the method's name and the anchor: a new value or version amends the same record."""
    (record,) = deriver().derive([WEIGHT, HEIGHT]).records
    assert deriver().derive([HEIGHT, WEIGHT]).records == [record]
    (corrected,) = deriver("2").derive([HEIGHT, observation("w", ANNE, "29463-7", 21)]).records
    assert corrected.id == record.id
    assert json.loads(corrected.content)["value"] == 21


def test_what_no_longer_is_given_is_withdrawn() -> None:
    """The height went; another method's record stays."""
    (record,) = deriver().derive([WEIGHT, HEIGHT]).records
    standing = Current(record.id, record.type, record.subject, record.content)
    other = Current(b"o" * 16, "derived_observation", ANNE, b'{"method":"another"}')
    assert deriver().derive([WEIGHT, HEIGHT, standing, other]).withdrawn == []
    gone = deriver().derive([WEIGHT, standing, other])
    assert (gone.records, gone.withdrawn) == ([], [record.id[:12]])
    assert deriver().derive([standing]).withdrawn == [record.id[:12]]


def test_the_policy_decides_about_every_field() -> None:
    """As of mapped records."""
    always = {"type", "id", "subject", "site"}
    assert (
        set(FieldPolicy.load().listed("derived_observation"))
        == set(RECORD_TYPES["derived_observation"].model_fields) - always
    )
