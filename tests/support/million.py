"""A registry of many synthetic persons with cystic fibrosis, made by the database itself: two visits and a BMI percentile each."""

from sqlalchemy import Connection, text

ROWS = {
    "person": ("birth_date", "{day:2007-01-01:5000}"),
    "condition": ("code", "'190905008'"),
    "encounter": ("status, start_date", "'finished', {day:2026-01-05:300}"),
    "observation": (
        "code, unit, status, value, effective_date",
        "'59576-9', '%', 'final', n % 100, {day:2026-01-05:300}",
    ),
}
"""Table → columns and what stands in them; `{day:first:spread}` is a day by the person's number."""


def fill_by_number(connection: Connection, persons: int, sites: int = 20) -> None:
    """Writes the rows, and has PostgreSQL look at them."""
    postgresql = connection.dialect.name == "postgresql"
    for name, (columns, values) in ROWS.items():
        for turn in (0, 1) if name == "encounter" else (0,):
            statement = _insert(postgresql, name, columns, values, sites, turn)
            connection.execute(text(statement), {"count": persons})
    if postgresql:
        connection.execute(text("analyze"))


STANDS = """insert into feedback_standing (measure, version, period, rate, subject, event, site, initial_population, denominator,
denominator_exclusion, denominator_exception, numerator, set_aside, unknown)
select :measure, :version, '2026', 1, {subject}, '', 'site-' || (n % :sites), 1, n % 10 > 0, 0, 0, n % 10 > 4, 0, 0 from {source}"""
STALE = """insert into feedback_result (site, measure, version, period, rate, stale, sequence, number, told)
select distinct site, measure, version, period, rate, true, 0, 0, 0 from feedback_standing"""


def stand_by_number(connection: Connection, measure: str, version: str, persons: int, sites: int = 20) -> None:
    """Where so many persons stand in a measure of 2026, as whoever keeps results writes it; nobody is due, every site is to be counted."""
    postgresql = connection.dialect.name == "postgresql"
    subject = _padded("n", postgresql)
    stands = STANDS.format(subject=f"'s-' || {subject}", source=numbers_up_to(postgresql))
    if postgresql:
        stands = stands.replace("n % 10 > 0", "(n % 10 > 0)::integer").replace("n % 10 > 4", "(n % 10 > 4)::integer")
    given = {"measure": measure, "version": version, "sites": sites, "count": persons}
    connection.execute(text("delete from feedback_due"))
    connection.execute(text(stands), given)
    connection.execute(text(STALE))
    if postgresql:
        connection.execute(text("analyze"))


def _padded(number: str, postgresql: bool) -> str:
    return f"lpad(({number})::text, 32, '0')" if postgresql else f"printf('%032d', {number})"


def numbers_up_to(postgresql: bool) -> str:
    """A source of rows whose `n` goes from 1 to the parameter `count`."""
    if postgresql:
        return "generate_series(1, :count) as s(n)"
    return "(with recursive s(n) as (select 1 union all select n + 1 from s where n < :count) select n from s)"


def _insert(postgresql: bool, table: str, columns: str, values: str, sites: int, turn: int) -> str:
    values, source = _with_days(values, postgresql, turn), numbers_up_to(postgresql)
    own = f"'r-' || {_padded(f'4 * n + {turn}', postgresql)}, 's-' || {_padded('n', postgresql)}, 'site-' || (n % {sites}), 1"
    when = "now()" if postgresql else "'2026-11-01 00:00:00.000000'"
    return f"insert into {table} (id, subject, site, sequence, event_time, {columns}) select {own}, {when}, {values} from {source}"


def _with_days(values: str, postgresql: bool, turn: int) -> str:
    before, start, rest = values.partition("{day:")
    if not start:
        return values
    told, _, after = rest.partition("}")
    first, spread = told.split(":")
    days = f"((n * 7 + {turn * 23}) % {spread})"
    if postgresql:
        return f"{before}to_char(date '{first}' + ({days})::integer, 'YYYY-MM-DD'){after}"
    return f"{before}date('{first}', {days} || ' days'){after}"
