"""Whether what a consumer holds is all there is: of a site's record type, from one local date to another.

A count is of what came. Where something was not loaded, has a gap, or is not there yet, the answer is that, and never 0:

    held = Completeness(engine)
    consumer = Consumer(…, load_handler=held.keep)
    …
    with engine.connect() as db:
        answer = held.extents(db).answer("north", "observation", date(2026, 1, 1), date(2026, 3, 31))
    if answer.state is not State.LOADED: …

`Extents` alone is for whoever keeps the loads themselves. Of which site a subject is, the consumer's own records say.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from enum import StrEnum

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, Text, select
from sqlalchemy.dialects import postgresql, sqlite

from mainstem.database import make_tables
from schemas.loads import Gap, LoadEvent, LoadEventType
from schemas.outcomes import CORE_TYPES, fhir_types_of

WESTERNMOST = timezone(timedelta(hours=-12))
"""Where a day ends last: for whoever does not know a site's time zone."""


class State(StrEnum):
    """What can be said of a window. Never a number."""

    LOADED = "loaded"
    """What the site's source knew of it is here; none means that there is none."""
    NOT_LOADED = "not loaded"
    """The site never brought it."""
    GAP = "gap"
    """Some of it could not be read, and nobody knows what."""
    NOT_YET = "not yet"
    """The window reaches beyond what was loaded last: the next load may bring it."""


@dataclass(slots=True)
class Extent:
    """How far one FHIR resource type of one site is here."""

    up_to: datetime | None = None
    """Everything that the source knew then is here, UTC."""
    gaps: list[Gap] = field(default_factory=list)
    """Windows of entry at the source that could not be read; open until a load reads the type without one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What can be said of one site's record type in a window."""

    state: State
    up_to: datetime | None
    """All of it that was entered at the source until then is here, but for the gaps, UTC."""
    gaps: tuple[Gap, ...]
    """The gaps in the window."""
    later: tuple[Gap, ...]
    """Gaps after the window: a correction, or what was entered late, may be missing."""


class Extents:
    """How far each FHIR resource type of each site is here: the loads' events, added up in their order."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, Extent]] = {}
        """By site, by FHIR resource type; of types that some load brought or could not read."""

    def told(self, event: LoadEvent) -> None:
        """Adds a load's last word; that one started says nothing."""
        self.add(event.site, event.event, event.watermarks, event.types, event.gaps)

    def add(
        self,
        site: str,
        event: str,
        watermarks: Mapping[str, datetime],
        read: Collection[str],
        gaps: Iterable[Gap],
    ) -> None:
        """The same by its parts. A gap of a type that the load was not asked for stays."""
        types = self.of.setdefault(site, {})
        if event == LoadEventType.STARTED:
            return
        found: dict[str, list[Gap]] = {name: [] for name in (*watermarks, *read)}
        for gap in gaps:
            found.setdefault(gap.resource_type, []).append(gap)
        for name, these in found.items():
            if these or name in types:
                types.setdefault(name, Extent()).gaps = these
        if event == LoadEventType.COMPLETED:
            for name, up_to in watermarks.items():
                types.setdefault(name, Extent()).up_to = up_to

    def answer(self, site: str, record_type: str, since: date, until: date, zone: tzinfo = WESTERNMOST) -> Answer:
        """What can be said of a record type from the local date `since` to `until`, both included.

        A type that not every source has counts where the site brought it. Raises ValueError for a window that ends before it begins.
        """
        if until < since:
            raise ValueError("the window ends before it begins")
        known = self.of.get(site, {})
        counted = [name for name in fhir_types_of(record_type) if name in known or name in CORE_TYPES]
        answers = [_of_type(known.get(name, Extent()), since, until, zone) for name in counted]
        return _together(answers) if answers else Answer(State.NOT_LOADED, None, (), ())


def _of_type(extent: Extent, since: date, until: date, zone: tzinfo) -> Answer:
    first = datetime.combine(since, time.min, UTC) - timedelta(hours=14)  # the day begins in the east
    end = datetime.combine(until, time.min, zone) + timedelta(days=1)
    relevant = [gap for gap in extent.gaps if gap.until is None or gap.until > first]
    inside = tuple(gap for gap in relevant if gap.since is None or gap.since < end)
    later = tuple(gap for gap in relevant if gap not in inside)
    if inside:
        state = State.GAP
    elif extent.up_to is None:
        state = State.GAP if extent.gaps else State.NOT_LOADED
    else:
        state = State.LOADED if end <= extent.up_to else State.NOT_YET
    return Answer(state, extent.up_to, inside, later)


WORST_FIRST = (State.NOT_LOADED, State.GAP, State.NOT_YET, State.LOADED)


def _together(answers: Sequence[Answer]) -> Answer:
    """Of several FHIR types that one record type is made of: no better than the worst."""
    reached = [answer.up_to for answer in answers]
    return Answer(
        min((answer.state for answer in answers), key=WORST_FIRST.index),
        None if None in reached else min(each for each in reached if each is not None),
        tuple(gap for answer in answers for gap in answer.gaps),
        tuple(gap for answer in answers for gap in answer.later),
    )


metadata = MetaData()
consumer_load = Table(
    "consumer_load",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("load", String(100), primary_key=True),
    Column("ended", String(40), nullable=False, comment="When it ended, or began: its order."),
    Column("event", Text, nullable=False, comment="The load's last event, JSON."),
)


class Completeness:
    """Keeps the loads' events in a table of the consumer's own database."""

    def __init__(self, engine: Engine) -> None:
        with engine.begin() as connection:
            make_tables(connection, metadata)

    def keep(self, connection: Connection, events: Sequence[LoadEvent]) -> None:
        """A load handler; the same event twice is once."""
        for event in events:
            if event.event == LoadEventType.STARTED:
                continue
            ended = (event.ended or event.started).astimezone(UTC).isoformat(timespec="microseconds")
            row = {"site": event.site, "load": event.load, "ended": ended, "event": event.model_dump_json()}
            insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(consumer_load)
            statement = insert.on_conflict_do_update(
                index_elements=["site", "load"], set_={name: insert.excluded[name] for name in ("ended", "event")}
            )
            connection.execute(statement, row)

    def extents(self, connection: Connection) -> Extents:
        """How far everything is here."""
        found = Extents()
        order = (consumer_load.c.ended, consumer_load.c.load)
        for text in connection.scalars(select(consumer_load.c.event).order_by(*order)):
            found.told(LoadEvent.model_validate_json(text))
        return found
