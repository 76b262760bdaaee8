"""The library of ideas: anybody proposes what is to be tried, a site takes it over with one click, all see who tried and what moved."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Connection

from services.access.declared import seen_by
from services.access.gate import CurrentViewer
from services.access.viewers import EVERYBODY, NOT_YOURS, Role, Viewer
from services.measures.library import measures_by_id
from services.pages.effect import Effect, Moved, effect_of
from services.pages.forms import in_words
from services.pages.issues import ROLES, sees
from services.pages.navigation import Entry
from services.pages.parts import SHORT, Number, part_of
from services.pages.site import PageSite
from services.pages.wording import title_of
from services.people.ideas import WEEKS, Idea, adopt, idea_of, ideas, new_id, propose
from services.people.issues import issue_of
from services.people.tests_of_change import LONGEST, Decision, Tried, tried_ideas, tried_of

ENTRY = Entry("Ideas", "/ideas", 50, EVERYBODY)
ADOPTING = (Role.SITE_TEAM, Role.COORDINATOR)
Ident = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Linked = Annotated[str, Query(pattern=r"^([0-9a-f]{32})?$")]
Words = Annotated[str, Form(min_length=1, max_length=LONGEST)]


@dataclass(frozen=True, slots=True)
class Told:
    """A test of an idea at a site, as whoever looks may see it."""

    where: str
    tried: Tried
    effect: Effect


def routes(site: PageSite) -> APIRouter:
    """`/ideas`, `/ideas/<id>`, and what is done with one."""
    router = APIRouter(prefix="/ideas")
    _list(router, site)
    _one(router, site)
    return router


def _list(router: APIRouter, site: PageSite) -> None:
    @router.get("")
    @seen_by(*EVERYBODY)
    def page(request: Request, viewer: CurrentViewer, issue: Linked = "", number: Number = 1) -> HTMLResponse:
        """All, the newest first; and a form in which nothing of the plan can be left out."""
        known = measures_by_id()
        with site.registry() as connection:
            found = [each for each in ideas(connection) if each.measure in known]
            part = part_of(found, number, at_once=SHORT)
            told = [(each, known[each.measure], _told(site, connection, viewer, each)) for each in part.shown]
            tried = tried_ideas(connection)
            answers = issue_of(connection, issue) if issue else None
        return site.render(
            "ideas.html",
            request,
            found=[(each, measure, moved(rows), decided(rows), len(rows)) for each, measure, rows in told],
            part=part,
            proposed=len(found),
            tried=sum(each.id in tried for each in found),
            measures=list(known.values()),
            roles=ROLES,
            issue=answers.id if answers and sees(viewer, answers) else "",
            weeks=WEEKS,
            longest=LONGEST,
            now=site.clock(),
        )

    @router.post("")
    @seen_by(*EVERYBODY)
    def say(
        viewer: CurrentViewer,
        measure: Annotated[str, Form()],
        what: Words,
        aim: Annotated[float, Form(allow_inf_nan=False)],
        weeks: Annotated[int, Form()],
        prediction: Words,
        start: Words,
        issue: Annotated[str, Form()] = "",
    ) -> RedirectResponse:
        """Proposes one."""
        if measure not in measures_by_id():
            raise HTTPException(422, "There is no such measure.")
        with in_words(), site.saying() as connection:
            answers = issue_of(connection, issue)
            linked = issue if answers and sees(viewer, answers) else ""
            now = site.clock().astimezone(UTC)
            said = (measure, what, aim, weeks, prediction, start, linked, viewer.speaks_as, viewer.id, now)
            ident = propose(connection, Idea(new_id(), *said))
        return RedirectResponse(f"/ideas/{ident}", 303)


def _one(router: APIRouter, site: PageSite) -> None:
    @router.get("/{ident}")
    @seen_by(*EVERYBODY)
    def page(request: Request, viewer: CurrentViewer, ident: Ident) -> HTMLResponse:
        """One of them: the plan, who tried it, what moved."""
        with site.registry() as connection:
            found = _named(connection, ident)
            rows = _told(site, connection, viewer, found)
            answers = issue_of(connection, found.issue) if found.issue else None
        trying = {each.tried.site for each in rows if not each.tried.ended}
        may = bool(viewer.roles & set(ADOPTING))
        return site.render(
            "idea.html",
            request,
            idea=found,
            issue=answers is not None and sees(viewer, answers),
            measure=measures_by_id()[found.measure],
            rows=rows if viewer.sees_few else [],
            moved=moved(rows),
            decided=decided(rows),
            count=len(rows),
            roles=ROLES,
            sites=[(name, title_of(name)) for name in sorted(viewer.sites) if may and name not in trying],
            now=site.clock(),
        )

    @router.post("/{ident}/adopt")
    @seen_by(*ADOPTING)
    def take(viewer: CurrentViewer, ident: Ident, where: Annotated[str, Form()]) -> RedirectResponse:
        """A site tries it from today on; its chart bears the mark."""
        if where not in viewer.sites or not viewer.sees(where):
            raise HTTPException(404, NOT_YOURS)
        with in_words(), site.saying() as connection:
            found = _named(connection, ident)
            adopt(connection, found, where, by=viewer.name, at=site.clock())
        return RedirectResponse(f"/sites/{where}/{measures_by_id()[found.measure].slug}#tried", 303)


def moved(rows: Sequence[Told]) -> list[tuple[str, int]]:
    """At how many sites the chart says what."""
    counted = Counter(each.effect.moved for each in rows)
    return [(each.words, counted[each]) for each in Moved if counted[each]]


def decided(rows: Sequence[Told]) -> list[tuple[str, int]]:
    """How many sites decided what last; those under way are not among them."""
    counted = Counter(each.tried.cycles[-1].decision for each in rows if each.tried.cycles)
    return [(each.words, counted[each]) for each in Decision if counted[each]]


def _told(site: PageSite, connection: Connection, viewer: Viewer, found: Idea) -> list[Told]:
    rows = tried_of(connection, found.id)
    if not rows:
        return []
    results = site.results(connection, measures_by_id()[found.measure])
    told = []
    for each in rows:
        series = results.of(each.site)
        if series is not None:
            where = title_of(each.site) if viewer.sees(each.site) else "Another site"
            told.append(Told(where, each, effect_of(series, each.since, results.measure)))
    return told


def _named(connection: Connection, ident: str) -> Idea:
    found = idea_of(connection, ident)
    if found is None or found.measure not in measures_by_id():
        raise HTTPException(404, "There is no such idea.")
    return found
