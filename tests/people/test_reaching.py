"""How long it takes from a site to the pages: noted once, told by half and by nineteen of twenty."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from services_story import NOW, fibrosis, fill, load_events, person
from sqlalchemy import Engine, update
from viewers import gate_for

from services.pages.app import make_app
from services.pages.wording import lasting
from services.people.reaching import WINDOW, arrived, note_counted, reached
from services.registry.database import reading, writing
from services.registry.tables import history


def came(registry: Engine, *delays: float) -> datetime:
    """As many changes, each stored at its site so many seconds before NOW; when they came here."""
    fill(registry, [person(str(number)) for number in range(len(delays))], [])
    with writing(registry) as connection:
        rows = connection.execute(history.select().order_by(history.c.record)).all()
        for row, delay in zip(rows, delays, strict=True):
            here = (history.c.record == row.record, history.c.sequence == row.sequence)
            values = {"time": NOW - timedelta(seconds=delay), "arrived": NOW - timedelta(seconds=1)}
            connection.execute(update(history).where(*here).values(**values))
    return NOW - timedelta(seconds=1)


def test_it_is_told_by_half_and_by_nineteen_of_twenty(small_registry: Engine, tmp_path: Path) -> None:
    """Nearest rank, rounded up to two digits; again it is noted once; what was counted long ago is over."""
    with reading(small_registry) as connection:
        assert arrived(connection) is None
        assert reached(connection, NOW) is None
    client = TestClient(make_app(small_registry, network="lhn", gate=gate_for(tmp_path), clock=lambda: NOW))
    assert "took in nothing new" in client.get("/accountability").text
    until = came(small_registry, *[30] * 10, *[61] * 9, 12_345)
    with writing(small_registry) as connection:
        assert arrived(connection) == until
        assert note_counted(connection, until, at=NOW) == 20
        assert note_counted(connection, until, at=NOW + timedelta(hours=1)) == 0
        found = reached(connection, NOW)
        assert reached(connection, NOW + WINDOW + timedelta(seconds=1)) is None
    assert found is not None
    assert (found.changes, found.half.seconds, found.most.seconds) == (20, 30, 61)
    page = client.get("/accountability").text
    assert "within 30 seconds of being stored at its site; nineteen of twenty within 61 seconds (20 changes" in page


def test_only_what_came_since_is_noted_and_a_clock_that_runs_ahead_tells_nothing_below_zero(
    small_registry: Engine,
) -> None:
    until = came(small_registry, -500, 12_345)
    with writing(small_registry) as connection:
        note_counted(connection, until, at=NOW)
        found = reached(connection, NOW)
        assert found is not None
        assert (found.half.seconds, found.most.seconds) == (0, 13_000)
    fill(small_registry, [fibrosis("later")], load_events())
    with writing(small_registry) as connection:
        last = arrived(connection)
        assert last is not None
        assert note_counted(connection, last, at=datetime.now(UTC)) == 1


def test_what_came_before_there_were_pages_is_not_their_delay(small_registry: Engine) -> None:
    until = came(small_registry, 10, 20)
    with writing(small_registry) as connection:
        connection.execute(
            update(history).where(history.c.time < NOW - timedelta(seconds=15)).values(arrived=NOW - WINDOW)
        )
        assert note_counted(connection, until, at=NOW) == 1


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(0), "1 second"),
        (timedelta(seconds=119), "119 seconds"),
        (timedelta(seconds=121), "3 minutes"),
        (timedelta(hours=2), "2 hours"),
        (timedelta(days=3), "3 days"),
    ],
)
def test_a_length_of_time_is_told_in_its_largest_unit(span: timedelta, said: str) -> None:
    assert lasting(span) == said
