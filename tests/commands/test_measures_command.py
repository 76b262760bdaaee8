"""`mainstem measures`: published cases are mapped, evaluated and compared; what a measure says, and why somebody is in."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.measurereport import MeasureReport
from network_under_test import Network
from persons import OURS, born, diagnosis, insert, result, value_sets, visit

from services.measures.library import measures
from services.measures.official import cms122, common, definition, names
from services.measures.official.editions import EDITIONS
from services.registry.database import open_registry

SNOMED = "http://snomed.info/sct"
CODES = {cms122.DIABETES.oid: "44054006", common.OFFICE.oid: "185463005", cms122.HBA1C.oid: "43396009"}
DECKS = Path(__file__).parents[3] / "shared" / "decks"
AGAINST_ITS_LOGIC = {("CMS122", 2025): ("5ed37c9e-85a3-4819-8051-3d960159cae0",)}
"""Cases whose published counts contradict those of others: the same coded answer for a result counts there, not here."""


def _patient(name: str, *resources: dict[str, Any]) -> str:
    patient = {"resourceType": "Patient", "id": name, "birthDate": "1970-06-15"}
    subject = {"subject": {"reference": f"Patient/{name}"}}
    found = [patient, *({"id": f"{name}-{n}"} | subject | each for n, each in enumerate(resources))]
    return "".join(json.dumps(each) + "\n" for each in found)


def _coded(oid: str) -> dict[str, Any]:
    return {"coding": [{"system": SNOMED, "code": CODES[oid]}]}


def _status(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


VISIT = {
    "resourceType": "Encounter",
    "status": "finished",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
    "type": [_coded(common.OFFICE.oid)],
    "period": {"start": "2026-03-01T09:00:00Z", "end": "2026-03-01T09:30:00Z"},
}
DIABETES = {
    "resourceType": "Condition",
    "clinicalStatus": _status("condition-clinical", "active"),
    "category": [_status("condition-category", "encounter-diagnosis")],
    "code": _coded(cms122.DIABETES.oid),
    "onsetDateTime": "2019-05-01",
}


def _hba1c(percent: float) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [_status("observation-category", "laboratory")],
        "code": {"coding": [{"system": "http://loinc.org", "code": "97506-0"}]},
        "effectiveDateTime": "2026-03-01T09:10:00Z",
        "valueQuantity": {"value": percent, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
    }


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """The value sets of CMS122."""
    return sets_of("CMS122", tmp_path)


def sets_of(measure: str, tmp_path: Path, year: int = 2026) -> Path:
    """Value sets with a code each, beside those that are there."""
    folder = tmp_path / "valuesets"
    folder.mkdir(exist_ok=True)
    for oid, expanded in value_sets(definition(measure, year).groups).by_url.items():
        code = {"system": SNOMED, "code": CODES[oid]} if oid in CODES else {"system": OURS, "code": oid}
        resource = {"resourceType": "ValueSet", "url": oid, "title": expanded.title, "expansion": {"contains": [code]}}
        (folder / f"{oid}.json").write_text(json.dumps(resource))
    return folder


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Three cases as they are published."""
    folder = tmp_path / "cases"
    counts = {"initial-population": 1, "denominator": 1, "denominator-exclusion": 0}
    expected: dict[str, Any] = {}
    for name, percent, met in (("high", 9.4, 1), ("low", 8.0, 0)):
        (folder / name).mkdir(parents=True)
        (folder / name / "bundle.ndjson").write_text(_patient(name, VISIT, DIABETES, _hba1c(percent)))
        expected[name] = counts | {"numerator": met}
    (folder / "unseen").mkdir()
    (folder / "unseen" / "bundle.ndjson").write_text(_patient("unseen", DIABETES))
    expected["unseen"] = dict.fromkeys([*counts, "numerator"], 0)
    (folder / "expected.json").write_text(json.dumps(expected))
    return folder


def _expecting(counts: dict[str, Any]) -> Callable[[Path], object]:
    return lambda folder: (folder / "expected.json").write_text(json.dumps(counts))


