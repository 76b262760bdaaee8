"""Loads by part with their events, old keys, refused changes, aliases, references; digests without raw values, sets sorted."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

from mainstem.state.digests import digest_of
from mainstem.state.tables import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

AT_ONCE = 5000


def upgrade() -> None:
    _record()
    _loads()
    _outbox()
    _aliases_and_references()
    _contents(op.get_bind())


def _record() -> None:
    own = "What the source said, where the subject is an alias; null: the subject itself."
    op.add_column("record", sa.Column("own_subject", sa.LargeBinary(16), comment=own))


def _loads() -> None:
    op.add_column("load", sa.Column("first_number", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("load", sa.Column("last_number", sa.BigInteger))
    if op.get_bind().dialect.name == "postgresql":
        op.create_table_comment(
            "load",
            "One refresh of one site, from plan to complete. status: running, completed, failed, abandoned. "
            "Its changes have the numbers after first_number up to last_number (null: not ended).",
        )
    op.create_table(
        "load_unit",
        sa.Column("load", sa.String, sa.ForeignKey("load.id"), primary_key=True),
        sa.Column("unit", sa.String, primary_key=True),
        sa.Column("pulled", sa.JSON, nullable=False),
        comment="What was pulled in a load (connectors.pulled.Pulled), by unit of a pull.",
    )
    op.create_table(
        "load_part",
        sa.Column("load", sa.String, sa.ForeignKey("load.id"), primary_key=True),
        sa.Column("part", sa.String, primary_key=True),
        sa.Column("mapping", sa.String, nullable=False),
        sa.Column("place", sa.JSON),
        sa.Column("figures", sa.JSON, nullable=False),
        comment="A part of a load's work (a resource type): its figures (schemas.loads.TypeCounts), what it was mapped under and "
        "how far, renewed with each batch saved.",
    )
    op.create_table(
        "load_published",
        sa.Column("load", sa.String, sa.ForeignKey("load.id"), primary_key=True),
        sa.Column("events", sa.BigInteger, nullable=False),
        comment="Events acknowledged in a load. A row of its own: the publisher adds to it while steps hold the load's row.",
    )
    op.execute("INSERT INTO load_published (load, events) SELECT id, published FROM load WHERE published > 0")
    op.drop_column("load", "published")
    _notes(op.get_bind())
    op.drop_table("load_type")


def _notes(connection: sa.Connection) -> None:
    """What was noted by type or unit; what failed to be pulled had no time of its own."""
    load, noted = sa.table("load", *_columns("id started")), sa.table("load_type", *_columns("load resource_type"))
    noted.append_column(sa.column("counts", sa.JSON))
    noted.append_column(sa.column("pulled", sa.JSON))
    started: dict[str, datetime] = {
        row[0]: row[1] for row in connection.execute(sa.select(load.c.id, sa.type_coerce(load.c.started, Instant)))
    }
    unit = sa.table("load_unit", *_columns("load unit"), sa.column("pulled", sa.JSON))
    part = sa.table("load_part", *_columns("load part mapping"), sa.column("figures", sa.JSON))
    for row in connection.execute(sa.select(noted)).all():
        if row.pulled is not None:
            since = started.get(row.load, datetime.now(UTC)).isoformat()
            pulled = {"as_of": since, "unit": row.resource_type, **row.pulled}
            connection.execute(sa.insert(unit).values(load=row.load, unit=row.resource_type, pulled=pulled))
        if row.counts is not None:
            connection.execute(
                sa.insert(part).values(load=row.load, part=row.resource_type, mapping="", figures=row.counts)
            )


def _columns(names: str) -> Iterator[sa.ColumnClause[Any]]:
    return (sa.column(name) for name in names.split())


def _outbox() -> None:
    op.create_table(
        "old_key",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("record", sa.LargeBinary(16), primary_key=True),
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("subject", sa.LargeBinary(16), nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("changed", sa.BigInteger, nullable=False),
        comment="Keys under which records may have been published and are no longer: to be told before the record, then deleted.",
    )
    op.create_table(
        "refused",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("record", sa.LargeBinary(16), nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        comment="Changes that cannot be sent, until their record changes again.",
    )
    op.create_index("ix_refused_record", "refused", ["record"])
    op.create_table(
        "touched",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("subject", sa.LargeBinary(16), nullable=False),
        comment="Subjects that lost a record by the change of this number; deleted when a load that saw it completes.",
    )
    op.create_table(
        "told",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("site", sa.String(31), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("event", sa.String, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        comment="Events about a site that wait to be sent, in their order; written where they become true, deleted when sent.",
    )
    op.create_index("ix_told_site", "told", ["site", "number"])
    op.create_table(
        "topic",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("partitions", sa.Integer, nullable=False),
        comment="Partitions a topic had when it was first published to: a subject's place follows from their count.",
    )


def _aliases_and_references() -> None:
    op.create_table(
        "alias",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("site", sa.String(31), nullable=False),
        sa.Column("old", sa.LargeBinary(16), nullable=False),
        sa.Column("surviving", sa.LargeBinary(16), nullable=False),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("ended", Instant),
        comment="Subjects that are another: merged patients, a new pseudonym key, a change of EHR.",
    )
    valid, due = sa.text("ended IS NULL"), sa.text("due")
    op.create_index("ix_alias_old", "alias", ["site", "old"], unique=True, sqlite_where=valid, postgresql_where=valid)
    op.create_table(
        "reference",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("ref", sa.LargeBinary(12), primary_key=True),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("updated", sa.BigInteger),
        comment="Resources that others are read with (Medication), as a mapping that looks them up is given them.",
    )
    op.create_table(
        "dependent",
        sa.Column("site", sa.String(31), primary_key=True),
        sa.Column("ref", sa.LargeBinary(12), primary_key=True),
        sa.Column("on", sa.LargeBinary(12), primary_key=True),
        sa.Column("subject", sa.LargeBinary(16), nullable=False),
        sa.Column("due", sa.Boolean, nullable=False),
        sa.Column("line", sa.LargeBinary, nullable=False),
        comment="Lines that were read with another resource (compressed by zlib); due: that one changed since.",
    )
    op.create_index("ix_dependent_on", "dependent", ["site", "on"])
    op.create_index("ix_dependent_due", "dependent", ["site"], sqlite_where=due, postgresql_where=due)


def _contents(connection: sa.Connection) -> None:
    """Digests as they are from now on and sets in their order, so that what comes again is no change; nothing gets pending."""
    record = sa.table("record", *_columns("id digest content"))
    this = sa.text("UPDATE record SET content = :content, digest = :digest WHERE id = :id")
    wanted = sa.select(record.c.id, record.c.digest, record.c.content).where(record.c.content.is_not(None))
    last = b""
    while rows := connection.execute(wanted.where(record.c.id > last).order_by(record.c.id).limit(AT_ONCE)).all():
        last = rows[-1].id
        changed = []
        for id_, digest, content in rows:
            content = sets_sorted(content)
            if digest != (renewed := digest_of(content)):
                changed.append({"id": id_, "content": content, "digest": renewed})
        if changed:
            connection.execute(this, changed)


_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def sets_sorted(content: bytes) -> bytes:
    """A record's JSON with its lists, which are all sets, in the order of their items' JSON, each once."""
    if b"[" not in content:
        return content
    members = {name: bytes(value) for name, value in _members(content).items()}
    for name, value in members.items():
        if value.startswith(b"["):
            members[name] = b"[" + b",".join(sorted({bytes(item) for item in _items(value)})) + b"]"
    return b"{" + b",".join(b'"%b":%b' % (name.encode(), value) for name, value in members.items()) + b"}"
