"""Fields are read from the line on in which they are met first, whatever else a source sends; what recurs is as what does not."""

import json
from typing import Any

import pytest

from schemas.problems import Reason
from transforms import Mapper


def _site() -> Mapper:
    return Mapper(site="north", time_zone="America/New_York", subject_key=b"k" * 32)


def _weight(number: int, **more: Any) -> bytes:
    """An observation with a time, a value and an id of its own."""
    minute, second = divmod(number, 60)
    content = {
        "resourceType": "Observation",
        "id": f"w-{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": "Patient/1"},
        "effectiveDateTime": f"2026-03-02T{9 + minute // 60:02}:{minute % 60:02}:{second:02}-05:00",
        "valueQuantity": {
            "code": "kg",
            "system": "http://unitsofmeasure.org",
            "unit": "kg",
            "value": 20 + number / 1000,
        },
    }
    return json.dumps(content | more, separators=(",", ":")).encode()


METHOD = {"coding": [{"system": "http://snomed.info/sct", "code": "113091000"}]}


@pytest.mark.parametrize(
    "before",
    [
        pytest.param([{}], id="nothing else"),
        pytest.param([{f"other{number}": number} for number in range(200)], id="more fields than are kept"),
        pytest.param([{'a"b': 1}, {"ü": 2}, {"x" * 100: 3}, {"": 4}], id="names that are written otherwise"),
    ],
)
def test_a_field_that_comes_late_is_read(before: list[dict[str, Any]]) -> None:
    """In the batch after, and in the middle of one."""
    site, fresh = _site(), _site()
    site.map_lines([_weight(number, **more) for number, more in enumerate(before)])
    lines = [_weight(500), _weight(501, method=METHOD), _weight(502, **before[-1])]
    found = site.map_lines(lines).records
    assert found == [fresh.map_line(line).records[0] for line in lines]
    assert [b"113091000" in record.content for record in found] == [False, True, False]


def test_a_key_twice_is_refused_beside_fields_that_nobody_reads() -> None:
    """The second may be as long as the blanks that another serialiser would put."""
    line = _weight(1)
    doubled = line.replace(b'"status":"final"', b'"status":"final","status":"final"')
    other = line.replace(b'"status"', b'"a\\"b":1,"status":"final","status"')
    outcomes = _site().map_lines([line, doubled, other])
    problems = {place: outcome.problem for place, outcome in outcomes.unusual.items()}
    assert {place: problem.reason for place, problem in problems.items() if problem} == {
        1: Reason.DUPLICATE_KEY,
        2: Reason.DUPLICATE_KEY,
    }


def test_what_hardly_recurs_is_read_as_the_first_time() -> None:
    """More times and values than a memory holds, then one that cannot be used, one in pounds, and one as before."""
    site, fresh = _site(), _site()
    site.map_lines([_weight(number) for number in range(6_000)])
    pounds = {"value": 50, "unit": "[lb_av]", "system": "http://unitsofmeasure.org", "code": "[lb_av]"}
    odd = [_weight(7_000, effectiveDateTime="2026-02-30T09:00:00Z"), _weight(7_001, valueQuantity=pounds), _weight(1)]
    found = site.map_lines([*(_weight(number) for number in range(6_100, 6_200)), *odd])
    assert found.records[-3:] == [fresh.map_line(line).records[0] for line in odd]
    assert [record.provenance.partition(b'"flags":')[2] for record in found.records[-3:]] == [
        b'["dropped:effectiveDateTime"]',
        b'["unit-converted"]',
        b"",
    ]
