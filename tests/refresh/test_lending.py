"""What a report says of its results, and a panel of its members, over the nights and whatever comes first."""

import json
from pathlib import Path
from typing import Any

import pytest
from network_under_test import Network

from mainstem import refresh as steps

Json = dict[str, Any]
LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
DRAWN, LATER = "2026-03-02T10:00:00Z", "2026-03-03T10:00:00Z"


def result(name: str, **fields: Any) -> Json:
    """A haemoglobin."""
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "718-7"}]},
        "subject": {"reference": "Patient/kid-1"},
        "valueQuantity": {"value": 12.5, "unit": "g/dL", "system": UCUM, "code": "g/dL"},
        **fields,
    }


def report(name: str, *results: str, **fields: Any) -> Json:
    """A report that lists results."""
    return {
        "resourceType": "DiagnosticReport",
        "id": name,
        "status": "final",
        "code": {"text": "Blood count"},
        "subject": {"reference": "Patient/kid-1"},
        "effectiveDateTime": DRAWN,
        "result": [{"reference": f"Observation/{each}"} for each in results],
        **fields,
    }


def panel(name: str, *members: str, **fields: Any) -> Json:
    """A panel that lists its members, each a resource of its own."""
    listed = [{"reference": f"Observation/{each}"} for each in members]
    whole = result(name, effectiveDateTime=DRAWN, hasMember=listed, **fields)
    del whole["valueQuantity"]
    return whole


class Site:
    """A site that reads observations from a folder; its records as they stand."""

    def __init__(self, lhn: Network, folder: Path) -> None:
        self.lhn, self.folder = lhn, folder
        self.path = lhn.files_site("west", folder, types=["Observation"])

    def night(self, *resources: Json) -> Any:
        """The folder holds just these; the load's report."""
        self.folder.mkdir(exist_ok=True)
        for path in self.folder.iterdir():
            path.unlink()
        for resource in resources:
            with (self.folder / f"{resource['resourceType']}.ndjson").open("a") as file:
                file.write(json.dumps(resource) + "\n")
        return self.lhn.refresh(self.path)

    @property
    def records(self) -> list[Json]:
        """All current ones, by time and code."""
        from sqlalchemy import select

        from mainstem.state import tables

        row = tables.record.c
        with steps.open_refresh(self.path, self.lhn.settings) as refresh, refresh.store.database.read() as connection:
            found = connection.execute(
                select(row.content, row.provenance).where(row.content.is_not(None)).order_by(row.id)
            )
            return [json.loads(content) | json.loads(b"{%b}" % provenance) for content, provenance in found]

    @property
    def waiting(self) -> list[str]:
        """Reasons of what is in quarantine."""
        with steps.open_refresh(self.path, self.lhn.settings) as refresh:
            return [each.reason for each in refresh.store.quarantine.of("west")]


@pytest.fixture
def site(lhn: Network, tmp_path: Path) -> Site:
    return Site(lhn, tmp_path / "west")


def linked(record: Json) -> tuple[int, int]:
    """In how many reports and panels it is."""
    return len(record.get("reports", [])), len(record.get("panels", []))


def test_results_of_one_report_name_it(site: Site) -> None:
    """Those of another day's report another one; what is in no report names none. Every line is counted."""
    told = site.night(
        report("dr-1", "a", "b"),
        result("a", effectiveDateTime=DRAWN),
        result("b", effectiveDateTime=DRAWN),
        report("dr-2", "c"),
        result("c", effectiveDateTime=LATER),
        result("d", effectiveDateTime=LATER),
    )
    assert sorted(map(linked, site.records)) == [(0, 0), (1, 0), (1, 0), (1, 0)]
    names = [each for record in site.records for each in record.get("reports", [])]
    assert sorted(map(names.count, set(names))) == [1, 2]
    counts = told.types["DiagnosticReport"]
    assert (counts.read, counts.mapped, counts.records) == (2, 2, 0)


def test_a_report_that_comes_a_night_later_links_its_results(site: Site) -> None:
    """And one that changes links others: told once for each result that is told something else, and never twice."""
    site.night(result("a", effectiveDateTime=DRAWN), result("b", effectiveDateTime=DRAWN))
    assert list(map(linked, site.records)) == [(0, 0), (0, 0)]
    told = site.night(report("dr-1", "a"))
    assert (sorted(map(linked, site.records)), told.types["Observation"].amended) == ([(0, 0), (1, 0)], 1)
    told = site.night(report("dr-1", "b"))
    assert (sorted(map(linked, site.records)), told.types["Observation"].amended) == ([(0, 0), (1, 0)], 2)
    told = site.night(report("dr-1", "b"), result("a", effectiveDateTime=DRAWN), result("b", effectiveDateTime=DRAWN))
    assert told.published == 0


