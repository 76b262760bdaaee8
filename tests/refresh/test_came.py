"""What came is known again, also past what is held in memory, and in whichever order it is asked for."""

import random
from contextlib import closing

import pytest

from mainstem.refresh.came import Came, Head

NUMBERS = random.Random(7)


def refs(count: int) -> list[bytes]:
    return [NUMBERS.randbytes(12) for _ in range(count)]


def test_what_came_is_known_and_what_did_not_is_counted_by_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than memory holds, told in between, and asked for in any order."""
    monkeypatch.setattr("mainstem.mending.shares.BUFFERED", 100)
    here, later, never = refs(20_000), refs(500), refs(300)
    with closing(Came()) as came:
        came.add(here)
        assert came.all_came(sorted(here))
        assert not came.all_came(sorted([*here, never[0]]))
        came.add(later)
        assert came.all_came([here[-1], *later])
        held = [("Observation", ref) for ref in here[:50] + never[:20]] + [("Condition", ref) for ref in later[:9]]
        NUMBERS.shuffle(held)
        assert came.lacking(held) == {"Observation": (20, 70), "Condition": (0, 9)}


def test_nothing_held_came() -> None:
    """Nobody is missed where nobody is."""
    with closing(Came()) as came:
        assert came.all_came([])
        assert came.lacking([]) == {}


def test_what_a_newer_load_landed_is_outdated_in_an_older_one_unless_it_is_the_older_version() -> None:
    """By the time that the lines say, else by the order of the loads."""
    both, turned, alone = refs(3)
    with closing(Came()) as came:
        came.mark(0, [Head(both, b"2026-03-02T00:00:00Z"), Head(turned, b"2026-03-01T00:00:00Z")])
        older = [Head(both, b""), Head(turned, b"2026-03-05T00:00:00Z"), Head(alone, b"")]
        assert came.outdated(1, older) == {0}
