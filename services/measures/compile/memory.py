"""A declaration as a function of one person's records, in memory: yes, no or unknown (`None`)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import singledispatchmethod
from math import inf
from typing import Any, NamedTuple

from services.measures.compile.answers import Answer, Decided, Scope, all_answers, any_answer, decided, once
from services.measures.compile.coded import Events, each_of, looked_up, sought
from services.measures.compile.people import Person, Record
from services.measures.compile.relations import RELATIONS, all_of, compared, negated, related
from services.measures.compile.spans import Beginning, Ends, beginning, ends_of, split
from services.measures.compile.times import FOREVER, full_years, no_later, on, shifted
from services.measures.compile.times import Known as When
from services.measures.language.columns import NORMALISED
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
from services.measures.language.nodes import Alike, Periodic
from services.measures.language.truths import AllOf, AnyOf, Named, Not, Surely, Truth
from services.measures.language.vocabulary import AgeAt, Died, PersonIs
from services.measures.valuesets import NONE, ValueSets

Time = Callable[[Scope], When]
Times = Callable[[Scope], Ends]
Event = Callable[[Scope], Record | None]


class Period(NamedTuple):
    """The measurement period, both days included."""

    first: date
    last: date
    until: date | None = None
    """The last day of which anything can be known; none: its last."""

    @classmethod
    def of(cls, day: str) -> "Period":
        """One day, of a date as text."""
        return cls(date.fromisoformat(day), date.fromisoformat(day))

    @property
    def known(self) -> date:
        """The last day of it of which anything can be known."""
        return self.last if self.until is None else min(self.last, self.until)


class InMemory:
    """Compiles declarations for one measurement period and the value sets given."""

    def __init__(self, period: Period, valuesets: ValueSets = NONE, steady: "InMemory | None" = None) -> None:
        """`steady`: of another period, with the same value sets; what no period changes is found by it once for both."""
        self._bounds = {"start": on(period.first), "end": on(period.last), "known": on(period.known)}
        self._valuesets = valuesets
        self._steady = steady or self
        self._alike: Alike = Alike() if steady is None else steady._alike
        self._periodic: Periodic = Periodic() if steady is None else steady._periodic
        self._compiled: dict[int, Events] = {}
        self._named: dict[int, Answer] = {}

    def of_person(self, truth: Truth) -> Callable[[Person], bool | None]:
        """The function of a person that a declaration is. Raises `OperatorError` where a value set is missing."""
        answer = self._truth(truth)
        return lambda person: answer(Scope(person))

    def of_event(self, truth: Truth) -> Callable[[Person, Record | None], bool | None]:
        """The function of a person and one event, `THIS`."""
        answer = self._truth(truth)
        return lambda person, event: answer(Scope(person, event))

    def decided(self, truths: Mapping[str, Truth]) -> Callable[[Person, Record | None], Decided]:
        """The function of a person and one event, `THIS`, that says which of some truths over named conditions are surely so."""
        decide = decided(truths, self._truth)
        return lambda person, event: decide(Scope(person, event))

    def events(self, series: Series | Pick) -> Events:
        """The function from a person to a series' events; one for all series that are alike."""
        one = self._alike(series)
        if self._steady is not self and not self._periodic(one):
            return self._steady.events(one)
        known = self._compiled.get(id(one))
        if known is None:
            known = self._pick(one) if isinstance(one, Pick) else self._series(one)
            self._compiled[id(one)] = known
        return known

    def number(self, field: Field) -> Callable[[Person], Decimal | None]:
        """The function from a person to a number."""
        number = self._number(field)
        return lambda person: number(Scope(person))[0]

    def days(self, span: Span) -> Callable[[Person], int | None]:
        """The function from a person to the days of a span: none of one that ends before it starts, unknown without both ends."""
        ends = self._span(span)

        def days(person: Person) -> int | None:
            start, end, _ = ends(Scope(person))
            if (
                start.first_day != start.last_day
                or end.first_day != end.last_day
                or inf in (-start.first_day, end.last_day)
            ):
                return None
            return max(0, int(end.first_day - start.first_day) + 1)

        return days

    def _series(self, series: Series) -> Events:
        """What the period changes is asked of those alone for which the rest holds."""
        steady, changing = split(series, self._periodic)
        among, asked = looked_up(series) if steady is None else (self.events(steady), each_of(changing))
        if not asked:
            return among
        if (begun := beginning(asked)) is not None:
            return self._beginning(among, begun)
        such, key = all_answers([self._truth(each) for each in asked]), object()

        def events(person: Person) -> Sequence[Record]:
            if key not in person.found:
                person.found[key] = [each for each in among(person) if such(Scope(person, each))]
            found: Sequence[Record] = person.found[key]
            return found

        return events

    def _beginning(self, among: Events, begun: Beginning) -> Events:
        """Asked of the same events in every period: when each begins is found once for all, with the first and last day that decide."""
        span, days = begun
        last = self._bounds["end"].first_day
        first = self._bounds["start"].first_day if days is None else last
        known, key, name = (among, span.name, days), object(), span.name

        def decisive(person: Person, each: Record) -> tuple[Record, float, float]:
            start = ends_of(person, each, name).start
            early = start if days is None else shifted(start, 0, days)
            return each, early.first_day, start.last_day

        def events(person: Person) -> Sequence[Record]:
            if key not in person.found:
                if known not in person.found:
                    person.found[known] = [decisive(person, each) for each in among(person)]
                some = person.found[known]
                person.found[key] = [each for each, early, late in some if first <= early and late <= last]
            found: Sequence[Record] = person.found[key]
            return found

        return events

    def _pick(self, pick: Pick) -> Events:
        events, key = self.events(pick.series), object()
        order = self._order(pick.by)
        chosen = min if pick.which == "first" else max

        def picked(person: Person) -> Sequence[Record]:
            if key not in person.found:
                found = events(person)
                person.found[key] = [chosen(found, key=lambda each: order(Scope(person, each)))] if found else []
            one: Sequence[Record] = person.found[key]
            return one

        return picked

    def _order(self, by: Moment | Field) -> Callable[[Scope], Any]:
        if isinstance(by, Field):
            number = self._number(by)
            return lambda scope: _nulls_first(number(scope)[0])
        when = self._moment(by)
        return lambda scope: when(scope).earliest

    def _row(self, row: Row) -> Event:
        if row.which == "this":
            return lambda scope: scope.this
        if row.which == "other":
            return lambda scope: scope.other
        picked = self.events(row.which)
        return lambda scope: next(iter(picked(scope.person)), None)

    # Times

    @singledispatchmethod
    def _moment(self, moment: Moment) -> Time:
        raise TypeError(moment)

    @_moment.register
    def _(self, moment: Bound) -> Time:
        known = self._bounds[moment.which]
        return lambda _scope: known

    @_moment.register
    def _(self, moment: Edge) -> Time:
        ends = self._span(moment.span)
        place = ("start", "end", "latest").index(moment.which)
        return lambda scope: ends(scope)[place]

    @_moment.register
    def _(self, moment: Shifted) -> Time:
        known, months, days = self._moment(moment.moment), moment.months, moment.days
        return lambda scope: shifted(known(scope), months, days)

    @_moment.register
    def _(self, moment: Birthday) -> Time:
        months = 12 * moment.years
        return lambda scope: shifted(scope.person.birth, months, 0)

    @_moment.register
    def _(self, _moment: Death) -> Time:
        return lambda scope: scope.person.death or FOREVER

    @_moment.register
    def _(self, moment: Extreme) -> Time:
        moments, chosen = [self._moment(each) for each in moment.of], min if moment.which == "earliest" else max
        return lambda scope: When(*map(chosen, *(each(scope) for each in moments)))

    @singledispatchmethod
    def _span(self, span: Span) -> Times:
        raise TypeError(span)

    @_span.register
    def _(self, span: Between) -> Times:
        first, last = self._moment(span.first), self._moment(span.last)

        def ends(scope: Scope) -> Ends:
            end = last(scope)
            return Ends(first(scope), end, end)

        return ends

    @_span.register
    def _(self, span: SpanOf) -> Times:
        row, name = self._row(span.row), span.name

        def ends(scope: Scope) -> Ends:
            record = row(scope)
            key, found = (id(record), name), scope.person.found
            if key not in found:
                found[key] = ends_of(scope.person, record, name)
            known: Ends = found[key]
            return known

        return ends

    # Truths

    @singledispatchmethod
    def _truth(self, truth: Truth) -> Answer:
        raise TypeError(truth)

    @_truth.register
    def _(self, truth: AllOf) -> Answer:
        return all_answers([self._truth(each) for each in truth.of])

    @_truth.register
    def _(self, truth: AnyOf) -> Answer:
        return any_answer([self._truth(each) for each in truth.of])

    @_truth.register
    def _(self, truth: Not) -> Answer:
        answer = self._truth(truth.of)
        return lambda scope: negated(answer(scope))

    @_truth.register
    def _(self, truth: Surely) -> Answer:
        answer = self._truth(truth.of)
        return lambda scope: answer(scope) is True

    @_truth.register
    def _(self, truth: Named) -> Answer:
        """Asked of the same events again and again: answered once."""
        one = self._alike(truth)
        if self._steady is not self and not self._periodic(one):
            return self._steady._truth(one)
        known = self._named.get(id(one))
        if known is None:
            known = self._named[id(one)] = once(self._truth(one.of))
        return known

    @_truth.register
    def _(self, truth: Lies) -> Answer:
        left, right, by = self._span(truth.left), self._span(truth.right), truth.by
        if by == "timed":
            return lambda scope: related(truth.relation, left(scope), right(scope), by)
        compare = RELATIONS[truth.relation]
        return lambda scope: compare(left(scope), right(scope), by)

    @_truth.register
    def _(self, truth: WithinDays) -> Answer:
        earlier, later, most, by = self._moment(truth.earlier), self._moment(truth.later), truth.most, truth.by

        def answer(scope: Scope) -> bool | None:
            one, other = earlier(scope), later(scope)
            return all_of((no_later(one, other, by), no_later(other, shifted(one, 0, most), by)))

        return answer

    @_truth.register
    def _(self, truth: OneOf) -> Answer:
        row, name, values = self._row(truth.field.row), truth.field.name, frozenset(truth.values)

        def answer(scope: Scope) -> bool | None:
            found = (row(scope) or {}).get(name)
            if found is None:
                return None
            return not values.isdisjoint(found) if isinstance(found, list) else found in values

        return answer

    @_truth.register
    def _(self, truth: Coded) -> Answer:
        row, name, codes = self._row(truth.field.row), truth.field.name, self._valuesets.codes(truth.codes)

        def answer(scope: Scope) -> bool | None:
            found = (row(scope) or {}).get(name)
            return None if not found else any((each.get("system"), each.get("code")) in codes for each in found)

        return answer

    @_truth.register
    def _(self, truth: Known) -> Answer:
        row, fields = self._row(truth.row), truth.fields
        return lambda scope: any((row(scope) or {}).get(field) is not None for field in fields)

    @_truth.register
    def _(self, truth: Compare) -> Answer:
        number, unit = self._number(truth.field), truth.unit

        def answer(scope: Scope) -> bool | None:
            value, bound, its_unit = number(scope)
            if value is None or unit not in (None, its_unit):
                return None
            return compared(value, bound, truth.how, truth.number)

        return answer

    @_truth.register
    def _(self, truth: Within) -> Answer:
        number, lowest, highest = self._number(truth.field), truth.lowest, truth.highest

        def answer(scope: Scope) -> bool | None:
            value = number(scope)[0]
            return None if value is None else lowest <= value <= highest

        return answer

    @_truth.register
    def _(self, truth: IsA) -> Answer:
        row, wanted = self._row(truth.row), {kind: sought(kind, truth.codes) for kind, _ in NORMALISED}

        def answer(scope: Scope) -> bool:
            record = row(scope)
            return record is not None and any(each.is_in(record) for each in wanted.get(record["type"], ()))

        return answer

    @_truth.register
    def _(self, truth: PersonIs) -> Answer:
        field, values = truth.field, truth.values

        def answer(scope: Scope) -> bool | None:
            said = scope.person.says(field)
            return None if said is None else said in values

        return answer

    @_truth.register
    def _(self, truth: Belongs) -> Answer:
        row, visit = self._row(truth.row), self._row(truth.visit)

        def answer(scope: Scope) -> bool:
            record, seen = row(scope), visit(scope)
            if record is None or seen is None:
                return False
            named = [each.get("record") for each in seen.get("diagnoses", ())]
            return record.get("encounter") == seen["id"] or record["id"] in named

        return answer

    @_truth.register
    def _(self, truth: Linked) -> Answer:
        row, such = self._row(truth.row), self._truth(truth.such)

        def answer(scope: Scope) -> bool | None:
            visit = scope.person.visits.get((row(scope) or {}).get("encounter", ""))
            return None if visit is None else such(Scope(scope.person, visit))

        return answer

    @_truth.register
    def _(self, truth: Joined) -> Answer:
        events, such = self.events(truth.series), self._truth(truth.such)
        return lambda scope: any(such(Scope(scope.person, scope.this, each)) is True for each in events(scope.person))

    @_truth.register
    def _(self, truth: Exists) -> Answer:
        events = self.events(truth.series)
        return lambda scope: bool(events(scope.person))

    @_truth.register
    def _(self, truth: AgeAt) -> Answer:
        when, youngest, oldest = self._moment(truth.moment), truth.youngest, truth.oldest

        def answer(scope: Scope) -> bool | None:
            years = full_years(scope.person.birth, when(scope))
            if years is None:
                return None
            fewest, most = years
            above = True if fewest >= youngest else False if most < youngest else None
            below = True if oldest is None or most <= oldest else False if fewest > oldest else None
            return all_of((above, below))

        return answer

    @_truth.register
    def _(self, truth: Died) -> Answer:
        by = self._span(truth.by)

        def answer(scope: Scope) -> bool | None:
            death = scope.person.death
            return False if death is None else no_later(death, by(scope).end)

        return answer

    def _number(self, field: Field) -> Callable[[Scope], tuple[Decimal | None, str | None, str | None]]:
        """Its value, comparator and unit: of the event itself, or of its one component with the code."""
        row, name = self._row(field.row), field.name
        codes = self._valuesets.codes([field.part]) if field.part else None

        def number(scope: Scope) -> tuple[Decimal | None, str | None, str | None]:
            record = row(scope)
            if record is not None and codes is not None:
                parts = [part for part in scope.person.parts[record["id"]] if _is_coded(part, codes)]
                record = parts[0] if len(parts) == 1 else None
            if record is None or record.get(name) is None:
                return None, None, None
            return Decimal(str(record[name])), record.get("comparator"), record.get("unit")

        return number


def _is_coded(record: Record, codes: frozenset[tuple[str, str]]) -> bool:
    return any((each.get("system"), each.get("code")) in codes for each in record.get("codings", ()))


def _nulls_first(value: Decimal | None) -> tuple[bool, Decimal]:
    return (value is not None, value if value is not None else Decimal(0))
