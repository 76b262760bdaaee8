"""Every finding that `mainstem check` can make is made here, by a fault of a server, a folder or a site file; the list is the code's own."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from exporting import Exports
from hospital_with_faults import Answered, Asked, FaultyHospital
from screens import sound_child

from connectors.pulling import Source
from mainstem.check import Finding, check_site
from mainstem.commands.messages.catalogue import FILLED, Message, catalogue
from schemas.sites import Site

TYPES = ["Patient", "Condition", "Observation"]
ELSEWHERE = ("mainstem/check/kafka.py", "mainstem/check/finding.py")
"""The brokers' findings are made in tests/security, at brokers with TLS and SASL."""
Found = list[Finding]
Check = Callable[..., Found]


@pytest.fixture
def check(faulty: FaultyHospital, make_site: Callable[..., Site], source_of: Callable[..., Source]) -> Check:
    """What a closer look finds at a hospital of three children."""
    faulty.put(*(resource for number in (1, 2, 3) for resource in sound_child(number)))

    def look(secrets: Callable[[str], bytes] = lambda _: b"k" * 32, **given: Any) -> Found:
        fhir = {"base_url": faulty.base_url, "page_size": 2, **given.pop("fhir", {})}
        site = make_site(**{"fhir": fhir, "types": TYPES, "road": "search", **given})
        return check_site(source_of(site, secrets=secrets), closer=True)

    return look


def _refused(*names: str, status: int = 403) -> Callable[[Asked], Answered | None]:
    return lambda asked: Answered({"resourceType": "OperationOutcome"}, status) if asked.path in names else None


def of_servers(check: Check, faulty: FaultyHospital, exports: Exports, tmp_path: Path) -> Iterator[tuple[str, Found]]:
    """A fault, and what was found of it; each is mended before the next."""
    yield "a key that is short", check(secrets=lambda _: b"short")
    yield "a schedule in words", check(schedule="every night at 3")
    yield "a zone without summer time", check(time_zone="EST")
    yield "a folder beside a server", check(road="auto", files={"folder": "."})
    faulty.faults.append(_refused("Condition"))
    yield "a type without rights", check()
    faulty.faults.pop()
    yield "a statement without $export", check(road="bulk")
    export = {"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"}
    statement: dict[str, Any] = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
    statement["rest"] = [{"mode": "server", "resource": [{"type": "Patient", "operation": [export]}]}]
    faulty.faults.insert(0, lambda asked: Answered(statement) if asked.path == "metadata" else None)
    yield "an export of Patient, and none of a Group", check(road="bulk", fhir={"group": "cf"})
    exports.kick_off = [Answered({"resourceType": "OperationOutcome"}, 403)] * 9
    yield "an export that is advertised and refused", check(road="bulk")
    exports.kick_off = [Answered({}, 202)]
    yield "an export without a place to wait at", check(road="bulk")
    exports.kick_off = []
    del faulty.faults[0]
    more = {"_typeFilter": ["Condition?patient=1"]}
    yield "a filter that the vendor refuses", check(fhir={"vendor": "cerner", "bulk_parameters": more})
    members = [{"entity": {"reference": f"Patient/p{number}"}} for number in range(1001)]
    group = {"resourceType": "Group", "id": "cf", "member": members}
    faulty.faults.insert(0, lambda asked: Answered(group) if asked.path == "Group/cf" else None)
    yield "a Group that is too large", check(road="bulk", fhir={"vendor": "epic", "group": "cf"})
    del faulty.faults[0]
    faulty.understands.discard("_lastUpdated")
    yield "times that are not heeded", check()
    faulty.understands.add("_lastUpdated")
    faulty.cap, faulty.links = 2, False
    yield "pages that lead nowhere", check()
    faulty.cap, faulty.links = 1000, True
    whole = dict(faulty.resources)
    faulty.resources["MedicationRequest"] = [
        {"resourceType": "MedicationRequest", "id": "m", "requester": {"agent": {"reference": "Practitioner/a"}}}
    ]
    yield "a resource of another FHIR version", check(types=[*TYPES, "MedicationRequest"])
    faulty.resources = json.loads(json.dumps(whole))
    for each in faulty.resources["Observation"]:
        each["code"] = {"coding": [{"system": "urn:oid:9.9", "code": "GEW"}]}
        each["valueQuantity"] = {"value": 31, "unit": "stones per furlong"}
    for each in faulty.resources["Patient"]:
        del each["gender"]
    for each in faulty.resources["Condition"]:
        each["code"] = {"coding": [{"system": "urn:oid:9.9", "code": "ASTHMA"}]}
    yield "codes, units and elements of its own", check()
    faulty.resources = json.loads(json.dumps(whole))
    faulty.resources["Observation"] = [
        {**whole["Observation"][0], "id": str(number), "effectiveDateTime": "2026-03-01T00:00:00Z"}
        for number in range(30)
    ]
    yield "dates as midnights", check()
    for number, each in enumerate(faulty.resources["Observation"][:6]):
        each["effectiveDateTime"] = f"2026-03-01T10:{number}0:00-08:00"
    yield "times of another zone", check(time_zone="America/New_York")
    faulty.resources = json.loads(json.dumps(whole))
    for table in (
        "variable,kind\nweight,observation\n",
        "variable,record\nweight,vitals\n",
        "variable,record\npump,device_use\n",
    ):
        (tmp_path / "variables.csv").write_text(table)
        yield f"variables: {table!r}", check()
    (tmp_path / "variables.csv").unlink()
    faulty.resources = {name: [] for name in TYPES}
    yield "nothing at all", check()
    granted = {"access_token": "t", "token_type": "Bearer", "scope": "system/Patient.read"}
    faulty.faults.insert(0, lambda asked: Answered(granted) if asked.path == "token" else None)
    log_in = {
        "method": "client-credentials",
        "client_id": "c",
        "secret": "env:S",
        "token_url": f"{faulty.base_url}/token",
    }
    yield "fewer scopes than asked for", check(fhir={"auth": log_in})
    del faulty.faults[0]


