"""From a pseudonym back to the EHR's id: at the site alone, with its key, and never without an entry in the audit log."""

from collections.abc import Iterator

import msgspec

from connectors.cohort import whose
from connectors.formats.ndjson import read_batches
from mainstem.refresh.opening import Refresh
from mainstem.state.audit import Deed
from schemas.errors import OperatorError
from schemas.problems import Problem
from transforms.privacy.pseudonyms import Pseudonyms

PATIENT = "Patient"


class Resolved(msgspec.Struct):
    """One id of a person."""

    subject: str
    patient: str
    """The EHR's."""


def resolve(refresh: Refresh, subject: bytes, why: str) -> list[Resolved]:
    """The ids of a subject and of all who are the same person, from what is landed. Noted first, found or not.

    Raises OperatorError where the landing holds none of them.
    """
    family = refresh.store.consents.family(refresh.site.site, subject)
    refresh.store.audit.note(
        refresh.site.site, Deed.RESOLVE, f"resolved for {why}", refresh.clock(), subjects=sorted(family)
    )
    subject_of = Pseudonyms(refresh.secrets(refresh.site.subject_key)).subject
    found = {ident: who for ident in _patients(refresh) if (who := subject_of(ident)) in family}
    if not found:
        raise OperatorError(
            f"{refresh.site.site}: the landing holds no Patient of this subject",
            "Read the site anew, which lands everybody: `mainstem run --full`; then resolve again. Of whom was forgotten nothing is landed.",
        )
    return sorted((Resolved(f"s-{who.hex()}", ident) for ident, who in found.items()), key=msgspec.structs.astuple)


def _patients(refresh: Refresh) -> Iterator[str]:
    seen = set[str]()
    for _, landing in refresh.landing_zone.loads():
        for path in landing.files(PATIENT):
            for _, lines in read_batches(path, cap=refresh.site.limits.line_bytes):
                for line in () if isinstance(lines, Problem) else lines:
                    ident = whose(PATIENT, line)
                    if ident and ident not in seen:
                        seen.add(ident)
                        yield ident
