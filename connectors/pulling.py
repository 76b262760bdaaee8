"""Pulling a site: what can be pulled apart, and pulling one such unit by its road."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import httpx2

from connectors.client.auth import Clock, Secrets
from connectors.client.capabilities import Capabilities, ask_capabilities
from connectors.client.fhir_client import ATTEMPTS, FhirClient, Sleep
from connectors.landing import Landing
from connectors.pulled import Pulled
from connectors.roads.bulk import UNIT as EXPORT
from connectors.roads.bulk import pull_export
from connectors.roads.files import pull_files
from connectors.roads.search import pull_search
from schemas.errors import OperatorError
from schemas.sites import Site

__all__ = ["Capabilities", "Pulled", "open_client", "pull", "read_capabilities", "road_of", "units"]


def utc_now() -> datetime:
    """The clock where none is given."""
    return datetime.now(UTC)


def open_client(
    site: Site,
    *,
    folder: Path,
    secrets: Secrets,
    clock: Clock = utc_now,
    transport: httpx2.BaseTransport | None = None,
    sleep: Sleep = time.sleep,
    attempts: int = ATTEMPTS,
) -> FhirClient:
    """A client of the site's FHIR server. `folder` is where paths of the site file begin."""
    if site.fhir is None:
        raise OperatorError(f"{site.site} has no FHIR server", "Add a [fhir] section with base_url.")
    return FhirClient(
        site.fhir,
        types=site.types,
        folder=folder,
        secrets=secrets,
        clock=clock,
        transport=transport,
        sleep=sleep,
        attempts=attempts,
    )


def read_capabilities(
    site: Site,
    *,
    secrets: Secrets,
    folder: Path = Path(),
    clock: Clock = utc_now,
    transport: httpx2.BaseTransport | None = None,
) -> Capabilities | None:
    """What the site's server says it can do; None where files are read."""
    if site.fhir is None or site.road == "files":
        return None
    with open_client(site, folder=folder, secrets=secrets, clock=clock, transport=transport) as client:
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


def pull(
    site: Site,
    unit: str,
    *,
    folder: Path,
    landing: Landing,
    since: datetime | None,
    secrets: Secrets,
    until: datetime | None = None,
    clock: Clock = utc_now,
    progress: Callable[[str, int], None] = lambda _unit, _count: None,
    transport: httpx2.BaseTransport | None = None,
    sleep: Sleep = time.sleep,
) -> Pulled:
    """One unit of `units`, updated from `since` and before `until`, into the landing folder.

    Called again after a crash it goes on where the cursor stands; a unit that is whole returns at once. Raises
    MainstemError with the cursor left for the next call.
    """
    landing.open()
    if unit != EXPORT and (site.fhir is None or site.road == "files"):
        if site.files is None:
            raise OperatorError(f"{site.site} has no folder of files", "Add a [files] section with folder.")
        return pull_files(
            site, unit, folder=folder / site.files.folder, landing=landing, clock=clock, progress=progress
        )
    with open_client(site, folder=folder, secrets=secrets, clock=clock, transport=transport, sleep=sleep) as client:
        if unit == EXPORT:
            return pull_export(client, site, landing=landing, since=since, progress=progress)
        return pull_search(client, site, unit, landing=landing, since=since, until=until, progress=progress)
