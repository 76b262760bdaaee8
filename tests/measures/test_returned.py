"""Results come back to a site: the last told of each, as FHIR MeasureReports or as they came; nothing of other sites."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from services_cases import KafkaRecord
from typer.testing import CliRunner

from mainstem.commands import app
from schemas.events import feedback_topic
from services.measures.returned import measure_reports, standing_of

SEEN = {
    "initial-population": 12,
    "denominator": 10,
    "denominator-exclusion": 2,
    "numerator": 6,
    "set-aside": 1,
    "unknown": 3,
}


def told(site: str = "north", **other: Any) -> bytes:
    """A result of IBD-1 in October."""
    content = {
        "event": "measured",
        "site": site,
        "measure": "IBD-1",
        "version": "1",
        "period": {"name": "2026-10", "first": "2026-10-01", "last": "2026-10-31"},
        "sequence": 1,
        "computed": "2026-11-02T05:00:00Z",
        "populations": SEEN,
        "completeness": {"encounter": "loaded"},
    }
    return json.dumps(content | other).encode()


def sent(value: bytes, **changed: Any) -> KafkaRecord:
    """As the centre's publisher sends it, but for what is changed: `key`, or a header by its name."""
    site = json.loads(value)["site"] if value.startswith(b'{"') else "north"
    headers = {
        "ce_specversion": b"1.0",
        "ce_id": b"3b958ce3-ad02-5106-b70b-b15bd9e8ef6e",
        "ce_source": b"/site/centre",
        "ce_type": b"lhn.feedback.measured.v1",
        "ce_time": b"2026-11-02T05:00:00Z",
        "ce_subject": b"IBD-1/1/2026-10/1/north/1",
        "ce_dataschema": b"/schemas/feedback.v1.json",
        "content-type": b"application/json",
    }
    given = headers | {name: text for name, text in changed.items() if name in headers}
    return KafkaRecord(
        changed.get("key", site.encode()), value, [each for each in given.items() if each[1] is not None]
    )


def report_of(*values: bytes) -> dict[str, Any]:
    (report,) = measure_reports(standing_of(map(sent, values), "north").results)
    return report


def test_a_result_is_a_measure_report_whose_figures_add_up() -> None:
    """A share of those who count; ours beside FHIR's populations, under names of their own."""
    report = report_of(told())
    (group,) = report["group"]
    counts = {each["code"]["coding"][0]["code"]: each["count"] for each in group["population"]}
    systems = {each["code"]["coding"][0]["code"]: each["code"]["coding"][0]["system"] for each in group["population"]}

    assert (report["status"], report["type"], report["measure"]) == (
        "complete",
        "summary",
        "urn:mainstem:measure:IBD-1|1",
    )
    assert report["period"] == {"start": "2026-10-01", "end": "2026-10-31"}
    assert report["reporter"]["identifier"]["value"] == "north"
    assert report["improvementNotation"]["coding"][0]["code"] == "increase"
    assert counts == SEEN
    assert group["measureScore"] == {"value": 0.75}
    assert "terminology.hl7.org" in systems["numerator"]
    assert "terminology.hl7.org" not in systems["set-aside"]
    assert "extension" not in report


def test_what_was_never_loaded_is_no_zero() -> None:
    """No counts and no score; the type is named."""
    report = report_of(told(populations=None, completeness={"encounter": "not loaded", "condition": "loaded"}))

    assert report["status"] == "pending"
    assert "group" not in report
    assert [each["valueString"] for each in report["extension"]] == ["encounter: not loaded"]


def test_nobody_to_count_has_no_score() -> None:
    """All were excluded: nought of nought is no share."""
    (group,) = report_of(told(populations=SEEN | {"denominator-exclusion": 10, "numerator": 0}))["group"]

    assert "measureScore" not in group


def test_a_rate_counts_person_years_and_a_level_is_a_mean() -> None:
    """T1D-2 in 100 years of one person; CF-1 in per cent."""
    (rate,) = report_of(told(measure="T1D-2", events=3, days=36525))["group"]
    (level,) = report_of(told(measure="CF-1", mean=81.25))["group"]
    (unknown,) = report_of(told(measure="CF-1", mean=None))["group"]

    assert rate["measureScore"] == {"value": 3.0, "unit": "/(100 person-years)"}
    assert level["measureScore"] == {"value": 81.25, "unit": "%"}
    assert "measureScore" not in unknown


def test_rates_of_a_published_measure_are_groups_of_one_report() -> None:
    """Three rates, one report."""
    report = report_of(*(told(measure="CMS155", rate=rate) for rate in (2, 1, 3)))

    assert len(report["group"]) == 3
    assert "improvementNotation" not in report


def test_groups_are_stratifiers_of_the_report() -> None:
    """By sex, by a published measure's own strata; of some it is not known; each with its score."""
    part = {"populations": SEEN | {"denominator": 10, "denominator-exclusion": 0, "numerator": 5}}
    sex = [{"group": "female", **part}, {"group": "male", **part}, {"group": None, **part}]
    (group,) = report_of(told(strata={"sex": sex, "stratum": [{"group": "12 to 17 years old", **part}]}))["group"]

    by_sex, by_age = group["stratifier"]
    assert (by_sex["code"], by_age["code"]) == ([{"text": "sex"}], [{"text": "stratum"}])
    assert [each["value"]["text"] for each in by_sex["stratum"]] == ["female", "male", "not known"]
    assert [each["measureScore"]["value"] for each in by_sex["stratum"]] == [0.5] * 3
    assert by_age["stratum"][0]["value"] == {"text": "12 to 17 years old"}


