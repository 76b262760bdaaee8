"""The steps of a load, as a table: in this order, each whole before the next begins. A DAG has a task for each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mainstem.publisher.beside import PublisherBeside
from mainstem.refresh.complete import complete
from mainstem.refresh.derive import derive
from mainstem.refresh.map import Helpers, map_types
from mainstem.refresh.opening import Refresh
from mainstem.refresh.plan import Planned
from mainstem.refresh.publish import note_published, publish
from mainstem.refresh.pull import pull_each
from schemas.errors import MainstemError, OperatorError, TemporaryError


@dataclass(frozen=True)
class Night:
    """A load on its way through the steps, in one process and its helpers."""

    refresh: Refresh
    planned: Planned
    beside: PublisherBeside
    helpers: Helpers | None = None

    @property
    def load(self) -> str:
        """Its id."""
        return self.planned.load


def _pull(night: Night) -> None:
    _, failed = pull_each(night.refresh, night.load, night.planned.plan.units)
    if failed is not None and not night.refresh.store.loads.any_pulled(night.load):
        _end_unread(night, failed)


def _end_unread(night: Night, failed: MainstemError) -> None:
    """Nothing came: end the load as failed and raise the cause itself, which knows best what to do."""
    try:
        complete(night.refresh, night.load)
    except (OperatorError, TemporaryError):
        raise failed from None


def _map(night: Night) -> None:
    map_types(night.refresh, night.load, night.planned.plan.types, beside=night.beside, helpers=night.helpers)


def _derive(night: Night) -> None:
    derive(night.refresh, night.load)


def _publish(night: Night) -> None:
    published = night.beside.finish()
    if published is not None:
        note_published(night.refresh, night.load, published)
    publish(night.refresh, night.load)


def _complete(night: Night) -> None:
    complete(night.refresh, night.load)


class Step(NamedTuple):
    """One step of a load."""

    name: str
    what: str
    work: Callable[[Night], None]
    """All of it, in one process."""


STEPS = (
    Step("pull", "raw FHIR, once, into the landing", _pull),
    Step("map", "landed lines into records; what changed is pending", _map),
    Step("derive", "what is made of several resources or records", _derive),
    Step("publish", "pending changes to Kafka, acknowledged, marked", _publish),
    Step("complete", "counts proven, watermarks moved, the load told", _complete),
)
"""What is done with a load that is planned."""
