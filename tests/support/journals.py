"""A handler that writes down what it is given, and what tests of dead letters do with it."""

from services_cases import event_of, record_id, subject_id
from sqlalchemy import text

from mainstem.consumer import LetterReason, PoisonError, Received
from mainstem.consumer.letterbox import Letterbox
from schemas.outcomes import Observation

ADA, BOB = subject_id("ada"), subject_id("bob")


class Journal:
    """A handler that writes down each value it is given, in order; some values it cannot use yet."""

    def __init__(self, engine, *refused: float) -> None:
        self.engine, self.refused = engine, set(refused)
        number = "serial" if engine.dialect.name == "postgresql" else "integer"
        with engine.begin() as db:
            db.execute(
                text(f"create table if not exists line (number {number} primary key, record varchar(40), value float)")
            )

    def __call__(self, db, events) -> None:
        for event in events:
            value = float(event.outcome.record.value) if event.outcome else None
            if value in self.refused:
                raise PoisonError(event, LetterReason.INVALID_RECORD)
            row = {"record": event.record_id, "value": value}
            db.execute(text("insert into line (record, value) values (:record, :value)"), row)

    def lines(self, name: str) -> list[float]:
        with self.engine.connect() as db:
            query = text("select value from line where record = :record order by number")
            return list(db.execute(query, {"record": record_id(name)}).scalars())


def change(name: str, value: float, sequence: int, subject: str = ADA) -> Received:
    content = {"id": record_id(name), "subject": subject, "site": "north", "code": "59576-9", "value": value}
    return event_of(Observation.model_validate(content), sequence=sequence)


def send(stream, *events: Received) -> None:
    stream.send_all([(event.key, event.value, event.source.headers) for event in events])


def catch_up(stream, engine, handler, **options) -> int:
    with stream.consumer(engine, handler, **options) as consumer:
        return consumer.run_until_caught_up()


def states(engine) -> list[str]:
    return [str(noted.state) for noted in Letterbox(engine, "test").noted(closed=True)]


def places(engine, *, state: str = "waiting"):
    return [noted.place for noted in Letterbox(engine, "test").noted() if noted.state == state]
