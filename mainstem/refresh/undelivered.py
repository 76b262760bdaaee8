"""A night without a delivery: a load that failed, with a gap for each type that was expected, told like any other."""

from collections.abc import Iterator
from contextlib import contextmanager

from mainstem.refresh.opening import Refresh
from mainstem.refresh.telling import try_to_tell
from mainstem.state import Plan
from schemas.errors import MainstemError
from schemas.gaps import GapCause
from schemas.loads import Gap, Mode


@contextmanager
def noted_if_undelivered(refresh: Refresh, mode: Mode = "incremental", plan: Plan | None = None) -> Iterator[None]:
    """An error from within is raised on, and noted as the end of a load that read nothing."""
    try:
        yield
    except MainstemError as exc:
        _note(refresh, mode, plan or Plan(types=list(refresh.site.types)), exc)
        raise


def _note(refresh: Refresh, mode: Mode, plan: Plan, error: MainstemError) -> None:
    site, store = refresh.site.site, refresh.store
    now, known = refresh.clock(), store.watermarks.of(site)
    cause = GapCause.DELIVERY_LATE
    load = store.loads.start(site, mode=mode, started=now, plan=plan)
    gaps = [
        Gap(
            resource_type=name,
            since=known[name] - refresh.site.overlap if name in known else None,
            until=now,
            reason=error.cause,
            cause=cause,
            fix=error.fix or cause.fix,
            who=error.who if error.fix else cause.who,
        )
        for name in plan.types
        if name in known or not known
    ]
    store.loads.fail(load.id, now, error.cause, missing=gaps)
    try_to_tell(refresh)
