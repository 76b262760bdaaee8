"""Value sets from a folder: found by OID, their codes once, and an error that names the file."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import OperatorError
from services.measures.language.codes import ValueSet
from services.measures.valuesets import ValueSets

ICD = "http://hl7.org/fhir/sid/icd-10-cm"
WANTED = ValueSet("1.2.3", "Some disease")


def _written(folder: Path, name: str, **resource: Any) -> Path:
    path = folder / name
    path.write_text(json.dumps({"resourceType": "ValueSet"} | resource))
    return path


def _expanded(*codes: str) -> dict[str, Any]:
    return {"contains": [{"system": ICD, "code": code} for code in codes]}


def test_codes_of_the_expansion_nested_ones_too_but_not_what_only_groups(tmp_path: Path) -> None:
    nested = {"contains": [{"abstract": True, "code": "K50", "system": ICD, **_expanded("K50.0", "K50.1")}]}
    _written(tmp_path, "a.json", url="http://example.org/ValueSet/1.2.3|2", version="2", expansion=nested)
    found = ValueSets.of_folder(tmp_path)[WANTED]
    assert found.codes == {(ICD, "K50.0"), (ICD, "K50.1")}
    assert found.version == "2"


def test_a_definition_that_lists_its_codes_needs_no_expansion(tmp_path: Path) -> None:
    include = [{"system": ICD, "concept": [{"code": "K51.0"}]}]
    _written(tmp_path, "a.json", id="1.2.3", compose={"include": include})
    assert ValueSets.of_folder(tmp_path)[WANTED].codes == {(ICD, "K51.0")}


def test_the_checksum_is_of_the_codes_whatever_the_file(tmp_path: Path) -> None:
    for name, codes in (("x", ("K50.0", "K50.1")), ("y", ("K50.1", "K50.0")), ("z", ("K50.1",))):
        (tmp_path / name).mkdir()
        _written(tmp_path / name, "a.json", id="1.2.3", title=name, expansion=_expanded(*codes))
    x, y, z = (ValueSets.of_folder(tmp_path / name)[WANTED].checksum for name in "xyz")
    assert x == y != z


@pytest.mark.parametrize(
    ("files", "cause"),
    [
        ({}, "no value set"),
        ({"a.json": "{"}, "a.json: not readable"),
        ({"a.json": '{"resourceType": "Bundle"}'}, "a.json: no FHIR ValueSet"),
        ({"a.json": '{"resourceType": "ValueSet", "id": "1.2.3"}'}, "a.json: a value set without codes"),
        (
            {
                name: json.dumps({"resourceType": "ValueSet", "id": "1.2.3", "expansion": _expanded(code)})
                for name, code in (("a.json", "K50"), ("b.json", "K51"))
            },
            "b.json: value set 1.2.3 is there twice",
        ),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, files: dict[str, str], cause: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(OperatorError, match=cause):
        ValueSets.of_folder(tmp_path)


def test_a_value_set_that_is_missing_is_named_by_oid_and_title(tmp_path: Path) -> None:
    _written(tmp_path, "a.json", id="9.9.9", expansion=_expanded("K50"))
    with pytest.raises(OperatorError, match=r"value set 1\.2\.3 \(Some disease\) is missing"):
        ValueSets.of_folder(tmp_path)[WANTED]
