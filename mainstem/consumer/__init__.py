"""The consumer kit: Kafka → a handler, each event's effect once, in the handler's own database.

A whole consumer, which keeps the latest content of every record in a table:

    from sqlalchemy import create_engine, text
    from mainstem.consumer import Consumer

    engine = create_engine("sqlite:///latest.db")
    with engine.begin() as db:
        db.execute(text("create table if not exists latest (record text primary key, type text, content text)"))

    def keep(db, events):
        for event in events:
            if event.outcome is None:
                db.execute(text("delete from latest where record = :record"), {"record": event.record_id})
            else:
                content = event.outcome.record.model_dump_json()
                row = {"record": event.record_id, "type": event.record_type, "content": content}
                db.execute(text("insert or replace into latest values (:record, :type, :content)"), row)

    with Consumer("127.0.0.1:9092", network="lhn", group="example", engine=engine, handler=keep) as consumer:
        consumer.run_until_caught_up()

For each poll there is one transaction: the partitions' offsets move by compare-and-set (a consumer that lost its partitions finds
another value and is refused), events not newer than what was handled for their record are dropped, and the handler writes. Kafka's own
commits are only for lag monitors; after an assignment we read from the database's offsets.

What an event says is checked before any handler (`received`): headers, key and value must speak of the same record. What fails there, or
what a handler refuses by `PoisonError`, goes to `<network>.dlq.<group>`, acknowledged before the offset moves, with a reason and its place
and no text in its headers. Later events of the same record supersede it: each carries the whole record. With `after_letter="hold"` they
wait for it instead, until `mainstem dlq retry` or `drop`. Events of a record type that this version does not know are passed over and
counted (`Consumer.ignored`).

Who withdrew and is to be forgotten: the kit reads the network's subject topic as well. Where it says so, `Consumer(…, erase=…)` is called to
delete what the handler keeps of a subject, nothing of them is handed over any more, whatever is late, replayed or comes from a site's
backup, and the sites are told by a report. Without `erase` they are told that it was not done.

When a handler raises: `PoisonError` puts the event aside; `TemporaryError`, and what a database or broker may get over, is tried again
with growing pauses; anything else ends the run, with nothing of the transaction kept. A handler may take as long as it needs.

Whoever writes a consumer needs this page and, for its types, `received` and `handling`, and tries the handler by `testing`; the other
files are how the promise is kept. This room never sees the state of a site.
"""

from mainstem.consumer.consumer import Consumer, Effects, StopSignal
from mainstem.consumer.handling import Handler, LoadHandler
from mainstem.consumer.letterbox import LetterState
from mainstem.consumer.noting import AfterLetter
from mainstem.consumer.received import LetterReason, PoisonError, Received
from mainstem.consumer.returning import Clear
from mainstem.consumer.sifting import Only
from mainstem.consumer.starting import StateOf
from mainstem.consumer.subjects import Erase

__all__ = [
    "AfterLetter",
    "Clear",
    "Consumer",
    "Effects",
    "Erase",
    "Handler",
    "LetterReason",
    "LetterState",
    "LoadHandler",
    "Only",
    "PoisonError",
    "Received",
    "StateOf",
    "StopSignal",
]
