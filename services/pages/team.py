"""A site team's pages: its measures on one page; each with its chart, what was tried, its place beside others, and new lines to approve."""

from datetime import UTC, date
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Path, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection

from services.access.declared import seen_by
from services.access.gate import CurrentViewer
from services.access.viewers import NO_SITE, Role, Viewer
from services.charts import pictures
from services.charts.rebasing import Cause
from services.measures.library import measures
from services.pages.actions import next_action
from services.pages.aside import DECIDING
from services.pages.charting import chart_of
from services.pages.comparing import compared, funnel_chart_of
from services.pages.effect import effect_of
from services.pages.forms import in_words
from services.pages.measure import ROOM, Slug, measure_named
from services.pages.navigation import Entry
from services.pages.overview import doubts_of
from services.pages.periods import SMALL
from services.pages.refused import gaps_of, refused_lines
from services.pages.results import Results, Series
from services.pages.site import PageSite
from services.pages.strata import kind_of
from services.pages.wording import title_of
from services.people.contests import contests
from services.people.phases import Begun, begin, take_back
from services.people.tests_of_change import Cycle, Decision, Plan, Tried, note, study
from services.registry.completeness import completeness

TEAM = (Role.SITE_TEAM, Role.CLINICIAN, Role.COORDINATOR)
SAYING = (Role.SITE_TEAM, Role.COORDINATOR)
ENTRY = Entry("Sites", "/sites", 10, TEAM)
Site = Annotated[str, Path(alias="site", pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Words = Annotated[str, Form(min_length=1, max_length=500)]


def routes(site: PageSite) -> APIRouter:
    """`/sites`, `/sites/<site>`, `/sites/<site>/<measure>` with `funnel.svg`, `tried`, `tried/<id>`, `lines` and `lines/back` below it."""
    router = APIRouter(prefix="/sites")
    _lists(router, site)
    _one_measure(router, site)
    _tests_of_change(router, site)
    _said(router, site)
    return router


def _tests_of_change(router: APIRouter, site: PageSite) -> None:
    @router.post("/{site}/{slug}/tried")
    @seen_by(*SAYING)
    def tried(
        name: Site,
        slug: Slug,
        viewer: CurrentViewer,
        since: Annotated[date, Form()],
        what: Words,
        aim: Annotated[float, Form(allow_inf_nan=False)],
        due: Annotated[date, Form()],
        prediction: Words,
        start: Words,
    ) -> RedirectResponse:
        """Notes a test of change, with the whole of its plan."""
        _demand(viewer, name)
        measure, now = measure_named(slug), site.clock().astimezone(UTC)
        with site.saying() as connection, in_words():
            plan = Plan(aim, due, prediction, start)
            note(connection, Tried(name, measure.id, since, what, viewer.name, now, plan))
        return RedirectResponse(f"/sites/{name}/{slug}#tried", 303)

    @router.post("/{site}/{slug}/tried/{ident}")
    @seen_by(*SAYING)
    def round_over(
        name: Site,
        slug: Slug,
        ident: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")],
        viewer: CurrentViewer,
        seen: Words,
        as_predicted: Annotated[bool, Form()],
        decision: Annotated[Decision, Form()],
        then: Words,
        due: Annotated[str, Form(pattern=r"^(\d{4}-\d\d-\d\d)?$")] = "",
    ) -> RedirectResponse:
        """What a round taught, and what is decided."""
        _demand(viewer, name)
        measure_named(slug)
        with site.saying() as connection, in_words():
            look = date.fromisoformat(due) if due and decision is Decision.ADAPT else None
            study(connection, name, ident, Cycle(seen, as_predicted, decision, then, look, viewer.name, site.clock()))
        return RedirectResponse(f"/sites/{name}/{slug}#tried", 303)


def _lists(router: APIRouter, site: PageSite) -> None:
    @router.get("")
    @seen_by(*TEAM)
    def sites(request: Request, viewer: CurrentViewer) -> Response:
        """The sites that are theirs to see; whoever has one is led to it."""
        with site.registry() as connection:
            found = [each for each in completeness(connection) if viewer.sees(each.site)]
        if not viewer.network_wide and len(viewer.sites) == len(found) == 1:
            return RedirectResponse(f"/sites/{found[0].site}", 303)
        broken = [each for each in found if each.last_status in ("partial", "failed")]
        as_of = max((each.last_completed for each in found if each.last_completed), default=None)
        return site.render("sites.html", request, sites=found, broken=broken, as_of=as_of)

    @router.get("/{site}")
    @seen_by(*TEAM)
    def one(name: Site, request: Request, viewer: CurrentViewer) -> HTMLResponse:
        """A site's measures on one page, and its data."""
        _demand(viewer, name)
        with site.registry() as connection:
            loads = {each.site: each for each in completeness(connection)}
            found = [(results, series) for results, series in _of_site(site, connection, name)]
            lines = refused_lines(connection, name)
            waiting = [each for each in contests(connection, name) if each.answer is None]
        if name not in loads and not found:
            raise HTTPException(404, NO_SITE)
        told = [(results.measure, series, next_action(series, results.measure)) for results, series in found]
        as_of = max((results.as_of for results, _ in found), default=site.clock())
        return site.render(
            "site.html",
            request,
            name=name,
            title=title_of(name),
            told=sorted((each for each in told if _counts(each[1])), key=lambda each: _urgency(each[1])),
            nobody=[measure for measure, series, _ in told if not _counts(series)],
            site=loads.get(name),
            gaps=gaps_of(loads.get(name)),
            lines=lines,
            doubts=list(doubts_of(site.across(), name)),
            waiting=waiting,
            own=bool(viewer.roles & {Role.SITE_TEAM}),
            as_of=as_of,
            small=SMALL,
        )


def _of_site(site: PageSite, connection: Connection, name: str) -> list[tuple[Results, Series]]:
    """Its series of every measure of which it has anybody, or of which it should."""
    found = []
    for measure in measures().values():
        results = site.results(connection, measure)
        series = results.of(name)
        if series is not None and (series.drawn or (series.known and series.known.patients) or series.lacking):
            found.append((results, series))
    return found


def _counts(series: Series) -> bool:
    """Whether there is anybody to count, or it is not known."""
    return series.seen or bool(series.lacking)


def _urgency(series: Series) -> int:
    """What got worse first, then what stopped or never came, then what got better, then what is as ever."""
    tones = {note.better for note in series.notes}
    stopped = series.stopped is not None or bool(series.lacking)
    return 0 if False in tones else 1 if stopped else 2 if True in tones else 3


def _one_measure(router: APIRouter, site: PageSite) -> None:
    @router.get("/{site}/{slug}")
    @seen_by(*TEAM)
    def page(name: Site, slug: Slug, request: Request, viewer: CurrentViewer) -> HTMLResponse:
        """One measure at one site."""
        _demand(viewer, name)
        measure = measure_named(slug)
        with site.registry() as connection:
            counted, _ = site.memory.counted(connection, measure, site.clock())
            results = site.results(connection, measure)
            groups = [
                kind_of(by, counted.strata.get(by, ()), measure, name)
                for by in (measure.strata if measure.kind == "share" else ())
            ]
        series = _series(results, name)
        charts = {name: chart_of(series, measure)} if series.drawn else {}
        return site.render(
            "site_measure.html",
            request,
            name=name,
            title=title_of(name),
            measure=measure,
            series=series,
            charts=charts,
            groups=groups,
            found=compared(results, name),
            action=next_action(series, measure),
            may_say=bool(viewer.roles & set(SAYING)),
            own=name in viewer.sites and bool(viewer.roles & set(DECIDING)),
            effects=[effect_of(series, each.since, measure) for each in series.tried],
            decisions=list(Decision),
            as_of=results.as_of,
            today=site.clock().date(),
            small=SMALL,
        )

    @router.get("/{site}/{slug}/funnel.svg")
    @seen_by(*TEAM)
    def funnel_svg(name: Site, slug: Slug, viewer: CurrentViewer) -> HTMLResponse:
        """The funnel with this site in it."""
        _demand(viewer, name)
        measure = measure_named(slug)
        with site.registry() as connection:
            found = compared(site.results(connection, measure), name)
        if found is None or found.place is None:
            raise HTTPException(404, "There is no funnel: the measure is no share, or nobody was measured.")
        drawn = pictures.svg(funnel_chart_of(found, measure, name, title_of(name)) | {"padding": ROOM})
        return HTMLResponse(drawn, media_type="image/svg+xml")


def _said(router: APIRouter, site: PageSite) -> None:
    @router.post("/{site}/{slug}/lines")
    @seen_by(*SAYING)
    def lines(
        name: Site,
        slug: Slug,
        viewer: CurrentViewer,
        since: Annotated[date, Form()],
        cause: Annotated[Cause, Form()],
        reason: Words,
    ) -> RedirectResponse:
        """Lets new lines begin where a rule proposes them."""
        _demand(viewer, name)
        measure = measure_named(slug)
        with site.registry() as connection:
            series = _series(site.results(connection, measure), name)
        proposed = [(each.since, each.cause) for each in series.proposed]
        now = site.clock().astimezone(UTC)
        with site.saying() as connection, in_words():
            begin(connection, Begun(measure.id, name, since, cause, viewer.name, reason, now), proposed=proposed)
        return RedirectResponse(f"/sites/{name}/{slug}#lines", 303)

    @router.post("/{site}/{slug}/lines/back")
    @seen_by(*SAYING)
    def back(
        name: Site, slug: Slug, viewer: CurrentViewer, since: Annotated[date, Form()], reason: Words
    ) -> RedirectResponse:
        """Takes new lines back."""
        _demand(viewer, name)
        measure = measure_named(slug)
        with site.registry() as connection:
            series = _series(site.results(connection, measure), name)
        held = next((each.begun for each in series.stretches if each.begun and each.since == since), None)
        if held is None:
            raise HTTPException(404, "No new lines begin there.")
        with site.saying() as connection, in_words():
            take_back(connection, held, by=viewer.name, reason=reason, at=site.clock())
        return RedirectResponse(f"/sites/{name}/{slug}#lines", 303)


def _demand(viewer: Viewer, name: str) -> None:
    """A site that is not theirs is as one that does not exist."""
    if not viewer.sees(name):
        raise HTTPException(404, NO_SITE)


def _series(results: Results, name: str) -> Series:
    found = results.of(name)
    if found is None:
        raise HTTPException(404, NO_SITE)
    return found
