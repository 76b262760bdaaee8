"""A state that came back from a backup: what the network was told of subjects since is taken over, before anything is published."""

from collections.abc import Iterator

import structlog
from kafka import TopicPartition

from mainstem.kafka.reading import reading
from mainstem.kafka.topics import partitions_of
from mainstem.refresh.consents import purge
from mainstem.refresh.opening import Refresh
from mainstem.state import Done
from schemas.subjects import SubjectEvent, subject_topic

log = structlog.get_logger()


def take_over_subjects(refresh: Refresh) -> Done:
    """Makes every withdrawal again that this state does not know, forgets whom it must, and purges what is landed."""
    site = refresh.site.site
    last = {event.subject: event for event in _told(refresh) if event.site == site}
    done = refresh.store.consents.adopt(site, last.values(), refresh.clock())
    purge(refresh)
    log.info("subjects taken over", site=site, subjects=done.changed, records=done.records)
    return done


def _told(refresh: Refresh) -> Iterator[SubjectEvent]:
    settings, topic = refresh.settings.kafka_settings(), subject_topic(refresh.settings.network)
    for number in range(partitions_of(settings, topic)):
        with reading(settings, TopicPartition(topic, number)) as records:
            yield from (SubjectEvent.model_validate_json(record.value) for record in records if record.value)
