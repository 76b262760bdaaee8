"""A record is followed both ways: from its id to its source and to whom it was handed, and from a source to all it caused."""

import json

import pytest
from typer.testing import CliRunner

from mainstem.commands import app
from mainstem.consumer.progress import METRICS
from mainstem.consumer.testing import message
from mainstem.mending.trace import traced
from schemas.events import outcome_topic
from transforms.privacy.pseudonyms import Pseudonyms

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def environment(north, of, tmp_path, sqlite_engine, latest_of):
    """Three heights, one amended and then waiting again; a consumer has handled all that was published."""
    north.night(*(of(number, f"{100 + number}.0") for number in range(3)))
    north.night(of(1, "109.5"))
    with north.stream.consumer(sqlite_engine, latest_of(sqlite_engine), group="tables") as consumer:
        consumer.run_until_caught_up()
    north.night(of(1, "111.1"), publish=False)
    return {
        "MAINSTEM_KAFKA": north.stream.bootstrap,
        "MAINSTEM_NETWORK": north.stream.network,
        "MAINSTEM_DATABASE_URL": north.settings.database_url,
        "MAINSTEM_REGISTRY_URL": str(sqlite_engine.url),
        "COLUMNS": "250",
        "KEY": KEY,
    }


def test_record_tells_source_load_change_events_and_deliveries(environment, north, of):
    record = f"r-{of(1, '1').id.hex()}"
    said = CliRunner().invoke(app, ["trace", record, "--json"], env=environment)
    assert said.exit_code == 0, said.exception
    [traced] = json.loads(said.stdout)
    assert traced["source"] == [{"type": "Observation", "ref": f"h-{of(1, '1').id[:12].hex()}"}]
    assert (traced["mapping"], traced["version"], traced["published"]) == ("observation@1", "1.3", False)
    assert [(event["version"], event["type"], event["software"]) for event in traced["events"]] == [
        ("1.1", "recorded", "0.1.0"),
        ("1.2", "amended", "0.1.0"),
    ]
    assert {event["id"] for event in traced["events"]} == {
        dict(each.headers)["ce_id"].decode()
        for each in north.stream.records()
        if dict(each.headers)["ce_subject"].decode() == record
    }
    assert traced["deliveries"] == [{"group": "tables", "version": "1.2", "letters": 0}]
    text = CliRunner().invoke(app, ["trace", record], env=environment).output
    assert "waits to be published" in text
    assert "handled  by tables: 1.2" in text
    assert "109.5" not in said.output + text


def test_source_tells_every_record_it_gave(environment, north, tmp_path):
    ref = Pseudonyms(KEY.encode()).ref("Observation", "weight-17")
    (tmp_path / "north.toml").write_text(
        'site = "north"\nname = "North"\ntime_zone = "UTC"\nsubject_key = "env:KEY"\n[files]\nfolder = "."\n'
    )
    with north.state.database.write() as connection:
        rows = connection.exec_driver_sql("select id from record order by number limit 1").scalar_one()
        connection.exec_driver_sql("update record set id = ? where id = ?", (ref + bytes(4), rows))
    command = [
        "trace",
        "--source",
        "Observation/weight-17",
        "--site",
        str(tmp_path / "north.toml"),
        "--json",
        "--no-topic",
    ]
    said = CliRunner().invoke(app, command, env=environment)
    assert said.exit_code == 0, said.exception
    assert [each["record"] for each in json.loads(said.stdout)] == [f"r-{ref.hex()}00000000"]
    assert "weight-17" not in said.stdout
    none = CliRunner().invoke(app, [*command[:2], "Observation/another", *command[3:]], env=environment)
    assert getattr(none.exception, "exit_code", 0) == 78


@pytest.mark.parametrize(
    "value",
    [b"[]", b"{}", b'{"provenance":"x"}', b'{"provenance":[1]}', b"[" * 100_000, b"\xff", None],
    ids=lambda value: str(value)[:20],
)
def test_what_stands_under_the_records_key_is_told_whatever_it_is(value):
    """A stranger's record, or half of one, is one line of the trace, and stops it not."""
    sound = message("a", 1)
    for headers in (sound.headers, [("ce_type", b"x"), ("ce_source", b"\xff")], []):
        assert traced(sound._replace(value=value, headers=headers)).software == ""


@pytest.mark.parametrize("words", [[], ["r-1"], ["--source", "Observation/1"], ["--source", "x", "--site", "north"]])
@pytest.mark.slow
def test_what_cannot_be_followed_says_how_to_ask(environment, words):
    refused = CliRunner().invoke(app, ["trace", *words], env=environment)
    assert getattr(refused.exception, "fix", "")


def test_consumers_are_told_with_their_contract_and_as_metrics(environment, north):
    told = json.loads(CliRunner().invoke(app, ["consumers", "--json"], env=environment).stdout)
    assert {(each["group"], each["contract"], each["letters"]) for each in told} == {("tables", 1, 0)}
    metrics = CliRunner().invoke(app, ["consumers", "--metrics"], env=environment).stdout
    assert {line.split("{")[0].split(" ")[0] for line in metrics.splitlines()} == {"#", *METRICS}
    topic = outcome_topic(north.stream.network)
    assert f'mainstem_consumer_lag{{group="tables",topic="{topic}"}} 0.000' in metrics
    assert "# TYPE mainstem_consumer_freshness_seconds gauge" in metrics
