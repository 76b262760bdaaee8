"""The registry's tables, made from the outcome model: one a record type, with the history of every record and the loads.

A table `observation` holds the current state of the observations: the model's fields as columns, and from where and when
the state came. A withdrawn record leaves its table and stays in `history`.
"""

import json
import types
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from schemas.outcomes import RECORD_TYPES

SEARCHED = {
    "observation": ("code", "effective_date"),
    "condition": ("subject", "code"),
    "encounter": ("subject", "start_date"),
}
"""Indexes the measures need, besides the ones every table has."""


class JsonDocument(UserDefinedType[Any]):
    """JSON written from its text as it came and read as Python values; `jsonb` on PostgreSQL."""

    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        """The column's type where no database has its own."""
        return "JSON"

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """SQLite gives the text back; psycopg has already parsed it."""
        if dialect.name == "postgresql":
            return None
        return _parsed


def _parsed(text: str | None) -> Any:
    """Most lists of a record are empty: nothing is parsed for them."""
    return None if text is None else [] if text == "[]" else json.loads(text)


@compiles(JsonDocument, "postgresql")
def _jsonb(element: JsonDocument, compiler: Any, **kw: Any) -> str:
    return "JSONB"


class UtcText(TypeDecorator[datetime]):
    """Instants on SQLite, which has no time zones: kept in UTC, given back as aware times."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The instant in UTC without its zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The instant in UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


def instant() -> TypeEngine[datetime]:
    """`timestamptz`."""
    return DateTime(timezone=True).with_variant(UtcText(), "sqlite")


def exact() -> TypeEngine[Any]:
    """`numeric`; SQLite has binary numbers only (`raw_value` keeps the exact one)."""
    return Numeric().with_variant(Double(asdecimal=False), "sqlite")


COLUMN_TYPES: dict[object, Callable[[], TypeEngine[Any]]] = {
    str: Text,
    int: BigInteger,
    bool: Boolean,
    Decimal: exact,
    datetime: instant,
    list: JsonDocument,
}


def plain(annotation: Any) -> Any:
    """The Python type a field's values have: `str` for literals and patterned text, `list` for lists of anything."""
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return plain(next(arg for arg in get_args(annotation) if arg is not type(None)))
    if origin is list:
        return list
    if origin is not None:  # Literal and Annotated
        first = get_args(annotation)[0]
        return plain(first) if isinstance(first, type) else type(first)
    return annotation


def pattern(annotation: Any, notes: Iterable[Any] = ()) -> str | None:
    """The pattern a text field must match (ids, partial dates), where the model gives one."""
    if get_origin(annotation) in (Union, types.UnionType):
        return next(filter(None, map(pattern, get_args(annotation))), None)
    if get_origin(annotation) is Annotated:
        notes = getattr(get_args(annotation)[1], "metadata", ())
    return next((note.pattern for note in notes if getattr(note, "pattern", None)), None)


def model_fields(record_type: str) -> dict[str, FieldInfo]:
    """The fields of a record type that are columns: all but `type`, which is the table's name."""
    return {name: field for name, field in RECORD_TYPES[record_type].model_fields.items() if name != "type"}


metadata = MetaData()


def _record_table(record_type: str) -> Table:
    fields = model_fields(record_type)
    columns: list[Any] = [
        Column(
            name,
            COLUMN_TYPES[plain(field.annotation)](),
            primary_key=name == "id",
            nullable=name != "id" and not (name in ("site", "subject") and field.is_required()),
            comment=field.description,
        )
        for name, field in fields.items()
    ]
    columns += [
        Column("sequence", BigInteger, nullable=False, comment="The record's sequence at its site."),
        Column("event_time", instant(), nullable=False, comment="When the change was stored at the site, UTC."),
        Column("load", Text, comment="The load that brought it."),
        Column("software", Text, comment="Version of Mainstem at the site."),
        Column("flags", JsonDocument, comment="What was noticed or changed."),
    ]
    indexes = [Index(f"{record_type}_site_id", "site", "id"), Index(f"{record_type}_subject", "subject")]
    if "replaces" in fields:
        given = text("replaces IS NOT NULL")
        indexes.append(Index(f"{record_type}_replaces", "subject", postgresql_where=given, sqlite_where=given))
    if record_type in SEARCHED:
        indexes.append(Index(f"{record_type}_search", *SEARCHED[record_type]))
    return Table(record_type, metadata, *columns, *indexes, comment=(RECORD_TYPES[record_type].__doc__ or "").strip())