def test_a_line_that_is_recognised_keeps_the_link_and_one_that_changed_too(site: Site) -> None:
    """The report does not come again: a delta holds what changed."""
    site.night(report("dr-1", "a", "b"), result("a", effectiveDateTime=DRAWN), result("b", effectiveDateTime=DRAWN))
    told = site.night(result("a", effectiveDateTime=DRAWN), result("b", effectiveDateTime=DRAWN, status="amended"))
    assert (told.types["Observation"].recognised, told.types["Observation"].amended) == (1, 1)
    assert list(map(linked, site.records)) == [(1, 0), (1, 0)]


def test_a_result_of_two_reports_takes_the_earlier_time(site: Site) -> None:
    site.night(report("dr-1", "a", effectiveDateTime=LATER), report("dr-2", "a"), result("a"))
    (record,) = site.records
    assert (record["effective"], record["flags"]) == (DRAWN, ["several:report-time", "time-report"])


def test_a_result_without_a_time_takes_its_reports(site: Site) -> None:
    """Before the report it has none and gives no record; a report that is corrected gives it another time."""
    site.night(result("a"))
    assert (site.records, site.waiting) == ([], ["missing-time"])
    site.night(report("dr-1", "a"))
    (record,) = site.records
    assert (record["effective"], record["flags"], linked(record)) == (DRAWN, ["time-report"], (1, 0))
    assert site.waiting == []
    told = site.night(report("dr-1", "a", effectiveDateTime=LATER, status="corrected"))
    assert ([each["effective"] for each in site.records], told.types["Observation"].amended) == ([LATER], 1)
    site.night(result("a", effectiveDateTime="2026-03-01"))
    site.night(report("dr-1", "a", effectiveDateTime=DRAWN))
    assert [(each["effective_date"], each.get("flags")) for each in site.records] == [("2026-03-01", None)], (
        "its own time wins, and the line without one does not come back"
    )


GONE: list[Json] = [
    {"status": "entered-in-error"},
    {"status": "cancelled"},
    {"status": "withdrawn by somebody"},
    {"meta": {"deleted": True}},
    {"modifierExtension": [{"url": "https://acme.example/odd", "valueBoolean": True}]},
    {"implicitRules": "https://acme.example/rules"},
    {"codedDiagnosis": [{"text": "of another FHIR version"}]},
]


def test_a_report_that_is_no_more_takes_back_what_it_lent(site: Site) -> None:
    """Its results stand, for they have a status of their own; one that had its time from it alone does not."""
    reports = [report(f"dr-{number}", f"a-{number}", f"b-{number}") for number in range(len(GONE))]
    dated = [result(f"a-{number}", effectiveDateTime=DRAWN) for number in range(len(GONE))]
    site.night(*reports, *dated, *(result(f"b-{number}") for number in range(len(GONE))))
    assert list(map(linked, site.records)) == [(1, 0)] * 2 * len(GONE)
    told = site.night(*(each | gone for each, gone in zip(reports, GONE, strict=True)))
    assert [(each["effective"], linked(each), "flags" in each) for each in site.records] == [
        (DRAWN, (0, 0), False)
    ] * len(GONE)
    counts = told.types["DiagnosticReport"]
    assert (counts.read, counts.mapped, sum(counts.skipped.values()), counts.retracted) == (7, 3, 4, 2)
    site.night(*reports)
    assert list(map(linked, site.records)) == [(1, 0)] * 2 * len(GONE), "healed when usable ones come"


def test_a_report_that_is_not_final_says_the_same(site: Site) -> None:
    """Neither who belongs together nor when a sample was taken hangs on that."""
    status = ("registered", "partial", "preliminary", "amended", "corrected", "appended", "unknown")
    reports = [report(f"dr-{each}", f"of-{each}", status=each) for each in status]
    site.night(*reports, *(result(f"of-{each}") for each in status))
    assert [(each["effective"], linked(each)) for each in site.records] == [(DRAWN, (1, 0))] * len(status)


def test_a_report_of_somebody_else_gives_no_time(site: Site) -> None:
    other = {"subject": {"reference": "Patient/kid-2"}}
    site.night(report("dr-1", "a") | other, result("a"))
    assert (site.records, site.waiting) == ([], ["missing-time"])


def test_an_older_version_of_a_report_says_nothing_more(site: Site) -> None:
    new, old = {"lastUpdated": "2026-03-05T00:00:00Z"}, {"lastUpdated": "2026-03-04T00:00:00Z"}
    site.night(
        report("dr-1", "a", meta=new), result("a", effectiveDateTime=DRAWN), result("b", effectiveDateTime=DRAWN)
    )
    told = site.night(report("dr-1", "b", meta=old))
    assert (sorted(map(linked, site.records)), told.published) == ([(0, 0), (1, 0)], 0)


