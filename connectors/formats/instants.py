"""FHIR instants: `2026-03-02T05:00:00.123Z`."""

from datetime import UTC, datetime


def instant(text: str) -> datetime | None:
    """A FHIR instant in UTC; None where it is none, or has no offset."""
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        return None
    return stamp.astimezone(UTC) if stamp.tzinfo else None


def zulu(moment: datetime) -> str:
    """A FHIR instant in UTC, with Z: some servers compare it as text, and then another offset loses everything."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def newest(*stamps: datetime | None) -> datetime | None:
    """The latest of the stamps there are."""
    return max((stamp for stamp in stamps if stamp is not None), default=None)
