"""The database itself: migrations, and errors a user can act on."""

import sqlite3
import threading
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, text
from states import save

from mainstem.database import Database, pooling
from mainstem.state import State, tables
from mainstem.state.migrations.upgrade import head
from schemas.errors import OperatorError, TemporaryError
from transforms.mapped import Mapped


def test_migrations_lead_to_the_tables_of_the_code(state: State) -> None:
    """Alembic finds no difference, and the code knows the newest migration."""
    with state.database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
    assert head() == tables.HEAD


def test_two_processes_may_migrate_at_once(url: str) -> None:
    """One does it, the other waits and finds it done."""
    stores = [State.open(url) for _ in range(3)]
    failures: list[BaseException] = []

    def migrate(state: State) -> None:
        try:
            state.migrate()
        except BaseException as exc:  # noqa: BLE001 — shown below
            failures.append(exc)

    threads = [threading.Thread(target=migrate, args=(state,)) for state in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert [state.outbox.epoch for state in stores] == [1, 1, 1]
    for state in stores:
        state.close()


def test_a_commit_of_sqlite_waits_for_the_disk(tmp_path: Path) -> None:
    """Else a power cut takes sequences back that consumers have seen. Tests do not wait; what was asked for is kept beside."""
    state = State.open(f"sqlite:///{tmp_path / 'state.db'}")
    with state.database.read() as connection:
        assert connection.info["awaited"] == 2
    state.close()


def test_database_of_a_newer_mainstem_is_refused(state: State) -> None:
    """An old program leaves a newer one's tables alone."""
    with state.database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(OperatorError, match="newer Mainstem"):
        state.migrate()


def test_epoch_rises_after_a_restore(state: State, url: str) -> None:
    """Everybody who opens the database sees the new epoch."""
    assert state.outbox.raise_epoch() == 2
    other = State.open(url)
    assert (state.outbox.epoch, other.outbox.epoch) == (2, 2)
    other.close()


def test_database_without_tables_says_so(url: str) -> None:
    """No statement text, but what to do."""
    state = State.open(url)
    with pytest.raises(OperatorError, match="no tables") as refused:
        state.status()
    assert "SELECT" not in str(refused.value)
    state.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("no url at all", "not valid"),
        ("mysql://host/x", "mysql"),
        ("sqlite://", "needs a file"),
    ],
)
def test_wrong_url_is_told_with_examples(url: str, words: str) -> None:
    """The message shows what a right one looks like."""
    with pytest.raises(OperatorError, match=words) as refused:
        State.open(url)
    assert "postgresql://" in refused.value.fix


def test_unreachable_postgresql_can_be_tried_again() -> None:
    """Host and port in the message, no password."""
    state = State.open("postgresql://someone:secret-word@127.0.0.1:9/mainstem", wait_seconds=2)
    with pytest.raises(TemporaryError, match=r"mainstem at 127\.0\.0\.1:9 cannot be reached") as refused:
        state.migrate()
    assert "secret-word" not in f"{refused.value} {refused.value.fix}"


@pytest.mark.parametrize("way", ["read", "stream", "write"])
def test_a_connection_that_ends_as_it_is_lent_can_be_tried_again(postgres_url: str, way: str) -> None:
    """Even before the transaction begins."""
    with closing(Database.open(postgres_url)) as database, closing(Database.open(postgres_url)) as other:

        @event.listens_for(database.engine, "checkout")
        def _end(connection: Any, *_: object) -> None:
            with other.read() as asking:
                asking.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": connection.info.backend_pid})
                while asking.scalar(
                    text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid"), {"pid": connection.info.backend_pid}
                ):
                    pass

        with (
            pytest.raises(TemporaryError, match=r"cannot be reached|is shutting down"),
            getattr(database, way)() as connection,
        ):
            connection.execute(text("SELECT 1"))


@pytest.mark.parametrize("way", ["read", "stream", "write"])
def test_each_way_sees_what_was_written_and_rows_come_one_by_one(url: str, way: str) -> None:
    """A transaction where one is meant: what is not committed is taken back."""
    with closing(Database.open(url)) as database:
        with database.write() as connection:
            connection.execute(text("CREATE TABLE one (n INTEGER)"))
            connection.execute(text("INSERT INTO one VALUES (1), (2), (3)"))
        with suppress(ZeroDivisionError), database.write() as connection:
            connection.execute(text("DELETE FROM one"))
            raise ZeroDivisionError
        with getattr(database, way)() as connection:
            options = {} if way == "read" else {"yield_per": 2}
            found = connection.execution_options(**options).execute(text("SELECT n FROM one ORDER BY n")).scalars()
            assert list(found) == [1, 2, 3]


