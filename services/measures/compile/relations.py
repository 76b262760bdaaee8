"""Yes, no and unknown together, and how numbers and spans of time stand to one another, in memory; equal to `sql_relations`."""

from collections.abc import Callable, Iterable
from decimal import Decimal

from services.measures.compile.spans import Ends
from services.measures.compile.times import before, first_instant, last_instant, no_later
from services.measures.language.moments import Precision


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


def _overlaps(left: Ends, right: Ends, by: Precision) -> bool | None:
    return all_of((no_later(left.start, right.end, by), no_later(right.start, left.end, by)))


def _overlaps_after(left: Ends, right: Ends, by: Precision) -> bool | None:
    return all_of((no_later(left.start, right.end, by), before(right.end, left.end, by)))


def _during(left: Ends, right: Ends, by: Precision) -> bool | None:
    return all_of((no_later(right.start, left.start, by), no_later(left.end, right.end, by)))


def _starts_during(left: Ends, right: Ends, by: Precision) -> bool | None:
    return all_of((no_later(right.start, left.start, by), no_later(left.start, right.end, by)))


def _ends_during(left: Ends, right: Ends, by: Precision) -> bool | None:
    return all_of((no_later(right.start, left.end, by), no_later(left.end, right.end, by)))


def related(relation: str, left: Ends, right: Ends, by: Precision) -> bool | None:
    """One span stands so to another."""
    if by == "timed":
        right = Ends(first_instant(right.start), last_instant(right.end), last_instant(right.latest))
    return RELATIONS[relation](left, right, by)


RELATIONS: dict[str, Callable[[Ends, Ends, Precision], bool | None]] = {
    "overlaps": _overlaps,
    "overlaps_after": _overlaps_after,
    "during": _during,
    "starts_during": _starts_during,
    "ends_during": _ends_during,
    "starts_before": lambda left, right, by: before(left.start, right.start, by),
    "starts_no_later_than": lambda left, right, by: no_later(left.start, right.end, by),
    "ends_no_later_than": lambda left, right, by: no_later(left.end, right.end, by),
}