def _one_deeper(folder: Path) -> None:
    moved = folder.rename(folder.parent / "moved")
    folder.mkdir()
    moved.rename(folder / "CMS122")


def _cut_off(folder: Path) -> None:
    bundle = folder / "high" / "bundle.ndjson"
    first, second, *others = bundle.read_text().splitlines()
    bundle.write_text("\n".join([first, second[:40], *others, ""]))


def test_cases_that_hold_pass(lhn: Network, cases: Path, sets: Path) -> None:
    done = lhn.mainstem("measures", "verify", "CMS122", cases, "--valuesets", sets, "--year", "2026", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"measure": "CMS122", "year": 2026, "cases": 3, "passed": 3, "failed": []}


def test_a_case_that_differs_is_told_with_the_reason(lhn: Network, cases: Path, sets: Path) -> None:
    expected = json.loads((cases / "expected.json").read_text())
    expected["high"]["numerator"] = 0
    (cases / "expected.json").write_text(json.dumps(expected))
    done = lhn.here("measures", "verify", "cms122", cases, "--valuesets", sets)
    assert done.returncode == 1
    assert "numerator of rate 1: expected 0, got 1" in done.stdout
    assert "yes: The lowest of the last day is above 9 %" in done.stdout
    assert "CMS122: 2 of 3 cases pass" in done.stdout
    told = lhn.here("measures", "verify", "CMS122", cases, "--valuesets", sets, "--json")
    assert json.loads(told.stdout)["failed"] == [
        {"case": "high", "group": 1, "population": "numerator", "expected": 0, "got": 1}
    ]


def test_a_denominator_that_differs_is_told_by_who_is_in_it(lhn: Network, cases: Path, sets: Path) -> None:
    """These measures have no condition of their own for it; a population that a measure does not know is told so too."""
    expected = {"unseen": {"denominator": 1, "initial-population": 1}, "high": {"denominator-exception": 1}}
    (cases / "expected.json").write_text(json.dumps(expected))
    done = lhn.here("measures", "verify", "CMS122", cases, "--valuesets", sets)
    assert done.returncode == 1, done.stderr
    assert "denominator of rate 1: expected 1, got 0" in done.stdout
    assert "no: Visit in the period" in done.stdout
    assert "denominator-exception of rate 1: expected 1, got 0" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("verify", "CMS999", "{cases}", "--valuesets", "{sets}"), "no measure"),
        (("verify", "CMS122", "{cases}", "--valuesets", "{sets}", "--year", "1999"), "no measurement year 1999"),
        (("verify", "CMS122", "{sets}", "--valuesets", "{sets}"), "expected.json"),
        (("verify", "CMS165", "{cases}", "--valuesets", "{sets}"), "no value set 2.16"),
        (("verify", "CMS155", "{cases}", "--valuesets", "{cases}"), "no FHIR ValueSet"),
    ],
)
def test_what_cannot_be_verified_is_refused_with_its_cause(
    lhn: Network, cases: Path, sets: Path, arguments: tuple[str, ...], cause: str
) -> None:
    done = lhn.here("measures", *(each.format(cases=cases, sets=sets) for each in arguments))
    assert done.returncode == 78
    assert cause in done.stderr


