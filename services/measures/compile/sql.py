"""A declaration as set-based SQL over the registry's tables, on PostgreSQL and SQLite; the same answers as in memory.

Each event series becomes a temporary table of the ids of its events, filled once for all persons; a condition of a person
asks whether there is an id for them. Yes, no and unknown are SQL's true, false and null.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import singledispatchmethod
from itertools import count
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Index,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    true,
)

from services.measures.compile import sql_times as times
from services.measures.compile.dialects import entries, has_code, has_word
from services.measures.compile.memory import Period
from services.measures.compile.sql_spans import ENDS, spans_of
from services.measures.compile.sql_times import FOREVER, UNKNOWN, SqlKnown
from services.measures.language.codes import Codes
from services.measures.language.columns import SPANS
from services.measures.language.events import (
    Coded,
    Compare,
    Exists,
    Field,
    Joined,
    Known,
    Linked,
    OneOf,
    Pick,
    Row,
    Series,
)
from services.measures.language.moments import Between, Bound, Edge, Lies, Moment, Shifted, Span, SpanOf, WithinDays
from services.measures.language.truths import AllOf, AnyOf, Named, Not, Surely, Truth
from services.measures.language.vocabulary import AgeAt, Died
from services.measures.valuesets import ValueSets
from services.registry.tables import RECORD_TABLES, JsonDocument

Sql = ColumnElement[Any]


class Ends(NamedTuple):
    """Both ends of a span, and the last moment that is given."""

    start: SqlKnown
    end: SqlKnown
    latest: SqlKnown


@dataclass(frozen=True, slots=True)
class Scope:
    """Of whom, and of which rows, something is asked."""

    person: FromClause
    """Has `site` and `subject`."""
    people: FromClause
    """The person's dates of birth and death."""
    this: FromClause | None = None
    other: FromClause | None = None


