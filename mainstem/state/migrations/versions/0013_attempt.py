"""The last attempt at each site: one that fails before there is a load was seen nowhere but on the screen."""

import sqlalchemy as sa
from alembic import op

from mainstem.state.tables import Instant

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attempt",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("began", Instant, nullable=False),
        sa.Column("ended", Instant),
        sa.Column("exit_code", sa.Integer),
        sa.Column("cause", sa.String, nullable=False),
        sa.Column("fix", sa.String, nullable=False),
        sa.Column("who", sa.String, nullable=False),
        comment="The last time that a site was to be refreshed, a load or not: many fail before there is one. ended null: it is at it, or "
        "was interrupted.",
    )
