"""The clinician's pages: who is at risk, what is overdue, every number down to its records, and a record that is contested."""

import re
from datetime import date, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from services_cases import event_of, record_id, subject_id
from services_story import NOW, fibrosis, fill, load_events, percentile, person, visit
from sqlalchemy import Engine
from viewers import FORM, gate_for

from schemas.outcomes import DerivedObservation
from services.access.viewers import Role
from services.pages.app import make_app
from services.pages.population import population_of
from services.registry.database import reading
from services.registry.handler import apply


def derived(
    name: str, method: str, value: float, day: str, *, site: str = "west", **given: object
) -> DerivedObservation:
    """A value computed from the record that a test names."""
    content = {
        "id": record_id(f"d{name}{method}{day}"),
        "subject": subject_id(name),
        "site": site,
        "quantity": "x",
        "unit": "%",
        "method": method,
        "method_version": "1",
        "value": value,
        "effective_date": day,
        "effective": datetime.fromisoformat(f"{day}T12:00:00Z"),
        "inputs": [],
    }
    return DerivedObservation.model_validate(content | given)


LUNGS, BMI = "fev1-percent-predicted-gli2022", "bmi-percentile"


@pytest.fixture
def registry_of_four(small_registry: Engine) -> Engine:
    """West: ada does badly, ben was long not measured, cleo is well; dan has nothing of the network's. Elsewhere: eve."""
    source = percentile("ada", "2026-10-05", 3, site="west")
    fill(
        small_registry,
        [
            *(person(name, site="west") for name in ("ada", "ben", "cleo", "dan")),
            *(fibrosis(name, site="west") for name in ("ada", "ben", "cleo")),
            person("eve", site="northside"),
            fibrosis("eve", site="northside"),
            visit("ada", "2026-10-05", site="west"),
            visit("ada", "2026-12-01", site="west", status="planned"),
            visit("ben", "2026-01-05", site="west"),
            visit("cleo", "2026-11-05", site="west"),
            source,
            derived("ada", BMI, 40, "2026-01-05"),
            derived("ada", BMI, 3, "2026-10-05", inputs=[source.id]),
            derived("ada", LUNGS, 95, "2026-03-05"),
            derived("ada", LUNGS, 60, "2026-10-05"),
            derived("ben", BMI, 50, "2026-01-05"),
            derived("cleo", BMI, 50, "2026-11-05"),
            derived("cleo", LUNGS, 90, "2026-11-05"),
        ],
        load_events(),
    )
    return small_registry


def clinician(registry: Engine, folder: Path, role: Role = Role.CLINICIAN) -> TestClient:
    return TestClient(make_app(registry, network="lhn", gate=gate_for(folder, role, "west"), clock=lambda: NOW))


def test_the_list_begins_with_who_is_at_risk_or_long_overdue(registry_of_four: Engine) -> None:
    """Ada by what stands out, and her lungs fell; Ben by what is overdue; Dan is counted beside, Eve is another site's."""
    with reading(registry_of_four) as connection:
        found = population_of(connection, "west", NOW.date())
    by_risk, by_overdue = found.in_order("risk"), found.in_order("overdue")
    names = {subject_id(name): name for name in ("ada", "ben", "cleo")}
    assert [names[each.subject] for each in by_risk] == ["ada", "ben", "cleo"]
    assert [names[each.subject] for each in by_overdue] == ["ben", "ada", "cleo"]
    ada, ben, _ = by_risk
    assert ada.out == (
        "FEV1, share of predicted: 60 % on 5 October 2026",
        "BMI percentile: 3 on 5 October 2026",
        "FEV1 fell to 60 % from a best of 95 % within a year",
    )
    assert (ada.last_visit, ada.next_visit, ben.next_visit) == (date(2026, 10, 5), date(2026, 12, 1), None)
    assert ben.overdue == ("Spirometry: never recorded", "Height and weight: last on 5 January 2026, 319 days ago")
    assert found.others == 1
    assert found.in_order("risk", "Crohn's disease") == []


def test_the_page_of_the_list_notes_whom_it_shows(registry_of_four: Engine, tmp_path: Path) -> None:
    """Those of the page, and nobody else."""
    client = clinician(registry_of_four, tmp_path)
    html = client.get("/patients").text
    shown = set(re.findall(r"/patients/west/(s-[0-9a-f]{32})", html))
    assert shown == {subject_id(name) for name in ("ada", "ben", "cleo")}
    views = gate_for(tmp_path).views.rows()
    assert [(row["what"], row["site"]) for row in views] == [("asked", "west"), ("shown", "west")]
    assert set(views[-1]["subjects"]) == shown
    assert "Data as of 19 November 2026" in html
    client.get("/patients/west", params={"disease": "Asthma"})
    assert gate_for(tmp_path).views.rows()[-1]["subjects"] == []