class InSql:
    """Compiles declarations for one registry, measurement period and the value sets given; makes temporary tables there."""

    def __init__(self, connection: Connection, period: Period, valuesets: ValueSets) -> None:
        self._connection = connection
        self._bounds = {"start": times.on(period.first), "end": times.on(period.last)}
        self._valuesets = valuesets
        self._metadata = MetaData()
        self._numbers = count(1)
        self._staged: dict[Series | Pick, Table] = {}
        self._sets: dict[tuple[Codes, ...], int] = {}
        self._spans: dict[str, Table] = {}
        self._codes = self._table(
            "measure_code",
            Column("number", Integer, primary_key=True, autoincrement=False),
            Column("system", Text, primary_key=True),
            Column("code", Text, primary_key=True),
        )
        self._people = self._persons()

    def close(self) -> None:
        """Takes the temporary tables away."""
        self._metadata.drop_all(self._connection, checkfirst=False)

    def answers(self, truths: dict[str, Truth]) -> Iterator[dict[str, Any]]:
        """For each person, by site and subject: `site`, `subject`, and by name whether it is so: 1, 0 or null."""
        scope = Scope(self._people, self._people)
        columns = [self._as_number(self._truth(truth, scope)).label(name) for name, truth in truths.items()]
        key = (self._people.c.site, self._people.c.subject)
        query = select(*key, *columns).order_by(*key)
        streamed = {"stream_results": True, "yield_per": 10_000}
        for row in self._connection.execute(query, execution_options=streamed).mappings():
            yield dict(row)

    def by_site(self, truths: dict[str, Truth]) -> list[dict[str, Any]]:
        """For each site `site`, and by name of how many persons it is so."""
        scope = Scope(self._people, self._people)
        counts = [func.count(case((self._truth(truth, scope), 1))).label(name) for name, truth in truths.items()]
        query = select(self._people.c.site, *counts).group_by(self._people.c.site).order_by(self._people.c.site)
        return [dict(row) for row in self._connection.execute(query).mappings()]

    # What is staged

    def _table(self, name: str, *columns: Column[Any]) -> Table:
        table = Table(name, self._metadata, *columns, prefixes=["TEMPORARY"])
        table.create(self._connection)
        return table

    def _persons(self) -> Table:
        """A row a person: first and last day that birth and death can be; of several records the first by id that knows."""
        days = ("birth_first", "birth_last", "death_first", "death_last")
        table = self._table(
            "measured_person", Column("site", Text), Column("subject", Text), *(Column(day, Text) for day in days)
        )
        person = RECORD_TABLES["person"]
        known = [
            func.min(case((person.c[day].is_not(None), person.c.id + literal("|") + person.c[day])))
            for day in ("birth_date", "death_date")
        ]
        by_id = (
            select(
                person.c.site,
                person.c.subject,
                *(
                    func.substr(each, func.length(func.min(person.c.id)) + 2).label(f"day_{n}")
                    for n, each in enumerate(known)
                ),
            )
            .group_by(person.c.site, person.c.subject)
            .subquery()
        )
        ends = [
            case((day.is_not(None), getattr(times.moment(day, None), which)))
            for day in (by_id.c.day_0, by_id.c.day_1)
            for which in ("first_day", "last_day")
        ]
        rows = select(by_id.c.site, by_id.c.subject, *ends)
        self._connection.execute(table.insert().from_select(list(table.c), rows))
        Index("measured_person_subject", table.c.site, table.c.subject).create(self._connection)
        return table

    def _stage(self, series: Series | Pick) -> Table:
        if series not in self._staged:
            rows = self._picked(series) if isinstance(series, Pick) else self._chosen(series)
            name = f"measure_series_{next(self._numbers)}"
            table = self._table(name, Column("site", Text), Column("subject", Text), Column("id", Text))
            self._connection.execute(table.insert().from_select(["site", "subject", "id"], rows))
            Index(f"{name}_subject", table.c.site, table.c.subject).create(self._connection)
            self._staged[series] = table
        return self._staged[series]

    def _stage_span(self, name: str) -> Table:
        if name not in self._spans:
            table = self._table(
                f"measure_{name}", Column("id", Text, primary_key=True), *(Column(end, Text) for end in ENDS)
            )
            rows = spans_of(name, self._people)
            self._connection.execute(table.insert().from_select(list(table.c), rows))
            self._spans[name] = table
        return self._spans[name]

    def _chosen(self, series: Series) -> Any:
        row, people = RECORD_TABLES[series.record].alias(), self._people.alias()
        such = self._truth(series.such, Scope(row, people, row))
        whole = row.outerjoin(people, and_(*self._same(people, row)))
        return select(row.c.site, row.c.subject, row.c.id).select_from(whole).where(such)

    def _picked(self, pick: Pick) -> Any:
        row, staged = RECORD_TABLES[pick.series.record].alias(), self._stage(pick.series)
        people = self._people.alias()
        scope = Scope(row, people, row)
        by = self._number(pick.by, scope)[0] if isinstance(pick.by, Field) else self._moment(pick.by, scope).earliest
        nulls_first = case((by.is_(None), 0), else_=1)
        order = [nulls_first, by] if pick.which == "first" else [nulls_first.desc(), by.desc()]
        nth = func.row_number().over(partition_by=(row.c.site, row.c.subject), order_by=[*order, row.c.id])
        ranked = (
            select(row.c.site, row.c.subject, row.c.id, nth.label("nth"))
            .join(staged, staged.c.id == row.c.id)
            .outerjoin(people, and_(*self._same(people, row)))
            .subquery()
        )
        return select(ranked.c.site, ranked.c.subject, ranked.c.id).where(ranked.c.nth == 1)

    def _set(self, codes: tuple[Codes, ...]) -> int:
        """The number of a code set, whose codes are written on first use."""
        if codes not in self._sets:
            self._sets[codes] = number = len(self._sets) + 1
            pairs = self._valuesets.codes(codes)
            rows = [{"number": number, "system": system, "code": code} for system, code in sorted(pairs)]
            self._connection.execute(self._codes.insert(), rows)
        return self._sets[codes]

    # Fields

    def _column(self, row: Row, name: str, scope: Scope) -> Sql:
        if not isinstance(row.which, Pick):
            found = scope.this if row.which == "this" else scope.other
            assert found is not None, "a condition of an event where there is none"
            return found.c[name]
        picked, base = self._stage(row.which), RECORD_TABLES[row.which.series.record].alias()
        query = select(base.c[name]).join(picked, picked.c.id == base.c.id)
        return query.where(*self._same(picked, scope.person)).correlate(*self._given(scope)).scalar_subquery()

    def _record(self, row: Row, scope: Scope) -> str:
        if isinstance(row.which, Pick):
            return row.which.series.record
        found = scope.this if row.which == "this" else scope.other
        assert found is not None, "a condition of an event where there is none"
        return str(found.element.name)  # type: ignore[attr-defined]

    @staticmethod
    def _same(one: FromClause, other: FromClause) -> tuple[Sql, Sql]:
        return one.c.site == other.c.site, one.c.subject == other.c.subject

    @staticmethod
    def _given(scope: Scope) -> list[FromClause]:
        """What a subquery takes from around it."""
        return [each for each in (scope.person, scope.people, scope.this, scope.other) if each is not None]

    @staticmethod
    def _as_number(truth: Sql) -> Sql:
        return case((truth, 1), (~truth, 0), else_=null())

    # Times

    @singledispatchmethod
    def _moment(self, moment: Moment, scope: Scope) -> SqlKnown:
        raise TypeError(moment)

    @_moment.register
    def _(self, moment: Bound, scope: Scope) -> SqlKnown:
        return self._bounds[moment.which]

    @_moment.register
    def _(self, moment: Edge, scope: Scope) -> SqlKnown:
        ends: SqlKnown = getattr(self._span(moment.span, scope), moment.which)
        return ends

    @_moment.register
    def _(self, moment: Shifted, scope: Scope) -> SqlKnown:
        return times.shifted(self._moment(moment.moment, scope), moment.months, moment.days)

    @singledispatchmethod
    def _span(self, span: Span, scope: Scope) -> Ends:
        raise TypeError(span)

    @_span.register
    def _(self, span: Between, scope: Scope) -> Ends:
        end = self._moment(span.last, scope)
        return Ends(self._moment(span.first, scope), end, end)

    @_span.register
    def _(self, span: SpanOf, scope: Scope) -> Ends:
        if (self._record(span.row, scope), span.name) not in SPANS:
            return self._made_of_several(span.row, span.name, scope)
        return self._as_given(span.row, span.name, scope)

    def _as_given(self, row: Row, name: str, scope: Scope) -> Ends:
        columns = SPANS[self._record(row, scope), name]
        start = times.moment(self._column(row, columns.start_date, scope), self._column(row, columns.start, scope))
        if columns.end_date is None or columns.end is None:
            return Ends(start, start, start)
        end_date = self._column(row, columns.end_date, scope)
        end = times.moment(end_date, self._column(row, columns.end, scope))
        there = self._column(row, "id", scope).is_not(None)
        without = times.either(there, FOREVER, UNKNOWN) if columns.without_end == "goes on" else start
        known = end_date.is_not(None)
        return Ends(start, times.either(known, end, without), times.either(known, end, start))

    def _made_of_several(self, row: Row, name: str, scope: Scope) -> Ends:
        staged = self._stage_span(name)
        event = self._column(row, "id", scope)

        def column(which: str) -> Sql:
            query = select(staged.c[which]).where(staged.c.id == event)
            return query.correlate(*self._given(scope)).scalar_subquery()

        def known(end: str) -> SqlKnown:
            first, last, earliest, latest = (column(each) for each in ENDS if each.startswith(f"{end}_"))
            return SqlKnown(
                func.coalesce(first, times.EVER),
                func.coalesce(last, times.FOREVER_),
                func.coalesce(earliest, times.EVER),
                func.coalesce(latest, times.FOREVER_),
            )

        return Ends(known("start"), known("end"), known("latest"))

    @staticmethod
    def _born(scope: Scope) -> SqlKnown:
        first, last = scope.people.c.birth_first, scope.people.c.birth_last
        return times.of_days(func.coalesce(first, times.EVER), func.coalesce(last, times.FOREVER_))

    # Truths

    @singledispatchmethod
    def _truth(self, truth: Truth, scope: Scope) -> Sql:
        raise TypeError(truth)

    @_truth.register
    def _(self, truth: AllOf, scope: Scope) -> Sql:
        return and_(true(), *(self._truth(each, scope) for each in truth.of))

    @_truth.register
    def _(self, truth: AnyOf, scope: Scope) -> Sql:
        return or_(~true(), *(self._truth(each, scope) for each in truth.of))

    @_truth.register
    def _(self, truth: Not, scope: Scope) -> Sql:
        return ~self._truth(truth.of, scope)

    @_truth.register
    def _(self, truth: Surely, scope: Scope) -> Sql:
        return case((self._truth(truth.of, scope), 1), else_=0) == 1

    @_truth.register
    def _(self, truth: Named, scope: Scope) -> Sql:
        return self._truth(truth.of, scope)

    @_truth.register
    def _(self, truth: Lies, scope: Scope) -> Sql:
        left, right, exactly = self._span(truth.left, scope), self._span(truth.right, scope), truth.by == "instant"
        return _relation(truth.relation, left, right, exactly)

    @_truth.register
    def _(self, truth: WithinDays, scope: Scope) -> Sql:
        earlier, later = self._moment(truth.earlier, scope), self._moment(truth.later, scope)
        return and_(times.no_later(earlier, later), times.no_later(later, times.shifted(earlier, 0, truth.most)))

    @_truth.register
    def _(self, truth: OneOf, scope: Scope) -> Sql:
        column = self._column(truth.field.row, truth.field.name, scope)
        if isinstance(column.type, JsonDocument):
            return case((entries(column) > 0, case((has_word(column, *map(literal, truth.values)), 1), else_=0))) == 1
        return column.in_(truth.values)

    @_truth.register
    def _(self, truth: Coded, scope: Scope) -> Sql:
        column = self._column(truth.field.row, truth.field.name, scope)
        among = has_code(column, literal(self._set(truth.codes)))
        return case((entries(column) > 0, case((among, 1), else_=0))) == 1

    @_truth.register
    def _(self, truth: Known, scope: Scope) -> Sql:
        columns = [self._column(truth.row, name, scope) for name in truth.fields]
        return or_(
            *(
                func.coalesce(entries(each), 0) > 0 if isinstance(each.type, JsonDocument) else each.is_not(None)
                for each in columns
            )
        )

    @_truth.register
    def _(self, truth: Compare, scope: Scope) -> Sql:
        value, bound, unit = self._number(truth.field, scope)
        so = _compared(value, bound, truth.how, cast(literal(str(truth.number)), Numeric(20, 8)))
        return so if truth.unit is None else case((unit == truth.unit, self._as_number(so))) == 1

    @_truth.register
    def _(self, truth: Linked, scope: Scope) -> Sql:
        visit = RECORD_TABLES["encounter"].alias()
        such = self._as_number(self._truth(truth.such, replace(scope, this=visit, other=None)))
        named = visit.c.id == self._column(truth.row, "encounter", scope)
        query = select(such).where(named, *self._same(visit, scope.person))
        correlated = self._given(scope)
        return query.correlate(*correlated).scalar_subquery() == 1

    @_truth.register
    def _(self, truth: Joined, scope: Scope) -> Sql:
        pick = truth.series
        series = pick.series if isinstance(pick, Pick) else pick
        staged, other = self._stage(pick), RECORD_TABLES[series.record].alias()
        such = self._truth(truth.such, replace(scope, other=other))
        query = select(literal(1)).select_from(staged.join(other, other.c.id == staged.c.id))
        query = query.where(*self._same(staged, scope.person), such)
        correlated = self._given(scope)
        return exists(query.correlate(*correlated))

    @_truth.register
    def _(self, truth: Exists, scope: Scope) -> Sql:
        staged = self._stage(truth.series)
        return exists(select(literal(1)).where(*self._same(staged, scope.person)).correlate(*self._given(scope)))

    @_truth.register
    def _(self, truth: AgeAt, scope: Scope) -> Sql:
        fewest, most = times.full_years(self._born(scope), self._moment(truth.moment, scope))
        above = case((fewest >= truth.youngest, 1), (most < truth.youngest, 0))
        if truth.oldest is None:
            return above == 1
        below = case((most <= truth.oldest, 1), (fewest > truth.oldest, 0))
        return and_(above == 1, below == 1)

    @_truth.register
    def _(self, truth: Died, scope: Scope) -> Sql:
        first, last = scope.people.c.death_first, scope.people.c.death_last
        in_time = times.no_later(times.of_days(first, last), self._span(truth.by, scope).end)
        return and_(first.is_not(None), in_time)

    def _number(self, field: Field, scope: Scope) -> tuple[Sql, Sql, Sql]:
        if field.part is None:
            value, bound, unit = (self._column(field.row, name, scope) for name in (field.name, "comparator", "unit"))
            return value, bound, unit
        whole = self._column(field.row, "id", scope)
        value, bound, unit = (self._part(field, whole, name, scope) for name in (field.name, "comparator", "unit"))
        return value, bound, unit

    def _part(self, field: Field, whole: Sql, name: str, scope: Scope) -> Sql:
        """A field of the one component with the code; null where there is none, or several."""
        assert field.part is not None
        part = RECORD_TABLES["observation"].alias()
        coded = has_code(part.c.codings, literal(self._set((field.part,))))
        found = case((func.count() == 1, func.min(part.c[name])))
        query = select(found).where(part.c.parent == whole, coded, *self._same(part, scope.person))
        correlated = self._given(scope)
        return query.correlate(*correlated).scalar_subquery()