RECORD_TABLES: dict[str, Table] = {record_type: _record_table(record_type) for record_type in RECORD_TYPES}
"""The current state, a table a record type."""

history = Table(
    "history",
    metadata,
    Column("record", Text, primary_key=True, comment="The record's id."),
    Column(
        "epoch", BigInteger, primary_key=True, autoincrement=False, comment="Rises when a site's store is restored."
    ),
    Column(
        "sequence", BigInteger, primary_key=True, autoincrement=False, comment="Rises with each change; gaps coalesced."
    ),
    Column("event", Text, nullable=False, comment="The event's id."),
    Column("op", Text, nullable=False, comment="recorded, amended or withdrawn."),
    Column("time", instant(), nullable=False, comment="When the change was stored at the site, UTC."),
    Column("site", Text, nullable=False),
    Column("type", Text, nullable=False, comment="The record type."),
    Column("value", JsonDocument, comment="The event as it came (record, change, provenance); null for a withdrawal."),
    Column("subject", Text, comment="Of whom: the subject the record had then; null in what an older version wrote."),
    Column("arrived", instant(), comment="When it was stored here, UTC; null in what an older version wrote."),
    comment="Every change of every record that reached this registry, of types that it does not know too.",
)


def _changes_index(name: str, *columns: str, where: str) -> None:
    """An index of few rows: most records are recorded once and never change."""
    Index(name, *(history.c[column] for column in columns), postgresql_where=text(where), sqlite_where=text(where))


CHANGED_AGAIN = "op <> 'recorded'"
"""What of a record's history its own table does not lead to."""
_changes_index("history_changed", "type", "record", where=CHANGED_AGAIN)
_changes_index("history_subject", "subject", where=CHANGED_AGAIN)
_changes_index("history_unfilled", "record", where="subject IS NULL")
Index("history_arrived", history.c.arrived)


token = Table(
    "token",
    metadata,
    Column("name", Text, primary_key=True, comment="What people call it."),
    Column("hash", Text, nullable=False, unique=True, comment="SHA-256 of the token, which is kept nowhere."),
    Column(
        "scope", JsonDocument, nullable=False, comment="What it lets read: types, sites, reads; an empty list is all."
    ),
    Column("created", instant(), nullable=False, comment="UTC."),
    Column("expires", instant(), comment="UTC; null for never."),
    Column("revoked", instant(), comment="UTC; null while it is good. The row stays."),
    Column("role", Text, comment="Whose eyes it reads the feedback pages with; null for the API's."),
    comment="Who may read over HTTP.",
)


erased = Table(
    "erased",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("at", instant(), nullable=False, comment="The last time, UTC."),
    Column("told", Boolean, comment="By their site's word, which may give consent again; false: here, for good."),
    comment="Subjects of whom nothing is kept and nothing is taken any more, whatever the stream brings again.",
)


load = Table(
    "load",
    metadata,
    Column("load", Text, primary_key=True),
    Column("site", Text, nullable=False, index=True),
    Column("event", Text, nullable=False, comment="started, completed or failed."),
    Column("mode", Text, nullable=False, comment="incremental or full."),
    Column("started", instant(), nullable=False),
    Column("ended", instant()),
    Column("published", BigInteger, nullable=False, comment="Outcome events of this load."),
    Column("types", JsonDocument, nullable=False, comment="Figures by FHIR resource type."),
    Column("watermarks", JsonDocument, nullable=False, comment="By FHIR resource type: complete up to then."),
    Column("gaps", JsonDocument, nullable=False, comment="Windows that could not be read."),
    Column("error", Text, comment="Why it failed."),
    comment="The sites' loads, from the load topic.",
)


