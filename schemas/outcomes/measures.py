"""Results of quality measures."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.outcomes.record import Number, PartialDate, RecordId, RecordType, SubjectId, fact


class MeasureResult(RecordType):
    """The result of a quality measure for one level, period and stratum (FHIR MeasureReport)."""

    type: Literal["measure_result"] = "measure_result"
    id: RecordId = Field(description="Keyed hash of measure, level, period and stratum.")
    subject: SubjectId | None = fact("The person, at level person.", source="MeasureReport.subject")
    site: str | None = fact("The site, at levels person and site.", source="MeasureReport.reporter")
    measure: str = fact("The measure.", source="MeasureReport.measure", required=True)
    measure_version: str = fact("Its version.", source="MeasureReport.measure", required=True)
    level: Literal["person", "site", "network"] = fact("Of whom.", source="MeasureReport.type", required=True)
    period_start: PartialDate = fact("First local date.", source="MeasureReport.period.start", required=True)
    period_end: PartialDate = fact("Last local date.", source="MeasureReport.period.end", required=True)
    stratum: str | None = fact("Stratum, none for all.", source="MeasureReport.group.stratifier.stratum")
    initial_population: int = fact("Initial population.", source="MeasureReport.group.population", unit="1", default=0)
    denominator: int = fact("Denominator.", source="MeasureReport.group.population", unit="1", default=0)
    exclusions: int = fact("Denominator exclusions.", source="MeasureReport.group.population", unit="1", default=0)
    exceptions: int = fact("Denominator exceptions.", source="MeasureReport.group.population", unit="1", default=0)
    numerator: int = fact("Numerator.", source="MeasureReport.group.population", unit="1", default=0)
    score: Number | None = fact("The score.", source="MeasureReport.group.measureScore", unit="1")
    cutoff: datetime | None = fact("Data known up to, UTC.", source="MeasureReport.date")
