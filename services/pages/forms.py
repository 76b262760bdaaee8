"""What forms share."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import HTTPException

from schemas.errors import OperatorError


@contextmanager
def in_words() -> Iterator[None]:
    """What people said wrongly is told to them as a page, not as a fault of ours."""
    try:
        yield
    except OperatorError as exc:
        raise HTTPException(422, f"{exc.cause.capitalize()}. {exc.fix}") from None
