"""Results come back to a site: the last told of each, as FHIR MeasureReports or as they came; nothing of other sites."""

import json
import stat
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
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


def report_of(*values: bytes) -> dict[str, Any]:
    (report,) = measure_reports(standing_of(values, "north").results)
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


def test_the_last_one_told_stands_and_what_cannot_be_read_is_counted() -> None:
    """In the order of the topic, whatever the numbers say: a registry that was made anew counts from one again."""
    found = standing_of([told(sequence=9), told("west"), b"{", None, told(sequence=1, populations=None)], "north")

    assert [(each.sequence, each.populations) for each in found.results] == [(1, None)]
    assert found.unreadable == 2


def test_a_site_pulls_its_results_from_the_stream(stream: Any, tmp_path: Path) -> None:
    """Into a file of its owner alone; as events on standard output; a site of which nothing was told is told so."""
    producer = KafkaProducer(bootstrap_servers=stream.bootstrap, acks="all")
    for value in (told(), told("west"), told(sequence=2, populations=SEEN | {"numerator": 7})):
        producer.send(feedback_topic(stream.network), key=b"any", value=value).get(timeout=20)
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
