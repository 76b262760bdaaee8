"""The accountability page: what is open and for how long, what is missing, how soon people are answered. Everybody's to see."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.access.declared import seen_by
from services.access.viewers import EVERYBODY
from services.pages.issues import ROLES
from services.pages.navigation import Entry
from services.pages.site import PageSite
from services.pages.strata import title_of_group
from services.people.accountability import owed
from services.people.voices import asked_after

ENTRY = Entry("Accountability", "/accountability", 70, EVERYBODY)


def routes(site: PageSite) -> APIRouter:
    """`/accountability`."""
    router = APIRouter(prefix="/accountability")

    @router.get("")
    @seen_by(*EVERYBODY)
    def page(request: Request) -> HTMLResponse:
        """How the network stands by its people."""
        asked = asked_after(site.own_form)
        with site.registry() as connection:
            found = owed(connection, site.clock(), asked=asked)
        return site.render(
            "accountability.html",
            request,
            now=site.clock(),
            owed=found,
            roles=ROLES,
            group=title_of_group,
            asked=asked,
        )

    return router
