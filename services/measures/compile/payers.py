"""Who pays for somebody's care on a day: of their coverages that hold then, those that pay first."""

from typing import Any

from sqlalchemy import ColumnElement, Subquery, case, func, literal, or_, select

from services.measures.compile.sql_replaced import replaced_of, stands
from services.registry.tables import RECORD_TABLES

SEVERAL = "several"
"""Several kinds pay alike: none is said to be first, as where somebody has Medicare and Medicaid."""
LAST = 100


def payers_on(day: ColumnElement[str]) -> Subquery:
    """`site`, `subject` and `payer` of everybody of whom it is known; a date that is told by its month or year alone holds all of it."""
    table = RECORD_TABLES["coverage"]
    row = table.c
    holds = (
        row.payer.is_not(None),
        stands(table, replaced_of("coverage").subquery()),
        func.coalesce(row.status, "active") == "active",
        or_(row.start_date.is_(None), row.start_date <= day),
        or_(row.end_date.is_(None), row.end_date >= func.substr(day, 1, func.length(row.end_date))),
    )
    order: Any = func.coalesce(row.order, LAST)
    first = func.min(order).over(partition_by=(row.site, row.subject)).label("first")
    standing = select(row.site, row.subject, row.payer, order.label("place"), first).where(*holds).subquery()
    payer = case((func.count(standing.c.payer.distinct()) > 1, literal(SEVERAL)), else_=func.min(standing.c.payer))
    return (
        select(standing.c.site, standing.c.subject, payer.label("payer"))
        .where(standing.c.place == standing.c.first)
        .group_by(standing.c.site, standing.c.subject)
        .subquery()
    )
