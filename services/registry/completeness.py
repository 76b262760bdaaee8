"""What each site brought up to when. A type a site never loaded is not the same as one it has nothing of."""

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
    """Windows the last load could not read."""


@dataclass(slots=True)
class SiteCompleteness:
    """One site: its last load and its types."""

    site: str
    last_load: str | None = None
    last_completed: datetime | None = None
    last_event: str = ""
    types: dict[str, TypeCompleteness] = field(default_factory=dict)


def completeness(connection: Connection) -> list[SiteCompleteness]:
    """Every site that announced a load, by name."""
    sites: dict[str, SiteCompleteness] = {}
    for row in connection.execute(select(load).order_by(load.c.started, load.c.load)).mappings():
        site = sites.setdefault(row["site"], _unloaded(row["site"]))
        site.last_load, site.last_event = row["load"], row["event"]
        if row["event"] == LoadEventType.COMPLETED:
            site.last_completed = row["ended"] or row["started"]
            _complete(site, row["watermarks"], row["gaps"])
    for site in sites.values():
        for resource_type, known in site.types.items():
            if known.up_to is not None:
                known.state = "loaded" if _any(connection, site.site, resource_type) else "none"
    return [sites[name] for name in sorted(sites)]


def _unloaded(site: str) -> SiteCompleteness:
    return SiteCompleteness(site, types={resource_type: TypeCompleteness() for resource_type in MAPPED_TYPES})


def _complete(site: SiteCompleteness, watermarks: dict[str, str], gaps: list[dict[str, Any]]) -> None:
    for resource_type, up_to in watermarks.items():
        known = site.types.setdefault(resource_type, TypeCompleteness())
        known.up_to = datetime.fromisoformat(up_to)
        known.gaps = [gap for gap in gaps if gap.get("resource_type") == resource_type]


def _any(connection: Connection, site: str, resource_type: str) -> bool:
    record_type = record_type_of(resource_type)
    if record_type is None:
        return True
    table = RECORD_TABLES[record_type]
    return bool(connection.scalar(select(exists().where(table.c.site == site))))
