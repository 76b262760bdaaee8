"""Every address of the pages, asked by every role for every other's data: nothing leaks."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from services_cases import subject_id
from services_story import NOW, SITES
from sqlalchemy import Engine
from viewers import FORM, gate, viewer

from services.access.declared import declaration
from services.access.viewers import Role
from services.pages.app import make_app
from services.pages.wording import title_of
from services.registry.holders import Holders, make_for_pages
from services.registry.tokens import tokens

OWN, OTHERS = "west", ("northside", "lake-county", "lakeside", "nowhere")
MINE, THEIRS = subject_id("west-1"), (subject_id("northside-1"), subject_id("lake-county-1"), subject_id("nobody"))
VIEWERS = {
    "nobody": None,
    "coordinator": viewer(),
    "site team": viewer(Role.SITE_TEAM, OWN),
    "clinician": viewer(Role.CLINICIAN, OWN),
    "researcher": viewer(Role.RESEARCHER),
    "site team without a site": viewer(Role.SITE_TEAM),
    "clinician of another network": viewer(Role.CLINICIAN, "elsewhere"),
}
VALUES = {
    "slug": ["cf2", "zz9"],
    "name": ["page.css", "page.js", "../app.py"],
    "site": [OWN, *OTHERS],
    "subject": [MINE, *THEIRS],
    "record_type": ["observation", "condition", "person"],
    "record": ["r-" + "0" * 32],
    "curve": ["growth", "lungs"],
    "ident": ["0" * 32],
    "day": ["2026-11-20"],
}
"""What is put into an address, by the parameter's name. A page with another parameter adds it here."""
PSEUDONYM = re.compile(r"\b[sr]-[0-9a-f]{32}\b")


def addresses(path: str, *, beside: bool = False) -> Iterator[str]:
    """A route's path with every value of its parameters; and, where it takes one, with every other site asked for beside it."""
    names = re.findall(r"{(\w+)(?::\w+)?}", path)
    assert set(names) <= set(VALUES), f"{path}: say in VALUES what its parameters may be"
    for values in product(*(VALUES[name] for name in names)):
        address = path
        for name, value in zip(names, values, strict=True):
            address = re.sub(rf"{{{name}(?::\w+)?}}", value, address)
        yield address
        if beside:
            yield from (f"{address}?site={site}" for site in OTHERS)


def _takes_a_site(route: APIRoute) -> bool:
    return any(parameter.alias == "site" for parameter in route.dependant.query_params)


def forbidden(who: str) -> list[str]:
    """Words that no page shows them."""
    if who == "coordinator":
        return []
    own = [OWN] if who in ("site team", "clinician") else []
    sites = [site for site in SITES if site not in own]
    return [*sites, *map(title_of, sites)]


def by_token(who: str, registry: Engine) -> dict[str, str]:
    """The header by which a script of theirs asks."""
    asking = VIEWERS[who]
    assert asking is not None
    (role,) = asking.roles
    with registry.begin() as connection:
        name = f"walk-{len(tokens(connection))}"
        secret = make_for_pages(connection, name, role, sorted(asking.sites), now=NOW, lasting=None)
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize(
    ("who", "script"),
    [
        *((who, False) for who in VIEWERS),
        *((who, True) for who in ("coordinator", "site team", "clinician", "researcher")),
    ],
)
@pytest.mark.timeout(600)
@pytest.mark.slow
def test_nothing_of_others_is_seen(who: str, script: bool, counted_story: Engine, tmp_path: Path) -> None:
    """Neither another site's name nor a figure of it, nor anybody's records but by their clinician; and no address fails.
    A script with a token is a person of its role."""
    the_gate = gate(tmp_path, None if script else VIEWERS[who], Holders(counted_story, lambda: NOW))
    app = make_app(counted_story, network="lhn", gate=the_gate, clock=lambda: NOW, per_minute=1_000_000)
    client = TestClient(app, follow_redirects=False, headers=by_token(who, counted_story) if script else {})
    seen = 0
    for route in app.routes:
        if "GET" not in route.methods or route.path.endswith((".png", ".pdf")):
            continue
        declared = declaration(route)
        mine = not declared.roles or (VIEWERS[who] is not None and VIEWERS[who].roles & declared.roles)
        for address in addresses(route.path, beside=_takes_a_site(route)):
            answer = client.get(address)
            assert answer.status_code in ((200, 303, 307, 404) if mine else (401, 403)), (address, answer.status_code)
            asked = address.partition("?")[2]
            said = answer.text.replace(asked, "") if asked else answer.text
            leaked = [word for word in forbidden(who) if re.search(rf"\b{re.escape(word)}\b", said, re.IGNORECASE)]
            assert leaked == [], address
            pseudonyms = {found for found in PSEUDONYM.findall(said) if found not in address}
            if who != "clinician":
                assert pseudonyms == set(), address
            assert not pseudonyms & set(THEIRS), address
            seen += answer.status_code == 200
    assert seen >= 3


@pytest.mark.parametrize("who", VIEWERS)
def test_nobody_sends_a_form_that_is_not_theirs(who: str, counted_story: Engine, tmp_path: Path) -> None:
    """Every form, by every role: whoever may not is refused before it is read."""
    app = make_app(counted_story, network="lhn", gate=gate(tmp_path, VIEWERS[who]), clock=lambda: NOW)
    client = TestClient(app, follow_redirects=False)
    for route in app.routes:
        if "POST" not in route.methods:
            continue
        mine = VIEWERS[who] is not None and VIEWERS[who].roles & declaration(route).roles
        for address in addresses(route.path):
            status = client.post(address, data=FORM).status_code
            assert status in ((404, 422) if mine else (401, 403)), (address, status)
            assert client.post(address).status_code in ((403,) if mine else (401, 403)), address


def test_a_researcher_sees_no_figure_of_a_few(counted_story: Engine, tmp_path: Path) -> None:
    """Periods of fewer than five stand there without one; the network's others are told."""
    pages = {
        who: TestClient(make_app(counted_story, network="lhn", gate=gate(tmp_path, VIEWERS[who]), clock=lambda: NOW))
        for who in ("coordinator", "researcher")
    }
    rows = {who: client.get("/measures/cf2/chart.csv").text.splitlines()[1:] for who, client in pages.items()}
    measured = {who: [row.split(",")[4] for row in found] for who, found in rows.items()}
    assert measured["researcher"] == [n if int(n) >= 5 else "" for n in measured["coordinator"]]
    assert [row.split(",")[:3] for row in rows["researcher"]] == [row.split(",")[:3] for row in rows["coordinator"]]
    assert "At West" not in pages["researcher"].get("/measures/cf2").text
