"""Loads: one refresh of one site, from plan to complete; and what the network is told of each, written where it becomes true."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from connectors.pulled import EVERY_TYPE, EXPORT, Pulled
from mainstem.database import Database
from mainstem.state import audit, figures, gaps, quarantine, standings, tables, watermarks
from mainstem.state.batch import Place
from mainstem.state.notes import noted
from mainstem.state.outbox import refused_by_reason, waiting_of
from mainstem.state.telling import ended_as, tell_load
from schemas.errors import MainstemError, OperatorError, TemporaryError
from schemas.loads import Gap, LoadEvent, LoadEventType, LoadQuality, LoadReport, Mode, TypeCounts
from schemas.outcomes import families

_LOOKED_BACK = 100
"""Loads in which a proof is looked for; an older one is worth no more."""
LoadStatus = Literal["running", "completed", "failed", "abandoned"]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a load does, and what was asked for: only the same asking takes an unfinished load up again."""

    types: list[str] = []
    """FHIR resource types."""
    units: list[str] = []
    """What is pulled apart."""
    since: dict[str, datetime] = {}
    """Where each type's pull begins; none for a type that is read from the beginning."""
    vendor: str = ""
    """Whose server it is, where the site file does not say."""
    asked_types: list[str] = []
    """Types the load was limited to; none: all of the site."""
    asked_since: datetime | None = None
    replay: str = ""
    """retry or remap: what earlier loads landed is mapped again, and the EHR is not asked; empty: a refresh."""
    replayed: list[str] = []
    """The loads that are mapped again from what they landed."""

    def units_of(self, part: int, parts: int) -> list[str]:
        """The units that fall to one of several tasks side by side."""
        return self.units[part::parts]

    def types_of(self, part: int, parts: int) -> list[str]:
        """The types that fall to one of several tasks side by side. Those read with one another fall to the same, in their
        order: else a record could be told as it is without what it refers to, and once more with it."""
        return [name for family in families(self.types)[part::parts] for name in family]


class Load(NamedTuple):
    """One refresh of one site."""

    id: str
    """`north/2026-03-02T05:00:00Z`."""
    site: str
    mode: Mode
    status: LoadStatus
    started: datetime
    ended: datetime | None
    plan: Plan
    report: LoadReport | None
    """Of a load that ended; none where it was abandoned."""
    published: int
    """Events acknowledged in this load."""


class Missing(NamedTuple):
    """What a load did not bring."""

    gaps: Sequence[Gap] = ()
    accepted: Sequence[Gap] = ()
    """With an operator's word that it may be missing."""
    whole: Collection[str] = ()
    """Types of which nothing is missing."""
    notes: Sequence[str] = ()
    """What else is worth a word."""
    unjudged: Mapping[str, str] = MappingProxyType({})
    """Why what did not come of a type stays, by type."""
    quality: LoadQuality | None = None


