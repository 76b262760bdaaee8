"""Shapes in which any resource may come, tried with each type that is mapped: what is right does not depend on the type."""

import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from schemas.outcomes import MAPPED_TYPES, AnyRecord
from schemas.problems import Reason
from transforms import Mapper, Outcome

Json = dict[str, Any]
RECORD = TypeAdapter(AnyRecord)
BASES: dict[str, Json] = runpy.run_path(str(Path(__file__).with_name("test_hostile.py")))["BASES"]
NAME = "Ann Quux"
WHOM = {
    "patient": "",
    "appointment": "participant.0.actor",
    "group": "member.0.entity",
    "task": "for",
    "payer": "beneficiary",
}
"""Where a base says whom it is about, other than in subject or patient."""
STATUS = {"condition": "verificationStatus", "allergy": "verificationStatus", "goal": "lifecycleStatus"}
WITHOUT_STATUS = {"patient", "group"}
IN_ERROR = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "entered-in-error"}]
}


def site() -> Mapper:
    return Mapper(site="north", time_zone="America/New_York", subject_key=b"k" * 32)


SITE = site()


def line(resource: Json) -> bytes:
    return json.dumps(resource, separators=(",", ":")).encode()


def mapped(text: bytes) -> Outcome:
    """What becomes of a line; what leaves validates and says no name."""
    outcome = SITE.map_line(text)
    for record in outcome.records:
        RECORD.validate_json(record.content)
        assert NAME.encode() not in record.content + record.provenance
    assert NAME not in repr(outcome.problem)
    return outcome


def told(outcome: Outcome) -> list[bytes]:
    """What its records say."""
    assert outcome.problem is None, outcome.problem
    assert outcome.records
    return [record.content for record in outcome.records]


def changed(base: Json, path: str, value: Any) -> Json:
    """A copy with something else at a path; `...` takes out what is there."""
    resource: Json = json.loads(json.dumps(base))
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = resource
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return resource


def whom(name: str) -> str:
    """The path of the reference to the patient."""
    return WHOM.get(name, "patient" if "patient" in BASES[name] else "subject")


def deep(levels: int) -> Any:
    value: Any = NAME
    for _ in range(levels):
        value = [value]
    return value


def ordered(resource: Any) -> Any:
    """The same with its keys in another order, at every depth."""
    if isinstance(resource, dict):
        return {key: ordered(resource[key]) for key in sorted(resource, reverse=True)}
    return [ordered(each) for each in resource] if isinstance(resource, list) else resource


def told_by(url: str, **value: Any) -> list[Json]:
    """An extension."""
    return [{"url": url, **value}]


