"""Whether the state is the one that published last. A backup that was restored knows of less than the network was told, and would put
other contents under ids and sequences that are taken: nobody could tell them apart afterwards.

Before changes are sent, the number of the last of them is written into the state, then to the network's topic of the sites. So the
state's mark is never behind the topic's, whenever either was killed, unless it is an older state.
"""

from typing import Any

import structlog
from kafka import TopicPartition
from pydantic import ValidationError

from mainstem.kafka.envelopes import MAX_EPOCH, MAX_SEQUENCE, UnsoundError, envelope_of, id_of
from mainstem.kafka.reading import reading
from mainstem.kafka.settings import KafkaSettings
from mainstem.outbox import Outbox
from schemas.errors import OperatorError
from schemas.events import CONTENT_TYPE, SPEC_VERSION, Header, data_schema, source_of
from schemas.published import Mark, SitePublished, site_topic, site_type

log = structlog.get_logger(__name__)
NOTHING = Mark(0, 0)
_WORD = "published"


def mark_in_topic(settings: KafkaSettings, network: str, site: str) -> Mark:
    """How far the site has published, as the network was told; `NOTHING` where it was told nothing.

    What is no mark of this site stops nobody, and is said.
    """
    found, unreadable = NOTHING, 0
    with reading(settings, TopicPartition(site_topic(network), 0)) as records:
        for record in records:
            if record.key == site.encode():
                mark = read_mark(record, site)
                found, unreadable = max(found, mark or NOTHING), unreadable + (mark is None)
    if unreadable:
        log.error("no marks of this site's publisher", topic=site_topic(network), site=site, count=unreadable)
    return found


def read_mark(record: Any, site: str) -> Mark | None:
    """A Kafka record of the topic of the sites, as a mark of this one; None where it is none."""
    try:
        told = envelope_of(record, "site", schema="site_published", timed=False)
        published = SitePublished.model_validate_json(record.value or b"")
    except (UnsoundError, ValidationError):
        return None
    said = (published.site, published.site, published.site.encode())
    agree = said == (site, told.origin, told.about) and told.event == _WORD
    return published.mark if agree and published.epoch <= MAX_EPOCH and published.number <= MAX_SEQUENCE else None


def prove_latest(settings: KafkaSettings, network: str, site: str, store: Outbox) -> None:
    """Raises OperatorError where the network was told of more than this state knows of."""
    told, known = mark_in_topic(settings, network, site), store.marked(site)
    if told > known:
        raise OperatorError(
            f"{site}: this state knows what was published up to change {known.number:,} of epoch {known.epoch}; the network was told of "
            f"change {told.number:,} of epoch {told.epoch}: it is an older state, restored from a backup, or another one",
            f"Nothing was sent. If it is the one to go on with: `mainstem restore {site}` says what that means, and does it.",
        )


def made_anew(site: str, topic: str) -> OperatorError:
    """What was published to a topic is gone with it."""
    return OperatorError(
        f"{site}: {topic} is not the topic that this site published to: it, or its brokers, were made anew, and what was published is not "
        "in it",
        f"Nothing was sent, lest nobody miss what is not there. `mainstem replay {site}` tells all of it again.",
    )


def as_sent(network: str, site: str, mark: Mark) -> dict[str, Any]:
    """A mark as `KafkaProducer.send` takes it."""
    value = SitePublished(site=site, epoch=mark.epoch, number=mark.number)
    headers = {
        Header.SPEC_VERSION: SPEC_VERSION,
        Header.ID: id_of(f"{site}/{mark.epoch}.{mark.number}".encode()).decode(),
        Header.SOURCE: source_of(site),
        Header.TYPE: site_type(network),
        Header.SUBJECT: site,
        Header.DATA_SCHEMA: data_schema("site_published"),
        Header.CONTENT_TYPE: CONTENT_TYPE,
    }
    return {
        "topic": site_topic(network),
        "key": site.encode(),
        "value": value.model_dump_json().encode(),
        "headers": [(str(name), text.encode()) for name, text in headers.items()],
    }
