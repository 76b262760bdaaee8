"""The list of commands, written by `make generated`, is as their files say."""

from pathlib import Path

import pytest

from mainstem.commands import app, late


def test_the_list_is_as_the_files_say() -> None:
    """`make generated` was run after the last change of a command."""
    assert late.LISTED.read_text(encoding="utf-8") == late.listing()


def test_a_file_that_is_not_listed_yet_gives_its_commands_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who adds a file finds its commands at once."""
    lines = late.LISTED.read_text(encoding="utf-8").splitlines(keepends=True)
    shorter = tmp_path / "listed.tsv"
    shorter.write_text("".join(line for line in lines if not line.startswith("version\t")), encoding="utf-8")
    before = late.given()
    monkeypatch.setattr(late, "LISTED", shorter)
    late.given.cache_clear()
    try:
        assert late.given() == before
    finally:
        late.given.cache_clear()


def test_a_listed_file_that_is_gone_gives_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it stop the others."""
    longer = tmp_path / "listed.tsv"
    longer.write_text(late.LISTED.read_text(encoding="utf-8") + "gone\tgone\tWent.\n", encoding="utf-8")
    monkeypatch.setattr(late, "LISTED", longer)
    late.given.cache_clear()
    try:
        assert "gone" not in late.given()
    finally:
        late.given.cache_clear()


def test_every_command_stands_below_one_heading_of_the_help() -> None:
    """Forty in the order of their names are found by nobody who does not know them."""
    named = [name for names in late.FOR.values() for name in names]
    assert sorted(named) == sorted(name for told in late.given().values() for name in told)


def test_the_help_tells_what_each_command_is_for_and_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app(["--help"])
    said = capsys.readouterr().out
    assert "...\n" not in said.replace("[ARGS]...", "")
    assert said.index("Connect a hospital:") < said.index("Each night:") < said.index("This installation:")
