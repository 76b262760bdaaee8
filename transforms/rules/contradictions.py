"""What cannot be true together inside one record: flagged, for the reader to judge; neither side is taken out."""

import re
from collections.abc import Callable
from typing import NamedTuple


class Contradiction(NamedTuple):
    """One kind, told from a record's JSON."""

    flag: str
    mark: bytes
    """Stands in every record that may hold it; the others cost one search."""
    holds: Callable[[bytes], bool]


def together(flag: str, first: str, field: str, values: tuple[str, ...]) -> Contradiction:
    """A field that begins with `first`, and `field` with one of these values: `together("active-and-abated", "abatement", …)`."""
    found = re.compile(rb',"%b":"(?:%b)"' % (field.encode(), "|".join(map(re.escape, values)).encode())).search
    return Contradiction(flag, b',"%b' % first.encode(), lambda content: found(content) is not None)


def out_of_order(flag: str, earlier: str, later: str) -> Contradiction:
    """A date that stands before the one it must follow, as far as both are known: `out_of_order("…", "onset_date", "abatement_date")`."""
    date = rb',"%b":"([0-9-]{4,10})"'
    first, last = (re.compile(date % name.encode()).search for name in (earlier, later))

    def holds(content: bytes) -> bool:
        one, other = first(content), last(content)
        if one is None or other is None:
            return False
        known = min(len(one[1]), len(other[1]))
        return one[1][:known] > other[1][:known]

    return Contradiction(flag, b',"%b"' % later.encode(), holds)


def negative(flag: str, *fields: str) -> Contradiction:
    """An amount below nothing."""
    found = re.compile(rb',"(?:%b)":-' % "|".join(fields).encode()).search
    return Contradiction(flag, b'":-', lambda content: found(content) is not None)
