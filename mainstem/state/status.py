"""Every site and resource type in a line, for `mainstem status`."""

from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, func, select, union

from mainstem.database import Database
from mainstem.state import gaps, quarantine, tables, watermarks
from mainstem.state.loads import Load, Loads, LoadStatus
from mainstem.state.moments import moment_of
from schemas.loads import Gap
from schemas.outcomes import LENDING_TYPES, MAPPED_TYPES, REFERRED_TYPES, fhir_types_of, record_type_of


class SiteType(NamedTuple):
    """One site and FHIR resource type, for `mainstem status`."""

    site: str
    resource_type: str
    record_type: str
    watermark: datetime | None
    records: int
    """Records not withdrawn."""
    pending: int
    oldest_pending: datetime | None
    refused: int
    """Changes that cannot be sent; the next change of their record is tried again."""
    gaps: list[Gap]
    quarantined: dict[str, int]
    """Resources by reason code."""
    load: str | None
    """The site's last load."""
    load_status: LoadStatus | Literal["partial", "interrupted"] | None
    """partial: completed with gaps, or with changes that cannot be sent; interrupted: open, and nobody is at it."""
    load_ended: datetime | None

    @property
    def silent(self) -> bool:
        """Nothing ever came of it, and nothing is said of it."""
        return self.watermark is None and not (
            self.records or self.pending or self.refused or self.gaps or self.quarantined
        )


def sites(database: Database) -> list[str]:
    """The sites a database knows."""
    with database.read() as connection:
        named = (tables.load, tables.site_state, tables.attempt)
        found = connection.scalars(union(*(select(table.c.site) for table in named)))
        return sorted(found)


def status_of(database: Database, site: str) -> list[SiteType]:
    """A site's types."""
    load = Loads(database).last(site)
    with database.read() as connection:
        found = _Found(connection, site, load)
    lines = [found.line(name) for name in sorted(found.shown)]
    return [line for line in lines if line.resource_type not in LENDING_TYPES or not line.silent]


class _Found:
    """What the tables say of a site, by FHIR or by record type."""

    def __init__(self, connection: Connection, site: str, load: Load | None) -> None:
        tally, refused, record = tables.tally.c, tables.refused.c, tables.record.c
        self.site, self.load = site, load
        self.watermarks = watermarks.of_site(connection, site)
        self.gaps = [gap for _, gap in gaps.opened(connection, site)]
        self.records = _pairs(connection, select(tally.type, tally.records).where(tally.site == site))
        self.pending = _pending_by_type(connection, site)
        self.refused = _pairs(
            connection,
            select(record.type, func.count())
            .join_from(tables.refused, tables.record, refused.record == record.id)
            .where(refused.site == site)
            .group_by(record.type),
        )
        self.quarantined = quarantine.by_reason(connection, site)
        part = tables.load_part.c
        self.parts = list(connection.scalars(select(part.part).where(part.load == load.id))) if load else []
        self.shown = self.names()

    def names(self) -> set[str]:
        """FHIR types people know; a record type that no FHIR type feeds stands for itself."""
        noted = {part.partition("/")[0] for part in self.parts} & {*MAPPED_TYPES, *REFERRED_TYPES, *LENDING_TYPES}
        gaps = (gap.resource_type for gap in self.gaps)
        names = {*noted, *self.watermarks, *gaps, *(name for name, _ in self.quarantined)}
        known = {_record_type(name) for name in names}
        for kind in {*self.records, *self.pending} - known:
            names.add(next(iter(fhir_types_of(kind)), kind))
        return names

    def line(self, name: str) -> SiteType:
        """One type. Of several that become one record type the first one carries its figures, so that they add up."""
        kind, load = _record_type(name), self.load
        fed = [each for each in fhir_types_of(kind) if each in self.shown] or [name]
        counted = kind if name == fed[0] else ""
        pending, oldest = self.pending.get(counted, (0, None))
        return SiteType(
            site=self.site,
            resource_type=name,
            record_type=kind,
            watermark=self.watermarks.get(name),
            records=self.records.get(counted, 0),
            pending=pending,
            oldest_pending=oldest,
            refused=self.refused.get(counted, 0),
            gaps=[gap for gap in self.gaps if gap.resource_type == name],
            quarantined={reason: count for (type_, reason), count in self.quarantined.items() if type_ == name},
            load=load.id if load else None,
            load_status=_how_it_ended(load) if load else None,
            load_ended=load.ended if load else None,
        )


def _how_it_ended(load: Load) -> LoadStatus | Literal["partial", "interrupted"]:
    return "partial" if load.report is not None and load.report.status == "partial" else load.status


def _pairs(connection: Connection, statement: Any) -> dict[str, Any]:
    return {row[0]: row[1] for row in connection.execute(statement)}


def _record_type(resource_type: str) -> str:
    """What the type becomes; a record type that no FHIR type feeds stands for itself."""
    return record_type_of(resource_type) or resource_type


def _pending_by_type(connection: Connection, site: str) -> dict[str, tuple[int, datetime | None]]:
    row = tables.record.c
    found = connection.execute(
        select(row.type, func.count(), func.min(row.changed)).where(tables.pending(site)).group_by(row.type)
    )
    return {kind: (count, moment_of(oldest)) for kind, count, oldest in found}
