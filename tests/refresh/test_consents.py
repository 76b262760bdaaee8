"""A consent over two nights: whatever comes in the place of a permit, the permit does not stand unless it says so again."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest

from mainstem import refresh as steps
from mainstem.refresh import Refresh
from schemas.loads import TypeCounts

Make = Callable[..., Refresh]
Json = dict[str, Any]
SCOPES = "http://terminology.hl7.org/CodeSystem/consentscope"


def consent(**fields: Any) -> Json:
    return {
        "resourceType": "Consent",
        "id": "n1",
        "status": "active",
        "scope": {"coding": [{"system": SCOPES, "code": "research"}]},
        "patient": {"reference": "Patient/kid-7"},
        "provision": {"type": "permit"},
    } | fields


def night(refresh: Refresh, tmp_path: Path, given: Json) -> TypeCounts:
    (tmp_path / "delivery" / "Consent.ndjson").write_text(json.dumps(given) + "\n")
    load = steps.plan(refresh, fresh=True).load
    steps.pull_units(refresh, load, ["Consent"])
    return steps.map_types(refresh, load, ["Consent"])


def standing(tmp_path: Path) -> list[str]:
    with closing(connect(tmp_path / "state.db")) as state:
        rows = state.execute("SELECT content FROM record WHERE content IS NOT NULL").fetchall()
    return [each["decision"] for (content,) in rows for each in json.loads(content)["decisions"]]


@pytest.mark.parametrize(
    ("later", "left"),
    [
        ({"status": "inactive"}, ["withdrawn"]),
        ({"status": "rejected"}, ["deny"]),
        ({"provision": {"type": "deny"}}, ["deny"]),
        ({"provision": {"type": "permit", "actor": [{"role": {"text": "x"}}]}}, []),
        ({"provision": {"type": "permit", "provision": ["but not this"]}}, []),
        ({"scope": {"coding": [{"system": SCOPES, "code": "treatment"}]}}, []),
        ({"scope": {"text": "something"}}, []),
        ({"status": "entered-in-error"}, []),
        ({"status": "draft"}, []),
        ({"status": "quux"}, []),
    ],
    ids=str,
)
def test_a_permit_does_not_outlive_what_comes_in_its_place(
    make_refresh: Make, tmp_path: Path, later: Json, left: list[str]
) -> None:
    """And is back when it is said again."""
    refresh = make_refresh(types=["Consent"])
    night(refresh, tmp_path, consent())
    assert standing(tmp_path) == ["permit"]
    counts = night(refresh, tmp_path, consent(**later))
    assert standing(tmp_path) == left
    assert counts.read == counts.mapped + sum(counts.skipped.values()) == 1
    night(refresh, tmp_path, consent())
    assert standing(tmp_path) == ["permit"]
