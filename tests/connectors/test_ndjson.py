"""NDJSON is read line by line, whatever its form, and half a file is told from a whole one."""

import json
import random
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from isal import igzip

from connectors.formats.gzip import BLOCK_BYTES, file_blocks
from connectors.formats.meter import Meter
from connectors.formats.ndjson import holds_any, read_lines
from connectors.outside.times import instant
from schemas.problems import Problem, Reason

CAP = 1 << 20
LINES = [b'{"resourceType":"Patient","id":"%d"}' % number for number in range(50_000)]


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(igzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["Patient.ndjson", "Patient.ndjson.gz"])
@pytest.mark.parametrize("end", [b"\n", b"", b"\n\n\r\n"])
def test_every_line_is_read_in_order(tmp_path: Path, name: str, end: bytes) -> None:
    path = written(tmp_path / name, b"\n".join(LINES) + end)
    assert list(read_lines(path, cap=CAP)) == LINES


def test_byte_order_mark_and_empty_lines_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ndjson", b'\xef\xbb\xbf{"a":1}\r\n\n  \n{"b":2}\n')
    assert [json.loads(line) for line in read_lines(path, cap=CAP)] == [{"a": 1}, {"b": 2}]  # type: ignore[arg-type]


def test_several_gzip_members_and_zero_padding_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(igzip.compress(b'{"a":1}\n{"b":') + igzip.compress(b"2}\n") + b"\0" * 512)
    assert list(read_lines(path, cap=CAP)) == [b'{"a":1}', b'{"b":2}']


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz"])
@pytest.mark.parametrize("before", [0, BLOCK_BYTES - 6, BLOCK_BYTES - 1, BLOCK_BYTES])
def test_a_word_is_found_wherever_it_stands_in_a_file(tmp_path: Path, name: str, before: int) -> None:
    """Without splitting lines, also where two blocks meet."""
    path = written(tmp_path / name, b" " * before + b'{"hasMember":[]}' + b" " * 9)
    assert holds_any(path, [b'"elsewhere"', b'"hasMember"'])
    assert not holds_any(path, [b'"hasMembers"'])


def test_a_word_is_found_among_many_that_share_its_letter(tmp_path: Path) -> None:
    """It is sought by its one capital; where that is frequent, whole."""
    path = written(tmp_path / "a.ndjson", b'"hasMonths"' * 5_000 + b'"M' + b'{"hasMember":[]}')
    assert holds_any(path, [b'"hasMember"'])
    assert not holds_any(path, [b'"hasMembers"', b'"isMember"'])
    assert not holds_any(written(tmp_path / "b.ndjson", b"Member" + b'"hasMembe' + b"M" * 9), [b'"hasMember"'])


