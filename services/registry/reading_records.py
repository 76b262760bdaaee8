"""The API's records: a page, one, its history, all of a type as a stream."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import Engine, select

from services.registry.answers import OneChange, RecordsPage, answer, ndjson, refusals
from services.registry.asking import Asked, Page, page_of, pages_of
from services.registry.database import reading
from services.registry.erasure import not_extracted
from services.registry.gate import Allowed, demand_known, prove, sites_of
from services.registry.parameters import (
    LARGEST_PAGE,
    PAGE,
    After,
    AsOf,
    ChangedSince,
    Code,
    Limit,
    Name,
    RecordId,
    SiteName,
    Subject,
    known_type,
    moment,
    with_code,
)
from services.registry.tables import history
from services.registry.tokens import Read, Scope

NDJSON = "application/x-ndjson"
UNDER_WAY = timedelta(minutes=10)
"""Longest that what arrived is not to be seen yet: a transaction under way."""


def records(engine: Engine) -> APIRouter:
    """Records of a type, page by page or all at once."""
    router = APIRouter(tags=["records"], dependencies=[Depends(demand_known)])

    @router.get("/records/{record_type}", responses={200: {"model": RecordsPage}, **refusals(401, 403, 404)})
    def page(
        scope: Allowed,
        record_type: Name,
        site: SiteName = None,
        subject: Subject = None,
        code: Code = None,
        as_of: AsOf = None,
        changed_since: ChangedSince = None,
        after: After = "",
        limit: Limit = PAGE,
    ) -> Response:
        """The records of a type in the order of their ids: the current ones, or those that its sites had stored at a moment."""
        asked = _asked(
            engine, scope, Read.RECORDS, record_type, site, subject, code, as_of, changed_since, after, limit
        )
        next_since = datetime.now(UTC) - UNDER_WAY if asked.changed_since else None
        with reading(engine) as connection:
            found = page_of(connection, asked)
        told = {"records": _typed(asked, found), "withdrawn": _gone(found), "next": found.next}
        return answer(told | {"next_since": next_since, "sites": scope.sites or None})

    @router.get("/export/{record_type}", responses={200: EXPORTED, **refusals(401, 403, 404)})
    def export(
        scope: Allowed,
        record_type: Name,
        site: SiteName = None,
        subject: Subject = None,
        code: Code = None,
        as_of: AsOf = None,
        changed_since: ChangedSince = None,
        after: After = "",
    ) -> StreamingResponse:
        """All records of a type, a line each, in the order of their ids. An export that breaks off ends without its last chunk.

        Who withdrew consent to research is not in it. Every record stands in it once; what changes while it runs is in it before or after the change. With `as_of` it is the state
        of one moment. With `changed_since` what was withdrawn stands in lines `{"withdrawn": {"id", "time"}}`.
        """
        asked = _asked(
            engine, scope, Read.EXPORT, record_type, site, subject, code, as_of, changed_since, after, LARGEST_PAGE
        )
        return StreamingResponse(_exported(engine, asked), media_type=NDJSON)

    return router


EXPORTED: dict[str, Any] = {
    "description": "NDJSON: a record a line, as in a page's `records`.",
    "content": {NDJSON: {"schema": {"type": "string"}}},
}


def one_record(engine: Engine) -> APIRouter:
    """One record and its history."""
    router = APIRouter(
        prefix="/records/{record_type}/{record_id}", tags=["records"], dependencies=[Depends(demand_known)]
    )

    @router.get("", responses=refusals(401, 403, 404))
    def record(scope: Allowed, record_type: Name, record_id: RecordId, as_of: AsOf = None) -> Response:
        """One record, as it is or as its site had stored it at a moment."""
        asked = _asked(engine, scope, Read.RECORDS, record_type, None, None, None, as_of, None, _before(record_id), 1)
        with reading(engine) as connection:
            found = page_of(connection, asked)
        if not found.records or found.records[0]["id"] != record_id:
            raise HTTPException(404, f"No {record_type} {record_id} is known as of then.")
        return answer(_typed(asked, found)[0])

    @router.get("/history", responses={200: {"model": list[OneChange]}, **refusals(401, 403, 404)})
    def record_history(scope: Allowed, record_type: Name, record_id: RecordId) -> Response:
        """Every change of a record that arrived here, the oldest first: what was recorded, amended, withdrawn, and for whom."""
        prove(scope, Read.HISTORY, record_type)
        query = select(history).where(history.c.record == record_id, history.c.type == record_type)
        if scope.sites:
            query = query.where(history.c.site.in_(scope.sites))
        with reading(engine) as connection:
            ordered = query.order_by(history.c.epoch, history.c.sequence)
            found = [dict(row) for row in connection.execute(ordered).mappings()]
        if not found:
            raise HTTPException(404, f"No {record_type} {record_id} was ever received.")
        return answer(found)

    return router


def _before(record_id: str) -> str:
    """The greatest id, or start of one, below an id."""
    return f"r-{int(record_id[2:], 16) - 1:032x}" if int(record_id[2:], 16) else "r-"


def _asked(
    engine: Engine,
    scope: Scope,
    read: Read,
    record_type: str,
    site: str | None,
    subject: str | None,
    code: str | None,
    as_of: str | None,
    changed_since: str | None,
    after: str,
    limit: int,
) -> Asked:
    """The question, if it may be asked. What was, and what changed, is history too."""
    sites = sites_of(engine, scope, read, known_type(record_type), site)
    if as_of is not None or changed_since is not None:
        prove(scope, Read.HISTORY)
    return Asked(
        record_type,
        sites,
        subject,
        with_code(record_type, code),
        moment("as_of", as_of, end_of_day=True),
        moment("changed_since", changed_since),
        after,
        limit,
    )


def _typed(asked: Asked, page: Page) -> list[dict[str, Any]]:
    return [{"type": asked.record_type, **row} for row in page.records]


def _gone(page: Page) -> list[dict[str, Any]]:
    return [each._asdict() for each in page.withdrawn]


def _exported(engine: Engine, asked: Asked) -> Iterator[bytes]:
    """Page after page: what is held is one page, whatever the table's size. Nothing of whom nothing may be extracted."""
    with reading(engine) as connection:
        closed = not_extracted(connection)
        for page in pages_of(connection, asked):
            rows = [row for row in _typed(asked, page) if row.get("subject") not in closed]
            yield ndjson([*rows, *({"withdrawn": each} for each in _gone(page))])
