"""The event envelope and event types: CloudEvents 1.0 over Kafka in binary mode.

An outcome event's Kafka value is `OutcomeEvent` as JSON; a withdrawal's value is empty (a tombstone), so that compaction
removes it. Everything a consumer needs to route, order and deduplicate stands in the headers.
"""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.outcomes import AnyRecord

SPEC_VERSION = "1.0"
CONTENT_TYPE = "application/json"
CONTRACT_MAJOR = 1


class Operation(StrEnum):
    """What happened to a record."""

    RECORDED = "recorded"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"


class LoadEventType(StrEnum):
    """What happened to a site's load."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"


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
    TRACE_PARENT = "traceparent"
    REPLAY = "replay"


def outcome_topic(network: str) -> str:
    """The topic of all changes of all outcome records of a network."""
    return f"{network}.outcome.v{CONTRACT_MAJOR}"


def load_topic(network: str) -> str:
    """The topic of the sites' loads."""
    return f"{network}.load.v{CONTRACT_MAJOR}"


def outcome_type(network: str, operation: Operation) -> str:
    """`ce_type` of an outcome event."""
    return f"{network}.outcome.{operation}.v{CONTRACT_MAJOR}"


def load_type(network: str, event: LoadEventType) -> str:
    """`ce_type` of a load event."""
    return f"{network}.load.{event}.v{CONTRACT_MAJOR}"


def source_of(site: str) -> str:
    """`ce_source` of a site's events."""
    return f"/site/{site}"


def data_schema(name: str) -> str:
    """`ce_dataschema`: a relative reference the registry serves under /schemas; kept short, it stands in every event."""
    return f"/schemas/{name}.v{CONTRACT_MAJOR}.json"


class Change(BaseModel):
    """What changed, in the order of one record's history."""

    op: Operation = Field(description="recorded: first known; amended: content changed; withdrawn: no longer true.")
    sequence: int = Field(
        ge=1, description="Rises whenever the record's content changes; gaps mean changes that coalesced."
    )
    previous: int = Field(ge=0, description="Sequence published before this one; 0 for none.")
    digest: str = Field(pattern=r"^[0-9a-f]{32}$", description="BLAKE2b-128 of the record's JSON.")


class Source(BaseModel):
    """A source resource, by pseudonym."""

    type: str = Field(description="FHIR resource type.")
    ref: str = Field(pattern=r"^h-[0-9a-f]{24}$", description="Keyed hash of the resource; the site can resolve it.")
    version: str | None = Field(default=None, description="meta.versionId at the source.")
    updated: datetime | None = Field(default=None, description="meta.lastUpdated at the source, UTC.")


class Provenance(BaseModel):
    """Where a record came from and what made it."""

    model_config = ConfigDict(extra="ignore")

    site: str = Field(description="The site.")
    source: list[Source] = Field(description="The source resources.")
    load: str = Field(description="The load that brought this content.")
    mapping: str = Field(description="Mapping and its version, `observation@1`.")
    software: str = Field(description="Version of Mainstem.")
    flags: list[str] = Field(
        default_factory=list, description="What was noticed or changed: unit-converted, implausible-high …"
    )


class OutcomeEvent(BaseModel):
    """The value of an outcome event that is not a withdrawal."""

    model_config = ConfigDict(extra="ignore")

    record: AnyRecord
    change: Change
    provenance: Provenance


class TypeCounts(BaseModel):
    """One resource type's figures in a load; read = mapped + the sum of skipped."""

    read: int = Field(default=0, ge=0, description="Resources read from landing files.")
    mapped: int = Field(default=0, ge=0, description="Resources that gave records or a withdrawal.")
    skipped: dict[str, int] = Field(default_factory=dict, description="Resources that gave none, by reason code.")
    records: int = Field(default=0, ge=0, description="Records the mapped resources gave.")
    recorded: int = Field(default=0, ge=0, description="Records not known before.")
    amended: int = Field(default=0, ge=0, description="Records whose content changed.")
    withdrawn: int = Field(default=0, ge=0, description="Records withdrawn.")
    unchanged: int = Field(default=0, ge=0, description="Records already known with this content.")
    stale: int = Field(default=0, ge=0, description="Records older than what is known; not stored.")

    sampled: int = Field(default=0, ge=0, description="Resources checked in full against FHIR R4.")
    nonconformant: int = Field(default=0, ge=0, description="Of these, resources that break a rule of FHIR R4.")

    def adds_up(self) -> bool:
        """Whether every resource read is accounted for."""
        return self.read == self.mapped + sum(self.skipped.values())


class Gap(BaseModel):
    """A window of a type that could not be read; visible until closed."""

    resource_type: str
    since: datetime | None = Field(default=None, description="Start of the window, UTC; none for the beginning.")
    until: datetime | None = Field(default=None, description="End of the window, UTC.")
    reason: str = Field(description="Why, without any source text.")


class LoadEvent(BaseModel):
    """The value of a load event."""

    model_config = ConfigDict(extra="ignore")

    load: str
    site: str
    event: LoadEventType
    mode: Literal["incremental", "full"]
    started: datetime
    ended: datetime | None = None
    types: dict[str, TypeCounts] = Field(default_factory=dict, description="Figures by resource type.")
    watermarks: dict[str, datetime] = Field(default_factory=dict, description="Each type is complete up to then, UTC.")
    gaps: list[Gap] = Field(default_factory=list)
    published: int = Field(default=0, description="Outcome events acknowledged by the broker in this load.")
    error: str | None = Field(default=None, description="Why it failed: a cause of ours, never source text.")
