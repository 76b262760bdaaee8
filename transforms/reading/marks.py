"""Marks in `meta` that change all that a resource says: that it is gone, given in part only, of a test patient."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct

from schemas.problems import Reason
from transforms.fhir.elements import Scalar, Unusable, decode
from transforms.fhir.keys import has_key_twice
from transforms.reading.memories import Note
from transforms.rules.short_cuts import OTHER_VERSIONS


class Meta(Struct, gc=False):
    """What is read of `meta`."""

    versionId: Scalar = None
    lastUpdated: Scalar = None
    profile: Any = None
    tag: Any = None
    security: Any = None
    extension: Any = None
    deleted: Any = None
    isDeleted: Any = None
    deletedAt: Any = None
    deletedOn: Any = None
    status: Any = None

    @property
    def gone(self) -> bool:
        """Whether a field of no FHIR version says that the resource is deleted."""
        said = (self.deleted, self.isDeleted, self.deletedAt, self.deletedOn)
        return any(each not in _NOT_SO for each in said) or _GONE.fullmatch(_text(self.status)) is not None


_GONE = re.compile(r"(?i)(soft-?|is-?)?deleted?|tombstone|removed|nullified|void(ed)?|purged|entered-in-error")
_GONE_URL = re.compile(
    r"(?i)((is|resource|record|row)-?)*(soft-?)?delet(ed?|ion)(-?(state|at|on|date|flag|status|mark(er)?))?|tombstone"
)
_TEST = frozenset({"htest", "test-patient", "testpatient", "test-data"})
_PARTIAL = frozenset({"subsetted", "masked", "redacted", "abstred", "aggred"})
_NOT_SO = (None, False, "", "false", "no", "0", "active")


def marked(meta: Meta) -> Note | None:
    """What the marks in `meta` say of the resource: gone, given in part, of a test patient."""
    labels = [*_labels(meta.tag), *_labels(meta.security)]
    if meta.gone or _is_gone(labels) or any(map(_says_gone, _objects(meta.extension))):
        return Note(withdrawn=True)
    codes = {re.sub(r"[\s_]+", "-", code.lower()) for _, code in labels}
    if codes & _PARTIAL:
        return Note(Reason.PARTIAL_ANSWER, "meta.tag")
    if codes & _TEST:
        return Note(Reason.TEST_DATA, "meta.tag")
    return None


def _labels(codings: Any) -> list[tuple[str, str]]:
    """System and code; where there is none, what it is shown as."""
    return [
        (_text(each.get("system")), _text(each.get("code")) or _text(each.get("display"))) for each in _objects(codings)
    ]


def _is_gone(labels: Sequence[tuple[str, str]]) -> bool:
    named = (_GONE_URL.fullmatch(_end(system)) and code.lower() not in _NOT_SO for system, code in labels)
    return any(named) or any(_GONE.fullmatch(code) for _, code in labels)


def _says_gone(extension: dict[str, Any]) -> bool:
    values = [value for name, value in extension.items() if name.startswith("value")]
    if _end(_text(extension.get("url"))) == "fhir-request-method":
        return "DELETE" in values
    if not _GONE_URL.fullmatch(_end(_text(extension.get("url")))):
        return False
    return not values or any(value not in _NOT_SO for value in values)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _end(url: str) -> str:
    return re.split(r"[/:#]", url.rstrip("/"))[-1]


@lru_cache(maxsize=1024)
def is_silent(rest: bytes) -> bool:
    """Whether what stands in a `meta` behind version and time (`,"profile":[…]`) says nothing that changes the resource."""
    text = b'{"versionId":""' + rest + b"}"
    try:
        meta = decode(text, Meta)
    except Unusable:
        return False
    if has_key_twice(text):
        return False
    return marked(meta) is None and not OTHER_VERSIONS.search(rest)
