"""What is kept of an attempt never hides why it failed."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from mainstem.refresh.attempt import failing
from schemas.errors import OperatorError, TemporaryError


@pytest.mark.parametrize("error", [OperatorError("the key is wrong"), ValueError("a defect"), KeyboardInterrupt()])
def test_an_attempt_fails_of_its_own_error_where_the_state_is_away_too(error: BaseException) -> None:
    """The database went down meanwhile: that stands in the next attempt, not in the place of this one's cause."""

    def away(*_: object) -> None:
        raise TemporaryError("the database does not answer")

    refresh = SimpleNamespace(
        store=SimpleNamespace(attempts=SimpleNamespace(end=away)),
        site=SimpleNamespace(site="west"),
        clock=lambda: datetime(2026, 3, 1, tzinfo=UTC),
    )
    with pytest.raises(type(error)) as caught, failing(refresh):  # type: ignore[arg-type]
        raise error
    assert caught.value is error
