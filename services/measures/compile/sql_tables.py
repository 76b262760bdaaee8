"""What SQL is compiled against: persons, periods, units, code sets, and each series staged once for all persons.

Every event series becomes a temporary table of the ids of its events; one that asks for the measurement period has a row a
period, where there are several. `InSql` compiles the conditions; this knows tables alone.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from sqlalchemy import (
    Column,
    ColumnClause,
    ColumnElement,
    Connection,
    FromClause,
    Index,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    and_,
    case,
    func,
    literal,
    null,
    select,
    text,
    true,
)
from sqlalchemy import column as sql_column
from sqlalchemy import table as sql_table
from sqlalchemy.sql.visitors import iterate

from services.measures.compile import sql_times as times
from services.measures.compile.dialects import entries, instant_text, item_text
from services.measures.compile.from_registry import arrived
from services.measures.compile.memory import Period
from services.measures.compile.payers import payers_on
from services.measures.compile.spans import split
from services.measures.compile.sql_replaced import REPLACING, replaced_of, stands
from services.measures.compile.sql_spans import ENDS, SIDES, spans_of
from services.measures.compile.sql_times import Ends, SqlKnown
from services.measures.language.codes import Codes
from services.measures.language.events import Field, Pick, Row, Series
from services.measures.language.moments import Birthday, Bound, Death, Moment, Shifted, Span, SpanOf, WithinDays
from services.measures.language.nodes import Periodic, parts_of
from services.measures.language.truths import Named, Truth
from services.measures.language.vocabulary import AgeAt, Died, PersonIs
from services.measures.valuesets import ValueSets
from services.registry.tables import RECORD_TABLES, set_aside

Sql = ColumnElement[Any]
TABLES: Mapping[str, Table] = {**RECORD_TABLES, "set_aside": set_aside}
TOLD = ("sex", "race", "ethnicity", "language", "distance")
"""What a person's own record says, by which counts can be told apart."""
STRATA = (*TOLD, "payer")
"""The same, and who pays for their care."""
DAYS = ("birth_first", "birth_last", "death_first", "death_last")
BOUNDS = ("first", "last", "known")


@dataclass(frozen=True, slots=True)
class Scope:
    """Of whom, when, and of which rows, something is asked."""

    person: FromClause
    """Has `site` and `subject`."""
    people: FromClause
    """The person's dates of birth and death, and sex."""
    period: FromClause | None = None
    """The measurement period's `period`, `first`, `last` and `known`; none where there is one for all."""
    this: FromClause | None = None
    other: FromClause | None = None
    answers: FromClause | None = None
    """Has a column for each condition with a name that is settled already."""
    picks: Mapping[str, FromClause] = field(default_factory=dict)
    """By the name of a single event's table the event's record, where it is joined."""
    spans: Mapping[Span, Ends] = field(default_factory=dict)
    """Spans of `this` that are worked out already."""
    moments: Mapping[Moment, SqlKnown] = field(default_factory=dict)
    """Moments likewise."""

    @property
    def given(self) -> list[FromClause]:
        """What a subquery takes from around it."""
        found = (self.person, self.people, self.period, self.this, self.other, self.answers, *self.picks.values())
        return list({id(each): each for each in found if each is not None}.values())


