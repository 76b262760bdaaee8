"""Yes, no and unknown together, and how numbers and spans of time stand to one another, in memory; equal to `sql_relations`."""

from collections.abc import Callable, Iterable
from decimal import Decimal

from services.measures.compile.spans import Ends
from services.measures.compile.times import before, no_later


def all_of(answers: Iterable[bool | None]) -> bool | None:
    """No where one is no, else unknown where one is."""
    unknown = False
    for answer in answers:
        if answer is False:
            return False
        unknown = unknown or answer is None
    return None if unknown else True


def any_of(answers: Iterable[bool | None]) -> bool | None:
    """Yes where one is yes, else unknown where one is."""
    unknown = False
    for answer in answers:
        if answer is True:
            return True
        unknown = unknown or answer is None
    return None if unknown else False


def negated(answer: bool | None) -> bool | None:
    """The opposite; of what is unknown, unknown."""
    return None if answer is None else not answer


def compared(value: Decimal, bound: str | None, how: str, number: Decimal) -> bool | None:
    """A value that is itself a bound (`< 5`) says yes or no only where every number it can be agrees."""
    if how in (">", ">="):
        return negated(compared(value, bound, "<=" if how == ">" else "<", number))
    fits = value < number if how == "<" else value <= number
    if bound is None:
        return fits
    if bound in ("<", "<="):
        return True if fits or (bound == "<" and value == number) else None
    return False if not fits or (bound == ">" and value == number) else None


def _overlaps(left: Ends, right: Ends, exactly: bool) -> bool | None:
    return all_of((no_later(left.start, right.end, exactly), no_later(right.start, left.end, exactly)))


def _overlaps_after(left: Ends, right: Ends, exactly: bool) -> bool | None:
    return all_of((no_later(left.start, right.end, exactly), before(right.end, left.end, exactly)))


def _during(left: Ends, right: Ends, exactly: bool) -> bool | None:
    return all_of((no_later(right.start, left.start, exactly), no_later(left.end, right.end, exactly)))


def _starts_during(left: Ends, right: Ends, exactly: bool) -> bool | None:
    return all_of((no_later(right.start, left.start, exactly), no_later(left.start, right.end, exactly)))


def _ends_during(left: Ends, right: Ends, exactly: bool) -> bool | None:
    return all_of((no_later(right.start, left.end, exactly), no_later(left.end, right.end, exactly)))


RELATIONS: dict[str, Callable[[Ends, Ends, bool], bool | None]] = {
    "overlaps": _overlaps,
    "overlaps_after": _overlaps_after,
    "during": _during,
    "starts_during": _starts_during,
    "ends_during": _ends_during,
    "starts_before": lambda left, right, exactly: before(left.start, right.start, exactly),
    "starts_no_later_than": lambda left, right, exactly: no_later(left.start, right.end, exactly),
    "ends_no_later_than": lambda left, right, exactly: no_later(left.end, right.end, exactly),
}
