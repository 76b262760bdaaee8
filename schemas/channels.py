"""The network's topics as the contract has them: what each carries, its key, what it keeps and for how long. The one list of them."""

from typing import NamedTuple

from schemas.events import CONTRACT_MAJOR

PARTITIONS = 12
REPLICATION = 3
MIN_IN_SYNC = 2
COMPACTION_LAG_DAYS = 7
TOMBSTONE_DAYS = 30


class Channel(NamedTuple):
    """One topic."""

    kind: str
    key: str
    carries: str
    by_subject: bool
    """Its records lie in the partition of their subject; of the others there is one partition."""
    days: int | None
    """How long it keeps a record; None: compacted, the last of each key for ever."""

    def topic(self, network: str) -> str:
        """Its name."""
        return f"{network}.{self.kind}.v{CONTRACT_MAJOR}"


OUTCOME = Channel("outcome", "subject/record", "every change of every outcome record", True, None)
LOAD = Channel("load", "site", "the sites' loads", False, 90)
SUBJECT = Channel("subject", "subject", "consent, erasure, merged subjects", True, None)
SITE = Channel("site", "site", "how far each site has published", False, None)
FEEDBACK = Channel("feedback", "site", "results and signals, back to sites", False, 365)
ERASURE = Channel(
    "erasure",
    "site",
    "what families ask of their site, what consumers did about erasures and know of consents",
    False,
    365,
)
CHANNELS = (OUTCOME, LOAD, SUBJECT, SITE, FEEDBACK, ERASURE)
DEAD_LETTER_DAYS = 14
REPLAY_DAYS = 7
"""How long a group's own replay is kept."""
