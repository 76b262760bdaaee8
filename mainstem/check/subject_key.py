"""Probe: the key of the pseudonyms."""

from mainstem.check.finding import Finding, tried
from mainstem.check.probe import Probe, Visit
from schemas.errors import OperatorError


def _look(visit: Visit) -> list[Finding]:
    return [tried("subject key", lambda: _size(visit))]


def _size(visit: Visit) -> str:
    size = len(visit.source.secrets(visit.site.subject_key))
    if size < 32:
        raise OperatorError(
            f"the subject key has {size} bytes; at least 32 are needed", "Make one with `mainstem sites new`."
        )
    return f"{size} bytes"


PROBE = Probe(_look)
