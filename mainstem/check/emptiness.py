"""Probe: is there anything at all? A client without rights is often answered by empty pages, and no error."""

from connectors.client.auth import TokenAuth
from connectors.client.fhir_client import FhirClient
from connectors.client.scopes import not_granted
from mainstem.check.finding import Finding, failed
from mainstem.check.probe import Probe, Visit
from schemas.errors import IncompleteError, OperatorError


def _look(visit: Visit) -> list[Finding]:
    sample = visit.sampled()
    if visit.client is None or not sample.lines:
        return []
    empty = [name for name, lines in sample.lines.items() if not lines]
    if lacking := [name for name in empty if name in not_granted(empty, _granted(visit.client))]:
        return [failed("access", _kept_back(lacking))]
    if sample.size:
        return []
    fault = OperatorError(
        "every type is empty, without an error: a client that may read nothing is answered like that",
        "See that this client may read the types, and the patients of its Group; where the EHR is new, there is nothing yet.",
        who="site IT",
    )
    return [failed("access", fault)]


def _granted(client: FhirClient) -> str:
    """The scopes of its token; empty where there is none, or it does not say."""
    return client.auth.granted if isinstance(client.auth, TokenAuth) else ""


def _kept_back(types: list[str]) -> IncompleteError:
    return IncompleteError(
        f"{', '.join(types)}: empty, and not among the scopes that the server granted, which were fewer than asked for",
        "Grant this client the scope to read them; or leave them out of `types` in the site file.",
        who="site IT",
    )


PROBE = Probe(_look, after="pages", closer=True)
