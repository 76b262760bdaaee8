"""Lines that gave what is stored are told by their bytes: what is new costs itself, and none of what comes behind it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mainstem import refresh as steps
from mainstem.refresh import Refresh
from transforms import Mapper

KNOWN, NEW = 3_000, 400


def patients(first: int, count: int, **form: Any) -> Iterator[str]:
    """One a line."""
    for number in range(first, first + count):
        kid = {"resourceType": "Patient", "id": f"kid-{number}", "birthDate": "2015-03-01", "gender": "female"}
        yield json.dumps(kid, **form) + "\n"


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of about a hundred lines, so that a few thousand are many blocks."""
    monkeypatch.setattr("connectors.formats.gzip.BLOCK_BYTES", 10_000)
    monkeypatch.setattr("mainstem.refresh.map.BLOCKS", 1)


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lines were mapped, batch by batch."""
    found: list[int] = []
    map_lines = Mapper.map_lines

    def counting(mapper: Mapper, lines: Any) -> Any:
        found.append(len(lines))
        return map_lines(mapper, lines)

    monkeypatch.setattr(Mapper, "map_lines", counting)
    return found


def night(refresh: Refresh, tmp_path: Path, lines: Iterator[str]) -> int:
    """Delivers lines and maps them; how many were unchanged."""
    (tmp_path / "delivery" / "Patient.ndjson").write_text("".join(lines))
    load = steps.plan(refresh, fresh=True).load
    steps.pull_units(refresh, load, ["Patient"])
    return steps.map_types(refresh, load, ["Patient"]).unchanged


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("form", [{}, {"sort_keys": True}], ids=["type first", "keys sorted"])
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_block_of_new_lines_costs_only_itself(
    make_refresh: Callable[..., Refresh], tmp_path: Path, mapped: list[int], place: str, form: dict[str, Any]
) -> None:
    """Wherever it stands: the known lines behind it are recognised again."""
    refresh = make_refresh(types=["Patient"])
    night(refresh, tmp_path, patients(0, KNOWN, **form))
    mapped.clear()
    known, new = list(patients(0, KNOWN, **form)), list(patients(KNOWN, NEW, **form))

    unchanged = night(refresh, tmp_path, iter([*new, *known] if place == "first" else [*known, *new]))

    assert unchanged == KNOWN
    assert NEW <= sum(mapped) <= NEW + 300, "the new ones, and at most the blocks at their edges"
