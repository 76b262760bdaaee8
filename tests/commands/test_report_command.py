"""`mainstem report`: what is told to a site, by line and by part, as a page and as a spreadsheet."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from browser import browser
from network_under_test import Network
from pages_served import serving

from services.access.database import AccessDatabase
from services.access.gate import Gate
from services.access.login import SessionEntrance
from services.access.sessions import Sessions
from services.access.views import Views
from services.pages.app import make_app
from services.people.contests import Answer, ContestReason, answer_contest, contests, raise_contest
from services.registry.database import open_registry
from services.registry.holders import Holders, make_for_pages
from services.registry.tokens import revoke

LOINC = "http://loinc.org"


def reading(ident: str, unit: str, **values: Any) -> dict[str, Any]:
    """A weight; `values` are other fields."""
    return {
        "resourceType": "Observation",
        "id": ident,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "29463-7"}]},
        "subject": {"reference": "Patient/kid-1"},
        "effectiveDateTime": "2026-03-02T10:00:00Z",
        "valueQuantity": {"value": 31, "unit": unit},
        **values,
    }


def part(code: str, unit: str) -> dict[str, Any]:
    return {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueQuantity": {"value": 77, "unit": unit}}


@pytest.fixture
def site(lhn: Network) -> Path:
    """Two nights: a good reading whose correction cannot be used, one that never could, a panel with an unusable part."""
    folder = lhn.folder / "delivery"
    folder.mkdir()
    path = lhn.files_site("west", folder, types=["Observation"])
    panel = reading("bp-1", "", component=[part("8480-6", "mmHg"), part("8462-4", "cubits")])
    del panel["valueQuantity"]
    nights = [
        [reading("wt-1", "kg"), reading("<b>wt-2</b>", "kg", effectiveDateTime=None)],
        [reading("wt-1", "cubits"), reading("<b>wt-2</b>", "kg", effectiveDateTime=None), panel],
    ]
    for night in nights:
        (folder / "Observation.ndjson").write_text("".join(json.dumps(each) + "\n" for each in night))
        lhn.refresh(path)
    return path


def test_every_resource_and_part_is_a_line_with_one_reason(lhn: Network, site: Path) -> None:
    """With what to do and who; what stood before and was withdrawn for it is said."""
    told = json.loads(lhn.here("report", "--site", site, "--json").stdout)
    lines = sorted(
        (each["reference"], each["what"], each["field"], each["reason"], each["withdrew"]) for each in told["lines"]
    )
    assert lines == [
        ("Observation/<b>wt-2</b>", "resource", "Observation.effective[x]", "missing-time", "no"),
        ("Observation/bp-1", "part", "Observation.component[1].valueQuantity.unit", "unknown-unit", "no"),
        ("Observation/wt-1", "resource", "Observation.valueQuantity.unit", "unknown-unit", "yes"),
    ]
    assert all(each["what_to_do"] and each["who"] for each in told["lines"])
    newest, first = told["loads"]
    assert (newest["read"], newest["mapped"], newest["unusable"], newest["parts_left_out"]) == (3, 1, 2, 1)
    assert (newest["withdrawn"], newest["source_unusable"]) == (1, 1)
    assert (first["read"], first["reasons"]) == (2, {"missing-time": 1})


def test_the_spreadsheet_holds_words_only(lhn: Network, site: Path) -> None:
    """A row a line; nothing in it is a formula; for its owner alone."""
    said = lhn.here("report", "--site", site, "--csv", "lines.csv")
    assert (said.returncode, said.stdout) == (0, "")
    path = lhn.folder / "lines.csv"
    assert path.stat().st_mode & 0o077 == 0
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert sorted(row["reason"] for row in rows) == ["missing-time", "unknown-unit", "unknown-unit"]
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]


def test_a_type_that_never_came_is_told_type_by_type(lhn: Network) -> None:
    """Beside one of which something came; a site of which nothing came does not read as one without faults."""
    folder = lhn.folder / "delivery"
    folder.mkdir()
    path = lhn.files_site("west", folder, types=["Observation", "Condition"])
    nothing = lhn.here("report", "--site", path, "--json")
    empty = lhn.here("report", "--site", path).stdout
    lhn.here("report", "--site", path, "--html", "empty.html")
    (folder / "Observation.ndjson").write_text(json.dumps(reading("wt-1", "kg")) + "\n")
    lhn.refresh(path)
    types = {
        each["resource_type"]: each for each in json.loads(lhn.here("report", "--site", path, "--json").stdout)["types"]
    }
    said = lhn.here("report", "--site", path).stdout
    lhn.here("report", "--site", path, "--html", "page.html")

    assert {each["state"] for each in json.loads(nothing.stdout)["types"]} == {"never came"}
    assert "never came, so unknown and not zero: Observation, Condition" in empty
    assert "Nothing ever came" in (lhn.folder / "empty.html").read_text()
    assert types["Observation"]["state"] == "came"
    assert types["Observation"]["whole_up_to"]
    assert (types["Condition"]["state"], types["Condition"]["whole_up_to"]) == ("never came", None)
    assert "never came, so unknown and not zero: Condition" in said
    assert "UTC: Observation" in said
    page = (lhn.folder / "page.html").read_text()
    assert "Of 1 of 2 types that the site is asked for nothing ever came" in page
    assert "Nothing ever came" not in page


def test_codes_without_a_meaning_stand_as_the_hospital_writes_them(lhn: Network) -> None:
    """Records carry a local system hashed; this report stays at the site."""
    folder = lhn.folder / "delivery"
    folder.mkdir()
    path = lhn.files_site("west", folder, types=["Observation"])
    own = {"coding": [{"system": "https://ward.example/codes", "code": "HT-at-home", "display": "BMI"}]}
    (folder / "Observation.ndjson").write_text(json.dumps(reading("wt-1", "kg", code=own)) + "\n")
    lhn.refresh(path)
    lhn.here("report", "--site", path, "--html", "page.html")
    page = (lhn.folder / "page.html").read_text()
    assert "https://ward.example/codes" in page
    assert "HT-at-home" in page
    assert "urn:mainstem:" not in page


@pytest.mark.slow
def test_the_terminal_says_what_to_do_and_how_it_goes(lhn: Network, site: Path) -> None:
    said = lhn.here("report", "--site", site).stdout
    assert "resources without a record: 2; parts of others: 1" in said
    assert "what stood before was withdrawn: of 1" in said
    assert "withdrawn 1 (1 for being unusable)" in said
    assert "Map the local unit in the site's code map." in said


@pytest.mark.slow
def test_contested_records_lead_to_the_hospitals_own_references(lhn: Network, site: Path) -> None:
    """Those that wait first; what is not kept, was computed, or is no record is said; on the terminal and the page."""
    kept = lhn.here("map", "--site", site, lhn.folder / "delivery" / "Observation.ndjson").stdout.splitlines()
    panel = next(each["record"] for each in map(json.loads, kept) if each["record"].get("code") == "8480-6")
    rows = [
        ("observation", panel["id"], "wrong-value", "2026-03-02 10:00:00+00:00", "stands-as-it-is"),
        ("observation", panel["id"], "twice", "2026-03-04 10:00:00+00:00", ""),
        ("observation", "r-" + 32 * "0", "wrong-unit", "2026-03-03 10:00:00+00:00", ""),
        ("derived_observation", "r-" + 32 * "1", "not-so", "2026-03-05 10:00:00+00:00", ""),
        ("novelty", "nothing", "of-later", "2026-03-06 10:00:00+00:00", ""),
    ]
    contested = lhn.folder / "contested.csv"
    contested.write_text("type,record,reason,at,answer,answered\n" + "".join(",".join(row) + ",\n" for row in rows))

    told = json.loads(lhn.here("report", "--site", site, "--contested", contested, "--json").stdout)["contested"]
    said = lhn.here("report", "--site", site, "--contested", contested).stdout
    lhn.here("report", "--site", site, "--contested", contested, "--html", lhn.folder / "page.html")
    contested.write_text("record\n")
    refused = lhn.here("report", "--site", site, "--contested", contested)

    assert [(each["reference"], each["reason"], each["answer"]) for each in told] == [
        ("", "The unit is wrong", ""),
        ("Observation/bp-1", "It is here twice", ""),
        ("", "The patient does not have or take this", ""),
        ("", "of-later", ""),
        ("Observation/bp-1", "The value is wrong", "Looked at: it is right as it is"),
    ]
    assert "Observation-" in told[1]["where"]
    assert "not among the lines" in told[0]["where"]
    assert "computed by Mainstem" in told[2]["where"]
    assert "contested Observation/bp-1: It is here twice; waits for an answer, on the pages: /contested/west" in said
    assert "What clinicians contest" in (lhn.folder / "page.html").read_text()
    assert refused.returncode != 0
    assert "no column type, reason, at, answer" in refused.stderr


@pytest.mark.slow
def test_a_report_asks_the_pages_what_is_contested_by_the_sites_own_token(lhn: Network, site: Path) -> None:
    """From the real pages; answered there, it stands answered in the next report; a token that is taken back is a note."""
    kept = lhn.here("map", "--site", site, lhn.folder / "delivery" / "Observation.ndjson").stdout.splitlines()
    panel = next(each["record"] for each in map(json.loads, kept) if each["record"].get("code") == "8480-6")
    lhn.consume()
    engine, at = open_registry(lhn.settings.registry_url), datetime(2026, 3, 2, 10, tzinfo=UTC)
    database = AccessDatabase.open(f"sqlite:///{lhn.folder}/access.db")
    with engine.begin() as connection:
        for name in ("west", "north"):
            record = ("observation", panel["id"])
            raise_contest(connection, name, record, ContestReason.TWICE, by="Ruth Adler", at=at)
        lasting = timedelta(days=90)
        secret = make_for_pages(connection, "report", "site-team", ("west",), now=datetime.now(UTC), lasting=lasting)
    (lhn.folder / "pages.token").write_text(f"{secret}\n")
    gate = Gate(SessionEntrance(Sessions(database), None, secure=True), Views(database), Holders(engine))  # type: ignore[arg-type]
    with serving(make_app(engine, network="lhn", gate=gate)) as address:
        asked = {"MAINSTEM_PAGES_ADDRESS": address, "MAINSTEM_PAGES_TOKEN": "file:pages.token"}
        waiting = json.loads(lhn.here("report", "--site", site, "--json", **asked).stdout)["contested"]
        with engine.begin() as connection:
            (one,) = contests(connection, "west")
            answer_contest(connection, "west", one.id, Answer.CORRECTED, by="Sam", at=at)
        answered = lhn.here("report", "--site", site, **asked)
        elsewhere = lhn.here("report", "--site", site, **asked | {"MAINSTEM_PAGES_ADDRESS": f"{address}/feedback"})
        with engine.begin() as connection:
            revoke(connection, "report", now=datetime.now(UTC))
        refused = lhn.here("report", "--site", site, **asked)
    gone, place = lhn.here("report", "--site", site, **asked), address.removeprefix("http://")
    engine.dispose()

    assert [(each["reference"], each["reason"], each["answer"]) for each in waiting] == [
        ("Observation/bp-1", "It is here twice", "")
    ]
    assert f"contested Observation/bp-1: It is here twice; {Answer.CORRECTED.words}" in answered.stdout
    assert (
        f"note what clinicians contest was not read: the pages at {place} do not take the token for west (401)"
        in refused.stdout
    )
    assert f"was not read: at the address of the pages at {place} there is no list for west (404)" in elsewhere.stdout
    assert f"was not read: the pages at {place} cannot be reached" in gone.stdout
    assert secret not in refused.stdout + refused.stderr + gone.stdout + gone.stderr


def test_a_token_goes_to_no_pages_in_the_open(lhn: Network, site: Path) -> None:
    (lhn.folder / "pages.token").write_text("secret")
    asked = {"MAINSTEM_PAGES_ADDRESS": "http://pages.example", "MAINSTEM_PAGES_TOKEN": "file:pages.token"}
    said = lhn.here("report", "--site", site, **asked).stdout
    assert "note what clinicians contest was not read: would send the site's token in the open" in said


@pytest.mark.browser
@pytest.mark.slow
def test_the_page_stands_alone_and_is_read_by_everybody(lhn: Network, site: Path) -> None:
    """No script, nothing fetched, one heading of the first rank, a caption and heads in every table; words stay words."""
    lhn.here("report", "--site", site, "--html", "page.html")
    asked: list[str] = []
    with browser() as opened:
        page = opened.new_context(java_script_enabled=True, viewport={"width": 390, "height": 800}).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"file://{lhn.folder / 'page.html'}")
        assert page.locator("h1").count() == 1
        assert page.locator("script").count() == 0
        tables = page.locator("table").count()
        assert tables == page.locator("table > caption").count() == 5
        assert page.locator("thead th:not([scope])").count() == 0
        assert page.get_by_text("<b>wt-2</b>").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


@pytest.mark.slow
def test_what_breaks_fhirs_own_rules_is_told_must_haves_first(lhn: Network) -> None:
    """Of a sample and of what was refused: by path and kind, without a value; of a site that asks for it."""
    folder = lhn.folder / "delivery"
    folder.mkdir()
    path = lhn.files_site("west", folder, types=["Observation"], validate_sample=1)
    odd = [reading(f"odd-{number}", "kg", referenceRange="Ann Quux, wide") for number in range(3)]
    refused = reading("late", "kg", effectiveDateTime=None, status=None)
    given = [*odd, refused, reading("wt-1", "kg", category=[{"text": "vital signs"}])]
    (folder / "Observation.ndjson").write_text("".join(json.dumps(each) + "\n" for each in given))
    lhn.refresh(path)
    told = json.loads(lhn.here("report", "--site", path, "--json").stdout)["conformance"]
    rules = {each["rule"]: (each["found"], each["must_have"]) for each in told["rules"]}
    assert rules["Observation.category: us-core-missing"] == (4, True)
    assert rules["Observation.status: us-core-missing"][1]
    broken = [rule for rule in rules if rule.startswith("Observation.referenceRange")]
    assert broken
    assert not rules[broken[0]][1]
    firsts = [each["must_have"] for each in told["rules"]]
    assert firsts == sorted(firsts, reverse=True)
    assert (told["judged"], told["of"]) == (5, 5)
    assert "Quux" not in json.dumps(told)
    said = lhn.here("report", "--site", path).stdout
    assert "US Core must-have" in said
    assert "5 of the 5 resources that the last load read" in said
    lhn.here("report", "--site", path, "--html", lhn.folder / "report.html")
    page = (lhn.folder / "report.html").read_text()
    assert "own rules" in page
    assert "Of the 5 resources that the last load read, 5 were checked in full" in page
