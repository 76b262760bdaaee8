"""Consent withdrawn at a site: what is landed, mapped, kept and told from then on, by every road, and what cannot bring it back."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hospital_with_faults import FaultyHospital
from network_under_test import SUBJECT_KEY, Network

from mainstem import refresh as steps
from mainstem.refresh import open_refresh
from mainstem.refresh.deciding import decide
from mainstem.refresh.replay import remap
from mainstem.refresh.telling import tell
from mainstem.state import Decision
from schemas.subjects import SubjectEvent, subject_topic
from transforms.privacy.pseudonyms import Pseudonyms

Resource = dict[str, Any]
ANN, BOB = (Pseudonyms(SUBJECT_KEY.encode()).subject(each) for each in ("ann", "bob"))
STANDING = ("recorded", "amended")


def patient(ident: str, day: int = 1, **values: Any) -> Resource:
    head = {"resourceType": "Patient", "id": ident, "meta": {"lastUpdated": f"2026-03-{day:02}T00:00:00Z"}}
    return {**head, "birthDate": "2015-03-01", **values}


def condition(of: str, day: int = 1, **values: Any) -> Resource:
    coding = {"system": "http://snomed.info/sct", "code": "34000006"}
    head = {"resourceType": "Condition", "id": f"dx-{of}", "meta": {"lastUpdated": f"2026-03-{day:02}T00:00:00Z"}}
    return {**head, "subject": {"reference": f"Patient/{of}"}, "code": {"coding": [coding]}, **values}


def consent(of: str, day: int, decision: str = "permit") -> Resource:
    """One that permits quality improvement, or denies it."""
    scope = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}
    purpose = [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HQUALIMP"}]
    head = {"resourceType": "Consent", "id": f"c-{of}-{day}", "meta": {"lastUpdated": f"2026-03-{day:02}T00:00:00Z"}}
    provision = {"type": decision, "purpose": purpose}
    dated = {"status": "active", "dateTime": f"2026-03-{day:02}T00:00:00Z", "provision": provision}
    return {**head, "patient": {"reference": f"Patient/{of}"}, "scope": scope, **dated}


class Place:
    """A hospital by one of the roads, and what its landing holds."""

    def __init__(self, lhn: Network, faulty: FaultyHospital, road: str, folder: Path) -> None:
        self.lhn, self._faulty, self._folder, self._road = lhn, faulty, folder, road
        self._resources: dict[str, Resource] = {}
        types = ["Patient", "Condition", "Consent"]
        if road == "files":
            folder.mkdir()
            self.site = lhn.files_site("west", folder, types=types)
        else:
            source = f'[fhir]\nbase_url = "{faulty.base_url}"\npage_size = 10\nrequests_per_second = 1000\n'
            self.site = lhn.site("west", source, road=road, types=types)

    def put(self, *resources: Resource) -> None:
        self._resources |= {f"{each['resourceType']}/{each['id']}": each for each in resources}
        if self._road != "files":
            self._faulty.put(*resources)
            return
        for name in ("Patient", "Condition", "Consent"):
            lines = [json.dumps(each) for each in self._resources.values() if each["resourceType"] == name]
            (self._folder / f"{name}.ndjson").write_text("".join(f"{line}\n" for line in lines))

    def decide(self, subject: bytes, *, permit: bool = False, erase: bool = False) -> Any:
        with open_refresh(self.site, self.lhn.settings) as refresh:
            done = decide(refresh, [Decision(subject, "qi", permit, refresh.clock(), erase)])
            tell(refresh)
        return done

    def landed(self) -> str:
        """All that the landing holds, in one text."""
        paths = sorted(path for path in Path(self.lhn.settings.landing).rglob("*") if path.is_file())
        return "".join((gzip.open if path.suffix == ".gz" else open)(path, "rt").read() for path in paths)

    def told(self) -> list[SubjectEvent]:
        return [SubjectEvent.model_validate_json(each.raw or b"") for each in self.lhn.events(subject_topic)]

    def standing(self) -> list[str]:
        """Whose records the topic holds, by the last word of each key."""
        last = {(seen.subject, seen.record): seen for seen in self.lhn.events()}
        names = {f"s-{ANN.hex()}": "ann", f"s-{BOB.hex()}": "bob"}
        return sorted(names[each.subject] for each in last.values() if each.operation in STANDING)


@pytest.fixture
def at(lhn: Network, faulty: FaultyHospital, tmp_path: Path) -> Callable[[str], Place]:
    return lambda road: Place(lhn, faulty, road, tmp_path / "delivery")


@pytest.mark.parametrize("road", ["search", "files"])
def test_who_is_to_be_forgotten_is_gone_from_topic_state_and_landing_and_stays_so(
    at: Callable[[str], Place], road: str
) -> None:
    """Through a night in which all of it changed, and a remap of what was landed before."""
    place = at(road)
    place.put(patient("ann"), patient("bob"), condition("ann"), condition("bob"))
    place.lhn.refresh(place.site)
    assert place.standing() == ["ann", "ann", "bob", "bob"]
    assert '"ann"' in place.landed()

    decided = place.decide(ANN, erase=True)
    assert (decided.done.records, decided.purged, decided.lines) == (2, True, 2)
    assert place.standing() == ["bob", "bob"]
    assert "ann" not in place.landed()
    assert [(each.event, each.erase) for each in place.told()] == [("withdrawn", True)]

    place.put(patient("ann", 5, gender="female"), condition("ann", 5), condition("bob", 5, recordedDate="2026-02-01"))
    report = place.lhn.refresh(place.site)
    assert report.status == "completed"
    assert any("of patients who withdrew consent were left out" in note for note in report.notes)
    assert (place.standing(), "ann" in place.landed()) == (["bob", "bob"], False)
    with open_refresh(place.site, place.lhn.settings) as refresh:
        remap(refresh, beside=False)
    assert place.standing() == ["bob", "bob"]


def test_who_stops_keeps_what_was_told_and_a_full_read_does_not_take_it_for_gone(at: Callable[[str], Place]) -> None:
    """Given again, what came meanwhile is read."""
    place = at("search")
    place.put(patient("ann"), patient("bob"), condition("ann"), condition("bob"))
    place.lhn.refresh(place.site)
    place.decide(ANN)
    place.put(condition("ann", 5, recordedDate="2026-02-01"))
    before = len(place.lhn.events())
    assert place.lhn.refresh(place.site, mode="full").status == "completed"
    assert (len(place.lhn.events()), place.standing()) == (before, ["ann", "ann", "bob", "bob"])
    place.decide(ANN, permit=True)
    assert place.lhn.refresh(place.site).total.amended == 1


def test_what_was_landed_before_the_withdrawal_is_not_mapped_after_it(at: Callable[[str], Place]) -> None:
    """The load under way counts it as left out, and the landing is purged when it ends."""
    place = at("search")
    place.put(patient("ann"), patient("bob"), condition("ann"), condition("bob"))
    with open_refresh(place.site, place.lhn.settings) as refresh:
        load = steps.plan(refresh).load
        steps.pull_units(refresh, load, ["Patient", "Condition", "Consent"])
        decided = decide(refresh, [Decision(ANN, "qi", False, refresh.clock(), True)])
        assert (decided.purged, "ann" in place.landed()) == (False, True)
        mapped = steps.map_types(refresh, load, ["Patient", "Condition", "Consent"])
        assert (mapped.read, mapped.skipped) == (4, {"consent-withdrawn": 2})
    assert place.lhn.refresh(place.site).status == "completed"
    assert (place.standing(), "ann" in place.landed()) == (["bob", "bob"], False)


@pytest.mark.slow
def test_the_ehrs_own_consent_stops_the_load_that_brings_it_and_starts_again(at: Callable[[str], Place]) -> None:
    """A refusal stops what comes after it; a later permit is read though nothing else of the patient is."""
    place = at("search")
    place.put(patient("ann"), condition("ann"))
    place.lhn.refresh(place.site)
    place.put(consent("ann", 3, "deny"))
    place.lhn.refresh(place.site)
    place.put(condition("ann", 5, recordedDate="2026-02-01"))
    assert place.lhn.refresh(place.site).total.amended == 0
    place.put(consent("ann", 6))
    place.lhn.refresh(place.site)
    assert place.lhn.refresh(place.site).total.amended == 1
    assert [(each.event, each.withdrawn) for each in place.told()] == [
        ("withdrawn", ["qi", "research"]),
        ("given", []),
    ]


@pytest.mark.slow
def test_who_is_merged_into_somebody_after_withdrawing_does_not_come_back_as_them(at: Callable[[str], Place]) -> None:
    """Of the Patient only the merge is read; apart again, the other is collected as before."""
    place = at("search")
    place.put(patient("ann"), patient("bob"), condition("ann"), condition("bob"))
    place.lhn.refresh(place.site)
    place.decide(ANN, erase=True)
    link = [{"type": "replaced-by", "other": {"reference": "Patient/bob"}}]
    place.put(patient("ann", 5, active=False, link=link, gender="female"))
    place.lhn.refresh(place.site)
    assert (place.standing(), "female" in place.landed()) == ([], False)
    place.put(patient("ann", 6, active=True, link=[{"type": "seealso", "other": {"reference": "Patient/bob"}}]))
    with open_refresh(place.site, place.lhn.settings) as refresh:
        refresh.store.aliases.end("west", ANN, refresh.clock())
    place.lhn.refresh(place.site)
    assert place.standing() == ["bob", "bob"]
    by = {name: [each.event for each in place.told() if each.subject == f"s-{who.hex()}"] for name, who in NAMES}
    assert by == {"ann": ["withdrawn", "superseded", "separated"], "bob": ["withdrawn", "given"]}


def test_what_was_never_a_record_is_forgotten_too(lhn: Network, tmp_path: Path) -> None:
    """Lines in quarantine and the notes of them, half a line, a Group's members, who else takes part: of the one alone."""
    folder = tmp_path / "delivery"
    folder.mkdir()
    taking = [{"actor": {"reference": f"Patient/{who}"}, "status": "accepted"} for who in ("bob", "ann")]
    together = {"resourceType": "Appointment", "id": "both", "status": "booked", "start": "2026-04-01T10:00:00Z"}
    group = {"resourceType": "Group", "id": "cf", "type": "person", "actual": True}
    members = [{"entity": {"reference": f"Patient/{who}"}} for who in ("ann", "bob")]
    unusable = [{**condition(who), "id": f"odd-{who}", "code": {}} for who in ("ann", "bob")]
    half = [json.dumps(condition(who)).replace("}}", "}", 1)[:-3] for who in ("ann", "bob")]
    for name, lines in {
        "Patient": [json.dumps(patient(who)) for who in ("ann", "bob")],
        "Condition": [*map(json.dumps, [condition("ann"), condition("bob"), *unusable]), *half],
        "Group": [json.dumps({**group, "member": members})],
        "Appointment": [json.dumps({**together, "participant": taking})],
    }.items():
        (folder / f"{name}.ndjson").write_text("".join(f"{line}\n" for line in lines))
    site = lhn.files_site("west", folder, types=["Patient", "Condition", "Group", "Appointment"])
    place = Place.__new__(Place)
    place.lhn, place.site = lhn, site
    lhn.refresh(site)

    def noted() -> list[bytes]:
        with open_refresh(site, lhn.settings) as refresh:
            return sorted(each.ref for each in refresh.store.quarantine.of("west"))

    refs = Pseudonyms(SUBJECT_KEY.encode()).ref
    assert {refs("Condition", "odd-ann"), refs("Condition", "odd-bob")} <= set(noted())
    assert place.landed().count("ann") > 6
    before = place.landed().count("Patient/bob")
    assert place.decide(ANN, erase=True).purged
    assert "ann" not in place.landed()
    assert place.landed().count("Patient/bob") == before
    assert refs("Condition", "odd-ann") not in noted()
    assert refs("Condition", "odd-bob") in noted()


NAMES = (("ann", ANN), ("bob", BOB))
