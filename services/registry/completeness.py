"""What each site brought up to when. A type a site never loaded is not the same as one it has nothing of."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, exists, select

from schemas.loads import LoadEventType
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
    for row in connection.execute(select(load).order_by(load.c.started, load.c.load)).mappings():
        site = sites.setdefault(row["site"], _unloaded(row["site"]))
        site.last_load, site.last_event = row["load"], row["event"]
        if row["event"] == LoadEventType.COMPLETED:
            site.last_completed = row["ended"] or row["started"]
            _complete(site, row["watermarks"])
        site.last_status = row["event"]
        if row["event"] != LoadEventType.STARTED:
            _missing(site, {*row["watermarks"], *row["types"]}, row["gaps"])
            if row["event"] == LoadEventType.COMPLETED and row["gaps"]:
                site.last_status = "partial"
    for site in sites.values():
        for resource_type, known in site.types.items():
            if known.up_to is not None:
                known.state = "loaded" if _any(connection, site.site, resource_type) else "none"
    return [sites[name] for name in sorted(sites)]


def _unloaded(site: str) -> SiteCompleteness:
    return SiteCompleteness(site, types={resource_type: TypeCompleteness() for resource_type in MAPPED_TYPES})


def _complete(site: SiteCompleteness, watermarks: dict[str, str]) -> None:
    for resource_type, up_to in watermarks.items():
        known = site.types.setdefault(resource_type, TypeCompleteness())
        known.up_to = datetime.fromisoformat(up_to)


def _missing(site: SiteCompleteness, read: Collection[str], gaps: list[dict[str, Any]]) -> None:
    """What a load could not read, and that it read the rest: a gap of a type it was not asked for stays."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in read}
    for gap in gaps:
        found.setdefault(str(gap.get("resource_type", "")), []).append(gap)
    for name, these in found.items():
        if these or name in site.types:
            site.types.setdefault(name, TypeCompleteness()).gaps = these


def _any(connection: Connection, site: str, resource_type: str) -> bool:
    record_type = record_type_of(resource_type)
    if record_type is None:
        return True
    table = RECORD_TABLES[record_type]
    return bool(connection.scalar(select(exists().where(table.c.site == site))))
