"""A site's current records as checks of its quality see them, and what was counted when a load was judged."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import ColumnElement, and_, delete, func, insert, not_, select

from mainstem.database import Database
from mainstem.state import quarantine, tables
from mainstem.state.subjects import Subjects, index_subjects, place_in
from schemas.loads import LoadReport, TypeCounts
from schemas.outcomes import record_type_of
from transforms.mapped import DERIVED

if TYPE_CHECKING:
    from transforms.quality.facts import Row
    from transforms.quality.facts.profile import Profile

_AT_ONCE = 500
PERSON = "person"
_REPLACES = b'"replaces":['
_KEPT = 12
"""Loads of which the profile is kept."""


class Held(NamedTuple):
    """What a site holds and what it could not use, by record type."""

    records: dict[str, int]
    quarantined: dict[str, int]


class LastLoad(NamedTuple):
    """The newest load that completed."""

    id: str
    counts: dict[str, TypeCounts]
    """Its figures, by resource type."""


class Quality:
    """What is asked to judge a site."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rows(self, site: str) -> "Iterator[Row]":
        """The current records, by subject, a few hundred subjects at a time: no transaction stays open, memory stays flat."""
        index_subjects(self._database)
        subjects = Subjects(self._database).all(site)
        while some := list(islice(subjects, _AT_ONCE)):
            yield from self.rows_of(site, some)

    def rows_of(self, site: str, subjects: Sequence[bytes]) -> "Iterator[Row]":
        """The current records of some subjects, by subject, the person's own first, then what replaces others; but for what is computed,
        which is judged by what it is computed from.
        """
        from transforms.quality.facts import Row  # loaded only where somebody is judged

        row = tables.record.c
        judged = and_(_of_site(site), row.content.is_not(None), row.type != DERIVED, row.subject.in_(subjects))
        replacing = place_in(self._database, row.content, _REPLACES) > 0
        order = (row.subject, row.type != PERSON, not_(replacing), row.id)
        told = [row[name] for name in Row._fields]
        with self._database.stream() as connection:
            connection = connection.execution_options(yield_per=_AT_ONCE)
            if not self._database.is_sqlite:
                yield from (Row(*each) for each in connection.execute(select(*told).where(judged).order_by(*order)))
                return
            # SQLite sorts in memory: ids alone, so that of somebody with very many records not all contents are held
            ids = connection.scalars(select(row.id).where(judged).order_by(*order))
            while some := list(islice(ids, _AT_ONCE)):
                wanted = select(row.id, *told).where(row.id.in_(some))
                found = {id_: each for id_, *each in connection.execute(wanted)}
                yield from (Row(*found[id_]) for id_ in some)

    def held(self, site: str) -> Held:
        """By the counts that are kept."""
        row = tables.tally.c
        with self._database.read() as connection:
            found = connection.execute(select(row.type, row.records).where(row.site == site))
            records = {kind: count for kind, count in found if count}
            quarantined: dict[str, int] = {}
            for (name, _reason), count in quarantine.by_reason(connection, site).items():
                kind = record_type_of(name) or name
                quarantined[kind] = quarantined.get(kind, 0) + count
        return Held(records, quarantined)

    def last_load(self, site: str) -> LastLoad | None:
        """The newest that completed; None before the first. Of a retry the figures are those of what was refused alone."""
        row = tables.load.c
        whole = func.coalesce(row.plan["replay"].as_string(), "") != "retry"
        wanted = select(row.id, row.report).where(row.site == site, row.status == "completed", whole)
        with self._database.read() as connection:
            found = connection.execute(wanted.order_by(row.started.desc(), row.id.desc()).limit(1)).first()
        return None if found is None else LastLoad(found[0], LoadReport.model_validate(found[1]).types)

    def before(self, site: str, load_id: str) -> "Profile | None":
        """What was counted when the newest load but this one was judged."""
        from transforms.quality.facts.profile import Profile

        row = tables.profile.c
        wanted = select(row.counted).where(row.site == site, row.load != load_id).order_by(row.load.desc()).limit(1)
        with self._database.read() as connection:
            found = connection.scalars(wanted).first()
        return None if found is None else Profile.from_json(found)

    def keep(self, site: str, load_id: str, profile: "Profile") -> None:
        """What was counted when a load was judged; of the last loads."""
        row = tables.profile
        with self._database.write() as connection:
            connection.execute(delete(row).where(row.c.site == site, row.c.load == load_id))
            connection.execute(insert(row).values(site=site, load=load_id, counted=profile.as_json()))
            kept = select(row.c.load).where(row.c.site == site).order_by(row.c.load.desc()).limit(_KEPT)
            connection.execute(delete(row).where(row.c.site == site, row.c.load.not_in(connection.scalars(kept).all())))


def _of_site(site: str) -> ColumnElement[bool]:
    """By an index of the site SQLite, which cannot know better, would read all of it for each portion of subjects."""
    return func.coalesce(tables.record.c.site, "") == site
