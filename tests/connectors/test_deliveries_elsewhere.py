"""Deliveries of shapes that others meet: what is there comes, or what did not is named."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.sites import Site

OBSERVATIONS = [{"resourceType": "Observation", "id": str(n), "status": "final"} for n in range(12)]
LINES = b"".join(json.dumps(each).encode() + b"\n" for each in OBSERVATIONS)
BUNDLE = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in OBSERVATIONS]}
XML = b'<?xml version="1.0"?><Bundle xmlns="http://hl7.org/fhir"><type value="collection"/></Bundle>'
NOT_READ, NO_FHIR = "files were not read", "is a FHIR resource in JSON"


def zipped(**members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return held.getvalue()


def tarred(name: str, content: bytes) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        about = tarfile.TarInfo(name)
        about.size = len(content)
        archive.addfile(about, io.BytesIO(content))
    return held.getvalue()


WHOLE: dict[str, bytes] = {
    "OBSERVATION.NDJSON": LINES,
    "observation.ndjson.GZ": gzip.compress(LINES),
    "ExportObservation.jsonl": LINES,
    "Condition.ndjson": LINES,
    "Observation.ndjson.gz": LINES,
    "Observation-2.ndjson": gzip.compress(LINES),
    "EXPORT.ZIP": zipped(OBSERVATION__NDJSON=LINES),
    "a/b.zip": zipped(Observation__ndjson__gz=gzip.compress(LINES), readme__txt=b"by hand", Observation__md5=b"00"),
    "data.json": json.dumps(BUNDLE, indent=1).encode(),
    "Observation.json": json.dumps(OBSERVATIONS).encode(),
    "o.ndjson": b"\xef\xbb\xbf" + LINES.replace(b"\n", b"\r\n"),
    "Observation.ndjson/part-0.json": LINES[:-1],
}
SHORT: dict[str, tuple[bytes, str]] = {
    "a.zip": (zipped(Observation=LINES), NOT_READ),
    "b.zip": (zipped(Observation__txt=LINES), NOT_READ),
    "c.zip": (zipped(data__xml=XML), NOT_READ),
    "d.zip": (zipped(e__zip=zipped(Observation__ndjson=LINES)), NOT_READ),
    "f.tar": (tarred("Observation.ndjson", LINES), NOT_READ),
    "Observation.ndjson.xz": (lzma.compress(LINES), NOT_READ),
    "Observation.ndjson.bz2": (bz2.compress(LINES), NOT_READ),
    "Observation.ndjson.part": (LINES, NOT_READ),
    ".Observation.ndjson.Xy12Zk": (LINES, NOT_READ),
    "Observation/part-00000": (LINES, NOT_READ),
    "Observation/7": (json.dumps(OBSERVATIONS[7]).encode(), NOT_READ),
    "data.xml": (XML, NOT_READ),
    "Observation.xml": (XML, NOT_READ),
    "Observation.json": (XML, NO_FHIR),
    "Observation.ndjson": (bz2.compress(LINES), NO_FHIR),
    "Observation-2.ndjson": (b"id,value\n1,2\n", NO_FHIR),
    "Observation-3.ndjson": (LINES.replace(b"\n", b",\n"), NO_FHIR),
    "Observation-4.ndjson": (zipped(Observation__ndjson=LINES), "end in mid-line"),
    "Observation-5.ndjson": (LINES[:-9], "end in mid-line"),
    "Observation-6.ndjson": (LINES.decode().encode("utf-16"), NOT_READ),
}


@pytest.fixture
def pulled(make_site: Callable[..., Site], tmp_path: Path, pull_unit: Any) -> Callable[[str, bytes], Any]:
    """What comes of one file beside that of the Patients."""

    def read(name: str, content: bytes) -> Any:
        (tmp_path / "in" / name).parent.mkdir(parents=True)
        (tmp_path / "in" / "Patient.ndjson").write_bytes(b'{"resourceType":"Patient","id":"1"}\n')
        (tmp_path / "in" / name).write_bytes(content)
        return pull_unit(make_site(files={"folder": "in"}, types=["Patient", "Observation"]), "Observation")

    return read


@pytest.mark.parametrize("name", WHOLE)
def test_all_of_it_comes(name: str, pulled: Any, ids: Any) -> None:
    assert pulled(name, WHOLE[name]).short == []
    assert sorted(ids("Observation"), key=int) == [str(n) for n in range(12)]


@pytest.mark.parametrize("name", SHORT)
def test_what_did_not_come_is_named(name: str, pulled: Any) -> None:
    content, said = SHORT[name]
    assert said in "; ".join(each.reason for each in pulled(name, content).short)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf", b"[]", gzip.compress(b"", mtime=0)])
def test_a_file_in_which_nothing_stands_says_that_nothing_is_there(content: bytes, pulled: Any) -> None:
    assert pulled("Observation.json", content).short == []


@pytest.mark.parametrize("name", ["Observation.ndjson.md5", "Observation.ndjson.sha256", "Observation.ok", "notes.txt"])
def test_what_stands_beside_a_delivery_is_none_of_it(name: str, pulled: Any) -> None:
    assert pulled(name, b"0123 *Observation.ndjson").short == []