SAID = {"said": True}
"""Of tables that hold what people say on the pages: whoever serves those adds to them."""

set_aside = Table(
    "set_aside",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("measure", Text, nullable=False, comment="The measure's id."),
    Column("reason", Text, nullable=False, comment="Coded: why."),
    Column("since_date", Text, nullable=False, comment="Local date from which it holds."),
    Column(
        "until_date",
        Text,
        nullable=False,
        comment="Local date up to which it holds: then it expires. 0001-01-01 where it was taken back: on no day.",
    ),
    Column("by", Text, nullable=False, comment="Who decided it at the site."),
    Column("noted", instant(), comment="UTC; null in what an older version wrote."),
    Column("said_until_date", Text, comment="The until_date as it was said, where it was taken back."),
    Column("ended", instant(), comment="UTC, when it was taken back; null while it was not. The row stays."),
    Column("ended_by", Text),
    Index("set_aside_subject", "site", "subject"),
    comment="Persons whom a site has excluded from a measure for a time. Said here, not in the stream: a rebuild keeps it.",
    info=SAID,
)

test_of_change = Table(
    "test_of_change",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False, comment="Who tried it; empty for the network."),
    Column("measure", Text, nullable=False, comment="The id of the measure it is meant for."),
    Column("since_date", Text, nullable=False, comment="Local date from which it was tried."),
    Column("what", Text, nullable=False, comment="What was done, in the team's words."),
    Column("by", Text, nullable=False, comment="Who says so."),
    Column("noted", instant(), nullable=False, comment="UTC."),
    Column(
        "aim", Double, comment="What the measure shall reach; a share in per cent. Null in what an older version wrote."
    ),
    Column("due_date", Text, comment="Local date until which; null in what an older version wrote."),
    Column("prediction", Text, comment="What the team believed would happen."),
    Column("start", Text, comment="How small it starts."),
    Column("idea", Text, comment="The idea of the library that it is; empty where it is the team's own."),
    Index("test_of_change_measure", "measure", "site"),
    comment="What teams tried. Said here, not in the stream: a rebuild keeps it.",
    info=SAID,
)

test_cycle = Table(
    "test_cycle",
    metadata,
    Column("test", Text, primary_key=True, comment="The test of change."),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="1, 2, 3 …"),
    Column("seen", Text, nullable=False, comment="What happened, in the team's words."),
    Column("as_predicted", Boolean, nullable=False),
    Column("decision", Text, nullable=False, comment="adopt, adapt or abandon."),
    Column("next", Text, nullable=False, comment="What is next; of one that ended, what others should know."),
    Column("due_date", Text, comment="Local date of the next look; null where it ended."),
    Column("by", Text, nullable=False),
    Column("noted", instant(), nullable=False, comment="UTC."),
    comment="Rounds of tests of change, and what was decided. Said here, not in the stream: a rebuild keeps it.",
    info=SAID,
)

idea = Table(
    "idea",
    metadata,
    Column("id", Text, primary_key=True),
    Column("measure", Text, nullable=False, comment="The id of the measure it is meant for."),
    Column("what", Text, nullable=False, comment="What is to be done."),
    Column("aim", Double, nullable=False, comment="What the measure shall reach; a share in per cent."),
    Column("weeks", Integer, nullable=False, comment="Until the aim is to be reached."),
    Column("prediction", Text, nullable=False),
    Column("start", Text, nullable=False, comment="How small it starts."),
    Column("issue", Text, nullable=False, comment="The issue it answers; empty where none."),
    Column("role", Text, nullable=False, comment="Role of who proposed it."),
    Column("by", Text, nullable=False, comment="Who proposed it: never shown."),
    Column("at", instant(), nullable=False, comment="UTC."),
    comment="What is proposed to be tried. Said here, not in the stream: a rebuild keeps it.",
    info=SAID,
)

