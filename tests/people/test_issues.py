"""Issues: raised by anybody, answered by others, merged, followed; what is about a site stays there; how soon each role is heard."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from services_story import NOW, fibrosis, fill, load_events, person
from sqlalchemy import Engine
from viewers import FORM, gate, viewer

from schemas.errors import OperatorError
from services.access.viewers import Role, Viewer
from services.pages.app import make_app
from services.people.issues import (
    FAMILY,
    About,
    answer_issue,
    heard,
    heard_by_quarter,
    issues_seen,
    merge_issue,
    raise_issue,
)
from services.registry.database import reading, writing

COORDINATOR = viewer()
TEAM, CLINICIAN = viewer(Role.SITE_TEAM, "west"), viewer(Role.CLINICIAN, "west")
ELSEWHERE, RESEARCHER = viewer(Role.SITE_TEAM, "northside"), viewer(Role.RESEARCHER)


@pytest.fixture
def registry(small_registry: Engine) -> Engine:
    fill(small_registry, [person("ada", site="west"), fibrosis("ada", site="west")], load_events())
    return small_registry


def by(who: Viewer, registry: Engine, folder: Path) -> TestClient:
    return TestClient(make_app(registry, network="lhn", gate=gate(folder, who), clock=lambda: NOW))


def raised(
    registry: Engine, words: str, *, site: str = "", by: str = "family/1", role: str = FAMILY, days: int = 0
) -> str:
    with writing(registry) as connection:
        at = NOW - timedelta(days=days)
        return raise_issue(connection, About.CARE, words, site=site, role=role, by=by, at=at)


def test_an_issue_is_raised_seen_answered_and_its_answer_stands(registry: Engine, tmp_path: Path) -> None:
    """By a clinician at their site; the team answers; whoever raised it cannot."""
    clinician, team = by(CLINICIAN, registry, tmp_path), by(TEAM, registry, tmp_path)
    page = clinician.post(
        "/issues", data=FORM | {"about": "care", "words": "Visits end without a plan", "where": "west"}
    )
    assert page.status_code == 200
    address = page.url.path
    assert "Visits end without a plan" in page.text
    assert "/answer" not in page.text
    assert clinician.post(f"{address}/answer", data=FORM | {"words": "mine"}).status_code == 403
    assert team.post(f"{address}/lead", data=FORM | {"role": "site-team"}).status_code == 200
    assert "for: Site improvement team" in team.get(address).text
    assert team.post(f"{address}/answer", data=FORM | {"words": " "}).status_code == 422
    assert "We try a card" in team.post(f"{address}/answer", data=FORM | {"words": "We try a card"}).text
    assert team.post(f"{address}/answer", data=FORM | {"words": "again"}).status_code == 422
    assert "We try a card" in clinician.get(address).text
    assert "2 people follow it" in team.post(f"{address}/follow", data=FORM).text


def test_what_is_about_a_site_is_seen_there_and_by_the_coordinator(registry: Engine, tmp_path: Path) -> None:
    """The network's by everybody; nobody raises for a site that is not theirs."""
    own, everybodys = raised(registry, "Ours alone", site="west"), raised(registry, "For all of us")
    for who, sees in {COORDINATOR: True, TEAM: True, CLINICIAN: True, ELSEWHERE: False, RESEARCHER: False}.items():
        client = by(who, registry, tmp_path)
        page = client.get("/issues").text
        assert "For all of us" in page
        assert ("Ours alone" in page) is sees
        assert client.get(f"/issues/{own}").status_code == (200 if sees else 404)
        assert client.get(f"/issues/{everybodys}").status_code == 200
        if not sees:
            assert client.post(f"/issues/{own}/answer", data=FORM | {"words": "hm"}).status_code == 404
    asked = {"about": "care", "words": "x", "where": "west"}
    assert by(ELSEWHERE, registry, tmp_path).post("/issues", data=FORM | asked).status_code == 404


def test_the_same_is_merged_and_who_followed_it_follows_on(registry: Engine, tmp_path: Path) -> None:
    first, second = (
        raised(registry, "Too long a wait", by="family/1"),
        raised(registry, "We wait too long", by="family/2"),
    )
    ours = raised(registry, "At our clinic", site="west", by="family/3")
    coordinator = by(COORDINATOR, registry, tmp_path)
    assert coordinator.post(f"/issues/{ours}/lead", data=FORM | {"into": first}).status_code == 422
    assert coordinator.post(f"/issues/{second}/lead", data=FORM | {"into": first}).status_code == 200
    assert "2 people follow it" in coordinator.get(f"/issues/{first}").text
    assert coordinator.post(f"/issues/{first}/lead", data=FORM | {"into": second}).status_code == 422
    assert coordinator.post(f"/issues/{second}/answer", data=FORM | {"words": "late"}).status_code == 422
    assert (
        by(TEAM, registry, tmp_path).post(f"/issues/{first}/lead", data=FORM | {"role": "coordinator"}).status_code
        == 403
    )
    with writing(registry) as connection, pytest.raises(Exception, match="no such issue"):
        merge_issue(connection, first, "0" * 32)


