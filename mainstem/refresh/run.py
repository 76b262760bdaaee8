"""All steps of a site's refresh, one after the other."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from mainstem.publisher.beside import PublisherBeside
from mainstem.refresh.attempt import attempted, succeeded
from mainstem.refresh.door import locked
from mainstem.refresh.map import Helpers
from mainstem.refresh.opening import Refresh
from mainstem.refresh.plan import plan
from mainstem.refresh.report import report_of
from mainstem.refresh.steps import STEPS, Night
from mainstem.refresh.workers import Workers
from schemas.loads import LoadReport, Mode

PUBLISH_BESIDE_FROM = 16_000
"""Changes after which publishing starts beside the mapping; below, a process of its own costs more than it saves."""

ONE_WRITER = (
    "the state is SQLite, which has one writer: one process maps; MAINSTEM_DATABASE_URL of a PostgreSQL takes several"
)


def run(
    refresh: Refresh,
    *,
    mode: Mode = "incremental",
    types: Sequence[str] = (),
    fresh: bool = False,
    workers: int | None = None,
) -> LoadReport:
    """Plan, then STEPS; a large first load is published beside the mapping, and mapped by so many processes: the site's `workers` where
    nothing is said.

    A type that cannot be read leaves a gap and the others go on. Raises MainstemError when nothing useful was done.
    """
    began = time.perf_counter()
    shares: dict[str, float] = {}
    with locked(refresh, "run"), attempted(refresh):
        with _timed("plan", shares):
            planned = plan(refresh, mode=mode, types=types, fresh=fresh)
        with (
            PublisherBeside(
                refresh.site.site, refresh.settings, start_after=PUBLISH_BESIDE_FROM, notice=refresh.notice
            ) as beside,
            _helpers(refresh, planned.load, workers or refresh.site.workers, beside) as helpers,
        ):
            night = Night(refresh, planned, beside, helpers)
            for step in STEPS:
                with _timed(step.name, shares):
                    step.work(night)
    report = report_of(refresh.store.loads.get(planned.load))
    succeeded(refresh, report)
    took = {"resumed": planned.resumed, "seconds": time.perf_counter() - began, "shares": shares}
    return report.model_copy(update=took)


def _helpers(
    refresh: Refresh, load_id: str, workers: int, beside: PublisherBeside
) -> AbstractContextManager[Helpers | None]:
    """Processes that map beside this one, where more than one is asked for and the database takes what they save."""
    if workers > 1 and refresh.store.database.is_sqlite:
        refresh.notice(ONE_WRITER)
    elif workers > 1:
        return Workers(refresh, load_id, workers, beside)
    return nullcontext()


@contextmanager
def _timed(step: str, shares: dict[str, float]) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        shares[step] = time.perf_counter() - start
