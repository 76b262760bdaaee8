"""Value sets read from a folder: whole, or refused by file."""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import OperatorError
from services.measures.valuesets import ValueSets, load_value_sets
from transforms.codes.systems import repaired_system

URL = "http://example.org/fhir/ValueSet/2.999.1.10"
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"


def value_set(*codes: dict[str, Any], url: str = URL, version: str = "20260101", **expansion: Any) -> dict[str, Any]:
    """A ValueSet as a terminology server gives it."""
    contains = {"identifier": "urn:uuid:0", "timestamp": "2026-01-01T00:00:00Z", "contains": list(codes), **expansion}
    described = {"url": url, "version": version, "name": "Weights", "title": "Weights", "status": "active"}
    return {"resourceType": "ValueSet", **described, "expansion": contains}


def coded(code: str, system: str = LOINC, **more: Any) -> dict[str, Any]:
    """An entry of an expansion."""
    return {"system": system, "version": "2.77", "code": code, "display": f"what {code} is", **more}


def loaded(folder: Path, **files: Any) -> ValueSets:
    """The folder with these files, read."""
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return load_value_sets(folder, system=str)


def test_set_is_found_by_url_oid_and_version(tmp_path: Path) -> None:
    """However a measure's definition names it."""
    sets = loaded(tmp_path, weights=value_set(coded("29463-7"), coded("27113001", SNOMED)))
    for name in (URL, f"{URL}|20260101", "2.999.1.10", "urn:oid:2.999.1.10"):
        found = sets.named(name)
        assert found.codes == {(LOINC, "29463-7"), (SNOMED, "27113001")}
        assert (found.version, found.oid, found.title) == ("20260101", "2.999.1.10", "Weights")


def test_checksum_is_of_the_codes_alone(tmp_path: Path) -> None:
    """Order, displays and version do not move it; one code does."""
    other, third = f"{URL}1", f"{URL}2"
    sets = loaded(
        tmp_path,
        a=value_set(coded("1"), coded("2")),
        b=value_set(coded("2", display="another word"), coded("1"), url=other, version="2"),
        c=value_set(coded("1"), coded("2"), coded("3"), url=third),
    )
    assert sets.named(URL).checksum == sets.named(other).checksum != sets.named(third).checksum
    assert len(sets.named(URL).checksum) == 64


def test_hierarchy_belongs_to_the_set_and_its_headings_do_not(tmp_path: Path) -> None:
    """Entries below entries count; an abstract one is there to be opened, not chosen."""
    heading = {"display": "Body measures", "abstract": True, "contains": [coded("1", contains=[coded("2")])]}
    assert loaded(tmp_path, a=value_set(heading, total=3)).named(URL).codes == {(LOINC, "1"), (LOINC, "2")}


def test_bundle_and_folders_below_are_read(tmp_path: Path) -> None:
    """A search's answer holds several; years may have folders of their own."""
    (tmp_path / "2026").mkdir()
    entries = [{"resource": value_set(coded("1"))}, {"resource": value_set(coded("2"), url=f"{URL}1")}]
    (tmp_path / "2026" / "all.json").write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))
    assert loaded(tmp_path).by_url.keys() == {URL, f"{URL}1"}


def test_pages_of_an_expansion_are_one_set(tmp_path: Path) -> None:
    """As a terminology server gives them by offset and count; a page that came twice is one."""
    first, second = value_set(coded("1"), coded("2"), total=3), value_set(coded("3"), total=3, offset=2)
    sets = loaded(tmp_path, a=second, b=first, c=second)
    assert sets.named(URL).codes == {(LOINC, "1"), (LOINC, "2"), (LOINC, "3")}
    assert (
        sets.named(URL).checksum
        == loaded(tmp_path, a=value_set(coded("3"), coded("2"), coded("1")), b=first, c=second).named(URL).checksum
    )


def test_pages_with_a_gap_between_them_are_refused_by_file(tmp_path: Path) -> None:
    """The set would be smaller than it is."""
    with pytest.raises(OperatorError) as caught:
        loaded(tmp_path, a=value_set(coded("1"), total=3), c=value_set(coded("3"), total=3, offset=2))
    assert [Path(cause.split(": ")[0]).name for cause in caught.value.causes] == ["a.json", "c.json"]
    assert "is a page of its expansion: 1 of 3 codes" in caught.value.causes[0]