ODD = [{"url": "https://acme.example/odd", "valueString": NAME}]
SAME: dict[str, Callable[[Json], bytes]] = {
    "a narrative": lambda base: line(base | {"text": {"status": "generated", "div": f"<div>{NAME}</div>"}}),
    "a foreign extension": lambda base: line(base | {"extension": ODD}),
    "fields that nobody knows": lambda base: line(base | {"acmeNote": NAME, "acme": [{"a": {}}], "_id": {}}),
    "keys in another order": lambda base: line(ordered(base)),
    "an indented document": lambda base: json.dumps(base, indent=2).replace("\n", " ").encode(),
    "a byte order mark": lambda base: b"\xef\xbb\xbf" + line(base),
    "blanks around it": lambda base: b"  " + line(base) + b" \r",
    "names in a deep list": lambda base: line(base | {"acme": deep(60)}),
    "numbers without end": lambda base: line(base)[:-1] + b',"acme":[1e999,-1E-999,' + b"9" * 400 + b"]}",
    "characters of any kind": lambda base: line(base | {"acme": "\u0000\u202e\U0001f600\u2028"}),
    "bytes that are no text, unread": lambda base: line(base)[:-1] + b',"acme":"\xff\xfe"}',
    "a profile and a source": lambda base: line(base | {"meta": {"profile": ["urn:x"], "source": NAME}}),
    "a language": lambda base: line(base | {"language": "en-US"}),
}
"""Shapes that change nothing of what a record says."""
REFUSED: dict[str, tuple[Callable[[Json], bytes], Reason]] = {
    "no id": (lambda base: line(changed(base, "id", ...)), Reason.MISSING_ID),
    "an empty id": (lambda base: line(base | {"id": ""}), Reason.MISSING_ID),
    "an id that is an object": (lambda base: line(base | {"id": {"value": NAME}}), Reason.INVALID_FIELD),
    "a part of itself": (lambda base: line(base | {"meta": {"tag": [{"code": "SUBSETTED"}]}}), Reason.PARTIAL_ANSWER),
    "a test patient's": (lambda base: line(base | {"meta": {"security": [{"code": "HTEST"}]}}), Reason.TEST_DATA),
    "denied by an extension": (
        lambda base: line(base | {"extension": told_by("https://acme.example/negationInd", valueBoolean=True)}),
        Reason.NOT_A_FACT,
    ),
    "not done by an extension": (
        lambda base: line(base | {"extension": told_by("https://acme.example/not-done", valueCode="true")}),
        Reason.NOT_A_FACT,
    ),
    "a test by an extension": (
        lambda base: line(base | {"extension": told_by("https://acme.example/is-test-patient", valueBoolean=True)}),
        Reason.TEST_DATA,
    ),
    "hidden in part": (lambda base: line(base | {"meta": {"security": [{"code": "MASKED"}]}}), Reason.PARTIAL_ANSWER),
    "redacted": (lambda base: line(base | {"meta": {"security": [{"code": "REDACTED"}]}}), Reason.PARTIAL_ANSWER),
    "a part of itself in small letters": (
        lambda base: line(base | {"meta": {"tag": [{"code": "subsetted"}]}}),
        Reason.PARTIAL_ANSWER,
    ),
    "a key twice": (lambda base: line(base)[:-1] + b',"id":"another"}', Reason.DUPLICATE_KEY),
    "a modifier of somebody's": (lambda base: line(base | {"modifierExtension": ODD}), Reason.MODIFIER_NOT_UNDERSTOOD),
    "rules of somebody's": (
        lambda base: line(base | {"implicitRules": "https://acme.example"}),
        Reason.MODIFIER_NOT_UNDERSTOOD,
    ),
    "a line cut off": (lambda base: line(base)[:-3], Reason.INVALID_JSON),
    "something behind it": (lambda base: line(base) + b"]", Reason.INVALID_JSON),
    "an id that is no text": (
        lambda base: line(base | {"id": NAME}).replace(NAME.encode(), b"\xff\xfe"),
        Reason.INVALID_JSON,
    ),
    "a type in small letters": (
        lambda base: line(base | {"resourceType": base["resourceType"].lower()}),
        Reason.NOT_A_RESOURCE,
    ),
}
"""Shapes of which no type may make a record."""
GONE: dict[str, Callable[[Json], bytes]] = {
    "marked as deleted": lambda base: line(base | {"meta": {"deleted": True}}),
    "marked in a field of a server's own": lambda base: line(base | {"isDeleted": True}),
    "marked in another": lambda base: line(base | {"__deleted": "true"}),
    "a tag": lambda base: line(base | {"meta": {"tag": [{"code": "deleted"}]}}),
    "a status of meta": lambda base: line(base | {"meta": {"status": "deleted"}}),
    "an extension": lambda base: line(
        base | {"extension": told_by("https://acme.example/isDeleted", valueBoolean=True)}
    ),
    "an extension of meta": lambda base: line(
        base | {"meta": {"extension": told_by("https://acme.example/deleted", valueBoolean=True)}}
    ),
    "a request to delete": lambda base: line(
        base | {"meta": {"extension": told_by("fhir-request-method", valueString="DELETE")}}
    ),
    "a stub that says so": lambda base: line(
        {key: base[key] for key in ("resourceType", "id")} | {"meta": {"deleted": True}}
    ),
}
NOBODY: dict[str, Any] = {
    "none": ...,
    "of a Bundle": {"reference": "resource:0"},
    "contained": {"reference": "#p"},
    "without an id": {"reference": "Patient/"},
    "a bare number": {"reference": "7"},
    "a group": {"reference": "Group/g"},
    "a search": {"reference": f"Patient?name={NAME}"},
    "a placeholder": {"reference": "Patient/undefined"},
    "a name": {"display": NAME},
    "empty": {},
}
PATIENT_ELSEWHERE = {
    "absolute": "https://ehr.example/fhir/Patient/kid-3",
    "a version": "Patient/kid-3/_history/4",
    "an absolute version": "https://ehr.example/fhir/Patient/kid-3/_history/4",
}


def test_each_type_that_is_mapped_is_tried() -> None:
    assert {base["resourceType"] for base in BASES.values()} == {*MAPPED_TYPES}


@pytest.mark.parametrize("name", BASES)
def test_what_changes_nothing_changes_no_record(name: str) -> None:
    base = told(mapped(line(BASES[name])))
    assert {shape for shape, make in SAME.items() if told(mapped(make(BASES[name]))) != base} == set()


@pytest.mark.parametrize("name", BASES)
def test_what_no_type_may_be_read_of_is_refused_by_its_name(name: str) -> None:
    found = {}
    for shape, (make, _reason) in REFUSED.items():
        outcome = mapped(make(BASES[name]))
        assert not outcome.records, shape
        found[shape] = outcome.problem.reason if outcome.problem else None
    assert found == {shape: reason for shape, (_make, reason) in REFUSED.items()}


