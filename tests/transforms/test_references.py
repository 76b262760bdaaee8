"""A record made of two resources: an order and the Medication it names, whatever order they come in."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from schemas.problems import Reason
from transforms import Mapper
from transforms.privacy import Pseudonyms

KEY = b"a key of thirty-two bytes, no less"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
Json = dict[str, Any]


class Kept(dict[bytes, bytes]):
    """What a state keeps: it notes what it was asked."""

    asked: list[list[bytes]]

    def __call__(self, refs: Collection[bytes]) -> Mapping[bytes, bytes]:
        self.__dict__.setdefault("asked", []).append(list(refs))
        return {ref: self[ref] for ref in refs if ref in self}


def mapper(kept: Kept | None = None) -> Mapper:
    return Mapper(site="north", time_zone="UTC", subject_key=KEY, look_up=kept)


def concept(*codes: str) -> Json:
    return {"coding": [{"system": RXNORM, "code": code, "display": "must not be kept"} for code in codes]}


def medication(code: str = "1655922", **fields: Any) -> bytes:
    resource = {
        "resourceType": "Medication",
        "id": "m1",
        "meta": {"versionId": "1", "lastUpdated": "2026-03-02T04:10:00Z"},
        "code": concept(code),
        "manufacturer": {"display": "must not be kept"},
        "ingredient": [{"itemCodeableConcept": concept("7")}, {"itemCodeableConcept": concept("5")}],
    }
    return json.dumps(resource | fields).encode()


def order(number: int = 1, reference: str = "Medication/m1", **fields: Any) -> bytes:
    resource = {
        "resourceType": "MedicationRequest",
        "id": f"rx{number}",
        "status": "active",
        "subject": {"reference": "Patient/p1"},
        "medicationReference": {"reference": reference, "display": "#1 choice"},
    }
    return json.dumps(resource | fields).encode()


def keep(kept: Kept, *lines: bytes) -> None:
    kept.update({each.ref: each.content for each in mapper().map_lines(lines).referred})


def facts(site: Mapper, line: bytes) -> Json:
    content: Json = json.loads(site.map_line(line).records[0].content)
    return {name: content[name] for name in ("code", "codings", "ingredients") if name in content}


def flags(site: Mapper, line: bytes) -> list[str]:
    provenance = site.map_line(line).records[0].provenance
    found: list[str] = json.loads(b"{" + provenance + b"}").get("flags", [])
    return found


def test_a_medication_gives_no_record_and_only_what_orders_need_is_kept() -> None:
    """Its code and ingredients; the same bytes whatever the serialiser."""
    outcomes = mapper().map_lines([medication()])
    (referred,) = outcomes.referred
    assert (outcomes.records, outcomes.unusual[0].problem, outcomes.unusual[0].withdrawn) == ([], None, False)
    assert (referred.ref, referred.type) == (Pseudonyms(KEY).ref("Medication", "m1"), "Medication")
    assert referred.updated == outcomes.unusual[0].updated == 1772424600000000
    assert set(json.loads(referred.content)) == {"code", "ingredient"}
    assert b"must not be kept" not in referred.content
    reordered = dict(reversed(json.loads(medication()).items()))
    reordered["ingredient"].reverse()
    (same,) = mapper().map_lines([json.dumps(reordered, indent=1).encode()]).referred
    assert same.content == referred.content


def test_an_order_takes_the_code_of_the_medication_it_names() -> None:
    """As if it were contained; by relative or full address."""
    kept = Kept()
    keep(kept, medication())
    expected = {
        "code": "1655922",
        "codings": [{"system": RXNORM, "code": "1655922"}],
        "ingredients": ["5", "7"],
    }
    for reference in ("Medication/m1", "https://ehr.example/fhir/Medication/m1/_history/2"):
        assert facts(mapper(kept), order(reference=reference)) == expected
        assert flags(mapper(kept), order(reference=reference)) == []
    inside = json.loads(medication()) | {"id": "in"}
    assert facts(mapper(kept), order(reference="#in", contained=[inside])) == expected
    assert facts(mapper(), order(reference="#in", contained=[inside])) == expected


def problem(site: Mapper, line: bytes) -> tuple[str, str]:
    found = site.map_line(line).problem
    assert found is not None
    return found.reason.value, found.path


def test_without_its_medication_an_order_is_no_record_until_it_comes() -> None:
    """And nothing contained is taken for it."""
    kept, inside = Kept(), json.loads(medication("9")) | {"id": "in"}
    site = mapper(kept)
    for line in (
        order(),
        order(contained=[inside]),
        order(contained=inside),
        order(reference="Medication?identifier=1"),
    ):
        unknown = ("unknown-medication", "MedicationRequest.medicationReference.reference")
        assert problem(site, line) == problem(mapper(), line) == unknown
    keep(kept, medication())
    assert facts(site, order())["code"] == "1655922"


def test_a_changed_medication_changes_the_orders_record() -> None:
    """What was remembered of the reference is remembered with what was kept then."""
    kept = Kept()
    keep(kept, medication())
    site = mapper(kept)
    assert facts(site, order())["code"] == "1655922"
    keep(kept, medication("2"))
    assert facts(site, order())["code"] == "2"


def test_the_look_up_is_asked_once_for_all_that_a_batch_names() -> None:
    """Not once a line; orders that name nothing ask nothing."""
    kept = Kept()
    keep(kept, medication())
    site = mapper(kept)
    site.map_lines([order(1), order(2), order(3, "Medication/m2"), order(4, status=None)])
    assert [len(refs) for refs in kept.asked] == [2]
    site.map_lines([order(reference="#x", contained=[]), json.dumps({"resourceType": "Patient", "id": "1"}).encode()])
    assert len(kept.asked) == 1


def test_where_nothing_is_said_of_anything_that_is_asked_once_a_batch() -> None:
    """A question for every 200 of a batch's lines cost more than mapping them."""
    asked: list[int] = []
    site = Mapper(site="north", time_zone="UTC", subject_key=KEY, lent=lambda refs: asked.append(len(refs)))
    lines = [
        json.dumps({"resourceType": "Observation", "id": str(number), "status": "final"}).encode()
        for number in range(1000)
    ]
    site.map_lines(lines)
    site.map_lines(lines)
    assert len(asked) == 2


