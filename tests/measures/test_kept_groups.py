"""Groups beside everybody in results that are kept and told: as SQL counts them, and nobody of a few to be reckoned."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from kept_results import NOW, YEAR, Network, person, visit
from persons import value_sets
from pydantic import BaseModel
from services_cases import record_id, subject_id
from services_story import fibrosis, fill, load_events, percentile
from services_story import visit as seen
from sqlalchemy import Engine, select

from mainstem.consumer.ledger import metadata as ledger
from schemas.feedback import ALL_SITES, FeedbackEvent
from schemas.outcomes import Coverage, DerivedObservation, Person
from services.measures.cells import suppressed
from services.measures.compile.from_registry import persons_of
from services.measures.compile.sql_tables import STRATA
from services.measures.evaluate.counts import evaluate
from services.measures.evaluate.groups import group_of
from services.measures.evaluate.periods import periods
from services.measures.evaluate.scripts import tables_of
from services.measures.evaluate.surveys import Asked, surveys
from services.measures.keeping.grouped import strata_together, without_few
from services.measures.keeping.keeper import Keeper
from services.measures.keeping.plans import network_plan
from services.measures.keeping.standing import official
from services.measures.keeping.tables import group, result
from services.measures.library import measures
from services.measures.official import definition
from services.measures.returned import measure_reports
from services.registry.database import open_registry, reading

MONTHS = periods("month", "2026-09", "2026-10-31")
RACES: list[list[str]] = [["2106-3"], ["2054-5"], ["2106-3", "2054-5"], [], ["UNK"]]
PAID: list[list[dict[str, Any]]] = [
    [{"payer": "2"}],
    [{"payer": "5", "order": 2}, {"payer": "2", "order": 1}, {"payer": "9"}],
    [{"payer": "1"}, {"payer": "2"}],
    [{"payer": "2", "end_date": "2026-10-30"}, {"payer": "5", "end_date": "2026-10"}],
    [{"payer": "2", "start_date": "2026-11-01"}],
    [{"payer": "2", "status": "cancelled"}, {"payer": "8", "status": "active"}],
    [{"status": "active", "order": 1}, {"payer": "7", "order": 2}],
    [],
]


def everybody() -> Iterator[BaseModel]:
    """Ninety at two sites, each seen once a month; told by sex, race and payer in every way, and two of whom nothing is."""
    for number in range(90):
        name, site = f"c{number}", "northside" if number % 3 else "west"
        whose = {"subject": subject_id(name), "site": site}
        told = {"race": RACES[number % 5], "language": "en-US"}
        yield Person.model_validate(
            {"id": record_id("p" + name), **whose, "birth_date": "2016-05-20", "sex": ("female", "male")[number % 2]}
            | (told if number > 1 else {})
        )
        if number == 7:  # a second record of hers, which says another sex: the first by id that knows counts
            yield Person.model_validate({"id": record_id("second"), **whose, "sex": "male", "ethnicity": "2186-5"})
        yield fibrosis(name, site=site)
        for place, each in enumerate(PAID[number % 8]):
            yield Coverage.model_validate({"id": record_id(f"w{name}{place}"), **whose, **each})
        for day in ("2026-09-02", "2026-10-02"):
            yield seen(name, day, site=site)
            if number % 4:
                yield percentile(name, day, 41 + number % 19, site=site)
            method = {"method": "fev1-percent-predicted-gli2022", "method_version": "1", "value": 60.0 + number % 40}
            means: dict[str, Any] = {
                "quantity": "fev1-percent-predicted",
                "unit": "%",
                "effective_date": day,
                "inputs": [],
            }
            yield DerivedObservation.model_validate({"id": record_id(f"f{name}{day}"), **whose, **method, **means})


def test_a_person_is_of_the_group_in_memory_that_sql_says(registry: Engine) -> None:
    """Of every kind, on both databases."""
    fill(registry, everybody(), load_events())
    with reading(registry) as connection:
        with tables_of(connection, measures()["cf2"], MONTHS) as (units, _):
            columns = [units.c[name] for name in STRATA]
            wanted = {
                (row.subject, name): row._mapping[name]
                for row in connection.execute(select(units.c.subject, *columns))
                for name in STRATA
            }
        people = list(persons_of(connection, sorted({subject for subject, _ in wanted})))
    assert {(each.subject, kind): group_of(each, kind, "2026-10-31") for each in people for kind in STRATA} == wanted
    assert len(people) == 90
    assert {name: len({wanted[key] for key in wanted if key[1] == name}) for name in ("race", "payer")} == {
        "race": 5,
        "payer": 6,
    }


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Keeper]]:
    """Their results, of a share and of a level."""
    engine = open_registry(f"sqlite:///{tmp_path_factory.mktemp('groups') / 'registry.db'}")
    fill(engine, everybody(), load_events())
    keeper = Keeper(engine, network_plan([measures()["cf2"], measures()["cf1"]], MONTHS), lambda: NOW)
    keeper.prepare()
    ledger.create_all(engine)
    keeper.work_off()
    yield engine, keeper
    engine.dispose()


@pytest.mark.parametrize("slug", ["cf2", "cf1"])
@pytest.mark.parametrize("kind", STRATA)
def test_groups_are_kept_as_one_statement_counts_them(kept: tuple[Engine, Keeper], slug: str, kind: str) -> None:
    """By site and month, whoever is of no known group too; they add up to everybody."""
    engine, _ = kept
    measure = measures()[slug]
    found: dict[tuple[str, str, str | None], tuple[int, int | float | None]] = {}
    with reading(engine) as connection:
        contents = connection.execute(
            select(result.c.site, result.c.period, result.c.content).where(result.c.measure == measure.id)
        ).all()
        for each in evaluate(connection, measure, MONTHS, by=kind):
            if each.site:
                second = round(each.mean, 6) if each.mean is not None else each.met
                found[each.site, each.period, each.stratum] = (each.seen, second)
    told = {}
    for site, period, content in contents:
        if site == ALL_SITES:
            continue
        decoded = json.loads(content)
        groups = decoded["strata"][kind]
        for each in groups:
            second = round(each["mean"], 6) if "mean" in each else each["populations"]["numerator"]
            told[site, period, each["group"]] = (each["populations"]["initial-population"], second)
        for name, count in decoded["populations"].items():
            assert sum(each["populations"][name] for each in groups) == count
    assert told == {key: (seen, second if second is not None else 0) for key, (seen, second) in found.items()}


def test_what_is_told_holds_no_group_of_a_few(kept: tuple[Engine, Keeper]) -> None:
    """West has 30 people, Northside 60."""
    _, keeper = kept
    told = [FeedbackEvent.model_validate_json(each.value) for each in keeper.waiting(1000)]
    sizes = {
        (each.site, kind, one.group): one.populations["initial-population"]
        for each in told
        if (each.measure, each.period.name) == ("CF-2", "2026-10")
        for kind, groups in each.strata.items()
        for one in groups
    }
    assert min(sizes.values()) >= 11
    assert sizes[ALL_SITES, "sex", "male"] == 45
    assert not {key for key in sizes if key[:2] == ("northside", "language")}  # all but one: that one could be reckoned


Sizes = dict[tuple[str, str | None], int]
"""By kind and group, how many people."""


@pytest.mark.parametrize("slug", ["cf2", "cf1"])
@pytest.mark.parametrize("site", ["northside", "west"])
def test_every_road_tells_the_same_groups(kept: tuple[Engine, Keeper], site: str, slug: str) -> None:
    """The event, the report that a site pulls, and its page, which shows its own people whole."""
    engine, keeper = kept
    measure, asked = measures()[slug], Asked({}, MONTHS["2026-10"], MONTHS["2026-10"])
    with reading(engine) as connection:
        whole = _counted(
            (kind, each.stratum, each.seen)
            for kind in measure.strata
            for each in evaluate(connection, measure, {"2026-10": MONTHS["2026-10"]}, by=kind)
            if each.site == site
        )
        on_page = surveys(connection, measure, asked, site=site)[site].strata
    events = [FeedbackEvent.model_validate_json(each.value) for each in keeper.waiting(1000)]
    (event,) = (e for e in events if (e.site, e.measure, e.period.name) == (site, measure.id, "2026-10"))
    (report,) = measure_reports([event])

    enough = _enough(whole, measure.strata)
    assert whole.keys() > enough.keys() > set()
    assert _of_event(event) == enough
    assert _of_report(report) == enough
    shown = _counted((kind, each.stratum, each.seen) for kind, found in on_page.items() for each in found)
    assert shown == (whole if measure.kind == "share" else {})


def _counted(rows: Iterable[tuple[str, str | None, int]]) -> Sizes:
    return {(kind, name): size for kind, name, size in rows}


def _enough(whole: Sizes, kinds: Iterable[str]) -> Sizes:
    """Without those of a few, and those by which they could be reckoned."""
    cells = {kind: suppressed({name: n for (its, name), n in whole.items() if its == kind}) for kind in kinds}
    return _counted((kind, name, n) for kind, found in cells.items() for name, n in found.items() if n is not None)


def _of_event(event: FeedbackEvent) -> Sizes:
    return _counted(
        (kind, each.group, each.populations["initial-population"])
        for kind, found in event.strata.items()
        for each in found
    )


def _of_report(report: dict[str, Any]) -> Sizes:
    (whole,) = report["group"]
    return _counted(
        (by["code"][0]["text"], None if (name := each["value"]["text"]) == "not known" else name, population["count"])
        for by in whole["stratifier"]
        for each in by["stratum"]
        for population in each["population"]
        if population["code"]["coding"][0]["code"] == "initial-population"
    )


def groups(**sizes: int) -> list[dict[str, Any]]:
    return [{"group": name, "populations": {"initial-population": n, "numerator": n // 2}} for name, n in sizes.items()]


def names(strata: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
    return {each["group"]: each["populations"]["initial-population"] for each in strata.get("sex", [])}


@pytest.mark.parametrize(
    ("sites", "told"),
    [
        ([{"f": 20, "m": 30}, {"f": 40, "m": 11}], {"f": 60, "m": 41}),
        ([{"f": 20, "m": 30}, {"f": 40, "m": 50, "u": 5}], {"m": 80}),
        ([{"f": 20, "m": 30, "u": 6}, {"f": 20, "m": 31, "u": 7}], {"f": 40, "m": 61, "u": 13}),
        ([{"f": 20, "m": 30, "u": 4}, {"f": 20, "m": 31, "u": 5}], {"m": 61}),
        ([{"f": 20, "m": 30}, {}], {"f": 20, "m": 30}),
        ([{"f": 4, "m": 5}], {}),
        ([], {}),
    ],
)
def test_of_the_network_nothing_is_told_from_which_a_site_could_be_reckoned(
    sites: list[dict[str, int]], told: dict[str, int]
) -> None:
    """A group that one site alone does not tell is not told of all; where several do not, it is, if they are enough people."""
    assert names(strata_together([{"sex": groups(**each)} for each in sites])) == told


def test_a_mean_of_a_few_is_not_told() -> None:
    """Though the group is of many."""
    many = groups(f=20, m=20)
    found = without_few({"sex": [many[0] | {"mean": 4.0, "measured": 2}, many[1] | {"mean": 5.0, "measured": 11}]})
    assert [each.get("mean") for each in found["sex"]] == [None, 5.0]


def test_strata_of_a_published_measure_are_groups(small_registry: Engine) -> None:
    """CMS155: 3 to 11 and 12 to 17 years old at the end of the period, in each of its rates."""
    children = definition("CMS155", 2026)
    network = Network(small_registry, official(children, "2026", YEAR, value_sets(children.groups)))
    network.loaded()
    for number in range(30):
        born = "2019-05-20" if number < 18 else "2010-05-20"
        network.brings(network.event(person(f"c{number}", born)), network.event(visit(f"c{number}")))
    network.keeper.work_off()
    events = network.told()
    sizes = [{e.group: e.populations["denominator"] for e in each.strata["stratum"]} for each in events]
    assert sizes == [{"12 to 17 years old": 12, "3 to 11 years old": 18}] * 3


def test_groups_go_with_the_person(kept: tuple[Engine, Keeper]) -> None:
    """Nothing of somebody who is forgotten is kept here."""
    engine, keeper = kept
    gone = subject_id("c59")
    with engine.connect() as connection, connection.begin() as transaction:
        had = connection.execute(select(group.c.kind).where(group.c.subject == gone)).all()
        keeper.erase(connection, [gone])
        assert connection.execute(select(group).where(group.c.subject == gone)).all() == []
        transaction.rollback()
    assert len(had) == len(STRATA)


def test_only_results_in_which_somebody_stands_otherwise_are_counted_anew(small_registry: Engine) -> None:
    """By another group too; what is said again changes none."""
    network = Network(small_registry, network_plan([measures()["cf2"]], MONTHS))
    network.loaded()
    network.keeper.work_off()
    ada = person("ada", "2016-05-20")
    made = {
        "type": "condition",
        "id": record_id("cada"),
        "subject": ada["subject"],
        "site": "north",
        "code": "190905008",
    }

    def to_count(*said: dict[str, Any]) -> list[str]:
        network.brings(*map(network.event, said))
        network.keeper.work()
        with reading(small_registry) as connection:
            found = sorted(connection.scalars(select(result.c.period).where(result.c.stale)))
        network.keeper.work_off()
        return found

    assert to_count(ada | {"sex": "female"}, made, visit("ada", "2026-09-02")) == ["2026-09"]
    assert to_count(ada | {"sex": "female"}) == []
    assert to_count(ada | {"sex": "male"}) == ["2026-09"]
    assert to_count(visit("ada", "2026-10-02")) == ["2026-09", "2026-10"]
    assert to_count(visit("ada", "2026-10-02")) == []
    assert [
        (each.period.name, each.populations["initial-population"]) for each in network.told() if each.populations
    ] == [
        ("2026-09", 0),
        ("2026-10", 1),
    ]