def test_unknown_postgresql_database_needs_an_operator(postgres_url: str) -> None:
    """A typing error in the name is no reason to retry."""
    state = State.open(postgres_url.replace("/t_", "/nothing_"))
    with pytest.raises(OperatorError, match="no such database"):
        state.migrate()


def test_locked_sqlite_is_temporary(tmp_path: Path) -> None:
    """Another program in the middle of writing: wait, then say so."""
    state = State.open(f"sqlite:///{tmp_path}/m.db", wait_seconds=0.2)
    state.migrate()
    other = sqlite3.connect(tmp_path / "m.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TemporaryError, match="locked"):
        state.outbox.raise_epoch()
    other.execute("ROLLBACK")
    other.close()
    assert state.outbox.raise_epoch() == 2
    state.close()


def test_full_sqlite_disk_needs_an_operator(tmp_path: Path, at: datetime) -> None:
    """A cap on the file's pages stands for the disk's end; nothing half is left."""
    state = State.open(f"sqlite:///{tmp_path}/m.db")
    state.migrate()
    with state.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 60")
    given = [Mapped(n.to_bytes(16, "big"), "person", b"s" * 16, b"x" * 4000, b"", None) for n in range(200)]
    with pytest.raises(OperatorError, match="full"):
        save(state, "north", given, [], at)
    assert state.outbox.pending_count("north") == (0, None)
    state.close()


def test_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    """The wrong file is told by its name."""
    (tmp_path / "notes.txt").write_text("not a database, but long enough to look at" * 50)
    state = State.open(f"sqlite:///{tmp_path}/notes.txt")
    with pytest.raises(OperatorError, match=r"notes\.txt is not an SQLite database"):
        state.migrate()
    state.close()


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "var").write_text("")
    with pytest.raises(OperatorError, match="cannot be made"):
        State.open(f"sqlite:///{tmp_path}/var/mainstem.db")


def test_database_and_folder_are_their_owners_alone(tmp_path: Path, at: datetime) -> None:
    """They hold data of patients; what lies beside the file too."""
    state = State.open(f"sqlite:///{tmp_path}/new/deep/state.db")
    state.migrate()
    with state.holding("north", "plan"), state.outbox.publishing("north"):
        save(state, "north", [], [], at)
        rights = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").rglob("*")}
    assert rights.pop("deep") == 0o700
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert set(rights) >= {"state.db", "state.db-wal", "state.db-shm", "state.db.wal.lock"}
    assert set(rights.values()) == {0o600}
    state.close()


def test_database_that_lies_open_is_closed_to_others(tmp_path: Path) -> None:
    """As an earlier version, a backup put back or a umask left it: file, what SQLite puts beside it, the folder that is ours."""
    folder = tmp_path / "var"
    State.open(f"sqlite:///{folder}/state.db").migrate()
    (folder / "landing").mkdir()
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o664 if path.is_file() else 0o755)

    State.open(f"sqlite:///{folder}/state.db").close()

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.glob("state.db*")} == {0o600}


def test_folder_that_holds_other_things_stays_as_it_is(tmp_path: Path) -> None:
    """`sqlite:////var/lib/state.db` must not lock everybody else out of /var/lib."""
    (tmp_path / "of-somebody-else.conf").write_text("")
    tmp_path.chmod(0o755)
    (tmp_path / "state.db").touch(0o644)
    State.open(f"sqlite:///{tmp_path}/state.db").close()
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "state.db").stat().st_mode & 0o777 == 0o600


def test_a_connection_that_was_used_just_now_is_lent_without_being_asked(postgres_url: str) -> None:
    """Nor does one that lost its server come back: the next question is answered by another, whether it was asked or not."""
    with closing(Database.open(postgres_url)) as database, closing(Database.open(postgres_url)) as other:
        asked = pings(database)
        for _ in range(3):
            with database.read() as connection:
                first = connection.scalar(text("SELECT pg_backend_pid()"))
        assert not asked
        with other.read() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
        with database.read() as connection:
            assert connection.scalar(text("SELECT pg_backend_pid()")) != first
        assert asked == [first]


def test_a_connection_that_lay_still_for_long_is_asked(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A firewall drops such a one without a word."""
    with closing(Database.open(postgres_url)) as database:
        asked = pings(database)
        for _ in range(2):
            with database.read() as connection:
                pid = connection.scalar(text("SELECT pg_backend_pid()"))
            monkeypatch.setattr(pooling, "ASKED_AFTER", -1.0)
        assert asked == [pid]


def pings(database: Database) -> list[int]:
    """Fills as connections are asked whether they live: by their session."""
    asked: list[int] = []
    ping = database.engine.dialect.do_ping

    def counted(connection: Any) -> bool:
        asked.append(connection.info.backend_pid)
        return ping(connection)

    database.engine.dialect.do_ping = counted  # type: ignore[method-assign]
    return asked
