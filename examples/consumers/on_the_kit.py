"""A consumer on Mainstem's kit: the latest HbA1c of every person, in a table. `python on_the_kit.py 127.0.0.1:9092 lhn sqlite:///a1c.db`"""

import sys

from sqlalchemy import create_engine, text

from mainstem.consumer import Consumer, Only

bootstrap, network, url = sys.argv[1:]
engine = create_engine(url)
with engine.begin() as db:
    db.execute(
        text("create table if not exists a1c (record varchar(40) primary key, subject varchar(40), value float)")
    )


def keep(db, events):
    for event in events:
        db.execute(text("delete from a1c where record = :record"), {"record": event.record_id})
        if event.outcome is not None and event.outcome.record.value is not None:
            row = {"record": event.record_id, "subject": event.subject, "value": float(event.outcome.record.value)}
            db.execute(text("insert into a1c values (:record, :subject, :value)"), row)


def clear(db):
    db.execute(text("delete from a1c"))


wanted = Only(types=["observation"], codes=["4548-4"])
with Consumer(
    bootstrap, network=network, group="a1c", engine=engine, handler=keep, only=wanted, clear=clear, share=False
) as consumer:
    print(consumer.run_until_caught_up(), "events")
