"""Tests of change and new lines of charts: kept with who said so and why, and nothing begins by itself."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, inspect

from schemas.errors import OperatorError
from services.charts.rebasing import Cause
from services.people.ideas import Idea, adopt, new_id, propose
from services.people.issues import About, answer_issue, raise_issue
from services.people.phases import Begun, begin, begun, take_back
from services.people.tests_of_change import (
    NETWORK,
    Cycle,
    Decision,
    Plan,
    Tried,
    note,
    one_tried,
    overdue,
    study,
    tried,
)
from services.registry.database import connect, open_registry
from services.registry.tables import chart_phase, test_of_change
from services.research.requests import answer, ask

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
PLAN = Plan(70, date(2026, 9, 1), "Weight is spoken of, so it rises", "Three visits on Monday")
PLANNED = Tried("north", "CF-2", date(2026, 3, 2), "Dietitian joins every visit", "R. Adler", NOW, PLAN)
SEEN = Cycle(
    "Two of three families spoke of food", True, Decision.ADAPT, "Ten visits", date(2026, 12, 1), "R. Adler", NOW
)
BETTER = Begun("CF-2", "north", date(2026, 3, 1), Cause.IMPROVEMENT, "R. Adler", "The new way of work stays", NOW)
PROPOSED = [(BETTER.since, BETTER.cause)]


def test_test_of_change_is_kept_as_it_was_said(registry: Engine) -> None:
    """On both databases, in the order of time, with the network's beside the sites'."""
    network = replace(PLANNED, site=NETWORK, since=date(2026, 1, 5), what="One form for all sites")
    with registry.begin() as connection:
        note(connection, PLANNED)
        note(connection, network)
        assert tried(connection, "CF-2") == [network, PLANNED]
        assert tried(connection, "IBD-1") == []


def test_new_lines_hold_until_they_are_taken_back(registry: Engine) -> None:
    """With who and why, both times; the row stays."""
    with registry.begin() as connection:
        begin(connection, BETTER, proposed=PROPOSED)
        assert begun(connection, "CF-2") == [BETTER]
        take_back(connection, BETTER, by="B. Chen", reason="It did not last", at=NOW)
        assert begun(connection, "CF-2") == []
        row = connection.execute(chart_phase.select()).one()
        assert (row.by, row.withdrawn_by, row.withdrawn_reason) == ("R. Adler", "B. Chen", "It did not last")
        begin(connection, BETTER, proposed=PROPOSED)
        assert begun(connection, "CF-2") == [BETTER]


@pytest.mark.parametrize("left_out", [{"by": " "}, {"reason": ""}])
def test_new_lines_need_a_name_and_a_reason(small_registry: Engine, left_out: dict[str, str]) -> None:
    """Neither is guessed."""
    with small_registry.begin() as connection, pytest.raises(OperatorError, match="the name of who approves"):
        begin(connection, replace(BETTER, **left_out), proposed=PROPOSED)


def test_lines_that_no_rule_proposes_are_refused(small_registry: Engine) -> None:
    """Another month, another cause: a person alone does not move a line either."""
    with small_registry.begin() as connection:
        for other in (replace(BETTER, since=date(2026, 4, 1)), replace(BETTER, cause=Cause.INTERVENTION)):
            with pytest.raises(OperatorError, match="no rule proposes"):
                begin(connection, other, proposed=PROPOSED)
        assert begun(connection, "CF-2") == []


@pytest.mark.parametrize(
    "left_out",
    [
        {"by": ""},
        {"what": " "},
        {"what": "x" * 501},
        {"plan": None},
        {"plan": replace(PLAN, prediction=" ")},
        {"plan": replace(PLAN, start="")},
        {"plan": replace(PLAN, due=PLANNED.since)},
    ],
)
def test_nothing_of_a_test_of_change_can_be_left_out(small_registry: Engine, left_out: dict[str, str]) -> None:
    """And briefly: it stands on a chart."""
    with small_registry.begin() as connection, pytest.raises(OperatorError):
        note(connection, replace(PLANNED, **left_out))


def test_rounds_follow_until_it_is_adopted_or_abandoned(registry: Engine) -> None:
    """Each says what was seen, whether as predicted, and what is next; one that is adapted says when it is looked at again."""
    with registry.begin() as connection:
        ident = note(connection, PLANNED)
        assert overdue(connection, date(2026, 9, 2)) == 1
        study(connection, "north", ident, SEEN)
        assert overdue(connection, date(2026, 12, 1)) == 0
        assert overdue(connection, date(2026, 12, 2)) == 1
        end = replace(
            SEEN, decision=Decision.ADOPT, next="Every visit; others should ask the dietitian early", due=None
        )
        study(connection, "north", ident, end)
        (found,) = tried(connection, "CF-2")
        assert (found.cycles, found.ended, found.due) == ((SEEN, end), Decision.ADOPT, None)
        assert overdue(connection, date(2030, 1, 1)) == 0
        with pytest.raises(OperatorError, match="not under way"):
            study(connection, "north", ident, SEEN)
        with pytest.raises(OperatorError, match="not under way"):
            study(connection, "south", note(connection, PLANNED), SEEN)


def test_what_is_said_twice_is_kept_once(registry: Engine) -> None:
    """A button pressed twice shows what the first press did, and no fault: of tests of change, rounds, ideas, answers, requests."""
    proposed = Idea(
        new_id(), "CF-2", "A dietitian joins", 70, 26, "More is eaten", "Three visits", "", "researcher", "r", NOW
    )
    with registry.begin() as connection:
        ident = note(connection, PLANNED)
        assert note(connection, replace(PLANNED, noted=NOW + timedelta(seconds=1))) == ident
        for cycle in (SEEN, replace(SEEN, decision=Decision.ADOPT, due=None)):
            study(connection, "north", ident, cycle)
            study(connection, "north", ident, replace(cycle, seen=f" {cycle.seen}", noted=NOW + timedelta(seconds=1)))
        assert len(tried(connection, "CF-2")[0].cycles) == 2
        assert propose(connection, proposed) == propose(connection, replace(proposed, id=new_id())) == proposed.id
        adopted = adopt(connection, proposed, "north", by="t", at=NOW)
        assert adopt(connection, proposed, "north", by="u", at=NOW + timedelta(seconds=1)) == adopted
        with pytest.raises(OperatorError, match="tries it already"):
            adopt(connection, proposed, "north", by="t", at=NOW + timedelta(days=1))
        issue = raise_issue(connection, About.NETWORK, "Tell us", site="", role="family", by="f", at=NOW)
        for _ in range(2):
            answer_issue(connection, issue, "Monthly", role="coordinator", by="c", at=NOW)
        with pytest.raises(OperatorError, match="waits for nothing"):
            answer_issue(connection, issue, "Weekly", role="coordinator", by="c", at=NOW)
        asked = [ask(connection, "ocdm", 2, ["190905008"], "Do they grow?", by="r", at=NOW) for _ in range(2)]
        answer(connection, asked[0], "north", yes=True, by="t", at=NOW)
        assert len({*asked, ask(connection, "ocdm", 2, ["190905008"], "Do they grow?", by="r", at=NOW)}) == 2


@pytest.mark.parametrize(
    "wrong", [{"seen": " "}, {"next": ""}, {"due": None}, {"due": date(2026, 11, 2)}, {"decision": Decision.ABANDON}]
)
def test_a_round_that_leaves_something_out_is_refused(small_registry: Engine, wrong: dict[str, object]) -> None:
    with small_registry.begin() as connection:
        ident = note(connection, PLANNED)
        with pytest.raises(OperatorError):
            study(connection, "north", ident, replace(SEEN, **wrong))
        found = one_tried(connection, "north", ident)
        assert found is not None
        assert found.cycles == ()


def test_what_an_older_version_noted_is_read_without_a_plan(registry: Engine) -> None:
    with registry.begin() as connection:
        old = {"id": "1", "site": "north", "measure": "CF-2", "since_date": "2025-01-02", "what": "x", "by": "y"}
        connection.execute(test_of_change.insert().values(**old, noted=NOW))
        (found,) = tried(connection, "CF-2")
        assert (found.plan, found.due, found.ended, found.idea) == (None, None, None, "")


def test_registry_of_an_older_version_gets_the_tables(postgres_url: str) -> None:
    """Opened by this version it has them, empty, and what it held stays."""
    old = open_registry(postgres_url)
    for table in (chart_phase, test_of_change):
        table.drop(old)
    assert "chart_phase" not in inspect(old).get_table_names()
    old.dispose()
    now = open_registry(postgres_url)
    with now.begin() as connection:
        begin(connection, BETTER, proposed=PROPOSED)
        assert (begun(connection, "CF-2"), tried(connection, "CF-2")) == ([BETTER], [])
    now.dispose()
    again = connect(postgres_url)
    assert {"chart_phase", "test_of_change"} <= set(inspect(again).get_table_names())
    again.dispose()
