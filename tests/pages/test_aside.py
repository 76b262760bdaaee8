"""A site sets a patient aside from a measure: with a reason, until a day, counted beside the figure, taken back; nobody is named to the team."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from services_cases import subject_id
from services_story import NOW, fibrosis, fill, load_events, percentile, person, visit
from sqlalchemy import Engine, select
from viewers import FORM, gate_for

from services.access.viewers import Role
from services.measures.library import measures
from services.pages.app import make_app
from services.pages.counting_now import counting_now
from services.registry.tables import set_aside

ADA, EVE = subject_id("ada"), subject_id("eve")
SAID = {"measure": "cf2", "subject": ADA, "reason": "other-care", "until": "2027-03-01"}
Come = Callable[..., TestClient]


@pytest.fixture(autouse=True)
def only_nutrition(monkeypatch: pytest.MonkeyPatch) -> None:
    """One measure of the library is enough here, and soon counted."""
    one = {"cf2": measures()["cf2"]}
    for module in ("team", "measures", "network", "aside", "patient"):
        monkeypatch.setattr(f"services.pages.{module}.measures", lambda: one)


@pytest.fixture
def west(small_registry: Engine) -> Engine:
    """West has ada and ben, northside has eve."""
    sites = {"ada": "west", "ben": "west", "eve": "northside"}
    records: list[Any] = []
    for name, site in sites.items():
        records += [person(name, site=site), fibrosis(name, site=site)]
        records += [visit(name, "2026-11-05", site=site), percentile(name, "2026-11-05", 60, site=site)]
    fill(small_registry, records, load_events())
    return small_registry


@pytest.fixture
def come(west: Engine, tmp_path: Path) -> Come:
    """`come(role)`: the pages as somebody of west sees them, started anew."""

    def seen_by(role: Role, now: datetime = NOW) -> TestClient:
        sites = ("west",) if role.of_a_site else ()
        return TestClient(make_app(west, network="lhn", gate=gate_for(tmp_path, role, *sites), clock=lambda: now))

    return seen_by


def november(client: TestClient) -> tuple[str, str]:
    """What the chart of west tells of the month: seen, measured."""
    rows = client.get("/measures/cf2/chart.csv", params={"site": "west"}).text.splitlines()
    names = rows[0].split(",")
    last = dict(zip(names, rows[-1].split(","), strict=True))
    return last["seen"], last["measured"]


def test_somebody_is_set_aside_counted_so_and_taken_back(come: Come, west: Engine) -> None:
    """By the team, who types the pseudonym and is shown none; the clinician sees whom; the row stays."""
    team, clinician, coordinator = come(Role.SITE_TEAM), come(Role.CLINICIAN), come(Role.COORDINATOR)
    assert november(coordinator) == ("2", "2")
    assert "Nobody is" in team.get("/aside").text
    for _ in range(2):
        page = team.post("/aside/west", data=FORM | SAID)
    assert page.status_code == 200
    assert "1 patient is" in page.text
    assert "Cared for elsewhere; 20 November 2026 to 1 March 2027. Said by Ruth Adler on 20 November 2026." in page.text
    assert ADA not in page.text
    assert f'href="/patients/west/{ADA}"' in clinician.get("/aside/west").text
    assert "cared for elsewhere (Ruth Adler)" in clinician.get(f"/patients/west/{ADA}").text
    assert november(coordinator) == ("1", "1"), "what was counted before is counted anew"
    assert "1 × cared for elsewhere" in team.get("/sites/west/cf2").text
    (action,) = re.findall(r'action="(/aside/west/x-[0-9a-f]{32}/back)"', page.text)
    after = team.post(action, data=FORM).text
    assert "Nobody is" in after
    assert "Taken back by Ruth Adler on 20 November 2026" in after
    assert team.post(action, data=FORM).status_code == 422
    assert november(coordinator) == ("2", "2")
    with west.connect() as connection:
        (row,) = connection.execute(select(set_aside)).all()
    assert (row.subject, row.reason, row.said_until_date, row.ended_by) == (
        ADA,
        "other-care",
        "2027-03-01",
        "Ruth Adler",
    )


def test_somebody_whom_the_measure_never_counts_is_not_set_aside(come: Come, west: Engine) -> None:
    """Nothing would follow, now or later: it is refused, and a clinician is told why; a team is told nothing of anybody."""
    fill(west, [person("kim", site="west"), visit("kim", "2026-11-05", site="west")])
    kim = FORM | SAID | {"subject": subject_id("kim")}
    told = come(Role.CLINICIAN).post("/aside/west", data=kim)
    assert told.status_code == 422
    assert (
        "Nutrition in cystic fibrosis does not count this patient (nothing of theirs says “Cystic fibrosis”)"
        in told.text
    )
    unnamed = come(Role.SITE_TEAM).post("/aside/west", data=kim)
    assert unnamed.status_code == 422
    assert "does not count this patient (why, this site&#39;s clinicians see)" in unnamed.text
    with west.connect() as connection:
        assert connection.execute(select(set_aside)).all() == []


@pytest.mark.parametrize(
    ("days", "birth", "why"),
    [
        ((), "2016-05-20", "nothing of the last twelve months makes anybody count"),
        (("2026-11-05",), "1980-05-20", "not so: “"),
    ],
)
def test_somebody_whom_the_measure_does_not_count_now_is_told_so(
    come: Come, west: Engine, days: tuple[str, ...], birth: str, why: str
) -> None:
    """They have the disease and were not seen, or are too old: it is noted, and said that nothing follows yet."""
    kim = person("kim", site="west", born=birth)
    fill(west, [kim, fibrosis("kim", site="west"), *(visit("kim", day, site="west") for day in days)])
    said = FORM | SAID | {"subject": subject_id("kim")}
    page = come(Role.CLINICIAN).post("/aside/west", data=said).text
    assert "Noted, and changes nothing yet" in page
    assert f"does not count this patient now ({why}" in page
    unnamed = come(Role.SITE_TEAM).post("/aside/west", data=said).text
    assert "Noted, and changes nothing yet" in unnamed
    assert why not in unnamed
    assert "changes nothing yet" not in come(Role.CLINICIAN).get("/aside/west").text, "only to whoever said it just now"
    counted = come(Role.CLINICIAN).post("/aside/west", data=FORM | SAID).text
    assert "changes nothing yet" not in counted


def test_where_it_cannot_be_known_whether_they_count_it_is_noted_and_said(come: Come, west: Engine) -> None:
    """Diagnoses were never loaded there: nobody is told that they lack one."""
    kim = subject_id("kim")
    fill(west, [person("kim", site="lakeside")])
    with west.begin() as connection:
        found = counting_now(connection, measures()["cf2"], "lakeside", kim, NOW.date())
    assert (found.counted, found.concerned) == (False, True)
    assert found.why == "nothing is known yet: Encounter, Condition, Observation not loaded"


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"subject": EVE}, 422),
        ({"subject": subject_id("nobody")}, 422),
        ({"subject": "Ada Miller"}, 422),
        ({"reason": "poor-result"}, 422),
        ({"until": "2026-11-19"}, 422),
        ({"until": "2029-01-01"}, 422),
        ({"measure": "zz9"}, 404),
    ],
)
def test_what_cannot_be_meant_is_refused(come: Come, west: Engine, changed: dict[str, str], status: int) -> None:
    """Another site's patient, a name, no such reason, over before it begins, for ever: nothing is kept."""
    answer = come(Role.CLINICIAN).post("/aside/west", data=FORM | SAID | changed)
    assert answer.status_code == status
    with west.connect() as connection:
        assert connection.execute(select(set_aside)).all() == []


