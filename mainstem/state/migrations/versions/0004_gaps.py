"""Gaps with cause, fix and who; what an operator accepted; what was pulled says by type what did not come."""

import sqlalchemy as sa
from alembic import op

from mainstem.state.tables import Instant
from schemas.gaps import GapCause

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    cause = GapCause.NOT_WHOLE
    for name, value in (("cause", cause.value), ("fix", cause.fix), ("who", cause.who)):
        op.add_column("gap", sa.Column(name, sa.String, nullable=False, server_default=value))
    op.create_table(
        "acceptance",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("resource_type", sa.String, primary_key=True),
        sa.Column("cause", sa.String, primary_key=True),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("at", Instant, nullable=False),
        comment="Gaps that an operator accepted, with the reason, until their type is whole again. The reason stays here.",
    )
    _pulled(op.get_bind())


def _pulled(connection: sa.Connection) -> None:
    """What was pulled: `complete` and `error` become the list of what did not come."""
    unit = sa.table("load_unit", sa.column("load"), sa.column("unit"), sa.column("pulled", sa.JSON))
    for load, name, pulled in connection.execute(sa.select(unit.c.load, unit.c.unit, unit.c.pulled)).all():
        complete, error = pulled.pop("complete", True), pulled.pop("error", "")
        if not complete:
            pulled["short"] = [{"type": "", "cause": GapCause.NOT_WHOLE.value, "reason": error}]
        this = (unit.c.load == load, unit.c.unit == name)
        connection.execute(sa.update(unit).where(*this).values(pulled=pulled))