def test_members_name_their_panel_and_the_panel_its_members(site: Site) -> None:
    """Though only the panel says so, whichever comes first; a panel that loses a member is named by it no more."""
    site.night(result("a", effectiveDateTime=DRAWN), panel("p", "a", "b"), result("b", effectiveDateTime=DRAWN))
    whole = next(each for each in site.records if each.get("members"))
    assert [each["id"] for each in site.records if each.get("panels") == [whole["id"]]] == whole["members"]
    site.night(panel("p", "a"))
    assert sorted(map(linked, site.records)) == [(0, 0), (0, 0), (0, 1)]
    site.night(panel("p", "a", status="entered-in-error"))
    assert sorted(map(linked, site.records)) == [(0, 0), (0, 0)]


def test_a_panel_that_lists_nothing_more_lets_its_members_go(site: Site) -> None:
    site.night(panel("p", "a"), result("a", effectiveDateTime=DRAWN))
    site.night(result("p", effectiveDateTime=DRAWN))
    assert sorted(map(linked, site.records)) == [(0, 0), (0, 0)]


def test_what_belongs_to_a_merged_patient_stays_linked_and_goes_back(site: Site) -> None:
    """A link that comes later does not make the record forget whose it was."""
    site.night(result("a", effectiveDateTime=DRAWN))
    with steps.open_refresh(site.path, site.lhn.settings) as refresh:
        (subject,) = [bytes.fromhex(each["subject"][2:]) for each in site.records]
        refresh.store.aliases.add("west", subject, b"the survivor 16.", "merged", refresh.clock())
    site.night(report("dr-1", "a"))
    (record,) = site.records
    assert (linked(record), record["subject"]) == ((1, 0), "s-" + b"the survivor 16.".hex())
    with steps.open_refresh(site.path, site.lhn.settings) as refresh:
        assert refresh.store.aliases.end("west", subject, refresh.clock()) == 1
    (record,) = site.records
    assert (linked(record), record["subject"]) == ((1, 0), "s-" + subject.hex())


@pytest.mark.slow
def test_contained_results_are_the_reports_own_over_the_nights(site: Site) -> None:
    """One that changes is amended, one that is gone withdrawn, and all with the report; an older report changes nothing."""

    def told(*names: str, day: int, **fields: Any) -> Json:
        inside = [{key: value for key, value in result(name, **fields).items() if key != "subject"} for name in names]
        listed = [{"reference": f"#{name}"} for name in names]
        return report("dr-1", contained=inside, result=listed, meta={"lastUpdated": f"2026-03-0{day}T00:00:00Z"})

    other = result("z", effectiveDateTime=DRAWN)
    counts = site.night(told("a", "b", day=3), other).types["DiagnosticReport"]
    assert (counts.read, counts.mapped, counts.records, counts.recorded) == (1, 1, 2, 2)
    assert sorted(map(linked, site.records)) == [(0, 0), (1, 0), (1, 0)]
    assert site.night(told("a", "b", day=4), other).published == 0
    changed = {"valueQuantity": {"value": 11, "unit": "g/dL", "system": UCUM, "code": "g/dL"}}
    counts = site.night(told("a", day=5, **changed), other).types["DiagnosticReport"]
    assert (counts.amended, counts.withdrawn) == (1, 1)
    assert site.night(told("a", "b", day=2), other).published == 0
    assert sorted(record["value"] for record in site.records) == [11, 12.5]
    site.night(report("dr-1", "z", meta={"lastUpdated": "2026-03-06T00:00:00Z"}), other)
    assert [(linked(record), record["value"]) for record in site.records] == [((1, 0), 12.5)]
    site.night(told("a", day=7), other)
    assert len(site.records) == 2
    site.night(told("a", day=8) | {"status": "entered-in-error"}, other)
    assert list(map(linked, site.records)) == [(0, 0)]


@pytest.mark.slow
def test_an_assessment_stands_beside_its_observation_through_the_nights(site: Site) -> None:
    """A report that comes later takes nothing from it; the same again changes nothing; another code takes it away."""
    code = {"coding": [{"system": "urn:clinic", "code": "PUCAI"}]}
    score = result("score", code=code, effectiveDateTime=DRAWN, valueQuantity={"value": 40})
    site.night(score)
    assert [each["type"] for each in site.records] == ["observation", "disease_assessment"]
    site.night(report("visit", "score"))
    told = {each["type"]: each for each in site.records}
    assert told["observation"]["reports"]
    assert told["disease_assessment"]["score"] == 40
    again = site.night(score).total
    assert (again.recorded, again.amended, again.withdrawn, again.unchanged) == (0, 0, 0, 2)
    site.night(score | {"code": {"coding": [{"system": "urn:clinic", "code": "other"}]}})
    assert [each["type"] for each in site.records] == ["observation"]
