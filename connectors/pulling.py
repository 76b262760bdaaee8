"""Pulling a site: what can be pulled apart, and pulling one such unit by its road."""

from typing import Literal

from connectors.client.capabilities import Capabilities, ask_capabilities
from connectors.pulled import EXPORT, Pulled
from connectors.roads.bulk import pull_export
from connectors.roads.files import pull_files
from connectors.roads.search import pull_search
from connectors.source import Source, Wanted
from schemas.sites import Site

__all__ = ["Capabilities", "Pulled", "Source", "Wanted", "pull", "read_capabilities", "road_of", "units"]


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
    return "bulk" if capabilities is not None and capabilities.exports else "search"


def units(site: Site, capabilities: Capabilities | None) -> list[str]:
    """What can be pulled apart: an export as a whole, else each type."""
    return [EXPORT] if road_of(site, capabilities) == "bulk" else list(site.types)


def pull(source: Source, wanted: Wanted) -> Pulled:
    """One unit of `units`, into the landing folder.

    Called again after a crash it goes on where the cursor stands; a unit that is whole returns at once. Raises
    MainstemError with the cursor left for the next call.
    """
    wanted.landing.open()
    if wanted.unit == EXPORT:
        return pull_export(source, wanted)
    return pull_files(source, wanted) if _reads_files(source.site) else pull_search(source, wanted)


def _reads_files(site: Site) -> bool:
    return site.fhir is None or site.road == "files"
