"""What every type gave before, over nights in which its resources come again: unusable, healed, of somebody else, deleted."""

import json
import runpy
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

from mainstem import refresh as steps
from mainstem.refresh import Refresh
from schemas.loads import TypeCounts

Json = dict[str, Any]
HOSTILE = Path(__file__).parents[1] / "transforms" / "test_hostile.py"
BASES: list[Json] = list(runpy.run_path(str(HOSTILE))["BASES"].values())
TYPES = sorted({base["resourceType"] for base in BASES})
Standing = dict[tuple[str, str], str]


def night(refresh: Refresh, tmp_path: Path, resources: list[Json]) -> TypeCounts:
    """A delivery of all types."""
    for name in TYPES:
        lines = [json.dumps(each) + "\n" for each in resources if each["resourceType"] == name]
        (tmp_path / "delivery" / f"{name}.ndjson").write_text("".join(lines))
    load = steps.plan(refresh, fresh=True).load
    steps.pull_units(refresh, load, TYPES)
    return steps.map_types(refresh, load, TYPES)


def standing(tmp_path: Path) -> Standing:
    """Current records by type and id → whom they are of."""
    with closing(connect(tmp_path / "state.db")) as state:
        rows = state.execute("SELECT content FROM record WHERE content IS NOT NULL").fetchall()
    records = [json.loads(content) for (content,) in rows]
    return {(record["type"], record["id"]): record["subject"] for record in records}


def of_somebody_else(base: Json) -> Json:
    """The same about another patient."""
    moved: Json = json.loads(json.dumps(base).replace("Patient/kid-3", "Patient/kid-4"))
    return moved


def stub(base: Json) -> Json:
    """Named and deleted, nothing more."""
    return {"resourceType": base["resourceType"], "id": base["id"], "meta": {"deleted": True}}


def test_every_type_follows_its_resources(make_refresh: Callable[..., Refresh], tmp_path: Path) -> None:
    """Of each: withdrawn while it cannot be used, back when it can, gone from whom it was of, withdrawn when deleted."""
    refresh = make_refresh(types=TYPES)
    resources = [base for base in BASES if base.get("code", {}).get("coding", [{}])[0].get("code") != "85354-9"]
    first = night(refresh, tmp_path, resources)
    stood = standing(tmp_path)
    assert (first.read, first.mapped, first.recorded) == (len(resources), len(resources), len(stood))
    assert len({kind for kind, _ in stood}) >= 14

    odd = [{"url": "urn:odd", "valueBoolean": True}]
    unusable = night(refresh, tmp_path, [base | {"modifierExtension": odd} for base in resources])
    assert standing(tmp_path) == {}
    assert unusable.skipped == {"modifier-not-understood": len(resources)}
    assert unusable.withdrawn == unusable.source_unusable == len(stood)

    healed = night(refresh, tmp_path, resources)
    assert standing(tmp_path) == stood
    assert healed.recorded == len(stood)

    moved = night(refresh, tmp_path, [of_somebody_else(base) for base in resources])
    others = {key: subject for key, subject in standing(tmp_path).items() if key[0] not in ("person", "enrolment")}
    assert others.keys() == {key for key in stood if key[0] not in ("person", "enrolment")}
    assert set(others.values()).isdisjoint(stood.values())
    assert moved.read == moved.mapped == len(resources)

    deleted = night(refresh, tmp_path, [stub(base) for base in resources])
    assert {kind for kind, _ in standing(tmp_path)} <= {"person"}
    assert deleted.retracted + sum(deleted.skipped.values()) == len(resources)
