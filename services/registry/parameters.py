"""What may be asked of the API, and in which form. What has another form is in no database, and is refused in words.

A NUL among it, PostgreSQL would refuse with an error; a number beyond all bounds, a library would.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import HTTPException, Path, Query
from fastapi.exceptions import RequestValidationError

from schemas.outcomes import RECORD_TYPES
from schemas.sites import SITE_PATTERN
from services.registry.tables import RECORD_TABLES

PAGE = 100
LARGEST_PAGE = 1000
FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
MOMENT = "A date (2026-03-02) or an instant with its zone (2026-03-02T09:10:00Z)"

Name = Annotated[str, Path(pattern=r"^[a-z][a-z_]{0,40}$", description=f"The record type: {', '.join(RECORD_TYPES)}.")]
SchemaName = Annotated[
    str, Path(pattern=r"^[a-z][a-z_]{0,40}$", description="The last part of an event's `ce_dataschema`.")
]
Released = Annotated[str, Path(pattern=r"^\d{1,4}(\.\d{1,4}){2}$", description="A released version: 0.1.0.")]
SiteName = Annotated[str | None, Query(pattern=SITE_PATTERN, description="Only of this site; of all by default.")]
Subject = Annotated[
    str | None, Query(pattern=r"^s-[0-9a-f]{32}$", description="Only of this subject, a pseudonym: `s-` and 32 digits.")
]
Code = Annotated[
    str | None,
    Query(
        pattern=r"^[!-~]{1,100}$",
        description="Only with this code, of the terminology that the record type's schema names (LOINC, SNOMED CT, RxNorm …).",
    ),
]
ChangedSince = Annotated[
    str | None,
    Query(
        max_length=40,
        description=f"{MOMENT}: only what arrived at this registry then or later, with the ids of what was withdrawn meanwhile. "
        "The answer's `next_since` is what to ask next time.",
    ),
]
AsOf = Annotated[
    str | None,
    Query(
        max_length=40,
        description=f"{MOMENT}: the state that the sites had stored then, UTC; of a date, at its end. The current one by default.",
    ),
]
After = Annotated[
    str,
    Query(
        pattern=r"^(r-[0-9a-f]{0,32})?$",
        description="The page begins after this id: `next` of the page before. Unit: none.",
    ),
]
RecordId = Annotated[str, Path(pattern=r"^r-[0-9a-f]{32}$", description="The record's id: `r-` and 32 digits.")]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description=f"Records a page, at most {LARGEST_PAGE}.")]


def known_type(record_type: str) -> str:
    """The name, if there is such a record type."""
    if record_type not in RECORD_TABLES:
        raise HTTPException(404, f"No record type {record_type}; there are {', '.join(RECORD_TYPES)}.")
    return record_type


def with_code(record_type: str, code: str | None) -> str | None:
    """The code, if the record type has codes."""
    if code is not None and "code" not in RECORD_TABLES[record_type].c:
        raise HTTPException(422, f"code: a {record_type} has no code.")
    return code


def moment(name: str, given: str | None, *, end_of_day: bool = False) -> datetime | None:
    """The instant that a parameter names; of a date the first of the day, or the last."""
    if given is None:
        return None
    found = _instant(given, end_of_day)
    if found is None:
        raise HTTPException(422, f"{name}: this is no moment. {MOMENT} is, between 1900 and 2999; + is written %2B.")
    return found


def day(name: str, given: str) -> date:
    """The date that a parameter names."""
    found = _instant(given, False) if len(given) == len("2026-03-02") else None
    if found is None:
        raise HTTPException(422, f"{name}: this is no date such as 2026-03-02, between 1900 and 2999.")
    return found.date()


def _instant(given: str, end_of_day: bool) -> datetime | None:
    if not given.isascii():
        return None
    try:
        if len(given) == len("2026-03-02"):
            first = datetime.combine(date.fromisoformat(given), time.min, UTC)
            found = first + timedelta(days=1, microseconds=-1) if end_of_day else first
        else:
            found = datetime.fromisoformat(given)
        return found.astimezone(UTC) if found.tzinfo is not None and FIRST <= found < LAST else None
    except (ValueError, OverflowError):
        return None


def in_words(exc: RequestValidationError) -> str:
    """Why a question was refused, parameter by parameter; what was given is not repeated."""
    return " ".join(f"{error['loc'][-1]}: {_words(error)}." for error in exc.errors())


def _words(error: dict[str, object]) -> str:
    said = str(error["msg"])
    return said[:1].lower() + said[1:].rstrip(".")