def of_folders(make_site: Any, source_of: Any, tmp_path: Path) -> Iterator[tuple[str, Found]]:
    """The same of what is delivered."""

    def look(**given: Any) -> Found:
        site = make_site(**{"files": {"folder": "in"}, "types": TYPES, **given})
        return check_site(source_of(site, secrets=lambda _: b"k" * 32), closer=True)

    yield "no folder", look()
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "Patient.ndjson").write_text(json.dumps(sound_child()[0]) + "\n")
    (folder / "Condition.ndjson").write_text(json.dumps(sound_child()[2]) + "\n")
    (folder / "dark.ndjson").write_text("broken\n")
    (folder / "link.ndjson").symlink_to("/etc/hosts")
    yield "files of another type, of none, of none at all, and a link", look()
    site = make_site().model_copy(update={"road": "files", "files": None})
    yield "no folder named", check_site(source_of(site, secrets=lambda _: b"k" * 32), closer=True)


def declared() -> list[Message]:
    """What the probes' own files can say went wrong."""
    return [each for each in catalogue() if each.where.startswith("mainstem/check/") and each.where not in ELSEWHERE]


def is_of(message: Message, finding: Finding) -> bool:
    """Whether that is what was said; … stands for what was filled in, a stroke between two ways to say it."""
    ways = message.cause.split(" / ")
    return any(re.fullmatch(".*".join(map(re.escape, way.split(FILLED))), finding.what, re.DOTALL) for way in ways)


def test_every_finding_is_made_by_a_fault(
    check: Check, faulty: FaultyHospital, exports: Exports, make_site: Any, source_of: Any, tmp_path: Path
) -> None:
    """And each says what to do and who can do it; nothing that is sound is found at fault."""
    assert [finding for finding in check() if not finding.ok] == []
    found = [*of_servers(check, faulty, exports, tmp_path), *of_folders(make_site, source_of, tmp_path)]
    wrong = [finding for _, findings in found for finding in findings if not finding.ok]
    assert all(finding.fix and finding.who and finding.kind for finding in wrong)
    assert [fault for fault, findings in found if all(finding.ok for finding in findings)] == []
    never = [message.cause for message in declared() if not any(is_of(message, finding) for finding in wrong)]
    assert never == []
    assert len(declared()) > 15
    for words in ("no folder is named", "different codes have no meaning there", "the folder is not read"):
        assert any(words in finding.what for finding in wrong)
