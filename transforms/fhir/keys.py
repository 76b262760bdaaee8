"""One key twice in a JSON object: FHIR forbids it, and readers take the first or the last as they please."""

import json

import msgspec
from msgspec import Raw

_as_written = msgspec.json.Decoder(float_hook=lambda written: Raw(written.encode())).decode
_encode = msgspec.json.Encoder().encode
_QUOTE = b"\\u0022"


class _Twice(Exception):
    """Found."""


def has_key_twice(text: bytes) -> bool:
    """Whether any object in a JSON text, at any depth, has one key twice.

    What was decoded and written again is as long as it was, unless it had white space, escapes or a key twice; and it has as
    many quotation marks, unless one was written by its number or a key stood twice.
    """
    if text.find(b":", text.find(b":") + 1) < 0:
        return False  # one key at most
    try:
        written = _encode(_as_written(text))
        if len(written) == len(text) or (_QUOTE not in text and written.count(b'"') == text.count(b'"')):
            return False
        json.loads(text, object_pairs_hook=_once)
    except _Twice:
        return True
    except (ValueError, RecursionError):
        return False  # no JSON, which others say
    return False


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Twice
    return found
