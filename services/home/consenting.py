"""Consent, scope by scope: what it changes, how it stands, what the family asks of its clinic; and by a receipt, whom it has reached."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from schemas.subjects import SCOPES, ConsentHeeded, ErasureReport, Scope, Wish
from services.people.consent_requests import Request as Asked
from services.people.consent_requests import Standing, ask, by_receipt, latest, standing
from services.people.families import Link
from services.registry.database import reading, writing

TITLES: dict[Scope, str] = {"qi": "Making care better", "research": "Research"}
GIVEN: dict[Scope, str] = {
    "qi": "The clinics of the network learn from what happens to you. This page lives from it too.",
    "research": "Researchers may be given your data, without your name.",
}
CHANGES: dict[Scope, str] = {
    "qi": "If you stop it, nothing new about you is collected. Your care does not change.",
    "research": "If you stop it, researchers get nothing about you any more. This page and your care do not change.",
}
WISHES = {
    Wish.WITHDRAW: "You asked to stop it.",
    Wish.ERASE: "You asked to stop it and to forget what was collected.",
    Wish.GIVE: "You asked to allow it again.",
}
MAY: dict[Scope, tuple[Wish, ...]] = {"qi": (Wish.WITHDRAW, Wish.ERASE), "research": (Wish.WITHDRAW,)}
RECEIPT = "/receipt"
Reports = Callable[[], Iterable[ErasureReport | ConsentHeeded]]
"""What consumers say that they erased, or go by."""


def routes(home: Any, mine: Any) -> APIRouter:
    """`/consent`."""
    router = APIRouter(prefix="/consent")

    def shown(request: Request, link: Link, *, receipt: str = "", wrong: bool = False) -> HTMLResponse:
        with reading(home.engine) as connection:
            now, asked = standing(connection, link.subject), latest(connection, link.subject)
        reached = {scope: _reached(each, home.reports) for scope, each in asked.items() if each.done}
        return home.render(  # type: ignore[no-any-return]
            "consent.html",
            request,
            status=422 if wrong else 200,
            scopes=[(scope, scope in now.withdrawn, asked.get(scope), _offered(scope, now)) for scope in SCOPES],
            titles=TITLES,
            given=GIVEN,
            changes=CHANGES,
            wishes=WISHES,
            receipt=receipt,
            reached=reached,
            wrong=wrong,
        )

    @router.get("")
    def page(request: Request, link: Annotated[Link, mine]) -> HTMLResponse:
        """How it stands."""
        return shown(request, link)

    @router.post("")
    def say(
        request: Request,
        link: Annotated[Link, mine],
        scope: Annotated[Scope, Form()],
        wish: Annotated[Wish, Form()],
        sure: Annotated[str, Form()] = "",
    ) -> HTMLResponse:
        """Asks the clinic. What cannot be undone is asked for twice."""
        if (wish is Wish.ERASE and not sure) or (wish is not Wish.GIVE and wish not in MAY[scope]):
            return shown(request, link, wrong=True)
        with writing(home.engine) as connection:
            made = ask(connection, link.site, link.subject, scope, wish, who=link.who, at=home.clock())
        return shown(request, link, receipt=made or "")

    return router


def open_routes(home: Any) -> APIRouter:
    """`/receipt`: it needs no way in, for that ends with all else that is kept of whoever is forgotten."""
    router = APIRouter(prefix=RECEIPT)

    @router.get("")
    def page(request: Request) -> HTMLResponse:
        """Where a receipt is typed."""
        return home.render("receipt.html", request, asked=None, wrong=False)  # type: ignore[no-any-return]

    @router.post("")
    def follow(request: Request, code: Annotated[str, Form(max_length=100)] = "") -> HTMLResponse:
        """How far it has come; whom it is about is not said."""
        with reading(home.engine) as connection:
            asked = by_receipt(connection, code)
        return home.render(  # type: ignore[no-any-return]
            "receipt.html",
            request,
            status=200 if asked else 403,
            asked=asked,
            wrong=asked is None,
            titles=TITLES,
            wishes=WISHES,
            reached=_reached(asked, home.reports) if asked else [],
        )

    return router


def _offered(scope: Scope, now: Standing) -> tuple[Wish, ...]:
    if scope in now.withdrawn:
        return (Wish.GIVE,) if scope == "qi" or "qi" not in now.withdrawn else ()
    return MAY[scope]


def _reached(asked: Asked, reports: Reports) -> list[tuple[str, bool]]:
    """Each consumer that said what it did about this person since, and whether it has erased, or goes by what was asked."""
    ours = (each for each in reports() if each.subject == asked.whom and each.at >= asked.at.replace(microsecond=0))
    return sorted({each.group: _does(each, asked) for each in ours}.items())


def _does(told: ErasureReport | ConsentHeeded, asked: Asked) -> bool:
    """By its last word. Whoever erases gives nothing to researchers either; whoever goes by a withdrawal has not erased."""
    if isinstance(told, ErasureReport):
        return told.erased if asked.wish is Wish.ERASE else asked.wish is Wish.WITHDRAW
    if asked.wish is Wish.ERASE:
        return False
    return (asked.scope in told.withdrawn) == (asked.wish is Wish.WITHDRAW)
