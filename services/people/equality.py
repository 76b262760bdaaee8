"""Whether families are heard alike: what they raised and what was answered, by groups of people; of few nothing is told."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from services.people.groups import Group, groups_of
from services.people.issues import FAMILY, Answered, Raised, answered_of
from services.registry.erasure import hand_of
from services.registry.tables import family_link

GROUPS: tuple[Group, ...] = ("language", "race", "ethnicity", "payer", "distance")
FEWEST = 11
"""Of fewer nothing is told: who raised something shall not be known by it."""


def heard_by(connection: Connection, found: Sequence[Raised], now: datetime, group: Group) -> list[Answered]:
    """By a group of the patients; `role` holds its code, empty where it is not known. Groups of few are left out."""
    link = family_link.c
    known = groups_of(connection, select(link.site, link.subject).distinct().subquery(), group, now.date())
    ways = connection.execute(select(link.id, link.site, link.subject))
    of = {hand_of(ident): known.get((site, subject), "") for ident, site, subject in ways}
    theirs: dict[str, list[Raised]] = defaultdict(list)
    for each in found:
        if each.role == FAMILY and not each.merged_into:
            theirs[of.get(each.by, "")].append(each)
    enough = {code: raised for code, raised in theirs.items() if len({each.by for each in raised}) >= FEWEST}
    return [answered_of(code, raised, now) for code, raised in sorted(enough.items())]
