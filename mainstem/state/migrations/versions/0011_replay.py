"""Where epochs began, so that what is told again has the id it had; how far a replay has come, so that it can be taken up again."""

import sqlalchemy as sa
from alembic import op

from mainstem.state.tables import Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    named = "The brokers' name of the outcome topic it was published to; null: not known."
    op.add_column("told_mark", sa.Column("topic", sa.String, comment=named))
    op.create_table(
        "epoch_began",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("epoch", sa.Integer, primary_key=True),
        sa.Column("before", sa.Integer, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        comment="Where an epoch began: changes with numbers up to this one were published in the epoch before.",
    )
    op.create_table(
        "replay",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("asked", sa.String, primary_key=True),
        sa.Column("after", sa.BigInteger, nullable=False),
        sa.Column("upto", sa.BigInteger, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("started", Instant, nullable=False),
        comment="Replays under way: what was asked for, up to which change it has come, and where it ends.",
    )
