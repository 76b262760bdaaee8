"""What another record replaces: a correction under a new id names the old record, which whoever counts leaves out."""

from collections.abc import Collection, Mapping

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


Naming = dict[str, set[str]]
"""What records replace: the id of the whole resource of each that names any → the ids that it names."""


def note(naming: Naming, record_id: str, replaces: Collection[str]) -> None:
    """Adds what a record replaces; nothing replaces itself."""
    whole = whole_of(record_id)
    if named := {*replaces} - {whole}:
        naming.setdefault(whole, set()).update(named)


def replaced_of(naming: Naming) -> set[str]:
    """The ids that others replace. Of records that replace each other in a circle one stands: that of the smallest id."""
    return {old for new, named in naming.items() for old in named if not in_circle(naming, old, new)}


def standing_in_circles(naming: Naming) -> set[str]:
    """The ids that stand although what they themselves replace names them."""
    named = {old for new, named in naming.items() for old in named if in_circle(naming, old, new)}
    return named - replaced_of(naming)


def in_circle(naming: Mapping[str, Collection[str]], old: str, new: str) -> bool:
    """Whether what is replaced replaces its replacer in turn, by records of greater ids alone: the smallest of a circle does."""
    if old >= new or old not in naming:
        return False
    seen, open_ = {old}, [old]
    while open_:
        further = {each for each in naming.get(open_.pop(), ()) if each > old} - seen
        if new in further:
            return True
        seen |= further
        open_ += further
    return False
