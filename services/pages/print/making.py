"""Paper from a registry, by its address: for the command line."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

from sqlalchemy import Connection

from services.pages.print.plan import Plans
from services.pages.print.report import MonthReport
from services.registry.completeness import completeness
from services.registry.database import connect, reading


def plan_of(registry_url: str, *, network: str, site: str, day: date) -> Plans:
    """A day's pre-visit plans, of the data that are there. Raises OperatorError where nobody is booked."""
    with _registry(registry_url) as connection:
        return Plans(connection, network=network, site=site, day=day, made=as_of(connection, site))


def report_of(registry_url: str, *, network: str, site: str, month: str) -> MonthReport:
    """A site's report of a month that is over in its data. Raises OperatorError where it is not, or there is no such site."""
    with _registry(registry_url) as connection:
        return MonthReport(connection, network=network, site=site, month=month, made=as_of(connection, site))


def as_of(connection: Connection, site: str) -> datetime:
    """When a site's data were last brought; now where no load was ever announced."""
    found = next((each for each in completeness(connection) if each.site == site), None)
    return (found and found.last_completed) or datetime.now(UTC)


@contextmanager
def _registry(url: str) -> Iterator[Connection]:
    engine = connect(url)
    try:
        with reading(engine) as connection:
            yield connection
    finally:
        engine.dispose()