def test_a_group_of_a_level_has_a_mean_where_it_is_told() -> None:
    sex = [{"group": "female", "populations": SEEN, "mean": 80.5}, {"group": "male", "populations": SEEN}]
    (group,) = report_of(told(measure="CF-1", mean=81.25, strata={"sex": sex}))["group"]

    assert [each.get("measureScore") for each in group["stratifier"][0]["stratum"]] == [
        {"value": 80.5, "unit": "%"},
        None,
    ]


def test_the_last_one_told_stands_and_what_cannot_be_read_is_counted() -> None:
    """In the order of the topic, whatever the numbers say: a registry that was made anew counts from one again."""
    values = (told(sequence=9), told("west"), b"{", b"", told(sequence=1, populations=None))
    found = standing_of(map(sent, values), "north")

    assert [(each.sequence, each.populations) for each in found.results] == [(1, None)]
    assert found.unreadable == 2


HOSTILE: dict[str, KafkaRecord] = {
    "nothing": KafkaRecord(b"north", None, []),
    "no headers": KafkaRecord(b"north", told(), []),
    "of the next major": sent(told(), ce_type=b"lhn.feedback.measured.v2"),
    "another kind": sent(told(), ce_type=b"lhn.load.measured.v1"),
    "another event": sent(told(), ce_type=b"lhn.feedback.signalled.v1"),
    "no time": sent(told(), ce_time=None),
    "under another's key": sent(told(), key=b"west"),
    "computed without a zone": sent(told(computed="2026-11-02T05:00:00")),
    "computed beyond time": sent(told(computed="9999-12-31T23:59:59-14:00")),
    "a period that ends before it begins": sent(
        told(period={"name": "2026-10", "first": "2026-10-31", "last": "2026-10-01"})
    ),
    "fewer than nobody": sent(told(populations=SEEN | {"denominator": -3})),
    "no number": sent(told(measure="CF-1").replace(b'"completeness"', b'"mean": NaN, "completeness"')),
    "a mean without end": sent(told(measure="CF-1").replace(b'"completeness"', b'"mean": Infinity, "completeness"')),
    "a name with line breaks": sent(told(measure="IBD-1\n\x1b[2J")),
    "a code with blanks": sent(told(populations={" \t": 1})),
    "a state of words": sent(told(completeness={"encounter": "loaded\nall of it"})),
    "a group with line breaks": sent(told(strata={"sex": [{"group": "male\nfemale", "populations": {}}]})),
    "a group of fewer than nobody": sent(told(strata={"sex": [{"group": "male", "populations": {"numerator": -1}}]})),
    "a kind with control characters": sent(told(strata={"sex\x1b[2J": []})),
    "a rate of words": sent(told(rate="one")),
    "another site's words": sent(told(site="north/../west"), key=b"north"),
}
"""What may stand in the topic without being a result."""


@pytest.mark.parametrize("fault", HOSTILE)
def test_what_is_no_result_is_counted_and_replaces_none(fault: str) -> None:
    """Whoever fetches goes on, and has what was told before."""
    found = standing_of([sent(told()), HOSTILE[fault]], "north")

    assert [each.populations for each in found.results] == [SEEN]
    assert found.unreadable == 1
    assert len(list(measure_reports(found.results))) == 1


def test_a_result_without_a_numerator_has_no_score() -> None:
    (group,) = report_of(told(populations={"denominator": 5}))["group"]
    assert "measureScore" not in group


def test_a_site_pulls_its_results_from_the_stream(stream: Any, tmp_path: Path) -> None:
    """Into a file of its owner alone; as events on standard output; a site of which nothing was told is told so."""
    producer = KafkaProducer(bootstrap_servers=stream.bootstrap, acks="all")
    for record in map(sent, (told(), told("west"), told(sequence=2, populations=SEEN | {"numerator": 7}))):
        producer.send(feedback_topic(stream.network), record.value, record.key, record.headers).get(timeout=60)
    producer.close()
    to = tmp_path / "results.ndjson"

    def pull(site: str, *more: str) -> Any:
        environment = {"MAINSTEM_KAFKA": stream.bootstrap, "MAINSTEM_NETWORK": stream.network}
        return CliRunner().invoke(app, ["feedback", "pull", "--site", site, *more], env=environment)

    written, events, nothing = pull("north", "--to", str(to)), pull("west", "--as", "events"), pull("east")

    assert written.exit_code == 0, written.output
    (line,) = to.read_text().splitlines()
    assert json.loads(line)["group"][0]["measureScore"] == {"value": 0.875}
    assert stat.S_IMODE(to.stat().st_mode) == 0o600
    assert "1 of north, of measures IBD-1" in written.output
    (event,) = events.stdout.splitlines()
    assert (json.loads(event)["site"], json.loads(event)["sequence"]) == ("west", 1)
    assert nothing.exit_code != 0
    assert "holds no result of site east" in str(nothing.exception)
