"""The state's tables, the same on SQLite and PostgreSQL; mainstem/state/migrations brings a database to them."""

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

HEAD = "0015"
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
    Column(
        "own_subject",
        LargeBinary(16),
        comment="What the source said, where the subject is an alias; null: the subject itself.",
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
    Column("first_number", BigInteger, nullable=False),
    Column("last_number", BigInteger),
    comment="One refresh of one site, from plan to complete. status: running, completed, failed, abandoned. "
    "Its changes have the numbers after first_number up to last_number (null: not ended).",
)
Index("ix_load_site", load.c.site, load.c.started)
RUNNING = text("status = 'running'")
Index("ix_load_running", load.c.site, unique=True, sqlite_where=RUNNING, postgresql_where=RUNNING)

attempt = Table(
    "attempt",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("began", Instant, nullable=False),
    Column("ended", Instant),
    Column("exit_code", Integer),
    Column("cause", String, nullable=False),
    Column("fix", String, nullable=False),
    Column("who", String, nullable=False),
    comment="The last time that a site was to be refreshed, a load or not: many fail before there is one. ended null: it is at it, or was "
    "interrupted.",
)

load_unit = Table(
    "load_unit",
    metadata,
    Column("load", ForeignKey("load.id"), primary_key=True),
    Column("unit", String, primary_key=True),
    Column("pulled", JSON, nullable=False),
    comment="What was pulled in a load (connectors.pulled.Pulled), by unit of a pull.",
)

load_part = Table(
    "load_part",
    metadata,
    Column("load", ForeignKey("load.id"), primary_key=True),
    Column("part", String, primary_key=True),
    Column("mapping", String, nullable=False),
    Column("place", JSON(none_as_null=True)),
    Column("figures", JSON, nullable=False),
    comment="A part of a load's work (a resource type): its figures (schemas.loads.TypeCounts), what it was mapped under and how "
    "far, renewed with each batch saved.",
)

load_published = Table(
    "load_published",
    metadata,
    Column("load", ForeignKey("load.id"), primary_key=True),
    Column("events", BigInteger, nullable=False),
    comment="Events acknowledged in a load. A row of its own: the publisher adds to it while steps hold the load's row.",
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
    Column("cause", String, nullable=False),
    Column("fix", String, nullable=False),
    Column("who", String, nullable=False),
    Column("opened", Instant, nullable=False),
    Column("closed", Instant),
    comment="A window that could not be read; visible until closed.",
)
Index("ix_gap_site", gap.c.site, gap.c.resource_type)

acceptance = Table(
    "acceptance",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("resource_type", String, primary_key=True),
    Column("cause", String, primary_key=True),
    Column("reason", String, nullable=False),
    Column("at", Instant, nullable=False),
    comment="Gaps that an operator accepted, with the reason, until their type is whole again. The reason stays here.",
)

cohort_member = Table(
    "cohort_member",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("resource_type", String, primary_key=True),
    Column("ref", LargeBinary(12), primary_key=True),
    Column("known_as", LargeBinary(12), nullable=False),
    comment="Patients of a site's cohort of whom a type is read, by keyed hash; known_as: of all ids a patient went by then.",
)

