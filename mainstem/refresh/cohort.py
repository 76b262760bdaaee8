"""Whom a load reads, where the site reads a cohort: the roster is found out once a load, and who joined read from the beginning."""

from collections.abc import Collection, Iterable

import structlog

from connectors.cohort import ROSTER, Roster
from connectors.pulling import Capabilities, read_capabilities, reads_files, roster
from mainstem.refresh.opening import Refresh
from mainstem.state import Load
from transforms.privacy.pseudonyms import Pseudonyms

log = structlog.get_logger()


def take_up(refresh: Refresh, load: Load) -> None:
    """The roster of a load whose first attempt ended before it was kept."""
    source = refresh.source(refresh.site.types)
    if refresh.site.reads_some and roster_of(refresh, load.id) is None:
        keep(refresh, load, found_out(refresh, read_capabilities(source)))


def found_out(refresh: Refresh, capabilities: Capabilities | None) -> Roster | None:
    """The patients the site reads now; None for everybody."""
    return roster(refresh.source(refresh.site.types, capabilities.vendor if capabilities else ""), capabilities)


def keep(refresh: Refresh, load: Load, found: Roster | None) -> None:
    """Into the landing, for all steps of the load."""
    if found is not None:
        landing = refresh.landing(load.id)
        landing.open()
        landing.save_cursor(ROSTER, found)
        log.info("cohort", site=load.site, load=load.id, patients=len(found.members))


def roster_of(refresh: Refresh, load_id: str) -> Roster | None:
    """The patients a load reads; None for everybody."""
    return refresh.landing(load_id).cursor(ROSTER, Roster)


def joined(refresh: Refresh, found: Roster, types: Iterable[str]) -> set[str]:
    """Who is to be read from the beginning: of whom one of the types was not read, or who was merged since."""
    marks, new = _marks(refresh, found), set[str]()
    for name in types:
        known = refresh.store.cohorts.of(refresh.site.site, name)
        new |= {each for each, (ref, known_as) in marks.items() if known.get(ref) != known_as}
    return new


def notes(refresh: Refresh, found: Roster, new: Collection[str]) -> list[str]:
    """What is told of the roster; `new`: who is to be read from the beginning, which of files nobody can ask for."""
    told, gone = list(found.notes), left(refresh, found) if found.members else 0
    if gone:
        told.append(f"{gone} patients left the cohort: they are no longer read, their records stay")
    if new and reads_files(refresh.site):
        told.append(f"{len(new)} patients joined the cohort: have delivered anew what earlier deliveries held of them")
    return told


def left(refresh: Refresh, found: Roster) -> int:
    """How many are no longer in it."""
    known_of = Pseudonyms(refresh.secrets(refresh.site.subject_key)).ref
    present = {ref for ref, _ in _marks(refresh, found).values()} | {known_of("Patient", each) for each in found.gone}
    return len(refresh.store.cohorts.refs(refresh.site.site) - present)


def settle(refresh: Refresh, load: Load, whole: Collection[str]) -> None:
    """These types were read of the roster's patients; of everybody, where there is none."""
    found = roster_of(refresh, load.id)
    if found and not found.members:
        return
    members = dict(_marks(refresh, found).values()) if found else {}
    known = refresh.store.cohorts.types(load.site) if not members else whole  # nobody is kept of a type, nearly always
    for name in (each for each in whole if each in known):
        refresh.store.cohorts.settle(load.site, name, members)


def _marks(refresh: Refresh, found: Roster) -> dict[str, tuple[bytes, bytes]]:
    """Of each patient the keyed hash, and that of all the ids it goes by."""
    ref = Pseudonyms(refresh.secrets(refresh.site.subject_key)).ref
    return {
        each.id: (ref("Patient", each.id), ref("Patient", ",".join([each.id, *each.merged]))) for each in found.members
    }
