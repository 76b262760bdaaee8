"""What a step gives the state to save, and what became of it."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from schemas.loads import TypeCounts
from transforms.mapped import Alike, Depends, Lent, Mapped, Referred

_PORTION = 4_000
"""Of very many records so many are made at once."""


class Place(NamedTuple):
    """How far a part of a load's work has got."""

    file: str
    """Name of the landing file."""
    line: int
    """Lines of it that are done."""
    extra: dict[str, Any] | None = None
    """What else the step needs to go on from there; JSON values."""
    whole: bool = False
    """Whether nothing is left of the part."""


class Quarantined(NamedTuple):
    """A resource that gave no record: why and where it is. No source text."""

    resource_type: str
    ref: bytes
    """12 bytes, or empty where the resource has no id."""
    reason: str
    path: str
    """Field path inside the resource."""
    file: str
    """Name of the landing file."""
    line: int


class Batch(NamedTuple):
    """Saved in one transaction: all of it, or nothing."""

    records: Sequence[Mapped] = ()
    """All records of one source resource (one ref) come in the same batch: a stored part that is not among them is withdrawn
    when the resource changed."""
    withdrawn: Sequence[tuple[bytes, int | None]] = ()
    """Refs entered in error, with their time; they win over records of the same time."""
    unusable: Sequence[tuple[bytes, int | None]] = ()
    """Refs that came and could not be used, with their time: what they gave before is withdrawn, for that reason."""
    in_part: Collection[bytes] = ()
    """Refs of which a part could not be used: what that part gave before is withdrawn for that reason, too."""
    alone: Sequence[tuple[bytes, int | None]] = ()
    """Refs without a record of the whole, with their time: what else is stored of them is withdrawn."""
    alike: Sequence[Alike] = ()
    """Records besides, very many of each resource; it is one of `alone`."""
    quarantined: Sequence[Quarantined] = ()
    referred: Sequence[Referred] = ()
    depends: Sequence[Depends] = ()
    lent: Sequence[Lent] = ()
    linked: Collection[bytes] = ()
    """Refs whose records say what is lent to them, as it was read for this batch."""
    mapped_again: bool = False
    """The lines did not come, they were kept: those that can be used now are in quarantine no more."""
    outdated_by: Collection[str] = ()
    """Loads that came after the lines did: records that these withdrew are not told again; they count as stale."""
    figures: TypeCounts | None = None
    """What was read for this batch; what became of the records is added by the state."""
    place: Place | None = None
    """From here the part goes on after a crash."""

    def portions(self) -> Iterator[Sequence[Mapped]]:
        """All records, some at a time."""
        yield self.records
        for each in self.alike:
            yield from (each[start : start + _PORTION] for start in range(0, len(each), _PORTION))


class Saved(NamedTuple):
    """What a batch changed. Every record given is recorded, amended, unchanged or stale."""

    recorded: int
    """Not known before, or known as withdrawn."""
    amended: int
    unchanged: int
    withdrawn: int
    """Stored records withdrawn: entered in error, or a part its resource no longer has."""
    stale: int
    """Older than what is known or than another version in the batch; not stored."""
    source_unusable: int = 0
    """Of those withdrawn: their source came and could not be used."""
