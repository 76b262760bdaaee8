"""Probe: is there anything at all? A client without rights is often answered by empty pages, and no error."""

from mainstem.check.finding import Finding, failed
from mainstem.check.probe import Probe, Visit
from schemas.errors import OperatorError


def _look(visit: Visit) -> list[Finding]:
    sample = visit.sampled()
    if visit.client is None or not sample.lines or sample.size:
        return []
    fault = OperatorError(
        "every type is empty, without an error: a client that may read nothing is answered like that",
        "See that this client may read the types, and the patients of its Group; where the EHR is new, there is nothing yet.",
        who="site IT",
    )
    return [failed("access", fault)]


PROBE = Probe(_look, after="pages", closer=True)
