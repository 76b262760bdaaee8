"""A network's worth of children with cystic fibrosis, for the pages: three sites, three years, one of them getting better."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from pydantic import BaseModel
from services_cases import event_of, record_id, subject_id
from sqlalchemy import Engine

from schemas.loads import LoadEvent, LoadEventType
from schemas.outcomes import Condition, Encounter, Observation, Person
from services.registry.handler import apply, apply_loads

NOW = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
SITES = {"northside": 44, "west": 26, "lake-county": 9}


def person(name: str, *, site: str = "north", born: str | None = "2016-05-20") -> Person:
    """A patient."""
    return Person(id=record_id("p" + name), subject=subject_id(name), site=site, birth_date=born)


def fibrosis(name: str, *, site: str = "north", **given: object) -> Condition:
    """A patient's cystic fibrosis."""
    content = {"id": record_id("c" + name), "subject": subject_id(name), "site": site, "code": "190905008"}
    return Condition.model_validate(content | given)


def visit(name: str, day: str, *, site: str = "north", **given: object) -> Encounter:
    """A patient's visit on a day."""
    content = {"id": record_id(f"e{name}{day}"), "subject": subject_id(name), "site": site, "start_date": day}
    return Encounter.model_validate(content | {"status": "finished", "class_code": "AMB"} | given)


def percentile(name: str, day: str, value: float | None, *, site: str = "north", **given: object) -> Observation:
    """A patient's BMI percentile on a day."""
    content = {"id": record_id(f"o{name}{day}{value}"), "subject": subject_id(name), "site": site, "code": "59576-9"}
    return Observation.model_validate(
        content | {"value": value, "unit": "%", "effective_date": day, "status": "final"} | given
    )


def population() -> Iterator[BaseModel]:
    """Everybody's records; the same at every call."""
    chance = random.Random(7)
    for site, size in SITES.items():
        for number in range(size):
            name = f"{site}-{number}"
            born = date(2008, 1, 1) + timedelta(days=chance.randrange(365 * 14))
            yield person(name, site=site, born=None if number == 5 else born.isoformat())
            yield fibrosis(name, site=site)
            level = chance.gauss(50, 22)
            day = date(2024, 1, 3) + timedelta(days=chance.randrange(60))
            while day < NOW.date():
                yield visit(name, day.isoformat(), site=site)
                better = 17 if site == "northside" and day > date(2025, 11, 1) else 0
                value = min(99.0, max(1.0, round(level + better + chance.gauss(0, 12), 1)))
                if chance.random() > 0.12:
                    yield percentile(name, day.isoformat(), value, site=site)
                day += timedelta(days=chance.randrange(30, 75))


def fill(engine: Engine, records: Iterable[BaseModel], loads: Sequence[LoadEvent] = ()) -> None:
    """Puts records and loads into a registry."""
    with engine.begin() as connection:
        apply(connection, [event_of(record) for record in records])
        apply_loads(connection, loads)


def load_events() -> list[LoadEvent]:
    """Each site's last load; one of them failed after it, one site never brought its observations."""
    types = ("Patient", "Encounter", "Condition", "Observation")
    events = [
        LoadEvent(
            load=f"{site}/1",
            site=site,
            event=LoadEventType.COMPLETED,
            mode="full",
            started=NOW - timedelta(hours=age),
            ended=NOW - timedelta(hours=age - 1),
            watermarks={name: NOW - timedelta(hours=age) for name in types},
        )
        for site, age in zip(SITES, (4, 28, 6), strict=True)
    ]
    lake = events[0].model_copy(update={"load": "lakeside/1", "site": "lakeside", "watermarks": {"Patient": NOW}})
    failed = events[1].model_copy(
        update={
            "load": "west/2",
            "event": LoadEventType.FAILED,
            "started": NOW - timedelta(hours=3),
            "error": "EHR down",
        }
    )
    return [*events, lake, failed]
