"""What checks found of records: flags that stand in their provenance when they are published."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "finding",
        sa.Column("record", sa.LargeBinary(16), primary_key=True),
        sa.Column("site", sa.String(31), nullable=False),
        sa.Column("subject", sa.LargeBinary(16), nullable=False),
        sa.Column("flags", sa.JSON, nullable=False),
        comment="Flags that checks of plausibility gave to records; they join those of mapping when a record is published.",
    )
    op.create_index("ix_finding_subject", "finding", ["site", "subject"])
