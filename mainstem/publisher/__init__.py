"""A site's outbox → Kafka. Knows no SQL: what it needs of the state is a protocol.

To touch: `encoding.py` is what an event's bytes are; `publisher.py` is when they are sent, and what happens after an error; `beside.py`
is the same in a process of its own, which opens the state by itself and loads nothing of the steps.
How bytes reach kafka-python stands in `mainstem.kafka.record_batches`.
"""

from mainstem.publisher.encoding import MAX_EVENT_BYTES, event_id_of, partition_of_subject
from mainstem.publisher.published import Published
from mainstem.publisher.publisher import Publisher, StopSignal, publisher_of

__all__ = [
    "MAX_EVENT_BYTES",
    "Published",
    "Publisher",
    "StopSignal",
    "event_id_of",
    "partition_of_subject",
    "publisher_of",
]
