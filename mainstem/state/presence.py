"""Which persons a site's state holds, and why others are not there."""

from dataclasses import dataclass

from sqlalchemy import select

from mainstem.state import State, tables
from mainstem.state.subjects import index_subjects

_PERSON, _PATIENT = "person", "Patient"


@dataclass(frozen=True)
class Held:
    """Of one site, by pseudonym: 16 bytes a person."""

    persons: set[bytes]
    """Subjects with a current person record."""
    waiting: set[bytes]
    """Those of them whose record is not published."""
    withdrawn: set[bytes]
    """Ids of person records that were withdrawn."""
    refused: dict[bytes, str]
    """Refs of Patients in quarantine → why."""
    surviving: dict[bytes, bytes]
    """Subjects that are another → that one."""
    store: State
    site: str

    @classmethod
    def of(cls, store: State, site: str) -> "Held":
        """As it stands."""
        row = tables.record.c
        persons, waiting, withdrawn = set[bytes](), set[bytes](), set[bytes]()
        wanted = select(row.id, row.subject, row.content.is_(None), row.sequence > row.published_sequence)
        with store.database.stream() as connection:
            found = connection.execution_options(yield_per=2000).execute(
                wanted.where(row.site == site, row.type == _PERSON)
            )
            for id_, subject, gone, pending in found:
                if gone:
                    withdrawn.add(id_)
                else:
                    persons.add(subject)
                    if pending:
                        waiting.add(subject)
        refused = {each.ref: each.reason for each in store.quarantine.of(site) if each.resource_type == _PATIENT}
        surviving = {each.old: each.surviving for each in store.aliases.of(site)}
        index_subjects(store.database)
        return cls(persons, waiting, withdrawn, refused, surviving, store, site)

    def has_others(self, subject: bytes) -> bool:
        """Whether the person has a current record of another type."""
        row = tables.record.c
        wanted = select(row.id).where(row.subject == subject, row.content.is_not(None), row.type != _PERSON)
        with self.store.database.read() as connection:
            return connection.execute(wanted.limit(1)).first() is not None
