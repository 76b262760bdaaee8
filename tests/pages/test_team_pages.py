"""A site team's pages: what got better and what was tried, new lines by approval alone, its place beside others, its refused lines."""

import re
from collections.abc import Callable, Iterator
from datetime import date

import pytest
from fastapi.testclient import TestClient
from services_story import NOW, fill, load_events, population
from sqlalchemy import Engine, select
from viewers import FORM, gate_for

from schemas.loads import LoadEvent, TypeCounts
from services.access.viewers import Role
from services.measures.library import measures
from services.pages.app import make_app
from services.pages.site import PageSite
from services.people.contests import Answer, ContestReason, answer_contest, contests, raise_contest
from services.people.tests_of_change import Plan, Tried, note
from services.registry.across import compare
from services.registry.across.counting.counts import Counts as Numbers
from services.registry.database import open_registry, writing
from services.registry.tables import chart_phase, test_of_change

Visit = Callable[..., TestClient]


def loads() -> list[LoadEvent]:
    """The story's, of which Northside's refused some lines."""
    counts = TypeCounts(read=10, mapped=6, skipped={"missing-code": 3, "invalid-json": 1})
    first, *others = load_events()
    return [first.model_copy(update={"types": {"Observation": counts}}), *others]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = open_registry(f"sqlite:///{tmp_path_factory.mktemp('team') / 'registry.db'}")
    fill(made, population(), loads())
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def visit(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """`visit(role, site)`: the pages as somebody of a role sees them."""
    made: dict[tuple[Role, str], TestClient] = {}

    def come(role: Role = Role.SITE_TEAM, site: str = "northside") -> TestClient:
        if (role, site) not in made:
            folder = tmp_path_factory.mktemp("gate")
            app = make_app(
                engine, network="Riverbend", gate=gate_for(folder, role, site), clock=lambda: NOW, per_minute=10_000
            )
            made[role, site] = TestClient(app, follow_redirects=False)
        return made[role, site]

    return come


@pytest.fixture(autouse=True)
def only_nutrition(monkeypatch: pytest.MonkeyPatch) -> None:
    """One measure of the library is enough here, and soon counted."""
    one = {"cf2": measures()["cf2"]}
    for module in ("team", "measures", "network"):
        monkeypatch.setattr(f"services.pages.{module}.measures", lambda: one)


@pytest.fixture
def clean(engine: Engine) -> Iterator[None]:
    """What people said in a test is gone after it."""
    yield
    with engine.begin() as connection:
        connection.execute(chart_phase.delete())
        connection.execute(test_of_change.delete())


def test_site_opens_with_what_changed_and_what_to_do(visit: Visit) -> None:
    """Summary, action, list, detail; the icon says it in words as well."""
    html = visit().get("/sites/northside").text
    assert "Of 1 measure 1 is getting better and none worse" in html
    assert "getting better: higher than before" in html
    assert "let new lines begin with November 2025" in html
    assert html.index('id="next"') < html.index("Our measures") < html.index("Our data")


def test_lines_that_could_not_be_used_are_told_with_what_to_do(visit: Visit) -> None:
    """By type and reason, the most frequent first; never the lines themselves."""
    html = visit().get("/sites/northside").text
    rows = re.findall(
        r"<th scope=\"row\">Observation</th><td>(\d+)</td><td class=\"words\">(.*?)</td><td class=\"words\">(.*?)</td>",
        html,
    )
    assert rows[0] == (
        "3",
        "The resource has no code that could be used.",
        "Add the local code to the site&#39;s code map.",
    )
    assert rows[1][:2] == ("1", "The line is not valid JSON.")


def test_what_is_doubted_of_its_data_is_told_with_what_to_do_and_of_no_other_site(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six sites, of which Northside has far fewer diagnoses, and another far fewer readings."""
    names = ["northside", "west", "lake-county", "east", "south", "hill"]
    having = {(name, kind, ""): 180 for name in names for kind in ("condition", "observation")}
    found = Numbers(
        persons=dict.fromkeys(names, 200),
        having=having | {("northside", "condition", ""): 10, ("west", "observation", ""): 10},
    )
    monkeypatch.setattr(PageSite, "across", lambda _: compare(found))

    ours, theirs = (visit(site=site).get(f"/sites/{site}").text for site in ("northside", "west"))

    doubted = ours.partition('id="doubts"')[2]
    assert "condition: 5" in doubted
    assert "others 90" in doubted
    assert "What to do" in doubted
    assert "observation" not in doubted.partition("</ul>")[0]
    assert "condition" not in theirs.partition('id="doubts"')[2].partition("</ul>")[0]


def test_records_that_wait_for_the_sites_answer_stand_on_its_page(visit: Visit, engine: Engine) -> None:
    """With since when, and the way to answer for those who may; answered, they are gone from there."""
    assert "Contested" not in visit().get("/sites/northside").text.partition("<main")[2]
    with writing(engine) as connection:
        raise_contest(connection, "northside", ("observation", "r-1"), ContestReason.WRONG_UNIT, by="Ruth", at=NOW)
    waiting, clinicians = visit().get("/sites/northside").text, visit(Role.CLINICIAN).get("/sites/northside").text
    with writing(engine) as connection:
        (one,) = contests(connection, "northside")
        answer_contest(connection, "northside", one.id, Answer.CORRECTED, by="Kim", at=NOW)

    assert "1 record waits for this site" in waiting
    assert 'href="/contested/northside"' in waiting
    assert "1 record waits for this site" in clinicians
    assert 'href="/contested/northside"' not in clinicians
    assert "record waits" not in visit().get("/sites/northside").text


@pytest.mark.parametrize("path", ["/sites/west", "/sites/west/cf2", "/sites/west/cf2/funnel.svg", "/sites/nowhere"])
def test_other_sites_page_is_as_one_that_does_not_exist(visit: Visit, path: str) -> None:
    """To a team; the coordinator sees it."""
    assert visit().get(path).status_code == 404
    assert path == "/sites/nowhere" or visit(Role.COORDINATOR).get(path).status_code == 200


def test_new_lines_begin_when_somebody_approves_them(visit: Visit, engine: Engine, clean: None) -> None:
    """Proposed by rule, begun with a name and a reason, shown on the chart; taken back the same way."""
    page = "/sites/northside/cf2"
    with engine.begin() as connection:
        plan = Plan(70, date(2026, 11, 1), "More is eaten", "Three visits")
        what, since = "A dietitian at every visit", date(2025, 11, 1)
        note(connection, Tried("northside", "CF-2", since, what, "Team North", NOW, plan))
    before = visit().get(page).text
    assert "better than chance gives since then" in before
    assert "From <b>November 2025</b> on the measure is better, and has stayed so" in before
    given = {"since": "2025-11-01", "cause": "improvement", "reason": "Dietitian at every visit stays"}
    assert visit().post(f"{page}/lines", data=FORM | given).status_code == 303
    after = visit().get(page).text
    assert "<b>New lines</b> from November 2025: Dietitian at every visit stays" in after
    assert "has stayed so" not in after
    assert "better than chance gives since then" in after, "by the lines from before it was tried"
    csv = visit().get("/measures/cf2/chart.csv", params={"site": "northside"}).text.splitlines()
    centres = {line.split(",")[7] for line in csv[1:] if line.split(",")[7]}
    assert len(centres) == 2
    assert (
        visit().post(f"{page}/lines/back", data=FORM | {"since": "2025-11-01", "reason": "It did not"}).status_code
        == 303
    )
    assert "has stayed so" in visit().get(page).text
    with engine.connect() as connection:
        row = connection.execute(select(chart_phase)).one()
    assert (row.by, row.reason, row.withdrawn_reason) == ("Ruth Adler", "Dietitian at every visit stays", "It did not")


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"since": "2025-12-01", "cause": "improvement", "reason": "x"}, 422),
        ({"since": "2025-11-01", "cause": "definition", "reason": "x"}, 422),
        ({"since": "2025-11-01", "cause": "improvement", "reason": " "}, 422),
        ({"since": "2025-11-01", "cause": "improvement"}, 422),
    ],
)
def test_lines_that_no_rule_proposes_are_refused(
    visit: Visit, engine: Engine, given: dict[str, str], status: int
) -> None:
    """Another month, another cause, no reason: nothing is kept."""
    answer = visit().post("/sites/northside/cf2/lines", data=FORM | given)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (status, "text/html")
    with engine.connect() as connection:
        assert connection.execute(select(chart_phase)).all() == []


def test_what_was_tried_alone_is_no_change_to_keep(visit: Visit, engine: Engine, clean: None) -> None:
    """At a site where nothing stands out: new lines may begin with the trial, and nobody is told to keep a change that did not come."""
    with engine.begin() as connection:
        plan = Plan(70, date(2026, 11, 1), "More is eaten", "Three visits")
        note(connection, Tried("west", "CF-2", date(2026, 3, 1), "Recipes", "Team West", NOW, plan))
    html = visit(site="west").get("/sites/west/cf2").text
    assert "on something was tried on purpose" in html
    assert "Keep what brought the change" not in html


def test_a_site_of_which_hardly_anything_came_says_that_nothing_is_known(visit: Visit) -> None:
    """It reads as no site without faults whose measures go up and down by chance; types that never came stand by name."""
    html = visit(site="lakeside").get("/sites/lakeside").text
    assert "Nothing is known yet of its one measure" in html
    assert "Every line could be used" not in html
    assert "The last load read no line" in html
    assert re.search(r"<b>Never loaded</b>: [^<]*\bEncounter\b[^<]*\bObservation\b[^<]*unknown, not zero", html)


def test_a_researcher_is_shown_no_empty_list_of_sites(visit: Visit) -> None:
    """Nor told that no site's own chart tells, of which they see none."""
    researcher, coordinator = (visit(role).get("/measures/cf2").text for role in (Role.RESEARCHER, Role.COORDINATOR))
    assert "Site by site" in coordinator
    assert "Site by site" not in researcher
    assert "no site&#39;s own chart" not in researcher
    assert "no site's own chart" not in researcher


def test_site_without_a_signal_is_proposed_nothing(visit: Visit) -> None:
    """And the page says why none are ever proposed for getting worse."""
    html = visit(site="west").get("/sites/west/cf2").text
    assert "No rule proposes new lines. They never begin because a measure got worse" in html


def test_clinician_sees_and_does_not_approve(visit: Visit) -> None:
    """No form, and a form sent all the same is refused."""
    clinician = visit(Role.CLINICIAN)
    html = clinician.get("/sites/northside/cf2").text
    assert "Approve as" not in html
    assert "November 2025" in html
    given = {"since": "2025-11-01", "cause": "improvement", "reason": "x"}
    assert clinician.post("/sites/northside/cf2/lines", data=FORM | given).status_code == 403


def test_what_was_tried_stands_on_the_chart(visit: Visit, clean: None) -> None:
    """As a letter, with who says so; of the site that tried it alone."""
    plan = {"aim": "70", "due": "2026-12-31", "prediction": "More is eaten", "start": "Three visits"}
    given = {"since": "2025-10-20", "what": "Dietitian joins <every> visit"} | plan
    for left_out in plan:
        without = {name: said for name, said in given.items() if name != left_out}
        assert visit().post("/sites/northside/cf2/tried", data=FORM | without).status_code == 422, left_out
    assert visit().post("/sites/northside/cf2/tried", data=FORM | given).status_code == 303
    html = visit().get("/sites/northside/cf2").text
    assert "<b>A</b>, 20 October 2025: Dietitian joins &lt;every&gt; visit" in html
    svg = visit().get("/measures/cf2/chart.svg", params={"site": "northside"}).text
    assert ">A</text>" in svg
    assert "Dietitian" not in visit(site="west").get("/sites/west/cf2").text
    assert visit().post("/sites/west/cf2/tried", data=FORM | given).status_code == 404
    (ident,) = re.findall(r'action="/sites/northside/cf2/tried/([0-9a-f]{32})"', html)
    seen = {"seen": "Two of three ate more", "as_predicted": "true", "decision": "adapt", "then": "Ten visits"}
    address = f"/sites/northside/cf2/tried/{ident}"
    assert visit().post(address, data=FORM | seen).status_code == 422
    assert visit().post(address, data=FORM | seen | {"due": "2027-01-31"}).status_code == 303
    html = visit().get("/sites/northside/cf2").text
    assert "Round 1, 20 November 2026: Two of three ate more (as predicted)" in html
    assert "looked at by 31 January 2027; better than chance gives since then" in html
    end = seen | {"decision": "adopt", "then": "At every visit"}
    assert visit(site="west").post(f"/sites/west/cf2/tried/{ident}", data=FORM | end).status_code == 422
    assert visit().post(address, data=FORM | end).status_code == 303
    assert address not in visit().get("/sites/northside/cf2").text


def test_comparators_are_own_past_and_others_together(visit: Visit) -> None:
    """Whole counts; no other site is named, in the table or in the funnel."""
    html = visit().get("/sites/northside/cf2").text
    rows = re.findall(
        r"<th scope=\"row\">(We, [a-z ]+|The [a-z ]+)</th><td>(\d+)%</td><td>(\d+)</td><td>(\d+)</td>", html
    )
    assert [row[0] for row in rows] == ["We, the last year", "We, the year before", "The network"]
    assert all(round(100 * int(met) / int(measured)) == int(share) for _, share, met, measured in rows)
    assert "Outside the funnel" in html or "Within the funnel" in html
    funnel = visit().get("/sites/northside/cf2/funnel.svg").text
    assert "Northside" in funnel
    assert not re.search("West|Lake County", html + funnel)


def test_chart_is_there_without_scripts_and_in_words(visit: Visit) -> None:
    """A picture with its alternative text stands first; scripts replace it."""
    html = visit().get("/sites/northside/cf2").text
    picture = re.search(r'<img src="(/measures/cf2/chart.svg\?site=northside)" alt="([^"]+)"', html)
    assert picture
    assert "Better, November 2025" in picture[2]
    assert 'role="img"' in visit().get(picture[1]).text


def test_list_of_sites_shows_ones_own_and_begins_with_what_is_broken(visit: Visit) -> None:
    """A team is led to its own; the coordinator's with the load that failed."""
    own, every = visit().get("/sites"), visit(Role.COORDINATOR).get("/sites")
    assert (own.status_code, every.status_code) == (303, 200)
    assert own.headers["location"] == "/sites/northside"
    assert "Begin with the data of West" in every.text
