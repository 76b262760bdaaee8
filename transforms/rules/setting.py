"""What a rule may know about the site it reads for."""

from binascii import hexlify
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any

from transforms.codes.code_map import CodeMap
from transforms.privacy.pseudonyms import Pseudonyms

_SMALL_VERSION = 4


@dataclass(frozen=True)
class Setting:
    """What a rule may know about the site."""

    zone: tzinfo
    pseudonyms: Pseudonyms
    codes: CodeMap
    latest: str = "9999-12-31"
    """The last date that is not in the future, wherever on earth."""
    midnight_is_date: bool = False
    """The site's systems write dates as midnight of UTC."""
    bears: Callable[[bytes], bool] | None = None
    """Whether a Patient here has an id, by its ref; asked where a reference could hold elsewhere. None: nobody knows."""
    place: tuple[float, float] | None = None
    """Where the site is: degrees north, degrees east (WGS 84)."""
    manners: dict[Any, Any] = field(default_factory=dict)
    """How the numbers of one code and unit are treated: remembered, bounded."""

    @cached_property
    def last_moment(self) -> int:
        """The end of the last date that is not in the future, in microseconds since 1970."""
        day = datetime.fromisoformat(self.latest).replace(tzinfo=UTC)
        return (day - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) + 86_400_000_000

    @cached_property
    def declared(self) -> frozenset[str]:
        """The code systems that the site's code map names."""
        return frozenset(system for system, _ in self.codes if system)

    def version(self, written: str) -> str | None:
        """A resource's version as it may leave: a small number as it is, all else hashed; it may hold a record number."""
        if len(written) <= _SMALL_VERSION and written.isdigit() and written.isascii():
            return written
        return f"v-{hexlify(self.pseudonyms.ref('version', written)[:8]).decode()}" if written else None
