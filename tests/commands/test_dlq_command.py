"""`mainstem dlq` and `mainstem consumers`: what an operator sees of a consumer, and does for what it could not use."""

import json

import pytest
from typer.testing import CliRunner

from mainstem.commands import app
from services.registry.database import open_registry
from services.registry.handler import apply, apply_loads

VALUE = b'{"record": "Quackenbush"}'


@pytest.fixture
def command(stream, tmp_path, monkeypatch):
    """Runs a command on a registry that met two messages it could not use."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    monkeypatch.setenv("MAINSTEM_KAFKA", stream.bootstrap)
    monkeypatch.setenv("MAINSTEM_NETWORK", stream.network)
    monkeypatch.setenv("MAINSTEM_REGISTRY_URL", url)
    stream.send_all([(b"first", VALUE, [("ce_id", b"1")]), (b"first", b"\xff", [])])
    catch_up(stream, url)

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, [*words])
        assert done.exit_code == 0, done.exception or done.output
        return done.output

    run.again = lambda: catch_up(stream, url)
    return run


def catch_up(stream, url: str) -> None:
    engine = open_registry(url)
    with stream.consumer(engine, apply, load_handler=apply_loads, group="registry") as registry:
        registry.run_until_caught_up()
    engine.dispose()


def test_letters_are_listed_shown_retried_and_dropped(command):
    """From the list to an end for each; what is still unusable waits again."""
    listed = json.loads(command("dlq", "list", "--json"))
    assert [(row["state"], row["reason"], row["record"]) for row in listed] == [("waiting", "missing-header", None)] * 2
    places = [row["place"] for row in listed]

    shown = json.loads(command("dlq", "show", places[0]))
    assert shown["came"] == {"key": "first", "headers": [["ce_id", "1"]], "value": VALUE.decode()}
    assert "Quackenbush" not in command("dlq", "list", "--closed")
    raw = json.loads(command("dlq", "show", places[1].rsplit("/", 1)[1]))
    assert raw["came"]["value"] == {"base64": "/w=="}

    assert "1 to be tried again" in command("dlq", "retry", places[0])
    command.again()
    assert {row["state"] for row in json.loads(command("dlq", "list", "--json"))} == {"waiting"}

    assert "2 dropped" in command("dlq", "drop", "--reason", "missing-header")
    assert "no dead letter" in command("dlq", "list")


def test_place_that_is_none_is_named(command):
    """A slip of the finger changes nothing."""
    failed = CliRunner().invoke(app, ["dlq", "drop", "99:12"])
    assert "99:12" in str(failed.exception)
    both = CliRunner().invoke(app, ["dlq", "drop", "--all", "--reason", "held"])
    assert both.exit_code == 2
    assert len(json.loads(command("dlq", "list", "--json"))) == 2


@pytest.mark.parametrize("words", [("list",), ("show", "3:1"), ("retry", "--all"), ("drop", "--reason", "held")])
def test_group_that_never_ran_is_refused_with_those_that_did(command, words):
    """Not answered by "no dead letter waits", which is what one wants to hear."""
    failed = CliRunner().invoke(app, ["dlq", *words, "--group", "regsitry"])
    assert "no consumer group regsitry ever ran on SQLite" in str(failed.exception)
    assert "There are: registry." in failed.exception.fix


def test_reason_that_is_none_is_refused_with_those_there_are(command):
    """Not answered by "0 dropped"."""
    failed = CliRunner().invoke(app, ["dlq", "drop", "--reason", "poison"])
    assert "no reason poison" in str(failed.exception)
    assert "invalid-json" in failed.exception.fix


def test_consumers_are_listed_with_lag_and_letters(command):
    """One line a group and topic."""
    (outcome,) = [row for row in json.loads(command("consumers", "--json")) if "outcome" in row["topic"]]
    assert (outcome["group"], outcome["lag"], outcome["letters"], outcome["fresh_seconds"]) == ("registry", 0, 2, 0)
    assert outcome["last_applied"]
    assert "registry" in command("consumers")


def test_database_that_is_not_there_is_named(tmp_path):
    """No empty database is made by looking for one."""
    failed = CliRunner().invoke(app, ["dlq", "list", "--database", f"sqlite:///{tmp_path / 'none.db'}"])
    assert "no consumer's database" in str(failed.exception)
    assert list(tmp_path.iterdir()) == []