@pytest.mark.parametrize("name", BASES)
def test_what_is_deleted_is_withdrawn(name: str) -> None:
    assert {shape for shape, make in GONE.items() if not mapped(make(BASES[name])).withdrawn} == set()


@pytest.mark.parametrize("name", [name for name in BASES if name not in WITHOUT_STATUS])
def test_what_was_entered_in_error_is_withdrawn_however_it_is_spelt(name: str) -> None:
    field = STATUS.get(name, "status")
    for spelt in ("entered-in-error", "Entered-In-Error", " entered-in-error ", "entered in error"):
        said: Any = spelt
        if field == "verificationStatus":
            said = {"coding": [IN_ERROR["coding"][0] | {"code": spelt}]}
        assert mapped(line(changed(BASES[name], field, said))).withdrawn, spelt


@pytest.mark.parametrize("name", [name for name in BASES if whom(name)])
def test_what_names_no_patient_is_nobodys(name: str) -> None:
    for shape, reference in NOBODY.items():
        outcome = mapped(line(changed(BASES[name], whom(name), reference)))
        assert not outcome.records, shape
        if outcome.problem is None:
            assert outcome.withdrawn, shape  # a Group without a member
        else:
            assert outcome.problem.reason is Reason.MISSING_SUBJECT, shape


@pytest.mark.parametrize("name", [name for name in BASES if whom(name)])
def test_a_patient_is_the_same_however_the_reference_is_written_and_another_is_another(name: str) -> None:
    """Under the same ids, so that what goes over to somebody is withdrawn of whom it was."""
    base = mapped(line(BASES[name]))
    for written in PATIENT_ELSEWHERE.values():
        assert told(mapped(line(changed(BASES[name], whom(name), {"reference": written})))) == told(base)
    moved = mapped(line(changed(BASES[name], whom(name), {"reference": "Patient/kid-4"})))
    assert {record.subject for record in moved.records}.isdisjoint(record.subject for record in base.records)
    if name != "group":
        assert [record.id for record in moved.records] == [record.id for record in base.records]


@pytest.mark.parametrize("name", BASES)
def test_a_status_where_a_type_has_none_or_in_words_withdraws_what_is_an_error(name: str) -> None:
    """As a concept, and as other systems call it."""
    field = STATUS.get(name, "status")
    for said in ({"coding": [{"code": "entered-in-error"}]}, {"text": "Entered in error"}, "voided"):
        if (name, said) != ("allergy", "voided") and (name, said) != ("condition", "voided"):  # STU3's shape
            assert mapped(line(changed(BASES[name], field, said))).withdrawn, said


@pytest.mark.parametrize("name", [name for name in BASES if name not in WITHOUT_STATUS])
def test_a_status_that_is_not_understood_refuses_by_its_name(name: str) -> None:
    """It may say that the rest is not so."""
    field = STATUS.get(name, "status")
    said: Any = "quux" if name not in ("condition", "allergy") else {"coding": [{"code": "quux"}]}
    outcome = mapped(line(changed(BASES[name], field, said)))
    assert outcome.problem is not None
    assert outcome.problem.reason is Reason.MODIFIER_NOT_UNDERSTOOD
    assert outcome.problem.path.endswith(f".{field}")


@pytest.mark.parametrize("name", BASES)
def test_an_extension_that_cannot_be_read_is_named(name: str) -> None:
    """It may have said that the rest is not so; the record stands."""
    base = told(mapped(line(BASES[name])))
    for odd in ("x", [7], [{"url": {"a": 1}}]):
        outcome = mapped(line(BASES[name] | {"extension": odd}))
        assert told(outcome) == base, odd
        assert b'"dropped:extension"' in outcome.records[0].provenance, odd


DATED = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(Z))?")


def compact(value: Any) -> Any:
    """The same with its times as HL7 v2 writes them."""
    if isinstance(value, dict):
        return {key: compact(each) for key, each in value.items()}
    if isinstance(value, list):
        return [compact(each) for each in value]
    match = DATED.fullmatch(value) if isinstance(value, str) else None
    return "".join(filter(None, match.groups())) if match else value


@pytest.mark.parametrize("name", BASES)
def test_a_time_is_the_same_as_hl7_v2_writes_it(name: str) -> None:
    base, written = BASES[name], compact(BASES[name])
    outcome = mapped(line(written))
    assert told(outcome) == told(mapped(line(base)))
    flagged = b'"time-repaired"' in b"".join(record.provenance for record in outcome.records)
    assert flagged == (written != base and name != "patient"), name  # its own flag says so
