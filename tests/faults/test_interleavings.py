"""Runs, DAGs' tasks, `--fresh`, publishing and kill -9 in any order give the events of one undisturbed run."""

import json
import os
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from interleaved import Dag, Event, Place, Run, publish, run, run_fresh, to_the_end

from mainstem.state import State
from schemas.loads import TypeCounts, add_up

# More of them, for whoever changes a step: MAINSTEM_INTERLEAVINGS=100.
SEEDS = range(int(os.environ.get("MAINSTEM_INTERLEAVINGS", "4")))
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
CHILDREN = 6
DONE = ("recorded", "amended", "withdrawn")


def patient(number: int, gender: str = "female") -> dict[str, Any]:
    """A child."""
    return {"resourceType": "Patient", "id": f"kid-{number}", "gender": gender, "birthDate": "2015-03-01"}


def weight(number: int, kilograms: float, **values: Any) -> dict[str, Any]:
    """A reading of one of the children."""
    return {
        "resourceType": "Observation",
        "id": f"wt-{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": f"Patient/kid-{number % CHILDREN}"},
        "effectiveDateTime": f"2026-03-{number + 1:02}T10:00:00Z",
        "valueQuantity": {"value": kilograms, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
        **values,
    }


def order(number: int) -> dict[str, Any]:
    """An order that names its drug elsewhere."""
    return {
        "resourceType": "MedicationRequest",
        "id": f"rx-{number}",
        "status": "active",
        "intent": "order",
        "subject": {"reference": f"Patient/kid-{number}"},
        "medicationReference": {"reference": f"Medication/med-{number % 2}"},
        "authoredOn": "2026-03-02",
    }


def drug(number: int, code: str) -> dict[str, Any]:
    """A drug, by its RxNorm code."""
    return {"resourceType": "Medication", "id": f"med-{number}", "code": {"coding": [{"system": RXNORM, "code": code}]}}


FIRST = [
    *(patient(number) for number in range(CHILDREN)),
    *(weight(number, 20 + number) for number in range(14)),
    *(order(number) for number in range(4)),
    drug(0, "327361"),
    drug(1, "8640"),
]
"""The first night's delivery; one line of it is broken."""
SECOND = [
    *(patient(number, "male" if number < 2 else "female") for number in range(CHILDREN + 1)),
    *(weight(number, 20 + number + (number == 3)) for number in range(12)),
    weight(12, 32, status="entered-in-error"),
    weight(14, 41),
    weight(15, 42, subject={"reference": "Patient/kid-1"}),
    order(0),
    order(1),
    drug(0, "8638"),
    drug(1, "8640"),
]
"""The second night's: some is new, some changed, some withdrawn, a drug is another, some does not come again."""
NIGHTS = (FIRST, SECOND)
LINES = [len(night) + 1 for night in NIGHTS]


def deliver(place: Place, resources: list[dict[str, Any]]) -> None:
    """A night's delivery takes the place of the one before."""
    lines = defaultdict(list)
    for resource in resources:
        lines[resource["resourceType"]].append(json.dumps(resource))
    lines["Observation"].insert(5, "{")
    for name, found in lines.items():
        (place.folder / "delivery" / f"{name}.ndjson").write_text("\n".join(found) + "\n")


class Told:
    """What a consumer knows of the topics."""

    def __init__(self, events: list[Event]) -> None:
        self.by_record: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        """Distinct events of each record, in their order."""
        self.by_key: dict[str, Any] = {}
        """The last content of each key, as a compacted topic keeps it."""
        self.completed: list[dict[str, Any]] = []
        self.loads: list[dict[str, Any]] = []
        seen: dict[str, tuple[Any, ...]] = {}
        for event in events:
            if event.topic.endswith(".load.v1"):
                self._load(event, seen)
            else:
                self._outcome(event, seen)
        self.distinct = sum(len(each) for each in self.by_record.values())

    def _load(self, event: Event, seen: dict[str, tuple[Any, ...]]) -> None:
        if event.id not in seen:
            seen[event.id] = (event.value,)
            self.loads.append(event.value)
            if event.value["event"] == "completed":
                self.completed.append(event.value)
        assert seen[event.id] == (event.value,), "one id, one event"

    def _outcome(self, event: Event, seen: dict[str, tuple[Any, ...]]) -> None:
        said = (event.key, event.id, event.type, _without_load(event.value))
        if event.id not in seen:
            seen[event.id] = said
            self.by_record[event.key.split("/")[1]].append(said)
            if event.value is not None:
                load = event.value["provenance"]["load"]
                assert load not in [each["load"] for each in self.completed], f"{load} was told complete before this"
        assert seen[event.id] == said, "one id, one event"
        newest = self.by_record[event.key.split("/")[1]][-1]
        assert newest[1] == event.id, "an older change behind a newer one"
        self.by_key[event.key] = event.value and event.value["record"]


def _without_load(value: Any) -> Any:
    if value is None:
        return None
    return {**value, "provenance": {**value["provenance"], "load": ""}}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Told, TypeCounts, dict[str, Any]]]:
    """What is told, counted and reported after each night of plain runs."""
    place = Place(tmp_path_factory.mktemp("undisturbed") / "west")
    found = []
    for night in NIGHTS:
        deliver(place, night)
        report = to_the_end(place, run)
        found.append((Told(place.events()), figures(place), report))
    assert [told.distinct for told, _, _ in found] == [24, 33]
    return found


def figures(place: Place) -> TypeCounts:
    """Of all loads, however they ended."""
    from sqlalchemy import select

    from mainstem.state import tables

    state = State.open(place.settings.database_url)
    try:
        with state.database.read() as connection:
            rows = list(connection.scalars(select(tables.load_part.c.figures)))
    finally:
        state.close()
    return add_up([TypeCounts(**row) for row in rows])


