"""A family's way in, as the clinic gives and takes it; and what the family said, with answers entered from paper."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from schemas.errors import OperatorError
from services.access.declared import seen_by
from services.access.gate import CurrentViewer, Filled
from services.access.viewers import Role, Viewer
from services.pages.patient import NO_PATIENT, SiteName, Subject
from services.pages.patient_records import kept_of
from services.pages.patient_state import Kept, age
from services.pages.patients import brought_by, own_site
from services.pages.site import PageSite
from services.people.age_policy import AgePolicy
from services.people.families import Who, links_of, make_link, revoke_link
from services.people.voices import WORDS, forms, forms_of, keep_answers, read_answers, said_of

WHOSE = {Who.SELF: "the patient", Who.GUARDIAN: "a guardian"}


def routes(site: PageSite) -> APIRouter:
    """`/patients/<site>/<subject>/family`."""
    router = APIRouter(prefix="/patients/{site}/{subject}/family")
    _page(router, site)
    _giving(router, site)
    _from_paper(router, site)
    return router


def _page(router: APIRouter, site: PageSite) -> None:
    @router.get("")
    @seen_by(Role.CLINICIAN, persons=True)
    def page(request: Request, viewer: CurrentViewer, name: SiteName, subject: Subject) -> HTMLResponse:
        """Who has a way in, and what they said."""
        return _shown(site, request, viewer, name, subject)


def _giving(router: APIRouter, site: PageSite) -> None:
    @router.post("")
    @seen_by(Role.CLINICIAN, persons=True)
    def give(
        request: Request, viewer: CurrentViewer, name: SiteName, subject: Subject, who: Annotated[Who, Form()]
    ) -> HTMLResponse:
        """A new code, shown once, to be printed."""
        kept, rule = _kept(site, viewer, name, subject), AgePolicy.load(site.age_policy).of(name)
        if not rule.may_have(who, age(kept, site.clock().date())):
            raise HTTPException(422, "At the patient's age a code is not for them; see the network's policy of ages.")
        ends = rule.ends(who, kept.born)
        with site.saying() as connection:
            code = make_link(connection, name, subject, who, by=viewer.name, at=site.clock(), ends=ends)
        return _shown(site, request, viewer, name, subject, code=code, given=WHOSE[who])

    @router.post("/{ident}/end")
    @seen_by(Role.CLINICIAN, persons=True)
    def take(
        viewer: CurrentViewer, name: SiteName, subject: Subject, ident: Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
    ) -> RedirectResponse:
        """Takes one back."""
        own_site(viewer, name)
        with site.saying() as connection:
            if not revoke_link(connection, name, subject, ident, by=viewer.name, at=site.clock()):
                raise HTTPException(404, "It was taken back already, or never was.")
        return RedirectResponse(f"/patients/{name}/{subject}/family", 303)


def _from_paper(router: APIRouter, site: PageSite) -> None:
    @router.post("/paper")
    @seen_by(Role.CLINICIAN, persons=True)
    def enter(
        viewer: CurrentViewer,
        name: SiteName,
        subject: Subject,
        who: Annotated[Who, Form()],
        given: Filled,
        form: Annotated[str, Form()] = "before",
    ) -> RedirectResponse:
        """What a family wrote on paper before or after a visit."""
        _kept(site, viewer, name, subject)
        if (asked := forms_of(site.own_form).get(form)) is None:
            raise HTTPException(422, "There is no such form.")
        try:
            texts = {key: value for key, value in given.items() if isinstance(value, str)}
            said = read_answers(asked, texts, [str(value) for value in given.getlist("topic")])
        except OperatorError as exc:
            raise HTTPException(422, f"{exc.cause}. {exc.fix}") from None
        with site.saying() as connection:
            keep_answers(connection, (name, subject), asked, said, who=who, by=viewer.name, at=site.clock())
        return RedirectResponse(f"/patients/{name}/{subject}/family", 303)


def _kept(site: PageSite, viewer: Viewer, name: str, subject: str) -> Kept:
    own_site(viewer, name)
    with site.registry() as connection:
        kept = kept_of(connection, name, [subject]).get(subject)
    if kept is None:
        raise HTTPException(404, NO_PATIENT)
    return kept


def _shown(
    site: PageSite, request: Request, viewer: Viewer, name: str, subject: str, *, code: str = "", given: str = ""
) -> HTMLResponse:
    kept, now = _kept(site, viewer, name, subject), site.clock()
    rule = AgePolicy.load(site.age_policy).of(name)
    with site.registry() as connection:
        links, said = links_of(connection, name, subject), said_of(connection, name, subject)
    years = age(kept, now.date())
    papers = forms_of(site.own_form)
    known = [*forms().values(), *papers.values()]
    texts = {question.code: question.text for form in known for question in form.questions}
    topics = {code: words for form in known for code, words in form.topics.items()}
    return site.render(
        "family.html",
        request,
        site=name,
        brought=brought_by(site, name),
        kept=kept,
        code=code,
        given=given,
        links=[(link, WHOSE[link.who], link.state(now)) for link in links],
        may=[(who, WHOSE[who]) for who in Who if rule.may_have(who, years)],
        majority=rule.ends(Who.GUARDIAN, kept.born) or date.max,
        said=said,
        texts=texts | topics,
        papers=papers,
        whose=WHOSE,
        words_field=WORDS,
        home=site.home_address,
    )
