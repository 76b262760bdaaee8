"""What a plan takes up and what it refuses to."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from mainstem import refresh as steps
from mainstem.refresh import Refresh
from schemas.errors import OperatorError
from schemas.outcomes import DEFAULT_TYPES, LENDING_TYPES, REFERRED_TYPES


def deliver(refresh: Refresh) -> None:
    """One patient: without a delivery there is no load."""
    (refresh.file.folder / "delivery" / "Patient.ndjson").write_text('{"resourceType": "Patient", "id": "kid-1"}\n')


def test_a_load_left_unfinished_is_taken_up_only_as_it_was_asked_for(make_refresh: Callable[..., Refresh]) -> None:
    """`--types Patient` was killed: the night must not read Patient only and call itself whole."""
    refresh = make_refresh()
    deliver(refresh)
    load = steps.plan(refresh, types=["Patient"]).load
    with pytest.raises(OperatorError, match="--types Patient") as refused:
        steps.plan(refresh)
    assert load in refused.value.cause
    assert "--fresh" in refused.value.fix
    with pytest.raises(OperatorError, match="asked for otherwise"):
        steps.plan(refresh, types=["Patient"], mode="full")
    with pytest.raises(OperatorError, match="asked for otherwise"):
        steps.plan(refresh, types=["Patient"], since=datetime(2020, 1, 1, tzinfo=UTC))
    taken_up = steps.plan(refresh, types=["Patient"])
    assert (taken_up.load, taken_up.resumed, taken_up.plan.types) == (load, True, ["Patient"])
    whole = steps.plan(refresh, fresh=True)
    assert whole.load != load
    assert whole.plan.types == [*DEFAULT_TYPES, *LENDING_TYPES, *REFERRED_TYPES]


def test_a_load_of_all_types_is_the_same_however_all_is_said(make_refresh: Callable[..., Refresh]) -> None:
    """A DAG names each of them, `mainstem run` none: either takes up what the other left."""
    refresh = make_refresh()
    deliver(refresh)
    load = steps.plan(refresh, types=list(refresh.site.types)).load
    assert steps.plan(refresh).load == load
    assert steps.plan(refresh, types=sorted(refresh.site.types)).resumed


def test_a_short_key_opens_no_load(make_refresh: Callable[..., Refresh]) -> None:
    """None of its steps could go on with it, and it would stand in the way of a night of another mode."""
    refresh = make_refresh()
    deliver(refresh)
    key = refresh.file.folder / "key"
    whole = key.read_text()
    key.write_text("0123456789abcdef")
    for opening in (steps.plan, steps.remap, steps.retry):
        with pytest.raises(OperatorError, match="pseudonyms need at least 32"):
            opening(refresh)
        assert refresh.store.loads.last("west") is None
    key.write_text(whole)
    assert not steps.plan(refresh, mode="full").resumed
