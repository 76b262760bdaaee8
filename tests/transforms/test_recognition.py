"""What a line is recognised by: its bytes under one mapping, whose identity is what decides a record and nothing else."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from synthetic_children import child

import transforms
from transforms import CodeMapRow, Mapper

KEY = b"a key of thirty-two bytes, no less"
LOINC = "http://loinc.org"


def mapper(**options: Any) -> Mapper:
    return Mapper(**({"site": "north", "time_zone": "America/New_York", "subject_key": KEY} | options))


def test_type_and_id_are_found_wherever_they_stand() -> None:
    """Some servers sort the keys, some write spaces, some escape."""
    site = mapper()
    for resource in child(1):
        kind = resource["resourceType"]
        lines = [
            json.dumps(resource).encode(),
            json.dumps(resource, separators=(",", ":")).encode(),
            json.dumps(resource, sort_keys=True).encode(),
            json.dumps(dict(reversed(resource.items()))).encode(),
            json.dumps(resource).replace('"id"', '"\\u0069d"').encode(),
        ]
        (whole, *_) = site.map_line(lines[0]).records
        assert site.record_ids(kind, lines) == [whole.id] * 5
        assert whole.id not in site.record_ids("Device", lines)
    assert len(set(site.record_ids("Patient", [b"{", b"[]", b'{"resourceType":"Patient","id":[]}', b"\xff"]))) == 1
    assert site.record_ids("Patient", [b'{"id":7,"resourceType":"Patient"}']) == [
        site.map_line(b'{"resourceType":"Patient","id":"7"}').records[0].id
    ]


def test_every_record_of_a_line_carries_its_digest() -> None:
    """A blood pressure is recognised by the id of the whole."""
    site = mapper()
    lines = [json.dumps(resource).encode() for resource in child(1) if resource["resourceType"] == "Observation"]
    digests = site.line_digests("Observation", lines)
    outcomes = site.map_lines(lines)
    outcomes.sign(digests)
    by_line = {record.id[:12]: record.line_digest for record in outcomes.records}
    assert len(outcomes.records) == 8
    assert {record.line_digest for record in outcomes.records} == set(digests)
    assert [by_line[id_[:12]] for id_ in site.record_ids("Observation", lines)] == digests


def test_a_line_is_recognised_by_its_bytes_under_one_mapping() -> None:
    """Not under another type, key, time zone or code map."""
    line = json.dumps(child(1)[0]).encode()
    site = mapper()
    assert site.line_digests("Patient", [line]) == mapper().line_digests("Patient", [line])
    found = [
        site.line_digests("Patient", [line, line + b" "]),
        site.line_digests("Encounter", [line]),
        mapper(subject_key=b"another key of thirty-two bytes!").line_digests("Patient", [line]),
        mapper(time_zone="UTC").line_digests("Patient", [line]),
        mapper(code_map=[CodeMapRow("urn:local", "1", LOINC, "8302-2")]).line_digests("Patient", [line]),
    ]
    assert len({digest for digests in found for digest in digests}) == 6


IDENTITIES = """
import json, sys, time
from transforms import Mapper
site = Mapper(site="north", time_zone="UTC", subject_key=b"k")
start = time.process_time()
found = {name: site.identity(name).hex() for name in ("Patient", "Observation", "MedicationRequest")}
print(json.dumps(found | {"seconds": time.process_time() - start}))
"""


def identities(folder: Path) -> dict[str, Any]:
    """As a process of its own tells them, of the code in a folder."""
    command = [sys.executable, "-c", IDENTITIES]
    root = str(Path(transforms.__file__).parents[1])
    environment = {"PYTHONPATH": f"{folder}:{root}"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=folder)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A copy of the code that was compiled once, and its identities; what it read of itself is not kept."""
    folder = tmp_path_factory.mktemp("original")
    shutil.copytree(
        Path(transforms.__file__).parent, folder / "transforms", ignore=shutil.ignore_patterns("*.pyc", "*.known")
    )
    told = identities(folder)
    (kept,) = folder.glob("transforms/__pycache__/*.known")
    kept.unlink()
    return folder, told


