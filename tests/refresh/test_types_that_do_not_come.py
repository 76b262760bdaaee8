"""A night asks for every type there is; one of which nothing comes costs next to nothing, and is told like the others."""

from collections.abc import Callable

import pytest
from sqlalchemy import event

from mainstem.refresh import Refresh, map_types, plan, pull_units
from transforms import ALL_TYPES

PATIENT = b'{"resourceType":"Patient","id":"p","birthDate":"2010-01-01"}\n'
EACH_AT_MOST = 3
"""Statements of a type that was not delivered, pulled and mapped; they were 26, in ten transactions."""


def night(refresh: Refresh) -> tuple[str, int]:
    """A load pulled and mapped, and how many statements that took."""
    statements: list[str] = []
    event.listen(refresh.store.database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    planned = plan(refresh)
    pull_units(refresh, planned.load, planned.plan.units)
    map_types(refresh, planned.load, planned.plan.types)
    return planned.load, len(statements)


def test_a_type_of_which_nothing_came_costs_a_few_statements(make_refresh: Callable[..., Refresh]) -> None:
    """Five transactions for each of two dozen types took a fifth of a night in which nothing changed."""
    refresh = make_refresh(types=["Patient"])
    (refresh.file.folder / "delivery" / "Patient.ndjson").write_bytes(PATIENT)
    _, alone = night(refresh)
    refresh.store.loads.abandon(refresh.store.loads.open("west").id, ended=refresh.clock())  # type: ignore[union-attr]

    load, together = night(make_refresh(types=list(ALL_TYPES)))

    assert together - alone <= EACH_AT_MOST * (len(ALL_TYPES) - 1)
    figures = refresh.store.loads.figures(load)
    assert {*figures} >= {*ALL_TYPES}
    assert [(name, counts.read) for name, counts in figures.items() if counts.read] == [("Patient", 1)]
    assert refresh.store.loads.unfinished(load) == set()


def test_mapped_again_what_was_mapped_stays_counted(make_refresh: Callable[..., Refresh]) -> None:
    refresh = make_refresh(types=["Patient", "Encounter"])
    (refresh.file.folder / "delivery" / "Patient.ndjson").write_bytes(PATIENT)
    load, _ = night(refresh)
    before = refresh.store.loads.figures(load)
    map_types(refresh, load, ["Encounter", "Patient"])
    assert refresh.store.loads.figures(load) == before


def test_types_that_come_within_a_second_are_noted_together(make_refresh: Callable[..., Refresh]) -> None:
    """Killed before they are noted, a load goes on from what is whole in the landing, and notes the same."""
    refresh = make_refresh(types=["Patient", "Encounter"])
    folder = refresh.file.folder / "delivery"
    (folder / "Patient.ndjson").write_bytes(PATIENT)
    (folder / "Encounter.ndjson").write_bytes(b'{"resourceType":"Encounter","id":"e","status":"finished"}\n')
    planned = plan(refresh)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(refresh.store.loads, "record_pulled", lambda *_: None)  # as if it was killed
        pull_units(refresh, planned.load, planned.plan.units)
    assert refresh.store.loads.pulled(planned.load) == {}
    (folder / "Patient.ndjson").write_bytes(PATIENT)

    pull_units(refresh, planned.load, planned.plan.units)

    pulled = refresh.store.loads.pulled(planned.load)
    assert {name: unit.resources for name, unit in pulled.items() if unit.resources} == {"Patient": 1, "Encounter": 1}
    assert [each.what.count("Patient 1, Encounter 1") for each in refresh.store.audit.entries()] == [1]
