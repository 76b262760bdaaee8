"""Probe: whom the site reads, found out as a run would: the Groups, the list or the search of its cohort."""

from functools import partial

from connectors.pulling import road_of, roster
from connectors.rosters import group_members
from mainstem.check.finding import Finding, failed, tried
from mainstem.check.probe import Probe, Visit
from schemas.errors import IncompleteError, MainstemError


def _look(visit: Visit) -> list[Finding]:
    if not visit.site.reads_some or not (visit.reads_files or visit.logged_in):
        return []
    findings = [tried("cohort", partial(_found, visit))]
    client = visit.client
    if client is None or not client.vendor.group_most or road_of(visit.site, visit.capabilities) != "bulk":
        return findings
    return findings + [found for group in visit.source.fhir.groups if (found := _too_large(visit, group))]


def _found(visit: Visit) -> str:
    found = roster(visit.source, visit.capabilities)
    if found is None or not found.members:
        return "; ".join(found.notes if found else []) or "everybody"
    return "; ".join([f"{len(found.members)} patients", *found.notes])


def _too_large(visit: Visit, group: str) -> Finding | None:
    """A Group of more patients than the vendor's exports bear; None where it is none, or cannot be counted."""
    try:
        members = group_members(visit.source, group)
    except MainstemError:
        return None
    vendor = visit.client.vendor if visit.client else None
    if vendor is None or len(members) <= vendor.group_most:
        return None
    error = IncompleteError(
        f"Group {group} has {len(members)} patients; {vendor.title} exports {vendor.group_most} at a time well",
        "Split it; fhir.group names the Groups as a list then, and they are exported one by one.",
        who="EHR vendor",
    )
    return failed("group", error)


PROBE = Probe(_look, after="log_in")
