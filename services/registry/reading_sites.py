"""The API's sites: what they brought, what is complete up to when; and who was erased."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Response
from sqlalchemy import Connection, Engine, select, tuple_

from mainstem.consumer.completeness import Answer
from services.registry.answers import ErasedSubject, WindowCompleteness, answer, refusals
from services.registry.completeness import SiteCompleteness, answer_of, completeness
from services.registry.database import reading
from services.registry.erasure import erasures
from services.registry.gate import Allowed, demand_known, prove, sites_of
from services.registry.parameters import MOMENT, PAGE, Limit, SiteName, day, known_type, moment
from services.registry.tables import load
from services.registry.tokens import Read

LoadName = Annotated[
    str | None,
    Query(
        pattern=r"^[a-z][a-z0-9-]{0,30}/[!-~]{1,60}$",
        description="The page begins after this load: the last of the page before.",
    ),
]
OneSubject = Annotated[str, Query(pattern=r"^s-[0-9a-f]{32}$", description="The subject: `s-` and 32 digits.")]
OneType = Annotated[str, Query(pattern=r"^[a-z][a-z_]{0,40}$", description="The record type.")]
From = Annotated[str, Query(max_length=10, description="First local date of the window, 2026-03-02.")]
To = Annotated[str, Query(max_length=10, description="Last local date of the window, 2026-03-31.")]
Since = Annotated[str | None, Query(max_length=40, description=f"{MOMENT}: only those erased then or later.")]


def sites(engine: Engine) -> APIRouter:
    """What the sites brought."""
    router = APIRouter(tags=["sites"], dependencies=[Depends(demand_known)])

    @router.get("/loads", responses=refusals(401, 403, 404))
    def loads(scope: Allowed, site: SiteName = None, after: LoadName = None, limit: Limit = PAGE) -> Response:
        """The sites' loads, the newest first: counts, watermarks and gaps by FHIR resource type; instants in UTC."""
        wanted = sites_of(engine, scope, Read.LOADS, None, site)
        query = select(load).order_by(load.c.started.desc(), load.c.load.desc()).limit(limit)
        if wanted is not None:
            query = query.where(load.c.site.in_(wanted))
        with reading(engine) as connection:
            if after is not None:
                query = query.where(tuple_(load.c.started, load.c.load) < tuple_(*_place(connection, after)))
            return answer([dict(row) for row in connection.execute(query).mappings()])

    @router.get("/completeness", responses={200: {"model": list[SiteCompleteness]}, **refusals(401, 403, 404)})
    def what_is_complete(scope: Allowed, site: SiteName = None) -> Response:
        """What each site brought up to when, by FHIR resource type: `none` (it has none) differs from `not loaded`."""
        wanted = sites_of(engine, scope, Read.LOADS, None, site)
        with reading(engine) as connection:
            found = completeness(connection)
        return answer([each for each in found if wanted is None or each.site in wanted])

    @router.get("/completeness/of", responses={200: {"model": list[WindowCompleteness]}, **refusals(401, 403, 404)})
    def is_it_all(scope: Allowed, subject: OneSubject, type: OneType, since: From, until: To) -> Response:
        """Whether what is held of a subject's records of a type in a window is all there is, by site that knows the subject.

        A number of records in it means something only where the answer is `loaded`. Nobody knows a subject of whom nothing came: 404.
        """
        prove(scope, Read.LOADS, known_type(type))
        first, last = day("since", since), day("until", until)
        if last < first:
            raise HTTPException(422, "until: the window ends before it begins.")
        with reading(engine) as connection:
            found = answer_of(connection, subject, type, first, last)
        told = {site: each for site, each in found.items() if not scope.sites or site in scope.sites}
        if not told:
            raise HTTPException(404, "Nothing of this subject ever came, so nothing is known of what is missing.")
        return answer([{"site": site, **_told(each)} for site, each in told.items()])

    @router.get("/erased", responses={200: {"model": list[ErasedSubject]}, **refusals(401, 403)})
    def who_is_erased(scope: Allowed, since: Since = None) -> Response:
        """Subjects of whom nothing is kept any more, by pseudonym: whoever holds copies of theirs deletes them."""
        prove(scope, Read.HISTORY)
        first = moment("since", since)
        with reading(engine) as connection:
            return answer(erasures(connection, first))

    return router


def _told(found: Answer) -> dict[str, Any]:
    gaps = {name: [gap.model_dump(mode="json") for gap in getattr(found, name)] for name in ("gaps", "later")}
    return {"state": found.state.value, "up_to": found.up_to, **gaps}


def _place(connection: Connection, name: str) -> tuple[Any, Any]:
    """Where a load stands among the others."""
    found = connection.execute(select(load.c.started, load.c.load).where(load.c.load == name)).one_or_none()
    if found is None:
        raise HTTPException(422, "after: there is no such load.")
    return found.started, found.load
