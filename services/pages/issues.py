"""Issues: anybody raises one, answers one, sees how long answers take, by role; what is about a site stays among its people."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.access.declared import seen_by
from services.access.gate import CurrentViewer
from services.access.viewers import EVERYBODY, NOT_YOURS, Role, Viewer
from services.measures.library import measures, measures_by_id
from services.pages.forms import in_words
from services.pages.navigation import Entry
from services.pages.parts import SHORT, Number, part_of
from services.pages.site import PageSite
from services.people.amendments import answering
from services.people.issues import (
    FAMILY,
    LONGEST,
    About,
    Raised,
    answer_issue,
    assign_issue,
    follow_issue,
    followers,
    heard,
    issue_of,
    issues_seen,
    link_issue,
    merge_issue,
    raise_issue,
)

ENTRY = Entry("Issues", "/issues", 60, EVERYBODY)
Ident = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Words = Annotated[str, Form(max_length=10 * LONGEST)]
ROLES = {str(role): role.words for role in Role} | {FAMILY: "Patient or family"}


def routes(site: PageSite) -> APIRouter:
    """`/issues`, `/issues/<id>`, and what is done with one."""
    router = APIRouter(prefix="/issues")
    _list(router, site)
    _raising(router, site)
    _one(router, site)
    _doing(router, site)
    return router


def _list(router: APIRouter, site: PageSite) -> None:
    @router.get("")
    @seen_by(*EVERYBODY)
    def page(request: Request, viewer: CurrentViewer, number: Number = 1) -> HTMLResponse:
        """All that are theirs to see, the oldest open first."""
        now = site.clock()
        with site.registry() as connection:
            seen = issues_seen(connection, None if viewer.network_wide else viewer.sites, viewer.id)
            everybodys = issues_seen(connection, None)
        found = [each for each in seen if not each.merged_into]
        return site.render(
            "issues.html",
            request,
            now=now,
            part=part_of([(each, each.days(now)) for each in found], number, at_once=SHORT),
            raised=len(found),
            oldest=found[0] if found else None,
            waiting=sum(each.open for each in found),
            heard=heard(everybodys, now),
            roles=ROLES,
            abouts=list(About),
            sites=sorted(viewer.sites),
            measures=[(each.id, each.title) for each in measures().values()],
        )


def _raising(router: APIRouter, site: PageSite) -> None:
    @router.post("")
    @seen_by(*EVERYBODY)
    def say(
        viewer: CurrentViewer,
        about: Annotated[About, Form()],
        words: Words,
        where: Annotated[str, Form()] = "",
        measure: Annotated[str, Form()] = "",
    ) -> RedirectResponse:
        """Raises one."""
        if where and where not in viewer.sites:
            raise HTTPException(404, NOT_YOURS)
        known = measure if measure in measures_by_id() else ""
        with in_words(), site.saying() as connection:
            ident = raise_issue(
                connection,
                about,
                words,
                site=where,
                measure=known,
                role=viewer.speaks_as,
                by=viewer.id,
                at=site.clock(),
            )
        return RedirectResponse(f"/issues/{ident}", 303)


def _one(router: APIRouter, site: PageSite) -> None:
    @router.get("/{ident}")
    @seen_by(*EVERYBODY)
    def page(request: Request, viewer: CurrentViewer, ident: Ident) -> HTMLResponse:
        """One of them, and what can be done."""
        found = _theirs(site, viewer, ident)
        with site.registry() as connection:
            follow, proposed = followers(connection, ident), answering(connection, [ident]).get(ident, [])
        return site.render(
            "issue.html",
            request,
            now=site.clock(),
            each=found,
            days=found.days(site.clock()),
            followers=follow,
            proposed=proposed,
            roles=ROLES,
            measures=[(each.id, each.title) for each in measures().values()],
            may_lead=_leads(viewer, found),
        )


def _doing(router: APIRouter, site: PageSite) -> None:
    @router.post("/{ident}/answer")
    @seen_by(*EVERYBODY)
    def answer(viewer: CurrentViewer, ident: Ident, words: Words) -> RedirectResponse:
        """What becomes of it; whoever may see it may answer, but whoever raised it."""
        found = _theirs(site, viewer, ident)
        if found.by == viewer.id:
            raise HTTPException(403, "Somebody else answers what you raised.")
        with in_words(), site.saying() as connection:
            answer_issue(connection, ident, words, role=viewer.speaks_as, by=viewer.id, at=site.clock())
        return RedirectResponse(f"/issues/{ident}", 303)

    @router.post("/{ident}/follow")
    @seen_by(*EVERYBODY)
    def follow(viewer: CurrentViewer, ident: Ident) -> RedirectResponse:
        """It is among theirs from now on."""
        _theirs(site, viewer, ident)
        with site.saying() as connection:
            follow_issue(connection, ident, viewer.id)
        return RedirectResponse(f"/issues/{ident}", 303)

    @router.post("/{ident}/lead")
    @seen_by(Role.COORDINATOR, Role.SITE_TEAM)
    def lead(
        viewer: CurrentViewer,
        ident: Ident,
        role: Annotated[str, Form()] = "",
        into: Annotated[str, Form()] = "",
        measure: Annotated[str, Form()] = "",
    ) -> RedirectResponse:
        """Assigns it to a role, says which measure it is about, or that it is the same as another."""
        found = _theirs(site, viewer, ident)
        if not _leads(viewer, found):
            raise HTTPException(403, "It is for whoever runs the site or the network.")
        if into:
            _theirs(site, viewer, into)
        with in_words(), site.saying() as connection:
            if into:
                merge_issue(connection, ident, into)
            elif measure in measures_by_id():
                link_issue(connection, ident, measure)
            elif role in ROLES:
                assign_issue(connection, ident, role)
        return RedirectResponse(f"/issues/{ident}", 303)


def _leads(viewer: Viewer, found: Raised) -> bool:
    return viewer.network_wide or (Role.SITE_TEAM in viewer.roles and found.site in viewer.sites)


def _theirs(site: PageSite, viewer: Viewer, ident: str) -> Raised:
    with site.registry() as connection:
        found = issue_of(connection, ident)
    if found is None or not sees(viewer, found):
        raise HTTPException(404, "There is no such issue of yours.")
    return found


def sees(viewer: Viewer, found: Raised) -> bool:
    """Whether an issue is theirs to see: the network's, one of a site of theirs, their own."""
    return not found.site or viewer.sees(found.site) or found.by == viewer.id
