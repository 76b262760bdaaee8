"""Who of a site's cohort was read, by type: whoever was not is read from the beginning."""

from collections.abc import Mapping

from sqlalchemy import delete, insert, select

from mainstem.database import Database
from mainstem.state import tables


class Cohorts:
    """The patients of every site's cohort, by keyed hash; none of a site that reads everybody."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, site: str, resource_type: str) -> dict[bytes, bytes]:
        """Whose data of the type is read, and as whom they were known."""
        row = tables.cohort_member.c
        with self._database.read() as connection:
            found = connection.execute(
                select(row.ref, row.known_as).where(row.site == site, row.resource_type == resource_type)
            )
            return dict(iter(found))

    def types(self, site: str) -> set[str]:
        """The types that are read of a cohort."""
        row = tables.cohort_member.c
        with self._database.read() as connection:
            return set(connection.scalars(select(row.resource_type).where(row.site == site).distinct()))

    def refs(self, site: str) -> set[bytes]:
        """Everybody of whom something was read."""
        row = tables.cohort_member.c
        with self._database.read() as connection:
            return set(connection.scalars(select(row.ref).where(row.site == site).distinct()))

    def settle(self, site: str, resource_type: str, members: Mapping[bytes, bytes]) -> None:
        """These are the patients of whom the type is read, and no others."""
        known, row = self.of(site, resource_type), tables.cohort_member
        gone = [ref for ref, known_as in known.items() if members.get(ref) != known_as]
        come = [(ref, known_as) for ref, known_as in members.items() if known.get(ref) != known_as]
        if not gone and not come:
            return
        this = {"site": site, "resource_type": resource_type}
        with self._database.write() as connection:
            for start in range(0, len(gone), _AT_ONCE):
                some = row.c.ref.in_(gone[start : start + _AT_ONCE])
                connection.execute(delete(row).where(row.c.site == site, row.c.resource_type == resource_type, some))
            if come:
                connection.execute(insert(row), [{**this, "ref": ref, "known_as": known_as} for ref, known_as in come])


_AT_ONCE = 500
