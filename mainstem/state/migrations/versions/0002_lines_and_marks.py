"""What a record's line was, so that it is recognised; and marking as published without touching an index."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    line = "Of the source line, under the mapping that read it; zeros: not kept."
    op.add_column("record", sa.Column("line_digest", sa.LargeBinary(16), comment=line))
    op.create_table(
        "published",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        comment="All changes of the site up to this number are published: the outbox is looked for above it.",
    )
    op.drop_index("ix_record_pending", "record")
    op.create_index("ix_record_number", "record", ["site", "number"])
    if op.get_bind().dialect.name == "postgresql":
        # Room on the page for the copy that marking a record as published makes: no index is written then.
        op.execute("ALTER TABLE record SET (fillfactor = 45)")
