"""One line through a mapping, as the tests of resource types read it."""

import json
from typing import Any

from pydantic import TypeAdapter

from schemas.outcomes import AnyRecord
from transforms import Mapper, Outcome
from transforms.privacy import Pseudonyms

Json = dict[str, Any]
KEY = b"a key of thirty-two bytes, no less"
_RECORD: TypeAdapter[Any] = TypeAdapter(AnyRecord)
_EVERY = ("type", "id", "subject", "site")


def mapped(resource: Json, **options: Any) -> Outcome:
    """What becomes of one resource; every record is proven against its model."""
    site = Mapper(site="north", time_zone="America/New_York", subject_key=KEY, **options)
    outcome = site.map_line(json.dumps(resource).encode())
    for record in outcome.records:
        _RECORD.validate_json(record.content)
    return outcome


def records(resource: Json, **options: Any) -> list[tuple[Json, list[str]]]:
    """Each record without what every record has, and its flags."""
    outcome = mapped(resource, **options)
    assert outcome.problem is None, outcome.problem
    contents = [json.loads(record.content) for record in outcome.records]
    flags = [json.loads(b"{%b}" % record.provenance).get("flags", []) for record in outcome.records]
    own = [{name: value for name, value in content.items() if name not in _EVERY} for content in contents]
    return list(zip(own, flags, strict=True))


def only(resource: Json, **options: Any) -> tuple[Json, list[str]]:
    """The one record a resource gives, and its flags."""
    (found,) = records(resource, **options)
    return found


def reason(resource: Json, **options: Any) -> str:
    """Why a resource gives no record, `not-a-fact Condition.code`; `withdrawn` for one that withdraws."""
    outcome = mapped(resource, **options)
    assert not outcome.records
    if outcome.withdrawn:
        return "withdrawn"
    assert outcome.problem is not None
    return f"{outcome.problem.reason} {outcome.problem.path}"


def record_id(kind: str, name: str) -> str:
    """The id of a resource's record."""
    return f"r-{Pseudonyms(KEY).ref(kind, name).hex()}00000000"
