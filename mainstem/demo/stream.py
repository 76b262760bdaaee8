"""What the demo reads from the topics: which events travelled since a moment, and what the loads counted."""

from collections import Counter
from collections.abc import Iterable

from mainstem.consumer.tail import Seen, tail
from mainstem.kafka.settings import KafkaSettings
from schemas.events import Header, outcome_topic
from schemas.loads import LoadEvent, LoadEventType, load_topic

OPERATIONS = ("recorded", "amended", "withdrawn")


class Stream:
    """A network's topics, read from the beginning: a demo's topics are small, and event ids tell old from new."""

    def __init__(self, kafka: KafkaSettings, network: str) -> None:
        self._kafka, self._network = kafka, network

    def event_ids(self) -> set[str]:
        """The ids of all outcome events so far."""
        return {event.headers[Header.ID] for event in self._events()}

    def since(self, known: set[str]) -> list[Seen]:
        """The outcome events that are not among these."""
        return [event for event in self._events() if event.headers[Header.ID] not in known]

    def loads(self) -> list[LoadEvent]:
        """Every completed or failed load, oldest first."""
        seen = tail(self._kafka, load_topic(self._network), from_beginning=True, follow=False)
        events = [LoadEvent.model_validate_json(event.raw) for event in seen if event.raw]
        return [event for event in events if event.event is not LoadEventType.STARTED]

    def _events(self) -> Iterable[Seen]:
        return tail(self._kafka, outcome_topic(self._network), from_beginning=True, follow=False)


def tally(events: Iterable[Seen]) -> str:
    """`2 recorded, 1 amended`; `no outcome event`."""
    counts = Counter(event.operation for event in events)
    return ", ".join(f"{counts[name]:,} {name}" for name in OPERATIONS if counts[name]) or "no outcome event"
