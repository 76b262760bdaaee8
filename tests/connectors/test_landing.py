"""The landing folder keeps what came, readable by its owner only, and survives a crash."""

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.formats.ndjson import read_lines
from connectors.landing import SETTLE_SECONDS, Growing, InTurn, Kept, Landing, LandingZone
from schemas.errors import OperatorError


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


def test_files_in_turn_are_there_when_they_are_settled_and_the_folder_is_waited_for_once(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None has its name before its bytes are on the disk: what a power cut leaves is whole, or not there."""
    done: list[str] = []
    settle, replace = os.fsync, Path.replace

    def waits(number: int) -> None:
        done.append(f"disk {Path(f'/proc/self/fd/{number}').readlink().name}")
        settle(number)

    def renames(path: Path, to: Path) -> Path:
        done.append(f"name {path.name}")
        return replace(path, to)

    monkeypatch.setattr(os, "fsync", waits)
    monkeypatch.setattr(Path, "replace", renames)
    files = InTurn(landing)
    for number in (1, 2, 3):
        files.write(landing.path("Patient", number), [b"{}\n"])
    assert (done, landing.files("Patient")) == ([], [])
    files.settle()
    files.settle()
    names = [f"{path.name}.part" for path in landing.files("Patient")]
    assert done == [
        *(f"disk {name}" for name in names),
        *(f"name {name}" for name in names),
        f"disk {landing.folder.name}",
    ]
    assert len(names) == 3


def test_files_are_numbered_and_listed_by_type(landing: Landing) -> None:
    for stem, number in (("Patient", 2), ("Patient", 1), ("OperationOutcome-Patient", 1)):
        landing.write(landing.path(stem, number), [b"{}\n"])
    assert [path.name for path in landing.files("Patient")] == ["Patient-0001.ndjson.gz", "Patient-0002.ndjson.gz"]
    assert [path.name for path in landing.files("OperationOutcome")] == ["OperationOutcome-Patient-0001.ndjson.gz"]


@contextmanager
def full_disk(after: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: to a writer it looks as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("way", ["write", "in turn", "copy", "append", "save_cursor", "quarantine"])
def test_full_disk_is_said_and_half_a_file_does_not_stay_on_it(landing: Landing, way: str) -> None:
    noise = [bytes(range(256)) * 1000]
    ways = {
        "write": lambda: landing.write(landing.path("Patient", 1), noise),
        "in turn": lambda: InTurn(landing).write(landing.path("Patient", 1), noise),
        "copy": lambda: landing.copy(landing.path("Patient", 1), noise),
        "append": lambda: landing.append(landing.path("Patient", 1), 0, noise),
        "save_cursor": lambda: landing.save_cursor("Patient", Cursor(1 << 60)),
        "quarantine": lambda: kept.keep(),
    }
    kept = landing.quarantine("Patient")
    kept.add(noise[0])
    with full_disk(after=8), pytest.raises(OperatorError, match="the landing folder is full") as caught:
        ways[way]()
    assert "MAINSTEM_LANDING" in caught.value.fix
    assert not list(landing.folder.glob("*.part"))


def test_landing_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "north").write_text("a file stands where the folder should")
    with pytest.raises(OperatorError, match="cannot be used"):
        LandingZone(tmp_path, "north").of("north/2026-03-02T05:00:00Z").open()


def test_folders_that_lie_open_are_closed_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "landing" / "north" / "2026-03-02T050000Z"
    folder.mkdir(parents=True)
    tmp_path.chmod(0o755)
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o755)
    LandingZone(tmp_path / "landing", "north").of("north/2026-03-02T05:00:00Z").open()
    assert {stat.S_IMODE(each.stat().st_mode) for each in (folder, *folder.parents[:2])} == {0o700}
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_folders_that_are_made_are_for_their_owner_only(tmp_path: Path) -> None:
    LandingZone(tmp_path / "var" / "landing", "north").of("north/2026-03-02T05:00:00Z").open()
    folder = tmp_path / "var" / "landing" / "north" / "2026-03-02T050000Z"
    assert {stat.S_IMODE(each.stat().st_mode) for each in (folder, *folder.parents[:3])} == {0o700}


def test_quarantine_goes_on_at_the_place_that_was_kept(landing: Landing) -> None:
    """What a crash left behind that place is cut off; from the beginning, all of it."""
    path = landing.folder / "quarantine" / "Patient.ndjson"
    with landing.quarantine("Patient") as kept:
        assert kept.keep() == (0, 0)
        assert not path.exists()
        kept.add(b"first")
        place = kept.keep()
        kept.add(b"lost")
    with landing.quarantine("Patient", at=place) as kept:
        kept.add(b"second")
    assert path.read_bytes() == b"first\nsecond\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with landing.quarantine("Patient") as kept:
        assert path.read_bytes() == b""


def test_quarantine_of_a_lost_landing_begins_anew(landing: Landing) -> None:
    with landing.quarantine("Patient", at=Kept(700, 1)) as kept:
        kept.add(b"line")
        assert kept.keep() == (5, 2)


def test_tidying_keeps_the_latest_loads_and_the_quarantine_that_is_needed(tmp_path: Path) -> None:
    zone = LandingZone(tmp_path, "north")
    loads = [f"north/2026-03-0{day}T05:00:00Z" for day in (1, 2, 3)] + ["north/2026-03-03T05:00:00Z-2"]
    for load in loads:
        landing = zone.of(load)
        landing.open()
        landing.write(landing.path("Patient", 1), [b"{}"])
        landing.save_cursor("Patient", Cursor())
        with landing.quarantine("Patient") as kept:
            kept.add(b"line")
    (tmp_path / "north" / "lost+found").mkdir()
    asked: list[str] = []

    zone.tidy(keep=2, needed=lambda load: asked.append(load) or load == loads[0])

    assert asked == loads[:2]
    assert [path.name for path in zone.of(loads[0]).folder.iterdir()] == ["quarantine"]
    assert not zone.of(loads[1]).folder.exists()
    assert all(zone.of(load).files("Patient") for load in loads[2:])
    assert (tmp_path / "north" / "lost+found").exists()


def test_nothing_landed_is_nothing_to_tidy(tmp_path: Path) -> None:
    LandingZone(tmp_path, "north").tidy(keep=1, needed=lambda _: False)


def test_pages_that_come_fast_wait_for_the_disk_together_and_slow_ones_each(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files before the cursor that counts them; what was added after it was saved is not counted."""
    now, order, path = [0.0], list[str](), landing.path("Patient", 1)
    monkeypatch.setattr("connectors.landing.time.monotonic", lambda: now[0])
    sync, save = os.fsync, Landing.save_cursor

    def saved(self: Landing, *given: Any) -> None:
        order.append("cursor")
        save(self, *given)
        order.append("saved")

    monkeypatch.setattr(os, "fsync", lambda number: order.append("disk") or sync(number))
    monkeypatch.setattr(Landing, "save_cursor", saved)
    landing.open()
    growing, size = Growing(landing, "Patient"), 0
    for page in range(20):
        size = growing.append(path, size, [b"%d\n" % page])
        growing.save(Cursor(size))
    assert (order, landing.cursor("Patient", Cursor)) == ([], None)
    now[0] += SETTLE_SECONDS
    growing.save(Cursor(size))
    assert order[:2] == ["disk", "cursor"]
    assert order.count("saved") == 1
    growing.append(path, size, [b"one more\n"])
    growing.settle()
    assert landing.cursor("Patient", Cursor) == Cursor(size)
    now[0] += SETTLE_SECONDS
    growing.save(Cursor(path.stat().st_size))
    assert order.count("saved") == 2
    growing.discard([path])
    growing.settle()
    assert not path.exists()
