"""The store's tables, the same on SQLite and PostgreSQL; mainstem/state/migrations brings a database to them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
    and_,
    func,
    select,
    text,
)

HEAD = "0002"
"""The migration these tables are at; a test keeps it in step with mainstem/state/migrations."""


class Instant(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps no zone, so it goes in and comes out as UTC there."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; a moment without a zone is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """As UTC, whatever the server's zone is."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


metadata = MetaData()

mainstem = Table(
    "mainstem",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    comment="One row about this database. epoch rises after a restore from a backup.",
)

record = Table(
    "record",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("site", String(31), nullable=False),
    Column("type", String, nullable=False),
    Column("subject", LargeBinary(16), nullable=False),
    Column("digest", LargeBinary(16), nullable=False),
    Column("load", String, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("published_sequence", Integer, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("updated", BigInteger),
    Column("changed", BigInteger, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("content", LargeBinary),
    Column("provenance", LargeBinary, nullable=False),
    Column(
        "line_digest", LargeBinary(16), comment="Of the source line, under the mapping that read it; zeros: not kept."
    ),
    comment="State of every outcome record; the outbox are its rows whose sequence is above published_sequence. "
    "content null: withdrawn. live: what was last published is a value. updated, changed: microseconds since 1970 UTC.",
)

Index("ix_record_number", record.c.site, record.c.number)

published = Table(
    "published",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("number", BigInteger, nullable=False),
    comment="All changes of the site up to this number are published: the outbox is looked for above it.",
)

site_state = Table(
    "site_state",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("number", BigInteger, nullable=False),
    comment="The number of the site's last change. Its row is locked while a batch is saved, so changes commit in their order.",
)

tally = Table(
    "tally",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("type", String, primary_key=True),
    Column("records", BigInteger, nullable=False),
    comment="Records not withdrawn, by site and record type, kept with each batch so that nobody has to count.",
)

load = Table(
    "load",
    metadata,
    Column("id", String, primary_key=True),
    Column("site", String(31), nullable=False),
    Column("mode", String, nullable=False),
    Column("status", String, nullable=False),
    Column("started", Instant, nullable=False),
    Column("ended", Instant),
    Column("plan", JSON, nullable=False),
    Column("report", JSON(none_as_null=True)),
    Column("published", BigInteger, nullable=False),
    comment="One refresh of one site, from plan to complete. status: running, completed, failed, abandoned.",
)
Index("ix_load_site", load.c.site, load.c.started)
RUNNING = text("status = 'running'")
Index("ix_load_running", load.c.site, unique=True, sqlite_where=RUNNING, postgresql_where=RUNNING)

load_type = Table(
    "load_type",
    metadata,
    Column("load", ForeignKey("load.id"), primary_key=True),
    Column("resource_type", String, primary_key=True),
    Column("counts", JSON(none_as_null=True)),
    Column("pulled", JSON(none_as_null=True)),
    comment="A load's figures (schemas.events.TypeCounts) and what was pulled, by resource type or unit of a pull.",
)

watermark = Table(
    "watermark",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("resource_type", String, primary_key=True),
    Column("value", Instant, nullable=False),
    Column("load", String, nullable=False),
    comment="Up to when a type is complete, and the load that proved it.",
)

gap = Table(
    "gap",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site", String(31), nullable=False),
    Column("resource_type", String, nullable=False),
    Column("since", Instant),
    Column("until", Instant),
    Column("reason", String, nullable=False),
    Column("opened", Instant, nullable=False),
    Column("closed", Instant),
    comment="A window that could not be read; visible until closed.",
)
Index("ix_gap_site", gap.c.site, gap.c.resource_type)

quarantine = Table(
    "quarantine",
    metadata,
    Column("load", String, primary_key=True),
    Column("resource_type", String, primary_key=True),
    Column("ref", LargeBinary(12), primary_key=True),
    Column("reason", String, primary_key=True),
    Column("path", String, primary_key=True),
    Column("file", String, primary_key=True),
    Column("line", BigInteger, primary_key=True),
    Column("site", String(31), nullable=False),
    comment="Resources that gave no record: why, and where in the landing folder to look. No source text.",
)
Index("ix_quarantine_site", quarantine.c.site, quarantine.c.resource_type)


def pending(site: str) -> ColumnElement[bool]:
    """A site's records whose last change is not published. An index with this condition would be written at every mark."""
    upto = select(published.c.number).where(published.c.site == site).scalar_subquery()
    return and_(
        record.c.site == site,
        record.c.number > func.coalesce(upto, 0),
        record.c.sequence > record.c.published_sequence,
    )
