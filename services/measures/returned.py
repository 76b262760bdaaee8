"""A site's results as they came back on the stream, for its EHR or warehouse: what was told last of each, as it came or as FHIR.

A FHIR R4 MeasureReport (summary) holds a measure, version and period, a group a rate. Where a type that the measure reads was never
loaded there are no counts, and none are made up: the report is `pending` and names the type. http://hl7.org/fhir/R4/measurereport.html
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from math import isfinite
from typing import Any, NamedTuple

from kafka import TopicPartition
from pydantic import ValidationError

from mainstem.consumer.completeness import State
from mainstem.kafka.envelopes import UnsoundError, envelope_of, within_time
from mainstem.kafka.reading import reading
from mainstem.kafka.settings import KafkaSettings
from mainstem.kafka.topics import require_topics
from schemas.events import feedback_topic
from schemas.feedback import FeedbackEvent, MeasuredGroup
from services.measures.declared import Measure
from services.measures.evaluate.sentences import YEAR_DAYS
from services.measures.library import measures
from services.measures.report import NOTATION, OURS, POPULATION

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
WORDS = re.compile(r"[\w.,:;+/()'-]+( [\w.,:;+/()'-]+){0,15}")
"""A group, or a way of telling people apart, in words."""
COMPLETENESS = "urn:mainstem:completeness"
"""Extension of a report: a record type that the measure reads and that is not whole, and how it stands."""


class Returned(NamedTuple):
    """What the feedback topic holds of a site."""

    results: list[FeedbackEvent]
    """The last one told of each, by measure, version, period and rate."""
    unreadable: int
    """Records of the topic, of whomever, that are no feedback event."""


def returned(kafka: KafkaSettings, network: str, site: str) -> Returned:
    """Reads the topic from its beginning. Raises OperatorError or TemporaryError where it cannot be read."""
    topic = feedback_topic(network)
    partitions = require_topics(kafka, network, [topic])[topic].partitions
    found: list[Any] = []
    for number in range(partitions):
        with reading(kafka, TopicPartition(topic, number), name="mainstem-feedback-pull") as records:
            found += records
    return standing_of(found, site)


def standing_of(records: Iterable[Any], site: str) -> Returned:
    """Of the topic's records in their order: a later one of the same replaces an earlier one."""
    found: dict[tuple[str, str, str, int], FeedbackEvent] = {}
    unreadable = 0
    for record in records:
        told = read_feedback(record)
        if told is None:
            unreadable += 1
        elif told.site == site:
            found[told.measure, told.version, told.period.name, told.rate] = told
    return Returned([found[key] for key in sorted(found)], unreadable)


def read_feedback(record: Any) -> FeedbackEvent | None:
    """A Kafka record of the feedback topic; None where it is no result."""
    try:
        envelope = envelope_of(record, "feedback")
        told = FeedbackEvent.model_validate_json(record.value or b"")
    except (UnsoundError, ValidationError):
        return None
    agree = (record.key, envelope.event) == (told.site.encode(), told.event.value)
    return told if agree and _can_be(told) else None


def _can_be(told: FeedbackEvent) -> bool:
    """Whether its names are names, its numbers numbers and its times times."""
    groups = [each for found in told.strata.values() for each in found]
    parts: list[FeedbackEvent | MeasuredGroup] = [told, *groups]
    counts = [(name, count) for part in parts for name, count in (part.populations or {}).items()]
    names = (told.measure, told.version, told.period.name, *(name for name, _ in counts), *told.completeness)
    words = (*told.strata, *(each.group for each in groups if each.group is not None))
    return (
        all(NAME.fullmatch(name) for name in names)
        and all(len(each) <= 100 and WORDS.fullmatch(each) for each in words)
        and {*told.completeness.values()} <= {*State}
        and all(count >= 0 for count in (*(count for _, count in counts), *(part.events or 0 for part in parts)))
        and all((part.days or 0) >= 0 and isfinite(part.mean or 0) for part in parts)
        and within_time(told.computed)
        and told.period.first <= told.period.last
    )


