"""A measure's results as FHIR R4 MeasureReports: one of all, one with the lists of subjects, one a subject.

Subjects are the stream's pseudonyms; a report names no patient. http://hl7.org/fhir/R4/measurereport.html
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from services.measures.compile.memory import Period
from services.measures.declared import Definition

Kind = Literal["summary", "subject-list", "individual"]
POPULATION = "http://terminology.hl7.org/CodeSystem/measure-population"
NOTATION = "http://terminology.hl7.org/CodeSystem/measure-improvement-notation"
SUBJECT = "urn:mainstem:subject"
IN_DOUBT = "urn:mainstem:in-doubt"
"""Population of those of whom it is unknown whether they are in the initial population."""

Member = Mapping[str, Any]
"""One person: `site`, `subject`, and by population whether they are in it (1, 0 or null)."""


def reports(
    definition: Definition, period: Period, date: str, rates: Sequence[Iterable[Member]], kind: Kind
) -> Iterator[dict[str, Any]]:
    """MeasureReports of one measure. `rates`: for each of its groups the persons; `date`: when they were counted, an instant."""
    if kind == "individual":
        yield from _individual(definition, period, date, [list(members) for members in rates])
        return
    for site, groups in _by_site([list(members) for members in rates]).items():
        report = _report(definition, period, date, kind, site)
        report["group"] = [_group(members, report if kind == "subject-list" else None) for members in groups]
        yield _checked(report)


def _by_site(rates: Sequence[Sequence[Member]]) -> dict[str, list[list[Member]]]:
    sites = sorted({member["site"] for members in rates for member in members})
    return {site: [[each for each in members if each["site"] == site] for members in rates] for site in sites}


def _individual(
    definition: Definition, period: Period, date: str, rates: Sequence[Sequence[Member]]
) -> Iterator[dict[str, Any]]:
    """One a subject that is in the initial population of a rate, or may be."""
    for at_once in zip(*rates, strict=True):
        if any(member["initial-population"] or member["unknown"] for member in at_once):
            report = _report(definition, period, date, "individual", at_once[0]["site"])
            report["subject"] = _subject(at_once[0]["subject"])
            report["group"] = [_group([member], None) for member in at_once]
            yield _checked(report)


def _report(definition: Definition, period: Period, date: str, kind: Kind, site: str) -> dict[str, Any]:
    return {
        "resourceType": "MeasureReport",
        "status": "complete",
        "type": kind,
        "measure": f"urn:mainstem:measure:{definition.id}|{definition.version}",
        "date": date,
        "reporter": {"identifier": {"system": "urn:mainstem:site", "value": site}},
        "period": {"start": period.first.isoformat(), "end": period.last.isoformat()},
        "improvementNotation": {"coding": [{"system": NOTATION, "code": definition.direction}]},
    }


def _group(members: Sequence[Member], listed_in: dict[str, Any] | None) -> dict[str, Any]:
    names = [name for name in members[0] if name not in ("site", "subject", "unknown")] if members else []
    populations = [_population(name, members, listed_in) for name in [*names, "unknown"]]
    counts = {name: sum(1 for member in members if member[name]) for name in names}
    group: dict[str, Any] = {"population": populations}
    scored = counts.get("denominator", 0) - counts.get("denominator-exclusion", 0)
    scored -= counts.get("denominator-exception", 0)
    if scored > 0:
        group["measureScore"] = {"value": round(counts["numerator"] / scored, 6)}
    return group


def _population(name: str, members: Sequence[Member], listed_in: dict[str, Any] | None) -> dict[str, Any]:
    inside = [member["subject"] for member in members if member[name]]
    coding = {"system": POPULATION, "code": name} if name != "unknown" else {"system": IN_DOUBT, "code": "unknown"}
    population: dict[str, Any] = {"code": {"coding": [coding]}, "count": len(inside)}
    if listed_in is not None and inside:
        held: list[dict[str, Any]] = listed_in.setdefault("contained", [])
        held.append(
            {
                "resourceType": "List",
                "id": f"list-{len(held) + 1}",
                "status": "current",
                "mode": "snapshot",
                "entry": [{"item": _subject(subject)} for subject in inside],
            }
        )
        population["subjectResults"] = {"reference": f"#{held[-1]['id']}"}
    return population


def _subject(subject: str) -> dict[str, Any]:
    return {"identifier": {"system": SUBJECT, "value": subject}}


def _checked(report: dict[str, Any]) -> dict[str, Any]:
    """Judged by FHIR's own rules before it leaves."""
    from fhir.resources.R4B.measurereport import MeasureReport

    MeasureReport.model_validate(report)
    return report
