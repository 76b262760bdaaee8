"""Before the first step: can the site be read?"""

from mainstem.check.preflight import check
from mainstem.refresh.opening import Refresh
from schemas.errors import OperatorError


def preflight(refresh: Refresh) -> int:
    """Proves that the site can be read, in seconds. Returns how many checks passed."""
    findings = check(refresh.site, folder=refresh.file.folder, secrets=refresh.secrets)
    if failed := [finding for finding in findings if not finding.ok]:
        raise OperatorError("; ".join(f"{finding.name}: {finding.what}" for finding in failed), failed[0].fix)
    return len(findings)
