"""Why something was not done: the reason that measures make an exception for."""

from dataclasses import replace

import msgspec

from transforms.fhir.elements import Scalar, decode, text_of
from transforms.rules.declaring import Found, Rule
from transforms.rules.setting import Setting
from transforms.rules.visits import codings_in_extension

_REASON = "qicore-notDoneReason"
_CANCELLED = frozenset({"cancelled", "canceled"})


class _Extension(msgspec.Struct, gc=False):
    url: Scalar = None


def why_cancelled(name: str, others: Rule) -> Rule:
    """Extensions of a result that was cancelled → QI-Core's reasons; `others` reads the rest, and refuses a reason beside a result."""
    reasons, mark = codings_in_extension(name, _REASON), _REASON.encode()

    def read(raw: bytes, companion: bytes | None, setting: Setting) -> Found:
        if mark not in raw or text_of(decode(companion or b"null", Scalar)).lower() not in _CANCELLED:
            return others.read(raw, None, setting)
        told = reasons.read(raw, None, setting)
        found = others.read(_without_reasons(raw), None, setting)
        return replace(found, values=found.values | told.values, flags=(*found.flags, *told.flags))

    return Rule((*others.gives, name), read, needs="status")


def _without_reasons(raw: bytes) -> bytes:
    listed: list[msgspec.Raw] = decode(raw, list[msgspec.Raw]) if raw[:1] == b"[" else [msgspec.Raw(raw)]
    kept = [each for each in listed if not text_of(decode(bytes(each), _Extension).url).endswith(f"/{_REASON}")]
    return msgspec.json.encode(kept)