@pytest.mark.parametrize(("role", "site", "status"), [
    (Role.COORDINATOR, "west", 403), (Role.RESEARCHER, "west", 403),
    (Role.SITE_TEAM, "northside", 404), (Role.CLINICIAN, "northside", 404),
])  # fmt: skip
def test_only_those_of_the_site_say_so(come: Come, west: Engine, role: Role, site: str, status: int) -> None:
    client, given = come(role), SAID | {"subject": EVE}
    assert client.get(f"/aside/{site}").status_code == status
    assert client.post(f"/aside/{site}", data=FORM | given).status_code == status
    with west.connect() as connection:
        assert connection.execute(select(set_aside)).all() == []


def test_whom_it_is_about_is_noted_before_it_is_said(come: Come, tmp_path: Path) -> None:
    """In the log of views, where it is said and where a clinician is shown it; a team is shown nobody."""
    come(Role.SITE_TEAM).post("/aside/west", data=FORM | SAID)
    come(Role.CLINICIAN).get("/aside/west")
    rows = [(row["what"], row["route"], row["subjects"]) for row in gate_for(tmp_path).views.rows()]
    assert rows == [
        ("asked", "/aside/{site}", []), ("asked", "/aside/{site}", [ADA]),
        ("asked", "/aside/{site}", []),
        ("asked", "/aside/{site}", []), ("shown", "/aside/{site}", [ADA]),
    ]  # fmt: skip


def test_it_is_over_by_itself(come: Come) -> None:
    come(Role.CLINICIAN).post("/aside/west", data=FORM | SAID | {"until": "2026-11-20"})
    assert "Over: counts again." in come(Role.CLINICIAN, NOW + timedelta(days=1)).get("/aside/west").text
