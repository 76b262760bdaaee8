"""The families' page as one application: in by a code, then one page, one form, and who looked."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Annotated, Any

import jinja2
from fastapi import APIRouter, Depends, FastAPI, Form, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException

from schemas.errors import MainstemError, OperatorError
from services.access.database import AccessDatabase
from services.access.entrance import Visit
from services.access.families import IDLE_SECONDS, Again, FamilyDoor, form_token
from services.access.gate import FORM_TOKEN, Filled, own_form
from services.access.limits import PER_MINUTE, Limited
from services.access.viewers import Viewer
from services.access.views import Views
from services.charts.pictures import svg
from services.charts.trajectory import specification
from services.home import consenting, proposing, raising
from services.home.assets import STYLE
from services.home.counting import counted_in, last_load
from services.home.goals import drawn, own_goals
from services.home.knowledge import known_of
from services.home.reading import born_of, goals_of, looked, studies, visits_of
from services.home.showing import Sees, curves, dues, sees
from services.home.words import Language, language_of, languages
from services.pages.counted import Memory
from services.pages.parts import WHOLE, Number, part_of
from services.pages.patient_records import kept_of
from services.pages.patient_state import Kept, diseases
from services.people.age_policy import AgePolicy
from services.people.families import Link, standing_link, take_link
from services.people.voices import WORDS, forms_of, keep_answers, read_answers, said_of
from services.people.voices import Form as Questions
from services.registry.database import reading, writing
from services.registry.erasure import hand_of, is_another
from services.research.counting import asked_about
from services.research.requests import requests
from services.serving import HEADERS, HeadAnswered, LineEndsAsTyped, Secured

COOKIE, LANGUAGE = "mainstem-home", "mainstem-language"
ENTER = "/enter"
TRIES_PER_MINUTE = 10
ROOM = {"left": 5, "top": 5, "right": 30, "bottom": 5}
"""Pixels around a picture: its lines' names stand at the right, as long as the language has them."""
OWN = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
"""No script at all."""


