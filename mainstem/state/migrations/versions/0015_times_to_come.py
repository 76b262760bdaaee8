"""Times of update that were still to come when they were read guard nothing any more: no later version could pass them."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    soon = int((datetime.now(UTC) + timedelta(days=1)).timestamp() * 1_000_000)
    for table in ("record", "lent", "reference"):
        op.execute(sa.text(f"UPDATE {table} SET updated = NULL WHERE updated > :soon").bindparams(soon=soon))
