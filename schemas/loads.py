"""What the load topic carries: a site's load, its figures, watermarks and gaps."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from schemas.events import CONTRACT_MAJOR

Mode = Literal["incremental", "full"]
"""What a load reads: what changed since, or everything again."""


class LoadEventType(StrEnum):
    """What happened to a site's load."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"


def load_topic(network: str) -> str:
    """The topic of the sites' loads."""
    return f"{network}.load.v{CONTRACT_MAJOR}"


def is_load_topic(topic: str) -> bool:
    """Whether a topic is a network's load topic, of any major."""
    return topic.rsplit(".", 2)[-2:-1] == ["load"]


def load_type(network: str, event: LoadEventType) -> str:
    """`ce_type` of a load event."""
    return f"{network}.load.{event}.v{CONTRACT_MAJOR}"


class TypeCounts(BaseModel):
    """One resource type's figures in a load; read = mapped + the sum of skipped."""

    read: int = Field(default=0, ge=0, description="Resources read from landing files.")
    mapped: int = Field(default=0, ge=0, description="Resources that gave records or a withdrawal.")
    retracted: int = Field(
        default=0, ge=0, description="Of those mapped, resources that say they were entered in error or deleted."
    )
    skipped: dict[str, int] = Field(default_factory=dict, description="Resources that gave none, by reason code.")
    dropped: dict[str, int] = Field(
        default_factory=dict,
        description="Fields left out of records because they could not be used, by FHIR path; of the resources not recognised.",
    )
    parts: int = Field(default=0, ge=0, description="Parts (components) of the resources not recognised.")
    parts_skipped: dict[str, int] = Field(
        default_factory=dict, description="Parts that gave no record, by reason code or `withdrawn`."
    )
    unkept: int = Field(
        default=0, ge=0, description="Of those skipped, unusable ones beyond what the site keeps to look at."
    )
    records: int = Field(default=0, ge=0, description="Records the mapped resources gave.")
    recorded: int = Field(default=0, ge=0, description="Records not known before.")
    amended: int = Field(default=0, ge=0, description="Records whose content changed.")
    withdrawn: int = Field(default=0, ge=0, description="Records withdrawn.")
    source_unusable: int = Field(
        default=0,
        ge=0,
        description="Of those withdrawn, records whose source, or part of it, came and could not be used.",
    )
    unchanged: int = Field(default=0, ge=0, description="Records already known with this content.")
    stale: int = Field(default=0, ge=0, description="Records older than what is known; not stored.")

    merged: int = Field(
        default=0, ge=0, description="Patients whose records went over to the one they were merged into."
    )
    unmerged: int = Field(default=0, ge=0, description="Patients who are their own again; their records went back.")
    merges_unclear: int = Field(
        default=0,
        ge=0,
        description="Patients who say that they were merged, in a circle, into several, or into nobody who can be told.",
    )
    recognised: int = Field(
        default=0,
        ge=0,
        description="Resources told by their line to be as before; they count as mapped, but were not mapped again.",
    )
    flags: dict[str, int] = Field(
        default_factory=dict,
        description="What was noticed, by flag (code-unmapped, implausible-high …), of the lines that changed: in all that were "
        "read but not recognised.",
    )
    unmapped: dict[str, int] = Field(
        default_factory=dict,
        description="Codes that have no meaning in the system that is wanted, of the same resources, by how often; each as the "
        "code map's first three columns: system, code, target_system. The most frequent alone; they stay at the site.",
    )
    sampled: int = Field(default=0, ge=0, description="Resources checked in full against FHIR R4.")
    nonconformant: int = Field(default=0, ge=0, description="Of these, resources that break a rule of FHIR R4.")
    refused_judged: int = Field(
        default=0, ge=0, description="Resources that gave no record and were checked in full against FHIR R4."
    )
    broken: dict[str, int] = Field(
        default_factory=dict,
        description="What the checked resources break, by how many: `Observation.status: missing`; `us-core-missing` what US Core "
        "demands. Paths and kinds, no values; the most frequent alone.",
    )

    def adds_up(self) -> bool:
        """Whether every resource read is accounted for."""
        return self.read == self.mapped + sum(self.skipped.values())


BROKEN_AT_MOST = 50
"""Rules that the figures of a type name as broken."""
UNMAPPED_AT_MOST = 500
"""Codes without a meaning that the figures of a type name; beyond them only the flag is counted."""


class Gap(BaseModel):
    """A window of a type that could not be read; visible until closed."""

    resource_type: str = Field(description="FHIR resource type.")
    since: datetime | None = Field(default=None, description="Start of the window, UTC; none for the beginning.")
    until: datetime | None = Field(default=None, description="End of the window, UTC.")
    reason: str = Field(description="Why, without any source text.")
    cause: str = Field(default="", description="Why, as a code (schemas.gaps.GapCause).")
    fix: str = Field(default="", description="What to do.")
    who: str = Field(default="", description="Who can do it: site IT, EHR vendor, network.")