COUNTS_ONE = {"initial-population": 1}
ODD_FOLDERS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no folder": (shutil.rmtree, "no such folder", "Give the folder that holds the cases"),
    "a file": (lambda folder: (shutil.rmtree(folder), folder.touch()), "a file, not a folder", "Give the folder"),
    "nothing in it": (lambda folder: (shutil.rmtree(folder), folder.mkdir()), "no expected.json in it", "Give the"),
    "decks in it": (
        _one_deeper,
        "no expected.json in it",
        "Give one of those in it: CMS122.",
    ),
    "counts cut off": (
        lambda folder: (folder / "expected.json").write_text('{"high":\n {"numerator": 1'),
        "expected.json: not readable as JSON, line 2",
        'Write {"case"',
    ),
    "no counts": (_expecting({"high": {}}), "high has no counts by population", "its counts by FHIR's populations"),
    "counts that are none": (_expecting({"high": {"numerator": True}}), "high has no counts by population", "counts"),
    "a population of none": (_expecting({"high": {"numerater": 0}}), "high counts 'numerater'", "counts by FHIR's"),
    "a case that is not there": (_expecting({"lost": COUNTS_ONE}), "of lost there is no", "folder with a bundle"),
    "a case elsewhere": (_expecting({"../cases/high": COUNTS_ONE}), "of ../cases/high there is no", "folder"),
    "a line cut off": (_cut_off, "high/bundle.ndjson, line 2: The line is not valid JSON", "Copy it again"),
    "another measure's": (_expecting({"high": [COUNTS_ONE] * 3}), "high: 3 groups are expected, CMS122 has 1", "cases"),
}


@pytest.mark.parametrize("odd", ODD_FOLDERS)
@pytest.mark.parametrize("as_json", [(), ("--json",)], ids=["words", "json"])
def test_an_odd_folder_is_refused_with_cause_and_fix(
    lhn: Network, cases: Path, sets: Path, odd: str, as_json: tuple[str, ...]
) -> None:
    """Nothing is compared, so nothing is said of any case."""
    make, cause, fix = ODD_FOLDERS[odd]
    make(cases)
    done = lhn.here("measures", "verify", "CMS122", cases, "--valuesets", sets, *as_json)
    assert (done.returncode, done.stdout) == (78, "")
    assert f"error: {cases}" in done.stderr or cause.startswith("high:")
    assert cause in done.stderr
    assert f"fix: {fix}" in done.stderr or fix in done.stderr.split("fix: ")[1]


@pytest.mark.parametrize("way", ["nowhere", "cases/expected.json"])
def test_value_sets_are_looked_for_in_a_folder(lhn: Network, cases: Path, way: str) -> None:
    done = lhn.here("measures", "verify", "CMS122", cases, "--valuesets", cases.parent / way)
    assert done.returncode == 78
    assert ("no such folder" if way == "nowhere" else "a file, not a folder") in done.stderr


def test_cases_without_expected_counts_are_told(lhn: Network, cases: Path, sets: Path) -> None:
    _expecting({"high": COUNTS_ONE})(cases)
    done = lhn.here("measures", "verify", "CMS122", cases, "--valuesets", sets, "--json")
    assert (done.returncode, json.loads(done.stdout)["cases"]) == (0, 1)
    assert "not compared, since expected.json says nothing of it: low and 1 more" in done.stderr


def test_cases_of_another_year_are_told_to_be(lhn: Network, cases: Path, tmp_path: Path) -> None:
    """Of those that fail, how many pass as that year's."""
    for bundle in cases.glob("*/bundle.ndjson"):
        bundle.write_text(bundle.read_text().replace("2026-03-01", "2025-03-01"))
    (tmp_path / "both").mkdir()
    sets_of("CMS122", tmp_path / "both", 2025)
    both = sets_of("CMS122", tmp_path / "both", 2026)
    done = lhn.here("measures", "verify", "CMS122", cases, "--valuesets", both, "--year", "2026")
    assert done.returncode == 1
    assert "2 of those that fail pass as cases of 2025: are they published for --year 2025?" in done.stderr


def test_a_case_of_several_patients_is_told(lhn: Network, cases: Path, sets: Path) -> None:
    bundle = cases / "high" / "bundle.ndjson"
    bundle.write_text(bundle.read_text() + _patient("other", VISIT))
    done = lhn.here("measures", "verify", "CMS122", cases, "--valuesets", sets)
    assert done.returncode == 0
    assert f"{bundle}: several patients" in done.stderr


def test_no_cases_are_published_of_a_networks_measure(lhn: Network, cases: Path, sets: Path) -> None:
    done = lhn.here("measures", "verify", "CF-2", cases, "--valuesets", sets)
    assert done.returncode == 78
    assert "CF-2 is a measure of the network" in done.stderr


