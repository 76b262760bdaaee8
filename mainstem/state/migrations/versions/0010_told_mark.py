"""How far a site has published, as it was told to the network before: what tells a state that came back from a backup."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "told_mark",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        comment="The last change that may have been published, told to the network before it was. A state that knows of less than the "
        "network was restored from a backup.",
    )
