"""Flags that checks gave to records follow them to another subject, and go with what was found."""

from collections.abc import Callable
from datetime import datetime

from states import save

from mainstem.state import State
from transforms.mapped import Mapped

OLD, NEW = b"o" * 16, b"n" * 16
FLAGS = ("implausible-future",)


def test_flags_go_over_with_their_record(state: State, at: datetime, record: Callable[..., Mapped]) -> None:
    """Known under the subject that it has now, with nothing told anew; so they are taken away when nothing is found any more."""
    given = record("any")
    save(state, "north", [given], [], at)
    opened = state.loads.open("north")
    assert opened is not None
    load, findings = opened.id, state.findings
    assert findings.save(load, "derived/judged", [OLD], {given.id: (OLD, FLAGS)}, at) == 1
    assert findings.save(load, "derived/judged", [OLD, NEW], {given.id: (NEW, FLAGS)}, at) == 0
    assert findings.save(load, "derived/judged", [OLD], {}, at) == 0, "it is no longer that subject's"
    assert b"implausible-future" in state.outbox.pending("north", limit=10)[0].provenance
    assert findings.save(load, "derived/judged", [NEW], {}, at) == 1
    assert b"implausible" not in state.outbox.pending("north", limit=10)[0].provenance
