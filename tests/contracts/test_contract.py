"""The published contract: in step with the models, valid by AsyncAPI's own schema, readable, and held to what was released.

`asyncapi-3.0.0.json.gz` is AsyncAPI's JSON Schema of version 3.0.0, from the package @asyncapi/specs (Apache-2.0).
"""

import copy
import gzip
import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from fastapi.testclient import TestClient

from mainstem.consumer import LetterReason
from mainstem.consumer.received import read_event
from mainstem.consumer.testing import message
from schemas.contract.asyncapi import asyncapi
from schemas.contract.compatibility import broken, differences
from schemas.contract.headers import HEADERS
from schemas.contract.released import UNION, broken_since, is_contract, released, since
from schemas.contract.yaml import as_yaml
from schemas.events import Header
from schemas.flags import FLAGS
from schemas.generate import event_catalogue, generated
from schemas.outcomes import RECORD_TYPES
from services.registry.api import make_app

REPOSITORY = Path(__file__).parents[2]
SCHEMAS = {name: json.loads(text) for name, text in generated().items() if is_contract(name)}
OBSERVATION = SCHEMAS["observation.v1.json"]


def test_asyncapi_document_is_valid_by_asyncapis_own_schema():
    """And the schema is one that refuses: a document without channels' addresses of the right kind is none."""
    schema = json.loads(gzip.decompress((Path(__file__).parent / "asyncapi-3.0.0.json.gz").read_bytes()))
    document = yaml.safe_load((REPOSITORY / "schemas" / "generated" / "asyncapi.yaml").read_text(encoding="utf-8"))
    validator = jsonschema.Draft7Validator(schema)
    assert [error.message for error in validator.iter_errors(document)] == []
    assert document == asyncapi()
    wrong = copy.deepcopy(document)
    wrong["channels"]["outcome"]["address"] = 7
    wrong["operations"]["sendOutcome"]["action"] = "shout"
    assert not validator.is_valid(wrong)


def test_asyncapi_documents_values_are_schemas_that_exist():
    """Every reference to a file leads to one beside it."""
    found = re.findall(r"\./([a-z_]+\.v1\.json)", as_yaml(asyncapi()))
    assert sorted(set(found)) == [
        "consent_asked.v1.json",
        "consent_heeded.v1.json",
        "erasure.v1.json",
        "feedback.v1.json",
        "load.v1.json",
        "outcome.v1.json",
        "site_published.v1.json",
        "subject.v1.json",
    ]
    assert set(found) <= set(SCHEMAS)


def test_yaml_reads_back_as_it_was_written():
    """Whatever stands in it."""
    odd = {"a": [], "b": {}, "on": None, "1": [1, [2, {"x": "é: #"}]], "c d": True, "e": [{"f": 1, "g": ["h"]}]}
    assert yaml.safe_load(as_yaml(odd)) == odd


def test_catalogue_is_in_step_with_the_models():
    """`make generated` was run after the last change."""
    assert (REPOSITORY / "docs" / "events.md").read_text(encoding="utf-8") == event_catalogue()


def test_catalogue_explains_every_word():
    """Headers, record types and their fields, flags, reasons of the kit: each by its name, none by its name alone."""
    page = event_catalogue()
    assert set(HEADERS) == set(Header)
    for word in [*map(str, Header), *FLAGS, *(reason.value for reason in LetterReason)]:
        assert f"`{word}`" in page, word
    for name, model in RECORD_TYPES.items():
        section = page.split(f"### `{name}`\n", 1)[1].split("\n### ", 1)[0]
        for field in model.model_fields:
            assert re.search(rf"^\| `{field}` \|", section, flags=re.MULTILINE), (name, field)
    empty = [line for line in page.splitlines() if re.match(r"^\| `[a-z_]+` \| [^|]+ \|  \|", line)]
    assert empty == []


def test_nothing_that_was_released_is_broken():
    """Against every release, not the last alone: somebody still reads by it."""
    assert released()
    assert broken_since(SCHEMAS) == []
    assert since("observation.v1.json", "$defs", "Observation", "properties", "code") == "0.1.0"
    assert since("observation.v1.json", "$defs", "Observation", "properties", "no_such_field") == "next"


def changed(**fields) -> dict:
    """The observation's schema with fields of the record changed; None takes one away."""
    new = copy.deepcopy(OBSERVATION)
    properties = new["$defs"]["Observation"]["properties"]
    for name, field in fields.items():
        if field is None:
            del properties[name]
        else:
            properties[name] = field
    return new


@pytest.mark.parametrize(
    ("new", "what"),
    [
        (changed(value={"type": "string"}), "value"),
        (changed(code={"anyOf": [{"type": "integer"}, {"type": "null"}]}), "code"),
        (changed(id={"type": "string", "pattern": "^x-.*$"}), "pattern"),
        (changed(codings={"type": "array", "items": {"type": "string"}}), "codings"),
        (changed(type={"const": "measurement", "type": "string"}), "const"),
        ({**OBSERVATION, "required": ["record", "change"]}, "no longer required"),
        ({**OBSERVATION, "required": [*OBSERVATION["required"], "more"]}, "required now"),
    ],
)
def test_change_that_would_break_a_reader_or_a_writer_is_named(new, what):
    """Types, patterns, what is required: both ways, as old readers meet new events and new readers old ones."""
    found = list(differences(OBSERVATION, new))
    assert found
    assert any(what in each for each in found)


@pytest.mark.parametrize(
    "new",
    [
        changed(value_more={"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}),
        changed(category=None),
        changed(code={**OBSERVATION["$defs"]["Observation"]["properties"]["code"], "description": "Said better."}),
    ],
)
def test_optional_field_may_come_and_go_and_words_may_change(new):
    """All that the contract allows within a major."""
    assert list(differences(OBSERVATION, new)) == []


def test_record_type_that_goes_is_a_break_and_one_that_comes_is_none():
    """Consumers pass over what they do not know."""
    fewer = {name: schema for name, schema in SCHEMAS.items() if name != "goal.v1.json"}
    assert broken(SCHEMAS, fewer) == ["goal.v1.json: is no longer there"]
    assert broken({name: schema for name, schema in fewer.items() if name != UNION}, SCHEMAS) == []


def test_registry_serves_the_contract(small_registry):
    """The document, the schemas it refers to, and nothing by another name."""
    client = TestClient(make_app(small_registry), base_url="http://127.0.0.1")
    served = client.get("/schemas/asyncapi.yaml")
    assert served.status_code == 200
    assert yaml.safe_load(served.text) == asyncapi()
    assert client.get("/schemas/site_published.v1.json").json() == SCHEMAS["site_published.v1.json"]


def test_event_of_the_contract_suite_is_valid_by_its_schema():
    """What developers try their handlers on is what the contract allows."""
    event = message("a", 2, 8.2)
    jsonschema.Draft202012Validator(OBSERVATION).validate(json.loads(event.value))
    assert not isinstance(read_event(event), LetterReason)
