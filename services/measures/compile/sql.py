"""A declaration as set-based SQL over the registry's tables, on PostgreSQL and SQLite; the same answers as in memory.

A condition of a person asks whether there is an id for them among the staged events (`sql_tables`). Yes, no and unknown are
SQL's true, false and null. Conditions with a name are settled first, in a table of their own: what is made of them is short.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import singledispatchmethod
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Double,
    FromClause,
    Integer,
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
    union,
)

from services.measures.compile import sql_times as times
from services.measures.compile.dialects import entries, has_code, has_record, has_word
from services.measures.compile.memory import Period
from services.measures.compile.sql_relations import compared, days_of, related
from services.measures.compile.sql_spans import ENDS
from services.measures.compile.sql_tables import (
    BOUNDS,
    DAYS,
    STRATA,
    TABLES,
    Scope,
    Sql,
    Staged,
    column_of,
    of,
    outermost,
    same,
)
from services.measures.compile.sql_times import FOREVER, UNKNOWN, Ends, SqlKnown
from services.measures.declared import Measure
from services.measures.language.codes import CodeSet
from services.measures.language.columns import NORMALISED, SPANS
from services.measures.language.events import (
    Belongs,
    Coded,
    Compare,
    Exists,
    Field,
    IsA,
    Joined,
    Known,
    Linked,
    OneOf,
    Pick,
    Row,
    Series,
    Within,
)
from services.measures.language.moments import (
    Between,
    Birthday,
    Bound,
    Death,
    Edge,
    Extreme,
    Lies,
    Moment,
    Shifted,
    Span,
    SpanOf,
    WithinDays,
)
from services.measures.language.nodes import found_in
from services.measures.language.truths import AllOf, AnyOf, Named, Not, Surely, Truth
from services.measures.language.vocabulary import AgeAt, Died, PersonIs
from services.measures.valuesets import NONE, ValueSets
from services.registry.tables import JsonDocument


class InSql(Staged):
    """Compiles declarations for one registry, measurement periods and the value sets given; makes temporary tables there."""

    def __init__(
        self, connection: Connection, periods: Period | Mapping[str, Period], valuesets: ValueSets = NONE
    ) -> None:
        super().__init__(connection, periods, valuesets)
        self._settled: list[Named] = []

    def answers(self, truths: Mapping[str, Truth]) -> Iterator[dict[str, Any]]:
        """For each person, by site and subject: `site`, `subject`, and by name whether it is so: 1, 0 or null."""
        table = self._settle(truths)
        scope = Scope(table, table, answers=table)
        columns = [_as_number(self._truth(truth, scope)).label(name) for name, truth in truths.items()]
        key = (table.c.site, table.c.subject)
        query = select(*key, *columns).order_by(*key)
        streamed = {"stream_results": True, "yield_per": 10_000}
        for row in self._connection.execute(query, execution_options=streamed).mappings():
            yield dict(row)

    def by_site(self, truths: Mapping[str, Truth]) -> list[dict[str, Any]]:
        """For each site `site`, and by name of how many persons it is so."""
        table = self._settle(truths)
        scope = Scope(table, table, answers=table)
        counts = [func.count(case((self._truth(truth, scope), 1))).label(name) for name, truth in truths.items()]
        query = select(table.c.site, *counts).group_by(table.c.site).order_by(table.c.site)
        return [dict(row) for row in self._connection.execute(query).mappings()]

    def units(self, measure: Measure, *, alone: bool = True) -> Table:
        """A table with a row for each unit of a measure: whose, of which period, each of its truths (1, 0 or null), its number; none of
        somebody outside the cohort to which a measure is confined. `alone`: no other measure is asked for, so of nobody else
        anything is staged.

        Columns: `site`, `subject`, `period`, `event`, `STRATA`, the names of `measure.truths`, `value`, `events`, `days`.
        """
        whose = None if measure.confined_to is None else self._stage(measure.confined_to)
        self._whose = whose if alone else None
        unit, event = self._units(measure, whose), TABLES[measure.among.record].alias()
        by_event = measure.per == "event"
        scope = Scope(unit, unit, None if self._only else unit, event if by_event else None)
        source: Any = unit.join(event, event.c.id == unit.c.event) if by_event else unit
        asked = (*measure.truths.values(), measure.value, measure.time)
        source, scope = self._with_picks(asked, source, scope)
        answered = self._answered(list(measure.truths.values()), scope, source, unit, self._numbers_of(measure, scope))
        counted = Scope(answered, answered, answers=answered)
        truths = [_as_number(self._truth(truth, counted)).label(name) for name, truth in measure.truths.items()]
        own = [answered.c[name] for name in ("site", "subject", "period", "event", *STRATA, "value", "events", "days")]
        types: list[Column[Any]] = [Column(each.name, each.type) for each in own]
        table = self._table(
            f"measure_unit_{next(self._numbers)}", *types, *(Column(name, Integer) for name in measure.truths)
        )
        return self._fill(table, select(*own, *truths))

    def cohort(self, measure: Measure) -> Table:
        """A table with a row for each person whose measure it is, known by a record of their own or not: birth's first and last day."""
        staged = [self._stage(series) for series in found_in(measure.cohort, Series)]
        told = union(*(select(each.c.site, each.c.subject) for each in staged)).subquery()
        people = self._people.alias()
        own = [told.c.site, told.c.subject, people.c.birth_first, people.c.birth_last]
        source = told.outerjoin(people, and_(*same(people, told)))
        table = self._table(f"measure_cohort_{next(self._numbers)}", *(Column(each.name, Text) for each in own))
        such = self._truth(measure.cohort, Scope(told, people))
        return self._fill(table, select(*own).select_from(source).where(such))

    def _units(self, measure: Measure, whose: Table | None) -> Table:
        """Who counts in which period, with what is known of them."""
        staged, people, period = self._stage(measure.among), self._people.alias(), self.periods.alias()
        which = period.c.period == staged.c.period if "period" in staged.c else true()
        source = staged.join(period, which).outerjoin(people, and_(*same(people, staged)))
        event = staged.c.id if measure.per == "event" else literal("")
        own = [staged.c.site, staged.c.subject, *(period.c[name] for name in ("period", *BOUNDS)), event.label("event")]
        columns = [*own, *(people.c[name] for name in (*DAYS, *STRATA))]
        table = self._table(f"measure_among_{next(self._numbers)}", *(Column(each.name, Text) for each in columns))
        rows = select(*columns).select_from(source).distinct()
        if whose is not None:
            rows = rows.where(exists(select(literal(1)).where(*same(whose, staged)).correlate(staged)))
        return self._fill(table, rows, looked_up=False)

    def _numbers_of(self, measure: Measure, scope: Scope) -> dict[str, tuple[Sql, Any]]:
        value: Sql = null() if measure.value is None else self._number(measure.value, scope)[0]
        days: Sql = null() if measure.time is None else days_of(self._span(measure.time, scope))
        events: Sql = null()
        if measure.events is not None:
            staged = self._stage(measure.events)
            counted = select(func.count()).select_from(staged).where(*of(staged, scope))
            events = counted.correlate(*scope.given).scalar_subquery()
        return {
            "value": (cast(value, Double), Double()),
            "events": (cast(events, Integer), Integer()),
            "days": (cast(days, Integer), Integer()),
        }

    def _settle(self, truths: Mapping[str, Truth]) -> Table:
        """The persons, with the answer to every condition with a name that the truths are made of."""
        people = self._people
        source, scope = self._with_picks(tuple(truths.values()), people, Scope(people, people))
        return self._answered(list(truths.values()), scope, source, people, {})

    def _answered(
        self, truths: list[Truth], scope: Scope, source: FromClause, own: Table, more: Mapping[str, tuple[Sql, Any]]
    ) -> Table:
        named = list(dict.fromkeys(each for truth in truths for each in outermost(truth)))
        answers = [_as_number(self._truth(each, scope)).label(f"answer_{n}") for n, each in enumerate(named)]
        columns: list[Column[Any]] = [Column(each.name, each.type) for each in own.c]
        columns += [Column(each.name, Integer) for each in answers]
        columns += [Column(name, kind) for name, (_, kind) in more.items()]
        table = self._table(f"measure_answer_{next(self._numbers)}", *columns)
        numbers = [number.label(name) for name, (number, _) in more.items()]
        self._fill(table, select(*own.c, *answers, *numbers).select_from(source), looked_up=False)
        self._settled = named
        return table

    # Fields

    def _column(self, row: Row, name: str, scope: Scope) -> Sql:
        if not isinstance(row.which, Pick):
            found = scope.this if row.which == "this" else scope.other
            assert found is not None, "a condition of an event where there is none"
            return column_of(found, name)
        picked = self._stage(row.which)
        if picked.name in scope.picks:
            return column_of(scope.picks[picked.name], name)
        if name == "id":
            query = select(picked.c.id)
        else:
            base = TABLES[row.which.series.record].alias()
            query = select(column_of(base, name)).select_from(picked.join(base, picked.c.id == base.c.id))
        return query.where(*of(picked, scope)).correlate(*scope.given).scalar_subquery()

    def _record(self, row: Row, scope: Scope) -> str:
        if isinstance(row.which, Pick):
            return row.which.series.record
        found = scope.this if row.which == "this" else scope.other
        assert found is not None, "a condition of an event where there is none"
        return str(found.element.name)  # type: ignore[attr-defined]

    # Times

    @singledispatchmethod
    def _moment(self, moment: Moment, scope: Scope) -> SqlKnown:
        raise TypeError(moment)

    @_moment.register
    def _(self, moment: Bound, scope: Scope) -> SqlKnown:
        name = {"start": "first", "end": "last"}.get(moment.which, "known")
        if self._only is not None:
            return times.on(getattr(self._only, name))
        assert scope.period is not None, "a condition of a period where there is none"
        day = scope.period.c[name]
        return times.of_days(day, day)

    @_moment.register
    def _(self, moment: Birthday, scope: Scope) -> SqlKnown:
        return times.shifted(self._born(scope), 12 * moment.years, 0)

    @_moment.register
    def _(self, _moment: Death, scope: Scope) -> SqlKnown:
        first, last = scope.people.c.death_first, scope.people.c.death_last
        return times.of_days(func.coalesce(first, times.FOREVER_), func.coalesce(last, times.FOREVER_))

    @_moment.register
    def _(self, moment: Extreme, scope: Scope) -> SqlKnown:
        return times.extreme([self._moment(each, scope) for each in moment.of], moment.which)

    @_moment.register
    def _(self, moment: Edge, scope: Scope) -> SqlKnown:
        ends: SqlKnown = getattr(self._span(moment.span, scope), moment.which)
        return ends

    @_moment.register
    def _(self, moment: Shifted, scope: Scope) -> SqlKnown:
        if moment in scope.moments:
            return scope.moments[moment]
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
        if span in scope.spans:
            return scope.spans[span]
        if (self._record(span.row, scope), span.name) not in SPANS:
            return self._made_of_several(span.row, span.name, scope)
        return self._as_given(span.row, span.name, scope)

    def _as_given(self, row: Row, name: str, scope: Scope) -> Ends:
        columns = SPANS[self._record(row, scope), name]

        def moment(day: str, instant: str | None) -> SqlKnown:
            exact = None if instant is None else self._column(row, instant, scope)
            return times.moment(self._column(row, day, scope), exact)

        start = moment(columns.start_date, columns.start)
        if columns.end_date is None:
            return Ends(start, start, start)
        end_date = self._column(row, columns.end_date, scope)
        end = moment(columns.end_date, columns.end)
        there = self._column(row, "id", scope).is_not(None)
        without = times.either(there, FOREVER, UNKNOWN) if columns.without_end == "goes on" else start
        if columns.ongoing is not None:
            without = times.either(self._column(row, columns.ongoing, scope).is_(True), FOREVER, start)
        known = end_date.is_not(None)
        begun = self._column(row, columns.start_date, scope).is_not(None) | end_date.is_(None)
        start = times.either(begun, start, times.not_after(end))
        return Ends(start, times.either(known, end, without), times.either(known, end, start))

    def _made_of_several(self, row: Row, name: str, scope: Scope) -> Ends:
        staged = self._stage_span(name)
        event = self._column(row, "id", scope)

        def column(which: str) -> Sql:
            query = select(staged.c[which]).where(staged.c.id == event)
            return query.correlate(*scope.given).scalar_subquery()

        def known(end: str) -> SqlKnown:
            first, last, earliest, latest = (column(each) for each in ENDS if each.startswith(f"{end}_"))
            return SqlKnown(
                func.coalesce(first, times.EVER),
                func.coalesce(last, times.FOREVER_),
                func.coalesce(earliest, times.EVER + times.DAY_START),
                func.coalesce(latest, times.FOREVER_ + times.DAY_END),
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
        if scope.answers is not None:
            return scope.answers.c[f"answer_{self._settled.index(truth)}"] == 1
        return self._truth(truth.of, scope)

    @_truth.register
    def _(self, truth: Lies, scope: Scope) -> Sql:
        return related(truth.relation, self._span(truth.left, scope), self._span(truth.right, scope), truth.by)

    @_truth.register
    def _(self, truth: WithinDays, scope: Scope) -> Sql:
        earlier, later = self._moment(truth.earlier, scope), self._moment(truth.later, scope)
        latest = self._moment(Shifted(truth.earlier, 0, truth.most), scope)
        return and_(times.no_later(earlier, later, truth.by), times.no_later(later, latest, truth.by))

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
        so = compared(value, bound, truth.how, cast(literal(str(truth.number)), Numeric(20, 8)))
        return so if truth.unit is None else case((unit == truth.unit, _as_number(so))) == 1

    @_truth.register
    def _(self, truth: Within, scope: Scope) -> Sql:
        value = self._number(truth.field, scope)[0]
        lowest, highest = (cast(literal(str(each)), Numeric(20, 8)) for each in (truth.lowest, truth.highest))
        return value.between(lowest, highest)

    @_truth.register
    def _(self, truth: IsA, scope: Scope) -> Sql:
        record = self._record(truth.row, scope)
        found = [
            self._is_a(self._column(truth.row, name, scope), system, truth.codes)
            for (kind, system), names in NORMALISED.items()
            if kind == record
            for name in names
        ]
        return func.coalesce(or_(~true(), *found), ~true())

    @staticmethod
    def _is_a(column: Sql, system: str, codes: CodeSet) -> Sql:
        all_codes = (*codes.codes, *codes.categories)
        alike = sorted({each.code for each in all_codes if each.system == system})
        if isinstance(column.type, JsonDocument):
            return has_word(column, *map(literal, alike)) if alike else ~true()
        below = [f"{each.code}." for each in codes.categories if each.system == system]
        return or_(
            column.in_(alike) if alike else ~true(),
            *(func.substr(column, 1, len(beginning)) == beginning for beginning in below),
        )

    @_truth.register
    def _(self, truth: PersonIs, scope: Scope) -> Sql:
        return scope.people.c[truth.field].in_(truth.values)

    @_truth.register
    def _(self, truth: Belongs, scope: Scope) -> Sql:
        id_, visit = self._column(truth.row, "id", scope), self._column(truth.visit, "id", scope)
        at = self._column(truth.row, "encounter", scope) == visit
        listed = has_record(self._column(truth.visit, "diagnoses", scope), id_)
        return func.coalesce(at, ~true()) | func.coalesce(listed, ~true())

    @_truth.register
    def _(self, truth: Linked, scope: Scope) -> Sql:
        visit = TABLES["encounter"].alias()
        such = _as_number(self._truth(truth.such, replace(scope, this=visit, other=None)))
        named = visit.c.id == self._column(truth.row, "encounter", scope)
        query = select(such).where(named, *same(visit, scope.person))
        correlated = scope.given
        return query.correlate(*correlated).scalar_subquery() == 1

    @_truth.register
    def _(self, truth: Joined, scope: Scope) -> Sql:
        pick = truth.series
        series = pick.series if isinstance(pick, Pick) else pick
        staged, other = self._stage(pick), TABLES[series.record].alias()
        such = self._truth(truth.such, replace(scope, other=other))
        query = select(literal(1)).select_from(staged.join(other, other.c.id == staged.c.id))
        query = query.where(*of(staged, scope), such)
        correlated = scope.given
        return exists(query.correlate(*correlated))

    @_truth.register
    def _(self, truth: Exists, scope: Scope) -> Sql:
        staged = self._stage(truth.series)
        if staged.name in scope.picks:
            return scope.picks[staged.name].c.id.is_not(None)
        return exists(select(literal(1)).where(*of(staged, scope)).correlate(*scope.given))

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
        part = TABLES["observation"].alias()
        coded = has_code(part.c.codings, literal(self._set((field.part,))))
        found = case((func.count() == 1, func.min(part.c[name])))
        query = select(found).where(part.c.parent == whole, coded, *same(part, scope.person))
        correlated = scope.given
        return query.correlate(*correlated).scalar_subquery()


def _as_number(truth: Sql) -> Sql:
    """1, 0 or null; asked once, for what is asked twice is worked out twice, at every level again."""
    return cast(truth, Integer)