withheld = Table(
    "withheld",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("resource_type", String, primary_key=True),
    Column("absent", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("since", Instant, nullable=False),
    Column("released", Instant),
    comment="Withdrawals too many to be made unasked: how many resources of a type a full read lacked, of how many held.",
)

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


old_key = Table(
    "old_key",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("record", LargeBinary(16), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("subject", LargeBinary(16), nullable=False),
    Column("type", String, nullable=False),
    Column("changed", BigInteger, nullable=False),
    comment="Keys under which records may have been published and are no longer: to be told before the record, then deleted.",
)

refused = Table(
    "refused",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("record", LargeBinary(16), nullable=False),
    Column("reason", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    comment="Changes that cannot be sent, until their record changes again.",
)
Index("ix_refused_record", refused.c.record)

touched = Table(
    "touched",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("subject", LargeBinary(16), nullable=False),
    comment="Subjects that lost a record by the change of this number; deleted when a load that saw it completes.",
)

told = Table(
    "told",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("site", String(31), nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("event", String, nullable=False),
    Column("at", Instant, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("change", BigInteger, nullable=False, server_default="0"),
    comment="Events about a site that wait to be sent, in their order; written where they become true, deleted when sent.",
)
Index("ix_told_site", told.c.site, told.c.number)

topic = Table(
    "topic",
    metadata,
    Column("name", String, primary_key=True),
    Column("partitions", Integer, nullable=False),
    comment="Partitions a topic had when it was first published to: a subject's place follows from their count.",
)

told_mark = Table(
    "told_mark",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("topic", String, comment="The brokers' name of the outcome topic it was published to; null: not known."),
    comment="The last change that may have been published, told to the network before it was. A state that knows of less than the "
    "network was restored from a backup.",
)

epoch_began = Table(
    "epoch_began",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("before", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),
    comment="Where an epoch began: changes with numbers up to this one were published in the epoch before.",
)

replay = Table(
    "replay",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("asked", String, primary_key=True),
    Column("after", BigInteger, nullable=False),
    Column("upto", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("started", Instant, nullable=False),
    comment="Replays under way: what was asked for, up to which change it has come, and where it ends.",
)

alias = Table(
    "alias",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site", String(31), nullable=False),
    Column("old", LargeBinary(16), nullable=False),
    Column("surviving", LargeBinary(16), nullable=False),
    Column("why", String, nullable=False),
    Column("since", Instant, nullable=False),
    Column("ended", Instant),
    comment="Subjects that are another: merged patients, a new pseudonym key, a change of EHR.",
)
VALID = text("ended IS NULL")
Index("ix_alias_old", alias.c.site, alias.c.old, unique=True, sqlite_where=VALID, postgresql_where=VALID)

withdrawal = Table(
    "withdrawal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site", String(31), nullable=False),
    Column("subject", LargeBinary(16), nullable=False),
    Column("scope", String, nullable=False),
    Column("erase", Boolean, nullable=False),
    Column("by", String, nullable=False),
    Column("since", Instant, nullable=False),
    Column("ended", Instant),
    Column("ended_by", String),
    comment="Withdrawals of consent, by the subject who was named; by: an operator, or the EHR's own Consent.",
)
Index(
    "ix_withdrawal_subject",
    withdrawal.c.site,
    withdrawal.c.subject,
    withdrawal.c.scope,
    unique=True,
    sqlite_where=VALID,
    postgresql_where=VALID,
)

standing = Table(
    "standing",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("subject", LargeBinary(16), primary_key=True),
    Column("sequence", Integer, nullable=False),
    Column("qi", Boolean, nullable=False),
    Column("research", Boolean, nullable=False),
    Column("erase", Boolean, nullable=False),
    Column("superseded_by", LargeBinary(16)),
    Column("changed", Instant, nullable=False),
    Column("purged", Instant),
    comment="How it stands with a subject, as the network was told last: for what consent is withdrawn, whether it is to be "
    "forgotten, which subject it is. Of subjects of whom there was something to tell. purged: the landing holds nothing of it.",
)

reference = Table(
    "reference",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("ref", LargeBinary(12), primary_key=True),
    Column("type", String, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("updated", BigInteger),
    comment="Resources that others are read with (Medication), as a mapping that looks them up is given them.",
)

dependent = Table(
    "dependent",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("ref", LargeBinary(12), primary_key=True),
    Column("on", LargeBinary(12), primary_key=True),
    Column("subject", LargeBinary(16), nullable=False),
    Column("due", Boolean, nullable=False),
    Column("line", LargeBinary, nullable=False),
    comment="Lines that were read with another resource (compressed by zlib); due: that one changed since.",
)
Index("ix_dependent_on", dependent.c.site, dependent.c.on)
DUE = text("due")
Index("ix_dependent_due", dependent.c.site, sqlite_where=DUE, postgresql_where=DUE)
OWN = text('ref = "on"')
"""Lines that lack what another resource may tell of them."""
Index("ix_dependent_own", dependent.c.site, dependent.c.ref, sqlite_where=OWN, postgresql_where=OWN)

lent = Table(
    "lent",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("to", LargeBinary(12), primary_key=True),
    Column("by", LargeBinary(12), primary_key=True),
    Column("content", LargeBinary),
    Column("updated", BigInteger),
    Column("due", Boolean, nullable=False),
    comment="What resources say of others (a report of its results); null: no longer. Due: the record does not say so yet.",
)
Index("ix_lent_by", lent.c.site, lent.c.by)
Index("ix_lent_due", lent.c.site, lent.c.to, sqlite_where=DUE, postgresql_where=DUE)

profile = Table(
    "profile",
    metadata,
    Column("site", String(31), primary_key=True),
    Column("load", String, primary_key=True),
    Column("counted", JSON, nullable=False),
    comment="Persons by record type, code and month when a load was judged: what the next one is compared with.",
)

finding = Table(
    "finding",
    metadata,
    Column("record", LargeBinary(16), primary_key=True),
    Column("site", String(31), nullable=False),
    Column("subject", LargeBinary(16), nullable=False),
    Column("flags", JSON, nullable=False),
    comment="Flags that checks of plausibility gave to records; they join those of mapping when a record is published.",
)
Index("ix_finding_subject", finding.c.site, finding.c.subject)

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("site", String(31), nullable=False),
    Column("event", JSON, nullable=False),
    Column("digest", String, nullable=False),
    comment="What was done with patients' data here: FHIR AuditEvents, each with a digest over it and the one before. Only added to.",
)


def pending(site: str) -> ColumnElement[bool]:
    """A site's records whose last change is not published. An index with this condition would be written at every mark."""
    upto = select(published.c.number).where(published.c.site == site).scalar_subquery()
    return and_(
        record.c.site == site,
        record.c.number > func.coalesce(upto, 0),
        record.c.sequence > record.c.published_sequence,
        record.c.number.not_in(select(refused.c.number).where(refused.c.site == site)),
    )
