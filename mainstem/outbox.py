"""What the state hands to the publisher: changes, old keys, events to be told; and the port by which it does."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import NamedTuple, Protocol

from schemas.published import Mark

TOO_LARGE = "too-large"
"""Why a change is refused: no broker and no consumer is set for an event of its size."""

SOURCE_UNUSABLE = b'"reason":"source-unusable"'
"""In place of a withdrawn record's provenance: its source came again and could not be used, so its value is not known."""


class Change(NamedTuple):
    """A record whose last change is not published."""

    number: int
    """Order of changes within the site; another change of the record gets another number."""
    id: bytes
    """16 bytes; `r-` + hex outside."""
    type: str
    subject: bytes
    """16 bytes; `s-` + hex outside. The record's key is `subject/record`; those it had before are its old keys."""
    digest: bytes
    content: bytes | None
    """None: withdrawn."""
    provenance: bytes
    load: str
    """The load that brought this change."""
    sequence: int
    previous: int
    """The sequence told last before this one, under whatever key; 0 for none."""
    live: bool
    """What was published last under this key, as far as was marked, is a value, not a tombstone or nothing."""
    changed: datetime
    """When the change was stored, UTC."""


class OldKey(NamedTuple):
    """A key under which a record may be known and is no longer: its tombstone goes out before the record itself."""

    id: bytes
    type: str
    subject: bytes
    """The subject the record had."""
    sequence: int
    """The tombstone's; below that of the record's change."""
    changed: datetime


class Refused(NamedTuple):
    """A change that cannot be sent; it waits no longer, and the record's next change is tried again."""

    number: int
    reason: str
    size: int
    """Bytes of the event."""


class Told(NamedTuple):
    """An event about the site that waits to be sent."""

    number: int
    """Order within the site."""
    kind: str
    """Which topic's: `load`, `subject` or `feedback`."""
    name: str
    """What it is about: the load's id; of a subject its pseudonym, `/` and its sequence; of a result its name with its sequence."""
    event: str
    """What happened: a value of the event types of schemas.loads, schemas.subjects or schemas.feedback."""
    at: datetime
    value: bytes
    """JSON."""
    change: int = 0
    """The number of the site's last change when it came to be, where a state without it must not publish; 0: it does not matter."""
    about: str = ""
    """The site that it is about, and its key; empty: the site that tells it."""


class Outbox(Protocol):
    """What the publisher needs of the state."""

    @property
    def epoch(self) -> int:
        """Rises after a restore from a backup, so that events numbered again get other ids."""
        ...

    def pending(self, site: str, *, after: int = 0, limit: int) -> Sequence[Change]:
        """Changes not published, in their order, those after number `after`. Sweep from 0 again until none is left."""
        ...

    def old_keys(self, site: str, rows: Sequence[Change]) -> Sequence[OldKey]:
        """The old keys of these records, by record in order of sequence."""
        ...

    def mark_published(self, site: str, rows: Sequence[Change], *, refused: Sequence[Refused] = ()) -> int:
        """The broker has all changes from the first to the last of `rows`, as `pending` gave them, and their old keys'
        tombstones; but for those `refused`. Returns how many changes were marked: one that changed since stays pending."""
        ...

    def told(self, site: str, limit: int) -> Sequence[Told]:
        """Events about the site that wait, in their order. Send them before outcome changes."""
        ...

    def mark_told(self, site: str, numbers: Sequence[int]) -> None:
        """The broker has these."""
        ...

    def marked(self, site: str) -> Mark:
        """The last change that may have been published, as was kept by `mark`; the state's epoch where that rose since."""
        ...

    def marked_topic(self, site: str) -> str:
        """The brokers' name of the outcome topic that has what was marked; empty where it is not known."""
        ...

    def mark(self, site: str, mark: Mark, topic: str) -> None:
        """Keep that changes up to this one are about to be published, to the outcome topic of this name among the brokers."""
        ...

    def partitions(self, topic: str, found: int) -> int:
        """How many partitions the topic had when it was first published to; `found` where this is the first time."""
        ...

    def publishing(self, site: str) -> AbstractContextManager[None]:
        """The right to publish a site's changes, while the context lasts. Raises TemporaryError naming who has it."""
        ...
