"""Before the first step: can the site be read?"""

import structlog

from connectors.pulling import require_delivery
from mainstem.check import Finding, check_site
from mainstem.refresh.opening import Refresh
from mainstem.refresh.undelivered import noted_if_undelivered
from schemas.errors import IncompleteError, MainstemError, OperatorError, TemporaryError

log = structlog.get_logger()


def preflight(refresh: Refresh, *, dry: bool = False) -> int:
    """Proves that the site can be read, in seconds. Returns how many checks passed.

    Where a folder holds no delivery, the night is a load that failed, as it is by `mainstem run`; not if it is `dry`.

    A single type that cannot be read stops nothing: the load leaves a gap there. What stops the site keeps its kind, so
    that a server away for a minute is tried again.
    """
    if not dry and refresh.store.loads.open(refresh.site.site) is None:
        with noted_if_undelivered(refresh):
            require_delivery(refresh.source(refresh.site.types))
    findings = check_site(refresh.source(refresh.site.types))
    if failed := _stopping(findings):
        raise _error(failed)
    for finding in findings:
        if not finding.ok:
            log.warning("will leave a gap", site=refresh.site.site, what=finding.name, cause=finding.what)
    return sum(finding.ok for finding in findings)


def _stopping(findings: list[Finding]) -> list[Finding]:
    """What failed and stops the whole site: anything but a single type, and but what is merely missing; or every type."""
    types = [finding for finding in findings if finding.resource_type]
    if types and not any(finding.ok for finding in types):
        return [finding for finding in findings if not finding.ok]
    return [f for f in findings if not f.ok and not f.resource_type and f.kind != "incomplete"]


def _error(failed: list[Finding]) -> MainstemError:
    kinds = {finding.kind for finding in failed}
    cause = "; ".join(f"{finding.name}: {finding.what}" for finding in failed)
    if "operator" in kinds:
        return OperatorError(cause, next(finding.fix for finding in failed if finding.kind == "operator"))
    if "temporary" in kinds:
        return TemporaryError(cause, next(finding.fix for finding in failed if finding.kind == "temporary"))
    return IncompleteError(cause, failed[0].fix)
