"""A fault in one element of a list, a key twice where nobody reads, a name and nothing more: each costs what it must, and no more."""

import json
from typing import Any

import pytest

from schemas.problems import Reason
from transforms import Mapper
from transforms.fhir.keys import has_key_twice
from transforms.mapped import SAYS_NOTHING, Outcome

LOINC = "http://loinc.org"
KEY = b"a key of thirty-two bytes, no less"
Json = dict[str, Any]


def mapper() -> Mapper:
    return Mapper(site="north", time_zone="UTC", subject_key=KEY)


def pulse(**fields: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": "hr-3",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "8867-4"}]},
        "subject": {"reference": "Patient/p9"},
        "effectiveDateTime": "2026-04-02T07:30:00Z",
        "valueQuantity": {"value": 88, "code": "/min", "system": "http://unitsofmeasure.org"},
        **fields,
    }


def line(resource: Json, separators: tuple[str, str] = (",", ":")) -> bytes:
    return json.dumps(resource, separators=separators).encode()


def record(outcome: Outcome) -> Json:
    (found,) = outcome.records
    content: Json = json.loads(found.content)
    return content


def flags(outcome: Outcome) -> list[str]:
    (found,) = outcome.records
    return list(json.loads(b"{%b}" % found.provenance).get("flags", []))


VITAL = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}


@pytest.mark.parametrize(
    ("fields", "dropped", "kept"),
    [
        ({"category": [7, VITAL]}, "category", ("category", ["vital-signs"])),
        ({"category": [VITAL, {"coding": "lab"}]}, "category", ("category", ["vital-signs"])),
        ({"performer": [{"reference": 4}, {"reference": "Device/d"}]}, "performer", ("performer_kinds", ["Device"])),
        (
            {"code": {"coding": [["?"], {"system": LOINC, "code": "8867-4"}, {"code": {}}]}},
            "code",
            ("code", "8867-4"),
        ),
    ],
)
def test_an_odd_element_is_left_out_of_its_list_and_named(fields: Json, dropped: str, kept: tuple[str, Any]) -> None:
    site = mapper()
    outcome = site.map_line(line(pulse(**fields)))
    assert record(outcome)[kept[0]] == kept[1]
    assert flags(outcome) == [f"dropped:{dropped}"]
    assert all(path.startswith(f"Observation.{dropped}") for path in site.noticed.dropped)


def test_where_nothing_is_left_of_what_a_record_must_have_there_is_none() -> None:
    outcome = mapper().map_line(line(pulse(code={"coding": [["?"]]})))
    assert outcome.problem is not None
    assert outcome.problem.reason is Reason.INVALID_FIELD


TWICE_INSIDE = [
    '"note":[{"text":"a","text":"b"}]',
    '"text":{"status":"generated","div":"<p class=\\"x\\">é</p>","div":"<p/>"}',
    '"identifier":[{"type":{"coding":[{"code":"A","code":"B"}]}}]',
    '"id":"hr-4"',
    '"device":{"reference":"Device/1","reference" : "Device/2"}',
]


@pytest.mark.parametrize("member", TWICE_INSIDE)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_key_twice_is_refused_at_any_depth_and_in_any_field(member: str, separators: tuple[str, str]) -> None:
    site = mapper()
    clean = [line(pulse(note=[{"text": "a"}], id=f"hr-{number}"), separators) for number in range(5)]
    broken = clean[2][:-1] + b"," + member.encode() + b"}"
    if '"note"' in member:
        broken = line(pulse(), separators)[:-1] + b"," + member.encode() + b"}"
    for _ in range(2):  # also where the field is known already
        outcomes = site.map_lines([*clean[:2], broken, *clean[3:]])
        problem = outcomes.unusual[2].problem
        assert problem is not None
        assert problem.reason is Reason.DUPLICATE_KEY
        assert len(outcomes.records) == 4


def test_a_member_as_long_as_the_blanks_of_a_line_hides_no_key() -> None:
    """Six fields and the type, written with blanks, are longer by 13; `"issued":"1",` is that long."""
    resource = pulse(issued="1")
    text = line(resource).replace(b'"issued":"1"', b'"issued":"1","issued":"2"')
    outcome = mapper().map_line(text)
    assert outcome.problem is not None
    assert outcome.problem.reason is Reason.DUPLICATE_KEY


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        (b'{"a": 1, "b": {"c": 2}}', False),
        (b'{"a": 1, "b": {"c": 2, "c": 2}}', True),
        (b'{"a": "\\"a\\":", "b": 1}', False),
        (b'{"a": "\\u0022:", "a": 1}', True),
        (b'{ "a" : [ 1.50 , { "b" : "x" } ] }', False),
        (b'{ "a" : [ 1.50 , { "b" : "x" , "b" : "x" } ] }', True),
    ],
)
def test_keys_are_counted_whatever_the_serialiser(text: bytes, twice: bool) -> None:
    assert has_key_twice(text) is twice


def test_a_name_and_nothing_more_is_a_person_that_says_so() -> None:
    bare = mapper().map_line(b'{"resourceType":"Patient","id":"p9"}')
    assert set(record(bare)) == {"type", "id", "subject", "site"}
    assert flags(bare) == [SAYS_NOTHING]
    assert flags(mapper().map_line(b'{"resourceType":"Patient","id":"p9","gender":"male"}')) == []