def test_no_issue_is_merged_to_where_who_saw_it_does_not_see_it(registry: Engine) -> None:
    """The network's into a site's would be lost to everybody else; a site's into another's, to that site."""
    ours, theirs, everybodys = (
        raised(registry, f"At {site}", site=site, by=f"f/{site}") for site in ("west", "lake", "")
    )
    for here, there in ((everybodys, ours), (ours, theirs), (ours, everybodys)):
        with writing(registry) as connection, pytest.raises(OperatorError, match="not of the same site"):
            merge_issue(connection, here, there)


def test_who_is_heard_and_how_soon_is_counted_by_role(registry: Engine, tmp_path: Path) -> None:
    """Families and clinicians beside each other, on the accountability page that everybody may see; nobody is named there."""
    idents = [raised(registry, f"Issue {number}", days=days) for number, days in enumerate((40, 20, 10, 50))]
    raised(registry, "Of a clinician", role=Role.CLINICIAN, by="clinician/1", days=3)
    with writing(registry) as connection:
        for ident in idents[:3]:
            answer_issue(connection, ident, "Done", role="site-team", by="t", at=NOW)
    with reading(registry) as connection:
        found = {row.role: row for row in heard(issues_seen(connection, None), NOW)}
    assert (found[FAMILY].raised, found[FAMILY].answered, found[FAMILY].median_days, found[FAMILY].late) == (
        4,
        3,
        20,
        1,
    )
    assert (found[Role.CLINICIAN].answered, found[Role.CLINICIAN].median_days) == (0, None)
    for who in (COORDINATOR, RESEARCHER, TEAM):
        page = by(who, registry, tmp_path).get("/accountability").text
        assert "2 issues wait" in page
        assert re.search(r"Patient or family</th><td>4</td><td>3</td><td>20</td><td>1</td>", page)
        assert "West" not in page
        assert "Issue 3" not in page


def test_time_to_answer_is_told_by_the_quarter_in_which_something_was_raised(registry: Engine, tmp_path: Path) -> None:
    """NET-2, the last eight of them; what was merged counts where it was merged into; what is older is not told."""
    days = (3, 4, 60, 80, 700, 800)
    idents = [raised(registry, f"Issue {number}", days=each) for number, each in enumerate(days)]
    with writing(registry) as connection:
        for place in (2, 3):
            answer_issue(connection, idents[place], "Done", role="site-team", by="t", at=NOW - timedelta(days=50))
        merge_issue(connection, idents[1], idents[0])
    with reading(registry) as connection:
        found = heard_by_quarter(issues_seen(connection, None), NOW)
    assert [(each.role, each.raised, each.answered, each.median_days, each.late) for each in found] == [
        ("2026-Q4", 1, 0, None, 0),
        ("2026-Q3", 2, 2, 20, 0),
    ]
    page = by(COORDINATOR, registry, tmp_path).get("/accountability").text
    assert '<th scope="row">2026-Q3</th><td>2</td><td>2</td><td>20</td><td>0</td>' in page


def test_a_flood_of_issues_stays_readable_and_the_same_twice_is_one(registry: Engine, tmp_path: Path) -> None:
    """A thousand of them; a script in one is words."""
    for number in range(1000):
        raised(registry, f"Issue {number} <script>alert(1)</script>", by=f"family/{number}")
    assert raised(registry, "Issue 7 <script>alert(1)</script>", by="family/7") in {each.id for each in _all(registry)}
    assert len(_all(registry)) == 1000
    page = by(COORDINATOR, registry, tmp_path).get("/issues").text
    assert "<script>alert" not in page
    assert "1000 of 1000 wait" in page
    for words in ("", "x" * 1001):
        answer = by(TEAM, registry, tmp_path).post("/issues", data=FORM | {"about": "care", "words": words})
        assert answer.status_code == 422


def _all(registry: Engine) -> list[object]:
    with reading(registry) as connection:
        return list(issues_seen(connection, None))
