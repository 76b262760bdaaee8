"""Results of quality measures."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.outcomes.record import Number, PartialDate, RecordId, RecordType, SubjectId, fact


class MeasureResult(RecordType):
    """The result of a quality measure for one level, period and stratum (FHIR MeasureReport)."""

    type: Literal["measure_result"] = "measure_result"
    id: RecordId = Field(description="Keyed hash of measure, level, period and stratum.")
    subject: SubjectId | None = fact("Pseudonym of the person; at level person alone.", source="MeasureReport.subject")
    site: str | None = fact("The site; at levels person and site alone.", source="MeasureReport.reporter")
    measure: str = fact("The measure's id.", source="MeasureReport.measure", required=True)
    measure_version: str = fact("Version of the measure's definition.", source="MeasureReport.measure", required=True)
    level: Literal["person", "site", "network"] = fact(
        "Whose result it is: one person's, a site's, the network's.", source="MeasureReport.type", required=True
    )
    period_start: PartialDate = fact(
        "First local date of the period, included.", source="MeasureReport.period.start", required=True
    )
    period_end: PartialDate = fact(
        "Last local date of the period, included.", source="MeasureReport.period.end", required=True
    )
    stratum: str | None = fact(
        "The stratum it is of; absent for all persons.", source="MeasureReport.group.stratifier.stratum"
    )
    initial_population: int = fact(
        "Persons (or events) that the measure looks at.", source="MeasureReport.group.population", unit="1", default=0
    )
    denominator: int = fact(
        "Of the initial population, those that the measure's denominator asks for.",
        source="MeasureReport.group.population",
        unit="1",
        default=0,
    )
    exclusions: int = fact(
        "Of the denominator, those excluded whatever was done.",
        source="MeasureReport.group.population",
        unit="1",
        default=0,
    )
    exceptions: int = fact(
        "Of the denominator and not in the numerator, those for whom there was a reason.",
        source="MeasureReport.group.population",
        unit="1",
        default=0,
    )
    numerator: int = fact(
        "Of the denominator, those for whom it is as the measure asks.",
        source="MeasureReport.group.population",
        unit="1",
        default=0,
    )
    score: Number | None = fact(
        "The measure's score: of a proportion the numerator over the denominator without exclusions and exceptions.",
        source="MeasureReport.group.measureScore",
        unit="1",
    )
    cutoff: datetime | None = fact("Data known up to, UTC.", source="MeasureReport.date")
