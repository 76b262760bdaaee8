"""What the kit keeps of the records it has handled."""

from sqlalchemy import create_engine, make_url

from mainstem.consumer.ledger import Ledger


def test_what_is_handled_of_records_comes_back_from_postgresql(postgres_url: str) -> None:
    engine = create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg"))
    ledger = Ledger(engine, "test")
    ledger.create_tables()
    keys = [bytes(16), b'",\\x{}' + bytes(10), *(bytes([255 - n]) * 16 for n in range(3))]
    moved = {key: (1, number) for number, key in enumerate(keys, 1)}
    with engine.begin() as connection:
        ledger.remember(connection, dict(list(moved.items())[:1]))
        assert ledger.handled(connection, keys) == {keys[0]: (1, 1)}
        ledger.remember(connection, moved)
        assert ledger.handled(connection, [*keys, b"n" * 16]) == moved
    engine.dispose()
