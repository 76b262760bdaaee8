"""`mainstem map --tier`: of each record what would leave at a sharing tier, and nothing of where it came from."""

import hmac
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from secrets import token_bytes
from typing import Any

import msgspec

from connectors.formats.bundles import without_bundles
from connectors.formats.ndjson import read_batches
from schemas.problems import Problem
from transforms import Mapper
from transforms.codes.systems import known_systems
from transforms.mapped import Mapped
from transforms.privacy.field_policy import REGISTRY_TIER
from transforms.privacy.tiers import Tier

_OLDEST = 89
_TIME = re.compile(r"([0-9]{4})(?:-[0-9]{2}){0,2}(T.*)?")
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder(dict[str, Any]).decode
PATIENT = "Patient"


class Births:
    """When the persons of some files were born; the files are read once somebody asks."""

    def __init__(self, paths: Sequence[Path], mapper: Mapper, *, cap: int) -> None:
        """`mapper`: of Patients alone."""
        self._paths, self._mapper, self._cap = paths, mapper, cap

    def __call__(self, subject: str) -> str | None:
        """Of a subject (`s-…`); None where it is not told."""
        return self._dates.get(subject)

    @cached_property
    def _dates(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in self._paths:
            for _, lines in without_bundles(read_batches(path, cap=self._cap)):
                for record in () if isinstance(lines, Problem) else self._mapper.map_lines(lines).records:
                    content = _decode(record.content)
                    if born := content.get("birth_date"):
                        found[content["subject"]] = born
        return found


class AtTier:
    """Records as they leave at a tier; those of which nothing does are counted."""

    def __init__(self, number: int, born: Births) -> None:
        year = partial(years, since=datetime.now(UTC).year - _OLDEST)
        forms = {"year": year, "recode": partial(surrogate, key=token_bytes(32))}
        self._tier = Tier(number, forms=forms, public=known_systems()) if number != REGISTRY_TIER else None
        self._born = born
        self.leaving: Counter[str] = Counter()
        """Record type → how many leave …"""
        self.held: Counter[str] = Counter()
        """… and how many do not: for a teenager's code, or because the tier has no form for any of their fields."""

    def lines(self, records: Iterable[Mapped]) -> Iterator[bytes]:
        """`{"record":…}`, a line each."""
        for record in records:
            content = _decode(record.content)
            if self._tier is not None:
                content = self._tier.of(content, born=self._born(content["subject"])) or {}
            (self.leaving if content.keys() - {"type"} else self.held)[record.type] += 1
            if content.keys() - {"type"}:
                yield b'{"record":%b}\n' % _encode(content)


def years(value: Any, *, since: int) -> Any:
    """Dates cut to their year, inner ones too; none that tells an age over 89, and no instant."""
    if isinstance(value, list):
        return [told for each in value if (told := years(each, since=since)) not in (None, {}, "")]
    if isinstance(value, dict):
        return {name: told for name, each in value.items() if (told := years(each, since=since)) not in (None, {}, [])}
    if not isinstance(value, str) or (found := _TIME.fullmatch(value)) is None:
        return value
    return found[1] if not found[2] and int(found[1]) >= since else None


def surrogate(value: Any, *, key: bytes) -> Any:
    """The same for the same id within one run, and another in the next."""
    if isinstance(value, list):
        return [surrogate(each, key=key) for each in value]
    return f"x-{hmac.digest(key, str(value).encode(), 'sha256')[:16].hex()}"
