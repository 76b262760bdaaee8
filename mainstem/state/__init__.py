"""What a site keeps: records with their outbox, events to send, loads, figures, watermarks, gaps, quarantine, references, aliases.

A file a thing. SQLite serves one site, PostgreSQL a network; mainstem.database holds what differs, `batches/` the hot
statements by hand. Whoever adds a table writes it into `tables.py` and into a migration: a test compares the two.
"""

from contextlib import AbstractContextManager

from sqlalchemy import text

from connectors.pulled import EXPORT
from mainstem.database import Database
from mainstem.state import tables
from mainstem.state.absences import Absences
from mainstem.state.aliases import REPLACED, TAKEN_OVER, Alias, Aliases, Followed, Merges
from mainstem.state.attempts import Attempt, Attempts
from mainstem.state.audit import Audit
from mainstem.state.batch import Batch, Place, Quarantined, Saved
from mainstem.state.batches import Batches
from mainstem.state.batches.postgres import PostgresBatches
from mainstem.state.batches.sqlite import SqliteBatches
from mainstem.state.cohorts import Cohorts
from mainstem.state.consents import Consents, Decision, Done, Withdrawal
from mainstem.state.contents import Contents
from mainstem.state.figures import Slice
from mainstem.state.findings import Findings
from mainstem.state.gaps import Gaps
from mainstem.state.lending import Lending
from mainstem.state.loads import Load, Loads, LoadStatus, Plan
from mainstem.state.mending import Above, AsPublished, Epochs, Held, Mending, ReplayPlace, Wanted
from mainstem.state.outbox import StoredOutbox
from mainstem.state.quality import Quality
from mainstem.state.quarantine import Quarantine
from mainstem.state.records import Records
from mainstem.state.references import References
from mainstem.state.slices import Slices
from mainstem.state.standings import Standing
from mainstem.state.status import SiteType, sites, status_of
from mainstem.state.subjects import Subjects
from mainstem.state.watermarks import Watermarks
from schemas.outcomes import LENDING_TYPES, MAPPED_TYPES, REFERRED_TYPES

STEPS = ("run", "plan", "pull", "map", "derive", "publish", "complete", "replay")
"""Of which a process holds one while it is at a site's refresh."""
PARTED = frozenset({"pull", "map"})

__all__ = [
    "REPLACED",
    "TAKEN_OVER",
    "Above",
    "Alias",
    "AsPublished",
    "Attempt",
    "Batch",
    "Current",
    "Decision",
    "Done",
    "Epochs",
    "Followed",
    "Held",
    "Load",
    "LoadStatus",
    "Merges",
    "Place",
    "Plan",
    "Quarantined",
    "ReplayPlace",
    "Saved",
    "SiteType",
    "Slice",
    "Standing",
    "State",
    "Wanted",
    "Withdrawal",
]


class State:
    """The way in: a part for each thing. One for a process or a task; made before no fork."""

    def __init__(self, database: Database) -> None:
        batches: Batches = SqliteBatches() if database.is_sqlite else PostgresBatches()
        self.database = database
        self.loads = Loads(database)
        self.slices = Slices(database)
        self.records = Records(database, batches)
        self.outbox = StoredOutbox(database, batches)
        self.mending = Mending(database, batches)
        self.subjects = Subjects(database)
        self.references = References(database)
        self.lending = Lending(database, batches)
        self.aliases = Aliases(database)
        self.consents = Consents(database)
        self.audit = Audit(database)
        self.watermarks = Watermarks(database)
        self.gaps = Gaps(database)
        self.cohorts = Cohorts(database)
        self.absences = Absences(database)
        self.quarantine = Quarantine(database)
        self.contents = Contents(database)
        self.quality = Quality(database)
        self.findings = Findings(database)
        self.attempts = Attempts(database)

    @classmethod
    def open(cls, url: str, *, wait_seconds: float = 30) -> "State":
        """Connects at first use. `wait_seconds`: longest wait for another writer. Raises OperatorError for a wrong URL."""
        return cls(Database.open(url, wait_seconds=wait_seconds))

    def close(self) -> None:
        """Closes the connections."""
        self.database.close()

    def migrate(self) -> None:
        """Brings the database to this version's tables; one look where it is there already. Two may do it at once."""
        if self.revision() == tables.HEAD:
            return
        from mainstem.state.migrations.upgrade import upgrade

        with self.database.write() as connection:
            upgrade(connection, self.database.name)

    def holding(self, site: str, step: str, part: str = "") -> AbstractContextManager[None]:
        """The right to do a step of a site's refresh, or a part of it, while the context lasts; it vanishes with the process.

        Raises TemporaryError naming who has it.
        """
        return self.database.holding(
            _right(site, step, part), f"at step {step} of {site}{f', {part},' if part else ''}"
        )

    def at_work(self, site: str) -> bool:
        """Whether any process is at a refresh of the site, on this machine or another."""
        load = self.loads.open(site)
        slices = [each.part for each in self.slices.left(load.id)] if load is not None else []
        parts = ("", EXPORT, *MAPPED_TYPES, *REFERRED_TYPES, *LENDING_TYPES, *slices)
        return self.database.is_held(
            _right(site, step, part) for step in STEPS for part in (parts if step in PARTED else ("",))
        )

    def sites(self) -> list[str]:
        """The sites this state knows."""
        return sites(self.database)

    def status(self, site: str | None = None) -> list[SiteType]:
        """Every site and resource type, or those of one site."""
        names = [site] if site is not None else self.sites()
        return [line for name in names for line in status_of(self.database, name)]

    def revision(self) -> str | None:
        """Of its tables; None where there are none."""
        with self.database.read() as connection:
            if not connection.dialect.has_table(connection, "alembic_version"):
                return None
            revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return revision


def _right(site: str, step: str, part: str) -> str:
    return "-".join(("step", step, site, *([part.replace("/", ".")] if part else [])))
