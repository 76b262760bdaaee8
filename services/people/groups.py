"""Of which group of people somebody is: by their own record, and who pays by their coverage today."""

from datetime import date
from typing import Any, Literal

from sqlalchemy import Connection, Subquery, and_, literal, select

from services.measures.compile.payers import SEVERAL, payers_on
from services.registry.tables import RECORD_TABLES

Group = Literal["sex", "race", "ethnicity", "language", "payer", "distance"]


def groups_of(connection: Connection, whom: Subquery, by: Group, today: date) -> dict[tuple[str, str], str]:
    """By site and subject of `whom`, which has both as columns, its code; nothing of whom it is not known. Several races are a group of
    their own, and so are several who pay alike."""
    told = payers_on(literal(today.isoformat())) if by == "payer" else RECORD_TABLES["person"]
    theirs = and_(told.c.site == whom.c.site, told.c.subject == whom.c.subject)
    query = select(told.c.site, told.c.subject, told.c[by]).select_from(told.join(whom, theirs))
    return {(site, subject): _one(value) for site, subject, value in connection.execute(query) if value}


def _one(value: Any) -> str:
    return str(value) if isinstance(value, str) else value[0] if len(value) == 1 else SEVERAL
