"""However much people say, no page is heavier than 150 KB without its pictures; and each list goes on to its end."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from services_cases import record_id, subject_id
from services_story import NOW, fibrosis, fill, load_events, person
from sqlalchemy import Engine, insert, select
from viewers import gate_for

from services.access.database import AccessDatabase
from services.access.viewers import Role
from services.home.app import Home, make_home
from services.measures.library import measures
from services.pages.app import make_app
from services.people.age_policy import AgePolicy
from services.people.amendments import propose, say
from services.people.contests import ContestReason, raise_contest
from services.people.families import Who, make_link
from services.people.ideas import Idea, new_id
from services.people.ideas import propose as propose_idea
from services.people.issues import About, raise_issue
from services.registry.database import open_registry, writing
from services.registry.tables import contest, extract_request, issue_raised
from services.research.requests import ask

HEAVY = "<" * 990
"""The most that a field takes, each letter four on the page."""
MANY = 1_000
LIMIT = 150_000


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    engine = open_registry(f"sqlite:///{tmp_path_factory.mktemp('weights')}/registry.db")
    fill(engine, [person("ada", site="west"), fibrosis("ada", site="west")], load_events())
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def proposal(registry: Engine) -> str:
    """A thousand issues and contested records, a hundred of all else; returns the id of a proposal that a hundred speak to."""
    cf2 = measures()["cf2"]
    with writing(registry) as connection:
        raise_issue(connection, About.NETWORK, HEAVY, site="", role="family", by="family/0", at=NOW)
        raise_contest(connection, "west", ("condition", record_id("0")), ContestReason.NOT_SO, by="Ruth", at=NOW)
        for table in (issue_raised, contest):
            (row,) = connection.execute(select(table)).mappings()
            connection.execute(insert(table), [dict(row) | {"id": f"{number:032x}"} for number in range(1, MANY)])
        for number in range(MANY // 10):
            words, by = f"{number:04} {HEAVY[:490]}", f"researcher/{number}"
            propose_idea(connection, Idea(new_id(), "CF-2", words, 70, 26, words, words, "", "researcher", by, NOW))
            kept = propose(connection, cf2, words + HEAVY[:490], HEAVY, issue="", role="researcher", by=by, at=NOW)
            ask(connection, "ocdm", 2, ["190905008"], words, by=by, at=NOW)
        connection.execute(extract_request.update().values(result=HEAVY[:500]))
        for number in range(MANY // 10):
            say(connection, kept, f"{number:04} {HEAVY}", role="family", by=f"family/{number}", at=NOW)
    return kept


@pytest.mark.parametrize("role", Role)
@pytest.mark.timeout(300)
def test_no_page_of_the_staff_s_is_too_heavy(
    role: Role, proposal: str, registry: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sites = ("west",) if role.of_a_site else ()
    for module in ("pages.issues", "measures.library"):
        monkeypatch.setattr(f"services.{module}.measures", lambda: {"cf2": measures()["cf2"]})
    client = TestClient(make_app(registry, network="lhn", gate=gate_for(tmp_path, role, *sites), clock=lambda: NOW))
    pages = ["/issues", "/ideas", "/proposals", f"/proposals/{proposal}", "/research", "/accountability"]
    for page in [*pages, *(["/contested/west"] if role is Role.SITE_TEAM else [])]:
        weigh(client, page)
    assert "1000 of 1000 wait" in client.get("/issues").text


def test_no_page_of_a_family_s_is_too_heavy(proposal: str, registry: Engine, tmp_path: Path) -> None:
    access = AccessDatabase.open(f"sqlite:///{tmp_path}/access.db")
    home = Home(registry, access, "lhn", AgePolicy.load(), False, lambda: NOW)
    with writing(registry) as connection:
        code = make_link(connection, "west", subject_id("ada"), Who.SELF, by="Ruth", at=NOW, ends=None)
    device = TestClient(make_home(home))
    device.post("/enter", data={"code": code})
    for page in ("/raise", "/proposals", f"/proposals/{proposal}", "/looked", "/"):
        weigh(device, page)


def weigh(client: TestClient, page: str) -> None:
    """The first part, the second and the last, as the page leads to them: each light enough, none what another is."""
    texts = {address: client.get(address) for address in (page, f"{page}?part=2", f"{page}?part=999")}
    for address, answer in texts.items():
        assert answer.status_code == 200, address
        assert len(answer.content) < LIMIT, (address, len(answer.content))
    first, _, last = texts.values()
    if f"{page}?part=" in first.text:
        assert f'href="{page}?part=2#list">After' in first.text
        assert "After</a>" not in last.text
        number = re.findall(r"Part (\d+) of \1\b", last.text)
        assert number, page


def test_a_part_that_is_none_is_the_last(proposal: str, registry: Engine, tmp_path: Path) -> None:
    client = TestClient(make_app(registry, network="lhn", gate=gate_for(tmp_path), clock=lambda: NOW))
    assert "Part 20 of 20" in client.get("/issues?part=999999").text
    for wrong in ("0", "-1", "x", "9" * 30, "%00"):
        assert client.get(f"/issues?part={wrong}").status_code == 404