class Staged:
    """The temporary tables of one evaluation."""

    def __init__(self, connection: Connection, periods: Period | Mapping[str, Period], valuesets: ValueSets) -> None:
        """A single period stands in the statements themselves, which is shorter; periods by name in a table."""
        self._connection = connection
        self._valuesets = valuesets
        self.metadata = MetaData()
        self._numbers = count(1)
        self._staged: dict[Series | Pick, Table] = {}
        self._by_identity: dict[int, tuple[Series | Pick, Table]] = {}
        self._sets: dict[tuple[Codes, ...], int] = {}
        self._spans: dict[str, Table] = {}
        self._gone: dict[str, Table] = {}
        self._whose: Table | None = None
        """Of these alone something is asked: of others no event is staged."""
        self._periodic = Periodic()
        self._only = periods if isinstance(periods, Period) else None
        self.periods = self._table(
            "measure_period", Column("period", Text, primary_key=True), *(Column(each, Text) for each in BOUNDS)
        )
        connection.execute(
            self.periods.insert(), period_rows({ALL: periods} if isinstance(periods, Period) else periods)
        )
        self._codes = self._table(
            "measure_code",
            Column("number", Integer, primary_key=True, autoincrement=False),
            Column("system", Text, primary_key=True),
            Column("code", Text, primary_key=True),
        )
        self._people = self._persons()

    def close(self) -> None:
        """Takes the temporary tables away."""
        self.metadata.drop_all(self._connection, checkfirst=False)

    @abstractmethod
    def _truth(self, truth: Truth, scope: Scope) -> Sql:
        """A condition."""

    @abstractmethod
    def _moment(self, moment: Moment, scope: Scope) -> SqlKnown:
        """A moment."""

    @abstractmethod
    def _span(self, span: Span, scope: Scope) -> Ends:
        """A span."""

    @abstractmethod
    def _number(self, field: Field, scope: Scope) -> tuple[Sql, Sql, Sql]:
        """A number, its comparator, its unit."""

    def _table(self, name: str, *columns: Column[Any]) -> Table:
        table = Table(name, self.metadata, *columns, prefixes=["TEMPORARY"])
        table.create(self._connection)
        return table

    def _fill(self, table: Table, rows: Select[Any], *, looked_up: bool = True, one_each: bool = False) -> Table:
        """With an index by subject, and period where it has one, if rows are `looked_up`; PostgreSQL looks at what it holds, else it
        plans for little. `one_each`: a subject has one row, so a join of which nothing is asked is left out by the databases."""
        self._connection.execute(table.insert().from_select([each.name for each in table.c], rows))
        if looked_up:
            own = (table.c[name] for name in ("subject", "site", "period") if name in table.c)
            Index(f"{table.name}_subject", *own, unique=one_each).create(self._connection)
        if self._connection.dialect.name == "postgresql":
            self._connection.execute(text(f"analyze {table.name}"))
        return table

    def _persons(self) -> Table:
        """A row a person: first and last day that birth and death can be; of several records the first by id that knows."""
        table = self._table(
            "measured_person",
            Column("site", Text),
            Column("subject", Text),
            *(Column(each, Text) for each in (*DAYS, *STRATA)),
        )
        person = RECORD_TABLES["person"]
        race = case(
            (entries(person.c.race) > 1, literal("several")), (entries(person.c.race) == 1, item_text(person.c.race, 0))
        )
        told: dict[str, Sql] = {name: person.c[name] for name in ("birth_date", "death_date", *TOLD)}
        told["race"] = race
        known = {
            name: func.min(case((column.is_not(None), person.c.id + literal("|") + column)))
            for name, column in told.items()
        }
        start = func.length(func.min(person.c.id)) + 2
        by_id = (
            select(
                person.c.site, person.c.subject, *(func.substr(each, start).label(name) for name, each in known.items())
            )
            .group_by(person.c.site, person.c.subject)
            .subquery()
        )
        ends = [
            case((day.is_not(None), getattr(times.moment(day, None), which)))
            for day in (by_id.c.birth_date, by_id.c.death_date)
            for which in ("first_day", "last_day")
        ]
        pays = payers_on(select(func.max(self.periods.c.known)).scalar_subquery())
        rows = by_id.outerjoin(pays, and_(*same(pays, by_id)))
        strata = [*(by_id.c[name] for name in TOLD), pays.c.payer]
        return self._fill(table, select(by_id.c.site, by_id.c.subject, *ends, *strata).select_from(rows), one_each=True)

    def _stage(self, series: Series | Pick) -> Table:
        """The table of a series; asked for by identity first, since to compare two declarations is to walk both."""
        known = self._by_identity.get(id(series))
        if known is None:
            if series not in self._staged:
                self._staged[series] = self._stage_anew(series)
            known = self._by_identity[id(series)] = (series, self._staged[series])
        return known[1]

    def _stage_anew(self, series: Series | Pick) -> Table:
        rows = self._picked(series) if isinstance(series, Pick) else self._chosen(series)
        columns = [Column(each.name, Text) for each in rows.selected_columns]
        return self._fill(self._table(f"measure_series_{next(self._numbers)}", *columns), rows)

    def _chosen(self, series: Series) -> Select[Any]:
        """Site, subject, id, and where it matters the period, of each event."""
        steady, changing = split(series, self._periodic)
        if steady is not None and self._only is None and not _of_row(changing):
            return self._of_steady(steady, changing)
        row, people = TABLES[series.record].alias(), self._people.alias()
        source: Any = row.outerjoin(people, and_(*same(people, row)))
        scope = Scope(row, people, None, row)
        columns = [row.c.site, row.c.subject, row.c.id]
        if self._by_period(series):
            period = self.periods.alias()
            source, scope = source.join(period, true()), Scope(row, people, period, row)
            columns.append(period.c.period)
        source, scope = self._with_picks(series.such, source, scope)
        such = [*self._theirs(row), self._truth(series.such, scope)]
        if series.record in REPLACING:
            such.append(stands(row, self._replaced(series.record)))
        return select(*columns).select_from(source).where(*such)

    def _of_steady(self, steady: Series, changing: Truth) -> Select[Any]:
        """What no period changes is asked once, and when those events are is worked out once; each period is laid beside that alone."""
        table = f"measure_steady_{next(self._numbers)}"
        spans = list(dict.fromkeys(each for each in _own(changing, SpanOf) if each.row.which == "this"))
        within = [each for each in _own(changing, WithinDays) if _of_this(each.earlier)]
        moved = list(dict.fromkeys(Shifted(each.earlier, 0, each.most) for each in within))
        names = [f"span_{n}_{end}" for n in range(len(spans)) for end in ENDS]
        names += [f"moment_{n}_{side}" for n in range(len(moved)) for side in SIDES]
        row = sql_table(table, *(sql_column(each, Text) for each in ("site", "subject", "id", *names)))
        known: dict[Span, Ends] = {each: _ends(row, f"span_{n}_") for n, each in enumerate(spans)}
        moments: dict[Moment, SqlKnown] = {each: _known(row, f"moment_{n}_") for n, each in enumerate(moved)}
        people, period = self._people.alias(), self.periods.alias()
        scope = Scope(row, people, period, None, spans=known, moments=moments)
        whose = row.outerjoin(people, and_(*same(people, row))) if any(_own(changing, _OF_PERSON)) else row
        source, scope = self._with_picks(changing, whose.join(period, true()), scope)
        such = self._truth(changing, scope)
        asked = {each.name for each in iterate(such) if isinstance(each, ColumnClause) and each.table is row}
        self._work_out(table, steady, {"span": spans, "moment": moved}, sorted(asked & {*names}))
        return select(row.c.site, row.c.subject, row.c.id, period.c.period).select_from(source).where(such)

    def _work_out(self, name: str, steady: Series, of: Mapping[str, Sequence[Any]], asked: Sequence[str]) -> None:
        """A table of the events, and of them what is asked: `span_0_start_first_day`, `moment_0_latest`."""
        row, people, staged = TABLES[steady.record].alias(), self._people.alias(), self._stage(steady)
        source = staged.join(row, row.c.id == staged.c.id).outerjoin(people, and_(*same(people, row)))
        scope = Scope(row, people, None, row)
        columns: list[Sql] = [row.c.site, row.c.subject, row.c.id]
        for each in asked:
            kind, number, what = each.split("_", 2)
            one = of[kind][int(number)]
            found = self._moment(one, scope) if kind == "moment" else self._span(one, scope)
            end, _, side = what.partition("_") if kind == "span" else ("", "", what)
            columns.append(getattr(getattr(found, end) if end else found, side).label(each))
        table = self._table(name, *(Column(each.name, Text) for each in columns))
        self._fill(table, select(*columns).select_from(source), looked_up=False)

    def _theirs(self, row: FromClause) -> list[Sql]:
        """Of a record of somebody of whom something is asked."""
        return [] if self._whose is None else [row.c.subject.in_(select(self._whose.c.subject))]

    def _replaced(self, record: str) -> Table:
        if record not in self._gone:
            columns = (Column(each, Text) for each in ("site", "subject", "old"))
            self._gone[record] = self._fill(self._table(f"measure_replaced_{record}", *columns), replaced_of(record))
        return self._gone[record]

    def _with_picks(self, node: Any, source: Any, scope: Scope) -> tuple[Any, Scope]:
        """The single events that something asks about, joined once: looked up for each question they would cost far more."""
        picks: dict[str, FromClause] = {}
        for pick in _picks_of(node):
            staged = self._stage(pick)
            if staged.name not in picks:
                of_person, record = staged.alias(), TABLES[pick.series.record].alias()
                source = source.outerjoin(of_person, and_(*of(of_person, scope)))
                source = source.outerjoin(record, record.c.id == of_person.c.id)
                picks[staged.name] = record
        return source, replace(scope, picks=picks)

    def _by_period(self, node: Any) -> bool:
        return self._only is None and self._periodic(node)

    def _picked(self, pick: Pick) -> Select[Any]:
        row, staged = TABLES[pick.series.record].alias(), self._stage(pick.series)
        people, source = self._people.alias(), staged.join(row, row.c.id == staged.c.id)
        source = source.outerjoin(people, and_(*same(people, row)))
        period, key = None, [row.c.site, row.c.subject]
        if "period" in staged.c:
            key.append(staged.c.period)
            if self._by_period(pick.by):
                period = self.periods.alias()
                source = source.join(period, period.c.period == staged.c.period)
        scope = Scope(row, people, period, row)
        by = self._number(pick.by, scope)[0] if isinstance(pick.by, Field) else self._moment(pick.by, scope).earliest
        order = by.asc().nulls_first() if pick.which == "first" else by.desc().nulls_last()
        nth = func.row_number().over(partition_by=key, order_by=[order, row.c.id])
        columns = [row.c.site, row.c.subject, row.c.id, *key[2:]]
        ranked = select(*columns, nth.label("nth")).select_from(source).subquery()
        return select(*(ranked.c[each.name] for each in columns)).where(ranked.c.nth == 1)

    def _stage_span(self, name: str) -> Table:
        if name not in self._spans:
            table = self._table(
                f"measure_{name}", Column("id", Text, primary_key=True), *(Column(end, Text) for end in ENDS)
            )
            self._connection.execute(
                table.insert().from_select(list(table.c), spans_of(name, self._people, self._theirs))
            )
            self._spans[name] = table
        return self._spans[name]

    def _set(self, codes: tuple[Codes, ...]) -> int:
        """The number of a code set, whose codes are written on first use."""
        if codes not in self._sets:
            self._sets[codes] = number = len(self._sets) + 1
            pairs = self._valuesets.codes(codes)
            rows = [{"number": number, "system": system, "code": code} for system, code in sorted(pairs)]
            self._connection.execute(self._codes.insert(), rows)
        return self._sets[codes]


