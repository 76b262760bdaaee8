"""What is kept of an attempt never hides why it failed."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from mainstem.refresh.attempt import failing
from schemas.errors import ExitCode, OperatorError, TemporaryError


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


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "it was stopped (Ctrl-C)"),
        (ValueError("Jane Smith"), ExitCode.DEFECT, "it ended by a defect of Mainstem"),
        (OperatorError("the key is wrong"), ExitCode.ACT_FIRST, "the key is wrong"),
    ],
)
def test_why_an_attempt_ended_is_kept_in_words(error: BaseException, code: ExitCode, told: str) -> None:
    kept: list[tuple[object, ...]] = []
    refresh = SimpleNamespace(
        store=SimpleNamespace(attempts=SimpleNamespace(end=lambda *ended: kept.append(ended))),
        site=SimpleNamespace(site="west"),
        clock=lambda: datetime(2026, 3, 1, tzinfo=UTC),
    )
    with pytest.raises(type(error)), failing(refresh):  # type: ignore[arg-type]
        raise error
    ((site, _, ended, why),) = kept
    assert (site, ended, str(why)) == ("west", code, told)
