"""A bulk export in front of a faulty hospital: its jobs, manifests and files, each of which may be wrong."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hospital_with_faults import Answered, Asked, FaultyHospital

Resource = dict[str, Any]


def ndjson(*resources: Resource) -> bytes:
    """Resources as lines, as servers write them."""
    return b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in resources)


@dataclass
class Exports:
    """What a hospital exports; it keeps one job a client unless told otherwise. All may be changed between requests."""

    hospital: FaultyHospital
    transaction_time: str = "2026-03-05T02:00:00Z"
    not_exported: set[str] = field(default_factory=set)
    """Types of which no file comes."""
    files: dict[str, Answered | bytes] = field(default_factory=dict)
    """Files that are not what they should be, by type."""
    manifest: dict[str, Any] = field(default_factory=dict)
    """What stands in the manifest instead of, or beside, the usual."""
    kick_off: list[Answered] = field(default_factory=list)
    """Answers to the next kick-offs."""
    status: list[Answered] = field(default_factory=list)
    """Answers to the next questions for the status."""
    one_at_a_time: bool = True
    methods: set[str] = field(default_factory=lambda: {"GET"})
    begun: list[Asked] = field(default_factory=list)
    """Kick-offs that began a job."""
    jobs: dict[str, list[str]] = field(default_factory=dict)
    """The types of jobs that are kept."""
    deleted: list[str] = field(default_factory=list)
    groups: dict[str, set[str]] = field(default_factory=dict)
    """Ids of the patients of each Group; the export of another Group holds everybody."""
    of_group: dict[str, str] = field(default_factory=dict)
    """The Groups of jobs."""

    def __call__(self, asked: Asked) -> Answered | None:
        """The export's answer; None for what is no part of it."""
        if asked.path.endswith("$export"):
            return self.kick_off.pop(0) if self.kick_off else self._begin(asked)
        if asked.path.startswith("jobs/"):
            return self._delete(asked.path) if asked.method == "DELETE" else self._status(asked.path)
        if asked.path.startswith("files/"):
            return self._file(asked.path.removeprefix("files/"))
        return None

    def url(self, path: str) -> str:
        """A place at the hospital."""
        return f"{self.hospital.base_url}/{path}"

    def _begin(self, asked: Asked) -> Answered:
        if asked.method not in self.methods:
            return Answered({"resourceType": "OperationOutcome"}, 405)
        if self.one_at_a_time and self.jobs:
            return Answered(
                {"resourceType": "OperationOutcome"}, 429, {"Content-Location": self.url(next(iter(self.jobs)))}
            )
        self.begun.append(asked)
        path = f"jobs/{len(self.begun)}"
        given = json.loads(asked.body)["parameter"] if asked.body else []
        named = [each["valueString"] for each in given if each["name"] == "_type"]
        asked_for = [name for name in asked.value("_type").split(",") if name]
        self.jobs[path] = named or asked_for or list(self.hospital.resources)
        self.of_group[path] = asked.path.removesuffix("/$export").removeprefix("Group/")
        return Answered({}, 202, {"Content-Location": self.url(path)})

    def _delete(self, path: str) -> Answered:
        self.deleted.append(path)
        return Answered({}, 202 if self.jobs.pop(path, None) else 404)

    def _status(self, path: str) -> Answered:
        if path not in self.jobs:
            return Answered({"resourceType": "OperationOutcome"}, 404)
        if self.status:
            return self.status.pop(0)
        group = self.of_group.get(path, "")
        suffix = f"@{group}" if group in self.groups else ""
        output = [
            {"type": name, "url": self.url(f"files/{name}{suffix}"), "count": len(self._of(name, group))}
            for name in self.jobs[path]
            if self._of(name, group) and name not in self.not_exported
        ]
        usual = {"transactionTime": self.transaction_time, "requiresAccessToken": False, "output": output}
        return Answered({**usual, **self.manifest})

    def _of(self, kind: str, group: str) -> list[Resource]:
        found = self.hospital.resources.get(kind, [])
        members = self.groups.get(group)
        if members is None:
            return found
        whose = [each.get("subject", {}).get("reference", f"Patient/{each['id']}") for each in found]
        return [each for each, patient in zip(found, whose, strict=True) if patient.removeprefix("Patient/") in members]

    def _file(self, name: str) -> Answered:
        found = self.files.get(name)
        if isinstance(found, Answered):
            return found
        kind, _, group = name.partition("@")
        content = ndjson(*self._of(kind, group)) if found is None else found
        return Answered(content, headers={"Content-Type": "application/fhir+ndjson"})


@pytest.fixture
def exports(faulty: FaultyHospital) -> Exports:
    """The export of a hospital without a fault so far."""
    found = Exports(faulty)
    faulty.faults.append(found)
    return found
