"""FHIR's own rules over a sample and what was refused, in a bounded time."""

from collections.abc import Iterator

from mainstem.refresh.judging import JUDGED_AT_MOST, SECONDS, Judge
from schemas.loads import TypeCounts
from transforms import Mapper
from transforms.fhir.us_core import is_must_have, missing

LINE = b'{"resourceType":"Patient","id":"p","gender":"female","birthDate":"2012-03-04","contact":"Ann Quux"}'


def judge(share: float, clock: Iterator[float] | None = None) -> Judge:
    """The judge of a site."""
    mapper = Mapper(site="north", time_zone="UTC", subject_key=b"k" * 32)
    return Judge(share, mapper) if clock is None else Judge(share, mapper, lambda: next(clock))


def figures(of: Judge) -> TypeCounts:
    """What it found."""
    found = TypeCounts()
    of.take(found)
    return found


def test_judging_ends_when_its_time_is_up() -> None:
    """What is not judged is not counted as judged."""
    slow = (SECONDS / 2 * tick for tick in range(100))
    asked = judge(1, slow)
    asked.see([LINE] * 50, 1)
    asked.see_refused(LINE)
    asked.finish()
    found = figures(asked)
    assert (found.sampled, found.refused_judged) == (2, 0)


def test_a_sample_is_bounded_and_a_site_that_asks_for_none_has_none() -> None:
    """However many lines come."""
    asked = judge(0.5)
    for number in range(1, 20):
        asked.see([LINE] * 20, number * 20)
    for _ in range(3):
        asked.see_refused(LINE)
    asked.finish()
    found = figures(asked)
    assert (found.sampled, found.refused_judged) == (JUDGED_AT_MOST, 3)
    assert found.broken["Patient.name: us-core-missing"] == JUDGED_AT_MOST + 3
    assert not any("Quux" in rule for rule in found.broken)
    nobody = judge(0)
    nobody.see([LINE], 1)
    nobody.see_refused(LINE)
    nobody.finish()
    assert figures(nobody) == TypeCounts()


def test_what_us_core_demands_is_found_missing() -> None:
    """Empty is missing; of a choice of types any is there."""
    given = {"resourceType": "Immunization", "status": "completed", "patient": {}, "occurrenceString": "in May"}
    assert missing(given) == ["Immunization.vaccineCode: us-core-missing", "Immunization.patient: us-core-missing"]
    assert is_must_have("Immunization.occurrenceDateTime: datetime_parsing")
    assert is_must_have("Observation.category[0].coding: missing")
    assert not is_must_have("Observation.component[0].code: missing")
    assert not is_must_have("Basic.code: missing")
