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
        raise HTTPException(422, told(exc)) from None


def told(exc: OperatorError) -> str:
    """What is wrong and what to do, as sentences; names in it keep their capitals."""
    return f"{exc.cause[:1].upper()}{exc.cause[1:]}. {exc.fix}"
