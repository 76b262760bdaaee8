"""The event envelope and event types: CloudEvents 1.0 over Kafka in binary mode.

An outcome event's Kafka value is `OutcomeEvent` as JSON; a withdrawal's value is empty (a tombstone), so that compaction
removes it, and its header `reason` says why where the source does not say itself that the record is not true. Everything a consumer needs to route, order and deduplicate stands in the headers.
"""

from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel, ConfigDict, Field

from schemas.outcomes import AnyRecord

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"
CONTRACT_MAJOR = 1
EVENT_NAMESPACE = uuid5(NAMESPACE_URL, "urn:mainstem:event")
"""`ce_id` = uuid5 of this and what the event is known again by: `r-…/epoch.sequence` of a change."""
IMPLAUSIBLE = "implausible-"
"""Flags of a provenance that begin so say that the value is not to be believed: whoever counts leaves it out, and says so."""
IMPLAUSIBLE_FLAGS = tuple(
    IMPLAUSIBLE + what
    for what in (
        *("low", "high"),
        *("after-death", "before-birth", "future", "growth-velocity", "height-falling", "out-of-range", "weight-unit"),
    )
)
"""All of them: a value outside the range of its code; what checks of the person's records found."""


class Operation(StrEnum):
    """What happened to a record."""

    RECORDED = "recorded"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"


class WithdrawnBecause(StrEnum):
    """Why a record was withdrawn, where that is not that its source says so."""

    SOURCE_UNUSABLE = "source-unusable"
    """The source came again and what it holds now could not be used: the value is unknown, not denied; it may come back."""


class Header(StrEnum):
    """Kafka header names; values are UTF-8."""

    SPEC_VERSION = "ce_specversion"
    ID = "ce_id"
    SOURCE = "ce_source"
    TYPE = "ce_type"
    TIME = "ce_time"
    SUBJECT = "ce_subject"
    DATA_SCHEMA = "ce_dataschema"
    SEQUENCE = "ce_sequence"
    """`epoch.sequence`: the store's epoch (rises after a restore from a backup) and the record's sequence; both rise, in that order."""
    CONTENT_TYPE = "content-type"
    REASON = "reason"
    """Of a withdrawal only, and only where `WithdrawnBecause` has a word for it; consumers pass over words they do not know."""
    TRACE_PARENT = "traceparent"
    REPLAY = "replay"


def outcome_topic(network: str) -> str:
    """The topic of all changes of all outcome records of a network."""
    return f"{network}.outcome.v{CONTRACT_MAJOR}"


def feedback_topic(network: str) -> str:
    """The topic by which measure results and signals go back to the sites."""
    return f"{network}.feedback.v{CONTRACT_MAJOR}"


def outcome_type(network: str, operation: Operation) -> str:
    """`ce_type` of an outcome event."""
    return f"{network}.outcome.{operation}.v{CONTRACT_MAJOR}"


def source_of(site: str) -> str:
    """`ce_source` of a site's events."""
    return f"/site/{site}"


def data_schema(name: str) -> str:
    """`ce_dataschema`: a relative reference the registry serves under /schemas; kept short, it stands in every event."""
    return f"/schemas/{name}.v{CONTRACT_MAJOR}.json"


class Change(BaseModel):
    """What changed, in the order of one record's history."""

    op: Operation = Field(
        description="recorded: the key held nothing before; amended: it held another content, or other flags; withdrawn: no longer "
        "true or known, in `ce_type` only, as a withdrawal has no value."
    )
    sequence: int = Field(
        ge=1,
        description="Rises whenever the record's content, its subject or the flags of checks change; gaps mean changes that coalesced.",
    )
    previous: int = Field(ge=0, description="Sequence published before this one; 0 for none.")
    digest: str = Field(
        pattern=r"^[0-9a-f]{32}$",
        description="BLAKE2b-128 of the record's JSON without raw_value: other digits for the same number are no change.",
    )


class Source(BaseModel):
    """A source resource, by pseudonym."""

    type: str = Field(description="FHIR resource type.")
    ref: str = Field(pattern=r"^h-[0-9a-f]{24}$", description="Keyed hash of the resource; the site can resolve it.")
    version: str | None = Field(default=None, description="meta.versionId at the source.")
    updated: datetime | None = Field(default=None, description="meta.lastUpdated at the source, UTC.")


class Provenance(BaseModel):
    """Where a record came from and what made it."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    site: str = Field(description="The site whose EHR the record comes from.")
    source: list[Source] = Field(description="The FHIR resources that the record was made from.")
    load: str = Field(description="The load that brought this content.")
    mapping: str = Field(description="Mapping and its version, `observation@1`.")
    software: str = Field(description="Version of Mainstem that published it.")
    flags: list[str] = Field(
        default_factory=list,
        description="What mapping noticed or changed (unit-converted, implausible-high …), and what checks of the person's records found "
        "(implausible-out-of-range, duplicates …); by the alphabet.",
    )


class OutcomeEvent(BaseModel):
    """The value of an outcome event that is not a withdrawal."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    record: AnyRecord
    change: Change
    provenance: Provenance
