"""Results kept up to date person by person: what incremental work gives is what everything anew gives; and what is told of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest
from how_many import some
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kept_results import DIABETES, NOW, PLAN, WHOLE, YEAR, Network, diabetes, person, reading, visit
from persons import value_sets
from services_cases import subject_id
from services_story import fill, load_events, population
from sqlalchemy import Engine, select

from mainstem.consumer import Received
from mainstem.consumer.ledger import metadata as ledger
from mainstem.consumer.subjects import FoundSubject, Subjects, metadata
from schemas.feedback import ALL_SITES, FeedbackEvent
from schemas.subjects import SubjectEvent
from services.measures.evaluate.counts import Counts, evaluate
from services.measures.evaluate.periods import periods
from services.measures.keeping.counted import kept_counts
from services.measures.keeping.keeper import Keeper
from services.measures.keeping.noting import note, note_person
from services.measures.keeping.plans import network_plan
from services.measures.keeping.running import GROUP as FEEDBACK
from services.measures.keeping.standing import Plan, official
from services.measures.keeping.tables import due, result
from services.measures.keeping.tables import standing as table
from services.measures.library import measures
from services.measures.official import definition
from services.registry.database import open_registry


def counts(events: Iterable[FeedbackEvent]) -> list[tuple[str, int, dict[str, int] | None]]:
    return [
        (
            each.site,
            each.sequence,
            each.populations and {"in": each.populations["denominator"], "met": each.populations["numerator"]},
        )
        for each in events
        if each.site != ALL_SITES
    ]


@pytest.fixture
def north(registry: Engine) -> Network:
    """North, loaded."""
    network = Network(registry)
    network.loaded()
    network.keeper.work_off()
    return network


def test_a_result_follows_the_events_and_each_is_told_once(north: Network) -> None:
    """Two with diabetes and no test; one is tested, corrected, withdrawn; one goes to another person."""
    bring, keeper = north.brings, north.keeper

    def then(*events: Received) -> Any:
        bring(*events)
        keeper.work_off()
        waiting = keeper.waiting(100)
        keeper.sent([each.number for each in waiting])
        assert keeper.waiting(100) == []
        return counts(FeedbackEvent.model_validate_json(each.value) for each in waiting)

    people = [north.event(of(name)) for name in ("ada", "bea") for of in (person, visit, diabetes)]
    assert then(*people) == [("north", 1, {"in": 2, "met": 2})]
    assert then(north.event(reading("ada", 7))) == [("north", 2, {"in": 2, "met": 1})]
    assert then(north.event(reading("ada", 7.5))) == []
    assert then(north.event(reading("ada", 9.5))) == [("north", 3, {"in": 2, "met": 2})]
    assert then(north.event(reading("ada", 8))) == [("north", 4, {"in": 2, "met": 1})]
    assert then(north.event(reading("ada", 8), withdrawn=True)) == [("north", 5, {"in": 2, "met": 2})]
    gone = [north.event(of("bea"), withdrawn=True) for of in (person, visit, diabetes)]
    assert then(*gone) == [("north", 6, {"in": 1, "met": 1})]
    gone = [north.event(of("ada"), withdrawn=True) for of in (person, visit, diabetes)]
    assert then(*gone) == [("north", 7, {"in": 0, "met": 0})]


def test_what_another_site_says_of_somebody_is_not_their_sites(north: Network) -> None:
    """A family's answers are the centre's: by the first id of all they would have moved the person there."""
    north.brings(*(north.event(of("ada")) for of in (person, visit, diabetes)), north.event(reading("ada", 7)))
    north.brings(north.event(reading("ada", 12, "2026-05-01", site="centre") | {"id": "r-" + "0" * 32}))
    north.keeper.work_off()
    (standing,) = north.standings()
    columns = dict(zip(table.c.keys(), standing, strict=True))
    assert (columns["site"], columns["numerator"]) == ("north", 0)


def test_nobody_is_evaluated_before_the_registry_has_what_was_said(north: Network) -> None:
    """The two consumers read apart: who is ahead waits."""
    events = [north.event(of("ada")) for of in (person, visit, diabetes)]
    north.feedback_sees(*events)
    assert (north.keeper.work_off(), north.told()) == (0, [])
    north.registry_has(*events)
    north.keeper.work_off()
    assert counts(north.told()) == [("north", 1, {"in": 1, "met": 1})]


def test_what_is_noted_again_meanwhile_is_evaluated_again(north: Network) -> None:
    """Between reading a person and writing, another event of theirs came: what was read is not written."""
    north.brings(*(north.event(of("ada")) for of in (person, visit, diabetes)))
    kept, plan_ = north.keeper, north.keeper._plan
    late = [north.event(reading("ada", 7))]

    def evaluate(someone: Any) -> Iterator[Any]:
        found = list(plan_.evaluate(someone))
        if late:
            north.brings(late.pop())
        yield from found

    kept._plan = Plan(plan_.counted, (evaluate,))
    assert kept.work() == 1
    assert north.standings() == set()
    kept.work_off()
    assert counts(north.told()) == [("north", 1, {"in": 1, "met": 0})]


def test_what_was_never_loaded_has_no_number(registry: Engine) -> None:
    """Records of a type may stand there, and their load never came; a load makes it a number, and says which gaps it has."""
    network = Network(registry)
    network.loaded(watermarks={name: at for name, at in WHOLE.items() if name != "Observation"})
    network.brings(*(network.event(of("ada")) for of in (person, visit, diabetes)))
    network.keeper.work_off()
    (event,) = network.told()
    assert (event.populations, event.completeness["observation"]) == (None, "not loaded")
    assert [(each.site, each.populations, each.sites) for each in network.told(ALL_SITES)] == [(ALL_SITES, None, 0)]
    network.loaded(load="north/2", started=NOW + timedelta(hours=1))
    network.keeper.work_off()
    (event,) = network.told()
    assert (event.sequence, event.populations and event.populations["denominator"]) == (2, 1)
    assert event.completeness["observation"] == "not yet"
    (whole,) = network.told(ALL_SITES)
    assert (whole.sites, whole.populations, whole.sequence) == (1, event.populations, 2)


def test_whoever_changes_what_is_no_event_notes_it(north: Network) -> None:
    """Such as an exclusion that a site keeps: evaluated at once, and nothing counted or told where nobody stands otherwise."""
    north.brings(*(north.event(of("ada")) for of in (person, visit, diabetes)))
    north.keeper.work_off()
    north.keeper.sent([each.number for each in north.keeper.waiting(9)])
    with north.engine.begin() as connection:
        note_person(connection, subject_id("ada"))
        note(connection, "subject", [subject_id("nobody")])
    assert north.keeper.work_off() == 2
    assert north.told() == []


def test_who_is_to_be_forgotten_stands_nowhere_though_the_registry_holds_them_still(north: Network) -> None:
    """The feedback service is told first, and again by a word about the person; results are counted without them, and the network's."""
    people = [north.event(of(name)) for name in ("ada", "bea") for of in (person, visit, diabetes)]
    north.brings(*people)
    north.keeper.work_off()
    north.keeper.sent([each.number for each in north.keeper.waiting(9)])
    ada, said = subject_id("ada"), {"withdrawn": ["qi", "research"], "erase": True}
    told = {"event": "withdrawn", "subject": ada, "site": "north", "sequence": 1, "at": NOW} | said
    group = Subjects(FEEDBACK, north.keeper.erase)

    with north.engine.begin() as connection:
        metadata.create_all(connection)
        assert group.take(connection, [FoundSubject(SubjectEvent.model_validate(told), 1, None)]) == 1
    assert ada not in {row[4] for row in north.standings()}
    north.keeper.work_off()
    assert {row[4] for row in north.standings()} == {subject_id("bea")}
    assert counts(north.told()) == [("north", 2, {"in": 1, "met": 1})]
    assert [each.populations and each.populations["denominator"] for each in north.told(ALL_SITES)] == [1]

    with north.engine.begin() as connection:
        note_person(connection, ada)
    north.brings(north.event(reading("ada", 7)))
    north.keeper.work_off()
    assert {row[4] for row in north.standings()} == {subject_id("bea")}

    with north.engine.begin() as connection:
        given = told | {"event": "given", "sequence": 2, "withdrawn": [], "erase": False}
        group.take(connection, [FoundSubject(SubjectEvent.model_validate(given), 1, None)])
    north.brings(north.event(reading("ada", 7.5)))
    north.keeper.work_off()
    assert {row[4] for row in north.standings()} == {ada, subject_id("bea")}


