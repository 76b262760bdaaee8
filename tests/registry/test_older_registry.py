"""A registry that an older version made is brought up while its consumers run, and loses nothing.

`before/*.sql` is what version 0.1.0 made of eight events: Ada's result amended, one withdrawn, one gone over to Bea.
"""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from services_cases import record_id, subject_id
from sqlalchemy import Engine, Table, select, text

from services.registry.api import make_app
from services.registry.database import connect, open_registry, planned
from services.registry.tables import RECORD_TABLES, history

BEFORE = Path(__file__).with_name("before")
OLD_WRITES = text(
    "INSERT INTO history (record, epoch, sequence, event, op, time, site, type, value)"
    " VALUES (:record, 1, :sequence, 'e', 'withdrawn', '2026-11-03 06:00:00.000000', 'north', 'observation', NULL)"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An old registry on each database."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    engine = connect(url)
    with engine.begin() as connection:
        for statement in (BEFORE / f"{request.param}.sql").read_text().split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement.replace("%", "%%") if request.param == "postgresql" else statement)
    engine.dispose()
    return url


def rows(engine: Engine, table: Table, *names: str) -> list[Any]:
    with engine.connect() as connection:
        columns = [table.c[name] for name in names]
        return sorted(tuple(row) for row in connection.execute(select(*columns)))


def test_an_old_registry_is_brought_up_and_answers_as_of_its_days(url: str) -> None:
    """Every record is where it was; what the history did not say of its rows is filled in."""
    engine = open_registry(url)
    with engine.connect() as connection:
        assert planned(connection) == []
    ada, bea = subject_id("ada"), subject_id("bea")
    assert rows(engine, RECORD_TABLES["observation"], "subject", "sequence") == sorted([(ada, 2), (bea, 3)])
    wanted = [("p", 1, ada), ("o", 1, ada), ("o", 2, ada), ("gone", 1, ada), ("gone", 2, ada)]
    wanted += [("went", 1, ada), ("went", 2, ada), ("went", 3, bea)]
    assert rows(engine, history, "record", "sequence", "subject") == sorted(
        (record_id(n), s, who) for n, s, who in wanted
    )
    assert all(arrived is not None for (arrived,) in rows(engine, history, "arrived"))
    asked = {"subject": ada, "as_of": "2026-11-02T06:01:30Z"}
    found = TestClient(make_app(engine)).get("/records/observation", params=asked).json()["records"]
    assert {row["id"]: row["value"] for row in found} == {
        record_id("o"): 7.1,
        record_id("gone"): 9,
        record_id("went"): 5,
    }
    engine.dispose()


def test_consumers_of_the_version_before_go_on_meanwhile(url: str) -> None:
    """One is in a transaction when the new version comes, and writes another after; the next start fills in what they did not say."""
    old = connect(url)
    begun = threading.Event()

    def write() -> None:
        with old.begin() as connection:
            connection.execute(OLD_WRITES, {"record": record_id("o"), "sequence": 3})
            begun.set()
            time.sleep(1)

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait(60)
    open_registry(url).dispose()
    writer.join(60)
    with old.begin() as connection:
        connection.execute(OLD_WRITES, {"record": record_id("went"), "sequence": 4})
    old.dispose()
    engine = open_registry(url)
    found = {
        (record, sequence): who for record, sequence, who in rows(engine, history, "record", "sequence", "subject")
    }
    assert found[record_id("o"), 3] == subject_id("ada")
    assert found[record_id("went"), 4] == subject_id("bea")
    engine.dispose()
