"""Who may do what with the network's topics: the ACLs of a site's publisher and of a consumer, each a principal of its own.

They end at the topic: a publisher that may write may write under any site's name, and a consumer cannot tell (SECURITY.md).
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import SecurityDisabledError

from mainstem.kafka.settings import Reach
from mainstem.kafka.topics import administration, dead_letter_topic, group_in_kafka, replay_topic, topics
from schemas.errors import OperatorError
from schemas.events import feedback_topic, outcome_topic
from schemas.loads import load_topic
from schemas.published import site_topic
from schemas.subjects import erasure_topic, subject_topic

Role = Literal["publisher", "consumer", "results", "keeper", "families"]
Resource = tuple[ResourceType, str]


class Right(NamedTuple):
    """One thing a principal may do."""

    resource: Resource
    operation: ACLOperation

    def __str__(self) -> str:
        return f"{self.operation.name} {self.resource[0].name} {self.resource[1]}"


def rights(network: str, role: Role, group: str) -> list[Right]:
    """All that the role needs and nothing else: a publisher reads what it told of how far it has come and of subjects, a consumer writes
    dead letters, which it reads back, and what it erased; who fetches results reads every site's counts, and nothing of a person; who
    keeps them is a consumer that tells them; the families' page publishes as a site does, and asks sites."""
    if role == "results":
        return [
            Right((ResourceType.TOPIC, feedback_topic(network)), operation)
            for operation in (ACLOperation.READ, ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS)
        ]
    if role == "keeper":
        return [*_consumer(network, group), *_teller(network)]
    if role == "families":
        return [*_publisher(network, group), Right((ResourceType.TOPIC, erasure_topic(network)), ACLOperation.WRITE)]
    return list(_publisher(network, group) if role == "publisher" else _consumer(network, group))


def allow(reach: Reach, network: str, principal: str, role: Role, *, group: str = "registry") -> list[Right]:
    """Gives the principal the role's rights; returns them. What it has already stays. Raises OperatorError where it cannot."""
    wanted = rights(network, role, group)
    with administration(reach) as admin:
        given = admin.create_acls([_binding(principal, right) for right in wanted])
    if failed := given["failed"]:
        raise OperatorError(
            f"Kafka refused {len(failed)} of {len(wanted)} ACLs",
            "The broker needs an authorizer (authorizer.class.name), and our principal the right to alter ACLs.",
        )
    return wanted


class Granted(NamedTuple):
    """What the cluster lets somebody do with one of the network's topics or groups."""

    principal: str
    host: str
    permission: str
    operation: str
    resource: str


def granted(reach: Reach, network: str, groups: Sequence[str]) -> list[Granted]:
    """The cluster's ACLs that touch the network's topics and these groups, sorted. Raises OperatorError where it keeps none."""
    mine = {topic.name for topic in topics(network, groups=groups)}
    mine |= {named(network, group) for group in groups for named in (group_in_kafka, replay_topic)}
    everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    wanted = ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, everything)
    with administration(reach) as admin:
        try:
            found, _ = admin.describe_acls(wanted)
        except SecurityDisabledError as exc:
            raise OperatorError(
                "Kafka keeps no ACLs: everybody who reaches it may read and write everything",
                "Set an authorizer (authorizer.class.name) on the brokers, then `mainstem topics allow`.",
            ) from exc
    return sorted(
        Granted(
            acl.principal,
            acl.host,
            acl.permission_type.name,
            acl.operation.name,
            f"{acl.resource_pattern.resource_type.name} {acl.resource_pattern.resource_name}",
        )
        for acl in found
        if _touches(acl.resource_pattern, mine)
    )


def _touches(pattern: ResourcePattern, names: set[str]) -> bool:
    if pattern.pattern_type == ACLResourcePatternType.PREFIXED:
        return any(name.startswith(pattern.resource_name) for name in names)
    return pattern.resource_name == "*" or pattern.resource_name in names


def _publisher(network: str, group: str) -> Iterator[Right]:
    for topic in (outcome_topic(network), load_topic(network)):
        for operation in (ACLOperation.WRITE, ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS):
            yield Right((ResourceType.TOPIC, topic), operation)
    for topic in (site_topic(network), subject_topic(network)):
        for operation in (ACLOperation.READ, ACLOperation.WRITE, ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS):
            yield Right((ResourceType.TOPIC, topic), operation)
    for operation in (ACLOperation.READ, ACLOperation.DESCRIBE):
        yield Right((ResourceType.TOPIC, erasure_topic(network)), operation)
    again = (ResourceType.TOPIC, replay_topic(network, group))
    for operation in (ACLOperation.CREATE, ACLOperation.WRITE, ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS):
        yield Right(again, operation)


def _consumer(network: str, group: str) -> Iterator[Right]:
    for topic in (outcome_topic(network), load_topic(network), subject_topic(network)):
        for operation in (ACLOperation.READ, ACLOperation.DESCRIBE):
            yield Right((ResourceType.TOPIC, topic), operation)
    for operation in (ACLOperation.READ, ACLOperation.DESCRIBE):
        yield Right((ResourceType.TOPIC, replay_topic(network, group)), operation)
    yield Right((ResourceType.GROUP, group_in_kafka(network, group)), ACLOperation.READ)
    for operation in (ACLOperation.WRITE, ACLOperation.DESCRIBE):
        yield Right((ResourceType.TOPIC, erasure_topic(network)), operation)
    letters = dead_letter_topic(network, group)
    for operation in (ACLOperation.WRITE, ACLOperation.READ, ACLOperation.DESCRIBE, ACLOperation.CREATE):
        yield Right((ResourceType.TOPIC, letters), operation)


def _teller(network: str) -> Iterator[Right]:
    for operation in (ACLOperation.WRITE, ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS):
        yield Right((ResourceType.TOPIC, feedback_topic(network)), operation)
    for operation in (ACLOperation.READ, ACLOperation.DESCRIBE):
        yield Right((ResourceType.TOPIC, site_topic(network)), operation)
    for topic in (outcome_topic(network), load_topic(network), site_topic(network)):
        yield Right((ResourceType.TOPIC, topic), ACLOperation.DESCRIBE_CONFIGS)


def _binding(principal: str, right: Right) -> ACL:
    kind, name = right.resource
    return ACL(principal, "*", right.operation, ACLPermissionType.ALLOW, ResourcePattern(kind, name))
