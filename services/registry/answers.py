"""What the API answers with: JSON as the database has it, and how that is described."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from fastapi import Response
from pydantic import BaseModel, Field

from mainstem.consumer.completeness import State
from schemas.loads import Gap
from schemas.outcomes import AnyRecord

_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(value: Any) -> bytes:
    """JSON in UTF-8; half a character, which only SQLite keeps, is written as its escape."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, default=str).encode()


def answer(value: Any) -> Response:
    """A JSON answer."""
    return Response(encode(value), media_type="application/json")


class Refusal(BaseModel):
    """Why there is no answer."""

    detail: str = Field(description="The reason, in words.")
    fix: str | None = Field(default=None, description="What to do, where that is not plain.")


class Gone(BaseModel):
    """A record that is not among those asked for any more."""

    id: str = Field(description="The record's id.")
    time: datetime = Field(description="When its site stored the change, UTC.")


class RecordsPage(BaseModel):
    """A page of records, in the order of their ids."""

    records: list[AnyRecord] = Field(
        description="Each as its schema says (/schemas), with `sequence` (of its last change at its site), `event_time` (when "
        "that was stored there, UTC), `load` and `software` (what brought it), `flags` (what was noticed or changed)."
    )
    withdrawn: list[Gone] = Field(
        description="With `changed_since` only: records that were among those asked for and are not any more. Delete them."
    )
    next: str | None = Field(description="`after` of the next page; null at the end.")
    next_since: datetime | None = Field(
        description="With `changed_since` only: what to give as that the next time, UTC; some records come again then."
    )
    sites: list[str] | None = Field(description="The sites that the token is limited to; null for none.")


class OneChange(BaseModel):
    """One change of a record."""

    record: str = Field(description="The record's id.")
    epoch: int = Field(description="Rises when the site's store is restored from a backup.")
    sequence: int = Field(
        description="Rises with every change within an epoch; gaps are changes that were told as one."
    )
    event: str = Field(description="The event's id (`ce_id`).")
    op: str = Field(description="recorded, amended or withdrawn.")
    time: datetime = Field(description="When the site stored it, UTC.")
    site: str = Field(description="The site that told it.")
    type: str = Field(description="The record type.")
    value: dict[str, Any] | None = Field(description="The event's value as it came; null for a withdrawal.")
    subject: str | None = Field(description="Of whom: the subject that the record had then.")
    arrived: datetime | None = Field(description="When this registry stored it, UTC.")


class Schemas(BaseModel):
    """The JSON Schemas that are served."""

    current: list[str] = Field(description="Addresses of this version's schemas.")
    released: dict[str, list[str]] = Field(description="By released version the addresses of what it promised.")


class WindowCompleteness(BaseModel):
    """Whether what is held of a window is all there is, at one site."""

    site: str = Field(description="The site.")
    state: State = Field(
        description="loaded: all that the site's source knew is here, none means that there is none. not loaded: the site never "
        "brought it. gap: some of it could not be read. not yet: the window reaches beyond the last load."
    )
    up_to: datetime | None = Field(
        description="What was entered at the source until then is here, but for the gaps, UTC."
    )
    gaps: list[Gap] = Field(description="The gaps in the window.")
    later: list[Gap] = Field(
        description="Gaps after the window: a correction, or what was entered late, may be missing."
    )


class ErasedSubject(BaseModel):
    """A subject of whom nothing is kept any more."""

    subject: str = Field(description="The pseudonym.")
    at: datetime = Field(description="When they were erased here, UTC.")


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How an operation is described that may be refused."""
    words = {
        401: "No token, or one that is not good.",
        403: "The token is not for this.",
        404: "There is no such thing.",
        422: "A parameter has another form than it must.",
        503: "The database is away.",
    }
    return {status: {"model": Refusal, "description": words[status]} for status in (*statuses, 422, 503)}


def ndjson(rows: Iterable[Any]) -> bytes:
    """A line each."""
    return b"".join(encode(row) + b"\n" for row in rows)
