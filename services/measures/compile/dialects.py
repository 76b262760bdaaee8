"""What PostgreSQL and SQLite write differently: JSON lists, days moved, instants as text. All else is SQL that both speak."""

from typing import Any

from sqlalchemy import Boolean, Float, Integer, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class has_code(FunctionElement[bool]):
    """has_code(list of codings, number of a code set): one of them is in the set."""

    type = Boolean()
    inherit_cache = True


class has_word(FunctionElement[bool]):
    """has_word(list of texts, text, …): one of the texts is in the list."""

    type = Boolean()
    inherit_cache = True


class has_record(FunctionElement[bool]):
    """has_record(list of objects, text): the `record` of one of them is that text."""

    type = Boolean()
    inherit_cache = True


class entries(FunctionElement[int]):
    """entries(list): how many there are; null where there is no list."""

    type = Integer()
    inherit_cache = True


class each_text(FunctionElement[str]):
    """each_text(list of texts): a table with a row for each, its `value`."""

    inherit_cache = True


class step_text(FunctionElement[str]):
    """step_text(list of objects, key): the first object's text; null where it has none."""

    type = Text()
    inherit_cache = True


class step_number(FunctionElement[float]):
    """step_number(list of objects, key): the first object's number."""

    type = Float()
    inherit_cache = True


class later(FunctionElement[str]):
    """later(date as text, months, days): the date moved by months, a missing day being the month's last, then by days."""

    type = Text()
    inherit_cache = True


class last_of_month(FunctionElement[str]):
    """last_of_month(`2026-02`): `2026-02-28`."""

    type = Text()
    inherit_cache = True


class instant_text(FunctionElement[str]):
    """instant_text(instant): `2026-03-01 09:00:00.000000` in UTC, so that texts compare as instants do."""

    type = Text()
    inherit_cache = True


class item_text(FunctionElement[str]):
    """item_text(list of texts, place): one of them."""

    type = Text()
    inherit_cache = True


class days_between(FunctionElement[int]):
    """days_between(date as text, later date as text): how many days later."""

    type = Integer()
    inherit_cache = True


class smallest(FunctionElement[str]):
    """smallest(text, …): the first in order."""

    type = Text()
    inherit_cache = True


class largest(FunctionElement[str]):
    """largest(text, …): the last in order."""

    type = Text()
    inherit_cache = True


def _parts(element: FunctionElement[Any], compiler: Any, **kw: Any) -> list[str]:
    return [compiler.process(each, **kw) for each in element.clauses]


@compiles(has_code, "sqlite")
def _has_code_sqlite(element: has_code, compiler: Any, **kw: Any) -> str:
    listed, number = _parts(element, compiler, **kw)
    return (
        f"EXISTS (SELECT 1 FROM json_each({listed}) AS coding JOIN measure_code ON measure_code.number = {number}"
        " AND measure_code.system = json_extract(coding.value, '$.system')"
        " AND measure_code.code = json_extract(coding.value, '$.code'))"
    )


@compiles(has_code, "postgresql")
def _has_code_postgresql(element: has_code, compiler: Any, **kw: Any) -> str:
    listed, number = _parts(element, compiler, **kw)
    return (
        f"EXISTS (SELECT 1 FROM jsonb_array_elements({listed}) AS coding JOIN measure_code"
        f" ON measure_code.number = {number} AND measure_code.system = coding ->> 'system'"
        " AND measure_code.code = coding ->> 'code')"
    )


@compiles(has_word, "sqlite")
def _has_word_sqlite(element: has_word, compiler: Any, **kw: Any) -> str:
    listed, *words = _parts(element, compiler, **kw)
    return f"EXISTS (SELECT 1 FROM json_each({listed}) AS word WHERE word.value IN ({', '.join(words)}))"


@compiles(has_word, "postgresql")
def _has_word_postgresql(element: has_word, compiler: Any, **kw: Any) -> str:
    listed, *words = _parts(element, compiler, **kw)
    return f"EXISTS (SELECT 1 FROM jsonb_array_elements_text({listed}) AS word WHERE word IN ({', '.join(words)}))"


@compiles(has_record, "sqlite")
def _has_record_sqlite(element: has_record, compiler: Any, **kw: Any) -> str:
    listed, record = _parts(element, compiler, **kw)
    return f"EXISTS (SELECT 1 FROM json_each({listed}) AS named WHERE json_extract(named.value, '$.record') = {record})"


@compiles(has_record, "postgresql")
def _has_record_postgresql(element: has_record, compiler: Any, **kw: Any) -> str:
    listed, record = _parts(element, compiler, **kw)
    return f"EXISTS (SELECT 1 FROM jsonb_array_elements({listed}) AS named WHERE named ->> 'record' = {record})"


@compiles(entries, "sqlite")
def _entries_sqlite(element: entries, compiler: Any, **kw: Any) -> str:
    return f"json_array_length({_parts(element, compiler, **kw)[0]})"


@compiles(entries, "postgresql")
def _entries_postgresql(element: entries, compiler: Any, **kw: Any) -> str:
    return f"jsonb_array_length({_parts(element, compiler, **kw)[0]})"


