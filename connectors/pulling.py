"""Pulling a site: what can be pulled apart, and pulling one such unit by its road."""

from typing import Literal

from connectors.client.capabilities import Capabilities, meet
from connectors.pulled import EXPORT, Pulled
from connectors.referred import complete_referred
from connectors.roads.bulk import pull_export
from connectors.roads.files import pull_files
from connectors.roads.search import pull_search
from connectors.source import Source, Wanted
from schemas.outcomes import referred_types
from schemas.sites import Site

__all__ = ["Capabilities", "Pulled", "Source", "Wanted", "pull", "read_capabilities", "readable", "road_of", "units"]


def read_capabilities(source: Source) -> Capabilities | None:
    """What the site's server says it can do, and whose it is; None where files are read.

    Raises OperatorError for a server that shows no statement, unless the site file says which road to take.
    """
    if _reads_files(source.site):
        return None
    with source.client() as client:
        return meet(client, hidden=source.site.road != "auto")


def road_of(site: Site, capabilities: Capabilities | None) -> Literal["search", "bulk", "files"]:
    """How the site is read: as it says, else by the server's own word."""
    if site.road != "auto":
        return site.road
    if site.fhir is None:
        return "files"
    return "bulk" if capabilities is not None and capabilities.exports else "search"


def readable(site: Site, capabilities: Capabilities | None) -> list[str]:
    """The site's types; where it names none, without those that its server says it does not have."""
    if capabilities is None or capabilities.hidden or "types" in site.model_fields_set:
        return list(site.types)
    return [name for name in site.types if name in capabilities.types] or list(site.types)


def units(site: Site, capabilities: Capabilities | None) -> list[str]:
    """What can be pulled apart: an export as a whole, else each type.

    What they are read with is a unit in files; a server is asked for it where it is named.
    """
    road = road_of(site, capabilities)
    if road == "bulk":
        return [EXPORT]
    return [*site.types, *(referred_types(site.types) if road == "files" else ())]


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
