"""The first tables."""

import sqlalchemy as sa
from alembic import op

from mainstem.state.tables import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PENDING = sa.text("sequence > published_sequence")
RUNNING = sa.text("status = 'running'")


def upgrade() -> None:
    known = op.create_table(
        "mainstem",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        comment="One row about this database. epoch rises after a restore from a backup.",
    )
    op.bulk_insert(known, [{"id": 1, "epoch": 1}])
    op.create_table(
        "record",
        sa.Column("id", sa.LargeBinary(16), primary_key=True),
        sa.Column("site", sa.String(31), nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("subject", sa.LargeBinary(16), nullable=False),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("load", sa.String, nullable=False),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("published_sequence", sa.Integer, nullable=False),
        sa.Column("live", sa.Boolean, nullable=False),
        sa.Column("updated", sa.BigInteger),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary),
        sa.Column("provenance", sa.LargeBinary, nullable=False),
        comment="State of every outcome record; the outbox are its rows whose sequence is above published_sequence. "
        "content null: withdrawn. live: what was last published is a value. updated, changed: microseconds since 1970 UTC.",
    )
    op.create_index("ix_record_pending", "record", ["site", "number"], sqlite_where=PENDING, postgresql_where=PENDING)
    if op.get_bind().dialect.name == "postgresql":
        # Every record is rewritten once when it is published: vacuum early, before the table doubles.
        op.execute(
            "ALTER TABLE record SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05)"
        )
    op.create_table(
        "site_state",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        comment="The number of the site's last change. Its row is locked while a batch is saved, so changes commit in their order.",
    )
    op.create_table(
        "tally",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("type", sa.String, primary_key=True),
        sa.Column("records", sa.BigInteger, nullable=False),
        comment="Records not withdrawn, by site and record type, kept with each batch so that nobody has to count.",
    )
    op.create_table(
        "load",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("site", sa.String(31), nullable=False),
        sa.Column("mode", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("started", Instant, nullable=False),
        sa.Column("ended", Instant),
        sa.Column("plan", sa.JSON, nullable=False),
        sa.Column("report", sa.JSON),
        sa.Column("published", sa.BigInteger, nullable=False),
        comment="One refresh of one site, from plan to complete. status: running, completed, failed, abandoned.",
    )
    op.create_index("ix_load_site", "load", ["site", "started"])
    op.create_index("ix_load_running", "load", ["site"], unique=True, sqlite_where=RUNNING, postgresql_where=RUNNING)
    op.create_table(
        "load_type",
        sa.Column("load", sa.String, sa.ForeignKey("load.id"), primary_key=True),
        sa.Column("resource_type", sa.String, primary_key=True),
        sa.Column("counts", sa.JSON),
        sa.Column("pulled", sa.JSON),
        comment="A load's figures (schemas.events.TypeCounts) and what was pulled, by resource type or unit of a pull.",
    )
    op.create_table(
        "watermark",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("resource_type", sa.String, primary_key=True),
        sa.Column("value", Instant, nullable=False),
        sa.Column("load", sa.String, nullable=False),
        comment="Up to when a type is complete, and the load that proved it.",
    )
    op.create_table(
        "gap",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("site", sa.String(31), nullable=False),
        sa.Column("resource_type", sa.String, nullable=False),
        sa.Column("since", Instant),
        sa.Column("until", Instant),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("opened", Instant, nullable=False),
        sa.Column("closed", Instant),
        comment="A window that could not be read; visible until closed.",
    )
    op.create_index("ix_gap_site", "gap", ["site", "resource_type"])
    op.create_table(
        "quarantine",
        sa.Column("load", sa.String, primary_key=True),
        sa.Column("resource_type", sa.String, primary_key=True),
        sa.Column("ref", sa.LargeBinary(12), primary_key=True),
        sa.Column("reason", sa.String, primary_key=True),
        sa.Column("path", sa.String, primary_key=True),
        sa.Column("file", sa.String, primary_key=True),
        sa.Column("line", sa.BigInteger, primary_key=True),
        sa.Column("site", sa.String(31), nullable=False),
        comment="Resources that gave no record: why, and where in the landing folder to look. No source text.",
    )
    op.create_index("ix_quarantine_site", "quarantine", ["site", "resource_type"])
