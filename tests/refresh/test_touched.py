"""Of whom a night judges first, where it has not time for all whom its load touched."""

from mainstem.refresh.quality import from_another

TOUCHED = [bytes([place]) * 16 for place in range(0, 250, 5)]


def test_each_load_begins_with_others_and_again_with_the_same() -> None:
    """Nobody is left out or comes twice; over half a year of nights most have been among the first."""
    nights = [f"north/2026-{1 + day // 28:02}-{1 + day % 28:02}T05:00:00Z" for day in range(180)]
    begun = [from_another(TOUCHED, night) for night in nights]
    assert all(sorted(each) == TOUCHED for each in begun)
    assert begun == [from_another(TOUCHED, night) for night in nights]
    assert len({each[0] for each in begun}) > 40
    assert from_another([], nights[0]) == []
