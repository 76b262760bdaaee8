"""The network's topics: their names, their settings, `mainstem topics create` and `check`.

A partition count is never altered: it decides which partition a subject's records are in.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from mainstem.kafka.settings import KafkaSettings, Reach, as_settings, kafka_errors
from schemas.channels import (
    CHANNELS,
    COMPACTION_LAG_DAYS,
    DEAD_LETTER_DAYS,
    MIN_IN_SYNC,
    PARTITIONS,
    REPLAY_DAYS,
    REPLICATION,
    TOMBSTONE_DAYS,
)
from schemas.errors import OperatorError
from schemas.events import outcome_topic
from schemas.loads import load_topic
from schemas.published import site_topic
from schemas.subjects import subject_topic

DAY_MS = 24 * 60 * 60 * 1000
GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
STORED = "compression.type"
AS_READ = ("lz4", "gzip", "uncompressed")
"""Of a topic, what every reader of ours unpacks; brokers pack anew what comes otherwise. Their own word, `producer`, takes all."""
FORGETS = {"compact": "records by their age", "delete": "each site's events but the last"}
"""What a topic loses that has another cleanup.policy than this one."""


class Topic(NamedTuple):
    """One topic as it should be."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]
    key: str = ""
    carries: str = ""


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
    compression: str = "lz4",
) -> list[Topic]:
    """The network's topics, and a dead-letter topic for each consumer group. `min_in_sync` is 2, or 1 without replicas. `compression`: of
    what is stored, whatever a producer sends: one who sends what our readers cannot unpack (zstd, snappy) would end their reading."""
    stored = as_stored(compression)
    in_sync = min(MIN_IN_SYNC, replication) if min_in_sync is None else min_in_sync
    wanted = [
        Topic(
            channel.topic(network),
            partitions if channel.by_subject else 1,
            replication,
            _compacted(in_sync, stored) if channel.days is None else _kept(in_sync, channel.days, stored),
            channel.key,
            channel.carries,
        )
        for channel in CHANNELS
    ]
    letters = (
        dead_letters(network, require_group(group), replication=replication, min_in_sync=in_sync) for group in groups
    )
    return [*wanted, *letters]


def _compacted(in_sync: int, stored: str) -> dict[str, str]:
    return {
        "min.insync.replicas": str(in_sync),
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": str(COMPACTION_LAG_DAYS * DAY_MS),
        "delete.retention.ms": str(TOMBSTONE_DAYS * DAY_MS),
        STORED: stored,
    }


def _kept(in_sync: int, days: int, stored: str) -> dict[str, str]:
    kept = {"cleanup.policy": "delete", "retention.ms": str(days * DAY_MS)}
    return {"min.insync.replicas": str(in_sync), **kept, STORED: stored}


def as_stored(compression: str) -> str:
    """Kafka's word for our setting."""
    return "uncompressed" if compression == "none" else compression


def dead_letter_topic(network: str, group: str) -> str:
    """The name of the topic of what a consumer group could not handle."""
    return f"{network}.dlq.{group}"


def dead_letters(network: str, group: str, *, replication: int, min_in_sync: int) -> Topic:
    """A consumer group's dead-letter topic."""
    settings = _kept(min_in_sync, DEAD_LETTER_DAYS, "lz4")
    name = dead_letter_topic(network, group)
    return Topic(name, 1, replication, settings, "as it came", f"what {group} could not use")


def require_group(group: str) -> str:
    """The name, where a topic can be called by it. Raises OperatorError."""
    if GROUP.fullmatch(group) is None:
        raise OperatorError(
            f"'{group}' is no name of a consumer group",
            "Write letters, digits, dots, hyphens and underscores, 100 at most.",
        )
    return group


def group_in_kafka(network: str, group: str) -> str:
    """A consumer group's name among the brokers: networks on one cluster have groups of the same name."""
    return f"{network}.{group}"


