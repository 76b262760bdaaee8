"""The published measures against a second reading of their logic, over random patients at and beside every boundary.

Both begin with the same FHIR resources. Ours are mapped as a site's lines are and evaluated as the registry's records are; the
other reading knows neither (`published_logic`).
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import orjson
import pytest
from published_logic import PUBLISHED, Patient
from published_patients import CODES, MEASURES, is_of, patient_of

from mainstem.commands.map.files import map_paths
from services.measures.compile.memory import InMemory, Period
from services.measures.language.codes import SNOMED
from services.measures.official import definition
from services.measures.official.editions import EDITIONS
from services.measures.valuesets import Expanded, ValueSets
from services.measures.verify import person_of

PATIENTS = 60
Counts = list[dict[str, bool]]


def _ours_and_theirs(measure: str, year: int, folder: Path) -> Iterator[tuple[int, Counts, Counts]]:
    """By the number of a patient, by rate: who is in each population, by us and by the other reading."""
    sets = {oid: Expanded(oid, "1", "", frozenset({(SNOMED, code)})) for oid, code in CODES.items()}
    evaluator = InMemory(Period(date(year, 1, 1), date(year, 12, 31)), ValueSets(folder, sets))
    groups = [
        {name: evaluator.of_person(truth) for name, truth in group.members().items()}
        for group in definition(measure, year).groups
    ]
    lines = folder / "bundle.ndjson"
    for number in range(PATIENTS):
        resources, out = patient_of(measure, year, number), BytesIO()
        lines.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in resources))
        map_paths([lines], None, out=out)
        told = [json.loads(line, parse_float=Decimal) for line in out.getvalue().splitlines()]
        records = [each["record"] | {"flags": each["provenance"].get("flags", [])} for each in told]
        person = person_of(records)
        ours = [{name: answer(person) is True for name, answer in group.items()} for group in groups]
        yield number, ours, PUBLISHED[measure](Patient(resources, year, is_of))


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_random_patients_stand_where_the_published_logic_puts_them(measure: str, tmp_path: Path) -> None:
    reached: Counter[str] = Counter()
    for year in EDITIONS:
        for number, ours, theirs in _ours_and_theirs(measure, year, tmp_path):
            assert ours == theirs, f"patient {number} of {measure} {year}"
            reached.update(name for rate in theirs for name, there in rate.items() if there)
    assert {"initial-population", "denominator-exclusion", "numerator"} <= reached.keys()
