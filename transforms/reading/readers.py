"""One site's readers: each is made when the first line of its type comes, and dropped when none has come for long."""

from collections.abc import Callable
from functools import partial

from transforms.privacy import FieldPolicy
from transforms.reading.contained import ContainedReader
from transforms.reading.keeper import Keeper
from transforms.reading.members import MemberReader
from transforms.reading.noticed import Noticed
from transforms.reading.reader import Reader
from transforms.reading.references import References
from transforms.rules.declaring import Kept, Lender, Resource
from transforms.rules.setting import Setting

_LONG = 8_000
"""Lines. What a reader remembers is a few megabytes, and a load reads type after type."""


class Readers(dict[bytes, Reader | MemberReader | Keeper]):
    """FHIR resource type → its reader."""

    def __init__(
        self,
        declared: Callable[[str], Resource | Kept | Lender | None],
        *,
        site: str,
        setting: Setting,
        references: References,
        noticed: Noticed,
    ) -> None:
        super().__init__()
        self._declared = declared
        self._site, self._setting, self._references, self._noticed = site, setting, references, noticed
        self._read = self._looked = 0
        self._last: dict[bytes, int] = {}

    def of(self, name: bytes, lines: int) -> Reader | MemberReader | Keeper:
        """The reader for so many lines of a type."""
        self._read += lines
        self._last[name] = self._read
        if self._read - self._looked >= _LONG:
            for idle in [each for each in self if self._last.get(each, 0) <= self._looked]:
                del self[idle]
            self._looked = self._read
        return self[name]

    def __missing__(self, name: bytes) -> Reader | MemberReader | Keeper:
        resource = self._declared(name.decode())
        if isinstance(resource, Resource):
            reader: Reader | MemberReader | Keeper = (MemberReader if resource.members else Reader)(
                resource,
                site=self._site,
                setting=self._setting,
                references=self._references,
                leaves=partial(FieldPolicy.load().leaves, resource.record),
                noticed=self._noticed,
            )
        elif resource is not None:
            reader = Keeper(resource, self._setting, self._contained(resource))
        else:
            raise KeyError(name)
        self[name] = reader
        return reader

    def _contained(self, holder: Kept | Lender) -> ContainedReader | None:
        if not isinstance(holder, Lender) or holder.contains is None:
            return None
        resource = self._declared(holder.contains.type)
        assert isinstance(resource, Resource)
        return ContainedReader(
            holder.contains,
            holder.source,
            resource,
            site=self._site,
            setting=self._setting,
            leaves=partial(FieldPolicy.load().leaves, resource.record),
            noticed=self._noticed,
        )