def test_explain_names_each_step_with_its_answer_and_records(lhn: Network, cases: Path, sets: Path) -> None:
    done = lhn.here("measures", "explain", "CMS122", cases / "unseen" / "bundle.ndjson", "--valuesets", sets)
    assert "no: Visit in the period" in done.stdout
    assert "yes: Diabetes in the period (r-" in done.stdout
    assert "the lowest test of the last day: none" in done.stdout


def test_explain_tells_ages_and_what_the_records_say(lhn: Network, cases: Path, sets: Path) -> None:
    """Beside each record's id its day, value and status; an age by the day of birth."""
    done = lhn.here("measures", "explain", "CMS122", cases / "high" / "bundle.ndjson", "--valuesets", sets)
    said = done.stdout.splitlines()
    (age,) = {line.strip() for line in said if "18 to 75 years old at the end of the measurement period" in line}
    assert age.startswith("yes: ")
    assert " person born " in age
    (lowest,) = {line.strip() for line in said if "The lowest of the last day is above 9 %" in line}
    assert "the lowest test of the last day: r-" in lowest
    assert lowest.endswith(" observation 2026-03-01, 9.4 %, final)")


def test_what_is_asked_twice_is_answered_alike(lhn: Network, cases: Path, sets: Path) -> None:
    """Records are numbered as the resources stand, whatever key they were mapped with; so is what stands in one instant."""
    asked = ("measures", "explain", "CMS122", cases / "high" / "bundle.ndjson", "--valuesets", sets)
    first, second = (lhn.here(*asked).stdout for _ in range(2))
    assert first == second
    assert f"the lowest test of the last day: r-{3:032x} " in first


@pytest.fixture
def filled(lhn: Network) -> Network:
    """A registry with one in, one too old, one whose birth date nobody knows."""
    seen, ill = visit(common.OFFICE, "2026-03-01"), diagnosis(cms122.DIABETES, "2019", category=["encounter-diagnosis"])
    engine = open_registry(lhn.settings.registry_url)
    with engine.begin() as connection:
        for subject, birth in (("s-1", "1970-06-15"), ("s-2", "1940"), ("s-3", None)):
            mine = [coded_alike(record) for record in (born(birth), seen, ill)]
            for number, record in enumerate(mine):
                insert(connection, record | {"id": f"r-{subject}-{number}", "subject": subject, "site": "north"})
    engine.dispose()
    return lhn


COUNTS = {"initial-population": 1, "denominator": 1, "denominator-exclusion": 0, "numerator": 1, "unknown": 1}


def test_run_counts_the_registry_by_site_and_those_in_doubt(filled: Network, sets: Path) -> None:
    done = filled.here("measures", "run", "CMS122", "--valuesets", sets, "--year", "2026", "--json")
    assert json.loads(done.stdout) == [{"measure": "CMS122", "year": 2026, "rate": 1, "site": "north"} | COUNTS]


@pytest.mark.parametrize("kind", ["summary", "subject-list", "individual"])
@pytest.mark.slow
def test_results_are_measure_reports(filled: Network, sets: Path, kind: str) -> None:
    """One with counts alone, one that lists subjects, one for each who is in or may be."""
    done = filled.here("measures", "run", "CMS122", "--valuesets", sets, "--report", kind)
    reports = [MeasureReport.model_validate_json(line) for line in done.stdout.splitlines()]
    assert {report.type for report in reports} == {kind}
    if kind == "individual":
        assert [report.subject.identifier.value for report in reports] == ["s-1", "s-3"]
        return
    (group,) = reports[0].group
    assert {each.code.coding[0].code: each.count for each in group.population} == COUNTS
    assert group.measureScore.value == 1
    listed = [entry.item.identifier.value for each in reports[0].contained or [] for entry in each.entry]
    assert listed == (["s-1", "s-1", "s-1", "s-3"] if kind == "subject-list" else [])


