"""The coordinator's page: every site and measure in one grid, what came and what is missing, what is doubted, who got better."""

from collections.abc import Mapping, Sequence

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.access.declared import seen_by
from services.access.viewers import Role
from services.measures.library import measures
from services.pages.grid import grid_of
from services.pages.navigation import Entry
from services.pages.overview import SHOWN, overview_of
from services.pages.site import PageSite
from services.pages.strata import WORDS
from services.people.accountability import YEAR
from services.people.coproduction import By, coproduced
from services.people.tests_of_change import Tried, tried
from services.people.voices import asked_after
from services.registry.completeness import completeness

ALSO_BY: dict[By, str] = {
    "site": "Site",
    "sex": "Sex",
    "race": "Race",
    "ethnicity": "Ethnicity",
    "language": "Language",
    "payer": "Payer",
    "distance": "Distance",
}
ENTRY = Entry("Network", "/network", 10, (Role.COORDINATOR,))


def routes(site: PageSite) -> APIRouter:
    """`/network`."""
    router = APIRouter()

    @router.get("/network")
    @seen_by(Role.COORDINATOR)
    def page(request: Request) -> HTMLResponse:
        """The network at one glance."""
        asked = asked_after(site.own_form)
        with site.registry() as connection:
            found = [site.results(connection, measure) for measure in measures().values()]
            brought = completeness(connection)
            done = {slug: tried(connection, measure.id) for slug, measure in measures().items()}
            year = site.clock() - YEAR
            together = {by: coproduced(connection, year, by=by, asked=asked) for by in ALSO_BY}
        grid = grid_of(found, brought)
        shown = overview_of(grid, brought, site.across(), site.clock())
        named = WORDS | {"site": {line.site: line.title for line in grid.lines}}
        return site.render(
            "network.html",
            request,
            grid=grid,
            shown=shown,
            most=SHOWN,
            tried=_by_site(done),
            together=together,
            asked=asked,
            titles=ALSO_BY,
            words_of=named,
        )

    return router


def _by_site(done: Mapping[str, Sequence[Tried]]) -> dict[tuple[str, str], list[Tried]]:
    """What each site tried for a measure, by both."""
    found: dict[tuple[str, str], list[Tried]] = {}
    for slug, these in done.items():
        for each in these:
            found.setdefault((each.site, slug), []).append(each)
    return found