def test_every_number_leads_to_its_records(registry_of_four: Engine, tmp_path: Path) -> None:
    """From the value to what it was computed from, and there to the load, the mapping and the source's type."""
    client = clinician(registry_of_four, tmp_path)
    page = client.get(f"/patients/west/{subject_id('ada')}").text
    row = next(row for row in page.split("</tr>") if ">BMI percentile</a></th>" in row)
    value, source = re.findall(r'href="(/patients/west/s-[0-9a-f]{32}/records/r-[0-9a-f]{32})"', row)
    assert record_id(f"dada{BMI}2026-10-05") in value
    assert record_id("oada2026-10-053") in source
    assert source in client.get(value).text, "its inputs are links too"
    said = client.get(source).text
    for word in ("59576-9", "load load-1", "by x@1", "Recorded on 2 November 2026"):
        assert word in said
    assert [row["subjects"] for row in gate_for(tmp_path).views.rows()] == [[subject_id("ada")]] * 3


def test_a_contested_record_reaches_the_site_and_is_answered(registry_of_four: Engine, tmp_path: Path) -> None:
    """With a reason as a code; said twice it is there once; the answer is seen where it was asked."""
    client, team = clinician(registry_of_four, tmp_path), clinician(registry_of_four, tmp_path, Role.SITE_TEAM)
    record = record_id("oada2026-10-053")
    where = f"/patients/west/{subject_id('ada')}/records/{record}"
    for _ in range(2):
        said = client.post(where, data={**FORM, "reason": "wrong-value"})
    assert said.status_code == 200
    assert said.text.count("Waits for the site&#39;s answer.") + said.text.count("Waits for the site's answer.") == 1
    page = team.get("/contested").text
    assert "The value is wrong" in page
    assert record in page
    assert subject_id("ada") not in page
    action = re.findall(r'action="(/contested/west/[0-9a-f]{32})"', page)[0]
    assert team.post(action, data={**FORM, "answer": "corrected-at-source"}).status_code == 200
    assert team.post(action, data={**FORM, "answer": "stands-as-it-is"}).status_code == 409
    assert "Corrected at the source" in client.get(where).text
    lines = team.get("/contested/west/lines.csv").text.splitlines()
    assert lines[1].split(",")[:3] == ["observation", record, "wrong-value"]
    assert client.post(where, data={**FORM, "reason": "i do not like it"}).status_code == 422
    other = f"/patients/west/{subject_id('ben')}/records/{record}"
    assert client.post(other, data={**FORM, "reason": "twice"}).status_code == 404, "it is not ben's"


def test_a_withdrawn_record_says_so(registry_of_four: Engine, tmp_path: Path) -> None:
    """Its history stays."""
    record = percentile("ada", "2026-10-05", 3, site="west")
    with registry_of_four.begin() as connection:
        apply(connection, [event_of(record, sequence=2, withdrawn=True)])
    html = clinician(registry_of_four, tmp_path).get(f"/patients/west/{subject_id('ada')}/records/{record.id}").text
    assert "Withdrawn by the site" in html
    assert "2 changes in all" in html
    assert "59576-9" in html


def test_nobody_elsewhere_is_found(registry_of_four: Engine, tmp_path: Path) -> None:
    """Neither at another site, nor under one's own; and the team of the same site sees no person."""
    client, eve = clinician(registry_of_four, tmp_path), subject_id("eve")
    for path in ("/patients/northside", f"/patients/northside/{eve}", f"/patients/west/{eve}"):
        assert client.get(path).status_code == 404
    assert clinician(registry_of_four, tmp_path, Role.SITE_TEAM).get("/patients/west").status_code == 403


def test_a_days_visits_stand_on_one_page_and_on_paper(registry_of_four: Engine, tmp_path: Path) -> None:
    """The next day with a booking is found; who comes, what stands out, curves, the PDF; each view is noted with whom it showed."""
    client, ada = clinician(registry_of_four, tmp_path), subject_id("ada")
    page = client.get("/visits")
    assert str(page.url).endswith("/visits/west/2026-12-01")
    assert "Visits on Tuesday, 1 December 2026" in page.text
    assert "1 patient is booked; for 1 something" in page.text
    assert "FEV1 fell to 60 % from a best of 95 % within a year" in page.text
    for address in re.findall(r'src="(/patients/[^"]+\.svg)"', page.text):
        assert client.get(address).headers["content-type"] == "image/svg+xml"
    assert client.get(f"/patients/west/{ada}/curves/hba1c.svg").status_code == 404
    paper = client.get("/visits/west/2026-12-01/plan.pdf")
    assert (paper.headers["content-type"], paper.content[:5]) == ("application/pdf", b"%PDF-")
    assert client.get("/visits/west/2026-12-02/plan.pdf").status_code == 404
    assert "Nobody is booked" in client.get("/visits/west/2026-12-02").text
    shown = [row for row in gate_for(tmp_path).views.rows() if row["what"] == "shown"]
    assert [(row["route"], row["subjects"]) for row in shown] == [
        ("/visits/{site}/{day}", [ada]),
        ("/visits/{site}/{day}/plan.pdf", [ada]),
        ("/visits/{site}/{day}", []),
    ]
    assert client.get("/visits/northside/2026-12-01").status_code == 404
