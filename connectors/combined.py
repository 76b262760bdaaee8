"""Patients whom no search gives any more, where a vendor gives those who were combined by read alone.

Whom a site has is kept beside its loads: a full read that lacks somebody asks for them by id. Where a cohort is read, its
roster says whom to ask for.
"""

import msgspec

from connectors.by_id import MOST_READ, Reading
from connectors.formats.bundle import lines
from connectors.landing import Landing
from connectors.pulled import Pulled
from connectors.referred import BY_ID, come
from connectors.source import Source, Wanted

PATIENT = "Patient"
_KNOWN = "known-patients"


class Known(msgspec.Struct):
    """Ids of the patients that came, and of those that a read gave."""

    ids: list[str] = []


def complete_combined(source: Source, wanted: Wanted, pulled: Pulled) -> Pulled:
    """The patients that a full read lacks and a read by id gives, beside those that came."""
    if wanted.unit != PATIENT or wanted.roster is not None or not pulled.complete:
        return pulled
    with source.client() as client:
        if PATIENT not in client.vendor.by_read_alone:
            return pulled
        site = wanted.landing.of_site()
        known = set((site.cursor(_KNOWN, Known) or Known()).ids)
        came = {ident for kind, ident in come(wanted.landing, PATIENT, source.site.limits.line_bytes) if kind == BY_ID}
        lacking = sorted(known - came) if pulled.full else []
        reading = Reading(client, PATIENT, what="a patient who comes by no search")
        found = {ident: reading.read(ident) for ident in lacking[:MOST_READ]}
    gone = {ident for ident, each in found.items() if not each.line or each.deleted}
    site.save_cursor(_KNOWN, Known(sorted((known | came) - gone)))
    given = [each.line for each in found.values() if each.line]
    unasked = len(lacking) - len(found)
    notes = [f"{PATIENT}: {unasked} who come by no search were not asked for by id"] if unasked else []
    return _with(pulled, wanted.landing, given, notes)


def _with(pulled: Pulled, landing: Landing, given: list[bytes], notes: list[str]) -> Pulled:
    """The unit with more lines in a file of their own."""
    if not given:
        return msgspec.structs.replace(pulled, notes=[*pulled.notes, *notes])
    path = landing.path(f"{PATIENT}-read", 1)
    landing.write(path, lines(given))
    return msgspec.structs.replace(
        pulled,
        files=[*pulled.files, path.name],
        resources=pulled.resources + len(given),
        types=pulled.types | {PATIENT: pulled.types.get(PATIENT, 0) + len(given)},
        notes=[*pulled.notes, *notes],
    )