OF_2026 = {
    "t1d1": (
        "share",
        [{"code": "4548-4", "value": 6.5, "unit": "%"}, {"code": "4548-4", "value": 8.0, "unit": "%"}],
        0.5,
    ),
    "t1d1m": (
        "level",
        [{"code": "4548-4", "value": 6.5, "unit": "%"}, {"code": "4548-4", "value": 8.0, "unit": "%"}],
        7.25,
    ),
}


@pytest.mark.parametrize("slug", OF_2026)
@pytest.mark.parametrize("kind", ["summary", "subject-list", "individual"])
@pytest.mark.slow
def test_results_of_the_networks_measures_are_measure_reports(lhn: Network, slug: str, kind: str) -> None:
    """Two with type 1 diabetes, one at 6.5 % and one at 8 %: a share of one half, a level of 7.25."""
    _, readings, score = OF_2026[slug]
    engine = open_registry(lhn.settings.registry_url)
    with engine.begin() as connection:
        for number, reading in enumerate(readings):
            ill = diagnosis(cms122.DIABETES, "2019-01-01") | {"icd10cm": "E10.9", "code": "46635009"}
            measured = result(cms122.HBA1C, "2026-03-01") | reading
            for place, record in enumerate((born("2012-06-15"), visit(common.OFFICE, "2026-03-01"), ill, measured)):
                own = {"id": f"r-{number}-{place}", "subject": f"s-{number}", "site": "north"}
                insert(connection, record | own)
    engine.dispose()
    done = lhn.here("measures", "run", slug, "--year", "2026", "--by", "year", "--report", kind)
    reports = [MeasureReport.model_validate_json(line) for line in done.stdout.splitlines()]
    assert {report.type for report in reports} == {kind}, done.stderr
    assert {report.measure for report in reports} == {
        f"urn:mainstem:measure:{measures()[slug].id}|{measures()[slug].version}"
    }
    if kind == "individual":
        assert [report.subject.identifier.value for report in reports] == ["s-0", "s-1"]
        return
    (report,) = reports
    (group,) = report.group
    counted = {each.code.coding[0].code: each.count for each in group.population}
    assert (counted["initial-population"], counted["denominator"], counted["set-aside"]) == (2, 2, 0)
    assert float(group.measureScore.value) == score
    listed = {entry.item.identifier.value for each in report.contained or [] for entry in each.entry}
    assert listed == ({"s-0", "s-1"} if kind == "subject-list" else set())


@pytest.mark.slow
def test_a_published_measure_is_told_by_its_strata(lhn: Network, tmp_path: Path) -> None:
    """CMS155 by age: beside everybody in the table, as stratifiers in the report; the strata add up to all."""
    engine = open_registry(lhn.settings.registry_url)
    with engine.begin() as connection:
        for number, day in enumerate(("2018-05-01", "2012-05-01", "2010-05-01")):
            for place, record in enumerate((born(day), coded_alike(visit(common.OFFICE, "2026-03-01")))):
                insert(connection, record | {"id": f"r-{number}-{place}", "subject": f"s-{number}", "site": "north"})
    engine.dispose()
    folder = sets_of("CMS155", tmp_path)
    asked = ("measures", "run", "CMS155", "--valuesets", folder)
    rows = json.loads(lhn.here(*asked, "--json").stdout)
    assert {(row["rate"], row["stratum"]): row["denominator"] for row in rows} == {
        (rate, stratum): count
        for rate in (1, 2, 3)
        for stratum, count in (("everybody", 3), ("3 to 11 years old", 1), ("12 to 17 years old", 2))
    }
    report = MeasureReport.model_validate_json(lhn.here(*asked, "--report", "summary").stdout)
    for group in report.group:
        told = {each.code[0].text: each.stratum[0].population for each in group.stratifier}
        assert {name: found[0].count for name, found in told.items()} == {
            "3 to 11 years old": 1,
            "12 to 17 years old": 2,
        }


