"""The one door to a step: its lock, and the proof that the load is its site's open one. `run` and a DAG's tasks go through it."""

from collections.abc import Iterator
from contextlib import contextmanager

from mainstem import telemetry
from mainstem.refresh.opening import Refresh
from mainstem.state import Load
from schemas.errors import OperatorError, TemporaryError


class BusyError(TemporaryError):
    """Somebody else is at this step, or this part of it: what is at work there is not to be taken for a failure."""


@contextmanager
def holding(refresh: Refresh, load_id: str, step: str, part: str = "", *, known: Load | None = None) -> Iterator[Load]:
    """The right to do a step of a load, or a part of it, while the context lasts. `known`: the load as it was read for another
    part, of which it is only asked whether it is open still.

    Raises BusyError naming who has it, OperatorError naming the open load where this one is not.
    """
    doing = telemetry.span(step, load_id, site=refresh.site.site, part=part)
    with doing, locked(refresh, step, part):
        if known is not None:
            refresh.store.loads.require_open(load_id)
        yield known or refresh.store.loads.held(load_id)


@contextmanager
def locked(refresh: Refresh, step: str, part: str = "") -> Iterator[None]:
    """The right to do a step before there is a load."""
    lock = refresh.store.holding(refresh.site.site, step, part)
    try:
        lock.__enter__()
    except OperatorError:
        raise
    except TemporaryError as exc:
        raise BusyError(exc.cause, exc.fix, who=exc.who) from exc
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