def _compared(value: Sql, bound: Sql, how: str, number: Sql) -> Sql:
    """As in memory: a value that is itself a bound says yes or no only where every number it can be agrees."""
    if how in (">", ">="):
        return ~_compared(value, bound, "<=" if how == ">" else "<", number)
    fits = value < number if how == "<" else value <= number
    said = case(
        (value.is_(None), null()),
        (bound.is_(None), case((fits, 1), else_=0)),
        (and_(bound.in_(("<", "<=")), or_(fits, and_(bound == "<", value == number))), 1),
        (and_(bound.in_((">", ">=")), or_(~fits, and_(bound == ">", value == number))), 0),
        else_=null(),
    )
    return said == 1


def _relation(relation: str, left: Ends, right: Ends, exactly: bool) -> Sql:
    def no_later(one: SqlKnown, other: SqlKnown) -> Sql:
        return times.no_later(one, other, exactly)

    starts_during = and_(no_later(right.start, left.start), no_later(left.start, right.end))
    found: dict[str, Callable[[], Sql]] = {
        "overlaps": lambda: and_(no_later(left.start, right.end), no_later(right.start, left.end)),
        "overlaps_after": lambda: and_(starts_during, times.before(right.end, left.end, exactly)),
        "during": lambda: and_(no_later(right.start, left.start), no_later(left.end, right.end)),
        "starts_during": lambda: starts_during,
        "ends_during": lambda: and_(no_later(right.start, left.end), no_later(left.end, right.end)),
        "starts_before": lambda: times.before(left.start, right.start, exactly),
        "starts_no_later_than": lambda: no_later(left.start, right.end),
        "ends_no_later_than": lambda: no_later(left.end, right.end),
    }
    return found[relation]()