def replay_topic(network: str, group: str) -> str:
    """The name of the topic by which a consumer group alone is told again what it asks for; it reads it beside the network's."""
    return f"{network}.replay.{group}"


def create_replay(reach: Reach, network: str, group: str) -> str:
    """Makes a group's replay topic, of as many partitions and copies as the outcome topic has, where it is missing; returns its name.

    Raises OperatorError where there is one of other partitions: a subject's records would lie elsewhere.
    """
    outcome, name = outcome_topic(network), replay_topic(network, require_group(group))
    with administration(reach) as admin:
        model, found = _describe(admin, outcome), _describe(admin, name)
        if model is None:
            raise OperatorError(f"there is no topic {outcome}", "Create it: `mainstem topics create`.")
        partitions, copies = len(model["partitions"]), _copies(model)
        if found is None:
            kept = _kept(min(MIN_IN_SYNC, copies), REPLAY_DAYS, as_stored(as_settings(reach).compression))
            _create(admin, Topic(name, partitions, copies, kept))
            admin.wait_for_topics([name])
        elif len(found["partitions"]) != partitions:
            raise OperatorError(
                f"{name} has {len(found['partitions'])} partitions, and {outcome} {partitions}",
                f"Delete {name}: what it holds can be told again.",
            )
    return name


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
    wanted = topics(
        network,
        groups=groups,
        partitions=partitions,
        replication=replication,
        min_in_sync=min_in_sync,
        compression=as_settings(reach).compression,
    )
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
    wanted = topics(
        network,
        groups=groups,
        partitions=partitions,
        replication=replication,
        min_in_sync=min_in_sync,
        compression=as_settings(reach).compression,
    )
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


class FoundTopic(NamedTuple):
    """A topic that may be published to."""

    partitions: int
    identity: str = ""
    """The brokers' own name of it: another topic of the same name, made later, has another."""


def require_topics(reach: Reach, network: str, names: Collection[str] = ()) -> dict[str, FoundTopic]:
    """Each topic a site publishes to, or those named. Looking never makes one, as a producer that asks for it would:
    kafka-python takes `allow_auto_create_topics` and forgets it.

    Raises OperatorError, naming all that is wrong, where one is missing, keeps its records by another policy than it must, takes them
    with fewer copies than it must, or has no second copy on brokers that are not on this machine.
    """
    settings = as_settings(reach)
    needed = names or (outcome_topic(network), load_topic(network), subject_topic(network), site_topic(network))
    wanted = [topic for topic in topics(network) if topic.name in needed]
    found: dict[str, FoundTopic] = {}
    refused: list[tuple[str, str]] = []
    with administration(reach) as admin:
        for topic in wanted:
            described = _describe(admin, topic.name)
            if described is None and topic.name in (site_topic(network), subject_topic(network)):
                continue  # of a network from before there was one
            if described is None:
                absent = f"Kafka at {settings.name} has no topic {topic.name}"
                refused.append((absent, "Create it: `mainstem topics create`."))
                continue
            found[topic.name] = FoundTopic(len(described["partitions"]), str(described.get("topic_id") or ""))
            refused += _refused(settings, topic, _copies(described), _settings(admin, topic.name))
    if refused:
        fixes = dict.fromkeys(fix for _, fix in refused)
        raise OperatorError([cause for cause, _ in refused], " ".join(["Nothing was sent.", *fixes]))
    return found


def _refused(
    settings: KafkaSettings, topic: Topic, copies: int, found: Mapping[str, str | None]
) -> Iterator[tuple[str, str]]:
    """What must not be published to, and what to do."""
    policy, must = found.get("cleanup.policy"), topic.settings["cleanup.policy"]
    if policy != must:
        yield (
            f"{topic.name} has cleanup.policy={policy} instead of {must}: it would forget {FORGETS[must]}",
            "See `mainstem topics check`; a topic that a broker made by itself has to be made anew.",
        )
    if copies < MIN_IN_SYNC and not (settings.on_loopback or settings.allow_one_copy):
        yield (
            f"{topic.name} has one copy of each record, on brokers that are not on this machine: one disk lost is all lost",
            "Give it three (kafka-reassign-partitions), or, for a trial, set MAINSTEM_KAFKA_ALLOW_ONE_COPY=true.",
        )
    in_sync, least = int(found.get("min.insync.replicas") or 1), min(MIN_IN_SYNC, copies)
    if in_sync < least:
        yield (
            f"{topic.name} has min.insync.replicas={in_sync} instead of {least}: an acknowledged event may be lost with one broker",
            _alter(topic.name, "min.insync.replicas", str(least)),
        )


