"""What is kept of each attempt at a site: most that fail do so before there is a load."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mainstem.refresh.door import BusyError
from mainstem.refresh.opening import Refresh
from schemas.errors import ExitCode, MainstemError, WaitsElsewhere
from schemas.loads import LoadReport

DEFECT = MainstemError("it ended by a defect of Mainstem", "Report what the screen or the log said.")
STOPPED = MainstemError("it was stopped (Ctrl-C)", "Run it again: it takes up where it was.")


@contextmanager
def attempted(refresh: Refresh) -> Iterator[None]:
    """From here on an attempt at the site; how it failed is kept. `succeeded` says how else it ended."""
    begun(refresh)
    with failing(refresh):
        yield


def begun(refresh: Refresh) -> None:
    """An attempt begins."""
    refresh.store.attempts.begin(refresh.site.site, refresh.clock())


@contextmanager
def failing(refresh: Refresh) -> Iterator[None]:
    """Keeps why the attempt failed, where it does; or what it waits for, until it goes on."""
    try:
        yield
        if refresh.export_wait is not None:
            refresh.store.attempts.waits(refresh.site.site, "")
    except BusyError:
        raise  # the attempt is another's, and goes on
    except WaitsElsewhere as wait:
        refresh.store.attempts.waits(
            refresh.site.site, f"waits for the EHR's export until {wait.until:%Y-%m-%d %H:%M} UTC"
        )
        raise
    except MainstemError as exc:
        _keep(refresh, exc.exit_code, exc)
        raise
    except KeyboardInterrupt:
        _keep(refresh, ExitCode.INTERRUPTED, STOPPED)
        raise
    except Exception:
        _keep(refresh, ExitCode.DEFECT, DEFECT)
        raise


def succeeded(refresh: Refresh, report: LoadReport) -> None:
    """A load ended; what is missing of it stands in its gaps."""
    _end(refresh, ExitCode.ATTENTION if report.status == "partial" else ExitCode.DONE)


def _keep(refresh: Refresh, code: ExitCode, error: MainstemError) -> None:
    """Where the state itself is away, that is not what the attempt failed of: its own error goes on."""
    with suppress(MainstemError):
        _end(refresh, code, error)


def _end(refresh: Refresh, code: ExitCode, error: MainstemError | None = None) -> None:
    refresh.store.attempts.end(refresh.site.site, refresh.clock(), code, error)
