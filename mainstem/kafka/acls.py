"""Who may do what with the network's topics: the ACLs of a site's publisher and of a consumer, each a principal of its own.

They end at the topic: a publisher that may write may write under any site's name, and a consumer cannot tell (SECURITY.md).
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from mainstem.kafka.settings import Reach
from mainstem.kafka.topics import administration, dead_letter_topic
from schemas.errors import OperatorError
from schemas.events import outcome_topic
from schemas.loads import load_topic

Role = Literal["publisher", "consumer"]
Resource = tuple[ResourceType, str]


class Right(NamedTuple):
    """One thing a principal may do."""

    resource: Resource
    operation: ACLOperation

    def __str__(self) -> str:
        return f"{self.operation.name} {self.resource[0].name} {self.resource[1]}"


def rights(network: str, role: Role, group: str) -> list[Right]:
    """All that the role needs and nothing else: a publisher reads nothing, a consumer writes dead letters alone, and reads them back."""
    return list(_publisher(network) if role == "publisher" else _consumer(network, group))


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


def _publisher(network: str) -> Iterator[Right]:
    for topic in (outcome_topic(network), load_topic(network)):
        for operation in (ACLOperation.WRITE, ACLOperation.DESCRIBE, ACLOperation.DESCRIBE_CONFIGS):
            yield Right((ResourceType.TOPIC, topic), operation)


def _consumer(network: str, group: str) -> Iterator[Right]:
    for topic in (outcome_topic(network), load_topic(network)):
        for operation in (ACLOperation.READ, ACLOperation.DESCRIBE):
            yield Right((ResourceType.TOPIC, topic), operation)
    yield Right((ResourceType.GROUP, group), ACLOperation.READ)
    letters = dead_letter_topic(network, group)
    for operation in (ACLOperation.WRITE, ACLOperation.READ, ACLOperation.DESCRIBE, ACLOperation.CREATE):
        yield Right((ResourceType.TOPIC, letters), operation)


def _binding(principal: str, right: Right) -> ACL:
    kind, name = right.resource
    return ACL(principal, "*", right.operation, ACLPermissionType.ALLOW, ResourcePattern(kind, name))
