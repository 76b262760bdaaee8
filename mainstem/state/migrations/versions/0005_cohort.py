"""Who of a site's cohort was read, by type."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cohort_member",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("resource_type", sa.String, primary_key=True),
        sa.Column("ref", sa.LargeBinary(12), primary_key=True),
        sa.Column("known_as", sa.LargeBinary(12), nullable=False),
        comment="Patients of a site's cohort of whom a type is read, by keyed hash; known_as: of all ids a patient went by then.",
    )