def test_byte_order_mark_is_no_part_of_a_set(tmp_path: Path) -> None:
    """Some editors put one before the first brace."""
    assert loaded(tmp_path, a="\ufeff" + json.dumps(value_set(coded("1")))).by_url.keys() == {URL}


def test_same_set_twice_is_the_same_and_another_under_its_name_is_not(tmp_path: Path) -> None:
    """Which of two counts would be chance."""
    assert loaded(tmp_path, a=value_set(coded("1")), b=value_set(coded("1"))).by_url.keys() == {URL}
    with pytest.raises(OperatorError, match=r"b\.json: value set .* is another in .*a\.json"):
        loaded(tmp_path, b=value_set(coded("1"), coded("2")))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "is no FHIR ValueSet"),
        ("[]", "is no FHIR ValueSet"),
        ({"resourceType": "Patient", "id": "x"}, "it is of another resource type"),
        ({"resourceType": "Bundle"}, "is a Bundle without a ValueSet"),
        ({"resourceType": "ValueSet", "url": URL, "compose": {}}, f"value set {URL} has no expansion"),
        ({**value_set(coded("1")), "url": ""}, "a ValueSet without url"),
        (value_set(), f"value set {URL} holds no code"),
        (value_set(coded("1"), total=900), f"value set {URL} is a page of its expansion: 1 of 900 codes"),
        (value_set(coded("1"), total=1, offset=1000), f"value set {URL} is a page of its expansion"),
        (value_set(coded("1"), {"code": "2"}), f"value set {URL} has an entry without system or code"),
        (value_set({"system": LOINC, "code": 5}), "is no FHIR ValueSet"),
    ],
)
def test_what_would_be_less_than_the_set_is_refused_by_file(tmp_path: Path, content: Any, told: str) -> None:
    """Each fault names its file; the good ones beside it do not hide it."""
    with pytest.raises(OperatorError) as caught:
        loaded(tmp_path, good=value_set(coded("1"), url=f"{URL}9"), bad=content)
    (cause,) = caught.value.causes
    assert cause.startswith(str(tmp_path / "bad.json"))
    assert told in cause
    assert "$expand" in caught.value.fix


def test_every_unusable_file_is_told_at_once(tmp_path: Path) -> None:
    """Not one a run."""
    with pytest.raises(OperatorError) as caught:
        loaded(tmp_path, a="{", b=value_set(), c=value_set(coded("1")))
    assert [Path(cause.split(": ")[0]).name for cause in caught.value.causes] == ["a.json", "b.json"]


def test_folder_without_files_and_set_that_is_not_there_are_told(tmp_path: Path) -> None:
    """A measure without its set would count nobody."""
    with pytest.raises(OperatorError, match="no such folder"):
        load_value_sets(tmp_path / "nowhere", system=str)
    (tmp_path / "empty").mkdir()
    with pytest.raises(OperatorError, match="no file of a value set"):
        load_value_sets(tmp_path / "empty", system=str)
    sets = loaded(tmp_path, a=value_set(coded("1")))
    with pytest.raises(OperatorError, match=r"no value set 2\.999\.7"):
        sets.named("2.999.7")
    with pytest.raises(OperatorError, match="is of version 20260101, not 20250101"):
        sets.named(f"{URL}|20250101")


def test_a_code_system_is_named_as_records_name_it(tmp_path: Path) -> None:
    """The VSAC writes HCPCS in another way than CMS does; a code of it must be found all the same."""
    vsac, cms = "http://www.nlm.nih.gov/research/umls/hcpcs", "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
    one = {"resourceType": "ValueSet", "url": URL, "expansion": {"contains": [{"system": vsac, "code": "G0270"}]}}
    (tmp_path / "one.json").write_text(json.dumps(one))
    found = load_value_sets(tmp_path, system=lambda uri: repaired_system(uri) or uri).named(URL)
    assert found.codes == {(cms, "G0270")}
