"""Withdrawals of consent, and how it stands with subjects as the network was told."""

import sqlalchemy as sa
from alembic import op

from mainstem.state.tables import Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("told", sa.Column("change", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "withdrawal",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("site", sa.String(31), nullable=False),
        sa.Column("subject", sa.LargeBinary(16), nullable=False),
        sa.Column("scope", sa.String, nullable=False),
        sa.Column("erase", sa.Boolean, nullable=False),
        sa.Column("by", sa.String, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("ended", Instant),
        sa.Column("ended_by", sa.String),
        comment="Withdrawals of consent, by the subject who was named; by: an operator, or the EHR's own Consent.",
    )
    valid = sa.text("ended IS NULL")
    op.create_index(
        "ix_withdrawal_subject",
        "withdrawal",
        ["site", "subject", "scope"],
        unique=True,
        sqlite_where=valid,
        postgresql_where=valid,
    )
    op.create_table(
        "standing",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("subject", sa.LargeBinary(16), primary_key=True),
        sa.Column("sequence", sa.Integer, nullable=False),
        sa.Column("qi", sa.Boolean, nullable=False),
        sa.Column("research", sa.Boolean, nullable=False),
        sa.Column("erase", sa.Boolean, nullable=False),
        sa.Column("superseded_by", sa.LargeBinary(16)),
        sa.Column("changed", Instant, nullable=False),
        sa.Column("purged", Instant),
        comment="How it stands with a subject, as the network was told last: for what consent is withdrawn, whether it is to be "
        "forgotten, which subject it is. Of subjects of whom there was something to tell. purged: the landing holds nothing of it.",
    )
