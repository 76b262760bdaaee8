"""The published measures against a second reading of their logic, over random patients at and beside every boundary.

Both begin with the same FHIR resources. Ours are mapped as a site's lines are and evaluated as the registry's records are; the
other reading knows neither (`published_logic`).
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from published_logic import PUBLISHED, Patient
from published_patients import CODES, MEASURES, Resource, is_of, patient_of

from mainstem.commands.map.files import map_paths
from services.measures.compile.memory import InMemory, Period
from services.measures.compile.people import Person
from services.measures.language.codes import SNOMED
from services.measures.official import definition
from services.measures.official.editions import EDITIONS
from services.measures.valuesets import Expanded, ValueSets

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
    patients = [patient_of(measure, year, number) for number in range(PATIENTS)]
    for number, records in enumerate(_mapped(patients, folder / "bundle.ndjson")):
        person = Person(records)
        ours = [{name: answer(person) is True for name, answer in group.items()} for group in groups]
        yield number, ours, PUBLISHED[measure](Patient(patients[number], year, is_of))


OF_ONE = re.compile(rb'(?<=")((?:[A-Z]\w+/)?(?:p|x-\d+))(?=")')
"""An id of a patient's resources, or a reference to one: all patients call them alike."""


def _mapped(patients: Sequence[Sequence[Resource]], lines: Path) -> Iterator[list[dict[str, Any]]]:
    """Each patient's records; all are mapped in one go, under ids of their own."""
    with lines.open("wb") as file:
        for number, resources in enumerate(patients):
            file.writelines(OF_ONE.sub(rb"\1-%d" % number, orjson.dumps(each)) + b"\n" for each in resources)
    out = BytesIO()
    map_paths([lines], None, out=out)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    order = []
    for told in (json.loads(line, parse_float=Decimal) for line in out.getvalue().splitlines()):
        record = told["record"] | {"flags": told["provenance"].get("flags", [])}
        found[record["subject"]].append(record)
        order += [record["subject"]] if record["type"] == "person" else []
    assert len(set(order)) == len(order) == len(patients)
    yield from map(found.__getitem__, order)


@pytest.mark.parametrize("measure", sorted(MEASURES))
def test_random_patients_stand_where_the_published_logic_puts_them(measure: str, tmp_path: Path) -> None:
    reached: Counter[str] = Counter()
    for year in EDITIONS:
        for number, ours, theirs in _ours_and_theirs(measure, year, tmp_path):
            assert ours == theirs, f"patient {number} of {measure} {year}"
            reached.update(name for rate in theirs for name, there in rate.items() if there)
    assert {"initial-population", "denominator-exclusion", "numerator"} <= reached.keys()
