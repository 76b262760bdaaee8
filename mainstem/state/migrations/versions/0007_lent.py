"""What resources say of others, and the lines that wait for what others could tell them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lent",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("to", sa.LargeBinary(12), primary_key=True),
        sa.Column("by", sa.LargeBinary(12), primary_key=True),
        sa.Column("content", sa.LargeBinary),
        sa.Column("updated", sa.BigInteger),
        sa.Column("due", sa.Boolean, nullable=False),
        comment="What resources say of others (a report of its results); null: no longer. Due: the record does not say so yet.",
    )
    op.create_index("ix_lent_by", "lent", ["site", "by"])
    due = sa.text("due")
    op.create_index("ix_lent_due", "lent", ["site", "to"], sqlite_where=due, postgresql_where=due)
    own = sa.text('ref = "on"')
    op.create_index("ix_dependent_own", "dependent", ["site", "ref"], sqlite_where=own, postgresql_where=own)
