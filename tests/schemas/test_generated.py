"""What is generated from the models is in step with them."""

import json
import re
from importlib.resources import files

import pytest

from schemas.generate import generated
from schemas.loads import TypeCounts
from schemas.outcomes import RECORD_TYPES
from schemas.problems import Reason

COMMITTED = {path.name: path.read_text(encoding="utf-8") for path in (files("schemas") / "generated").iterdir()}


def test_json_schemas_are_in_step_with_the_models() -> None:
    """`make generated` was run after the last change of a model."""
    assert generated() == COMMITTED


@pytest.mark.parametrize("name", sorted(RECORD_TYPES))
def test_every_field_of_a_record_says_what_it_is_and_where_it_comes_from(name: str) -> None:
    """Each field has a description and, where it is a fact, its FHIR source."""
    for field, info in RECORD_TYPES[name].model_fields.items():
        if field == "type":
            continue
        assert info.description, field
        if field not in ("id", "subject", "site"):
            assert isinstance(info.json_schema_extra, dict), field
            assert info.json_schema_extra["source"], field


@pytest.mark.parametrize("name", sorted(RECORD_TYPES))
def test_no_field_of_a_record_only_repeats_its_name(name: str) -> None:
    """`status`: "Status." says nothing."""
    for field, info in RECORD_TYPES[name].model_fields.items():
        if field == "type":
            continue
        said = {word.rstrip("s") for word in re.findall("[a-z]+", (info.description or "").lower())}
        assert said - {word.rstrip("s") for word in field.split("_")} - {"the", "it", "of", "utc", "code"}, field


def test_every_reason_says_what_the_site_can_do() -> None:
    """A count nobody can act on is no help."""
    table = json.loads(COMMITTED["reasons.json"])
    assert {reason.value for reason in Reason} == set(table)
    assert all(row["meaning"] and row["fix"] for row in table.values())


def test_counts_add_up_only_when_every_resource_is_accounted_for() -> None:
    """read = mapped + skipped by reason."""
    assert TypeCounts(read=5, mapped=3, skipped={"missing-id": 2}).adds_up()
    assert not TypeCounts(read=5, mapped=3, skipped={"missing-id": 1}).adds_up()
