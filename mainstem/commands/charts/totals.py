"""Rows that sum up the others, as spreadsheets leave them below a table: taken for one more they would count everybody twice."""

import re
from collections.abc import Sequence
from math import isclose

from mainstem.commands.charts.columns import Row

NAMED = re.compile(
    r"((the|whole|grand|sub)[ -]?)*(totale?s?|sums?|all|overall|network|everybody|everyone|together|combined|average|mean"
    r"|gesamt|insgesamt|summe|totaal)( (of )?(all )?(sites|hospitals|cent(er|re)s|clinics|rows|general|général))?",
    re.IGNORECASE,
)
ROUNDED, TENTH = 0.005, 0.051
"""By so much of it, or so much, a total may miss the sum: numbers are rounded in spreadsheets, to a tenth too."""


def named_as_total(name: str) -> bool:
    """Whether a row is called as a total is."""
    return NAMED.fullmatch(name.strip(" :*")) is not None


def refuse_totals(rows: Sequence[Row], name: str, summed: Sequence[str]) -> None:
    """Raises OperatorError at a row that is called a total and is one: by each of the columns the sum of the rows that are not."""
    called, others = list[Row](), list[Row]()
    for row in rows:
        (called if named_as_total(row.text(name)) else others).append(row)
    sums = [_sum(others, column) for column in summed] if called else []
    for row in called if any(sums) else ():
        if all(map(_alike, (row.number(column) for column in summed), sums)):
            raise row.fault(
                name, "names a total: the row is the sum of the others", "Leave it out: it would count everybody twice."
            )


def _sum(rows: Sequence[Row], column: str) -> float:
    return sum(row.number(column) or 0.0 for row in rows)


def _alike(said: float | None, found: float) -> bool:
    return said is not None and isclose(said, found, rel_tol=ROUNDED, abs_tol=TENTH)
