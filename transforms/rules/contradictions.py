"""What cannot be true together inside one record: flagged, for the reader to judge; neither side is taken out."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

Contents = Sequence[bytes | None]
"""A field's bytes in each resource of a batch."""
Among = Callable[..., Collection[int]]
"""The contents of some fields → places."""


class Contradiction(NamedTuple):
    """One kind, told from a record's JSON."""

    flag: str
    mark: bytes
    """Stands in every record that may hold it; the others cost one search."""
    holds: Callable[[bytes, int, bytes], bool]
    """Whether it does, by the record, the mark's place in it (what belongs together stands close) and the last day that is no
    day to come."""
    of: tuple[str, ...]
    """Beginnings of the record's fields: a resource without what gives one of them is not looked into."""
    by: tuple[str, ...] = ()
    """FHIR fields by whose bytes it is told at little cost which records are worth to be looked into; none: each is. Where the
    last of them gives a field of `of`, other FHIR fields that give it, too, are looked into as they are."""
    among: Callable[[bytes], Among] | None = None
    """The last day that is no day to come → the places at which these fields may hold it."""


def together(flag: str, first: str, field: str, values: tuple[str, ...]) -> Contradiction:
    """A field that begins with `first`, and `field` with one of these values: `together("active-and-abated", "abatement", …)`."""
    opening, ends = b',"%b":"' % field.encode(), tuple(b'%b"' % value.encode() for value in values)

    def holds(content: bytes, mark: int, latest: bytes) -> bool:
        place = _nearest(content, opening, mark)
        return place >= 0 and content.startswith(ends, place + len(opening))

    return Contradiction(flag, b',"%b' % first.encode(), holds, (first,))


def done_yet_not(status: str = "completed") -> Contradiction:
    """Something done, beside a reason why it was not, as FHIR's statusReason of what is done or given is."""
    return together("done-yet-not", "status_reasons", "status", (status,))


def out_of_order(flag: str, earlier: str, later: str) -> Contradiction:
    """A date that stands before the one it must follow, as far as both are known: `out_of_order("…", "onset_date", "abatement_date")`."""
    first, last = (b',"%b":"' % name.encode() for name in (earlier, later))

    def holds(content: bytes, mark: int, latest: bytes) -> bool:
        one, other = (_value(content, each, mark).rstrip(b"Z") for each in (first, last))
        known = min(len(one), len(other))
        return one[:known] > other[:known]

    return Contradiction(flag, b',"%b"' % later.encode(), holds, (later,))


def of_itself(flag: str, field: str) -> Contradiction:
    """A link to the record that it stands in, alone or among others."""
    opening, ident = b',"%b":' % field.encode(), b',"id":"'

    def holds(content: bytes, mark: int, latest: bytes) -> bool:
        start = mark + len(opening)
        end = content.find(b"]" if content[start : start + 1] == b"[" else b",", start)
        return b'"%b"' % _value(content, ident, 0) in content[start : end if end >= 0 else len(content)]

    return Contradiction(flag, opening, holds, (field,))


class _Words(dict[bytes | None, bool]):
    """Whether a field's bytes may be one of some words, however they are written; few recur."""

    def __init__(self, words: Iterable[str]) -> None:
        super().__init__({None: False})
        self._words = frozenset(words)

    def __missing__(self, raw: bytes) -> bool:
        plain = raw.decode("utf-8", "replace").strip('" ').lower().replace("_", "-").replace(" ", "-")
        found = raw[:1] != b'"' or plain in self._words
        if len(self) < _MOST_WORDS:
            self[raw] = found
        return found


_MOST_WORDS = 256


def over(flag: str, field: str, values: tuple[str, ...], *, end: str) -> Contradiction:
    """A status by which something goes on, beside an end that has passed."""
    opening, status = b',"%b":"' % end.encode(), b',"%b":"' % field.encode()
    ongoing = frozenset(value.encode() for value in values)

    def holds(content: bytes, mark: int, latest: bytes) -> bool:
        return _value(content, status, mark) in ongoing and _value(content, opening, mark) <= latest

    def among(latest: bytes) -> Among:
        may = _Words(values)
        return lambda said: [place for place, raw in enumerate(said) if may[raw]]

    return Contradiction(flag, opening, holds, (end,), ("status",), among)


def to_come(field: str, values: tuple[str, ...], *, start: str, end: str) -> Contradiction:
    """A status by which something is or was, beside a start that is to come; or by which it is over, beside such an end."""
    opening, status = b',"%b":"' % start.encode(), b',"%b":"' % field.encode()
    ending, last = b',"%b":"' % end.encode(), values[-1].encode()
    begun = frozenset(value.encode() for value in values)

    def holds(content: bytes, mark: int, latest: bytes) -> bool:
        said = _value(content, status, mark)
        if said not in begun:
            return False
        return _value(content, opening, mark) > latest or (said == last and _value(content, ending, mark) > latest)

    return Contradiction("future", opening, holds, (start,), ("period",), _ends_late)


def done_early(status: str, *, start: str) -> Contradiction:
    """A status by which what was asked for is done, beside a start of it that is to come."""
    opening, done = b',"%b":"' % start.encode(), b',"status":"%b"' % status.encode()

    def holds(content: bytes, mark: int, latest: bytes) -> bool:
        return _value(content, opening, mark) > latest and done in content

    return Contradiction("future", opening, holds, (start,))


def _ends_late(latest: bytes) -> Among:
    def among(periods: Contents) -> Collection[int]:
        return [place for place, period in enumerate(periods) if period is not None and _is_late(period, latest)]

    return among


def _is_late(period: bytes, latest: bytes) -> bool:
    """Whether a Period may start or end after a day."""
    if period[:10] != b'{"start":"':
        return True
    end = period.find(b'"end":"')
    return period[10:20] > latest or (end > 0 and period[end + 7 : end + 17] > latest)


def told_before(flag: str, earlier: str, later: str, *, by: tuple[str, str]) -> Contradiction:
    """As `out_of_order`, of what two FHIR fields say that stand in most resources: days as they are written are compared first."""

    def among(first: Contents, last: Contents) -> Collection[int]:
        said = enumerate(zip(first, last, strict=False))
        return [
            place
            for place, (one, other) in said
            if one != other and other is not None and (one is None or other[1:11] < one[1:11])
        ]

    return out_of_order(flag, earlier, later)._replace(by=by, among=lambda _latest: among)


_DAYS = {b"min": 1 / 1440, b"h": 1 / 24, b"d": 1, b"wk": 7, b"mo": 30.4375, b"a": 365.25}


def ages_out_of_order(flag: str, earlier: str, later: str) -> Contradiction:
    """An age that is below the one it must follow, each in its unit: `ages_out_of_order("…", "onset_age", "abatement_age")`."""
    found = [
        re.compile(rb',"%b":([0-9.]+)(?:,"%b_high":[0-9.]+)?,"%b_unit":"([a-z]+)"' % ((name.encode(),) * 3)).search
        for name in (earlier, later)
    ]

    def holds(content: bytes, mark: int, latest: bytes) -> bool:
        one, other = (match and float(match[1]) * _DAYS[match[2]] for match in (search(content) for search in found))
        return one is not None and other is not None and one > other

    return Contradiction(flag, b',"%b":' % later.encode(), holds, (later,))


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
    found = re.compile(rb'[,{]"(?:%b)":-' % "|".join(fields).encode()).search
    return Contradiction(flag, b'":-', lambda content, _mark, _latest: found(content) is not None, fields)
