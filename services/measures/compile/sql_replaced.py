"""What other records of a person replace, in SQL: as `people` leaves it out in memory."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, exists, func, literal, or_, select, true

from schemas.outcomes.observations import NO_RESULT
from schemas.outcomes.replacing import CONTINUED, OF_ONE_RESOURCE, WHOLE
from services.measures.compile.dialects import each_text
from services.measures.language.events import WITH_STATUS
from services.registry.tables import RECORD_TABLES

REPLACING = frozenset(name for name, table in RECORD_TABLES.items() if "replaces" in table.c) - CONTINUED
"""Record types of which one replaces another."""


def replaced_of(record: str) -> Select[Any]:
    """`site`, `subject` and `old`, the id that a record of a type names: few rows, found by an index of those that name any."""
    row = RECORD_TABLES[record].alias()
    named = each_text(row.c.replaces).table_valued("value")
    such = [row.c.replaces.is_not(None), named.c.value != _whole_of(row)]
    if record in WITH_STATUS:
        such.append(func.coalesce(row.c.status, "").not_in(NO_RESULT))
    columns = (row.c.site, row.c.subject, named.c.value.label("old"))
    return select(*columns).select_from(row.join(named, true())).where(*such)


def stands(row: FromClause, replaced: FromClause) -> ColumnElement[bool]:
    """No row of `replaced` names this record, or the whole of its resource."""
    own = replaced.c.old == row.c.id
    of_person = and_(replaced.c.subject == row.c.subject, replaced.c.site == row.c.site)
    return ~exists().where(of_person, or_(own, replaced.c.old == _whole_of(row)))


def _whole_of(row: FromClause) -> ColumnElement[str]:
    return func.substr(row.c.id, 1, OF_ONE_RESOURCE).concat(literal(WHOLE))