def test_a_registry_without_kept_results_has_nobody_to_note(small_registry: Engine) -> None:
    """Whoever sets somebody aside there is not stopped by it."""
    with small_registry.begin() as connection:
        note_person(connection, subject_id("ada"))


def test_other_measures_are_evaluated_for_everybody_and_what_was_told_stays(north: Network) -> None:
    """A new version stands beside the old, whose result is not told as nought."""
    north.brings(*(north.event(of("ada")) for of in (person, visit, diabetes)))
    north.keeper.work_off()
    older = definition("CMS122", 2025)
    newer = Keeper(north.engine, official(older, "2025", YEAR, value_sets(older.groups, DIABETES.groups)), lambda: NOW)
    assert (newer.prepare(), newer.prepare()) == (True, False)
    newer.work_off()
    told = [(each.version, each.populations and each.populations["denominator"]) for each in north.told()]
    assert told == [("2026", 1), ("2025", 1)]


def test_an_evaluation_that_answers_otherwise_is_made_anew(north: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """The declarations are the same, and so are the records: without it the old answers would stay for good."""
    assert not Keeper(north.engine, PLAN, lambda: NOW).prepare()
    monkeypatch.setattr("services.measures.keeping.standing.EVALUATION", 0)
    assert Keeper(north.engine, PLAN, lambda: NOW).prepare()


STEP = st.tuples(
    st.sampled_from(["ada", "bea", "cem"]),
    st.sampled_from(["person", "visit", "diabetes", "test"]),
    st.sampled_from(["say", "say", "say", "withdraw", "move", "evaluate"]),
    st.sampled_from([None, "2026-03-02", "2025-12-31", "2026"]),
    st.sampled_from([7, 9, 9.5, None]),
)


def content_of(name: str, kind: str, day: str | None, value: float | None) -> dict[str, Any]:
    if kind == "person":
        return person(name, born="1980-05-20" if value else "2009-06")
    if kind == "visit":
        return visit(name, day or "2026-06-01")
    return diabetes(name) if kind == "diabetes" else reading(name, value or 5, day or "2026-04-01")


@settings(max_examples=some(40), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, max_size=30))
@pytest.mark.slow
def test_incremental_is_everything_anew(steps: Sequence[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Random histories: said, amended, withdrawn, gone over to another person, evaluated in between at random."""
    engine = open_registry(f"sqlite:///{tmp_path_factory.mktemp('kept') / 'registry.db'}")
    network = Network(engine)
    network.loaded()
    there: dict[str, dict[str, Any]] = {}
    for name, kind, what, day, value in steps:
        said = content_of(name, kind, day, value)
        record = said["id"]
        if what == "evaluate":
            network.keeper.work()
        elif what == "say":
            there[record] = said | {"subject": there.get(record, said)["subject"]}
            network.brings(network.event(there[record]))
        elif record in there:
            network.brings(network.event(there[record], withdrawn=True))
            if what == "move":
                there[record] = said | {"subject": subject_id("dan")}
                network.brings(network.event(there[record]))
            else:
                del there[record]
    network.keeper.work_off()
    assert outcome(network) == anew(network)
    engine.dispose()


def outcome(network: Network) -> tuple[set[Any], set[Any]]:
    with network.engine.connect() as connection:
        assert connection.execute(select(due)).all() == []
        contents = {row.content for row in connection.execute(select(result.c.content))}
    return network.standings(), contents


def anew(network: Network) -> tuple[set[Any], set[Any]]:
    """From the registry alone, everybody."""
    with network.engine.begin() as connection:
        network.keeper.clear(connection)
    network.keeper.work_off()
    return outcome(network)


@pytest.mark.slow
def test_what_is_kept_of_the_networks_measures_is_what_the_pages_count(small_registry: Engine) -> None:
    """Of every measure, by month, site and network: person by person and by one statement; told as it is counted."""
    fill(small_registry, population(), load_events())
    months = periods("month", "2026-09", "2026-10-31")
    keeper = Keeper(small_registry, network_plan(measures().values(), months), lambda: NOW)
    keeper.prepare()
    ledger.create_all(small_registry)
    with small_registry.connect() as connection:
        assert kept_counts(connection, measures()["cf2"], months) is None
    keeper.work_off()
    told = {
        (each.measure, each.site, each.period.name): each
        for each in (FeedbackEvent.model_validate_json(one.value) for one in keeper.waiting(10_000))
    }
    measured = 0
    with small_registry.connect() as connection:
        assert kept_counts(connection, measures()["cf2"], periods("year", "2026-01", "2026-10-31")) is None
        for measure in measures().values():
            kept = kept_counts(connection, measure, months)
            assert [rounded(each) for each in kept or ()] == [
                rounded(each) for each in evaluate(connection, measure, months)
            ], measure.id
            for each in kept or ():
                event = told[measure.id, each.site or ALL_SITES, each.period]
                if event.populations is not None and each.site:
                    assert event.populations["set-aside"] == each.aside
                    measured += each.measured
    assert measured > 20
    sites = [
        each
        for (measure, site, month), each in told.items()
        if (measure, month) == ("CF-2", "2026-10") and site != ALL_SITES
    ]
    known = [each.populations["denominator"] for each in sites if each.populations]
    network = told["CF-2", ALL_SITES, "2026-10"]
    assert (network.sites, network.populations and network.populations["denominator"]) == (len(known), sum(known))
    assert len(known) == 3


def rounded(counts: Counts) -> dict[str, Any]:
    """Sums of numbers in another order differ in the last places."""
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(counts).items()}
