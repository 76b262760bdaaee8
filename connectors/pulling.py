"""Pulling a site: what can be pulled apart, and pulling one such unit by its road."""

from typing import Literal

from connectors.client.capabilities import Capabilities, ask_capabilities
from connectors.cohort import Roster
from connectors.pulled import EXPORT, Pulled
from connectors.referred import complete_referred
from connectors.roads.bulk import pull_export
from connectors.roads.files import delivered, pull_files
from connectors.roads.search import pull_search
from connectors.rosters import read_roster
from connectors.source import Source, Wanted
from schemas.outcomes import REFERRED_TYPES, referred_types
from schemas.sites import Site

__all__ = [
    "Capabilities",
    "Pulled",
    "Source",
    "Wanted",
    "pull",
    "read_capabilities",
    "readable",
    "require_delivery",
    "road_of",
    "roster",
    "units",
]


def read_capabilities(source: Source) -> Capabilities | None:
    """What the site's server says it can do; None where files are read."""
    if _reads_files(source.site):
        return None
    with source.client() as client:
        return ask_capabilities(client)


def road_of(site: Site, capabilities: Capabilities | None) -> Literal["search", "bulk", "files"]:
    """How the site is read: as it says, else by the server's own word."""
    if site.road != "auto":
        return site.road
    if site.fhir is None:
        return "files"
    if site.cohort and not site.fhir.group:
        return "search"  # an export knows no patients but those of a Group
    return "bulk" if capabilities is not None and capabilities.exports else "search"


def readable(site: Site, capabilities: Capabilities | None) -> list[str]:
    """The site's types; where it names none, without those that its server says it does not have."""
    if capabilities is None or "types" in site.model_fields_set:
        return list(site.types)
    return [name for name in site.types if name in capabilities.types] or list(site.types)


def units(site: Site, capabilities: Capabilities | None) -> list[str]:
    """What can be pulled apart: an export as a whole, else each type.

    What they are read with is a unit in files; a server is asked for it where it is named.
    """
    road = road_of(site, capabilities)
    if road == "bulk":
        return [EXPORT]
    if road == "files":
        return [*site.types, *referred_types(site.types)]
    if needs_roster(site, road):  # of what is nobody's own, that alone is read which the patients' resources name
        return [name for name in site.types if name not in REFERRED_TYPES]
    return list(site.types)


def needs_roster(site: Site, road: str) -> bool:
    """Whether the patients have to be known to read them."""
    return site.cohort is not None or (road == "search" and site.fhir is not None and site.fhir.group is not None)


def roster(source: Source, capabilities: Capabilities | None) -> Roster | None:
    """The patients the site reads; None for everybody, and where the server knows the Group. Raises MainstemError."""
    road = road_of(source.site, capabilities)
    return read_roster(source, by_files=road == "files") if needs_roster(source.site, road) else None


def require_delivery(source: Source) -> None:
    """Proves that there is something whole to read where a site delivers files. Raises MainstemError where there is not."""
    if _reads_files(source.site):
        delivered(source)


def pull(source: Source, wanted: Wanted) -> Pulled:
    """One unit of `units`, into the landing folder.

    Called again after a crash it goes on where the cursor stands; a unit that is whole returns at once. Raises
    MainstemError with the cursor left for the next call.
    """
    wanted.landing.open()
    if wanted.unit != EXPORT and _reads_files(source.site):
        return pull_files(source, wanted)
    pulled = pull_export(source, wanted) if wanted.unit == EXPORT else pull_search(source, wanted)
    return complete_referred(source, wanted, pulled) if pulled.complete else pulled


def _reads_files(site: Site) -> bool:
    return site.fhir is None or site.road == "files"
