"""A file's rows as the sites of a funnel."""

from collections.abc import Iterable
from pathlib import Path

from mainstem.commands.charts.columns import Row, read_rows
from mainstem.commands.charts.totals import named_as_total, refuse_totals
from schemas.errors import OperatorError
from services.charts.funnel import Site


def read_sites(path: Path, model: str | None) -> list[Site]:
    """The sites; with a model by the column `expected`, else by n."""
    if model is not None and not model.strip():
        raise OperatorError("--model is empty", "Name the case-mix model and its version.")
    by = "expected" if model else "n"
    rows = read_rows(path, ("site", "y", by), "mainstem funnel --model" if model else "mainstem funnel")
    sites = [_expected(row) if model else _counted(row) for row in rows]
    seen: set[str] = set()
    for row, site in zip(rows, sites, strict=True):
        if not site.name or site.name in seen:
            what = "names a site of an earlier row" if site.name else "is empty"
            raise row.fault("site", what, "Give one row a site, with its name.")
        seen.add(site.name)
    refuse_totals(rows, "site", ("y", by))
    return sites


def warnings(sites: Iterable[Site]) -> list[str]:
    """What a reader of the funnel should know: a site that is called like a total, and is none."""
    named = [site.name for site in sites if named_as_total(site.name)]
    return [f"'{name}' is not the sum of the others, and is a site of its own" for name in named]


def _counted(row: Row) -> Site:
    y, n = row.number("y", least=0, whole=True), row.number("n", least=0, whole=True)
    if y is not None and n is not None and y > n:
        raise row.fault("y", "is more than n", "y counts those of the n who reached it.")
    return Site(row.text("site"), y, n)


def _expected(row: Row) -> Site:
    y, expected = row.number("y", least=0, whole=True), row.number("expected", least=0)
    if y and expected == 0:
        raise row.fault("expected", "is 0 where y is not", "Give what the model expects of the site.")
    return Site(row.text("site"), y, None, expected)
