"""A registry, the results kept beside it, and adults with diabetes whose story is told by events."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from persons import codings, value_sets
from services_cases import received, record_id, subject_id
from sqlalchemy import Engine, delete, select

from mainstem.consumer import Received
from mainstem.consumer.ledger import consumer_offset
from mainstem.consumer.ledger import metadata as ledger
from schemas.feedback import FeedbackEvent
from schemas.loads import LoadEvent, LoadEventType
from schemas.outcomes import CORE_TYPES, RECORD_TYPES
from services.measures.compile.memory import Period
from services.measures.keeping.keeper import Keeper
from services.measures.keeping.noting import note_events, note_loads
from services.measures.keeping.standing import Plan, official
from services.measures.keeping.tables import standing
from services.measures.official import cms122, common, definition
from services.registry.handler import apply, apply_loads
from services.registry.running import GROUP

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
YEAR = Period(date(2026, 1, 1), date(2026, 12, 31))
DIABETES = definition("CMS122", 2026)
SETS = value_sets(DIABETES.groups)
PLAN = official(DIABETES, "2026", YEAR, SETS)
WHOLE = dict.fromkeys(sorted(CORE_TYPES), datetime(2026, 11, 20, 4, tzinfo=UTC))


class Network:
    """A registry that is handed events as the two consumers would be, and the results that are kept beside it."""

    def __init__(self, engine: Engine, plan: Plan = PLAN) -> None:
        self.engine = engine
        self.keeper = Keeper(engine, plan, lambda: NOW)
        self.keeper.prepare()
        ledger.create_all(engine)
        self.sequences: dict[str, Iterator[int]] = {}
        self.offset = 0

    def event(self, content: dict[str, Any], *, withdrawn: bool = False) -> Received:
        """The next change of a record."""
        sequence = next(self.sequences.setdefault(content["id"], count(1)))
        record = RECORD_TYPES[content["type"]].model_validate(content).model_dump(mode="json", exclude_none=True)
        op = "withdrawn" if withdrawn else "recorded" if sequence == 1 else "amended"
        said = {"record": record, "change": {"op": op, "sequence": sequence}, "provenance": {"site": content["site"]}}
        value = json.dumps(said).encode()
        found = received(
            content["type"],
            content["id"],
            content["subject"],
            content["site"],
            sequence,
            op,
            None if withdrawn else value,
        )
        self.offset += 1
        found.source = found.source._replace(topic="t", offset=self.offset)
        return found

    def registry_has(self, *events: Received) -> None:
        with self.engine.begin() as connection:
            apply(connection, events)
            connection.execute(delete(consumer_offset))
            place = {"consumer_group": GROUP, "topic": "t", "partition": 0, "next_offset": self.offset + 1}
            connection.execute(consumer_offset.insert(), place)

    def feedback_sees(self, *events: Received) -> None:
        with self.engine.begin() as connection:
            note_events(connection, events)

    def brings(self, *events: Received) -> None:
        """To both."""
        self.registry_has(*events)
        self.feedback_sees(*events)

    def loaded(self, **given: Any) -> None:
        """A load of north's, whole unless said otherwise."""
        content = {"load": "north/1", "site": "north", "event": LoadEventType.COMPLETED, "mode": "full", "started": NOW}
        event = LoadEvent.model_validate(content | {"watermarks": WHOLE} | given)
        with self.engine.begin() as connection:
            apply_loads(connection, [event])
            note_loads(connection, [event])

    def standings(self) -> set[Any]:
        with self.engine.connect() as connection:
            return {tuple(row) for row in connection.execute(select(standing))}

    def told(self, site: str = "north") -> list[FeedbackEvent]:
        """Of a site; or of all together."""
        found = [FeedbackEvent.model_validate_json(each.value) for each in self.keeper.waiting(100)]
        return [each for each in found if each.site == site]


def person(name: str, born: str = "1980-05-20", site: str = "north") -> dict[str, Any]:
    names = {"id": record_id("p" + name), "subject": subject_id(name), "site": site}
    return {"type": "person", **names, "birth_date": born}


def visit(name: str, day: str = "2026-03-02", site: str = "north", **given: Any) -> dict[str, Any]:
    names = {"id": record_id("v" + name), "subject": subject_id(name), "site": site, "start_date": day, "end_date": day}
    return {"type": "encounter", **names, "status": "finished", "types": codings(common.OFFICE)} | given


def diabetes(name: str, day: str = "2020-01-01", site: str = "north") -> dict[str, Any]:
    names = {"id": record_id("d" + name), "subject": subject_id(name), "site": site, "onset_date": day}
    return {"type": "condition", **names, "codings": codings(cms122.DIABETES)} | {
        "clinical_status": "active",
        "category": ["encounter-diagnosis"],
    }


def reading(name: str, value: float, day: str = "2026-04-01", site: str = "north", **given: Any) -> dict[str, Any]:
    names = {"id": record_id("t" + name), "subject": subject_id(name), "site": site, "effective_date": day}
    content = {"codings": codings(cms122.HBA1C), "value": value, "unit": "%", "status": "final"}
    return {"type": "observation", **names, **content, "category": ["laboratory"]} | given
