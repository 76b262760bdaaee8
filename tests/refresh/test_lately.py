"""An answer that holds for a second."""

from mainstem.refresh.lately import Lately


def test_an_answer_is_asked_for_anew_once_it_is_a_second_old() -> None:
    now, asked = [5.0], list[float]()
    lately = Lately(lambda: asked.append(now[0]) or len(asked), clock=lambda: now[0])  # type: ignore[func-returns-value]
    assert [lately(), lately()] == [1, 1]
    now[0] += 0.9
    assert lately() == 1
    now[0] += 0.1
    assert [lately(), lately()] == [2, 2]
    assert asked == [5.0, 6.0]
