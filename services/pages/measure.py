"""The page of a measure: its sentence, its control charts, the figures, what is not known; its charts as pictures and their figures as CSV too."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Request, Response
from fastapi.responses import HTMLResponse

from services.access.declared import seen_by
from services.access.gate import CurrentViewer
from services.access.viewers import EVERYBODY, NOT_YOURS, Viewer
from services.charts import pictures
from services.charts.limits import kinds
from services.measures.compile.words import definition_of
from services.measures.declared import Measure
from services.measures.evaluate.counts import NETWORK
from services.measures.library import measures
from services.pages.charting import chart_of, figures_of
from services.pages.overview import SHOWN
from services.pages.periods import SMALL
from services.pages.results import Results, Series
from services.pages.seeing import seen_by_viewer
from services.pages.site import PageSite
from services.pages.strata import Kind, kind_of
from services.people.amendments import amendments, version_of

MANY = 16
"""Of more sites no page draws each: they stand in a table that leads to them."""
ROOM = {"left": 4, "top": 4, "right": 24, "bottom": 4}
"""Pixels around a picture: the names at its right are wider in other fonts than in the one it was measured with."""
Slug = Annotated[str, Path(pattern=r"^[a-z0-9]{1,40}$")]


def routes(site: PageSite) -> APIRouter:
    """`/measures/<slug>`, with `chart.svg`, `chart.png` and `chart.csv` below it."""
    router = APIRouter(prefix="/measures/{slug}")

    def results(slug: str, viewer: Viewer) -> Results:
        with site.registry() as connection:
            return seen_by_viewer(site.results(connection, measure_named(slug)), viewer)

    def drawn_for(slug: str, viewer: Viewer, site: str) -> dict[str, Any]:
        found = results(slug, viewer)
        return chart_of(_series(found, site), found.measure) | {"padding": ROOM}

    @router.get("")
    @seen_by(*EVERYBODY)
    def page(slug: Slug, request: Request, viewer: CurrentViewer) -> HTMLResponse:
        """The measure's page."""
        found, groups = results(slug, viewer), _strata(site, measure_named(slug))
        with site.registry() as connection:
            proposed = amendments(connection, measure=found.measure.id)
        shown = found.sites if len(found.sites) <= MANY else ()
        charts = {each.name: chart_of(each, found.measure, compact=True, beside=shown) for each in shown if each.drawn}
        charts |= {found.network.name: chart_of(found.network, found.measure)} if found.network.drawn else {}
        return site.render(
            "measure.html",
            request,
            results=found,
            measure=found.measure,
            charts=charts,
            small=SMALL,
            many=MANY,
            most=SHOWN,
            groups=groups,
            proposed=[each for each in proposed if version_of(each, found.measure) is None],
            definition=definition_of(found.measure),
            convention=kinds()[found.measure.chart],
        )

    @router.get("/chart.svg")
    @seen_by(*EVERYBODY)
    def chart_svg(slug: Slug, viewer: CurrentViewer, site: str = "") -> Response:
        """The network's chart, or a site's, as a picture."""
        return Response(pictures.svg(drawn_for(slug, viewer, site)), media_type="image/svg+xml")

    @router.get("/chart.png")
    @seen_by(*EVERYBODY)
    def chart_png(slug: Slug, viewer: CurrentViewer, site: str = "") -> Response:
        """The network's chart, or a site's, as a picture."""
        return Response(pictures.png(drawn_for(slug, viewer, site)), media_type="image/png")

    @router.get("/chart.csv")
    @seen_by(*EVERYBODY)
    def chart_csv(slug: Slug, viewer: CurrentViewer, site: str = "") -> Response:
        """The figures behind the network's chart, or a site's."""
        return Response(figures_of(_series(results(slug, viewer), site)), media_type="text/csv; charset=utf-8")

    return router


def measure_named(slug: str) -> Measure:
    """The measure, or the answer that there is none."""
    try:
        return measures()[slug]
    except KeyError:
        raise HTTPException(404, f"There is no measure {slug}.") from None


def _strata(site: PageSite, measure: Measure) -> list[Kind]:
    """The network's people by each kind that the measure names, where it counts a share of them."""
    if measure.kind != "share":
        return []
    with site.registry() as connection:
        found, _ = site.memory.counted(connection, measure, site.clock())
    return [kind_of(name, found.strata.get(name, ()), measure, NETWORK) for name in measure.strata]


def _series(results: Results, site: str) -> Series:
    series = next((each for each in (results.network, *results.sites) if each.name == site), None)
    if series is None:
        raise HTTPException(404, f"{NOT_YOURS} Without `site` this is the network's chart.")
    if not series.drawn:
        raise HTTPException(404, f"There is nothing to draw: {series.headline[:1].lower()}{series.headline[1:]}")
    return series
