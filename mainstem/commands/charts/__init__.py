"""`mainstem charts` and `mainstem funnel`: an analyst's own series and sites, as the pages would judge and draw them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mainstem.commands.terminal import AsJson, say
from schemas.errors import OperatorError

group = typer.Typer()


class Better(StrEnum):
    """Which way is better."""

    UP = "up"
    DOWN = "down"


File = Annotated[Path, typer.Argument(metavar="FILE.csv", help="A CSV file with a header.", show_default=False)]
AsSvg = Annotated[bool, typer.Option("--svg", help="The picture as SVG on standard output, with alternative text.")]
AsPng = Annotated[bool, typer.Option("--png", help="The picture as PNG on standard output.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="The points as CSV on standard output.")]
Direction = Annotated[
    Better | None, typer.Option("--better", help="Which way is better: signals are then called so.", show_default=False)
]


@group.command(
    epilog="Examples: mainstem charts visits.csv --chart p. "
    "mainstem charts hba1c.csv --chart i --rules nhs --better down --svg > hba1c.svg. "
    "mainstem charts infections.csv --chart u --baseline 12 --json"
)
def charts(
    path: File,
    chart: Annotated[
        str,
        typer.Option(
            "--chart",
            metavar="KIND",
            help="p, pp (P′, Laney): x,y,n, y of n patients. u, up (U′): x,y,n, y events over n. i, mr, run: x,y, a "
            "measurement. xbar, s: x,y, one row a reading, rows of one x are a subgroup. g, t: x,y, cases or time "
            "between two events. given: x,y,centre,sigma, only the rules are applied.",
            show_default=False,
        ),
    ],
    rules: Annotated[
        str, typer.Option(metavar="SET", help="control, nhs (Making Data Count) or anhoj (runs and crossings).")
    ] = "control",
    baseline: Annotated[
        int | None,
        typer.Option(min=2, help="Lines are set by so many first points and then kept.", show_default="all points"),
    ] = None,
    phase: Annotated[
        list[str] | None, typer.Option(help="New lines begin at the point of this x; may be given several times.")
    ] = None,
    target: Annotated[float | None, typer.Option(help="What is wanted: drawn as a line.", show_default=False)] = None,
    better: Direction = None,
    as_json: AsJson = False,
    as_svg: AsSvg = False,
    as_png: AsPng = False,
    as_csv: AsCsv = False,
) -> None:
    """Draw a series as a control chart: limits, runs, and signals in words. In every output y is the value as plotted: for p and
    u, y/n; for xbar, s and mr the mean, standard deviation and range."""
    from mainstem.commands.charts import answers
    from mainstem.commands.charts.series import Asked, judge, read_series

    form = _form(json=as_json, svg=as_svg, png=as_png, csv=as_csv)
    series = read_series(path, chart)
    found = judge(series, Asked(chart, rules, baseline, tuple(phase or ()), target, _higher(better)))
    answers.answer_series(found, form)


@group.command(
    epilog="Examples: mainstem funnel sites.csv --better down. mainstem funnel sites.csv --json. "
    'mainstem funnel sites.csv --model "readmission 2.1" --svg > funnel.svg'
)
def funnel(
    path: File,
    model: Annotated[
        str | None,
        typer.Option(
            help="Compare observed with expected: name and version of the case-mix model the column `expected` is from.",
            show_default=False,
        ),
    ] = None,
    better: Direction = None,
    as_json: AsJson = False,
    as_svg: AsSvg = False,
    as_png: AsPng = False,
    as_csv: AsCsv = False,
) -> None:
    """Draw sites beside each other as a funnel: columns site, y, n (or expected). Limits at 2 and 3 sigma, widened where sites
    differ more than chance gives; it says by which conventions."""
    from mainstem.commands.charts import answers
    from mainstem.commands.charts.sites import read_sites, warnings
    from services.charts.funnel import funnel as place

    form = _form(json=as_json, svg=as_svg, png=as_png, csv=as_csv)
    sites = read_sites(path, model)
    for line in warnings(sites):
        say(f"{path}: {line}", err=True)
    answers.answer_funnel(place(sites, model=model), path.name, form, _higher(better))


def _form(**asked: bool) -> str:
    """The one output that is asked for; a table for a person without."""
    wanted = [name for name, value in asked.items() if value]
    if len(wanted) > 1:
        raise OperatorError(f"{' and '.join(f'--{name}' for name in wanted)} are asked for together", "Choose one.")
    return wanted[0] if wanted else "table"


def _higher(better: Better | None) -> bool | None:
    return None if better is None else better is Better.UP
