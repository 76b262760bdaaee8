"""Evaluates who is due, counts what became another by it, and says what nobody was told of yet."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, Row, delete, func, insert, or_, select, tuple_, update

from mainstem.consumer.completeness import Extents, State
from mainstem.consumer.ledger import consumer_offset
from mainstem.database import make_tables
from mainstem.database.locks import rights_of
from schemas.feedback import ALL_SITES, FeedbackEvent, FeedbackEventType
from schemas.outcomes import CORE_TYPES, fhir_types_of
from services.measures.compile.from_registry import persons_of
from services.measures.compile.people import Person
from services.measures.keeping.grouped import without_few
from services.measures.keeping.noting import SITE, SUBJECT, Due, note, note_all, ready, take
from services.measures.keeping.replacing import Rows, replaced
from services.measures.keeping.standing import Counted, Plan
from services.measures.keeping.summing import (
    Key,
    columns,
    keep_counts,
    kept_anew,
    key_of,
    of_all_sites,
    sums,
    sums_by_group,
)
from services.measures.keeping.tables import KEY, POPULATIONS, group, metadata, plan, result, standing
from services.registry.completeness import extents
from services.registry.database import in_words, let_people_say, reading
from services.registry.erasure import forgotten
from services.registry.write import write

SUBJECT_AT = standing.c.keys().index("subject")
_KEY = itemgetter(*(standing.c.keys().index(name) for name in KEY))
AT_ONCE = 200
"""Persons evaluated between two transactions."""


class Waiting(NamedTuple):
    """A result nobody was told of."""

    number: int
    name: str
    site: str
    at: datetime
    value: bytes


class _Found(NamedTuple):
    """Rows of a person."""

    stands: Rows
    groups: Rows


class Keeper:
    """Keeps the results of a plan in a registry's database."""

    def __init__(self, engine: Engine, wanted: Plan, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._engine, self._plan, self._clock = engine, wanted, clock
        self._rights = rights_of(engine)
        self._reads = wanted.reads
        self._counted = {(each.measure, each.version, each.period): each for each in wanted.counted}

    def prepare(self) -> bool:
        """Makes the tables; where they were made by other measures or periods, everybody is due. Says whether they were."""
        with self._writing() as connection:
            make_tables(connection, metadata)
            let_people_say(connection, metadata)
            make_tables(connection, consumer_offset.metadata, [consumer_offset])
            known = connection.scalar(select(plan.c.checksum).with_for_update())  # of two that start, one makes all due
            if known == self._plan.checksum:
                return False
            change = insert(plan).values(id=1) if known is None else update(plan)
            connection.execute(change.values(checksum=self._plan.checksum))
            kept_anew(connection, self._plan.counted)
            note(connection, SITE, connection.scalars(select(result.c.site).distinct()).all())
            note_all(connection)
            return True

    def clear(self, connection: Connection) -> None:
        """Everybody is due, as if nobody had ever been evaluated. Results stay, to be counted anew: what was told is told."""
        connection.execute(delete(standing))
        connection.execute(delete(group))
        note(connection, SITE, connection.scalars(select(result.c.site).distinct()).all())
        note_all(connection)

    def erase(self, connection: Connection, subjects: Sequence[str]) -> int:
        """What is kept of persons who are to be forgotten; the results they stood in are counted without them."""
        had = connection.execute(select(func.count()).where(standing.c.subject.in_(subjects))).scalar_one()
        _replace(connection, subjects, [], [])
        note(connection, SUBJECT, subjects)
        return had

    def work(self, limit: int = AT_ONCE) -> int:
        """Evaluates some who are due; where none is left, counts what became another. Returns for how many there was something to do."""
        with reading(self._engine) as connection:
            some = ready(connection, limit)
        if some:
            self._evaluate(some)
            return len(some)
        return self._count()

    def work_off(self) -> int:
        """All that can be done now."""
        done = 0
        while new := self.work():
            done += new
        return done

    def _evaluate(self, some: Sequence[Due]) -> None:
        """Reads without holding anybody up; writes what is still true."""
        subjects = [each.name for each in some if each.kind == SUBJECT]
        with reading(self._engine) as connection:
            gone = forgotten(connection, subjects)  # the registry may hold them still: it reads at its own pace
            wanted = [each for each in subjects if each not in gone]
            found: dict[str, _Found] = {}
            for person in persons_of(connection, wanted, self._reads):
                found.setdefault(person.subject, _found(self._plan, person))
        with self._writing() as connection:
            taken = take(connection, some)
            _mark_sites(connection, [each.name for each in taken if each.kind == SITE])
            ours = sorted(each.name for each in taken if each.kind == SUBJECT)
            here = [found[subject] for subject in ours if subject in found]
            stands = [row for one in here for row in one.stands]
            self._replace(connection, ours, stands, [row for one in here for row in one.groups])

    def _replace(self, connection: Connection, subjects: Sequence[str], stands: Rows, groups: Rows) -> None:
        """With those groups alone that something is told of where they stand."""
        asked: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for row in stands:
            counted = self._counted[row[:3]]
            asked[row[SUBJECT_AT]] |= {(scope, kind) for scope in counted.scopes for kind in counted.strata}
        _replace(connection, subjects, stands, [row for row in groups if row[1:3] in asked[row[0]]])

    def _count(self) -> int:
        """Counts the results that may be others. One that is of no measure of ours any more stays as it was told."""
        with self._writing() as connection:
            stale = [key_of(row) for row in connection.execute(select(*columns(result)).where(result.c.stale))]
            if not stale:
                return 0
            ours = {key for key in stale if key[1:4] in self._counted}
            self._count_sites(connection, {key for key in ours if key[0] != ALL_SITES})
            self._count_network(connection, ours)
            connection.execute(update(result).where(result.c.stale).values(stale=False))
            return len(stale)

    def _count_sites(self, connection: Connection, keys: set[Key]) -> None:
        known, found = extents(connection), sums(connection, keys)
        grouped = sums_by_group(connection, keys, self._counted)
        keep_counts(connection, keys, found, self._counted)
        for key in sorted(keys):
            self._keep(connection, key, self._content(key, found.get(key), grouped.get(key, {}), known))

    def _count_network(self, connection: Connection, keys: set[Key]) -> None:
        """From what its sites are told, whatever site's became another."""
        found = of_all_sites(connection, keys)
        write(connection, result, [(*key, False, None, 0, 0, 0, None) for key in sorted(found)], replace=False)
        for key, content in sorted(found.items()):
            self._keep(connection, key, content)

    def _content(
        self, key: Key, counts: Row[Any] | None, grouped: Mapping[str, Sequence[Row[Any]]], known: Extents
    ) -> dict[str, Any]:
        """What there is to tell, but for sequence and time. Where what every hospital has was never loaded there is no number."""
        site, measure, version, period, rate = key
        counted = self._counted[measure, version, period]
        complete = _completeness(known, site, counted, self._clock().date())
        lacking = any(state is State.NOT_LOADED and _everywhere(name) for name, state in complete.items())
        populations, extra = _figures(counts, counted)
        strata = {kind: [_group(row, counted) for row in _known_first(rows)] for kind, rows in sorted(grouped.items())}
        extra |= {"strata": {kind: groups for kind, groups in strata.items() if groups}} if any(strata.values()) else {}
        return {
            "event": FeedbackEventType.MEASURED,
            "site": site,
            "measure": measure,
            "version": version,
            "rate": rate,
            "period": {"name": period, "first": counted.first, "last": counted.last},
            "populations": None if lacking else populations,
            **({} if lacking else extra),
            "completeness": {name: state.value for name, state in complete.items()},
        }

    def _keep(self, connection: Connection, key: Key, content: dict[str, Any]) -> None:
        text = msgspec.json.encode(content).decode()
        here = tuple_(*columns(result)) == tuple_(*key)
        number = select(func.coalesce(func.max(result.c.number), 0) + 1).scalar_subquery()
        changed = {"content": text, "sequence": result.c.sequence + 1, "number": number, "computed": self._clock()}
        connection.execute(
            update(result).where(here, or_(result.c.content.is_(None), result.c.content != text)).values(changed)
        )

    def waiting(self, limit: int) -> list[Waiting]:
        """Results that nobody was told of, in the order in which they became so."""
        query = select(result).where(result.c.told < result.c.number).order_by(result.c.number).limit(limit)
        with reading(self._engine) as connection:
            return [_waiting(row) for row in connection.execute(query)]

    def sent(self, numbers: Sequence[int]) -> None:
        """The broker has these. One that became another since waits on."""
        with self._writing() as connection:
            connection.execute(update(result).where(result.c.number.in_(numbers)).values(told=result.c.number))

    def telling(self) -> AbstractContextManager[None]:
        """The right to tell, of one process at a time. Raises TemporaryError naming who has it."""
        return self._rights.hold("telling-feedback", "telling results")

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with in_words(self._engine), self._engine.begin() as connection:
            yield connection


def _found(wanted: Plan, person: Person) -> _Found:
    """The person's standings and groups in the order of the columns; whoever stands nowhere is of no group."""
    rows: Rows = []
    for each in wanted.evaluate(person):
        key = (each.measure, each.version, each.period, each.rate, person.subject, each.event, person.site)
        rows.append((*key, *each.columns(), each.value, each.events, each.days))
    return _Found(rows, [(person.subject, *each) for each in wanted.groups(person)])


def _replace(connection: Connection, subjects: Sequence[str], rows: Rows, groups: Rows) -> None:
    """The standings and groups of some persons; the results in which one of them stands otherwise than before are to be counted."""
    changed = replaced(connection, standing, subjects, rows)
    regrouped = {row[0] for row in replaced(connection, group, subjects, groups)}
    changed += [row for row in rows if row[SUBJECT_AT] in regrouped]
    _mark(connection, {key_of(_KEY(row)) for row in changed})


def _mark(connection: Connection, keys: Iterable[Key]) -> None:
    """To be counted anew."""
    write(connection, result, [(*key, True, None, 0, 0, 0, None) for key in sorted(keys)], replace=("stale",))


def _mark_sites(connection: Connection, sites: Sequence[str]) -> None:
    if sites:
        connection.execute(update(result).where(result.c.site.in_(sites)).values(stale=True))


def _figures(counts: Row[Any] | None, counted: Counted) -> tuple[dict[str, int], dict[str, Any]]:
    """The populations; and what else a rate or a level has. Nobody stands there where there is no sum."""
    if counts is None:
        return dict.fromkeys(counted.populations, 0), {}
    row = counts._mapping
    populations = {code: int(row[POPULATIONS[code]]) for code in counted.populations}
    extra = {name: int(row[name]) for name in ("events", "days") if row[name] is not None}
    return populations, extra | ({} if row["mean"] is None else {"mean": round(float(row["mean"]), 9)})


def _known_first(groups: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Those of whom anything is counted."""
    some = [row for row in groups if any(row._mapping[name] for name in POPULATIONS.values())]
    return sorted(some, key=lambda row: (row.name is None, row.name or ""))


def _group(row: Row[Any], counted: Counted) -> dict[str, Any]:
    populations, extra = _figures(row, counted)
    measured = {"measured": int(row.valued)} if counted.kind == "level" else {}
    return {"group": row.name, "populations": populations, **extra, **measured}


def _completeness(known: Extents, site: str, counted: Counted, today: date) -> dict[str, State]:
    first, last = date.fromisoformat(counted.first), date.fromisoformat(counted.last)
    until = max(first, min(last, today))
    return {name: known.answer(site, name, first, until).state for name in counted.record_types}


def _everywhere(record_type: str) -> bool:
    return not CORE_TYPES.isdisjoint(fhir_types_of(record_type))


def _waiting(row: Row[Any]) -> Waiting:
    content = msgspec.json.decode(row.content) | {"sequence": row.sequence, "computed": row.computed}
    if row.site != ALL_SITES and "strata" in content:
        content["strata"] = without_few(content["strata"])
    event = FeedbackEvent.model_validate(content)
    name = f"{row.measure}/{row.version}/{row.period}/{row.rate}/{row.site}/{row.sequence}"
    return Waiting(row.number, name, row.site, row.computed, event.model_dump_json(exclude_none=False).encode())
