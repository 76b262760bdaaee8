"""FHIR's own rules over a sample and what was refused, in a bounded time."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from mainstem.refresh.judging import JUDGED_AT_MOST, LONGEST, SECONDS, Judge
from schemas.loads import TypeCounts
from transforms import Mapper
from transforms.fhir.us_core import is_must_have, missing

LINE = b'{"resourceType":"Patient","id":"p","gender":"female","birthDate":"2012-03-04","contact":"Ann Quux"}'


def judge(share: float, clock: Iterator[float] | None = None, **of: Any) -> Judge:
    """The judge of a site."""
    mapper = Mapper(site="north", time_zone="UTC", subject_key=b"k" * 32)
    return Judge(share, mapper, **of) if clock is None else Judge(share, mapper, lambda: next(clock), **of)


def judged(monkeypatch: pytest.MonkeyPatch, lines: int, portion: int, **of: Any) -> list[int]:
    """Which of so many lines are the sample of a hundredth, where they come in portions."""
    asked, found = judge(0.01, **of), list[int]()

    def explain(line: bytes) -> list[str]:
        found.append(int(line))
        return []

    monkeypatch.setattr(asked, "_explain", explain)
    for start in range(0, lines, portion):
        asked.see([b"%d" % each for each in range(start, start + portion)], (start + portion) / lines)
    assert figures(asked).sampled == len(found)
    return found


def figures(of: Judge) -> TypeCounts:
    """What it found."""
    found = TypeCounts()
    of.take(found)
    return found


def test_judging_ends_when_its_time_is_up() -> None:
    """What is not judged is not counted as judged; what is quarantined has a time of its own."""
    slow = (SECONDS / 2 * tick for tick in range(100))
    asked = judge(0.5, slow)
    asked.see([LINE] * 50)
    for _ in range(5):
        asked.see_refused(LINE)
    found = figures(asked)
    assert (found.sampled, found.refused_judged) == (2, 2)


def test_a_sample_is_bounded_and_what_is_refused_is_judged_beside_it() -> None:
    """However many lines come."""
    asked = judge(0.5)
    for _ in range(20):
        asked.see([LINE] * 20)
    for _ in range(JUDGED_AT_MOST + 3):
        asked.see_refused(LINE)
    found = figures(asked)
    assert (found.sampled, found.refused_judged) == (JUDGED_AT_MOST, JUDGED_AT_MOST + 3)
    assert found.broken["Patient.name: us-core-missing"] == 2 * JUDGED_AT_MOST + 3
    assert not any("Quux" in rule for rule in found.broken)


def test_a_line_that_would_take_all_the_time_there_is_is_not_judged() -> None:
    """A Group of very many members, in the sample or refused: it is not counted as judged; those beside it are."""
    long = LINE[:-1] + b',"note":"' + b"x" * LONGEST + b'"}'
    asked = judge(1)
    asked.see([LINE, long, LINE])
    sampled = judge(0.5)
    sampled.see_refused(long)
    sampled.see_refused(LINE)
    assert (figures(asked).sampled, figures(sampled).refused_judged) == (2, 1)


def test_the_sample_is_spread_over_all_lines_and_begins_elsewhere_with_each_load(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the load and nothing else, so that one which is taken up again judges the same; few lines are a sample, too."""
    loads = [judged(monkeypatch, 100_000, 2_000, of=f"west/2026-03-0{day} Observation") for day in range(1, 6)]
    for sample in loads:
        tenths = Counter(line // 10_000 for line in sample)
        assert len(sample) == len(set(sample)) == JUDGED_AT_MOST
        assert all(8 <= tenths[tenth] <= 12 for tenth in range(10))
    assert len({sample[0] for sample in loads}) == len(loads)
    assert judged(monkeypatch, 100_000, 2_000, of="west/2026-03-01 Observation") == loads[0]
    few = {judged(monkeypatch, 30, 30, of=f"west/2026-03-{day:02} Patient")[0] for day in range(1, 20)}
    assert len(few) > 5
    assert judged(monkeypatch, 1, 1, of="west/2026-03-01 Patient") == [0]
    assert len(judged(monkeypatch, 100_000, 2_000, of="west", among=4)) == JUDGED_AT_MOST / 4


def test_the_first_line_and_then_each_so_manieth_are_the_sample() -> None:
    """In whatever portions they come: a night that brings a single line has it judged."""
    portions = judge(0.1)
    portions.see([LINE])
    assert figures(portions).sampled == 1
    for count in (4, 0, 5, 1, 10):
        portions.see([LINE] * count)
    assert figures(portions).sampled == 2


def test_all_lines_are_judged_or_none_where_a_site_asks_for_that() -> None:
    """What is refused is among all lines, and not counted twice."""
    everybody, nobody = judge(1), judge(0)
    for asked in (everybody, nobody):
        asked.see([LINE] * (JUDGED_AT_MOST + 1))
        asked.see_refused(LINE)
    assert figures(everybody).sampled == JUDGED_AT_MOST + 1
    assert figures(everybody).refused_judged == 0
    assert figures(nobody) == TypeCounts()


def test_what_us_core_demands_is_found_missing() -> None:
    """Empty is missing; of a choice of types any is there."""
    given = {"resourceType": "Immunization", "status": "completed", "patient": {}, "occurrenceString": "in May"}
    assert missing(given) == ["Immunization.vaccineCode: us-core-missing", "Immunization.patient: us-core-missing"]
    assert is_must_have("Immunization.occurrenceDateTime: datetime_parsing")
    assert is_must_have("Observation.category[0].coding: missing")
    assert not is_must_have("Observation.component[0].code: missing")
    assert not is_must_have("Basic.code: missing")


def test_of_vital_signs_us_core_demands_the_time_too() -> None:
    """As their profile says; a category of any odd shape is no vital sign."""
    reading = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "weight"},
        "subject": {"display": "?"},
    }
    for category, found in (
        ([{"coding": [{"code": "vital-signs"}]}], ["Observation.effective[x]: us-core-missing"]),
        ({"coding": [{"code": "vital-signs"}]}, ["Observation.effective[x]: us-core-missing"]),
        ([{"coding": [{"code": "laboratory"}]}], []),
        ([{"coding": "vital-signs"}, "vital-signs", None, {"coding": [{"code": ["vital-signs"]}, 7]}], []),
    ):
        assert missing({**reading, "category": category}) == found
    timed = {**reading, "category": [{"coding": [{"code": "vital-signs"}]}], "effectivePeriod": {"start": "2024-03-02"}}
    assert missing(timed) == []
