"""From an issue to a new version of a measure: proposed by anybody, discussed by every role, decided by a named person, told to who raised it."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from services_cases import subject_id
from services_story import NOW, fibrosis, fill, load_events, person
from sqlalchemy import Engine
from viewers import FORM, gate

from services.access.database import AccessDatabase
from services.access.families import form_token
from services.access.viewers import Role, Viewer
from services.home.app import COOKIE, Home, make_home
from services.measures.declared import Change, Measure
from services.measures.library import measures
from services.pages.app import make_app
from services.people.accountability import owed
from services.people.age_policy import AgePolicy
from services.people.amendments import Decision, amendment_of, amendments, decide, propose, say
from services.people.families import Who, make_link
from services.registry.database import reading, writing
from services.registry.erasure import erase

CF2 = measures()["cf2"]
CHANGE = {
    "change": "Count children who gained weight since their last visit, too",
    "why": "He grows, and counts as missed",
}
SCRIPT = "<script>alert(1)</script>"


def someone(role: Role, *sites: str, name: str = "Ruth Adler") -> Viewer:
    return Viewer(f"https://id.example#{role}/{name}", name, frozenset({role}), frozenset(sites))


RUTH, BEN = someone(Role.COORDINATOR), someone(Role.COORDINATOR, name="Ben Osei")
TEAM, CLINICIAN = someone(Role.SITE_TEAM, "west"), someone(Role.CLINICIAN, "west")
ELSEWHERE, RESEARCHER = someone(Role.CLINICIAN, "northside"), someone(Role.RESEARCHER)


@pytest.fixture
def registry(small_registry: Engine) -> Engine:
    fill(small_registry, [person("ada", site="west"), fibrosis("ada", site="west")], load_events())
    return small_registry


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two measures of the library are enough."""
    library(monkeypatch, CF2, measures()["cf1"])
    return tmp_path


def library(monkeypatch: pytest.MonkeyPatch, *known: Measure) -> None:
    for module in ("pages.measure", "pages.issues", "measures.library"):
        monkeypatch.setattr(f"services.{module}.measures", lambda: {each.slug: each for each in known})


def by(who: Viewer, registry: Engine, folder: Path) -> TestClient:
    return TestClient(make_app(registry, network="lhn", gate=gate(folder, who), clock=lambda: NOW))


def family(registry: Engine, folder: Path) -> tuple[TestClient, dict[str, str]]:
    """Ada's device, and what a form of it holds."""
    access = AccessDatabase.open(f"sqlite:///{folder}/access.db")
    home = Home(registry, access, "lhn", AgePolicy.load(), False, lambda: NOW)
    with writing(registry) as connection:
        code = make_link(connection, "west", subject_id("ada"), Who.SELF, by="Ruth", at=NOW, ends=None)
    device = TestClient(make_home(home))
    assert device.post("/enter", data={"code": code}).status_code == 200
    return device, {next(iter(FORM)): form_token(device.cookies[COOKIE])}


def proposed(registry: Engine, *, issue: str = "", by: str = "researcher/1") -> str:
    with writing(registry) as connection:
        return propose(connection, CF2, CHANGE["change"], CHANGE["why"], issue=issue, role="researcher", by=by, at=NOW)


