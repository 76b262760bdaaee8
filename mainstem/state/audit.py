"""What was done with patients' data at a site, as FHIR AuditEvents (R4, after IHE's BALP): who pulled, disclosed, resolved, replayed,
forgot. An event names subjects by pseudonym alone. Written where it becomes true where that is a transaction of the state; kept for good.
"""

import getpass
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import Connection

from mainstem import __version__
from mainstem.database import Database
from mainstem.database.chained import Chained, first_broken
from mainstem.state import tables

_CHAIN = Chained(tables.audit, 0x61756469)
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_ROLES = "http://terminology.hl7.org/CodeSystem/object-role"
SUBJECT = "urn:mainstem:subject"


class Deed(Enum):
    """What is done: AuditEvent.type, its action, and the word of it."""

    PULL = (_DICOM, "110107", "Import", "C")
    DISCLOSE = (_DICOM, "110106", "Export", "R")
    REPLAY = (_LIFECYCLE, "transmit", "Transmit", "R")
    RESOLVE = (_LIFECYCLE, "reidentify", "Re-identify", "R")
    ERASE = (_LIFECYCLE, "destroy", "Destroy", "D")
    CONSENT = (_LIFECYCLE, "amend", "Amend", "U")

    @property
    def word(self) -> str:
        """As it is asked for: `pull`."""
        return self.name.lower()


class Audited(NamedTuple):
    """One entry."""

    number: int
    site: str
    deed: str
    at: str
    who: str
    what: str
    subjects: list[str]
    event: dict[str, Any]


class Audit:
    """Of every site of a state."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, site: str, deed: Deed, what: str, at: datetime, *, subjects: Iterable[bytes] = ()) -> None:
        """Adds an entry in a transaction of its own. What cannot be noted must not be done: it raises."""
        with self._database.write() as connection:
            note(connection, site, deed, what, at, subjects=subjects)

    def entries(self) -> list[Audited]:
        """All, the oldest first."""
        with self._database.read() as connection:
            return [_audited(row) for row in _CHAIN.rows(connection)]

    def first_broken(self) -> tuple[int | None, int, str]:
        """The number of the first entry that is not as it was written, or none; how many there are; the last one's digest."""
        with self._database.read() as connection:
            rows = _CHAIN.rows(connection)
        return first_broken(rows), len(rows), rows[-1]["digest"] if rows else ""


def note(
    connection: Connection, site: str, deed: Deed, what: str, at: datetime, *, subjects: Iterable[bytes] = ()
) -> None:
    """Adds an entry, in the transaction that makes it true. `what`: in words and counts, of nobody."""
    _CHAIN.add(connection, {"site": site, "event": _event(site, deed, what, at, sorted(subjects))})


def _event(site: str, deed: Deed, what: str, at: datetime, subjects: Sequence[bytes]) -> dict[str, Any]:
    system, code, display, action = deed.value
    source = {"identifier": {"system": "urn:mainstem:site", "value": site}}
    software = {"who": {"display": f"Mainstem {__version__}"}, "requestor": False}
    return {
        "resourceType": "AuditEvent",
        "type": {"system": system, "code": code, "display": display},
        "subtype": [{"system": "urn:mainstem:deed", "code": deed.word}],
        "action": action,
        "recorded": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": "0",
        "outcomeDesc": what,
        "agent": [{"who": {"display": _who()}, "requestor": True}, software],
        "source": {"observer": source, "site": site},
        "entity": [
            {
                "what": {"identifier": {"system": SUBJECT, "value": f"s-{subject.hex()}"}},
                "role": {"system": _ROLES, "code": "1", "display": "Patient"},
            }
            for subject in subjects
        ]
        or [{"what": source, "role": {"system": _ROLES, "code": "4", "display": "Domain Resource"}}],
    }


def _who() -> str:
    """Whom the operating system says we are."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "a user without a name"


def _audited(row: dict[str, Any]) -> Audited:
    event = row["event"]
    named = [entity["what"].get("identifier", {}) for entity in event["entity"]]
    return Audited(
        row["number"],
        row["site"],
        event["subtype"][0]["code"],
        event["recorded"],
        event["agent"][0]["who"]["display"],
        event["outcomeDesc"],
        [each["value"] for each in named if each.get("system") == SUBJECT],
        event,
    )