@dataclass
class Home:
    """What the page works with."""

    engine: Engine
    access: AccessDatabase
    network: str
    policy: AgePolicy
    secure: bool
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    memory: Memory = field(default_factory=lambda: Memory(patient=False))
    reports: consenting.Reports = lambda: ()
    own_form: Questions | None = None
    """A form of the network's own, beside those that ship or instead of one."""
    entered: Again = field(default_factory=Again)

    def __post_init__(self) -> None:
        self.door, self.views = FamilyDoor(self.access), Views(self.access, self.clock)
        self.cookie = f"__Host-{COOKIE}" if self.secure else COOKIE

    @property
    def forms(self) -> Mapping[str, Questions]:
        """What families are asked, by name."""
        return forms_of(self.own_form)

    def render(self, template: str, request: Request, *, status: int = 200, **shown: object) -> HTMLResponse:
        """A page in whoever's language."""
        language = _language(request)
        frame = {
            "network": self.network,
            "language": language,
            "languages": languages(),
            "say": language.say,
            "say_many": language.say_many,
            "here": request.url.path,
            "asks": [form.spoken(language.code) for form in self.forms.values()],
            "inside": bool(getattr(request.state, "link", None)),
            "form_token": FORM_TOKEN,
            "token": form_token(request.cookies.get(self.cookie, "")),
        }
        return HTMLResponse(self._templates.get_template(template).render(frame | shown), status_code=status)

    @cached_property
    def _templates(self) -> jinja2.Environment:
        return jinja2.Environment(
            loader=jinja2.PackageLoader("services.home"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def admitted(self, request: Request) -> Link:
        """Whose device asks, noted before anything is shown. Raises 401."""
        ident = self.door.link_of(request.cookies.get(self.cookie))
        with reading(self.engine) as connection:
            link = standing_link(connection, ident, at=self.clock()) if ident else None
            born = born_of(connection, link.site, link.subject) if link else None
        if link is None or self._of_age(link, born):
            raise HTTPException(401)
        request.state.link = link
        viewer = Viewer(f"family/{link.id}", "", frozenset())
        self.views.note("asked", viewer, request.scope["route"].path, site=link.site, subjects=[link.subject])
        return link

    def _of_age(self, link: Link, born: date | None) -> bool:
        """Whether a guardian's way is over by what is known today: a birth date may have come, or been put right, since it was made."""
        ends = self.policy.of(link.site).ends(link.who, born)
        return ends is not None and ends <= self.clock().date()

    def of(self, link: Link) -> tuple[Kept, Sees]:
        """What is kept of the patient, and what of it is whoever's to see. Raises 404 where nothing is kept any more, 410 where it is
        kept under another subject, of which this way knows nothing."""
        with reading(self.engine) as connection:
            kept = kept_of(connection, link.site, [link.subject]).get(link.subject)
            moved = kept is None and is_another(connection, link.subject)
        if kept is None:
            raise HTTPException(410 if moved else 404)
        return kept, sees(link, self.policy.of(link.site), kept, self.clock().date())


def make_home(home: Home, *, per_minute: int = PER_MINUTE) -> FastAPI:
    """The application."""
    app = FastAPI(title="Mainstem home", docs_url=None, redoc_url=None, openapi_url=None)

    async def own(request: Request) -> Link:
        """Whose device asks; of a form, that it is this device's."""
        link = await run_in_threadpool(home.admitted, request)
        if request.method == "POST":
            await own_form(request, Visit(Viewer(link.id, "", frozenset()), form_token(request.cookies[home.cookie])))
        return link

    mine = Depends(own)
    for router in (_entering(home, mine), _home(home, mine), _saying(home, mine), raising.routes(home, mine)):
        app.include_router(router)
    app.include_router(proposing.routes(home, mine))
    app.include_router(consenting.routes(home, mine))
    app.include_router(consenting.open_routes(home))
    _answer_in_words(app, home)

    def sorry(request: Request, status: int, _words: str) -> Response:
        return home.render("sorry.html", request, status=status, code=status)

    app.add_middleware(
        Limited,
        per_minute=per_minute,
        few={ENTER: TRIES_PER_MINUTE, consenting.RECEIPT: TRIES_PER_MINUTE},
        answer=sorry,
    )
    headers = HEADERS | {"Content-Security-Policy": OWN}
    if home.secure:
        headers |= {"Strict-Transport-Security": "max-age=31536000"}
    app.add_middleware(Secured, headers=headers, sorry=lambda request: sorry(request, 500, ""))
    app.add_middleware(HeadAnswered)
    app.add_middleware(LineEndsAsTyped)
    return app


def _entering(home: Home, mine: Any) -> APIRouter:
    router = APIRouter()

    @router.get("/health")
    def health() -> dict[str, str]:
        """Whether the server answers."""
        return {"status": "ok"}

    @router.get("/static/home.css")
    def style() -> Response:
        """The page's looks."""
        return Response(STYLE, media_type="text/css", headers={"Cache-Control": "max-age=3600"})

    @router.get("/language/{code}")
    def choose(request: Request, code: str, to: Annotated[str, Query(pattern="^/[a-z0-9/]*$")] = "/") -> Response:
        """In another language."""
        if code not in languages():
            raise HTTPException(404)
        answer = RedirectResponse("/" if to.startswith("//") else to, 303)
        answer.set_cookie(LANGUAGE, code, IDLE_SECONDS, secure=home.secure, httponly=True, samesite="lax")
        return answer

    @router.get(ENTER)
    def enter(request: Request, over: str = "") -> HTMLResponse:
        """Where the code is typed; `over`: why a device that was in is no longer."""
        return home.render("enter.html", request, wrong=False, over=over, sheet=secrets.token_urlsafe(16), code="")

    @router.post(ENTER)
    def come_in(
        request: Request,
        code: Annotated[str, Form(max_length=100)] = "",
        sheet: Annotated[str, Form(max_length=100)] = "",
    ) -> Response:
        """A code, good once; a button pressed twice is once. Whether it never was, was used or is over is not told apart."""
        now = home.clock()
        with writing(home.engine) as connection:
            link = take_link(connection, code, at=now)
            if link is None and (before := home.entered.of(sheet, code, now)):
                link = standing_link(connection, before, at=now)
        if link is None:
            return home.render("enter.html", request, status=403, wrong=True, over="", sheet=sheet, code=code)
        home.entered.note(sheet, code, link.id, now)
        home.views.note("entered", Viewer(f"family/{link.id}", "", frozenset()), ENTER, site=link.site)
        answer = RedirectResponse("/", 303)
        key = home.door.open(link.id)
        answer.set_cookie(home.cookie, key, IDLE_SECONDS, secure=home.secure, httponly=True, samesite="strict")
        return answer

    @router.post("/leave")
    def leave(request: Request, _link: Annotated[Link, mine]) -> Response:
        """This device is no longer in."""
        home.door.end(request.cookies.get(home.cookie))
        answer = RedirectResponse(ENTER, 303)
        answer.delete_cookie(home.cookie, secure=home.secure, httponly=True, samesite="strict")
        return answer

    return router


def _home(home: Home, mine: Any) -> APIRouter:
    router = APIRouter()

    @router.get("/")
    def page(request: Request, link: Annotated[Link, mine]) -> HTMLResponse:
        """How things go, what is due, the next visit, what the network knows."""
        language, today = _language(request), home.clock().date()
        kept, who = home.of(link)
        with reading(home.engine) as connection:
            goals = goals_of(connection, link.site, link.subject)
            own = own_goals(connection, link.site, link.subject)
            visits = visits_of(connection, link.site, link.subject, today) if who.may("visits") else []
            known = known_of(connection, diseases(kept), home.memory, home.clock(), language)
            loaded = last_load(connection, link.site)
        return home.render(
            "home.html",
            request,
            link=link,
            curves=[*curves(kept, who, goals, language), *drawn(own, who, language)],
            dues=list(dues(kept, who, today, language)),
            visits=[language.day(day) for day in visits],
            known=known,
            loaded=loaded,
        )

    @router.get("/pictures/{name}.svg")
    def picture(request: Request, name: str, link: Annotated[Link, mine]) -> Response:
        """One of the pictures."""
        kept, who = home.of(link)
        with reading(home.engine) as connection:
            goals = goals_of(connection, link.site, link.subject)
            own = own_goals(connection, link.site, link.subject)
        language = _language(request)
        shown = [*curves(kept, who, goals, language), *drawn(own, who, language)]
        charts = {each.name: each.chart for each in shown}
        if name not in charts:
            raise HTTPException(404)
        spec = specification(charts[name], width=220, height=150) | {"padding": ROOM}
        return Response(svg(spec), media_type="image/svg+xml")

    @router.get("/looked")
    def who_looked(request: Request, link: Annotated[Link, mine], number: Number = 1) -> HTMLResponse:
        """Who saw this patient's data."""
        language, rows = _language(request), home.views.about(link.subject)
        _, who = home.of(link)
        with reading(home.engine) as connection:
            asked, now = studies(requests(connection), rows), home.clock()
            counted = counted_in(connection, link.site, link.subject, who, now.date(), language)
            questions, loaded = asked_about(connection, link.subject, now), last_load(connection, link.site)
        return home.render(
            "looked.html",
            request,
            looks=looked(rows, link.subject, language),
            part=part_of(asked, number, at_once=WHOLE),
            counted=counted,
            questions=questions,
            loaded=loaded,
        )

    return router


def _saying(home: Home, mine: Any) -> APIRouter:
    router = APIRouter(prefix="/say")

    @router.get("/{name}")
    def ask(request: Request, name: str, link: Annotated[Link, mine]) -> HTMLResponse:
        """What is asked before or after a visit; on paper too."""
        if name not in home.forms:
            raise HTTPException(404)
        _, who = home.of(link)
        with reading(home.engine) as connection:
            said = said_of(connection, link.site, link.subject) if who.may("answers") else []
        asked = home.forms[name].spoken(_language(request).code)
        return home.render("say.html", request, asked=asked, said=said, outcome="", written="", words=WORDS)

    @router.post("/{name}")
    def answer(request: Request, name: str, link: Annotated[Link, mine], given: Filled) -> HTMLResponse:
        """Keeps what was said; the care team sees it before the visit."""
        if name not in home.forms:
            raise HTTPException(404)
        asked, wrong = home.forms[name], ""
        texts = {key: value for key, value in given.items() if isinstance(value, str)}
        topics = [str(value) for value in given.getlist("topic")]
        try:
            said = read_answers(asked, texts, topics)
            with writing(home.engine) as connection:
                keep_answers(
                    connection,
                    (link.site, link.subject),
                    asked,
                    said,
                    who=link.who,
                    by=hand_of(link.id),
                    at=home.clock(),
                )
        except OperatorError as exc:
            wrong, said = exc.cause, []
        return home.render(
            "say.html",
            request,
            status=422 if wrong else 200,
            asked=asked.spoken(_language(request).code),
            said=[],
            outcome="wrong" if wrong else "kept" if said else "empty",
            written=texts.get(WORDS, "") if wrong else "",
            words=WORDS,
        )

    return router


def _answer_in_words(app: FastAPI, home: Home) -> None:
    def answer(request: Request, status: int) -> Response:
        if status == 401:
            was_in = home.cookie in request.cookies
            return RedirectResponse(f"{ENTER}?over={request.method.lower()}" if was_in else ENTER, 303)
        return home.render("sorry.html", request, status=status, code=status)

    app.add_exception_handler(StarletteHTTPException, lambda request, exc: answer(request, exc.status_code))
    app.add_exception_handler(RequestValidationError, lambda request, _exc: answer(request, 404))
    app.add_exception_handler(MainstemError, lambda request, _exc: answer(request, 503))


def _language(request: Request) -> Language:
    return language_of(request.cookies.get(LANGUAGE), request.headers.get("accept-language", ""))