@pytest.fixture
def copy(original: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    shutil.copytree(original[0], tmp_path, dirs_exist_ok=True)
    return tmp_path


def _in(path: str, old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        text = (folder / path).read_text()
        assert old in text
        (folder / path).write_text(text.replace(old, new))

    return change


def _new(path: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)

    return change


ALL = {"Patient", "Observation", "MedicationRequest"}


NOTHING = [
    _new("transforms/rules/new_words.py", '"""New words."""\nX = 1\n'),
    _new("transforms/derive/bmi.py", "X = 1\n"),
    _new("transforms/quality/lost.py", "X = 1\n"),
    _new("transforms/notes.txt", "x"),
    _in("transforms/rules/times.py", '"""Times: ', '"""Instants and dates: '),
    _in("transforms/codes/loinc.py", "# 9279-1", "# for one, 9279-1"),
    _in("transforms/privacy/field_policy.toml", "# real date\n", "# as it is\n"),
    _in("transforms/privacy/sensitive_codes.toml", "ages = [12, 17]", "ages = [10, 17]"),
    _in("transforms/fhir/conformance.py", "return []", "return list()"),
]
"""Changes that decide no record: all of them together concern no type, so none of them does."""


@pytest.mark.parametrize(
    ("changes", "concerned"),
    [
        (NOTHING, set()),
        ([_in("transforms/resources/observation.py", "version=1", "version=2")], {"Observation"}),
        ([_in("transforms/rules/dosage.py", '"true": True', '"yes": True')], {"MedicationRequest"}),
        ([_in("transforms/codes/units.csv", "8302-2,cm", "8302-2,m")], ALL),
        (
            [
                _in(
                    "transforms/privacy/field_policy.toml",
                    '["keep",     "keep",     "count"]',
                    '["withhold", "keep",     "count"]',
                )
            ],
            ALL,
        ),
        ([_in("transforms/mapper.py", "_AT_ONCE = 250", "_AT_ONCE = 100")], ALL),
    ],
)
def test_an_identity_is_what_decides_a_record(
    original: tuple[Path, dict[str, Any]], copy: Path, changes: list[Callable[[Path], None]], concerned: set[str]
) -> None:
    """A night of mapping everything anew is the price of a change: no docstring, comment or new file costs it."""
    _, before = original
    for change in changes:
        change(copy)
    after = identities(copy)
    assert {name for name in ALL if before[name] != after[name]} == concerned
    assert min(before["seconds"], after["seconds"]) < 1  # seconds of the processor; a fifth of it on an idle machine


@pytest.mark.slow
def test_what_was_read_of_the_code_is_kept_for_the_next_process(copy: Path) -> None:
    """For as long as no byte of it changes; what is kept and unreadable is read anew."""

    def told() -> dict[str, Any]:
        return {name: identity for name, identity in identities(copy).items() if name in ALL}

    read = told()
    (place,) = copy.glob("transforms/__pycache__/*.known")
    known = json.loads(place.read_bytes())
    assert told() == read
    place.write_text(json.dumps(known | {"codes": dict.fromkeys(known["codes"], "00")}))
    assert not set(told().values()) & set(read.values())  # it is what was kept that is told
    for unusable in ("", "{}", "[7]", json.dumps(known | {"bytes": "others"})):
        place.write_text(unusable)
        assert told() == read
    _in("transforms/codes/units.csv", "8302-2,cm", "8302-2,m")(copy)
    changed = told()
    assert all(changed[name] != read[name] for name in ALL)


def test_asking_again_costs_nothing() -> None:
    """An identity is told once."""
    site = mapper()
    site.identity("Observation")
    start = time.process_time()
    for _ in range(1_000):
        site.identity("Observation")
    assert time.process_time() - start < 0.1
