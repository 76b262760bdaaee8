"""A line that only holds resources → those: a Bundle's, and those of a Binary whose content is FHIR.

A server that keeps an export's files as Binary resources gives them as such to who takes FHIR's JSON.
"""

from base64 import b64decode
from collections.abc import Iterator

import msgspec

from connectors.formats.bundles import BUNDLE, held_in, is_bundle

_WORD = b'"Binary"'
HOLDERS = frozenset({BUNDLE, "Binary"})
"""Resource types that may hold others."""
_AT_MOST = 2048
"""Bytes in which a resource says its type."""


class _Binary(msgspec.Struct):
    resourceType: str = ""
    contentType: str = ""
    data: str = ""


_binary = msgspec.json.Decoder(_Binary).decode


def folds(line: bytes) -> bool:
    """Whether a line is a Bundle, or a Binary of FHIR."""
    return is_bundle(line) or _content(line) is not None


def held_by(line: bytes) -> Iterator[bytes]:
    """What a line holds in its place; else the line itself."""
    if is_bundle(line):
        yield from held_in(line)
    elif (content := _content(line)) is not None:
        for each in content.splitlines():
            if each.strip():
                yield from held_in(each) if is_bundle(each) else [each]
    else:
        yield line


def _content(line: bytes) -> bytes | None:
    """What a Binary of NDJSON holds; None for all else."""
    if _WORD not in line[:_AT_MOST] and _WORD not in line[-_AT_MOST:]:
        return None
    try:
        found = _binary(line)
        is_fhir = found.resourceType == "Binary" and "ndjson" in found.contentType.lower()
        return b64decode(found.data, validate=True) if is_fhir and found.data else None
    except (msgspec.DecodeError, UnicodeError, ValueError):
        return None
