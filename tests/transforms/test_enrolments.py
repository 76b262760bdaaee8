"""EpisodeOfCare and Group as systems write them, and the enrolments of both."""

import json
import random
import tracemalloc
from typing import Any

import pytest
from reading import KEY, Json, mapped, only, reason, record_id, records

from transforms import CodeMapRow, Mapper
from transforms.mapped import Mapped
from transforms.privacy import Pseudonyms
from transforms.reading.members import Found

SNOMED, HL7 = "http://snomed.info/sct", "http://terminology.hl7.org/CodeSystem/"
REGISTRY = [
    CodeMapRow("urn:local", "CF1", "urn:mainstem:registry", "cf"),
    CodeMapRow("", "CF registry", "urn:mainstem:registry", "cf"),
]


def concept(*codings: tuple[str, str], text: str = "words that stay") -> Json:
    return {
        "coding": [{"system": system, "code": code, "display": "Ann Quux"} for system, code in codings],
        "text": text,
    }


def episode(**fields: Any) -> Json:
    resource = {
        "resourceType": "EpisodeOfCare",
        "id": "e1",
        "status": "active",
        "type": [concept((HL7 + "episodeofcare-type", "hacc"))],
        "patient": {"reference": "Patient/kid-7", "display": "Ann Quux"},
        "period": {"start": "2019-04-02"},
    } | fields
    return {name: value for name, value in resource.items() if value is not ...}


def group(*members: Any, **fields: Any) -> Json:
    resource = {
        "resourceType": "Group",
        "id": "g1",
        "type": "person",
        "actual": True,
        "code": concept((SNOMED, "190905008")),
        "name": "CF registry of Ann Quux",
        "member": list(members),
    } | fields
    return {name: value for name, value in resource.items() if value is not ...}


def member(ident: str = "kid-7", **fields: Any) -> Json:
    return {"entity": {"reference": f"Patient/{ident}", "display": "Ann Quux"}, **fields}


def subjects(given: Json) -> list[str]:
    found = {subject.hex(): name for name in ("kid-7", "kid-8", "kid-9") for subject in [Pseudonyms(KEY).subject(name)]}
    return sorted(found[record.subject.hex()] for record in mapped(given).records)


# ---------------------------------------------------------------- episodes of care


def test_an_episode_of_care_is_an_enrolment_with_its_history() -> None:
    """Programme by code, diagnosis by the condition's record, status with what it was before; nobody by name."""
    given = episode(
        status="finished",
        statusHistory=[
            {"status": "active", "period": {"start": "2019-04-02", "end": "2024-06-30"}},
            {"status": "waitlist", "period": {"start": "2019-01-10", "end": "2019-04-02"}},
        ],
        diagnosis=[
            {"condition": {"reference": "Condition/dx", "display": "Ann Quux"}, "rank": 1},
            {"condition": {"display": "Ann Quux"}},
        ],
        managingOrganization={"reference": "Organization/cf-centre", "display": "Ann Quux"},
        referralRequest=[{"reference": "ServiceRequest/r1"}],
        careManager={"reference": "Practitioner/ann", "display": "Ann Quux"},
        period={"start": "2019-04-02T09:00:00-04:00", "end": "2024-06-30"},
    )
    record, flags = only(given)
    assert record == {
        "codings": [{"system": HL7 + "episodeofcare-type", "code": "hacc"}],
        "start": "2019-04-02T13:00:00Z",
        "start_date": "2019-04-02",
        "end_date": "2024-06-30",
        "status": "finished",
        "status_history": [
            {"status": "waitlist", "start_date": "2019-01-10", "end_date": "2019-04-02"},
            {"status": "active", "start_date": "2019-04-02", "end_date": "2024-06-30"},
        ],
        "diagnoses": [record_id("Condition", "dx")],
        "orders": [record_id("ServiceRequest", "r1")],
        "provider": f"h-{Pseudonyms(KEY).ref('Organization', 'cf-centre').hex()}",
    }
    assert flags == ["code-unmapped", "dropped:diagnosis"]


