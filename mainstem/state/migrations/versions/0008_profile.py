"""What was counted of a site when a load of it was judged."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "profile",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("load", sa.String, primary_key=True),
        sa.Column("counted", sa.JSON, nullable=False),
        comment="Persons by record type, code and month when a load was judged: what the next one is compared with.",
    )
