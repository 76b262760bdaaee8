"""A declaration in words, made from what the evaluators compute."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import singledispatch
from typing import Any, NamedTuple

from services.measures.declared import NOBODY, Measure
from services.measures.language.codes import Code, Codes, CodeSet
from services.measures.language.events import (
    EVERY,
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
from services.measures.language.truths import AllOf, AnyOf, Named, Not, Surely, Truth
from services.measures.language.vocabulary import AgeAt, Died, PersonIs

FIELDS = {
    "types": "kind",
    "codings": "code",
    "value_codings": "answer",
    "class_code": "class",
    "discharge_disposition": "discharge",
    "status_reasons": "reason",
}
SPANS = {"issued": "issue", "authored": "order", "supply": "supply"}
RELATIONS = {
    "overlaps": "overlaps",
    "overlaps_after": "begins before the end of and goes on after",
    "during": "is within",
    "starts_during": "begins in",
    "ends_during": "ends in",
    "starts_before": "begins before",
    "starts_no_later_than": "begins no later than",
    "ends_no_later_than": "ends no later than",
}


class Step(NamedTuple):
    """A line of a definition, and the lines below it."""

    text: str
    below: tuple["Step", ...] = ()


def definition_of(measure: Measure) -> list[tuple[str, list[Step]]]:
    """What a measure counts, in words for who does not program: headings, each with steps. From what is computed."""
    who = measure.who
    found = [("Who counts", [step_of(who.initial)])]
    if who.denominator is not None:
        found.append(("Of these, measured", [step_of(who.denominator)]))
    if measure.events is not None and measure.time is not None:
        found.append(("What is counted", [Step(_events(measure.events))]))
        found.append(("For how long", [Step(f"{_moment(measure.time.start)} to {_moment(measure.time.end)}")]))
    elif measure.value is not None:
        found.append(("What is measured", [Step(_field(measure.value))]))
    else:
        found.append(("Who reached it", [step_of(who.numerator)]))
    if who.exclusions != NOBODY:
        found.append(("Who does not count", [step_of(who.exclusions)]))
    if who.exceptions is not None:
        found.append(("Who does not count where it was not reached", [step_of(who.exceptions)]))
    parts = (who, measure.value, measure.events, measure.time, measure.among)
    found.append(("What the words mean", [Step(f"{name}: {meaning}") for name, meaning in meanings(parts).items()]))
    return found


def step_of(truth: Truth) -> Step:
    """A condition as a line with the lines below it."""
    if isinstance(truth, Named):
        inner = step_of(truth.of)
        return Step(truth.name, inner.below if inner.text == "all of" else (inner,))
    if isinstance(truth, AllOf | AnyOf) and len(truth.of) > 1:
        return Step("all of" if isinstance(truth, AllOf) else "any of", tuple(step_of(each) for each in truth.of))
    return Step(said(truth))


def outline(truth: Truth, depth: int = 0) -> list[str]:
    """A condition as indented lines, a step of its reasoning each."""
    indent = "  " * depth
    if isinstance(truth, Named):
        return [f"{indent}{truth.name}:", *outline(truth.of, depth + 1)]
    if isinstance(truth, AllOf | AnyOf) and len(truth.of) > 1:
        word = "all of" if isinstance(truth, AllOf) else "any of"
        return [f"{indent}{word}", *(line for each in truth.of for line in outline(each, depth + 1))]
    return [f"{indent}{said(truth)}"]


def meanings(node: Any) -> dict[str, str]:
    """What the names of single events and of times stand for, in the order in which they build on one another."""
    return {
        each.name: f"the {each.which} of {_events(each.series)}, by {_by(each.by)}"
        if isinstance(each, Pick)
        else f"{_moment(each.first)} to {_moment(each.last)}"
        for each in _named_things(node)
        if not (isinstance(each, Between) and isinstance(each.first, Bound))
    }


def _named_things(node: Any) -> Iterator[Pick | Between]:
    if isinstance(node, tuple):
        parts = list(node)
    else:
        parts = [getattr(node, each.name) for each in fields(node)] if is_dataclass(node) else []
    for part in parts:
        yield from _named_things(part)
    if isinstance(node, Pick) or (isinstance(node, Between) and node.name):
        yield node


@singledispatch
def said(truth: Truth) -> str:
    """A condition in a clause."""
    raise TypeError(truth)


@said.register
def _(truth: Named) -> str:
    return truth.name[0].lower() + truth.name[1:]


@said.register
def _(truth: AllOf) -> str:
    return " and ".join(_bracketed(each) for each in truth.of) or "each of them"


@said.register
def _(truth: AnyOf) -> str:
    return " or ".join(_bracketed(each) for each in truth.of) or "never"


def _bracketed(truth: Truth) -> str:
    return f"({said(truth)})" if isinstance(truth, AllOf | AnyOf) and len(truth.of) > 1 else said(truth)


@said.register
def _(truth: Not) -> str:
    if isinstance(truth.of, Exists):
        return f"there is none of: {_events(truth.of.series)}"
    if isinstance(truth.of, OneOf):
        return f"{_field(truth.of.field)} other than {_or(truth.of.values)}"
    if isinstance(truth.of, Surely) and isinstance(truth.of.of, OneOf):
        return f"{_field(truth.of.of.field)} other than {_or(truth.of.of.values)}, or none given"
    if isinstance(truth.of, Joined):
        return f"without one of: {_events(truth.of.series)}, where {said(truth.of.such)}"
    return f"not {_bracketed(truth.of)}"


@said.register
def _(truth: Surely) -> str:
    return f"surely {_bracketed(truth.of)}"


@said.register
def _(truth: Within) -> str:
    return f"{_field(truth.field)} from {truth.lowest} to {truth.highest}"


@said.register
def _(truth: IsA) -> str:
    return " ".join(filter(None, (_whose(truth.row), f"coded as {_codes(truth.codes)}")))


@said.register
def _(truth: PersonIs) -> str:
    return f"the person's {truth.field.replace('_', ' ')} is {_or(truth.values)}"


@said.register
def _(truth: Exists) -> str:
    return (
        f"there is one of: {_events(truth.series)}"
        if isinstance(truth.series, Series)
        else f"{truth.series.name} exists"
    )


@said.register
def _(truth: Joined) -> str:
    return f"with one of: {_events(truth.series)}, where {said(truth.such)}"


@said.register
def _(truth: Lies) -> str:
    exactly = ", to the instant" if truth.by in ("instant", "timed") else ""
    return " ".join(filter(None, (_span(truth.left), RELATIONS[truth.relation], _span(truth.right) or "it"))) + exactly


@said.register
def _(truth: WithinDays) -> str:
    earlier, later = _moment(truth.earlier), _moment(truth.later)
    return f"{earlier} is {'on the day of' if truth.most == 0 else f'0 to {truth.most} days before'} {later}"


@said.register
def _(truth: OneOf) -> str:
    return f"{_field(truth.field)} {_or(truth.values)}"


@said.register
def _(truth: Coded) -> str:
    return f"{_field(truth.field)} {_or([_codes(codes) for codes in truth.codes])}"


@said.register
def _(truth: Known) -> str:
    return "it has a value" if len(truth.fields) > 1 else f"{_field(Field(truth.row, truth.fields[0]))} known"


@said.register
def _(truth: Compare) -> str:
    return " ".join(filter(None, (_field(truth.field), truth.how, str(truth.number), truth.unit)))


@said.register
def _(truth: Belongs) -> str:
    return f"{_whose(truth.row) or 'it'} recorded at {_whose(truth.visit) or 'the visit'}, or named by it"


@said.register
def _(truth: Linked) -> str:
    return f"at a visit with {said(truth.such)}"


@said.register
def _(truth: AgeAt) -> str:
    ages = (
        f"{truth.youngest} years or older" if truth.oldest is None else f"{truth.youngest} to {truth.oldest} years old"
    )
    return f"{ages} at {_moment(truth.moment)}"


@said.register
def _(truth: Died) -> str:
    return f"died by {_moment(truth.by.end)}"


def _events(series: Series | Pick) -> str:
    if isinstance(series, Pick):
        return series.name
    of = series.such.of if isinstance(series.such, AllOf) else (series.such,)
    return "; ".join((series.noun, *(said(each) for each in of if each != EVERY)))


def _by(by: Moment | Field) -> str:
    return _field(by) if isinstance(by, Field) else _moment(by)


def _field(field: Field) -> str:
    name = FIELDS.get(field.name, field.name.replace("_", " "))
    return " ".join(filter(None, (_whose(field.row), name, f"of its {_codes(field.part)}" if field.part else "")))


def _whose(row: Row) -> str:
    if isinstance(row.which, Pick):
        return f"{row.which.name}:"
    return "its" if row.which == "other" else ""


@singledispatch
def _span(span: Span) -> str:
    raise TypeError(span)


@_span.register
def _(span: Between) -> str:
    if span.name:
        return span.name
    if span.first == span.last:
        return _moment(span.first)
    return f"the time from {_moment(span.first)} to {_moment(span.last)}"


@_span.register
def _(span: SpanOf) -> str:
    what = SPANS.get(span.name)
    if isinstance(span.row.which, Pick):
        return " ".join(filter(None, (what and f"{what} of", span.row.which.name)))
    if span.row.which == "other":
        return f"its {what}" if what else "it"
    return f"the {what}" if what else ""


@singledispatch
def _moment(moment: Moment) -> str:
    raise TypeError(moment)


@_moment.register
def _(moment: Bound) -> str:
    which = "last known day" if moment.which == "known" else moment.which
    return f"the {which} of the measurement period"


@_moment.register
def _(moment: Birthday) -> str:
    return f"the day of turning {moment.years}"


@_moment.register
def _(moment: Death) -> str:
    return "death"


@_moment.register
def _(moment: Extreme) -> str:
    return f"the {moment.which} of {_or([_moment(each) for each in moment.of]).replace(' or ', ' and ')}"


@_moment.register
def _(moment: Edge) -> str:
    which, whose = "last day" if moment.which == "latest" else moment.which, _span(moment.span)
    return f"the {which} of {whose}" if whose else f"the {which}"


@_moment.register
def _(moment: Shifted) -> str:
    parts = [
        f"{abs(count)} {unit}{'s' if abs(count) != 1 else ''} {'before' if count < 0 else 'after'}"
        for count, unit in ((moment.days, "day"), (moment.months, "month"))
        if count
    ]
    return f"{' '.join(parts)} {_moment(moment.moment)}"


def _codes(codes: Codes) -> str:
    if isinstance(codes, CodeSet):
        return f"“{codes.title}” (code set {codes.id}, version {codes.version})"
    return f"“{codes.meaning}”" if isinstance(codes, Code) else f"“{codes.title}”"


def _or(words: tuple[str, ...] | list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
