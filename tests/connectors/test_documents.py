"""JSON documents and archives → lines, whatever way they are cut into blocks."""

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from sources import NOW

from connectors.formats.gzip import Bomb, TruncatedGzip
from connectors.formats.json import document_lines, is_document
from connectors.formats.meter import Meter
from connectors.formats.ndjson import text_batches
from connectors.formats.zip import UnreadableZip, member_blocks, members
from schemas.problems import Reason

CAP = 10_000
ONE = {"resourceType": "Patient", "id": "1", "name": [{"text": 'a "]}" \\ {[ b'}]}
TWO = {"id": "2", "resourceType": "Observation", "component": [{"valueString": "entry"}, {"a": [[], {}]}]}
BUNDLE: dict[str, Any] = {
    "entry": [{"resource": ONE}, {"resource": TWO}],
    "resourceType": "Bundle",
    "link": [{"url": "x"}],
}


def pieces(text: bytes, size: int) -> Iterator[bytes]:
    return (text[at : at + size] for at in range(0, len(text), size))


def read(text: bytes, size: int = 7, cap: int = CAP) -> list[Any]:
    return [
        each if isinstance(each, Reason) else json.loads(each) for each in document_lines(pieces(text, size), cap=cap)
    ]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("size", [1, 3, 50, 100_000])
def test_a_resource_an_array_a_bundle_or_several_are_lines(indent: int | None, size: int) -> None:
    one, two, bundle = (json.dumps(each, indent=indent).encode() for each in (ONE, TWO, BUNDLE))
    assert read(one, size) == [ONE]
    assert read(b"\xef\xbb\xbf" + bundle, size) == [BUNDLE]
    assert read(b"[" + one + b",\r\n" + two + b"]", size) == [ONE, TWO]
    assert read(one + b"\n" + two + b"\n\n" + bundle, size) == [ONE, TWO, BUNDLE]
    assert all(b"\n" not in line for line in document_lines([bundle], cap=CAP) if isinstance(line, bytes))


@pytest.mark.parametrize("size", [1, 64, 100_000])
def test_a_bundle_longer_than_a_line_may_be_comes_entry_by_entry(size: int) -> None:
    entries = [{"resource": {**ONE, "id": str(number)}} for number in range(200)]
    text = json.dumps({**BUNDLE, "entry": entries}, indent=1).encode()
    found = read(text, size, cap=2_000)
    assert [entry for each in found for entry in each["entry"]] == entries


@pytest.mark.parametrize("size", [1, 64, 100_000])
def test_what_is_longer_than_a_line_may_be_costs_itself(size: int) -> None:
    long = {**ONE, "contact": [{"name": {"text": "x" * 40}}] * 60}
    assert read(json.dumps([ONE, long, TWO]).encode(), size, cap=1_000) == [ONE, Reason.LINE_TOO_LONG, TWO]
    entries = [{"resource": each} for each in (*[ONE] * 20, long, *[TWO] * 20)]
    found = read(json.dumps({"resourceType": "Bundle", "entry": entries}).encode(), size, cap=1_000)
    assert found.count(Reason.LINE_TOO_LONG) == 1
    assert sum(len(each["entry"]) for each in found if not isinstance(each, Reason)) == 40


def test_an_endless_text_is_given_up() -> None:
    endless = (b'{"a":"' if number == 0 else b"x" * 1_000 for number in range(1_000_000))
    assert list(document_lines(endless, cap=CAP)) == [Reason.LINE_TOO_LONG, Reason.TRUNCATED_FILE]


def test_a_document_that_ends_within_a_value_keeps_those_before() -> None:
    assert read(json.dumps([ONE, TWO], indent=2).encode()[:-9]) == [ONE, Reason.TRUNCATED_FILE]


@pytest.mark.parametrize(
    ("name", "text", "right"),
    [
        ("a.ndjson", b'{"id":1}\r\n\r\n{"id":2}', 2),
        ("a.ndjson", b'\xef\xbb\xbf{\n "id": 1\n}\n', 1),
        ("a.ndjson", b'[{"id":1},{"id":2}]', 2),
        ("a.json", b'{ "id": 1,\n "b": 2 }\n{ "id": 2,\n "b": 2 }', 2),
        ("a.JSON", b'{"id":1}\n{"id":2}\n', 2),
        ("a.json", '{"id":"é"}'.encode("utf-16"), [Reason.OTHER_ENCODING]),
        ("a.ndjson", '{"id":"é"}'.encode("utf-16-be"), [Reason.OTHER_ENCODING]),
    ],
)
def test_text_is_read_as_what_it_is(name: str, text: bytes, right: Any) -> None:
    found = list(text_batches([text[:2], text[2:]], cap=CAP, name=name))
    if isinstance(right, int):
        assert [json.loads(line)["id"] for each in found for line in each] == list(range(1, right + 1))  # type: ignore[union-attr]
    else:
        assert found == right


def test_ndjson_is_no_document() -> None:
    assert not is_document(b'{"resourceType":"Patient"}\n')
    assert not is_document(b"broken\n[]\n")
    assert not is_document(b"")


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_blank_lines_are_no_resources(size: int) -> None:
    text = b'\xef\xbb\xbf\n\r\n{"a":1}\r\n\r\n \t\n{"b":2}\n\n{"c":3}\n \r\n'
    meter = Meter(cap=CAP, most=CAP)
    assert b"".join(meter.through(pieces(text, size), not_after=NOW)) == text
    assert (meter.lines, meter.truncated) == (3, False)


def archive(members: dict[str, bytes]) -> BytesIO:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return file


def test_an_archives_files_are_found_by_name_and_lead_nowhere() -> None:
    names = [
        "Patient.ndjson",
        "../../etc/Condition.ndjson",
        "deep/er/a.json",
        "__MACOSX/._Patient.ndjson",
        ".hidden",
        "empty/",
    ]
    found = members(archive(dict.fromkeys(names, b"{}\n")))
    assert [each.name for each in found] == names[:3]
    assert (
        b"".join(member_blocks(archive({"a": b"x" * 500_000}), members(archive({"a": b"x" * 500_000}))[0]))
        == b"x" * 500_000
    )


def test_a_bomb_is_given_up_and_a_damaged_member_is_no_whole_one() -> None:
    bomb = archive({"Patient.ndjson": b"0" * (100 << 20)})
    with pytest.raises(Bomb):
        for _ in member_blocks(bomb, members(bomb)[0]):
            pass
    content = json.dumps([f"{number * 7919}" for number in range(5_000)]).encode()
    file = archive({"a.json": content})
    damaged = bytearray(file.getvalue())
    damaged[len(damaged) // 2] ^= 0xFF
    with pytest.raises(TruncatedGzip):
        list(member_blocks(BytesIO(damaged), members(BytesIO(damaged))[0]))
    with pytest.raises(UnreadableZip):
        members(BytesIO(file.getvalue()[:-30]))
