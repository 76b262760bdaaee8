"""Before the first step: can the site be read?"""

import structlog

from connectors.pulling import require_delivery
from mainstem.check import check_site
from mainstem.check.finding import error_of, stopping
from mainstem.refresh.attempt import begun
from mainstem.refresh.opening import Refresh
from mainstem.refresh.undelivered import noted_if_undelivered

log = structlog.get_logger()


def preflight(refresh: Refresh, *, dry: bool = False) -> int:
    """Proves that the site can be read, in seconds. Returns how many checks passed.

    Where a folder holds no delivery, the night is a load that failed, as it is by `mainstem run`; not if it is `dry`.

    A single type that cannot be read stops nothing: the load leaves a gap there. What stops the site keeps its kind, so
    that a server away for a minute is tried again.
    """
    if not dry:
        begun(refresh)
    if not dry and refresh.store.loads.open(refresh.site.site) is None:
        with noted_if_undelivered(refresh):
            require_delivery(refresh.source(refresh.site.types))
    findings = check_site(refresh.source(refresh.site.types))
    if failed := stopping(findings):
        raise error_of(failed)
    for finding in findings:
        if not finding.ok:
            log.warning("will leave a gap", site=refresh.site.site, what=finding.name, cause=finding.what)
    return sum(finding.ok for finding in findings)
