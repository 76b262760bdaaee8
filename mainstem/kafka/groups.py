"""Consumer groups that read a topic, as the cluster knows them."""

from mainstem.kafka.settings import Reach
from mainstem.kafka.topics import administration


def readers_of(reach: Reach, topic: str) -> list[str]:
    """The groups that said how far they are in the topic, sorted. One that reads alone, as no group, is not among them."""
    with administration(reach) as admin:
        names = sorted({found["group_id"] for found in admin.list_groups()})
        offsets = admin.list_group_offsets(dict.fromkeys(names)) if names else {}
    return [name for name in names if any(partition.topic == topic for partition in offsets.get(name, {}))]
