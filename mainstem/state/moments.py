"""Moments as the record table keeps them: microseconds since 1970 UTC."""

from datetime import UTC, datetime, timedelta

_START = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """For the table."""
    return (moment - _START) // _MICROSECOND


def moment_of(count: int) -> datetime:
    """From the table, UTC."""
    return _START + count * _MICROSECOND
