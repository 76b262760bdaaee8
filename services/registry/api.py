"""The registry read over HTTP: records, their history, the loads, what each site brought up to when, and the event schemas.

Reads only. It has no log-in of its own: it binds to loopback, and a network puts its own gateway before it.
"""

from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Engine, Select, select

from schemas.errors import MainstemError
from schemas.outcomes import RECORD_TYPES
from schemas.sites import SITE_PATTERN
from services.registry.completeness import SiteCompleteness, completeness
from services.registry.database import reading
from services.registry.tables import RECORD_TABLES, history, load
from services.serving import HeadAnswered, Secured

PAGE = 100
LARGEST_PAGE = 1000
Name = Annotated[str, Path(pattern=r"^[a-z][a-z_]{0,40}$")]
# What has another form is in no database; a NUL among it, PostgreSQL would refuse with an error.
SiteName = Annotated[str | None, Query(pattern=SITE_PATTERN)]
Subject = Annotated[str | None, Query(pattern=r"^s-[0-9a-f]{32}$")]
After = Annotated[str, Query(pattern=r"^(r-[0-9a-f]{0,32})?$")]
RecordId = Annotated[str, Path(pattern=r"^r-[0-9a-f]{32}$")]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]


def make_app(engine: Engine) -> FastAPI:
    """The HTTP API of one registry database."""
    app = FastAPI(title="Mainstem registry", description=__doc__, docs_url=None, redoc_url=None)
    for router in (_contract(engine), _records(engine), _sites(engine)):
        app.include_router(router)

    @app.exception_handler(MainstemError)
    async def failed(request: Request, exc: MainstemError) -> JSONResponse:
        return JSONResponse({"detail": exc.cause, "fix": exc.fix}, status_code=503)

    app.add_middleware(Secured)
    app.add_middleware(HeadAnswered)
    return app


def _contract(engine: Engine) -> APIRouter:
    """Whether it works, and what its events look like."""
    router = APIRouter()

    @router.get("/health")
    def health() -> dict[str, str]:
        """Whether the database answers."""
        rows(engine, select(1))
        return {"status": "ok"}

    @router.get("/schemas/{name}.v1.json")
    def schema(name: Name) -> Response:
        """The JSON Schema `ce_dataschema` of an event points to."""
        resource = files("schemas") / "generated" / f"{name}.v1.json"
        if not resource.is_file():
            raise HTTPException(404, f"No schema {name}.v1.")
        return Response(resource.read_bytes(), media_type="application/schema+json")

    return router


def _records(engine: Engine) -> APIRouter:
    """Records and their history."""
    router = APIRouter(prefix="/records")

    @router.get("/{record_type}")
    def records(
        record_type: Name, site: SiteName = None, subject: Subject = None, after: After = "", limit: Limit = PAGE
    ) -> dict[str, Any]:
        """The current records of a type in the order of their ids; the next page starts `after` the last."""
        if record_type not in RECORD_TABLES:
            raise HTTPException(404, f"No record type {record_type}; there are {', '.join(RECORD_TYPES)}.")
        table = RECORD_TABLES[record_type]
        query = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
        for column, wanted in ((table.c.site, site), (table.c.subject, subject)):
            query = query if wanted is None else query.where(column == wanted)
        found = rows(engine, query)
        return {"records": found, "next": found[-1]["id"] if len(found) == limit else None}

    @router.get("/{record_type}/{record_id}/history")
    def record_history(record_type: Name, record_id: RecordId) -> list[dict[str, Any]]:
        """Every change of a record that arrived here, the oldest first."""
        query = select(history).where(history.c.record == record_id, history.c.type == record_type)
        found = rows(engine, query.order_by(history.c.epoch, history.c.sequence))
        if not found:
            raise HTTPException(404, f"No {record_type} {record_id} was ever received.")
        return found

    return router


def _sites(engine: Engine) -> APIRouter:
    """What the sites brought."""
    router = APIRouter()

    @router.get("/loads")
    def loads(site: SiteName = None, limit: Limit = PAGE) -> list[dict[str, Any]]:
        """The sites' loads, the newest first."""
        query = select(load).order_by(load.c.started.desc(), load.c.load).limit(limit)
        return rows(engine, query if site is None else query.where(load.c.site == site))

    @router.get("/completeness")
    def what_is_complete() -> list[SiteCompleteness]:
        """What each site brought up to when: `none` (it has none) differs from `not loaded`."""
        with reading(engine) as connection:
            return completeness(connection)

    return router


def rows(engine: Engine, query: Select[Any]) -> list[dict[str, Any]]:
    """The rows as JSON-able objects by column."""
    with reading(engine) as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