def test_lines_that_were_read_with_others_say_so() -> None:
    """Found or not, usable or not: a Medication that comes or changes maps them again."""
    kept = Kept()
    keep(kept, medication(code="x", id="empty").replace(b'"x"', b'""'))
    site = mapper(kept)
    lines = [
        order(1),
        order(2, status=None),
        order(3, "#x", contained=[]),
        order(4, subject=None),
        order(5, "Medication/empty"),
        json.dumps({"resourceType": "Patient", "id": "p"}).encode(),
    ]
    outcomes = site.map_lines(lines)
    names = Pseudonyms(KEY)
    found = {(each.ref, each.on) for each in outcomes.depends}
    assert found == {
        (names.ref("MedicationRequest", f"rx{number}"), names.ref("Medication", name))
        for number, name in ((1, "m1"), (2, "m1"), (4, "m1"), (5, "empty"))
    }
    assert len(outcomes.depends) == 4
    (first,) = [each for each in outcomes.depends if each.ref == names.ref("MedicationRequest", "rx1")]
    assert (first.line, first.subject) == (lines[0], names.subject("p1"))
    assert mapper().map_lines(lines).depends == []


def test_a_medication_entered_in_error_is_withdrawn_and_bad_ones_are_named() -> None:
    """The state forgets it; its orders are due."""
    assert mapper().map_line(medication(status="entered-in-error")).withdrawn
    assert mapper().map_lines([medication(status="entered-in-error")]).referred == []
    for line, reason in (
        (medication(id=None), Reason.MISSING_ID),
        (medication(ingredient=5), Reason.INVALID_FIELD),
        (b'{"resourceType":"Medication"', Reason.INVALID_JSON),
    ):
        problem = mapper().map_line(line).problem
        assert problem is not None
        assert problem.reason is reason