@pytest.mark.parametrize("code", [concept(("urn:local", "CF1")), {"text": "CF registry"}])
def test_a_site_names_its_programmes_by_the_networks_word(code: Json) -> None:
    """By code or by name; the name does not leave."""
    record, flags = only(episode(type=[code]), code_map=REGISTRY)
    assert record["registry"] == "cf"
    assert "CF registry" not in json.dumps(record)
    assert flags == []


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("planned", "planned"),
        ("onhold", "onhold"),
        ("On Hold", "onhold"),
        ("cancelled", "cancelled"),
        ("transferred", "transferred"),
        ("transitioned-to-adult-care", "transitioned"),
        ("Lost to follow-up", "lost"),
        ("deceased", "died"),
        ("discharged", "finished"),
    ],
)
def test_how_it_stands_and_how_it_ended(said: str, status: str) -> None:
    """FHIR's words, and those by which networks tell how an enrolment ended."""
    assert only(episode(status=said))[0]["status"] == status


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({"status": "entered-in-error"}, "withdrawn"),
        ({"status": "quux"}, "modifier-not-understood EpisodeOfCare.status"),
        ({"modifierExtension": [{"url": "urn:x"}]}, "modifier-not-understood EpisodeOfCare.modifierExtension"),
        ({"patient": ...}, "missing-subject EpisodeOfCare.patient"),
        ({"type": ...}, "missing-code EpisodeOfCare.type"),
        ({"type": [{"text": "the clinic of Ann"}]}, "missing-code EpisodeOfCare.type"),
        ({"condition": [{"reference": "Condition/1"}]}, "other-fhir-version EpisodeOfCare.condition"),
        ({"careTeam": [{"reference": "CareTeam/1"}]}, "other-fhir-version EpisodeOfCare.careTeam"),
        ({"reason": [{}]}, "other-fhir-version EpisodeOfCare.reason"),
        ({"diagnosis": [{"condition": [{"concept": {}}]}]}, "other-fhir-version EpisodeOfCare.diagnosis.condition"),
    ],
)
def test_what_refuses_an_episode_is_named(fields: Json, right: str) -> None:
    assert reason(episode(**fields)) == right


@pytest.mark.parametrize(
    ("fields", "flag"),
    [
        ({"statusHistory": [{"status": "quux"}, {"status": "active"}]}, "dropped:statusHistory"),
        ({"statusHistory": [{"status": "active", "period": {"start": "May"}}]}, "dropped:statusHistory"),
        ({"statusHistory": [{"status": "active", "modifierExtension": [{"url": "x"}]}]}, "dropped:statusHistory"),
        ({"period": {"start": "2020-01-01", "end": "2019-01-01"}}, "ends-before-start"),
        ({"period": {"start": "once"}}, "dropped:period"),
        ({"diagnosis": "cf"}, "dropped:diagnosis"),
        ({"managingOrganization": 7}, "dropped:managingOrganization"),
    ],
)
def test_a_fault_in_another_field_leaves_that_out(fields: Json, flag: str) -> None:
    record, flags = only(episode(**fields))
    assert record["status"] == "active"
    assert flag in flags


# ---------------------------------------------------------------- groups


def test_each_member_of_a_group_is_enrolled() -> None:
    """A record a member, of that patient; active, or finished by a mark or an end that has passed."""
    given = group(
        member("kid-7", period={"start": "2021-02-03"}),
        member("kid-8", inactive=True, period={"start": "2020-01-01"}),
        member("kid-9", period={"start": "2020-01-01", "end": "2022-05-01"}),
    )
    outcome = mapped(given)
    found = {record.subject: json.loads(record.content) for record in outcome.records}
    told = {name: found[Pseudonyms(KEY).subject(name)] for name in ("kid-7", "kid-8", "kid-9")}
    assert [told[name]["status"] for name in told] == ["active", "finished", "finished"]
    assert told["kid-9"]["end_date"] == "2022-05-01"
    assert {tuple(each["codings"][0].values()) for each in told.values()} == {(SNOMED, "190905008")}
    assert len({record.id for record in outcome.records}) == 3
    assert {record.id[:12] for record in outcome.records} == {Pseudonyms(KEY).ref("Group", "g1")}
    assert b"Quux" not in b"".join(record.content + record.provenance for record in outcome.records)
    for record in outcome.records:
        assert json.loads(record.content)["id"] == f"r-{record.id.hex()}"


def test_a_member_keeps_the_id_whoever_else_is_in_the_group() -> None:
    """In any order, and however the reference is written."""
    alone = mapped(group(member("kid-8"))).records[0].id
    others = group(
        member("kid-9"), member("kid-8") | {"entity": {"reference": "https://x/fhir/Patient/kid-8"}}, member()
    )
    assert alone in {record.id for record in mapped(others).records}
    shuffled = others | {"member": random.Random(4).sample(others["member"], 3)}
    assert [record.id for record in mapped(shuffled).records] == [record.id for record in mapped(others).records]


def test_one_who_is_named_twice_is_enrolled_once_or_twice_as_it_says() -> None:
    """The same line twice is one enrolment; two times there are two."""
    assert len(records(group(member(), member()))) == 1
    twice = group(member(period={"end": "2020-01-01"}), member(period={"start": "2023-01-01"}))
    assert sorted(found["status"] for found, _ in records(twice)) == ["active", "finished"]
    assert mapped(twice).records == mapped(twice | {"member": twice["member"][::-1]}).records


def test_members_who_cannot_be_used_are_named_and_the_others_stand() -> None:
    """A practitioner, a nested group, a name alone, a modifier, a shape that is none."""
    site = Mapper(site="north", time_zone="America/New_York", subject_key=KEY)
    given = group(
        {"entity": {"reference": "Practitioner/ann"}},
        member("kid-7"),
        {"entity": {"reference": "Group/other"}},
        {"entity": {"display": "Ann Quux"}},
        member("kid-8", modifierExtension=[{"url": "urn:not-really"}]),
        member("kid-9", inactive="perhaps"),
        "kid-10",
        {},
    )
    outcome = site.map_line(json.dumps(given).encode())
    assert (len(outcome.records), outcome.in_part, outcome.alone) == (1, True, True)
    assert dict(site.noticed.parts) == {
        ("Group", ""): 8,
        ("Group", "missing-subject"): 5,
        ("Group", "modifier-not-understood"): 2,
    }


