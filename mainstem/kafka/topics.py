"""The network's topics: their names, their settings, `mainstem topics create` and `check`.

A partition count is never altered: it decides which partition a subject's records are in.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)

from mainstem.kafka.settings import Reach, as_settings, kafka_errors
from schemas.errors import OperatorError
from schemas.events import outcome_topic
from schemas.feedback import feedback_topic
from schemas.loads import load_topic

DAY_MS = 24 * 60 * 60 * 1000
PARTITIONS = 12
REPLICATION = 3
MIN_IN_SYNC = 2
FORGETS = {"compact": "records by their age", "delete": "each site's events but the last"}
"""What a topic loses that has another cleanup.policy than this one."""


class Topic(NamedTuple):
    """One topic as it should be."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]


class TopicFinding(NamedTuple):
    """One thing about a topic that differs from what it should be."""

    topic: str
    setting: str
    expected: str
    found: str
    fix: str

    @property
    def what(self) -> str:
        """The difference in words."""
        return f"{self.setting} is {self.found}, should be {self.expected}"


def topics(
    network: str,
    *,
    groups: Sequence[str] = (),
    partitions: int = PARTITIONS,
    replication: int = REPLICATION,
    min_in_sync: int | None = None,
) -> list[Topic]:
    """The network's topics, and a dead-letter topic for each consumer group. `min_in_sync` is 2, or 1 without replicas."""
    in_sync = min(MIN_IN_SYNC, replication) if min_in_sync is None else min_in_sync
    durable = {"min.insync.replicas": str(in_sync)}
    compacted = durable | {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": str(7 * DAY_MS),
        "delete.retention.ms": str(30 * DAY_MS),
    }
    kept = durable | {"cleanup.policy": "delete", "retention.ms": str(90 * DAY_MS)}
    return [
        Topic(outcome_topic(network), partitions, replication, compacted),
        Topic(load_topic(network), 1, replication, kept),
        Topic(feedback_topic(network), 1, replication, kept | {"retention.ms": str(365 * DAY_MS)}),
        *(dead_letters(network, group, replication=replication, min_in_sync=in_sync) for group in groups),
    ]


def dead_letter_topic(network: str, group: str) -> str:
    """The name of the topic of what a consumer group could not handle."""
    return f"{network}.dlq.{group}"


def dead_letters(network: str, group: str, *, replication: int, min_in_sync: int) -> Topic:
    """A consumer group's dead-letter topic."""
    settings = {
        "min.insync.replicas": str(min_in_sync),
        "cleanup.policy": "delete",
        "retention.ms": str(14 * DAY_MS),
    }
    return Topic(dead_letter_topic(network, group), 1, replication, settings)


def create(
    reach: Reach,
    network: str,
    *,
    groups: Sequence[str] = (),
    partitions: int = PARTITIONS,
    replication: int = REPLICATION,
    min_in_sync: int | None = None,
) -> list[str]:
    """Create the network's topics that are missing; returns their names. Existing ones stay as they are: see `check_topics`."""
    wanted = topics(network, groups=groups, partitions=partitions, replication=replication, min_in_sync=min_in_sync)
    return create_missing(reach, wanted)


def check_topics(
    reach: Reach,
    network: str,
    *,
    groups: Sequence[str] = (),
    partitions: int = PARTITIONS,
    replication: int = REPLICATION,
    min_in_sync: int | None = None,
) -> list[TopicFinding]:
    """What differs between the cluster's topics and the network's; empty when nothing does."""
    wanted = topics(network, groups=groups, partitions=partitions, replication=replication, min_in_sync=min_in_sync)
    with administration(reach) as admin:
        return [finding for topic in wanted for finding in _findings(admin, topic)]


def create_missing(reach: Reach, wanted: Sequence[Topic]) -> list[str]:
    """Create those of the topics that are missing; returns their names."""
    with administration(reach) as admin:
        missing = [topic for topic in wanted if _describe(admin, topic.name) is None]
        for topic in missing:
            _create(admin, topic)
        if missing:
            admin.wait_for_topics([topic.name for topic in missing])
    return [topic.name for topic in missing]


def require_topics(reach: Reach, network: str) -> dict[str, int]:
    """The partitions of each topic a site publishes to. Looking never makes one, as a producer that asks for it would:
    kafka-python takes `allow_auto_create_topics` and forgets it.

    Raises OperatorError where one is missing, or keeps its records by another policy than it must.
    """
    needed = (outcome_topic(network), load_topic(network))
    return _proven(reach, [topic for topic in topics(network) if topic.name in needed])


