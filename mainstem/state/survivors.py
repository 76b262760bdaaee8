"""Which subject a subject is, over aliases of aliases, and which ones it was."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from mainstem.state import tables

_AT_ONCE = 500


def resolve(connection: Connection, site: str, subjects: Sequence[bytes]) -> dict[bytes, bytes]:
    """Each subject's survivor, over aliases of aliases; itself where it is no alias."""
    final = {subject: subject for subject in subjects}
    while steps := step(connection, site, list(set(final.values()))):
        final = {subject: steps.get(last, last) for subject, last in final.items()}
    return final


def step(connection: Connection, site: str, subjects: Sequence[bytes]) -> dict[bytes, bytes]:
    """Those of the subjects that are aliases, each with the subject it is said to be."""
    row = tables.alias.c
    found: dict[bytes, bytes] = {}
    for start in range(0, len(subjects), _AT_ONCE):
        some = subjects[start : start + _AT_ONCE]
        wanted = select(row.old, row.surviving).where(row.site == site, row.ended.is_(None), row.old.in_(some))
        found.update((old, surviving) for old, surviving in connection.execute(wanted))
    return found


def family(connection: Connection, site: str, subjects: Iterable[bytes]) -> dict[bytes, bytes]:
    """All who are the same person as one of these, those themselves, too: each with the subject that survives."""
    row = tables.alias.c
    finals = set(resolve(connection, site, list(subjects)).values())
    found = {final: final for final in finals}
    last = list(finals)
    while last:
        some, last = last[:_AT_ONCE], last[_AT_ONCE:]
        wanted = select(row.old, row.surviving).where(row.site == site, row.ended.is_(None), row.surviving.in_(some))
        for old, surviving in connection.execute(wanted):
            found[old] = found[surviving]
            last.append(old)
    return found
