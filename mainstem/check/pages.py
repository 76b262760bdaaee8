"""Probe: one page of each type, really read."""

from functools import partial

from connectors.fan_out import read_one
from connectors.pulling import readable
from mainstem.check.finding import Finding, tried
from mainstem.check.probe import Probe, Visit


def _look(visit: Visit) -> list[Finding]:
    client = visit.client
    if client is None or not visit.logged_in:
        return []
    types = readable(visit.site, visit.capabilities)
    return [tried(name, "site IT", partial(read_one, client, name), resource_type=name) for name in types]


PROBE = Probe(_look, after="log_in")
