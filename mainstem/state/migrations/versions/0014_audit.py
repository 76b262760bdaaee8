"""What was done with patients' data: a log that is only added to."""

import sqlalchemy as sa
from alembic import op

from mainstem.database.chained import append_only

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("site", sa.String(31), nullable=False),
        sa.Column("event", sa.JSON, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        comment="What was done with patients' data here: FHIR AuditEvents, each with a digest over it and the one before. Only added to.",
    )
    for statement in append_only("audit", "the audit log", op.get_bind().dialect.name):
        op.execute(statement)
