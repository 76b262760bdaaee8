"""What mapping one FHIR resource gives: the hand-over from transforms/ to the store."""

from typing import NamedTuple

from schemas.problems import Problem

REF_BYTES = 12
"""A source resource's keyed hash; every record id of the resource begins with it, so a range of ids is a resource."""
ID_BYTES = 16
"""A record's id: the source's hash and four bytes for the part (component) of the resource, zero for the whole."""


DIGEST_BYTES = 16
"""BLAKE2b-128 of a record's JSON."""


class Mapped(NamedTuple):
    """One outcome record in the form the store keeps it."""

    id: bytes
    """16 bytes; `r-` + hex outside."""
    type: str
    subject: bytes
    """16 bytes; `s-` + hex outside."""
    digest: bytes
    """BLAKE2b-128 of `content`."""
    content: bytes
    """The record as a JSON object: schemas.outcomes, null fields left out."""
    provenance: bytes
    """The members `"source":[…],"mapping":"observation@1","flags":[…]` of the event's provenance, without braces."""
    updated: int | None
    """meta.lastUpdated in microseconds since 1970 UTC: an older version never replaces a newer one."""


class Outcome(NamedTuple):
    """What became of one line: records, a withdrawal, or a problem (and then neither)."""

    resource_type: str
    """FHIR resource type; `?` where the line does not say."""
    ref: bytes
    """12 bytes; `h-` + hex outside; empty where the resource has no id."""
    records: list[Mapped]
    withdrawn: bool = False
    """The source says it was entered in error: all records of `ref` are to be withdrawn."""
    updated: int | None = None
    """As in Mapped; needed for a withdrawal, which has no record."""
    problem: Problem | None = None