def _picks_of(node: Any) -> Iterator[Pick]:
    """The single events that something asks about itself, not those that it counts events by."""
    if isinstance(node, Pick):
        yield node
    elif not isinstance(node, Series):
        for part in parts_of(node):
            yield from _picks_of(part)


_OF_PERSON = (AgeAt, Birthday, Death, Died, PersonIs)


def _own(node: Any, kind: Any) -> Iterator[Any]:
    """The parts of a kind, but for those of other series."""
    if isinstance(node, kind):
        yield node
    if not isinstance(node, Series | Pick):
        for part in parts_of(node):
            yield from _own(part, kind)


def _of_this(moment: Moment) -> bool:
    """Whether it is asked of the event alone."""
    rows = [each.which for each in _own(moment, Row)]
    return bool(rows) and all(each == "this" for each in rows) and not any(_own(moment, Bound))


def _of_row(node: Any) -> bool:
    """Whether more is asked of the event itself than when it was."""
    if isinstance(node, SpanOf | Series | Pick):
        return False
    if isinstance(node, Row):
        return node.which == "this"
    return any(_of_row(each) for each in parts_of(node))


def _known(row: FromClause, beginning: str) -> SqlKnown:
    return SqlKnown(*(row.c[f"{beginning}{side}"] for side in SIDES))