chart_phase = Table(
    "chart_phase",
    metadata,
    Column("measure", Text, primary_key=True, comment="The measure's id."),
    Column("site", Text, primary_key=True, comment="Whose chart; empty for the network's."),
    Column("since_date", Text, primary_key=True, comment="First day of the first period with lines of its own."),
    Column("cause", Text, nullable=False, comment="improvement, definition or intervention."),
    Column("by", Text, nullable=False, comment="Who approved it."),
    Column("reason", Text, nullable=False, comment="Why, in their words."),
    Column("approved", instant(), nullable=False, comment="UTC."),
    Column("withdrawn", instant(), comment="UTC; null while it holds. The row stays."),
    Column("withdrawn_by", Text),
    Column("withdrawn_reason", Text),
    comment="From where on a chart has new lines, as a person approved it. Said here, not in the stream: a rebuild keeps it.",
    info=SAID,
)

contest = Table(
    "contest",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False, index=True),
    Column("record", Text, nullable=False, index=True, comment="The record's id."),
    Column("type", Text, nullable=False, comment="Its record type."),
    Column("reason", Text, nullable=False, comment="What is wrong with it, as a code."),
    Column("by", Text, nullable=False, comment="Who says so."),
    Column("at", instant(), nullable=False, comment="UTC."),
    Column("answer", Text, comment="What became of it, as a code; null while it waits."),
    Column("answered_by", Text),
    Column("answered", instant(), comment="UTC."),
    comment="Records that a clinician says are wrong, and what the site answered. Said here, not in the stream: a rebuild keeps it.",
    info=SAID,
)

