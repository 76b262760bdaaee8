"""A measure's results as FHIR R4 MeasureReports: one of all, one with the lists of subjects, one a subject.

Subjects are the stream's pseudonyms; a report names no patient. http://hl7.org/fhir/R4/measurereport.html
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import mean, median
from typing import Any, Literal

from services.measures.compile.memory import Period
from services.measures.declared import Definition, Measure
from services.measures.evaluate.sentences import YEAR_DAYS

Kind = Literal["summary", "subject-list", "individual"]
POPULATION = "http://terminology.hl7.org/CodeSystem/measure-population"
NOTATION = "http://terminology.hl7.org/CodeSystem/measure-improvement-notation"
SUBJECT = "urn:mainstem:subject"
IN_DOUBT = "urn:mainstem:in-doubt"
"""Population of those of whom it is unknown whether they are in the initial population."""

ASIDE = "urn:mainstem:set-aside"
"""Population of those whom their site has set aside."""
OURS = {"set-aside": ASIDE, "unknown": IN_DOUBT}
"""Code systems of the populations that FHIR has no code for."""

Member = Mapping[str, Any]
"""One person, or one of their events: `site`, `subject`, and by population whether they are in it (1, 0 or null)."""
NUMBERS = ("value", "events", "days")
"""What a member of a measure of the network says besides."""
STRATUM = "stratum: "
"""Before the name of a stratum, among what is told of a member."""
Score = Callable[[Sequence[Member]], dict[str, Any] | None]
"""A group's `measureScore`, of its members."""


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


def reports_of(
    measure: Measure, period: Period, date: str, members: Iterable[Member], kind: Kind
) -> Iterator[dict[str, Any]]:
    """MeasureReports of a measure of the network in one period; of one that counts events, populations are of events."""
    everybody, score = list(members), _score_of(measure)
    if kind == "individual":
        for subject in sorted({member["subject"] for member in everybody}):
            theirs = [each for each in everybody if each["subject"] == subject]
            if any(each["initial-population"] or each["unknown"] or each["set-aside"] for each in theirs):
                report = _report(measure, period, date, "individual", theirs[0]["site"])
                report |= {"subject": _subject(subject), "group": [_group(theirs, None, score)]}
                yield _checked(report)
        return
    for site, (theirs,) in _by_site([everybody]).items():
        report = _report(measure, period, date, kind, site)
        report["group"] = [_group(theirs, report if kind == "subject-list" else None, score)]
        yield _checked(report)


def _score_of(measure: Measure) -> Score:
    def level(members: Sequence[Member]) -> dict[str, Any] | None:
        values = [float(each["value"]) for each in members if _is_scored(each) and each["value"] is not None]
        unit = {"unit": measure.unit} if measure.unit else {}
        middle = mean if measure.chart == "xbar" else median
        return {"value": round(middle(values), 6), **unit} if values else None

    def rate(members: Sequence[Member]) -> dict[str, Any] | None:
        timed = [each for each in members if each["initial-population"] and each["days"] is not None]
        days = sum(each["days"] for each in timed)
        unit = f"/({measure.per_years} person-years)"
        events = sum(each["events"] or 0 for each in timed)
        return {"value": round(events / (days / YEAR_DAYS) * measure.per_years, 6), "unit": unit} if days else None

    return {"share": _share, "rate": rate, "level": level}[measure.kind]


def _is_scored(member: Member) -> bool:
    left = member.get("denominator-exclusion") or member.get("denominator-exception")
    return bool(member["denominator"] and not left)


def _share(members: Sequence[Member]) -> dict[str, Any] | None:
    scored = [each for each in members if _is_scored(each)]
    met = sum(1 for each in scored if each["numerator"])
    return {"value": round(met / len(scored), 6)} if scored else None


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


def _report(definition: Definition | Measure, period: Period, date: str, kind: Kind, site: str) -> dict[str, Any]:
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


def _group(members: Sequence[Member], listed_in: dict[str, Any] | None, score: Score = _share) -> dict[str, Any]:
    names, strata = _names_of(members)
    group: dict[str, Any] = {"population": [_population(name, members, listed_in) for name in [*names, "unknown"]]}
    if (scored := score(members)) is not None:
        group["measureScore"] = scored
    if strata:
        group["stratifier"] = [_stratifier(name, names, members, score) for name in strata]
    return group


def _names_of(members: Sequence[Member]) -> tuple[list[str], list[str]]:
    """Of their populations and of their strata."""
    told = [name for name in (members[0] if members else ()) if name not in ("site", "subject", "unknown", *NUMBERS)]
    return [name for name in told if not name.startswith(STRATUM)], [name for name in told if name.startswith(STRATUM)]


def _stratifier(stratum: str, names: Sequence[str], members: Sequence[Member], score: Score) -> dict[str, Any]:
    """A group of people told of beside all of them."""
    theirs, words = [each for each in members if each[stratum]], {"text": stratum.removeprefix(STRATUM)}
    told: dict[str, Any] = {"value": words, "population": [_population(name, theirs, None) for name in names]}
    if (scored := score(theirs)) is not None:
        told["measureScore"] = scored
    return {"code": [words], "stratum": [told]}


def _population(name: str, members: Sequence[Member], listed_in: dict[str, Any] | None) -> dict[str, Any]:
    inside = [member["subject"] for member in members if member[name]]
    coding = {"system": OURS.get(name, POPULATION), "code": name}
    population: dict[str, Any] = {"code": {"coding": [coding]}, "count": len(inside)}
    if listed_in is not None and inside:
        held: list[dict[str, Any]] = listed_in.setdefault("contained", [])
        held.append(
            {
                "resourceType": "List",
                "id": f"list-{len(held) + 1}",
                "status": "current",
                "mode": "snapshot",
                "entry": [{"item": _subject(subject)} for subject in dict.fromkeys(inside)],
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
