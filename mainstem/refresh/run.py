"""All steps of a site's refresh, one after the other."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mainstem.refresh.beside import PublisherBeside
from mainstem.refresh.complete import complete
from mainstem.refresh.derive import derive
from mainstem.refresh.door import locked
from mainstem.refresh.map import map_types
from mainstem.refresh.opening import Mode, Refresh
from mainstem.refresh.plan import plan
from mainstem.refresh.publish import note_published, publish
from mainstem.refresh.pull import pull_each
from mainstem.refresh.report import Report
from schemas.errors import MainstemError, OperatorError

PUBLISH_BESIDE_FROM = 16_000
"""Changes after which publishing starts beside the mapping; below, a process of its own costs more than it saves."""


def run(refresh: Refresh, *, mode: Mode = "incremental", types: Sequence[str] = (), fresh: bool = False) -> Report:
    """The steps, one after the other; a large first load is published beside the mapping.

    A type that cannot be read leaves a gap and the others go on. Raises MainstemError when nothing useful was done.
    """
    began = time.perf_counter()
    shares: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            shares[step] = time.perf_counter() - start

    with locked(refresh, "run"):
        with timed("plan"):
            chosen = plan(refresh, mode=mode, types=types, fresh=fresh)
        with timed("pull"):
            _, failed = pull_each(refresh, chosen.load, chosen.units)
        if failed is not None and not refresh.store.loads.any_pulled(chosen.load):
            _end_unread(refresh, chosen.load, failed)
        with PublisherBeside(refresh.site.site, refresh.settings, start_after=PUBLISH_BESIDE_FROM) as beside:
            with timed("map"):
                map_types(refresh, chosen.load, chosen.types, beside=beside)
            with timed("derive"):
                derive(refresh, chosen.load)
            with timed("publish"):
                published = beside.finish()
                if published is not None:
                    note_published(refresh, chosen.load, published)
                publish(refresh, chosen.load)
        with timed("complete"):
            report = complete(refresh, chosen.load)
    report.resumed, report.seconds, report.shares = chosen.resumed, time.perf_counter() - began, shares
    return report


def _end_unread(refresh: Refresh, load_id: str, failed: MainstemError) -> None:
    """Nothing came: end the load as failed and raise the cause itself, which knows best what to do."""
    try:
        complete(refresh, load_id)
    except OperatorError:
        raise failed from None
