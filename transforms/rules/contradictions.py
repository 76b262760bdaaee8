"""What cannot be true together inside one record: flagged, for the reader to judge; neither side is taken out."""

import re
from collections.abc import Callable
from typing import NamedTuple


class Contradiction(NamedTuple):
    """One kind, told from a record's JSON."""

    flag: str
    mark: bytes
    """Stands in every record that may hold it; the others cost one search."""
    holds: Callable[[bytes, int], bool]
    """Whether it does, by the record and the mark's place in it: what belongs together stands close."""
    of: tuple[str, ...]
    """Beginnings of the record's fields: a resource without what gives one of them is not looked into."""


def together(flag: str, first: str, field: str, values: tuple[str, ...]) -> Contradiction:
    """A field that begins with `first`, and `field` with one of these values: `together("active-and-abated", "abatement", …)`."""
    opening, ends = b',"%b":"' % field.encode(), tuple(b'%b"' % value.encode() for value in values)

    def holds(content: bytes, mark: int) -> bool:
        place = _nearest(content, opening, mark)
        return place >= 0 and content.startswith(ends, place + len(opening))

    return Contradiction(flag, b',"%b' % first.encode(), holds, (first,))


def done_yet_not(status: str = "completed") -> Contradiction:
    """Something done, beside a reason why it was not, as FHIR's statusReason of what is done or given is."""
    return together("done-yet-not", "status_reasons", "status", (status,))


def out_of_order(flag: str, earlier: str, later: str) -> Contradiction:
    """A date that stands before the one it must follow, as far as both are known: `out_of_order("…", "onset_date", "abatement_date")`."""
    first, last = (b',"%b":"' % name.encode() for name in (earlier, later))

    def holds(content: bytes, mark: int) -> bool:
        one, other = _value(content, first, mark), _value(content, last, mark)
        known = min(len(one), len(other))
        return one[:known] > other[:known]

    return Contradiction(flag, b',"%b"' % later.encode(), holds, (later,))


def of_itself(flag: str, field: str) -> Contradiction:
    """A link to the record that it stands in."""
    opening, ident = b',"%b":"' % field.encode(), b',"id":"'

    def holds(content: bytes, mark: int) -> bool:
        return _value(content, opening, mark) == _value(content, ident, 0)

    return Contradiction(flag, opening, holds, (field,))


def _nearest(content: bytes, opening: bytes, mark: int) -> int:
    """Where the field stands, sought at a mark, then before it, then behind it; -1 for nowhere."""
    if content.startswith(opening, mark):
        return mark
    place = content.rfind(opening, 0, mark)
    return place if place >= 0 else content.find(opening, mark)


def _value(content: bytes, opening: bytes, mark: int) -> bytes:
    """The text behind the field's opening; empty where it does not stand."""
    place = _nearest(content, opening, mark)
    return content[place + len(opening) : content.find(b'"', place + len(opening))] if place >= 0 else b""


def negative(flag: str, *fields: str) -> Contradiction:
    """An amount below nothing."""
    found = re.compile(rb',"(?:%b)":-' % "|".join(fields).encode()).search
    return Contradiction(flag, b'":-', lambda content, _mark: found(content) is not None, fields)