def _ends(row: FromClause, beginning: str) -> Ends:
    return Ends(*(_known(row, f"{beginning}{end}_") for end in Ends._fields))


def outermost(truth: Truth) -> Iterator[Named]:
    """The conditions with a name that a truth is made of, none within another."""
    if isinstance(truth, Named):
        yield truth
        return
    for part in parts_of(truth):
        if isinstance(part, Truth):
            yield from outermost(part)
        elif isinstance(part, tuple):
            yield from (each for one in part if isinstance(one, Truth) for each in outermost(one))


ALL = "all"
"""The name of a single period."""


def period_rows(periods: Mapping[str, Period]) -> list[dict[str, str]]:
    """Rows of the table of periods."""
    return [
        {"period": name, **{bound: getattr(each, bound).isoformat() for bound in BOUNDS}}
        for name, each in periods.items()
    ]


def same(one: FromClause, other: FromClause) -> tuple[Sql, Sql]:
    """Both are of one person."""
    return one.c.subject == other.c.subject, one.c.site == other.c.site


def of(staged: FromClause, scope: Scope) -> list[Sql]:
    """A staged event is of the person, and of the period, that something is asked of."""
    found = list(same(staged, scope.person))
    if "period" in staged.c:
        assert scope.period is not None
        found.append(staged.c.period == scope.period.c.period)
    return found


NOT_OF_EVERY_RECORD = ("comparator", "unit")
"""Fields of numbers that some records never have: a value we computed is no bound."""


def column_of(row: FromClause, name: str) -> Sql:
    """A field of a record, or what the registry says of it itself."""
    if name == "arrived":
        return arrived(row)  # type: ignore[no-any-return]
    if name == "arrived_date":
        return func.substr(instant_text(arrived(row)), 1, 10)
    if name in NOT_OF_EVERY_RECORD and name not in row.c:
        return null()
    return row.c[name]
