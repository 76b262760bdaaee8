"""A registry's Group over several nights: who joins, who leaves, who is no longer named, and what takes nobody out."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest

from connectors.cohort import Member, Roster
from mainstem import refresh as steps
from mainstem.refresh import Refresh
from schemas.loads import TypeCounts

Make = Callable[..., Refresh]
Json = dict[str, Any]


def group(*members: str | Json, version: int = 1, **fields: Any) -> Json:
    return {
        "resourceType": "Group",
        "id": "g1",
        "meta": {"lastUpdated": f"2026-03-{version:02d}T10:00:00Z"},
        "type": "person",
        "actual": True,
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "190905008"}]},
        "member": [
            each if isinstance(each, dict) else {"entity": {"reference": each if "/" in each else f"Patient/{each}"}}
            for each in members
        ],
    } | fields


def night(refresh: Refresh, tmp_path: Path, *groups: Json | str) -> TypeCounts:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in groups]
    (tmp_path / "delivery" / "Group.ndjson").write_text("".join(f"{line}\n" for line in lines))
    load = steps.plan(refresh, fresh=True).load
    steps.pull_units(refresh, load, ["Group"])
    return steps.map_types(refresh, load, ["Group"])


def standing(tmp_path: Path) -> list[str]:
    """The status of everybody who is enrolled."""
    with closing(connect(tmp_path / "state.db")) as state:
        rows = state.execute("SELECT content FROM record WHERE content IS NOT NULL").fetchall()
    return sorted(json.loads(content)["status"] for (content,) in rows)


@pytest.fixture(params=["few", "many"])
def refresh(make_refresh: Make, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Refresh:
    """A site; its Groups are of a few members, or as if they were of very many: their records are made some at a time."""
    if request.param == "many":
        monkeypatch.setattr("transforms.reading.members._FEW", 1)
        monkeypatch.setattr("mainstem.state.batch._PORTION", 2)
    return make_refresh(types=["Group"])


def test_who_joins_is_enrolled_and_who_is_named_no_more_is_withdrawn(refresh: Refresh, tmp_path: Path) -> None:
    """Also where nobody of before is left."""
    counts = night(refresh, tmp_path, group("a", "b"))
    assert (counts.read, counts.mapped, counts.records, counts.recorded) == (1, 1, 2, 2)
    counts = night(refresh, tmp_path, group("b", "c", version=2))
    assert (counts.recorded, counts.withdrawn, counts.unchanged) == (1, 1, 1)
    counts = night(refresh, tmp_path, group("d", version=3))
    assert (counts.recorded, counts.withdrawn) == (1, 2)
    assert standing(tmp_path) == ["active"]
    counts = night(refresh, tmp_path, group(version=4))
    assert (counts.retracted, counts.withdrawn) == (1, 1)
    assert standing(tmp_path) == []


def test_who_leaves_has_finished(refresh: Refresh, tmp_path: Path) -> None:
    """Marked inactive, or with an end: the record stays and says so."""
    night(refresh, tmp_path, group("a", "b"))
    left: Json = {"entity": {"reference": "Patient/a"}, "inactive": True}
    counts = night(refresh, tmp_path, group(left, "b", version=2))
    assert (counts.amended, counts.withdrawn) == (1, 0)
    assert standing(tmp_path) == ["active", "finished"]


def test_an_older_list_and_a_part_of_one_take_nobody_out(refresh: Refresh, tmp_path: Path) -> None:
    """A late delivery, a page of a longer list, a masked answer."""
    night(refresh, tmp_path, group("a", "b", version=5))
    assert night(refresh, tmp_path, group("c", version=4)).stale == 1
    assert night(refresh, tmp_path, group("a", version=6, quantity=2)).skipped == {"partial-answer": 1}
    assert night(refresh, tmp_path, '{"resourceType":"Group","id":"g1"}').skipped == {"partial-answer": 1}
    assert standing(tmp_path) == ["active", "active"]


def test_of_two_versions_in_one_delivery_the_newer_counts(refresh: Refresh, tmp_path: Path) -> None:
    """Whichever comes first, and though no member is in both."""
    night(refresh, tmp_path, group("c", "d", version=3), group("a", version=2), group("e", version=1))
    assert standing(tmp_path) == ["active", "active"]
    night(refresh, tmp_path, group("a", version=4), group("f", "g", "h", version=5))
    assert standing(tmp_path) == ["active"] * 3


@pytest.mark.parametrize(
    "unusable",
    [
        {"actual": False},
        {"type": "device"},
        {"active": False},
        {"code": {"text": "friends"}},
        {"modifierExtension": [{"url": "urn:x"}]},
        {"member": [{"entity": {"reference": "Practitioner/1"}}]},
        {"meta": {"deleted": True}},
    ],
    ids=str,
)
def test_a_group_that_cannot_be_used_leaves_nobody_enrolled_and_heals(
    refresh: Refresh, tmp_path: Path, unusable: Json
) -> None:
    night(refresh, tmp_path, group("a", "b"))
    night(refresh, tmp_path, group("a", "b", version=2) | unusable)
    assert standing(tmp_path) == []
    night(refresh, tmp_path, group("a", "b", version=3))
    assert standing(tmp_path) == ["active", "active"]


def test_a_member_who_cannot_be_used_is_withdrawn_alone(refresh: Refresh, tmp_path: Path) -> None:
    """Counted as a part; the others stand."""
    night(refresh, tmp_path, group("a", "b"))
    odd: Json = {"entity": {"reference": "Patient/a"}, "modifierExtension": [{"url": "urn:x"}]}
    counts = night(refresh, tmp_path, group(odd, "b", version=2))
    assert (counts.withdrawn, counts.source_unusable, counts.parts) == (1, 1, 2)
    assert counts.parts_skipped == {"modifier-not-understood": 1}
    assert standing(tmp_path) == ["active"]


def test_a_site_that_reads_a_cohort_enrols_nobody_else() -> None:
    """Members who are not in the roster are left out before anything is read of them, and counted; a count says nothing then."""
    roster = Roster(members=[Member("a"), Member("b")])
    narrowed = roster.narrowed("Group")
    assert narrowed is not None
    assert roster.narrowed("EpisodeOfCare") is None
    practitioner: Json = {"entity": {"reference": "Practitioner/1"}}
    line, others = narrowed(json.dumps(group("a", "x", "https://v/fhir/Patient/y", practitioner, quantity=4)).encode())
    assert (json.loads(line), others) == (group("a", practitioner), 2)
    whole = json.dumps(group("a", "b", quantity=2)).encode()
    assert narrowed(whole) == (whole, 0)
    for odd in (b"{", b'{"member":5}', b'{"member":[5]}', b"[]"):
        assert narrowed(odd) == (odd, 0)
