"""Generated declarations over the whole vocabulary: every kind of condition, moment and span, nested a few steps deep."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, get_args

from hypothesis import strategies as st

from services.measures.language.codes import Codes
from services.measures.language.columns import NORMALISED, SPANS
from services.measures.language.events import (
    OTHER,
    THIS,
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
    PERIOD,
    Between,
    Birthday,
    Bound,
    Death,
    Edge,
    Extreme,
    Lies,
    Moment,
    Relation,
    Shifted,
    Span,
    SpanOf,
    WithinDays,
)
from services.measures.language.truths import AllOf, AnyOf, Named, Not, Surely, Truth
from services.measures.language.vocabulary import AgeAt, Died, PersonIs
from services.measures.library.code_sets import code_set
from services.measures.official import cms2, cms122, cms159, cms165, common

Draw = st.DrawFn
MADE = {"condition": ("prevalence",), "medication": ("supply", "taking")}
SPANS_OF = {
    record: tuple(name for kind, name in SPANS if kind == record and name != "arrival") + MADE.get(record, ())
    for record in ("encounter", "condition", "observation", "procedure", "medication", "service_request")
}
WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "encounter": {"status": ("finished", "planned"), "class_code": ("AMB",)},
    "condition": {"clinical_status": ("active", "resolved"), "category": ("sdoh", "encounter-diagnosis")},
    "observation": {"status": ("final", "cancelled"), "category": ("survey",), "unit": ("%",)},
    "procedure": {"status": ("completed",)},
    "medication": {"status": ("active",), "intent": ("order", "plan")},
    "service_request": {"kind": ("device",), "status": ("draft", "active")},
}
CODED: dict[str, dict[str, tuple[Codes, ...]]] = {
    "encounter": {"types": (common.OFFICE, common.INPATIENT), "discharge_disposition": (common.TO_HOSPICE[0],)},
    "condition": {"codings": (cms165.HYPERTENSION, cms122.DIABETES)},
    "observation": {"codings": (cms122.HBA1C, cms159.PHQ9), "value_codings": (common.YES, cms2.NEGATIVE)},
    "procedure": {"codings": (common.HOSPICE_CARE,)},
    "medication": {"codings": (common.DEMENTIA_DRUGS,)},
    "service_request": {"codings": (common.FRAILTY_DEVICE,)},
}
KNOWN = {
    "encounter": "part_of",
    "condition": "codings",
    "observation": "value",
    "procedure": "status",
    "medication": "steps",
}
RELATIONS: tuple[Relation, ...] = get_args(Relation)
_NUMBERS = tuple(map(Decimal, ("4", "9", "10", "139.5")))
_CODE_SETS = tuple(map(code_set, ("type-1-diabetes", "cystic-fibrosis", "hba1c")))
HOWS: tuple[Literal["<", "<=", ">", ">="], ...] = ("<", "<=", ">", ">=")


class _Of:
    """What can be asked where: of an event of a record type, of another beside it, or of the person alone."""

    def __init__(self, draw: Draw, depth: int, this: str | None = None, other: str | None = None) -> None:
        self.draw, self.depth, self.this, self.other = draw, depth, this, other

    def one(self, *of: Any) -> Any:
        return self.draw(st.sampled_from(of))

    def row(self) -> tuple[Row, str]:
        """Of a series of its own, a single event is picked."""
        rows = [(THIS, self.this)] * 2 if self.this else []
        rows += [(OTHER, self.other)] * 2 if self.other else []
        if not rows or (self.depth > 0 and self.one(False, False, True)):
            pick = self.pick()
            return pick.event, pick.series.record
        return self.one(*rows)

    def series(self) -> Series:
        record = self.one(*SPANS_OF)
        inner = _Of(self.draw, self.depth - 1, record)
        return Series(record, f"{record}s").where(*(inner.truth() for _ in range(self.one(0, 1, 1, 2))))

    def pick(self) -> Pick:
        series = self.series()
        by: Moment | Field = Edge(SpanOf(THIS, self.one(*SPANS_OF[series.record])), self.one("start", "end", "latest"))
        if series.record == "observation" and self.one(True, False):
            by = self.one(THIS.value, Field(THIS, "value", cms165.SYSTOLIC))
        return Pick(series, self.one("first", "last"), by, f"one of the {series.noun}")

    def moment(self) -> Moment:
        kind = (
            self.one("bound", "birthday", "death", "edge", "edge", "shifted", "extreme") if self.depth > 0 else "bound"
        )
        if kind == "bound":
            return Bound(self.one("start", "end", "known"))
        if kind == "birthday":
            return Birthday(self.one(0, 12, 18))
        if kind == "death":
            return Death()
        inner = _Of(self.draw, self.depth - 1, self.this, self.other)
        if kind == "edge":
            return Edge(inner.span(), self.one("start", "end", "latest"))
        if kind == "shifted":
            return Shifted(inner.moment(), self.one(-14, 0, 1, 12), self.one(-60, -1, 0, 30))
        return Extreme(self.one("earliest", "latest"), (inner.moment(), inner.moment()))

    def span(self) -> Span:
        if self.depth <= 0 or self.one(False, False, True):
            return PERIOD
        inner = _Of(self.draw, self.depth - 1, self.this, self.other)
        if self.one(False, False, True):
            return Between(inner.moment(), inner.moment(), "a time")
        row, record = inner.row()
        return SpanOf(row, self.one(*SPANS_OF[record]))

    def truth(self) -> Truth:
        """Any condition that can be asked here; none below a depth of 0 but the simplest."""
        kinds: list[Callable[[], Truth]] = [self.age, self.person_is, self.died]
        if self.this or self.depth > 0:
            kinds += [self.words, self.coded, self.known, self.compare, self.within, self.is_a]
        if self.depth > 0:
            kinds += [self.lies, self.lies, self.within_days, self.joined, self.exists, self.boolean, self.boolean]
            kinds += [self.linked] if self.this == "observation" else []
            kinds += [self.belongs] if self.other == "encounter" and self.this == "observation" else []
        return self.one(*kinds)()

    def inner(self) -> "_Of":
        return _Of(self.draw, self.depth - 1, self.this, self.other)

    def age(self) -> Truth:
        youngest = self.one(0, 12, 18, 65)
        return AgeAt(self.inner().moment(), youngest, self.one(None, youngest + 5))

    def person_is(self) -> Truth:
        return PersonIs("sex", ("female",))

    def died(self) -> Truth:
        return Died(self.inner().span())

    def words(self) -> Truth:
        row, record = self.row()
        name = self.one(*WORDS[record])
        return OneOf(Field(row, name), WORDS[record][name])

    def coded(self) -> Truth:
        row, record = self.row()
        name = self.one(*CODED[record])
        return Coded(Field(row, name), CODED[record][name])

    def known(self) -> Truth:
        row, record = self.row()
        return Known(row, (KNOWN.get(record, "status"),))

    def number(self) -> Field:
        row, record = self.row()
        if record != "observation":
            series = Series("observation", "results")
            row = series.last("the last result", by=Edge(SpanOf(THIS, "effective"), "start")).event
        return Field(row, "value", self.one(None, None, cms165.SYSTOLIC))

    def compare(self) -> Truth:
        return Compare(self.number(), self.one(*HOWS), self.one(*_NUMBERS), self.one(None, "%"))

    def within(self) -> Truth:
        return Within(self.number(), _NUMBERS[0], self.one(*_NUMBERS))

    def is_a(self) -> Truth:
        row, record = self.row()
        known = {kind for kind, _ in NORMALISED} & {"condition", "observation"}
        if record not in known:
            return Exists(Series("condition", "diagnoses").where(IsA(THIS, self.one(*_CODE_SETS))))
        return IsA(row, self.one(*_CODE_SETS))

    def lies(self) -> Truth:
        inner = self.inner()
        return Lies(
            inner.span(), self.one(*RELATIONS), inner.span(), self.one("day", "day", "instant", "stated", "timed")
        )

    def within_days(self) -> Truth:
        inner = self.inner()
        return WithinDays(inner.moment(), inner.moment(), self.one(0, 14, 400), self.one("day", "stated"))

    def joined(self) -> Truth:
        if self.this is None:
            return self.exists()
        series = self.inner().series()
        such = _Of(self.draw, self.depth - 1, self.this, series.record).truth()
        return Joined(series, such)

    def exists(self) -> Truth:
        inner = self.inner()
        return Exists(self.one(inner.series(), inner.pick()))

    def linked(self) -> Truth:
        return Linked(THIS, _Of(self.draw, self.depth - 1, "encounter").truth())

    def belongs(self) -> Truth:
        return Belongs(THIS, OTHER)

    def boolean(self) -> Truth:
        inner = self.inner()
        how = self.one("all", "any", "not", "surely", "named")
        if how in ("all", "any"):
            of = tuple(inner.truth() for _ in range(self.one(0, 2, 3)))
            return AllOf(of) if how == "all" else AnyOf(of)
        truth = inner.truth()
        return {"not": Not(truth), "surely": Surely(truth), "named": Named("A step", truth)}[how]


@st.composite
def truths(draw: Draw, count: int = 12, depth: int = 3) -> list[Truth]:
    """Some conditions of a person."""
    return [_Of(draw, depth).truth() for _ in range(count)]
