"""Persons as the registry holds them: whatever many there are, few records are held at once."""

from typing import Any

import pytest
from services_cases import subject_id
from services_story import fill, percentile
from sqlalchemy import Engine, event

from services.measures.compile import from_registry
from services.measures.compile.from_registry import persons_of
from services.registry.database import reading


@pytest.mark.parametrize(
    ("each", "asked"),
    [(1, [4, 8, 16, 12]), (10, [4] * 10), (25, [4, 1, 1, *[1] * 34])],
    ids=["few", "as many as fit", "more than fit"],
)
def test_of_persons_with_many_records_fewer_are_asked_for(
    small_registry: Engine, monkeypatch: pytest.MonkeyPatch, each: int, asked: list[int]
) -> None:
    """Every one comes, once and in order, with all that is known of them."""
    for name, value in {"FIRST": 4, "AT_ONCE": 16, "RECORDS": 40}.items():
        monkeypatch.setattr(from_registry, name, value)
    names = [f"n{number}" for number in range(40)]
    fill(small_registry, (percentile(name, "2026-10-05", value) for name in names for value in range(each)))
    sizes: list[int] = []

    @event.listens_for(small_registry, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, _statement: str, parameters: Any, *_more: Any) -> None:
        sizes.append(len(parameters))

    reads = {"observation": ["id", "site", "subject"]}
    with reading(small_registry) as connection:
        wanted = [subject_id(name) for name in names]
        found = [(each.subject, len(each.of["observation"])) for each in persons_of(connection, wanted, reads)]
    event.remove(small_registry, "before_cursor_execute", note)
    assert found == [(subject, each) for subject in wanted]
    assert [size for size in sizes if size] == asked