def by_words(gaps: Iterable[tuple[str, Gap]]) -> list[tuple[list[str], Gap]]:
    """Gaps that are told alike, once, with the names of what they are of: every type of a night without a delivery, say."""
    alike: dict[tuple[str, str, str], tuple[list[str], Gap]] = {}
    for name, gap in gaps:
        told = gap.model_copy(update={"reason": gap.reason.removeprefix(f"{gap.resource_type}: ")})
        names, _ = alike.setdefault((told.reason, told.fix, told.who), ([], told))
        if name not in names:
            names.append(name)
    return list(alike.values())


class LoadQuality(BaseModel):
    """What the checks that judge a person alone found of the persons whom a load touched; `mainstem quality` judges the site."""

    touched: int = Field(ge=0, description="Persons of whom a record changed.")
    judged: int = Field(
        ge=0, description="Persons of these who were judged: a night judges no more than it has time for."
    )
    looked: dict[str, int] = Field(
        description="Records looked at, by check; a check that had nothing to look at is not named: that is no pass."
    )
    found: dict[str, int] = Field(description="Of these, records that are not as they should be, by check.")


JUDGED = "What was found implausible of the persons whom this load touched; none where nobody was, and of a site's first load."
ACCEPTED = "What is missing and was accepted by an operator: the load is not partial by it."


REPLAY = (
    "retry or remap: what earlier loads landed was mapped again and nothing was read from the EHR; empty: a refresh."
)


class LoadEvent(BaseModel):
    """The value of a load event."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    load: str = Field(description="The load's id: the site and when it began; `ce_subject`, too.")
    site: str = Field(description="The site; the key, too.")
    event: LoadEventType = Field(description="What happened to it.")
    mode: Mode = Field(description="What it reads: what changed since, or everything again.")
    started: datetime = Field(description="When it began, UTC.")
    ended: datetime | None = Field(default=None, description="When it ended, UTC; none while it runs.")
    types: dict[str, TypeCounts] = Field(default_factory=dict, description="Figures by resource type.")
    watermarks: dict[str, datetime] = Field(default_factory=dict, description="Each type is complete up to then, UTC.")
    gaps: list[Gap] = Field(default_factory=list, description="What it could not read.")
    accepted: list[Gap] = Field(default_factory=list, description=ACCEPTED)
    status: str = Field(
        default="", description="completed, partial (with gaps, or changes that cannot be sent) or failed."
    )
    published: int = Field(default=0, description="Outcome events acknowledged by the broker in this load.")
    replay: str = Field(default="", description=REPLAY)
    refused: dict[str, int] = Field(
        default_factory=dict,
        description="Changes of the site that cannot be sent, by reason; each is tried again when its record changes.",
    )
    error: str | None = Field(default=None, description="Why it failed: a cause of ours, never source text.")
    quality: LoadQuality | None = Field(default=None, description=JUDGED)


class LoadReport(BaseModel):
    """What a load that ended did: kept with it, shown by `mainstem run`, the DAG's note and `--json`."""

    load: str
    site: str
    mode: Mode
    status: Literal["completed", "partial", "failed"]
    types: dict[str, TypeCounts] = Field(description="Figures by resource type.")
    watermarks: dict[str, datetime] = Field(description="Types that are whole, and up to when, UTC.")
    gaps: list[Gap]
    accepted: list[Gap] = Field(default_factory=list, description=ACCEPTED)
    published: int = Field(description="Outcome events acknowledged by the broker in this load.")
    replay: str = Field(default="", description=REPLAY)
    refused: dict[str, int] = Field(
        default_factory=dict,
        description="Changes of the site that cannot be sent, by reason; each is tried again when its record changes.",
    )
    notes: list[str] = Field(
        default_factory=list, description="What somebody at the site may want to know; the network is not told."
    )
    unjudged: dict[str, str] = Field(
        default_factory=dict,
        description="Types of which nothing was withdrawn for not having come, and why that proved nothing.",
    )
    quality: LoadQuality | None = Field(default=None, description=JUDGED)
    resumed: bool = Field(default=False, description="Whether an unfinished load was taken up.")
    seconds: float = 0.0
    shares: dict[str, float] = Field(default_factory=dict, description="Seconds by step.")

    @computed_field(description="The types' figures added up.")  # type: ignore[prop-decorator] # pydantic's own way
    @property
    def total(self) -> TypeCounts:
        """The types' figures added up."""
        return add_up(self.types.values())


def add_up(counts: Iterable[TypeCounts]) -> TypeCounts:
    """The sum of several figures."""
    total = TypeCounts()
    for each in counts:
        for name, more in each:
            if more:  # most figures of most types are none
                one = getattr(total, name)
                setattr(total, name, one + more if isinstance(one, int) else dict(Counter(one) + Counter(more)))
    return total
