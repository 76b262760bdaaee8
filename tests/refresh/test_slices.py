"""A type's lines split into slices give what they give unsplit, in whatever order the slices come, and go on where one was killed."""

import json
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mainstem import refresh as steps
from mainstem.refresh import Refresh
from mainstem.refresh.derive import mapper_of
from mainstem.refresh.map import map_slice
from mainstem.state import tables
from schemas.errors import OperatorError
from schemas.loads import TypeCounts
from schemas.outcomes import families

TYPES = ["Patient", "Observation", "DiagnosticReport", "MedicationRequest"]
ALL = [*TYPES, "Medication"]
CHANGES = ("recorded", "amended", "withdrawn", "source_unusable")
READ = ("read", "mapped", "retracted", "records", "parts", "parts_skipped", "flags", "skipped")


def loinc(code: str) -> dict[str, Any]:
    """A concept."""
    return {"coding": [{"system": "http://loinc.org", "code": code}]}


def versions(chance: random.Random) -> list[dict[str, Any]]:
    """A night's resources, many in several versions: newer, older, of the same time, of none; some wrong, some withdrawn."""
    found = [resource(chance, number % 40) for number in range(260)]
    chance.shuffle(found)
    return found


def resource(chance: random.Random, number: int) -> dict[str, Any]:
    """One version of one of forty resources a type."""
    kind = chance.choice(
        ("Patient", "Observation", "Observation", "DiagnosticReport", "MedicationRequest", "Medication")
    )
    made: dict[str, Any] = {"resourceType": kind, "id": f"{kind[:3]}-{number}"}
    if chance.random() < 0.8:
        made["meta"] = {"lastUpdated": f"2026-03-0{chance.randrange(1, 4)}T10:00:00Z"}
    who = {"reference": f"Patient/Pat-{chance.randrange(8)}"}
    status = chance.choice(("final", "final", "amended", "entered-in-error", "no such status"))
    if kind == "Patient":
        made |= {"gender": chance.choice(("male", "female")), "birthDate": f"201{chance.randrange(10)}-03-01"}
    elif kind == "Observation":
        made |= {
            "status": status,
            "subject": who,
            "effectiveDateTime": "2026-03-02T09:00:00Z",
            "code": loinc("85354-9"),
        }
        made["component"] = [
            {"code": loinc(code), "valueQuantity": {"value": chance.randrange(60, 160), "unit": "mmHg"}}
            for code in chance.sample(("8480-6", "8462-4", "8478-0"), chance.randrange(1, 4))
        ]
    elif kind == "DiagnosticReport":
        made |= {
            "status": status,
            "subject": who,
            "code": loinc("58410-2"),
            "effectiveDateTime": "2026-03-02T08:00:00Z",
        }
        made["result"] = [{"reference": f"Observation/Obs-{chance.randrange(40)}"} for _ in range(2)]
    elif kind == "Medication":
        made["code"] = {
            "coding": [
                {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": chance.choice(("8640", "327361"))}
            ]
        }
    else:
        made |= {"status": "active", "intent": "order", "subject": who, "authoredOn": "2026-03-02"}
        made["medicationReference"] = {"reference": f"Medication/Med-{chance.randrange(40)}"}
    return made


def deliver(folder: Path, chance: random.Random, resources: list[dict[str, Any]]) -> None:
    """In three files a type, lines spelled in several ways, some broken."""
    lines = defaultdict[str, list[str]](list)
    for each in resources:
        name = f"{each['resourceType']}.{chance.randrange(3)}"
        if chance.random() < 0.2:
            each = dict(reversed(each.items()))
        text = json.dumps(each)
        if chance.random() < 0.1:
            text = (
                text.replace('"id": "', '"id": "\\u0020', 1).replace("\\u0020", "")
                if chance.random() < 0.5
                else f"\ufeff{text}"
            )
        lines[name].append(text)
        if chance.random() < 0.05:
            lines[name].append(text[: len(text) // 2])
    for old in folder.glob("*.ndjson"):
        old.unlink()
    for name, found in lines.items():
        (folder / f"{name}.ndjson").write_text("\n".join(found) + "\n", encoding="utf-8")


def pulled(refresh: Refresh) -> str:
    """A load whose resources are landed."""
    load = steps.plan(refresh).load
    steps.pull_units(refresh, load, steps.planned(refresh, load).units)
    return load


def held(refresh: Refresh) -> list[tuple[Any, ...]]:
    """What the state holds and would tell of each record."""
    row = tables.record.c
    wanted = select(row.id, row.subject, row.type, row.content, row.provenance, row.updated, row.sequence).order_by(
        row.id
    )
    with refresh.store.database.read() as connection:
        return [tuple(each) for each in connection.execute(wanted)]


def figures(refresh: Refresh, load: str) -> dict[str, dict[str, Any]]:
    """What was read of each type, and what that changed."""
    found = refresh.store.loads.figures(load)
    return {name: {each: getattr(counts, each) for each in (*READ, *CHANGES)} for name, counts in found.items()}


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_any_number_of_slices_in_any_order_gives_what_one_process_gives(
    make_refresh: Callable[..., Refresh], tmp_path: Path, seed: int
) -> None:
    """Two nights: the same records under the same sequences, the same figures; what is in quarantine is each line once."""
    told = []
    for slices in (1, 2, 5):
        chance, order = random.Random(seed), random.Random(seed + slices)
        refresh = make_refresh(types=TYPES, folder=f"{slices}")
        for _ in range(2):
            deliver(tmp_path / f"{slices}" / "delivery", chance, versions(chance))
            load = pulled(refresh)
            mapper = mapper_of(refresh, load)
            for name in (name for family in families(ALL) for name in family):
                parts = refresh.store.slices.split(load, name, slices)
                order.shuffle(parts)
                for each in parts:
                    map_slice(refresh, load, each, mapper)
            steps.map_types(refresh, load, steps.planned(refresh, load).types)
            assert refresh.store.loads.unfinished(load) == set()
            steps.derive(refresh, load)
            refused = sorted(each[:5] for each in refresh.store.quarantine.of("west", load))
            told.append((held(refresh), figures(refresh, load), refused))
            adds_up(refresh.store.loads.figures(load))
            refresh.store.loads.abandon(load, refresh.clock())
    assert told[0][0] != told[1][0]
    for place in range(2, len(told), 2):
        assert told[place] == told[0]
        assert told[place + 1] == told[1]


def adds_up(found: dict[str, TypeCounts]) -> None:
    """Nothing is read without having become something."""
    assert all(counts.adds_up() for counts in found.values())


def test_a_slice_that_was_never_begun_keeps_its_type_unfinished(
    make_refresh: Callable[..., Refresh], tmp_path: Path
) -> None:
    """Killed between two slices: the next run does what is left, in one process, and no watermark moves before."""
    refresh, chance = make_refresh(types=TYPES), random.Random(5)
    deliver(tmp_path / "delivery", chance, versions(chance))
    load = pulled(refresh)
    first, second = refresh.store.slices.split(load, "Observation", 2)
    map_slice(refresh, load, first, mapper_of(refresh, load))
    assert refresh.store.slices.left(load) == [second]
    assert refresh.store.loads.unfinished(load) == {"Observation"}
    assert refresh.store.slices.split(load, "Observation", 4) == [first, second]
    before = refresh.store.slices.figures(load, first)

    steps.map_types(refresh, load, steps.planned(refresh, load).types)

    assert refresh.store.loads.unfinished(load) == set()
    assert refresh.store.slices.figures(load, first) == before


def test_a_type_that_was_begun_whole_is_not_split(make_refresh: Callable[..., Refresh], tmp_path: Path) -> None:
    """What is done would be done twice."""
    refresh, chance = make_refresh(types=TYPES), random.Random(6)
    deliver(tmp_path / "delivery", chance, versions(chance))
    load = pulled(refresh)
    steps.map_types(refresh, load, ["Patient"])
    assert refresh.store.slices.split(load, "Patient", 2) == []


def test_a_slice_that_somebody_maps_shows_the_site_at_work(
    make_refresh: Callable[..., Refresh], tmp_path: Path
) -> None:
    """Nobody else holds anything of the site while a DAG's tasks map slices."""
    refresh, chance = make_refresh(types=TYPES), random.Random(7)
    deliver(tmp_path / "delivery", chance, versions(chance))
    load = pulled(refresh)
    first, _ = refresh.store.slices.split(load, "Observation", 2)
    assert not refresh.store.at_work("west")
    with refresh.store.holding("west", "map", first.part):
        assert refresh.store.at_work("west")


def test_slices_of_an_abandoned_load_are_refused(make_refresh: Callable[..., Refresh], tmp_path: Path) -> None:
    """A worker that comes late saves nothing."""
    refresh, chance = make_refresh(types=TYPES), random.Random(8)
    deliver(tmp_path / "delivery", chance, versions(chance))
    load = pulled(refresh)
    first, _ = refresh.store.slices.split(load, "Observation", 2)
    steps.plan(refresh, fresh=True)
    with pytest.raises(OperatorError, match="is abandoned"):
        map_slice(refresh, load, first, mapper_of(refresh, load))
    with pytest.raises(OperatorError, match="is abandoned"):
        refresh.store.slices.split(load, "Patient", 2)
