"""A state that came back from a backup: what the network was told of subjects since is taken over, before anything is published."""

from collections.abc import Iterator

import structlog
from kafka import TopicPartition

from mainstem.consumer import LetterReason
from mainstem.consumer.subjects import FoundSubject, read_subject
from mainstem.kafka.reading import reading
from mainstem.kafka.topics import partitions_of
from mainstem.refresh.consents import purge
from mainstem.refresh.opening import Refresh
from mainstem.state import Done
from schemas.subjects import subject_topic

log = structlog.get_logger()


def take_over_subjects(refresh: Refresh) -> Done:
    """Makes every withdrawal again that this state does not know, forgets whom it must, and purges what is landed."""
    site = refresh.site.site
    last: dict[str, FoundSubject] = {}
    for found in _told(refresh):
        before = last.get(found.event.subject)
        if before is None or _version(found) > _version(before):
            last[found.event.subject] = found
    done = refresh.store.consents.adopt(site, [found.event for found in last.values()], refresh.clock())
    purge(refresh)
    log.info("subjects taken over", site=site, subjects=done.changed, records=done.records)
    return done


def _told(refresh: Refresh) -> Iterator[FoundSubject]:
    """What the site told of its subjects; what is no subject event is counted, and stops nobody."""
    settings, topic = refresh.settings.kafka_settings(), subject_topic(refresh.settings.network)
    unreadable = 0
    for number in range(partitions_of(settings, topic)):
        with reading(settings, TopicPartition(topic, number)) as records:
            for record in records:
                found = read_subject(record)
                if isinstance(found, LetterReason):
                    unreadable += 1
                elif found.event.site == refresh.site.site:
                    yield found
    if unreadable:
        log.error("no subject events", topic=topic, count=unreadable)


def _version(found: FoundSubject) -> tuple[int, int]:
    return found.epoch, found.event.sequence
