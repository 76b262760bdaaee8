"""A site's linkage tokens: of each person that is held, from the newest Patient that the landing has."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from connectors.formats.ndjson import read_lines
from mainstem.refresh.opening import Refresh
from mainstem.state.presence import Held
from schemas.errors import OperatorError
from schemas.problems import Problem
from transforms.privacy import Pseudonyms
from transforms.privacy.linkage import tokens

PATIENT = "Patient"
_KEY_BYTES = 32


class Token(NamedTuple):
    """A row of the file."""

    subject: str
    rule: str
    token: str


def linkage_tokens(refresh: Refresh) -> Iterator[Token]:
    """Raises OperatorError where the site names no secret, or one that is too short."""
    if refresh.site.linkage_secret is None:
        raise OperatorError(
            "the site names no linkage_secret: no tokens are made", "Name the network's shared secret in the site file."
        )
    secret = refresh.secrets(refresh.site.linkage_secret)
    if len(secret) < _KEY_BYTES:
        raise OperatorError(f"linkage_secret has {len(secret)} bytes", f"Use {_KEY_BYTES} random bytes or more.")
    return _tokens(refresh, secret)


def _tokens(refresh: Refresh, secret: bytes) -> Iterator[Token]:
    """Of each load, the newest first, the last line of a Patient; whoever is not held, or withdrew consent, has none."""
    pseudonyms = Pseudonyms(refresh.secrets(refresh.site.subject_key))
    held, seen = Held.of(refresh.store, refresh.site.site), set[bytes]()
    of_whom = held.persons - refresh.store.consents.stopped(refresh.site.site)
    for _, landing in refresh.landing_zone.loads():
        found: dict[bytes, dict[str, str]] = {}
        for path in landing.files(PATIENT):
            for line in read_lines(path, cap=refresh.site.limits.line_bytes):
                patient = None if isinstance(line, Problem) else _patient(line)
                if patient is not None and (own := pseudonyms.subject(patient["id"])) not in seen:
                    found[own] = tokens(patient, secret)
        seen.update(found)
        for own, told in found.items():
            subject = own
            while subject in held.surviving:
                subject = held.surviving[subject]
            if subject in of_whom:
                yield from (Token(f"s-{subject.hex()}", rule, token) for rule, token in told.items())


def _patient(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("id"), str) else None