def measure_reports(results: Sequence[FeedbackEvent]) -> Iterator[dict[str, Any]]:
    """A report a measure, version and period; `results` in the order in which `standing_of` gives them."""
    for _, rates in groupby(results, key=lambda each: (each.measure, each.version, each.period.name)):
        yield _report(list(rates))


def _report(rates: Sequence[FeedbackEvent]) -> dict[str, Any]:
    first = rates[0]
    lacking = {f"{name}: {state}" for told in rates for name, state in told.completeness.items() if state != "loaded"}
    known = all(told.populations is not None for told in rates)
    report: dict[str, Any] = {
        "resourceType": "MeasureReport",
        **({"extension": [{"url": COMPLETENESS, "valueString": each} for each in sorted(lacking)]} if lacking else {}),
        "status": "complete" if known else "pending",
        "type": "summary",
        "measure": f"urn:mainstem:measure:{first.measure}|{first.version}",
        "date": max(told.computed for told in rates).isoformat(),
        "reporter": {"identifier": {"system": "urn:mainstem:site", "value": first.site}},
        "period": {"start": first.period.first.isoformat(), "end": first.period.last.isoformat()},
    }
    if (declared := _declared_as(first.measure)) is not None:
        report["improvementNotation"] = {"coding": [{"system": NOTATION, "code": declared.direction}]}
    if groups := [_group(told) for told in rates if told.populations is not None]:
        report["group"] = groups
    return _checked(report)


def _group(told: FeedbackEvent) -> dict[str, Any]:
    group = _counted(told, told)
    if told.strata:
        group["stratifier"] = [_stratifier(kind, found, told) for kind, found in told.strata.items()]
    return group


def _stratifier(kind: str, groups: Sequence[MeasuredGroup], told: FeedbackEvent) -> dict[str, Any]:
    """Groups of people told of beside all of them."""
    strata = [{"value": {"text": each.group or "not known"}, **_counted(each, told)} for each in groups]
    return {"code": [{"text": kind}], "stratum": strata}


def _counted(part: FeedbackEvent | MeasuredGroup, told: FeedbackEvent) -> dict[str, Any]:
    populations = part.populations or {}
    coded = [
        {"code": {"coding": [{"system": OURS.get(code, POPULATION), "code": code}]}, "count": count}
        for code, count in populations.items()
    ]
    found: dict[str, Any] = {"population": coded}
    if (score := _score(part, _declared_as(told.measure), populations)) is not None:
        found["measureScore"] = score
    return found


def _declared_as(name: str) -> Measure | None:
    """The network's measure of this id, where we have one."""
    declared = measures().get(name.replace("-", "").lower())
    return declared if declared is not None and declared.id == name else None


def _score(
    part: FeedbackEvent | MeasuredGroup, declared: Measure | None, populations: dict[str, int]
) -> dict[str, Any] | None:
    """A mean in the measure's unit, events in person-years, or a share."""
    if part.mean is not None:
        unit = {"unit": declared.unit} if declared is not None and declared.unit else {}
        return {"value": round(part.mean, 6), **unit}
    if part.days and part.events is not None:
        years = declared.per_years if declared is not None else 100
        return {"value": round(part.events / (part.days / YEAR_DAYS) * years, 6), "unit": f"/({years} person-years)"}
    left = ("denominator-exclusion", "denominator-exception")
    scored = populations.get("denominator", 0) - sum(populations.get(code, 0) for code in left)
    level = declared is not None and declared.kind == "level"
    met = populations.get("numerator")
    return {"value": round(met / scored, 6)} if scored > 0 and met is not None and not level else None


def _checked(report: dict[str, Any]) -> dict[str, Any]:
    """Judged by FHIR's own rules before it leaves."""
    from fhir.resources.R4B.measurereport import MeasureReport

    MeasureReport.model_validate(report)
    return report
