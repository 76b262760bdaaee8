"""Patients whom no search gives any more, where a vendor gives those who were combined by read alone.

Whom a site has is kept beside its loads: who is lacking in a full read, or where only changes are read in a search for all
who are known, is asked for by id. Where a cohort is read, its roster says whom to ask for.
"""

import msgspec

from connectors.by_id import MOST_READ, Reading
from connectors.client.fhir_client import FhirClient
from connectors.completeness import asked
from connectors.formats.bundle import lines
from connectors.landing import Landing
from connectors.pulled import Pulled
from connectors.referred import BY_ID, come
from connectors.source import Source, Wanted

PATIENT = "Patient"
TOGETHER, SEARCHES = 50, 400
"""Patients that one search looks for, and most such searches a night; the next goes on with the others."""
_KNOWN = "known-patients"


class Known(msgspec.Struct):
    """Ids of the patients that came, and of those that a read gave."""

    ids: list[str] = []
    after: str = ""
    """Up to whom it was looked, where they are too many for a night."""


def complete_combined(source: Source, wanted: Wanted, pulled: Pulled) -> Pulled:
    """The patients whom no search gives and a read by id does, beside those that came."""
    if wanted.unit != PATIENT or wanted.roster is not None or not pulled.complete:
        return pulled
    with source.client() as client:
        if PATIENT not in client.vendor.by_read_alone:
            return pulled
        site = wanted.landing.of_site()
        kept = site.cursor(_KNOWN, Known) or Known()
        known = set(kept.ids)
        came = {ident for kind, ident in come(wanted.landing, PATIENT, source.site.limits.line_bytes) if kind == BY_ID}
        lacking, after = sorted(known - came), ""
        if not pulled.full:
            lacking, after = _not_found(client, lacking, sorted(came)[:1], kept.after)
        reading = Reading(client, PATIENT, what="a patient who comes by no search")
        found = {ident: reading.read(ident) for ident in lacking[:MOST_READ]}
    gone = {ident for ident, each in found.items() if not each.line or each.deleted}
    site.save_cursor(_KNOWN, Known(sorted((known | came) - gone), after))
    given = [each.line for each in found.values() if each.line]
    unasked = len(lacking) - len(found)
    notes = [f"{PATIENT}: {unasked} who come by no search were not asked for by id"] if unasked else []
    return _with(pulled, wanted.landing, given, notes)


def _not_found(client: FhirClient, known: list[str], there: list[str], after: str) -> tuple[list[str], str]:
    """Those of the known whom a search does not find, and up to whom it was looked: from `after` on, as many as a night takes.

    A search that is refused, has more pages or finds nobody at all, not even who is `there`, tells nothing of whom it was for.
    """
    begin = (
        next((place for place, ident in enumerate(known) if ident > after), 0)
        if len(known) > TOGETHER * SEARCHES
        else 0
    )
    turn = known[begin : begin + TOGETHER * SEARCHES]
    lacking: list[str] = []
    for place in range(0, len(turn), TOGETHER):
        some = turn[place : place + TOGETHER]
        page = asked(client, PATIENT, (("_id", ",".join([*some, *there])), ("_count", str(TOGETHER + 1))))
        if page is None:
            return lacking, after
        if not page.next and not {*some, *there}.isdisjoint(page.ids):
            lacking += [ident for ident in some if ident not in page.ids]
    return lacking, turn[-1] if len(turn) < len(known) else ""


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
