"""What was not done: the reason that measures make an exception for, and the mark that QI-Core sets beside it."""

from collections.abc import Callable
from dataclasses import replace

import msgspec

from transforms.fhir.elements import Scalar, decode, text_of
from transforms.rules.declaring import Found, Rule
from transforms.rules.meaning import modifiers
from transforms.rules.setting import Setting
from transforms.rules.visits import codings_in_extension

_REASON = "qicore-notDoneReason"
_MARK = "http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-notDone"
_CANCELLED = frozenset({"cancelled", "canceled"})


class _Extension(msgspec.Struct, gc=False):
    url: Scalar = None


def why_cancelled(name: str, others: Rule) -> Rule:
    """Extensions of a result that was cancelled → QI-Core's reasons; `others` reads the rest, and refuses a reason beside a result."""
    reasons, mark = codings_in_extension(name, _REASON), _REASON.encode()

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if mark not in raw or not _is_cancelled(companion):
            return others.read(raw, None, setting)
        told = reasons.read(raw, None, setting)
        found = others.read(_without(raw, lambda url: url.endswith(f"/{_REASON}")), None, setting)
        return replace(found, values=found.values | told.values, flags=(*found.flags, *told.flags))

    return Rule((*others.gives, name), read, needs="status")


def mark_of_cancelled() -> Rule:
    """Modifiers of a result. QI-Core's mark that it was not done (until 2025 its profile demands it) repeats the status `cancelled`."""
    others, mark = modifiers("modifierExtension")["modifierExtension"], _MARK.encode()

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if mark in raw and _is_cancelled(companion):
            raw = _without(raw, lambda url: url == _MARK)
        return others.read(raw, None, setting)

    return Rule((), read, needs="status")


def _is_cancelled(status: bytes | None) -> bool:
    return text_of(decode(status or b"null", Scalar)).lower() in _CANCELLED


def _without(raw: bytes, such: Callable[[str], bool]) -> bytes:
    """A list of extensions without those of such a url."""
    listed: list[msgspec.Raw] = decode(raw, list[msgspec.Raw]) if raw[:1] == b"[" else [msgspec.Raw(raw)]
    return msgspec.json.encode([each for each in listed if not such(text_of(decode(bytes(each), _Extension).url))])
