"""Whether families are heard alike: what they raised and what was answered, by groups of people; of few nothing is told."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from statistics import median

from sqlalchemy import Connection, select

from services.people.issues import FAMILY, LATE, Answered, Raised
from services.registry.erasure import hand_of
from services.registry.tables import RECORD_TABLES, family_link

GROUPS = ("language", "ethnicity")
FEWEST = 11
"""Of fewer nothing is told: who raised something shall not be known by it."""


def heard_by(connection: Connection, found: Sequence[Raised], now: datetime, group: str) -> list[Answered]:
    """By a field of the patients; `role` holds the group's code, empty where it is not known. Groups of few are left out."""
    person, link = RECORD_TABLES["person"].c, family_link.c
    ways = select(link.id, person[group]).join(person.subject.table, person.subject == link.subject)
    of = {hand_of(row[0]): row[1] or "" for row in connection.execute(ways)}
    theirs: dict[str, list[Raised]] = defaultdict(list)
    for each in found:
        if each.role == FAMILY and not each.merged_into:
            theirs[of.get(each.by, "")].append(each)
    rows = []
    for code, raised in sorted(theirs.items()):
        days = [each.days(now) for each in raised if each.answered]
        late = sum(each.open and now - each.at > LATE for each in raised)
        if len({each.by for each in raised}) >= FEWEST:
            rows.append(Answered(code, len(raised), len(days), median(days) if days else None, late))
    return rows