def published(place: Place) -> int:
    """Events acknowledged in all loads, however they ended."""
    from sqlalchemy import func, select

    from mainstem.state import tables

    state = State.open(place.settings.database_url)
    try:
        with state.database.read() as connection:
            return connection.execute(select(func.coalesce(func.sum(tables.load_published.c.events), 0))).scalar_one()
    finally:
        state.close()


class Disturbance:
    """Up to three works at once, each going on a little, dying, or joined by another, by the seed."""

    WORKS = ("run", "run", "dag", "dag", "fresh", "publish")

    def __init__(self, place: Place, choices: random.Random) -> None:
        self._place, self._choices = place, choices
        self._works: list[Run | Dag] = []
        self.story: list[str] = []

    def act(self, times: int, *, end: bool = True) -> None:
        """So many acts; then, at the `end`, all that is still at work ends, or dies."""
        for _ in range(times):
            self._works = [work for work in self._works if not work.ended]
            if len(self._works) < 2 and (not self._works or self._choices.random() < 0.3):
                self._begin()
            else:
                self._disturb(self._choices.choice(self._works))
        if end:
            self._end()

    def _begin(self) -> None:
        name = self._choices.choice(self.WORKS)
        self.story.append(f"{name} begins")
        works = {"run": run, "fresh": run_fresh, "publish": publish}
        self._works.append(Dag(self._place) if name == "dag" else Run(self._place, works[name]))

    def _disturb(self, work: Run | Dag) -> None:
        choice, chance = self._choices.randrange(60), self._choices.random()
        if chance < 0.12:
            self.story.append(f"{type(work).__name__} {choice} is killed")
            work.kill(choice, in_transaction=self._choices.random() < 0.5)
        else:
            points = self._choices.choice((1, 2, 3, 5, 8, 13, 40))
            self.story.append(f"{type(work).__name__} {choice} goes on by {points}")
            work.go(points, choice)

    def _end(self) -> None:
        die = self._choices.random() < 0.5
        for work in self._works:
            while not work.ended:
                if die and isinstance(work, Dag):
                    work.end()
                elif die:
                    work.kill(0, in_transaction=False)
                else:
                    work.go(100, 0)


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """A site, its state in the database that is asked for."""
    return Place(tmp_path / "west", request.getfixturevalue("postgres_url") if request.param == "postgresql" else "")


BOTH = [
    *(pytest.param("sqlite", seed, marks=pytest.mark.slow) for seed in SEEDS),
    *(pytest.param("postgresql", seed + 500, marks=pytest.mark.slow) for seed in SEEDS[: (len(SEEDS) + 3) // 4]),
]


@pytest.mark.parametrize(("place", "seed"), BOTH, indirect=["place"])
def test_any_interleaving_ends_with_the_events_of_an_undisturbed_run(
    place: Place, undisturbed: list[tuple[Told, TypeCounts, dict[str, Any]]], seed: int
) -> None:
    """Night by night: each event the same, once, in its order; figures are those of what happened."""
    disturbance = Disturbance(place, random.Random(seed))
    for night, (expected, counted, reported) in zip(NIGHTS, undisturbed, strict=True):
        deliver(place, night)
        disturbance.act(16)
        report = to_the_end(place, run)

        print("\n".join(disturbance.story))
        told = Told(place.events())
        assert told.by_record == expected.by_record
        assert told.by_key == expected.by_key
        assert (report["status"], report["gaps"]) == (reported["status"], reported["gaps"])
        every = figures(place)
        assert [getattr(every, name) for name in DONE] == [getattr(counted, name) for name in DONE]
        assert published(place) <= told.distinct
        for load in told.completed:
            adds_up(load)
        assert told.completed[-1]["load"] == report["load"]
        assert told.completed[-1]["types"] == report["types"]
        assert told.completed[-1]["published"] == report["published"]


@pytest.mark.parametrize("seed", [seed + 1000 for seed in SEEDS[: (len(SEEDS) + 3) // 4]])
def test_a_delivery_that_comes_in_the_middle_of_it_all_is_told_whole(
    tmp_path: Path, undisturbed: list[tuple[Told, TypeCounts, dict[str, Any]]], seed: int
) -> None:
    """What the first night brought may be told or passed over; what the second brought is told as it is, and nothing else."""
    place, alone = Place(tmp_path / "west"), Place(tmp_path / "alone")
    disturbance = Disturbance(place, random.Random(seed))
    deliver(place, FIRST)
    disturbance.act(12, end=False)
    deliver(place, SECOND)
    disturbance.act(12)
    for _ in range(2):  # the first takes up what is left of a load, the second reads the delivery
        to_the_end(place, run)
    deliver(alone, SECOND)
    to_the_end(alone, run)

    print("\n".join(disturbance.story))
    told, expected = Told(place.events()), undisturbed[-1][0].by_key
    brought = {key for key, content in Told(alone.events()).by_key.items() if content}
    assert {key: told.by_key.get(key) for key in brought} == {key: expected[key] for key in brought}
    assert {key: expected.get(key) for key in told.by_key} == told.by_key


def adds_up(load: dict[str, Any]) -> None:
    """What a completed load says of itself: it read a delivery whole, and each record it gave became something."""
    total = defaultdict(int)
    for counts in load["types"].values():
        for name, count in counts.items():
            total[name] += sum(count.values()) if isinstance(count, dict) else count
    assert total["read"] in LINES
    assert total["read"] == total["mapped"] + total["skipped"]
