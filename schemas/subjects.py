"""What the subject topic carries: how it stands with one subject, whole in each event; and what the erasure topic carries: what families
ask of their site, what consumers report of an erasure, and that they know of a consent."""

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.events import CONTRACT_MAJOR

Scope = Literal["qi", "research"]
"""What a consent is for: quality improvement, without which nothing is collected; research, without which nothing is extracted."""
SCOPES: tuple[Scope, ...] = ("qi", "research")


class SubjectEventType(StrEnum):
    """What happened to a subject; whatever it is, the event says how it stands now."""

    WITHDRAWN = "withdrawn"
    """Consent was withdrawn, or withdrawn further."""
    GIVEN = "given"
    """Consent that was withdrawn is given again, whole or in part."""
    SUPERSEDED = "superseded"
    """The subject is another: merged, or under a new key. Its records go on under that one."""
    SEPARATED = "separated"
    """The subject is one of its own again."""


def subject_topic(network: str) -> str:
    """The topic of how it stands with each subject."""
    return f"{network}.subject.v{CONTRACT_MAJOR}"


def is_subject_topic(topic: str) -> bool:
    """Whether a topic is a network's subject topic, of any major."""
    return topic.rsplit(".", 2)[-2:-1] == ["subject"]


def subject_type(network: str, event: SubjectEventType) -> str:
    """`ce_type` of a subject event."""
    return f"{network}.subject.{event}.v{CONTRACT_MAJOR}"


def erasure_type(network: str) -> str:
    """`ce_type` of an erasure report."""
    return f"{network}.erasure.reported.v{CONTRACT_MAJOR}"


def heeded_type(network: str) -> str:
    """`ce_type` of what a consumer says that it knows."""
    return f"{network}.erasure.heeded.v{CONTRACT_MAJOR}"


def asked_type(network: str) -> str:
    """`ce_type` of what a family asks."""
    return f"{network}.erasure.asked.v{CONTRACT_MAJOR}"


def erasure_topic(network: str) -> str:
    """The topic of what families ask of their site, of what consumers did about erasures, and what they know of consents."""
    return f"{network}.erasure.v{CONTRACT_MAJOR}"


class SubjectEvent(BaseModel):
    """The value of a subject event: how it stands with one subject. The last one of a subject says all: it replaces those before."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    event: SubjectEventType = Field(description="What happened.")
    subject: str = Field(pattern="^s-[0-9a-f]{32}$", description="Whom it is about, by pseudonym; the key, too.")
    site: str = Field(pattern="^[a-z][a-z0-9-]{0,30}$", description="The site that says so.")
    sequence: int = Field(ge=1, description="Rises with every event of this subject, within an epoch of its site.")
    at: datetime = Field(description="When it became so at the site, UTC.")
    withdrawn: list[Scope] = Field(
        default_factory=list,
        description="For what consent is withdrawn now. `qi`: the site collects nothing more of the subject. `research`: nothing of the "
        "subject goes into an extract; all else goes on. Empty: for nothing.",
    )
    erase: bool = Field(
        default=False,
        description="Whether everything of the subject is to be forgotten: its records are withdrawn one by one on the outcome topic, and "
        "a consumer deletes what else it has, takes nothing of the subject again, and reports it on the erasure topic.",
    )
    superseded_by: str | None = Field(
        default=None,
        pattern="^s-[0-9a-f]{32}$",
        description="The subject that this one is. Its records come withdrawn under this one, then recorded under that one.",
    )


class ErasureReport(BaseModel):
    """The value of an erasure report, by consumers on the kit: what one group did about a subject event that says `erase`."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    group: str = Field(min_length=1, max_length=100, description="The consumer group.")
    site: str = Field(pattern="^[a-z][a-z0-9-]{0,30}$", description="The subject's site; the key, too.")
    subject: str = Field(pattern="^s-[0-9a-f]{32}$", description="Who was to be forgotten.")
    epoch: int = Field(ge=1, description="Of the subject event that this answers.")
    sequence: int = Field(ge=1, description="Of the subject event that this answers.")
    erased: bool = Field(
        description="Whether it is done; false: this consumer has no way to erase, and somebody has to do it by hand."
    )
    rows: int = Field(default=0, ge=0, description="How many rows of the subject it deleted.")
    at: datetime = Field(description="When, UTC.")


class ConsentHeeded(BaseModel):
    """The value of what consumers on the kit say of a subject event of consent that does not say `erase`: one group goes by it from now on."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    group: str = Field(min_length=1, max_length=100, description="The consumer group.")
    site: str = Field(pattern="^[a-z][a-z0-9-]{0,30}$", description="The subject's site; the key, too.")
    subject: str = Field(pattern="^s-[0-9a-f]{32}$", description="Whose consent it is, by pseudonym.")
    epoch: int = Field(ge=1, description="Of the subject event that this answers.")
    sequence: int = Field(ge=1, description="Of the subject event that this answers.")
    withdrawn: list[Scope] = Field(
        description="For what the group goes by a withdrawal now; with `qi` for `research` too. Empty: for nothing."
    )
    at: datetime = Field(description="When, UTC.")


class Wish(StrEnum):
    """What a family asks."""

    WITHDRAW = "withdraw"
    """Nothing more from now on."""
    ERASE = "erase"
    """What was collected is to be forgotten as well."""
    GIVE = "give"
    """Again what was withdrawn."""


class ConsentAsked(BaseModel):
    """The value of what a family asks of its site, by the network's page: the site decides it; nobody else acts on it."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    id: str = Field(pattern="^[0-9a-f]{32}$", description="Of this asking.")
    site: str = Field(pattern="^[a-z][a-z0-9-]{0,30}$", description="The site that is asked; the key, too.")
    subject: str = Field(pattern="^s-[0-9a-f]{32}$", description="Whose consent it is, by pseudonym.")
    scope: Scope = Field(description="What the consent is for.")
    wish: Wish = Field(description="withdraw, erase or give.")
    by: Literal["self", "guardian"] = Field(description="Who asks: the patient, or a guardian of theirs.")
    at: datetime = Field(description="When, UTC.")
