"""What the feedback topic carries: results of measures, back to the sites."""

from datetime import date, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from schemas.events import CONTRACT_MAJOR

ALL_SITES = "*"
"""In the place of a site: the network as a whole. No site can be called so."""


class FeedbackEventType(StrEnum):
    """What is told."""

    MEASURED = "measured"
    """A site's result of a measure, or another than was told before."""


def feedback_type(network: str, event: FeedbackEventType) -> str:
    """`ce_type` of a feedback event."""
    return f"{network}.feedback.{event}.v{CONTRACT_MAJOR}"


class MeasuredPeriod(BaseModel):
    """Local dates, both included."""

    name: str = Field(description="`2026`, `2026-Q4` or `2026-10`.")
    first: date = Field(description="Its first day.")
    last: date = Field(description="Its last day.")


class MeasuredGroup(BaseModel):
    """One group of the people that a result is of."""

    group: str | None = Field(
        default=None, description="Which group: a code, such as `female`, or words; null: of whom it is not known."
    )
    populations: dict[str, int] = Field(description="As of all of them.")
    events: int | None = Field(default=None, description="As of all of them.")
    days: int | None = Field(default=None, description="As of all of them.")
    mean: float | None = Field(default=None, description="As of all of them.")


class FeedbackEvent(BaseModel):
    """The value of a feedback event: one site's counts, or all sites', in one measure and period. Names nobody; the last one told stands."""

    model_config = ConfigDict(extra="ignore", defer_build=True)

    event: FeedbackEventType = Field(description="What happened: a result, or another than was told before.")
    site: str = Field(description="Whose result it is; `*`: of the network as a whole, the sum of its sites'.")
    measure: str = Field(description="The measure's id.")
    version: str = Field(description="The version of its definition.")
    rate: int = Field(default=1, ge=1, description="Which of the measure's rates, from 1.")
    period: MeasuredPeriod = Field(description="Of when.")
    sequence: int = Field(
        ge=1, description="Rises with every other result of this measure, version, period, rate and site."
    )
    computed: datetime = Field(description="When it became this, UTC.")
    populations: dict[str, int] | None = Field(
        description="Persons (or events, where the measure counts those), by code of FHIR's measure-population, by `set-aside` "
        "(excluded by the site for a time) and by `unknown` (nobody can say whether they belong to it). Null where a type of record "
        "that the measure reads and every hospital has was never loaded: that is no 0."
    )
    sites: int | None = Field(default=None, description="Of the network as a whole: how many sites have a number.")
    events: int | None = Field(default=None, description="Of a measure per person-time: how many events.")
    days: int | None = Field(default=None, description="Of a measure per person-time: days of one person.")
    mean: float | None = Field(default=None, description="Of a measure of a level: the mean, in the measure's unit.")
    strata: dict[str, list[MeasuredGroup]] = Field(
        default_factory=dict,
        description="By a way of telling people apart that the measure declares (`sex`, `payer` …; `stratum`: a published measure's own) "
        "its groups. One of fewer than 11 people is not told, nor the next smallest where that one could be reckoned from the rest.",
    )
    completeness: dict[str, str] = Field(
        default_factory=dict,
        description="By record type that the measure reads: loaded, not loaded, gap or not yet, of the period so far.",
    )
