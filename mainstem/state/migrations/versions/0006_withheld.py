"""Withdrawals that wait for an operator's word."""

import sqlalchemy as sa
from alembic import op

from mainstem.state.tables import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "withheld",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("resource_type", sa.String, primary_key=True),
        sa.Column("absent", sa.BigInteger, nullable=False),
        sa.Column("held", sa.BigInteger, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("released", Instant),
        comment="Withdrawals too many to be made unasked: how many resources of a type a full read lacked, of how many held.",
    )
