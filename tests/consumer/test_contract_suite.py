"""The suite for handlers finds what is wrong with one; the registry's handler, and the example's, keep every promise."""

from contextlib import suppress

import pytest
from sqlalchemy import select, text

from mainstem.consumer import PoisonError
from mainstem.consumer.testing import Contract
from services.registry.erasure import erase_told
from services.registry.handler import apply
from services.registry.tables import RECORD_TABLES


def make(engine) -> None:
    with engine.begin() as db:
        db.execute(text("create table latest (record varchar(40) primary key, value float)"))


def keep(db, events) -> None:
    for event in events:
        value = event.outcome and float(event.outcome.record.value)
        db.execute(text("delete from latest where record = :record"), {"record": event.record_id})
        if event.outcome is not None:
            db.execute(text("insert into latest values (:record, :value)"), {"record": event.record_id, "value": value})


def state(db):
    return db.execute(text("select record, value from latest order by record")).all()


def clear(db) -> None:
    db.execute(text("delete from latest"))


@pytest.mark.parametrize("promise", Contract.promises)
def test_handler_of_the_example_keeps_the_contract(promise, engine):
    """On both databases."""
    make(engine)
    Contract(engine, keep, state, clear).prove(promise)


@pytest.mark.parametrize("promise", Contract.promises)
@pytest.mark.slow
def test_handler_of_the_registry_keeps_the_contract(promise, registry):
    """As any stranger's would have to."""
    table = RECORD_TABLES["observation"]

    def tables(db):
        columns = [column for column in table.c if column.name not in ("event_time", "load")]
        return db.execute(select(*columns).order_by(table.c.id)).all()

    Contract(registry, apply, tables, lambda db: db.execute(table.delete()), erase=erase_told).prove(promise)


@pytest.mark.parametrize(
    "erase", [lambda db, subjects: 0, lambda db, subjects: db.execute(text("delete from latest")).rowcount]
)
def test_suite_finds_an_erasure_that_leaves_something_or_takes_too_much(erase, sqlite_engine):
    make(sqlite_engine)
    with pytest.raises(AssertionError, match="nothing is left"):
        Contract(sqlite_engine, keep, state, erase=erase).prove("erasure")


def no_withdrawal(db, events) -> None:
    keep(db, [event for event in events if event.outcome])


def commits(db, events) -> None:
    keep(db, events)
    db.commit()


def swallows(db, events) -> None:
    for event in events:
        with suppress(PoisonError):  # what a careless handler does
            keep(db, [event])


def only_the_first(db, events) -> None:
    keep(db, events[:1])


@pytest.mark.parametrize(
    ("handler", "promise"),
    [
        (no_withdrawal, "withdrawal"),
        (commits, "crash_between"),
        (swallows, "poison"),
        (only_the_first, "batches"),
        (lambda db, events: None, "crash_between"),
    ],
)
def test_wrong_handler_is_found(sqlite_engine, handler, promise):
    """A suite that cannot fail is no suite."""
    make(sqlite_engine)
    with pytest.raises(Exception, match=r"\w") as broken:
        Contract(sqlite_engine, handler, state, clear).prove(promise)
    assert type(broken.value) is AssertionError or promise == "crash_between"


def test_handler_without_clear_is_not_asked_to_rebuild(sqlite_engine):
    """Effects that are made once cannot be made again."""
    make(sqlite_engine)
    Contract(sqlite_engine, keep, state).prove("rebuild")
    with pytest.raises(ValueError, match="no such promise"):
        Contract(sqlite_engine, keep, state).prove("eternity")
