"""Pulling a site: what can be pulled apart, and pulling one such unit by its road."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import msgspec

from connectors.by_id import complete_roster
from connectors.client.capabilities import Capabilities, meet
from connectors.cohort import Roster
from connectors.combined import complete_combined
from connectors.outside.times import newest
from connectors.pulled import EXPORT, Pulled, Shortfall
from connectors.referred import complete_referred
from connectors.roads.bulk import NotExported, give_up_jobs, pull_export
from connectors.roads.files import pull_files
from connectors.roads.search import pull_search
from connectors.rosters import exported_group, read_roster
from connectors.sorting import delivered
from connectors.source import Source, Wanted
from schemas.errors import MainstemError, TemporaryError
from schemas.gaps import GapCause
from schemas.outcomes import REFERRED_TYPES, lending_types, referred_types
from schemas.sites import Site

__all__ = [
    "Capabilities",
    "Pulled",
    "Source",
    "Wanted",
    "pull",
    "read_capabilities",
    "readable",
    "reads_files",
    "require_delivery",
    "road_of",
    "roster",
    "units",
]


def read_capabilities(source: Source) -> Capabilities | None:
    """What the site's server says it can do, and whose it is; None where files are read.

    Raises OperatorError for a server that shows no statement, unless the site file says which road to take.
    """
    if reads_files(source.site):
        return None
    with source.client() as client:
        return meet(client, hidden=source.site.road != "auto")


def road_of(site: Site, capabilities: Capabilities | None) -> Literal["search", "bulk", "files"]:
    """How the site is read: as it says, else by the server's own word."""
    if site.road != "auto":
        return site.road
    if site.fhir is None:
        return "files"
    if site.cohort and not site.fhir.groups:
        return "search"  # an export knows no patients but those of a Group
    return "bulk" if capabilities is not None and capabilities.exports else "search"


def readable(site: Site, capabilities: Capabilities | None) -> list[str]:
    """The site's types; where it names none, without those that its server says it does not have."""
    if capabilities is None or capabilities.hidden or "types" in site.model_fields_set:
        return list(site.types)
    return [name for name in site.types if name in capabilities.types] or list(site.types)


def beside(site: Site, types: Sequence[str], capabilities: Capabilities | None) -> list[str]:
    """The types that say something of those that are read: where a site names its types, only those its server says it has."""
    found = lending_types(types)
    if road_of(site, capabilities) == "files":
        return found
    if capabilities is None or capabilities.hidden:
        return [] if "types" in site.model_fields_set else found
    return [name for name in found if name in capabilities.types]


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
    return site.cohort is not None or (road == "search" and site.fhir is not None and bool(site.fhir.groups))


def roster(source: Source, capabilities: Capabilities | None) -> Roster | None:
    """The patients the site reads; None for everybody. Raises MainstemError."""
    road = road_of(source.site, capabilities)
    if road == "bulk" and source.site.cohort is None and source.fhir.groups:
        return exported_group(source)
    return read_roster(source, by_files=road == "files") if needs_roster(source.site, road) else None


def require_delivery(source: Source) -> None:
    """Proves that there is something whole to read where a site delivers files. Raises MainstemError where there is not."""
    if reads_files(source.site):
        delivered(source)


def pull(source: Source, wanted: Wanted) -> Pulled:
    """One unit of `units`, into the landing folder.

    Called again after a crash it goes on where the cursor stands; a unit that is whole returns at once. Raises
    MainstemError with the cursor left for the next call.
    """
    wanted.landing.open()
    if wanted.unit != EXPORT and reads_files(source.site):
        return pull_files(source, wanted)
    if wanted.unit == EXPORT:
        return _pull_export(source, wanted)
    give_up_jobs(source, wanted.landing)
    pulled = complete_roster(source, wanted, pull_search(source, wanted))
    pulled = complete_combined(source, wanted, pulled)
    return complete_referred(source, wanted, pulled) if pulled.complete else pulled


def _pull_export(source: Source, wanted: Wanted) -> Pulled:
    """An export, with what it does not export by search, and what its resources are read with.

    A server may advertise exports and refuse each: where nobody says which road to take, all is read by search.
    """
    try:
        pulled, not_exported = pull_export(source, wanted)
    except NotExported as exc:
        if source.site.road != "auto":
            raise
        note = f"the EHR advertises exports and refuses them, so it was read by search: {exc.cause}"
        pulled, not_exported = Pulled(unit=EXPORT, notes=[note], as_of=source.clock()), list(source.site.types)
    for name in not_exported:
        if name not in REFERRED_TYPES:
            pulled = _together(pulled, _searched(source, wanted, name))
    try:
        return complete_referred(source, wanted, pulled)
    except TemporaryError as exc:
        missing = [Shortfall.of_error(name, exc) for name in referred_types(pulled.types)]
        return msgspec.structs.replace(pulled, short=[*pulled.short, *missing])


def _searched(source: Source, wanted: Wanted, name: str) -> Pulled:
    """A type that the server does not export, by search, of the Group's patients where there is one; where it does not
    give it that way either, it is missing."""
    try:
        if source.fhir.groups and not (wanted.roster and wanted.roster.members):
            members = read_roster(source, by_files=False)
            wanted = replace(wanted, roster=members, new=members.ids)
        return pull_search(source, replace(wanted, unit=name))
    except MainstemError as exc:
        short = Shortfall.of_error(name, exc)
        if not isinstance(exc, TemporaryError):
            reason = f"{name}: the EHR does not export it, and does not give it by search: {exc.cause}"
            short = Shortfall(name, GapCause.NOT_EXPORTED, reason, exc.fix, exc.who)
        return Pulled(unit=name, short=[short], as_of=source.clock())


def _together(pulled: Pulled, more: Pulled) -> Pulled:
    """What was pulled in two ways, as one unit; its time is the first's, which is the earlier."""
    return msgspec.structs.replace(
        pulled,
        files=[*pulled.files, *more.files],
        resources=pulled.resources + more.resources,
        types=pulled.types | more.types,
        pages=pulled.pages + more.pages,
        bytes=pulled.bytes + more.bytes,
        messages=pulled.messages + more.messages,
        short=[*pulled.short, *more.short],
        notes=[*pulled.notes, *more.notes],
        newest=newest(pulled.newest, more.newest),
    )


def reads_files(site: Site) -> bool:
    """Whether a folder is read, and no server."""
    return site.fhir is None or site.road == "files"
