"""What other records of a person replace, in SQL: as `people` leaves it out in memory."""

from typing import Any

from sqlalchemy import CTE, ColumnElement, FromClause, Select, and_, exists, func, literal, or_, select, true

from schemas.outcomes.observations import NO_RESULT
from schemas.outcomes.replacing import CONTINUED, OF_ONE_RESOURCE, WHOLE
from services.measures.compile.dialects import each_text
from services.measures.language.events import WITH_STATUS
from services.registry.tables import RECORD_TABLES

REPLACING = frozenset(name for name, table in RECORD_TABLES.items() if "replaces" in table.c) - CONTINUED
"""Record types of which one replaces another."""


def replaced_of(record: str) -> Select[Any]:
    """`site`, `subject` and `old`, the id that a record of a type replaces: few rows, found by an index of those that name any.

    Of records that replace each other in a circle one stands, as `schemas.outcomes.replacing` has it.
    """
    named = _named_of(record).cte(f"named_{record}")
    walked = _walked(named, f"walked_{record}")
    circle = exists().where(_of_one(walked, named), walked.c.start == named.c.old, walked.c.at == named.c.new)
    return select(named.c.site, named.c.subject, named.c.old).where(~circle)


def _walked(named: CTE, name: str) -> CTE:
    """From each that is replaced, all that it replaces by records of greater ids alone."""
    back = named.alias()
    start = and_(_of_one(back, named), back.c.old == named.c.new)
    columns = (named.c.site, named.c.subject, named.c.new.label("start"), named.c.old.label("at"))
    begun = select(*columns).where(named.c.old > named.c.new, exists().where(start)).cte(name, recursive=True)
    further = named.alias()
    step = and_(_of_one(further, begun), further.c.new == begun.c.at, further.c.old > begun.c.start)
    return begun.union(
        select(begun.c.site, begun.c.subject, begun.c.start, further.c.old).select_from(begun.join(further, step))
    )


def _of_one(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    return and_(one.c.subject == other.c.subject, one.c.site == other.c.site)


def _named_of(record: str) -> Select[Any]:
    row = RECORD_TABLES[record].alias()
    named = each_text(row.c.replaces).table_valued("value")
    such = [row.c.replaces.is_not(None), named.c.value != _whole_of(row)]
    if record in WITH_STATUS:
        such.append(func.coalesce(row.c.status, "").not_in(NO_RESULT))
    columns = (row.c.site, row.c.subject, _whole_of(row).label("new"), named.c.value.label("old"))
    return select(*columns).select_from(row.join(named, true())).where(*such)


def stands(row: FromClause, replaced: FromClause) -> ColumnElement[bool]:
    """No row of `replaced` names this record, or the whole of its resource."""
    own = replaced.c.old == row.c.id
    return ~exists().where(_of_one(replaced, row), or_(own, replaced.c.old == _whole_of(row)))


def _whole_of(row: FromClause) -> ColumnElement[str]:
    return func.substr(row.c.id, 1, OF_ONE_RESOURCE).concat(literal(WHOLE))
