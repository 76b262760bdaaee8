"""How many random cases a test tries: all of them in `make check`, a quarter where the slow tests are left out as well."""

QUARTER = 4
_share = 1


def fewer(slow_left_out: bool) -> None:
    """Said once, before tests are collected."""
    global _share
    _share = QUARTER if slow_left_out else 1


def some(cases: int) -> int:
    """Of so many cases those that this run tries; one at least."""
    return max(1, cases // _share)
