"""The registry read over HTTP: records as they are, as they were, as they changed; the loads, what each site brought up to when, and
the event schemas. `/openapi.json` describes it.

Reads only. Whoever reaches it reads all, until the first token is made (`mainstem registry tokens new`); it has no TLS of its own: it
binds to loopback, and a network puts its own gateway before it. What may be asked stands in `parameters`, who may in `gate`, how the
database is asked in `asking`.
"""

from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import Engine, select

from mainstem import __version__
from schemas.errors import MainstemError
from services.registry.answers import Schemas, answer, refusals
from services.registry.database import reading
from services.registry.parameters import Released, SchemaName, in_words
from services.registry.reading_records import one_record, records
from services.registry.reading_sites import sites
from services.serving import HeadAnswered, Secured

SCHEMA = "application/schema+json"
GENERATED, RELEASED = files("schemas") / "generated", files("schemas") / "released"


def make_app(engine: Engine) -> FastAPI:
    """The HTTP API of one registry database."""
    app = FastAPI(title="Mainstem registry", version=__version__, description=__doc__, docs_url=None, redoc_url=None)
    app.state.engine = engine
    for router in (_contract(engine), records(engine), one_record(engine), sites(engine)):
        app.include_router(router)

    @app.exception_handler(MainstemError)
    async def failed(request: Request, exc: MainstemError) -> JSONResponse:
        return JSONResponse({"detail": exc.cause, "fix": exc.fix}, status_code=503)

    @app.exception_handler(RequestValidationError)
    async def misspelt(request: Request, exc: RequestValidationError) -> JSONResponse:
        return JSONResponse({"detail": in_words(exc)}, status_code=422)

    app.add_middleware(Secured)
    app.add_middleware(HeadAnswered)
    return app


def _contract(engine: Engine) -> APIRouter:
    """Whether it works, and what its events look like; open to everyone who reaches it."""
    router = APIRouter(tags=["contract"])

    @router.get("/health", responses=refusals())
    def health() -> dict[str, str]:
        """Whether the database answers."""
        with reading(engine) as connection:
            connection.execute(select(1))
        return {"status": "ok"}

    @router.get("/schemas", responses={200: {"model": Schemas}})
    def schemas() -> Response:
        """The JSON Schemas that are served: of this version, and as each released one promised them."""
        versions = sorted(each.name for each in RELEASED.iterdir() if each.is_dir())
        released = {version: _named(RELEASED / version, f"/schemas/released/{version}") for version in versions}
        return answer({"current": _named(GENERATED, "/schemas"), "released": released})

    @router.get(
        "/schemas/asyncapi.yaml", response_class=Response, responses={200: {"content": {"application/yaml": {}}}}
    )
    def asyncapi() -> Response:
        """Topics, keys, headers and values: the contract as an AsyncAPI 3 document."""
        return Response((GENERATED / "asyncapi.yaml").read_bytes(), media_type="application/yaml")

    @router.get("/schemas/{name}.v1.json", responses=refusals(404))
    def schema(name: SchemaName) -> Response:
        """The JSON Schema `ce_dataschema` of an event points to."""
        return _schema(GENERATED, name)

    @router.get("/schemas/released/{version}/{name}.v1.json", responses=refusals(404))
    def released_schema(version: Released, name: SchemaName) -> Response:
        """A JSON Schema as a released version promised it; later ones only add to it."""
        return _schema(RELEASED / version, name)

    return router


def _named(folder: Traversable, address: str) -> list[str]:
    names = sorted(each.name for each in folder.iterdir() if each.name.endswith(".v1.json"))
    return [f"{address}/{name}" for name in names]


def _schema(folder: Traversable, name: str) -> Response:
    resource = folder / f"{name}.v1.json"
    if not resource.is_file():
        raise HTTPException(404, f"No schema {name}.v1.")
    return Response(resource.read_bytes(), media_type=SCHEMA)