@pytest.mark.slow
def test_explain_a_subject_of_the_registry(filled: Network, sets: Path) -> None:
    done = filled.here("measures", "explain", "CMS122", "--subject", "s-3", "--valuesets", sets)
    assert "unknown: 18 to 75 years old with diabetes and a visit" in done.stdout
    assert "yes: Diabetes in the period (r-s-3-2 condition 2019" in done.stdout
    missing = filled.here("measures", "explain", "CMS122", "--subject", "s-9", "--valuesets", sets)
    assert missing.returncode == 78
    assert "no such subject" in missing.stderr


def coded_alike(record: dict[str, Any]) -> dict[str, Any]:
    """With the codes of this file's value sets."""
    text = json.dumps(record)
    for oid, code in CODES.items():
        text = text.replace(f'"system": "{OURS}", "code": "{oid}"', f'"system": "{SNOMED}", "code": "{code}"')
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize(("name", "year"), [*((name, max(EDITIONS)) for name in names()), ("CMS2", min(EDITIONS))])
def test_every_measure_says_in_words_what_is_evaluated(lhn: Network, name: str, year: int) -> None:
    said = lhn.here("measures", "show", name, "--year", str(year)).stdout
    assert "initial population" in said
    assert "years or older" in said or "years old" in said
    assert "None" not in said
    assert "object at" not in said
    assert ("not as published: A diagnosis that was refuted" in said) == (name in ("CMS2", "CMS155"))
    assert "not as published: A time without fractions of a second" in said


@pytest.mark.parametrize(
    "deck", [(2025, "CMS122"), (2025, "CMS165"), (2026, "CMS122"), (2026, "CMS155"), (2026, "CMS165")]
)
def test_the_published_cases_that_are_at_hand(lhn: Network, deck: tuple[int, str]) -> None:
    year, name = deck
    if not DECKS.is_dir():
        pytest.skip("the published cases are not part of the project: they have licences of their own")
    sets = DECKS / str(year) / "valuesets"
    done = lhn.here(
        "measures", "verify", name, DECKS / str(year) / name, "--valuesets", sets, "--year", str(year), "--json"
    )
    failed = {each["case"] for each in json.loads(done.stdout)["failed"]}
    assert failed == set(AGAINST_ITS_LOGIC.get((name, year), ()))


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("CF-2", "--report", "summary", "--stratum", "sex"), "a report is made of everybody"),
        (("CF-2", "--report", "sum"), "no kind of report"),
        (("CMS122", "--stratum", "sex"), "CMS122 is a published measure"),
        (("CMS122", "--by", "quarter"), "CMS122 is a published measure"),
    ],
)
def test_what_a_measure_is_not_counted_by_is_refused_and_not_left_out(
    lhn: Network, asked: tuple[str, ...], told: str
) -> None:
    failed = lhn.here("measures", "run", *asked)
    assert failed.returncode == 78
    assert told in failed.stderr


def test_who_sets_somebody_aside_is_told_where_the_measure_does_not_count_them(lhn: Network) -> None:
    """Not at all: nothing is set aside. Not now: it is, and it is said."""
    engine = open_registry(lhn.settings.registry_url)
    ill = diagnosis(cms122.DIABETES, "2019-01-01") | {"icd10cm": "E10.9", "code": "46635009"}
    with engine.begin() as connection:
        for number, own in enumerate(([ill], [])):
            for place, record in enumerate((born("2012-06-15"), *own)):
                named = {"id": f"r-{number}-{place}", "subject": f"s-{number}", "site": "north"}
                insert(connection, record | named)
    engine.dispose()
    until = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    said = [
        lhn.here("measures", "set-aside", "T1D-1", "--subject", f"s-{number}", "--until", until) for number in (0, 1)
    ]
    assert [each.returncode for each in said] == [0, 78]
    assert "so this changes nothing yet: nothing of the last twelve months makes anybody count" in said[0].stdout
    assert "does not count this patient (nothing of theirs says" in said[1].stderr