class Loads:
    """The loads of every site; one of a site is open at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, site: str, *, mode: Mode, started: datetime, plan: Plan) -> Load:
        """A new load. Raises OperatorError while another of the site is unfinished."""
        with self._database.write() as connection:
            if unfinished := open_load(connection, site):
                raise OperatorError(
                    f"load {unfinished.id} is not finished", "Resume it, or abandon it: `mainstem run --fresh`."
                )
            load_id = _new_id(connection, site, started)
            connection.execute(
                insert(tables.load).values(
                    id=load_id,
                    site=site,
                    mode=mode,
                    status="running",
                    started=started,
                    plan=msgspec.to_builtins(plan),
                    first_number=_numbered_upto(connection, site),
                )
            )
            load = load_of(connection, load_id)
            event = LoadEvent(load=load_id, site=site, event=LoadEventType.STARTED, mode=mode, started=started)
            tell_load(connection, event, started)
            return load

    def open(self, site: str) -> Load | None:
        """The site's unfinished load."""
        with self._database.read() as connection:
            return open_load(connection, site)

    def get(self, load_id: str) -> Load:
        """A load. Raises OperatorError where there is none."""
        with self._database.read() as connection:
            return load_of(connection, load_id)

    def held(self, load_id: str) -> Load:
        """A load that is its site's open one. Raises OperatorError naming the open one where it is not."""
        with self._database.read() as connection:
            load = load_of(connection, load_id)
            if load.status != "running":
                hold_open(connection, load_id, lock=False)
            return load

    def require_open(self, load_id: str) -> None:
        """Raises OperatorError where a load is not its site's open one."""
        with self._database.read() as connection:
            hold_open(connection, load_id, lock=False)

    def last(self, site: str) -> Load | None:
        """The site's newest load."""
        return next(iter(self.of(site, limit=1)), None)

    def whole(self, site: str) -> list[Load]:
        """The last loads of the site that read its EHR and completed, with gaps or without; the newest first."""
        return [load for load in self.of(site) if load.status == "completed" and not load.plan.replay]

    def of(self, site: str, limit: int = _LOOKED_BACK) -> list[Load]:
        """The site's loads, the newest first."""
        newest = (tables.load.c.started.desc(), tables.load.c.id.desc())
        with self._database.read() as connection:
            found = connection.execute(_LOAD.where(tables.load.c.site == site).order_by(*newest).limit(limit))
            return [_as_load(row) for row in found]

    def retell(self, site: str, since: datetime) -> int:
        """Loads that ended since, and one that runs, are told once more, each as it was, in their order; returns how many."""
        row = tables.load.c
        query = _LOAD.where(row.site == site, row.started >= since, row.status != "abandoned").order_by(
            row.started, row.id
        )
        with self._database.write() as connection:
            found = [_as_load(each) for each in connection.execute(query)]
            for load in found:
                if load.ended is not None and load.report is not None:
                    tell_load(connection, ended_as(load.report, load.started, load.ended), load.ended)
                else:
                    event = LoadEvent(
                        load=load.id, site=site, event=LoadEventType.STARTED, mode=load.mode, started=load.started
                    )
                    tell_load(connection, event, load.started)
        return len(found)

    def record_pulled(self, load_id: str, pulled: Mapping[str, Pulled]) -> None:
        """What was pulled by some units (a resource type, or `export`); it replaces that of an earlier attempt."""
        row = tables.load_unit
        rows = [{"load": load_id, "unit": unit, "pulled": each.as_json()} for unit, each in pulled.items()]
        with self._database.write() as connection:
            hold_open(connection, load_id)
            connection.execute(delete(row).where(row.c.load == load_id, row.c.unit.in_(pulled)))
            connection.execute(insert(row), rows)
            counted = ", ".join(f"{unit} {each.resources}" for unit, each in pulled.items())
            site, latest = load_id.partition("/")[0], max(each.as_of for each in pulled.values())
            audit.note(connection, site, audit.Deed.PULL, f"load {load_id}: landed {counted}", latest)

    def pulled(self, load_id: str) -> dict[str, Pulled]:
        """What was pulled, by unit."""
        row = tables.load_unit.c
        with self._database.read() as connection:
            found = connection.execute(select(row.unit, row.pulled).where(row.load == load_id))
            return {unit: msgspec.convert(pulled, Pulled) for unit, pulled in found}

    def last_pulled(self, site: str, unit: str, such: Callable[[Pulled], bool]) -> Pulled | None:
        """What a unit gave the last time that it was such, in the loads of the site that ended."""
        row, load = tables.load_unit.c, tables.load.c
        wanted = (
            select(row.pulled)
            .join_from(tables.load_unit, tables.load, row.load == load.id)
            .where(load.site == site, row.unit == unit, load.status == "completed")
            .order_by(load.started.desc(), load.id.desc())
        )
        with self._database.read() as connection:
            newest, others = wanted.limit(1), wanted.offset(1).limit(_LOOKED_BACK - 1)
            rows = chain.from_iterable(
                connection.scalars(some) for some in (newest, others)
            )  # nearly always the newest
            found = (msgspec.convert(pulled, Pulled) for pulled in rows)
            return next((each for each in found if such(each)), None)

    def any_pulled(self, load_id: str) -> bool:
        """Whether anything was read: a unit whole, some of its resources, or all of it but types that are named."""
        return any(
            pulled.complete
            or pulled.resources
            or (pulled.unit == EXPORT and all(short.type != EVERY_TYPE for short in pulled.short))
            for pulled in self.pulled(load_id).values()
        )

    def begin_part(self, load_id: str, part: str, mapping: str) -> Place | None:
        """A part of the load's work begins, under the identity of what maps it; where it was begun under the same one, it
        goes on from the place that is returned. Raises OperatorError for a load that is not its site's open one.

        Begun under another one its figures of what was read start anew; recorded, amended and withdrawn stay: that was done.
        """
        with self._database.write() as connection:
            hold_open(connection, load_id)
            return figures.begin(connection, load_id, part, mapping)

    def nothing_came(self, load_id: str, parts: Sequence[str]) -> None:
        """Of these parts nothing is left and nothing was read; those that were begun stay as they are."""
        with self._database.write() as connection:
            hold_open(connection, load_id)
            figures.note_empty(connection, load_id, parts)

    def last_mapping(self, site: str, part: str) -> str | None:
        """What a part of the work was last mapped by, in the loads of the site that ended."""
        row, load = tables.load_part.c, tables.load.c
        wanted = (
            select(row.mapping)
            .join_from(tables.load_part, tables.load, row.load == load.id)
            .where(load.site == site, row.part == part, row.mapping != "", load.status == "completed")
            .order_by(load.started.desc(), load.id.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            return connection.scalars(wanted).first()

    def mapped_by(self, site: str, part: str, mapping: str) -> list[TypeCounts]:
        """The figures of a part of the work in each load of the site that did it by one mapping."""
        row, load = tables.load_part.c, tables.load.c
        wanted = select(row.figures).join_from(tables.load_part, tables.load, row.load == load.id)
        with self._database.read() as connection:
            this = or_(row.part == part, row.part.like(f"{part}/%-of-%"))
            found = connection.scalars(wanted.where(load.site == site, this, row.mapping == mapping))
            return [TypeCounts(**each) for each in found]

    def figures(self, load_id: str, resource_type: str = "") -> dict[str, TypeCounts]:
        """A load's figures by resource type, of all or of one: parts of a type (`Observation/2`) added up."""
        with self._database.read() as connection:
            return figures.of_load(connection, load_id, resource_type)

    def unfinished(self, load_id: str) -> set[str]:
        """Parts of the load's work that were begun and of which something is left; of one that is split, the type."""
        with self._database.read() as connection:
            left = figures.unfinished(connection, load_id)
        return {found.name if (found := figures.slice_of(part)) else part for part in left}

    def complete(
        self,
        load_id: str,
        moved: Mapping[str, datetime],
        ended: datetime,
        *,
        missing: Iterable[Gap] = (),
        accepted: Iterable[Gap] = (),
        whole: Iterable[str] = (),
        notes: Iterable[str] = (),
        unjudged: Mapping[str, str] = MappingProxyType({}),
        quality: LoadQuality | None = None,
    ) -> dict[str, datetime]:
        """Ends a load in one transaction: moves watermarks, closes the gaps of their types, opens those `missing`, tells of it.

        `accepted` is missing too, with an operator's word that it may be; of the `whole` types nothing is, watermark or none.

        Returns the watermarks. Raises OperatorError, and changes nothing, when the figures of a type do not add up, a
        watermark has no figures or lies after `ended`, or changes of the load are not published. A watermark never moves
        back. A load completed already stays as it is.
        """
        with self._database.write() as connection:
            load = _held(connection, load_id)
            if load.status == "running":
                _prove(connection, load, moved, ended)
                self._end(
                    connection,
                    load,
                    "completed",
                    ended,
                    moved,
                    Missing(list(missing), list(accepted), set(whole), list(notes), unjudged, quality),
                    None,
                )
            elif load.status != "completed":
                raise OperatorError(f"load {load_id} is {load.status}", "Start a new one: `mainstem run`.")
            if standings.given_since(connection, load.site, load.started):
                watermarks.forget_all(connection, load.site)
            return watermarks.of_site(connection, load.site)

    def fail(
        self,
        load_id: str,
        ended: datetime,
        error: str,
        *,
        missing: Iterable[Gap] = (),
    ) -> None:
        """Ends a load that moves no watermark and tells why; a load that ended already stays as it is."""
        with self._database.write() as connection:
            load = _held(connection, load_id)
            if load.status == "running":
                self._end(connection, load, "failed", ended, {}, Missing(list(missing)), error)

    def abandon(self, load_id: str, ended: datetime) -> None:
        """Ends a load that nobody goes on with; a load that ended already stays as it is."""
        with self._database.write() as connection:
            load = _held(connection, load_id)
            if load.status == "running":
                self._end(connection, load, "abandoned", ended, {}, Missing(), "abandoned for a new load")

    @staticmethod
    def _end(
        connection: Connection,
        load: Load,
        status: LoadStatus,
        ended: datetime,
        moved: Mapping[str, datetime],
        missing: "Missing",
        error: str | None,
    ) -> None:
        watermarks.move(connection, load.site, moved, load.id, now=ended)
        still = {(gap.resource_type, gap.cause) for gap in missing.accepted}
        gaps.end_acceptances(connection, load.site, moved, still)
        gaps.close(connection, load.site, {*moved, *missing.whole}, ended)
        for gap in missing.gaps:
            gaps.open_one(connection, load.site, gap, ended)
        last = last_number(connection, load.site)
        if status == "completed":
            _forget_touched(connection, load.site, last)
        if status != "abandoned":
            quarantine.release(connection, load.id, load.site, load.mode, moved, load.plan.replayed)
        row = tables.load
        report = _reported(connection, load, status, moved, missing)
        ending: dict[str, Any] = {"status": status, "ended": ended, "last_number": last}
        if status != "abandoned":
            ending["report"] = report.model_dump(mode="json")
        connection.execute(update(row).where(row.c.id == load.id).values(ending))
        tell_load(connection, ended_as(report, load.started, ended, error), ended)


_PUBLISHED = (
    select(func.coalesce(func.sum(tables.load_published.c.events), 0))
    .where(tables.load_published.c.load == tables.load.c.id)
    .scalar_subquery()
)
_LOAD = select(*(tables.load.c[name] for name in Load._fields[:-1]), _PUBLISHED)
_LOAD_OF = _LOAD.where(tables.load.c.id == bindparam("load"))
_STANDING = select(tables.load.c.site, tables.load.c.status).where(tables.load.c.id == bindparam("load"))
_KEPT_OPEN = _STANDING.with_for_update(read=True)


def _as_load(row: Any) -> Load:
    load = Load(*row)
    report = None if load.report is None else LoadReport.model_validate(load.report)
    return load._replace(plan=msgspec.convert(load.plan, Plan), report=report, published=int(load.published))


def load_of(connection: Connection, load_id: str) -> Load:
    """A load. Raises OperatorError where there is none."""
    row = connection.execute(_LOAD_OF, {"load": load_id}).first()
    if row is None:
        raise OperatorError(f"there is no load {load_id}", "`mainstem status` shows each site's last load.")
    return _as_load(row)


def open_load(connection: Connection, site: str) -> Load | None:
    """The site's unfinished load."""
    row = connection.execute(_LOAD.where(tables.load.c.site == site, tables.load.c.status == "running")).first()
    return None if row is None else _as_load(row)


class Held(NamedTuple):
    """What a step needs to know of the load it holds."""

    site: str
    status: LoadStatus


def hold_open(connection: Connection, load_id: str, *, lock: bool = True) -> Held:
    """Keeps the load from ending before this transaction does. Raises OperatorError where it is not its site's open one, and
    TemporaryError where another run has completed it meanwhile."""
    found = connection.execute(_KEPT_OPEN if lock else _STANDING, {"load": load_id}).first()
    if found is None:
        raise OperatorError(f"there is no load {load_id}", "`mainstem status` shows each site's last load.")
    held = Held(*found)
    if held.status == "completed":
        raise TemporaryError(
            f"load {load_id} was completed by another run meanwhile",
            "Nothing of this step was stored. Run again: what is left, or came since, is read then.",
        )
    if held.status != "running":
        other = open_load(connection, held.site)
        raise OperatorError(
            f"load {load_id} is {held.status}; {f'{other.id} is open' if other else f'{held.site} has no open load'}",
            "Nothing was stored. Go on with the open load: `mainstem run`.",
        )
    return held


def keep_to_oneself(connection: Connection, load_id: str) -> None:
    """Waits until no step saves for the load, and lets none before this transaction ends."""
    connection.execute(select(tables.load.c.id).where(tables.load.c.id == load_id).with_for_update())


def _held(connection: Connection, load_id: str) -> Load:
    """A load that is about to end."""
    keep_to_oneself(connection, load_id)
    return load_of(connection, load_id)


def _new_id(connection: Connection, site: str, started: datetime) -> str:
    stem = f"{site}/{started.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    taken = set(connection.scalars(select(tables.load.c.id).where(tables.load.c.id.startswith(stem, autoescape=True))))
    names = (stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def last_number(connection: Connection, site: str) -> int:
    """The number of the site's last change."""
    row = tables.site_state.c
    return connection.execute(select(row.number).where(row.site == site)).scalar() or 0


def _numbered_upto(connection: Connection, site: str) -> int:
    """Up to where the last completed load went: what one that was not completed left begins a new load's range."""
    row = tables.load.c
    wanted = select(func.max(row.last_number)).where(row.site == site, row.status == "completed")
    return connection.execute(wanted).scalar() or 0


def _forget_touched(connection: Connection, site: str, upto: int) -> None:
    row = tables.touched
    connection.execute(delete(row).where(row.c.site == site, row.c.number <= upto))


def _prove(connection: Connection, load: Load, moved: Mapping[str, datetime], ended: datetime) -> None:
    counts = figures.of_load(connection, load.id)
    for name, counted in counts.items():
        if not counted.adds_up():
            raise _unproven(load, f"the figures of {name} do not add up", "This is a defect; please report it.")
    for name, value in moved.items():
        if name not in counts:
            raise _unproven(
                load, f"{name} has no figures, so its watermark may not move", "Run the map step of this load."
            )
        if value > ended:
            raise _unproven(
                load, f"the watermark of {name} lies in the future", "Correct the clock of this machine or of the EHR."
            )
    if waiting := waiting_of(connection, load.site, load.id):
        raise _unproven(load, f"{waiting} changes are not published", "Run the publish step of this load.")


def _unproven(load: Load, cause: str, fix: str) -> MainstemError:
    return OperatorError(f"load {load.id} cannot be completed: {cause}", fix)


def _reported(
    connection: Connection, load: Load, status: LoadStatus, moved: Mapping[str, datetime], missing: Missing
) -> LoadReport:
    """What a load did, by the figures of this transaction."""
    refused, counts = refused_by_reason(connection, load.site), figures.of_load(connection, load.id)
    whole: Literal["completed", "partial"] = "partial" if missing.gaps or refused else "completed"
    return LoadReport(
        load=load.id,
        site=load.site,
        mode=load.mode,
        status=whole if status == "completed" else "failed",
        types=counts,
        watermarks=dict(moved),
        gaps=list(missing.gaps),
        accepted=list(missing.accepted),
        published=load.published,
        replay=load.plan.replay,
        refused=refused,
        notes=[*noted(connection, load.id, counts), *missing.notes],
        unjudged=dict(missing.unjudged),
        quality=missing.quality,
    )