def require_feedback_topic(reach: Reach, network: str) -> None:
    """Raises OperatorError where the topic of what goes back to the sites is missing or is another than it must be."""
    _proven(reach, [topic for topic in topics(network) if topic.name == feedback_topic(network)])


def _proven(reach: Reach, wanted: Sequence[Topic]) -> dict[str, int]:
    with administration(reach) as admin:
        return {topic.name: _required(admin, as_settings(reach).name, topic) for topic in wanted}


def tombstones_kept(reach: Reach, topic: str) -> timedelta | None:
    """How long a topic keeps withdrawals after its compaction; None where the broker does not say."""
    with administration(reach) as admin:
        found = _settings(admin, topic).get("delete.retention.ms")
    return timedelta(milliseconds=int(found)) if found else None


def _required(admin: KafkaAdminClient, cluster: str, topic: Topic) -> int:
    described = _describe(admin, topic.name)
    if described is None:
        raise OperatorError(f"Kafka at {cluster} has no topic {topic.name}", "Create it: `mainstem topics create`.")
    policy, must = _settings(admin, topic.name).get("cleanup.policy"), topic.settings["cleanup.policy"]
    if policy != must:
        raise OperatorError(
            f"{topic.name} has cleanup.policy={policy} instead of {must}: it would forget {FORGETS[must]}",
            "Nothing was sent. See `mainstem topics check`; a topic that a broker made by itself has to be made anew.",
        )
    return len(described["partitions"])


@contextmanager
def administration(reach: Reach) -> Iterator[KafkaAdminClient]:
    """An admin client, closed afterwards; its errors come out as ours."""
    settings = as_settings(reach)
    with kafka_errors(settings):
        admin = KafkaAdminClient(**settings.client_options(), client_id="mainstem-topics")
        try:
            yield admin
        finally:
            admin.close()


def _create(admin: KafkaAdminClient, topic: Topic) -> None:
    request = {
        topic.name: {
            "num_partitions": topic.partitions,
            "replication_factor": topic.replication,
            "configs": dict(topic.settings),
        }
    }
    try:
        admin.create_topics(request, timeout_ms=10_000)
    except TopicAlreadyExistsError:
        return  # another process was faster
    except InvalidReplicationFactorError as exc:
        brokers = len(admin.describe_cluster()["brokers"])
        raise OperatorError(
            f"{topic.name} should have {topic.replication} replicas; the cluster has {brokers} broker(s)",
            f"Add brokers, or, for a trial, say --replication {brokers}.",
        ) from exc


def _findings(admin: KafkaAdminClient, topic: Topic) -> Iterator[TopicFinding]:
    described = _describe(admin, topic.name)
    if described is None:
        yield TopicFinding(topic.name, "topic", "present", "missing", "Run `mainstem topics create`.")
        return
    partitions = described["partitions"]
    if len(partitions) != topic.partitions:
        fix = "Never alter it: subjects would change partition. Use a new network name, or set --partitions to it."
        yield TopicFinding(topic.name, "partitions", str(topic.partitions), str(len(partitions)), fix)
    replicas = min(len(partition["replica_nodes"]) for partition in partitions)
    if replicas != topic.replication:
        fix = "Reassign with Kafka's kafka-reassign-partitions tool."
        yield TopicFinding(topic.name, "replication", str(topic.replication), str(replicas), fix)
    found = _settings(admin, topic.name)
    for setting, expected in topic.settings.items():
        if found.get(setting) != expected:
            fix = f"kafka-configs --alter --entity-type topics --entity-name {topic.name} --add-config {setting}={expected}"
            yield TopicFinding(topic.name, setting, expected, found.get(setting) or "not set", fix)


def _describe(admin: KafkaAdminClient, name: str) -> dict[str, Any] | None:
    try:
        found = [topic for topic in admin.describe_topics([name]) if topic["name"] == name and not topic["error_code"]]
    except UnknownTopicOrPartitionError:
        return None
    return dict(found[0]) if found and found[0]["partitions"] else None


def _settings(admin: KafkaAdminClient, name: str) -> dict[str, str | None]:
    resource = ConfigResource(ConfigResourceType.TOPIC, name)
    try:
        described = admin.describe_configs([resource], config_filter="all")
    except KafkaError as exc:
        raise OperatorError(
            f"the settings of {name} cannot be read ({type(exc).__name__})", "Grant DescribeConfigs on the topic."
        ) from exc
    return {setting: value["value"] for setting, value in described["topic"][name].items()}