@compiles(each_text, "sqlite")
def _each_text_sqlite(element: each_text, compiler: Any, **kw: Any) -> str:
    return f"json_each({_parts(element, compiler, **kw)[0]})"


@compiles(each_text, "postgresql")
def _each_text_postgresql(element: each_text, compiler: Any, **kw: Any) -> str:
    return f"jsonb_array_elements_text({_parts(element, compiler, **kw)[0]})"


@compiles(step_text, "sqlite")
@compiles(step_number, "sqlite")
def _step_sqlite(element: FunctionElement[Any], compiler: Any, **kw: Any) -> str:
    listed, key = _parts(element, compiler, **kw)
    return f"json_extract({listed}, '$[0].' || {key})"


@compiles(step_text, "postgresql")
def _step_text_postgresql(element: step_text, compiler: Any, **kw: Any) -> str:
    listed, key = _parts(element, compiler, **kw)
    return f"({listed} -> 0 ->> {key})"


@compiles(step_number, "postgresql")
def _step_number_postgresql(element: step_number, compiler: Any, **kw: Any) -> str:
    listed, key = _parts(element, compiler, **kw)
    return f"({listed} -> 0 ->> {key})::numeric"


@compiles(later, "sqlite")
def _later_sqlite(element: later, compiler: Any, **kw: Any) -> str:
    """SQLite carries a missing day into the next month, so the month's last is the smaller of the two. What is moved by `0` is not moved."""
    day, months, days = _parts(element, compiler, **kw)
    by_days = "" if days == "0" else f", ({days}) || ' days'"
    if months == "0":
        return f"date({day}{by_days})"
    month_end = f"date({day}, 'start of month', (({months}) + 1) || ' months', '-1 day')"
    moved = f"min(date({day}, ({months}) || ' months'), {month_end})"
    return f"date({moved}{by_days})" if by_days else moved


@compiles(later, "postgresql")
def _later_postgresql(element: later, compiler: Any, **kw: Any) -> str:
    day, months, days = _parts(element, compiler, **kw)
    moved = f"(({day})::date + make_interval(months => ({months})::integer, days => ({days})::integer))"
    return f"to_char({moved}, 'YYYY-MM-DD')"


@compiles(last_of_month, "sqlite")
def _last_of_month_sqlite(element: last_of_month, compiler: Any, **kw: Any) -> str:
    return f"date({_parts(element, compiler, **kw)[0]} || '-01', '+1 month', '-1 day')"


@compiles(last_of_month, "postgresql")
def _last_of_month_postgresql(element: last_of_month, compiler: Any, **kw: Any) -> str:
    month = _parts(element, compiler, **kw)[0]
    return f"to_char((({month}) || '-01')::date + interval '1 month - 1 day', 'YYYY-MM-DD')"


@compiles(instant_text, "sqlite")
def _instant_text_sqlite(element: instant_text, compiler: Any, **kw: Any) -> str:
    return f"strftime('%Y-%m-%d %H:%M:%f', {_parts(element, compiler, **kw)[0]})"


@compiles(instant_text, "postgresql")
def _instant_text_postgresql(element: instant_text, compiler: Any, **kw: Any) -> str:
    return f"to_char(({_parts(element, compiler, **kw)[0]}) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')"


@compiles(item_text, "sqlite")
def _item_text_sqlite(element: item_text, compiler: Any, **kw: Any) -> str:
    listed, place = _parts(element, compiler, **kw)
    return f"json_extract({listed}, '$[' || {place} || ']')"


@compiles(item_text, "postgresql")
def _item_text_postgresql(element: item_text, compiler: Any, **kw: Any) -> str:
    listed, place = _parts(element, compiler, **kw)
    return f"({listed} ->> ({place})::integer)"


@compiles(days_between, "sqlite")
def _days_between_sqlite(element: days_between, compiler: Any, **kw: Any) -> str:
    first, last = _parts(element, compiler, **kw)
    return f"CAST(round(julianday({last}) - julianday({first})) AS INTEGER)"


@compiles(days_between, "postgresql")
def _days_between_postgresql(element: days_between, compiler: Any, **kw: Any) -> str:
    first, last = _parts(element, compiler, **kw)
    return f"(({last})::date - ({first})::date)"


@compiles(smallest, "sqlite")
def _smallest_sqlite(element: smallest, compiler: Any, **kw: Any) -> str:
    return f"min({', '.join(_parts(element, compiler, **kw))})"


@compiles(smallest, "postgresql")
def _smallest_postgresql(element: smallest, compiler: Any, **kw: Any) -> str:
    return f"least({', '.join(_parts(element, compiler, **kw))})"


@compiles(largest, "sqlite")
def _largest_sqlite(element: largest, compiler: Any, **kw: Any) -> str:
    return f"max({', '.join(_parts(element, compiler, **kw))})"


@compiles(largest, "postgresql")
def _largest_postgresql(element: largest, compiler: Any, **kw: Any) -> str:
    return f"greatest({', '.join(_parts(element, compiler, **kw))})"
