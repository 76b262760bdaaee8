"""Probe: the key of the pseudonyms."""

from connectors.client.auth import Secrets
from mainstem.check.finding import Finding, tried
from schemas.errors import OperatorError
from schemas.sites import Site


def check_subject_key(site: Site, secrets: Secrets) -> Finding:
    """Whether it is there and long enough."""
    return tried("subject key", "network", lambda: _subject_key(site, secrets))


def _subject_key(site: Site, secrets: Secrets) -> str:
    size = len(secrets(site.subject_key))
    if size < 32:
        raise OperatorError(
            f"the subject key has {size} bytes; at least 32 are needed", "Make one with `mainstem sites new`."
        )
    return f"{size} bytes"
