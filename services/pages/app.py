"""The feedback pages: one a measure, drawn from the registry's database. Everything a page needs comes from this server."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from threading import Lock, Thread
from typing import Annotated

import jinja2
import vl_convert
from fastapi import FastAPI, HTTPException, Path, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Engine
from starlette.middleware.base import RequestResponseEndpoint

from services.charts import control_chart
from services.measures.library import measures
from services.measures.measure import Measure
from services.pages.report import SMALL, Report, Series, freshness, make_report, title_of

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STATIC = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
Slug = Annotated[str, Path(pattern=r"^[a-z0-9]{1,40}$")]


def make_app(engine: Engine, *, network: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> FastAPI:
    """The pages of one network's registry. `network` is shown as it is."""
    app = FastAPI(title="Mainstem feedback", lifespan=_warm, docs_url=None, redoc_url=None, openapi_url=None)
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("services.pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"percent": percent, "freshness": freshness, "title_of": title_of}

    def report_on(slug: str) -> Report:
        with engine.connect() as connection:
            return make_report(connection, measure_named(slug), network, clock())

    @app.middleware("http")
    async def secure(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    @app.get("/")
    def home() -> RedirectResponse:
        """To the first measure."""
        return RedirectResponse(f"/measures/{next(iter(measures()))}")

    @app.get("/health")
    def health() -> dict[str, str]:
        """Whether the server answers."""
        return {"status": "ok"}

    @app.get("/static/vega.js")
    def vega() -> Response:
        """Vega, Vega-Lite and Vega-Embed, from the installed package: nothing is fetched from elsewhere."""
        return Response(_bundle(), media_type="text/javascript", headers={"Cache-Control": "max-age=86400"})

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        """The page's style and script."""
        if name not in STATIC:
            raise HTTPException(404, "No such file.")
        return Response((files("services.pages") / "static" / name).read_bytes(), media_type=STATIC[name])

    @app.get("/measures/{slug}")
    def page(slug: Slug) -> HTMLResponse:
        """The measure's page."""
        report = report_on(slug)
        charts = {
            series.name: control_chart.control_chart(series, compact=bool(series.name))
            for series in (report.network, *report.sites)
            if series.drawn
        }
        template = templates.get_template("measure.html")
        return HTMLResponse(template.render(report=report, measure=report.measure, charts=charts, small=SMALL))

    @app.get("/measures/{slug}/chart.svg")
    def chart_svg(slug: Slug, site: str = "") -> Response:
        """The network's chart, or a site's, as a picture."""
        return Response(control_chart.svg(_series(report_on(slug), site)), media_type="image/svg+xml")

    @app.get("/measures/{slug}/chart.png")
    def chart_png(slug: Slug, site: str = "") -> Response:
        """The network's chart, or a site's, as a picture."""
        return Response(control_chart.png(_series(report_on(slug), site)), media_type="image/png")

    return app


def measure_named(slug: str) -> Measure:
    """The measure, or the answer that there is none."""
    try:
        return measures()[slug]
    except KeyError:
        raise HTTPException(404, f"No measure {slug}; there are {', '.join(measures())}.") from None


def percent(share: float | None) -> str:
    """A proportion for people."""
    return "–" if share is None else f"{share:.0%}"


def _series(report: Report, site: str) -> Series:
    for series in (report.network, *report.sites):
        if series.name == site and series.drawn:
            return series
    raise HTTPException(404, "Nothing to draw: no such site, or nobody was seen and measured there.")


_bundling = Lock()


@asynccontextmanager
async def _warm(app: FastAPI) -> AsyncIterator[None]:
    """Bundling takes some seconds: begin with the server, so that the first reader does not wait."""
    Thread(target=_bundle, daemon=True).start()
    yield


def _bundle() -> str:
    with _bundling:
        return _bundled()


@cache
def _bundled() -> str:
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
