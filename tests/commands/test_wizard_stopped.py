"""The questions of `mainstem sites new`, stopped at each: said in words, exit code 130, nothing written."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_terminal import forked

import mainstem.commands.sites.wizard  # noqa: F401 - what a copy of this process has, it need not import

QUESTIONS = [
    ("Short name", "north"),
    ("hospital's name", "North General"),
    ("Address of its", "http://127.0.0.1:1/fhir"),
    ("time zone [", "America/Chicago"),
    ("EHR's vendor", "epic"),
    ("Whose data", "cf"),
    ("Client id", "mainstem"),
    ("private key's file", ""),
]
CTRL_C, CTRL_D, CLOSED = "\x03", "\x04", ""
BEGUN = [(asked, f"{answer}\n") for asked, answer in QUESTIONS]


@pytest.fixture
def environment() -> dict[str, str]:
    """Of a new user's machine."""
    ours = {"NO_COLOR": "1", "TZ": "America/Chicago", "TERM": "xterm"}
    return {name: value for name, value in os.environ.items() if not name.startswith("MAINSTEM_")} | ours


def written(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.rglob("*"))


@pytest.mark.parametrize("key", [CTRL_C, CTRL_D], ids=["Ctrl-C", "end of input"])
@pytest.mark.parametrize("number", range(len(QUESTIONS)), ids=[asked for asked, _ in QUESTIONS])
def test_stopped_at_a_question(tmp_path: Path, environment: dict[str, str], number: int, key: str) -> None:
    answers = [*BEGUN[:number], (QUESTIONS[number][0], key)]
    code, screen = forked(["sites", "new"], answers, folder=tmp_path, environment=environment)
    assert (code, written(tmp_path)) == (130, []), screen
    assert screen.rstrip().endswith("stopped before all was answered; nothing was written")
    assert "Traceback" not in screen


@pytest.fixture(params=[signal.SIG_DFL, signal.SIG_IGN], ids=["ends", "goes on"])
def hung_up(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a program does when its terminal goes: it ends, or, started by nohup, it does not."""
    before = signal.signal(signal.SIGHUP, request.param)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hung_up")
@pytest.mark.parametrize("number", [0, 3, len(QUESTIONS) - 1])
def test_a_terminal_that_is_closed_ends_it(tmp_path: Path, environment: dict[str, str], number: int) -> None:
    """By the signal that ends whatever ran there, or by its first question; the file comes last, so there is none."""
    answers = [*BEGUN[:number], (QUESTIONS[number][0], CLOSED)]
    code, screen = forked(["sites", "new"], answers, folder=tmp_path, environment=environment)
    assert code in (-signal.SIGHUP, 130), screen
    assert written(tmp_path) == []


def test_stopped_after_a_wrong_answer(tmp_path: Path, environment: dict[str, str]) -> None:
    answers = [("Short name", "North General\n"), ("Short name", CTRL_C)]
    code, screen = forked(["sites", "new"], answers, folder=tmp_path, environment=environment)
    assert (code, written(tmp_path), "lower case letters" in " ".join(screen.split())) == (130, [], True), screen


def test_all_answered_is_written_whole(tmp_path: Path, environment: dict[str, str]) -> None:
    """The same questions, not stopped: the tests above would have written."""
    code, screen = forked(["sites", "new"], BEGUN, folder=tmp_path, environment=environment)
    assert code == 0, screen
    assert {"north.toml", "north.subject-key"} <= set(written(tmp_path))