def test_a_family_s_issue_becomes_a_version_that_names_its_proposal(
    registry: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raised about a measure, proposed by a researcher, discussed by all, decided by name, promised until a version names it, told."""
    device, form = family(registry, folder)
    raised = {"about": "measure", "measure": "CF-2", "words": "He gains weight and still counts as missed"}
    assert "Thank you" in device.post("/raise", data=form | raised).text

    researcher = by(RESEARCHER, registry, folder)
    issue = re.findall(r"/issues/([0-9a-f]{32})", researcher.get("/issues").text)[0]
    link = re.findall(rf'href="(/proposals\?issue={issue}[^"]*)"', researcher.get(f"/issues/{issue}").text)[0]
    asked = researcher.get(link.replace("&amp;", "&")).text
    assert f'name="issue" value="{issue}"' in asked
    assert '<option value="CF-2" selected>' in asked
    page = researcher.post("/proposals", data=FORM | CHANGE | {"measure": "CF-2", "issue": issue})
    address, ident = page.url.path, page.url.path.rpartition("/")[2]
    assert "Not heard yet: Network coordinator, Site improvement team, Clinician, Patient or family" in page.text

    for who, words in {TEAM: "We can count that", CLINICIAN: "It is what I look at", BEN: f"Good {SCRIPT}"}.items():
        assert (
            words.split("<")[0] in by(who, registry, folder).post(f"{address}/say", data=FORM | {"words": words}).text
        )
    assert "Thank you. It stands below" in device.post(address, data=form | {"words": "This is what I meant"}).text
    seen = by(ELSEWHERE, registry, folder).get(address).text
    assert "This is what I meant" in seen
    assert "Not heard yet" not in seen
    assert SCRIPT not in seen

    assert "discussed" in by(TEAM, registry, folder).get("/measures/cf2").text
    done = by(RUTH, registry, folder).post(
        f"{address}/decide", data=FORM | {"decision": "accepted", "reason": "It is fairer"}
    )
    assert "Ruth Adler decided on 20 November 2026: “It is fairer”" in done.text
    assert f"proposal=&#34;{ident}&#34;" in done.text or f'proposal="{ident}"' in done.text
    told = device.get("/raise").text
    assert "Answered on the same day:</b> “Yes: It is fairer”" in told
    assert "Ruth Adler said yes on November 20, 2026. It is not done yet." in told
    with reading(registry) as connection:
        assert [count for _, count in owed(connection, NOW).promised] == [1, 0, 0, 0]

    newer = replace(CF2, changes=(*CF2.changes, Change("2", "2026-12", "Gained weight counts too", ident)))
    library(monkeypatch, newer)
    assert "It is in version 2 of the measure" in by(ELSEWHERE, registry, folder).get(address).text
    of_measure = by(RESEARCHER, registry, folder).get("/measures/cf2").text
    assert (
        f'2, since 2026-12: Gained weight counts too (<a href="/proposals/{ident}">as was proposed</a>)' in of_measure
    )
    assert "It counts from December 1, 2026 on." in device.get("/raise").text
    device.get("/language/es?to=/")
    assert "Ruth Adler dijo que sí el 20 de noviembre de 2026. Cuenta así" in device.get(address).text
    assert "Nutrición en la fibrosis quística" in device.get("/proposals").text
    with reading(registry) as connection:
        assert sum(count for _, count in owed(connection, NOW).promised) == 0


def test_nobody_decides_alone_or_twice(registry: Engine, folder: Path) -> None:
    """Not whoever proposed it, not before somebody else spoke, not without a reason or a name, not another role; after it nobody speaks."""
    ident = proposed(registry)
    coordinator, yes = by(RUTH, registry, folder), FORM | {"decision": "accepted", "reason": "Fairer"}
    assert coordinator.post(f"/proposals/{ident}/decide", data=yes).status_code == 422
    coordinator.post(f"/proposals/{ident}/say", data=FORM | {"words": "I like it"})
    assert "has said what they think" in coordinator.post(f"/proposals/{ident}/decide", data=yes).text
    by(TEAM, registry, folder).post(f"/proposals/{ident}/say", data=FORM | {"words": "So do we"})
    for who in (TEAM, CLINICIAN, RESEARCHER):
        assert by(who, registry, folder).post(f"/proposals/{ident}/decide", data=yes).status_code == 403
    for wrong in ({"reason": " "}, {"reason": "x" * 1001}, {"decision": "perhaps"}):
        assert coordinator.post(f"/proposals/{ident}/decide", data=yes | wrong).status_code == 422
    nameless = someone(Role.COORDINATOR, name=" ")
    assert by(nameless, registry, folder).post(f"/proposals/{ident}/decide", data=yes).status_code == 422
    assert coordinator.post(f"/proposals/{ident}/decide", data=yes | {"decision": "declined"}).status_code == 200
    assert coordinator.post(f"/proposals/{ident}/decide", data=yes).status_code == 422
    assert by(TEAM, registry, folder).post(f"/proposals/{ident}/say", data=FORM | {"words": "Why?"}).status_code == 422
    device, form = family(registry, folder)
    assert device.post(f"/proposals/{ident}", data=form | {"words": "Why?"}).status_code == 422
    own = proposed(registry, by=RUTH.id)
    with writing(registry) as connection:
        say(connection, own, "Fine", role="clinician", by="clinician/2", at=NOW)
    assert "does not decide it" in coordinator.post(f"/proposals/{own}/decide", data=yes).text
    assert "Decide</h2>" not in coordinator.get(f"/proposals/{own}").text


def test_what_nobody_may_say_is_kept_nowhere(registry: Engine, folder: Path) -> None:
    """Of another measure than there is, empty, too long, of an issue that is not theirs, twice the same; a guessed id is nothing."""
    device, form = family(registry, folder)
    device.post("/raise", data=form | {"about": "care", "words": "Ours alone"})
    issue = re.findall(r"/issues/([0-9a-f]{32})", by(TEAM, registry, folder).get("/issues").text)[0]
    other = by(ELSEWHERE, registry, folder)
    assert issue not in other.get(f"/proposals?issue={issue}").text
    page = other.post("/proposals", data=FORM | CHANGE | {"measure": "CF-2", "issue": issue})
    assert other.post("/proposals", data=FORM | CHANGE | {"measure": "CF-2"}).url.path == page.url.path
    with reading(registry) as connection:
        (kept,) = amendments(connection)
    assert kept.issue == ""
    for wrong in ({"measure": "ZZ-9"}, {"change": " "}, {"why": "x" * 1001}, {"change": "a\0b"}):
        assert other.post("/proposals", data=FORM | CHANGE | {"measure": "CF-1"} | wrong).status_code == 422
    assert other.get("/proposals?issue=%00").status_code == 404
    for address in (f"/proposals/{'0' * 32}", "/proposals/nothing"):
        assert other.get(address).status_code == 404
        assert device.get(address).status_code == 404
    assert device.post(f"/proposals/{kept.id}", data={"words": "forged"}).status_code == 403
    assert device.post(f"/proposals/{kept.id}", data=form | {"words": " "}).status_code == 422


def test_whoever_leads_says_which_measure_an_issue_is_about(registry: Engine, folder: Path) -> None:
    """A family seldom knows its name; no other role, and no measure that is none."""
    device, form = family(registry, folder)
    device.post("/raise", data=form | {"about": "measure", "measure": "ZZ-9", "words": "Count it otherwise"})
    issue = re.findall(r"/issues/([0-9a-f]{32})", by(RUTH, registry, folder).get("/issues").text)[0]
    for who, status in {TEAM: 403, RUTH: 200}.items():
        answer = by(who, registry, folder).post(f"/issues/{issue}/lead", data=FORM | {"measure": "CF-2"})
        assert answer.status_code == status
    assert "A measure, and what it counts: CF-2" in by(TEAM, registry, folder).get(f"/issues/{issue}").text
    by(RUTH, registry, folder).post(f"/issues/{issue}/lead", data=FORM | {"measure": "ZZ-9"})
    assert "ZZ-9" not in by(TEAM, registry, folder).get(f"/issues/{issue}").text


def test_what_a_family_said_of_a_proposal_is_forgotten_with_them(registry: Engine, folder: Path) -> None:
    """The proposal stays, and answers no issue any more."""
    device, form = family(registry, folder)
    device.post("/raise", data=form | {"about": "measure", "words": "Count it otherwise"})
    issue = re.findall(r"/issues/([0-9a-f]{32})", by(RUTH, registry, folder).get("/issues").text)[0]
    ident = proposed(registry, issue=issue)
    device.post(f"/proposals/{ident}", data=form | {"words": "As I said"})
    with writing(registry) as connection:
        say(connection, ident, "Good", role="clinician", by="c", at=NOW)
        erase(connection, [subject_id("ada")], NOW)
    page = by(TEAM, registry, folder).get(f"/proposals/{ident}").text
    assert "As I said" not in page
    assert "Good" in page
    assert f"/issues/{issue}" not in page


def test_a_decision_by_two_at_once_is_one(registry: Engine) -> None:
    ident = proposed(registry)
    with writing(registry) as connection:
        say(connection, ident, "Good", role="clinician", by="c", at=NOW)
        decide(connection, ident, Decision.ACCEPTED, "Fair", name="Ruth", by="r", at=NOW)
        with pytest.raises(Exception, match="decided already"):
            decide(connection, ident, Decision.DECLINED, "Not", name="Ben", by="b", at=NOW + timedelta(days=1))
        found = amendment_of(connection, ident)
    assert found is not None
    assert (found.decision, found.decided_name, found.reason) == (Decision.ACCEPTED, "Ruth", "Fair")


def test_a_version_names_a_proposal_by_its_id() -> None:
    with pytest.raises(ValueError, match="names a proposal by no id"):
        replace(CF2, changes=(*CF2.changes, Change("2", "2026-12", "Other", "the one of Ruth")))
    assert replace(CF2, changes=(*CF2.changes, Change("2", "2026-12", "Other", "0" * 32))).checksum == CF2.checksum
