"""Probe: the key of the pseudonyms."""

from mainstem.check.finding import Finding, tried
from mainstem.check.probe import Probe, Visit
from schemas.errors import OperatorError

LEAST = 32
"""Bytes of a subject key."""


def _look(visit: Visit) -> list[Finding]:
    return [tried("subject key", lambda: _size(visit))]


def _size(visit: Visit) -> str:
    size = len(visit.source.secrets(visit.site.subject_key))
    if size < LEAST:
        raise OperatorError(
            f"the subject key has {size} bytes; at least {LEAST} are needed", "Make one with `mainstem sites new`."
        )
    return f"{size} bytes"


PROBE = Probe(_look)