def test_half_a_file_may_hold_any_word(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(igzip.compress(b'{"a":1}' * 1000)[:-20])
    assert holds_any(path, [b"nowhere"])


def test_line_longer_than_the_cap_is_a_problem_and_the_next_is_read(tmp_path: Path) -> None:
    long = b'{"x":"' + b"y" * (5 << 20) + b'"}'
    path = written(tmp_path / "Observation-0001.ndjson", b"\n".join([LINES[0], long, LINES[1], long]))
    too_long = Problem(Reason.LINE_TOO_LONG, "Observation")
    assert [LINES[0], too_long, LINES[1], too_long] == list(read_lines(path, cap=CAP))


def test_line_longer_than_a_block_is_whole(tmp_path: Path) -> None:
    long = b'{"x":"' + b"y" * (5 << 20) + b'"}'
    path = written(tmp_path / "a.ndjson.gz", b"\n".join([LINES[0], long, LINES[1]]))
    assert [LINES[0], long, LINES[1]] == list(read_lines(path, cap=8 << 20))


def test_half_a_plain_file_gives_its_good_lines_and_a_problem(tmp_path: Path) -> None:
    path = written(tmp_path / "Patient.ndjson", b"\n".join(LINES)[:-5])
    *good, last = read_lines(path, cap=CAP)
    assert LINES[:-1] == good
    assert last == Problem(Reason.TRUNCATED_FILE, "Patient")


@pytest.mark.parametrize("damage", ["cut", "crc", "garbage"])
def test_damaged_gzip_gives_its_good_lines_and_a_problem(tmp_path: Path, damage: str) -> None:
    packed = igzip.compress(b"\n".join(LINES) + b"\n")
    packed = {"cut": packed[:-300], "crc": packed[:-8] + b"\0" * 8, "garbage": packed + b"garbage"}[damage]
    path = tmp_path / "Patient.ndjson.gz"
    path.write_bytes(packed)
    *good, last = read_lines(path, cap=CAP)
    assert LINES[: len(good)] == good
    assert len(good) > 20_000
    assert last == Problem(Reason.TRUNCATED_FILE, "Patient")


def test_memory_stays_flat_under_a_gzip_bomb(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ndjson.gz", b" " * (200 << 20))
    tracemalloc.start()
    problems = list(read_lines(path, cap=CAP))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problems == [Problem(Reason.FILE_TOO_LARGE, "a")]
    assert peak < 20 << 20


def test_meter_counts_what_passes_and_ignores_the_future(tmp_path: Path) -> None:
    line = b'{"meta":{"lastUpdated":"%s"}}\n'
    stamps = [b"2024-01-02T00:00:00+02:00", b"2024-01-01T23:00:00.5Z", b"2999-01-01T00:00:00Z", b"soon and later"]
    path = written(tmp_path / "a.ndjson.gz", b"".join(line % stamp for stamp in stamps))
    meter = Meter(cap=CAP, most=1 << 40)
    passed = b"".join(meter.through(file_blocks(path), not_after=datetime(2025, 1, 1, tzinfo=UTC)))
    assert (meter.lines, meter.bytes, meter.truncated) == (4, len(passed), False)
    assert meter.newest == datetime(2024, 1, 1, 23, 0, 0, 500_000, UTC)


@pytest.mark.parametrize(
    ("content", "lines", "truncated"),
    [(b'{"a":1}\n{"b":2}', 2, False), (b'{"a":1}\n{"b":', 1, True), (b'{"a":1}\n  ', 1, False), (b"", 0, False)],
)
def test_meter_tells_half_a_file(tmp_path: Path, content: bytes, lines: int, truncated: bool) -> None:
    meter = Meter(cap=CAP, most=1 << 40)
    list(meter.through([content], not_after=datetime.now(UTC)))
    assert (lines, truncated) == (meter.lines, meter.truncated)


@pytest.mark.parametrize("size", [17, 18, 19, 31, 64, 1000, 1 << 20])
@pytest.mark.parametrize("gap", [b"", b" "])
def test_meter_tells_the_same_wherever_blocks_meet(size: int, gap: bytes) -> None:
    """Lines that begin as those of the type do, lines of other types, blank ones; the last without an end."""
    alike = b'{"resourceType":%b"Patient","id":"%%d"}' % gap
    lines = [alike % 1, alike % 2, b"", b'{"id":"3","resourceType":"Patient"}', b" \t", alike % 4]
    lines += [b'{"resourceType":%b"PatientX"}' % gap, b'{"text":"\\n{\\"resourceType\\":\\"Patient\\""}', alike % 5]
    content = b"\n".join(lines)
    meter = Meter(cap=CAP, most=1 << 40, kind="Patient")
    blocks = [content[at : at + size] for at in range(0, len(content), size)]
    assert b"".join(meter.through(blocks, not_after=datetime.now(UTC))) == content
    assert (meter.lines, meter.alike, meter.truncated) == (7, 4, False)


def test_meter_finds_the_newest_of_stamps_of_every_offset() -> None:
    """Also where its day is not the latest that is written, and where a name only ends like that of the stamp."""
    stamps = [
        b"2024-01-02T00:30:00+02:00",
        b"2024-01-01T23:50:00Z",
        b"2023-12-31T20:00:00-06:00",
        b"2024-01-09",
        b"2024-01-",
    ]
    blocks = [b'{"meta": {"lastUpdated" : "%b"}, "myUpdated": "2024-06-01T00:00:00Z"}\n' % stamp for stamp in stamps]
    for order in (blocks, blocks[::-1]):
        for given in (order, [b"".join(order)]):
            meter = Meter(cap=CAP, most=1 << 40, kind="Patient")
            list(meter.through(given, not_after=datetime(2025, 1, 1, tzinfo=UTC)))
            assert meter.newest == datetime(2024, 1, 1, 23, 50, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2024-01-01T00:00:00", "yesterday", "", "2023-08-01T16: 09: 08.000Z"])
def test_instant_without_offset_or_sense_is_none(text: str) -> None:
    assert instant(text) is None


@pytest.mark.parametrize("between", [b":", b": ", b" : "])
@pytest.mark.parametrize("block", [7, 300, 1 << 17])
def test_meter_finds_the_newest_of_many_however_they_are_written(between: bytes, block: int) -> None:
    """Whole blocks, blocks that end within a line, lines of any order; none of the future, none newer than there is."""
    chance = random.Random(f"{between!r} {block}")
    moments = [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(3_000_000)) for _ in range(400)]
    stamps = [moment.isoformat().replace("+00:00", "Z").encode() for moment in moments] + [b"2999-01-01T00:00:00Z"]
    line = b'{"resourceType"' + between + b'"Patient","meta":{"lastUpdated"' + between + b'"%s"}}\n'
    text = b"".join(line % stamp for stamp in stamps)
    blocks = [text[place : place + block] for place in range(0, len(text), block)]
    meter = Meter(cap=CAP, most=1 << 40, kind="Patient")
    assert b"".join(meter.through(blocks, not_after=datetime(2030, 1, 1, tzinfo=UTC))) == text
    assert meter.lines == len(stamps)
    if block > len(text):
        assert meter.newest == max(moments)
    assert meter.newest is None or meter.newest <= max(moments)  # one that two blocks share is not seen


def test_meter_tells_lines_that_begin_otherwise(tmp_path: Path) -> None:
    lines = [b'{"resourceType":"Patient","id":"%d"}\n' % number for number in range(500)]
    lines[317] = b'{"id":"317","resourceType":"Patient"}\n'
    for block in (11, 100, 1 << 17):
        text = b"".join(lines)
        meter = Meter(cap=CAP, most=1 << 40, kind="Patient")
        list(meter.through([text[at : at + block] for at in range(0, len(text), block)], not_after=datetime.now(UTC)))
        assert (meter.lines, meter.alike) == (500, 499), block


def test_marks_of_the_byte_order_in_the_middle_are_no_text(tmp_path: Path) -> None:
    """Files that were put together keep theirs."""
    mark = b"\xef\xbb\xbf"
    path = tmp_path / "a.ndjson"
    path.write_bytes(mark + b"\n".join(LINES[:3]) + b"\r\n" + mark + b"\n".join(LINES[3:6]) + b"\n")
    assert [each.strip() for each in read_lines(path, cap=CAP) if isinstance(each, bytes)] == LINES[:6]
