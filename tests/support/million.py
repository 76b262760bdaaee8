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


def _insert(postgresql: bool, table: str, columns: str, values: str, sites: int, turn: int) -> str:
    def padded(number: str) -> str:
        return f"lpad(({number})::text, 32, '0')" if postgresql else f"printf('%032d', {number})"

    values = _with_days(values, postgresql, turn)
    source = (
        "generate_series(1, :count) as s(n)"
        if postgresql
        else "(with recursive s(n) as (select 1 union all select n + 1 from s where n < :count) select n from s)"
    )
    own = f"'r-' || {padded(f'4 * n + {turn}')}, 's-' || {padded('n')}, 'site-' || (n % {sites}), 1"
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
