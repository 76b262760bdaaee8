"""What was counted of a site, kept in the registry's database: pages that are started again count only the sites of which something came
since, and those of which nobody had counted."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
import structlog
from sqlalchemy import Connection, Engine, func, select

from schemas.errors import MainstemError
from services.measures.compile import EVALUATION
from services.measures.declared import Measure
from services.measures.evaluate.surveys import Asked, Survey
from services.registry.database import reading, writing
from services.registry.said import page_survey
from services.registry.tables import erased, history, load, set_aside
from services.registry.write import write

log = structlog.get_logger(__name__)
NEVER = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _State:
    """How far the registry is, read before anything is counted of it."""

    marks: Mapping[str, str]
    came: Mapping[str, datetime]
    """When the last change of a site came, of those whose last may be later than what is kept holds."""
    until: datetime
    """What came until then is in what is counted now."""


class KeptSurveys:
    """Of one pass over the sites. Where nothing can be written pages count all the same, and it is said."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._state: _State | None = None

    def of(self, site: str, asked: Asked, measures: Mapping[str, Measure]) -> dict[str, Mapping[str, Survey]]:
        """By measure, what is kept of a site and still holds: nothing or one survey each, as `surveys` answers."""
        with reading(self._engine) as connection:
            state = self._known(connection)
            ours = (page_survey.c.site == site, page_survey.c.measure.in_(list(measures)))
            rows = connection.execute(select(page_survey).where(*ours)).all()
        came = state.came.get(site, NEVER)
        keys = {name: _key(measure, asked, state.marks[site]) for name, measure in measures.items()}
        holding = [row for row in rows if row.key == keys[row.measure] and row.arrived >= came]
        read = ((row.measure, _read(row.content)) for row in holding)
        return {name: found for name, found in read if found is not None}

    def keep(
        self, site: str, asked: Asked, measures: Mapping[str, Measure], found: Mapping[str, Mapping[str, Survey]]
    ) -> None:
        """What was counted of a site just now."""
        state = self._state
        assert state is not None, "what is kept is asked for before anything is counted"
        rows = [
            (site, name, _key(measures[name], asked, state.marks[site]), state.until, _written(surveys))
            for name, surveys in found.items()
        ]
        try:
            with writing(self._engine) as connection:
                write(connection, page_survey, rows, replace=True)
        except MainstemError as error:
            log.warning("what was counted is not kept: pages that are started again count anew", cause=error.cause)

    def _known(self, connection: Connection) -> _State:
        if self._state is None:
            arrived = connection.scalar(select(func.max(history.c.arrived))) or NEVER
            oldest = connection.scalar(select(func.min(page_survey.c.arrived)))
            came = {} if oldest is None else _came(connection, oldest)
            self._state = _State(marks(connection), came, arrived)
        return self._state


def marks(connection: Connection) -> dict[str, str]:
    """By site another one when a load of it has begun or ended, or somebody was set aside or taken back; of all sites when
    somebody was erased."""
    gone = _told(connection.execute(select(func.count(), func.max(erased.c.at))).one())
    found = defaultdict[str, str](lambda: gone)
    for table, columns in (
        (load, (func.max(load.c.started), func.max(load.c.ended))),
        (set_aside, (func.max(set_aside.c.id), func.count(set_aside.c.ended))),
    ):
        query = select(table.c.site, func.count(), *columns).group_by(table.c.site)
        for site, *mark in connection.execute(query):
            found[site] += f" {table.name} {_told(mark)}"
    return found


def _came(connection: Connection, since: datetime) -> dict[str, datetime]:
    query = select(history.c.site, func.max(history.c.arrived).label("came"))
    query = query.where(history.c.arrived > since).group_by(history.c.site)
    return {row.site: row.came for row in connection.execute(query)}


def _told(mark: Sequence[object]) -> str:
    return " ".join(each.astimezone(UTC).isoformat() if isinstance(each, datetime) else str(each) for each in mark)


def _key(measure: Measure, asked: Asked, mark: str) -> str:
    """Another one where something else is asked for, is evaluated otherwise, or is there to count. A day later in the same month is none."""
    year = asked.year and (asked.year.first, asked.year.last)
    parts = (EVALUATION, measure.checksum, *asked.periods, asked.shown.first, year, mark)
    return sha256(repr(parts).encode()).hexdigest()


def _written(surveys: Mapping[str, Survey]) -> str:
    return msgspec.json.encode(list(surveys.values())).decode()


def _read(content: str) -> dict[str, Survey] | None:
    """None where another version wrote it."""
    try:
        return {each.site: each for each in msgspec.json.decode(content, type=list[Survey])}
    except msgspec.MsgspecError:
        return None
