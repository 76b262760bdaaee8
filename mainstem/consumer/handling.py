"""What a handler is, and what it is given of a poll."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from mainstem.consumer.received import LetterReason, Received
from schemas.loads import LoadEvent

Handler = Callable[[Connection, Sequence[Received]], Any]
"""Writes the effect of events, in their order, by the connection given; neither commits nor rolls back."""
LoadHandler = Callable[[Connection, Sequence[LoadEvent]], Any]
"""The same for the sites' loads; one may come twice."""


class Found(NamedTuple):
    """What a poll brought."""

    events: list[Received]
    loads: list[LoadEvent]
    unusable: list[tuple[Any, LetterReason]]
