"""What each site brought up to when. A type a site never loaded is not the same as one it has nothing of."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, exists, select, union

from mainstem.consumer.completeness import Answer, Extent, Extents
from schemas.loads import Gap, LoadEventType
from schemas.outcomes import MAPPED_TYPES, record_type_of
from services.registry.tables import RECORD_TABLES, load


@dataclass(slots=True)
class TypeCompleteness:
    """One FHIR resource type of one site."""

    state: Literal["loaded", "none", "not loaded"] = "not loaded"
    """`none`: loaded, and the site has none."""
    up_to: datetime | None = None
    """Everything the source knew then is here, UTC."""
    gaps: list[dict[str, Any]] = field(default_factory=list)
    """Windows that the last load of the type could not read."""


@dataclass(slots=True)
class SiteCompleteness:
    """One site: its last load and its types."""

    site: str
    last_load: str | None = None
    last_completed: datetime | None = None
    last_event: str = ""
    last_status: Literal["started", "completed", "partial", "failed", ""] = ""
    """How the last load ended; partial: with types that are missing."""
    types: dict[str, TypeCompleteness] = field(default_factory=dict)


def completeness(connection: Connection) -> list[SiteCompleteness]:
    """Every site that announced a load, by name."""
    sites: dict[str, SiteCompleteness] = {}
    extents = Extents()
    for row in connection.execute(_IN_ORDER).mappings():
        site = sites.setdefault(row["site"], SiteCompleteness(row["site"]))
        _add(extents, row)
        site.last_load, site.last_event, site.last_status = row["load"], row["event"], row["event"]
        if row["event"] == LoadEventType.COMPLETED:
            site.last_completed = row["ended"] or row["started"]
            site.last_status = "partial" if row["gaps"] else "completed"
    for name, site in sites.items():
        known = extents.of.get(name, {})
        for fhir_type in (*MAPPED_TYPES, *(each for each in known if each not in MAPPED_TYPES)):
            site.types[fhir_type] = _of_type(connection, name, fhir_type, known.get(fhir_type, Extent()))
    return [sites[name] for name in sorted(sites)]


_IN_ORDER = select(load).order_by(load.c.started, load.c.load)


def announced(connection: Connection) -> list[str]:
    """The sites that announced a load."""
    return list(connection.scalars(select(load.c.site).distinct().order_by(load.c.site)))


def is_known(connection: Connection, site: str) -> bool:
    """Whether anything of a site ever came: a load that was announced, or a record."""
    tables = [load, *(table for table in RECORD_TABLES.values() if "site" in table.c)]
    return any(connection.scalar(select(exists().where(table.c.site == site))) for table in tables)


def extents(connection: Connection) -> Extents:
    """How far each type of each site is here."""
    found = Extents()
    for row in connection.execute(_IN_ORDER).mappings():
        _add(found, row)
    return found


def answer_of(connection: Connection, subject: str, record_type: str, since: date, until: date) -> dict[str, Answer]:
    """Whether what is held of a subject is all there is of a record type between two local dates, by site that knows the subject.

    Nobody knows a subject of whom nothing ever came: no site, and no answer of "none".
    """
    known = extents(connection)
    return {site: known.answer(site, record_type, since, until) for site in sites_of(connection, subject)}


def sites_of(connection: Connection, subject: str) -> list[str]:
    """The sites that have records of a subject."""
    tables = [table for table in RECORD_TABLES.values() if "subject" in table.c]
    asked = union(*(select(table.c.site).where(table.c.subject == subject) for table in tables))
    return sorted(site for site in connection.scalars(asked) if site is not None)


def _add(extents: Extents, row: RowMapping) -> None:
    up_to = {name: datetime.fromisoformat(at) for name, at in row["watermarks"].items()}
    extents.add(row["site"], row["event"], up_to, row["types"], map(Gap.model_validate, row["gaps"]))


def _of_type(connection: Connection, site: str, fhir_type: str, extent: Extent) -> TypeCompleteness:
    found = TypeCompleteness("not loaded", extent.up_to, [gap.model_dump(mode="json") for gap in extent.gaps])
    if extent.up_to is not None:
        found.state = "loaded" if _any(connection, site, fhir_type) else "none"
    return found


def _any(connection: Connection, site: str, resource_type: str) -> bool:
    record_type = record_type_of(resource_type)
    if record_type is None:
        return True
    table = RECORD_TABLES[record_type]
    return bool(connection.scalar(select(exists().where(table.c.site == site))))
