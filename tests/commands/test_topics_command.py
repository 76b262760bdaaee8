"""`mainstem topics check` for people and for machines."""

import json

from typer.testing import CliRunner

from mainstem.commands import app
from mainstem.kafka import topics


def test_what_differs_is_a_table_with_what_is_wanted_what_there_is_and_the_fix(broker, network):
    """No representation of Python's; exit code 3."""
    topics.create_missing(broker, [topics.Topic(f"{network}.outcome.v1", 4, 1, {"cleanup.policy": "delete"})])

    said = check(broker, network)

    assert said.exit_code == 3
    lines = said.stdout.splitlines()
    assert lines[0].split() == ["topic", "setting", "wanted", "found"]
    assert [f"{network}.outcome.v1", "partitions", "12", "4"] in [line.split() for line in lines]
    assert [f"{network}.outcome.v1", "cleanup.policy", "compact", "delete"] in [line.split() for line in lines]
    assert "fix: Run `mainstem topics create`." in lines
    assert "TopicFinding" not in said.stdout


def test_machines_get_the_same_as_json(broker, network):
    """One object a finding; an empty list where all is well."""
    missing = check(broker, network, "--json")
    topics.create(broker, network, groups=["registry"], replication=1)
    well = check(broker, network, "--json")

    assert (missing.exit_code, well.exit_code) == (3, 0)
    assert {finding["setting"] for finding in json.loads(missing.stdout)} == {"topic"}
    assert set(json.loads(missing.stdout)[0]) == {"topic", "setting", "expected", "found", "fix"}
    assert json.loads(well.stdout) == []


def test_topics_are_described_as_they_are(broker, network):
    """What each carries, under which key, for how long; one that is missing is told as such."""
    environment = {"MAINSTEM_KAFKA": broker, "MAINSTEM_NETWORK": network, "COLUMNS": "250"}
    topics.create(broker, network, replication=1)

    said = CliRunner().invoke(app, ["topics", "describe", "--json"], env=environment)
    by_name = {row["topic"]: row for row in json.loads(said.stdout)}
    outcome, letters = by_name[f"{network}.outcome.v1"], by_name[f"{network}.dlq.registry"]

    assert (outcome["key"], outcome["partitions"], outcome["copies"]) == ("subject/record", 12, 1)
    assert (outcome["policy"], outcome["kept"]) == ("compact", "withdrawals 30 d")
    assert by_name[f"{network}.feedback.v1"]["kept"] == "365 d"
    assert (letters["policy"], letters["partitions"]) == ("missing", None)
    shown = CliRunner().invoke(app, ["topics", "describe"], env=environment).stdout
    assert shown.splitlines()[0].split()[:3] == ["topic", "carries", "key"]


def check(broker, network, *more):
    environment = {"MAINSTEM_KAFKA": broker, "MAINSTEM_NETWORK": network, "COLUMNS": "200"}
    return CliRunner().invoke(app, ["topics", "check", "--replication", "1", *more], env=environment)