def test_no_usable_member_is_a_problem_with_its_place() -> None:
    assert reason(group({"entity": {"reference": "Device/1"}})) == "missing-subject Group.member[0].entity"


@pytest.mark.parametrize(
    ("fields", "right"),
    [
        ({"type": "device"}, "about-somebody-else Group.type"),
        ({"type": "practitioner"}, "about-somebody-else Group.type"),
        ({"type": "quux"}, "modifier-not-understood Group.type"),
        ({"actual": False}, "definition Group.actual"),
        ({"active": False}, "not-a-fact Group.active"),
        ({"active": "perhaps"}, "modifier-not-understood Group.active"),
        ({"code": ..., "name": "friends of Ann"}, "missing-code Group.name"),
        ({"code": ..., "name": ...}, "missing-code Group.code[x]"),
        ({"code": concept(("urn:local", "VIP"))}, "missing-code Group.code"),
        ({"quantity": 40}, "partial-answer Group.quantity"),
        ({"membership": "enumerated"}, "other-fhir-version Group.membership"),
        ({"modifierExtension": [{"url": "urn:x"}]}, "modifier-not-understood Group.modifierExtension"),
        ({"meta": {"tag": [{"code": "SUBSETTED"}]}}, "partial-answer Group.meta.tag"),
        ({"meta": {"deleted": True}}, "withdrawn"),
        ({"member": []}, "withdrawn"),
        ({"member": "kid-7"}, "invalid-field Group.member"),
        ({"id": ...}, "missing-id Group.id"),
    ],
)
def test_what_refuses_a_group_is_named(fields: Json, right: str) -> None:
    """Of others than patients, of nobody, of what only the site can read; and whatever makes it a partial answer."""
    assert reason(group(member(), **fields)) == right


def test_a_groups_name_serves_the_sites_code_map() -> None:
    """Beside a code, and where there is none."""
    rows = [CodeMapRow("", "CF registry of Ann Quux", "urn:mainstem:registry", "cf")]
    for fields in ({}, {"code": ...}, {"code": concept(("urn:local", "VIP"))}):
        assert only(group(member(), **fields), code_map=rows)[0]["registry"] == "cf"


def test_a_large_group_is_read_some_at_a_time() -> None:
    """Twenty thousand members: each a record of its own, none lost, none twice."""
    site = Mapper(site="north", time_zone="UTC", subject_key=KEY)
    line = json.dumps(group(*[member(f"p{number}") for number in range(20_000)], quantity=20_000)).encode()
    found = site.map_line(line).records
    assert len({record.id for record in found}) == len({record.subject for record in found}) == 20_000


def test_what_the_records_of_a_large_group_have_alike_is_held_once() -> None:
    """They are made when they are asked for, the same each time, and as those of a small one are."""
    site = Mapper(site="north", time_zone="UTC", subject_key=KEY)
    members = [member(f"p{number}", period={"start": f"20{10 + number % 9}-04-07"}) for number in range(4_000)]
    few, many = (json.dumps(group(*some)).encode() for some in (members[:300], members))
    site.map_line(few)
    tracemalloc.start()
    try:
        found = site.map_line(many).records
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 4_000 * 150
    assert most < 4_000 * 600
    assert list(found) == [found[place] for place in range(len(found))] == found[:] == [*found[:1_999], *found[1_999:]]
    assert {record.id for record in site.map_line(few).records} < {record.id for record in found}


def test_members_whose_numbers_meet_are_told_apart_whatever_their_order() -> None:
    """A number that two members share is the first one's by name; the other tries on, and takes nobody's."""
    numbers = {"Patient/a": 7, "Patient/b": 7, "2/Patient/b": 9, "Patient/c": 9, "3/Patient/b": 0, "4/Patient/b": 11}
    given = {f"Patient/{name}": record_of(name) for name in "abc"}
    told = []
    for order in (["a", "b", "c", "c"], ["c", "b", "a"], ["b", "c", "a"]):
        labels = [f"Patient/{name}" for name in order]
        found = Found(lambda label: numbers[label.decode()].to_bytes(4), labels.__getitem__)
        for place, label in enumerate(labels):
            found.add(place, label, given[label])
        told.append({each.subject: int.from_bytes(each.id[12:]) for each in found.numbered()})
    assert told == [{b"a" * 16: 7, b"c" * 16: 9, b"b" * 16: 11}] * 3


def record_of(name: str) -> Mapped:
    """As the mapping makes it of one member alone."""
    subject = name.encode() * 16
    content = json.dumps(
        {"type": "enrolment", "id": f"r-{(b'g' * 16).hex()}", "subject": f"s-{subject.hex()}"}, separators=(",", ":")
    )
    return Mapped(b"g" * 16, "enrolment", subject, content.encode(), b"", None)