family_link = Table(
    "family_link",
    metadata,
    Column("id", Text, primary_key=True),
    Column("code", Text, nullable=False, unique=True, comment="SHA-256 of the code that was printed."),
    Column("site", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("who", Text, nullable=False, comment="self or guardian."),
    Column("by", Text, nullable=False, comment="Who printed it."),
    Column("made", instant(), nullable=False, comment="UTC."),
    Column("expires", instant(), nullable=False, comment="UTC; after that the code opens nothing."),
    Column("ends", Text, comment="Local date from which what it opened is closed: a guardian's, at majority."),
    Column("used", instant(), comment="UTC; a code is good once."),
    Column("revoked", instant(), comment="UTC; null while it holds."),
    Column("revoked_by", Text),
    Index("family_link_subject", "site", "subject"),
    comment="Families' ways to their own page. Said here, not in the stream: a rebuild keeps it.",
    info=SAID,
)

family_answer = Table(
    "family_answer",
    metadata,
    Column("id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("form", Text, nullable=False, comment="before or after a visit."),
    Column("who", Text, nullable=False, comment="self or guardian."),
    Column("by", Text, nullable=False, comment="Whose hand: a family's way in, or who entered it from paper."),
    Column("item", Text, nullable=False, comment="The question or topic, as a code."),
    Column("kind", Text, nullable=False, comment="number, topic or words."),
    Column("number", Integer, comment="The answer."),
    Column("words", Text, comment="In their own words; these never leave this database."),
    Column("at", instant(), nullable=False, comment="UTC."),
    Column("told", instant(), comment="UTC; when its record was at the broker."),
    Index("family_answer_subject", "site", "subject"),
    comment="What families say before and after visits. Said here; numbers and topics become records of the centre's.",
    info=SAID,
)

consent_request = Table(
    "consent_request",
    metadata,
    Column("id", Text, primary_key=True),
    Column(
        "receipt", Text, nullable=False, unique=True, comment="SHA-256 of what the family was given to follow it by."
    ),
    Column("site", Text, nullable=False),
    Column("whom", Text, nullable=False, comment="The subject, of whom nothing else may be kept any more."),
    Column("scope", Text, nullable=False, comment="qi or research."),
    Column("wish", Text, nullable=False, comment="withdraw, erase or give."),
    Column("who", Text, nullable=False, comment="self or guardian."),
    Column("at", instant(), nullable=False, comment="UTC."),
    Column("told", instant(), comment="UTC; when the site was told."),
    Column("done", instant(), comment="UTC; when the site's word was heard here."),
    Index("consent_request_whom", "whom", "scope"),
    comment="What families ask of their site about consent. Said here, not in the stream: a rebuild keeps it, and so does an erasure.",
    info=SAID,
)

extract_request = Table(
    "extract_request",
    metadata,
    Column("id", Text, primary_key=True),
    Column("form", Text, nullable=False, comment="ocdm or omop."),
    Column("tier", Integer, nullable=False),
    Column("cohort", Text, nullable=False, comment="Codes of conditions, with blanks between them; empty: everybody."),
    Column("purpose", Text, nullable=False, comment="What it is for, in words for families."),
    Column("by", Text, nullable=False, comment="Who asks: never shown."),
    Column("at", instant(), nullable=False, comment="UTC."),
    Column("result", Text, nullable=False, comment="What came of it, in words for families."),
    comment="Extracts that researchers ask for. Said here, not in the stream: a rebuild keeps it.",
    info=SAID,
)

extract_answer = Table(
    "extract_answer",
    metadata,
    Column("request", Text, primary_key=True),
    Column("site", Text, primary_key=True),
    Column("approved", Boolean, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", instant(), nullable=False, comment="UTC."),
    comment="What sites answered about their own patients' data.",
    info=SAID,
)

count_asked = Table(
    "count_asked",
    metadata,
    Column("id", Text, primary_key=True),
    Column("by", Text, nullable=False, comment="Who asked: never shown."),
    Column("at", instant(), nullable=False, comment="UTC."),
    Column("cohort", Text, nullable=False, comment="Codes of conditions, sorted, with blanks between them."),
    Column("answer", Text, nullable=False, comment="What was answered, as JSON: given again where the same is asked."),
    Index("count_asked_at", "at"),
    comment="Counts of cohorts that were asked for: a budget, and nothing by the difference of two.",
    info=SAID,
)

issue_raised = Table(
    "issue_raised",
    metadata,
    Column("id", Text, primary_key=True),
    Column("about", Text, nullable=False, comment="care, data, measure or network."),
    Column("site", Text, nullable=False, comment="Whose it is; empty for the network's."),
    Column("measure", Text, nullable=False, comment="The measure's id; empty where it is about none."),
    Column(
        "words",
        Text,
        nullable=False,
        comment="What should be different, in their words; these never leave this database.",
    ),
    Column("role", Text, nullable=False, comment="Role of who raised it."),
    Column("by", Text, nullable=False, comment="Who raised it: never shown."),
    Column("at", instant(), nullable=False, comment="UTC."),
    Column("assigned", Text, nullable=False, comment="The role that is to answer; empty where nobody's."),
    Column(
        "merged_into", Text, nullable=False, comment="The issue it is the same as; empty where it stands on its own."
    ),
    Column("answer", Text, nullable=False, comment="What becomes of it."),
    Column("answered_role", Text, nullable=False),
    Column("answered_by", Text, nullable=False, comment="Never shown."),
    Column("answered", instant(), comment="UTC; null while it waits."),
    Index("issue_raised_site", "site", "at"),
    comment="What people of any role raised. Said here, not in the stream: a rebuild keeps it.",
    info=SAID,
)

issue_follow = Table(
    "issue_follow",
    metadata,
    Column("issue", Text, primary_key=True),
    Column("by", Text, primary_key=True),
    comment="Who follows which issue.",
    info=SAID,
)
