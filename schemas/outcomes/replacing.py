"""What another record replaces: a correction under a new id names the old record, which whoever counts leaves out."""

from collections.abc import Collection

OF_ONE_RESOURCE = 26
"""Characters of a record's id that all records of one resource share."""
WHOLE = "0" * 8
"""What follows them in the id of the record that stands for the whole resource."""
CONTINUED = frozenset({"service_request", "goal"})
"""Record types of which FHIR lets a new one take over from one that was completed: both were asked for, and both count."""


def whole_of(record_id: str) -> str:
    """The id of the record that stands for the whole of a record's resource."""
    return record_id[:OF_ONE_RESOURCE] + WHOLE


def names(replaced: Collection[str], record_id: str) -> bool:
    """Whether one of these ids is a record's own, or its whole resource's: who replaces a panel replaces its parts."""
    return record_id in replaced or whole_of(record_id) in replaced