def partitions_of(reach: Reach, name: str) -> int:
    """How many partitions a topic has; 0: there is none."""
    with administration(reach) as admin:
        described = _describe(admin, name)
    return len(described["partitions"]) if described else 0


def tombstones_kept(reach: Reach, topic: str) -> timedelta | None:
    """How long a topic keeps withdrawals after its compaction; None where the broker does not say."""
    with administration(reach) as admin:
        found = _settings(admin, topic).get("delete.retention.ms")
    return timedelta(milliseconds=int(found)) if found else None


class TopicDescription(NamedTuple):
    """A topic as it is."""

    topic: str
    carries: str
    key: str
    partitions: int | None
    """None: it is not there."""
    copies: int | None
    in_sync: str
    policy: str
    kept: str


def describe_topics(reach: Reach, network: str, *, groups: Sequence[str] = ()) -> list[TopicDescription]:
    """The network's topics as they are on the cluster, those that are missing too."""
    with administration(reach) as admin:
        return [_description(admin, topic) for topic in topics(network, groups=groups)]


def _description(admin: KafkaAdminClient, topic: Topic) -> TopicDescription:
    described = _describe(admin, topic.name)
    if described is None:
        return TopicDescription(topic.name, topic.carries, topic.key, None, None, "", "missing", "")
    found = _settings(admin, topic.name)
    policy = found.get("cleanup.policy") or "delete"
    kept = _days(found.get("delete.retention.ms" if policy == "compact" else "retention.ms"))
    return TopicDescription(
        topic.name,
        topic.carries,
        topic.key,
        len(described["partitions"]),
        _copies(described),
        found.get("min.insync.replicas") or "",
        policy,
        f"withdrawals {kept}" if policy == "compact" else kept,
    )


def _days(milliseconds: str | None) -> str:
    if milliseconds is None:
        return "not said"
    return "for ever" if int(milliseconds) < 0 else f"{int(milliseconds) / DAY_MS:g} d"


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
    replicas = _copies(described)
    if replicas != topic.replication:
        fix = "Reassign with Kafka's kafka-reassign-partitions tool."
        yield TopicFinding(topic.name, "replication", str(topic.replication), str(replicas), fix)
    found = _settings(admin, topic.name)
    for setting, expected in topic.settings.items():
        if found.get(setting) not in (AS_READ if setting == STORED else (expected,)):
            fix = _alter(topic.name, setting, expected)
            yield TopicFinding(topic.name, setting, expected, found.get(setting) or "not set", fix)


def _alter(topic: str, setting: str, value: str) -> str:
    return f"kafka-configs --alter --entity-type topics --entity-name {topic} --add-config {setting}={value}"


def _copies(described: Mapping[str, Any]) -> int:
    return min(len(partition["replica_nodes"]) for partition in described["partitions"])


def _describe(admin: KafkaAdminClient, name: str) -> dict[str, Any] | None:
    try:
        told = [topic for topic in admin.describe_topics([name]) if topic["name"] == name]
    except UnknownTopicOrPartitionError:
        return None
    if any(topic["error_code"] == TopicAuthorizationFailedError.errno for topic in told):
        raise OperatorError(
            f"Kafka does not permit us to look at {name}, whether it is there or not",
            "Grant the rights: `mainstem topics allow` with our principal, by an administrator.",
        )
    found = [topic for topic in told if not topic["error_code"]]
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
