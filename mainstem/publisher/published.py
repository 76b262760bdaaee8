"""What a publisher's run did."""

from typing import NamedTuple


class Published(NamedTuple):
    """What a publisher's run did."""

    events: int = 0
    """Events acknowledged, tombstones among them."""
    tombstones: int = 0
    bytes: int = 0
    """Size of the records before compression."""
    coalesced: int = 0
    """Changes that a later change of the same record replaced before they were published."""
    refused: int = 0
    """Changes too large to send; each waits for its record's next change."""

    def plus(self, other: "Published") -> "Published":
        """Both runs together."""
        return Published(
            self.events + other.events,
            self.tombstones + other.tombstones,
            self.bytes + other.bytes,
            self.coalesced + other.coalesced,
            self.refused + other.refused,
        )
