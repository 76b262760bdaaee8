"""The landing folder keeps what came, readable by its owner only, and survives a crash."""

import stat

import msgspec
import pytest

from connectors.formats.ndjson import read_lines
from connectors.landing import Landing


class Cursor(msgspec.Struct):
    page: int = 0


def test_cursor_is_replaced_in_one_step(landing: Landing) -> None:
    assert landing.cursor("Patient", Cursor) is None
    landing.save_cursor("Patient", Cursor(1))
    landing.save_cursor("Patient", Cursor(2))
    assert landing.cursor("Patient", Cursor) == Cursor(2)
    assert [path.name for path in landing.folder.iterdir()] == ["cursor-Patient.json"]


def test_only_the_owner_can_read(landing: Landing) -> None:
    landing.save_cursor("Patient", Cursor())
    landing.write(landing.path("Patient", 1), [b"{}\n"])
    landing.append(landing.path("Patient", 2), 0, [b"{}\n"])
    assert stat.S_IMODE(landing.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in landing.folder.iterdir()} == {0o600}


def test_what_a_crash_left_behind_the_cursor_is_cut_off(landing: Landing) -> None:
    path = landing.path("Patient", 1)
    size = landing.append(path, 0, [b'{"id":"1"}\n'])
    landing.append(path, size, [b'{"id":"lost"}\n'])
    size = landing.append(path, size, [b'{"id":"2"}\n'])
    assert size == path.stat().st_size
    assert list(read_lines(path, cap=100)) == [b'{"id":"1"}', b'{"id":"2"}']


def test_file_is_there_only_when_complete(landing: Landing) -> None:
    def breaking():  # type: ignore[no-untyped-def]
        yield b'{"id":"1"}\n'
        raise ConnectionError

    with pytest.raises(ConnectionError):
        landing.write(landing.path("Patient", 1), breaking())
    assert landing.files("Patient") == []


def test_files_are_numbered_and_listed_by_type(landing: Landing) -> None:
    for stem, number in (("Patient", 2), ("Patient", 1), ("OperationOutcome-Patient", 1)):
        landing.write(landing.path(stem, number), [b"{}\n"])
    assert [path.name for path in landing.files("Patient")] == ["Patient-0001.ndjson.gz", "Patient-0002.ndjson.gz"]
    assert [path.name for path in landing.files("OperationOutcome")] == ["OperationOutcome-Patient-0001.ndjson.gz"]
