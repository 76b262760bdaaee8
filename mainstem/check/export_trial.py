"""Probe: is an export really taken? Kicked off and deleted at once, and only where the vendor is known to count none."""

from connectors.pulling import road_of
from connectors.roads.bulk import try_export
from mainstem.check.finding import Finding, failed
from mainstem.check.probe import Probe, Visit
from schemas.errors import MainstemError, TemporaryError


def _look(visit: Visit) -> list[Finding]:
    client, said = visit.client, visit.capabilities
    if client is None or said is None or not visit.logged_in or road_of(visit.site, said) != "bulk":
        return []
    name = "export tried"
    if not client.vendor.tries_exports:
        return [Finding(name, True, f"none was: {client.vendor.title} may count exports, and the first run needs one")]
    try:
        return [Finding(name, True, try_export(visit.source, client))]
    except TemporaryError as exc:
        return [Finding(name, True, f"it is not known whether one is taken: {exc.cause}")]
    except MainstemError as exc:
        return [failed(name, exc)]


PROBE = Probe(_look, after="bulk_export", closer=True)
