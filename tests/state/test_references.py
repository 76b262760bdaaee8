"""Records made of two resources: what was referred to, who looked it up, and what is due when it changes."""

from collections.abc import Callable
from datetime import datetime

from states import save

from mainstem.state import State
from transforms.mapped import Depends, Mapped, Referred

Make = Callable[..., Mapped]
Ref = Callable[[str], bytes]
SUBJECT = b"subject-of-tests"


def test_a_changed_medication_makes_its_orders_due(state: State, record: Make, ref: Ref, at: datetime) -> None:
    """Until they are saved again, whatever became of the load in between."""
    drug = Referred(ref("drug"), "Medication", b'{"code":"A"}', 5)
    order = Depends(ref("order"), SUBJECT, drug.ref, b'{"resourceType":"MedicationRequest"}' * 20)
    save(state, "north", [record("order")], [], at, referred=[drug], depends=[order])
    assert state.references.look_up("north", [drug.ref, ref("unknown")]) == {drug.ref: b'{"code":"A"}'}
    assert state.references.look_up("south", [drug.ref]) == {}
    assert state.references.due("north") == []
    save(state, "north", [], [], at, referred=[drug._replace(updated=6), drug._replace(updated=4, content=b"old")])
    assert state.references.due("north") == []
    save(state, "north", [], [], at, referred=[drug._replace(updated=7, content=b'{"code":"B"}')])
    assert state.references.due("north") == [order]
    state.loads.abandon("north/2026-03-02T05:00:00Z", at)
    assert state.references.due("north") == [order]
    save(state, "north", [record("order", "2")], [], at, depends=[order])
    assert state.references.due("north") == []


def test_a_medication_that_comes_late_or_goes_makes_its_orders_due(
    state: State, record: Make, ref: Ref, at: datetime
) -> None:
    """An order that looked in vain is mapped again; so is one whose Medication was entered in error."""
    order = Depends(ref("order"), SUBJECT, ref("drug"), b"line")
    save(state, "north", [record("order")], [], at, depends=[order])
    save(state, "north", [], [], at, referred=[Referred(ref("drug"), "Medication", b"{}", None)])
    assert state.references.due("north", limit=1) == [order]
    assert state.references.due("north", after=order.ref) == []
    save(state, "north", [record("order", "2")], [], at, depends=[order])
    save(state, "north", [], [(ref("drug"), None)], at)
    assert state.references.due("north") == [order]
    assert state.references.look_up("north", [ref("drug")]) == {}


def test_an_order_depends_on_what_its_newest_version_looked_up(
    state: State, record: Make, ref: Ref, at: datetime
) -> None:
    """A late old version brings its line back no more; one that looks up nothing any longer is never due."""
    new, old = (Depends(ref("order"), SUBJECT, ref(name), name.encode()) for name in ("new", "old"))
    save(state, "north", [record("order", "1", updated=10)], [], at, depends=[old])
    save(state, "north", [record("order", "2", updated=20)], [], at, depends=[new])
    save(state, "north", [record("order", "1", updated=10)], [], at, depends=[old])
    save(
        state, "north", [], [], at, referred=[Referred(ref(name), "Medication", b"{}", None) for name in ("new", "old")]
    )
    assert state.references.due("north") == [new]
    save(state, "north", [record("order", "3", updated=30)], [], at)
    assert state.references.due("north") == []
