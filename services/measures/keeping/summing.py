"""What a site counts, summed from where its persons stand; and what the network counts, summed from its sites."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, func, literal, or_, select, tuple_

from schemas.feedback import ALL_SITES
from services.measures.evaluate.counts import ABOUT
from services.measures.keeping.grouped import strata_together
from services.measures.keeping.standing import Counted
from services.measures.keeping.tables import KEY, POPULATIONS, count, group, result, standing
from services.registry.write import write

Key = tuple[str, str, str, str, int]
"""Site, measure, version, period, rate."""
_WORST = ("not loaded", "gap", "not yet", "loaded")
"""States of completeness, the one first that says least."""


def key_of(row: Sequence[Any]) -> Key:
    """The key of a row that begins with it."""
    site, measure, version, period, rate = row[: len(KEY)]
    return site, measure, version, period, rate


def columns(table: Any) -> list[Any]:
    """The columns of the key."""
    return [table.c[name] for name in KEY]


def kept_anew(connection: Connection, counted: Iterable[Counted]) -> None:
    """Nothing is counted yet of these measures and periods, of whatever site; a row of the network says that they are kept."""
    connection.execute(delete(count))
    rows = [
        _row((ALL_SITES, each.measure, each.version, each.period, rate), each, None, None)
        for each in counted
        for rate in range(1, each.rates + 1)
    ]
    write(connection, count, rows, replace=True)


def sums(connection: Connection, keys: set[Key]) -> dict[Key, Row[Any]]:
    """Sums of the standings, by key."""
    by = columns(standing)
    query = select(*by, *_sums()).where(_of(keys)).group_by(*by)
    return {key_of(row): row for row in connection.execute(query)}


def sums_by_group(
    connection: Connection, keys: set[Key], counted: Mapping[Any, Counted]
) -> dict[Key, dict[str, list[Row[Any]]]]:
    """The same of each group (column `name`) by kind, of the kinds that are told of beside everybody."""
    told = {key for key in keys if counted[key[1:4]].strata}
    if not told:
        return {}
    own = or_(group.c.scope == "", group.c.scope == standing.c.measure + literal("/") + standing.c.version)
    by = (*columns(standing), group.c.kind, group.c.name)
    source = standing.join(group, and_(group.c.subject == standing.c.subject, own))
    query = select(*by, *_sums()).select_from(source).where(_of(told)).group_by(*by).order_by(*by)
    found: dict[Key, dict[str, list[Row[Any]]]] = {}
    for row in connection.execute(query):
        key = key_of(row)
        if key in told and row.kind in counted[key[1:4]].strata:
            found.setdefault(key, {}).setdefault(row.kind, []).append(row)
    return found


def _of(keys: set[Key]) -> ColumnElement[bool]:
    """Standings of these, and of few others."""
    sites, names, _, periods, _ = (sorted(set(each)) for each in zip(*keys, strict=True)) if keys else [()] * 5
    return and_(standing.c.site.in_(sites), standing.c.measure.in_(names), standing.c.period.in_(periods))


def _sums() -> list[Any]:
    """Populations lie within one another: excluded and excepted are of the denominator, and that is of the initial population."""
    columns = standing.c
    left = columns.denominator_exclusion + columns.denominator_exception
    seen, scored = columns.initial_population - left, columns.denominator - left
    timed, valued = columns.days.is_not(None), columns.value.is_not(None)
    off = columns.value - ABOUT
    return [
        *(func.sum(columns[name]).label(name) for name in POPULATIONS.values()),
        func.sum(columns.events).label("events"),
        func.sum(columns.days).label("days"),
        func.avg(columns.value).label("mean"),
        func.count().label("standings"),
        func.sum(seen).label("seen"),
        func.sum(scored).label("scored"),
        func.sum(case((timed, seen))).label("timed"),
        func.sum(case((and_(timed, seen == 1), columns.events))).label("timed_events"),
        func.sum(case((and_(timed, seen == 1), columns.days))).label("timed_days"),
        func.count(columns.value).label("valued"),
        func.sum(columns.value).label("total"),
        func.sum(case((valued, off * off))).label("squares"),
    ]


def keep_counts(
    connection: Connection, keys: Iterable[Key], found: Mapping[Key, Row[Any]], counted: Mapping[Any, Counted]
) -> None:
    """What these sites count now."""
    rows = []
    for key in sorted(keys):
        one, row = counted[key[1:4]], found.get(key)
        rows.append(_row(key, one, row, _median(connection, key) if one.kind == "level" and row else None))
    write(connection, count, rows, replace=True)


def _row(key: Key, one: Counted, row: Row[Any] | None, median: float | None) -> tuple[Any, ...]:
    had = {} if row is None else dict(row._mapping)

    def number(name: str) -> int:
        return int(had.get(name) or 0)

    measured = {"share": "scored", "rate": "timed", "level": "valued"}[one.kind]
    numbers = (
        "standings",
        "seen",
        measured,
        "numerator",
        "unknown",
        "denominator_exclusion",
        "denominator_exception",
        "set_aside",
    )
    own = (one.first, one.last, one.checksum)
    return (
        *key,
        *own,
        *map(number, (*numbers, "timed_events", "timed_days")),
        had.get("total"),
        had.get("squares"),
        median,
    )


def _median(connection: Connection, key: Key) -> float | None:
    return median_of(connection, and_(*(column == value for column, value in zip(columns(standing), key, strict=True))))


def median_of(connection: Connection, such: Any) -> float | None:
    """The middle number of some standings, or the mean of the two in the middle."""
    such = and_(such, standing.c.value.is_not(None))
    size = connection.scalar(select(func.count()).select_from(standing).where(such)) or 0
    if not size:
        return None
    middle = select(standing.c.value).where(such).order_by(standing.c.value).offset((size - 1) // 2)
    found = [float(value) for value in connection.scalars(middle.limit(2 - size % 2))]
    return sum(found) / len(found)


def of_all_sites(connection: Connection, keys: Iterable[Key]) -> dict[Key, dict[str, Any]]:
    """What there is to tell of the network in the measures and periods of some keys, from what is told of its sites."""
    wanted = sorted({key[1:] for key in keys})
    sites: dict[Key, list[dict[str, Any]]] = {(ALL_SITES, *some): [] for some in wanted}
    where = tuple_(*columns(result)[1:]).in_(wanted)
    query = select(*columns(result), result.c.content).where(where, result.c.site != ALL_SITES)
    for row in connection.execute(query):
        if row.content is not None:
            sites[(ALL_SITES, *key_of(row)[1:])].append(msgspec.json.decode(row.content))
    measured = _measured(connection, wanted)
    return {key: _together(contents, measured) for key, contents in sites.items() if contents}


def _measured(connection: Connection, wanted: Sequence[Any]) -> dict[Key, int]:
    query = select(*columns(count), count.c.measured).where(tuple_(*columns(count)[1:]).in_(wanted))
    return {key_of(row): row.measured for row in connection.execute(query)}


def _together(contents: Sequence[dict[str, Any]], measured: Mapping[Key, int]) -> dict[str, Any]:
    """Sites without a number are left out, and said to be: `sites` counts the others."""
    one, known = contents[0], [each for each in contents if each["populations"] is not None]
    populations = (
        {code: sum(each["populations"][code] for each in known) for code in known[0]["populations"]} if known else None
    )
    states = {
        name: min((each["completeness"][name] for each in contents), key=_WORST.index) for name in one["completeness"]
    }
    return {
        **{name: one[name] for name in ("event", "measure", "version", "rate", "period")},
        "site": ALL_SITES,
        "populations": populations,
        "sites": len(known),
        **{
            name: sum(each.get(name, 0) for each in known)
            for name in ("events", "days")
            if any(name in each for each in known)
        },
        **_mean(known, measured),
        **({"strata": strata} if (strata := strata_together([each.get("strata", {}) for each in known])) else {}),
        "completeness": states,
    }


def _mean(known: Sequence[dict[str, Any]], measured: Mapping[Key, int]) -> dict[str, float]:
    """Of all that were measured, not of the sites."""
    weights = [
        (each["mean"], measured[each["site"], each["measure"], each["version"], each["period"]["name"], each["rate"]])
        for each in known
        if "mean" in each
    ]
    whole = sum(weight for _, weight in weights)
    return {"mean": round(sum(mean * weight for mean, weight in weights) / whole, 9)} if whole else {}
