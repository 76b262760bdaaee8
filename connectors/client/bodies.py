"""An answer's whole body, never more of it than a cap, however it was packed."""

import time
from collections.abc import Iterator

import httpx2

from schemas.errors import IncompleteError, TemporaryError

SMALL_BYTES = 1 << 20
"""Largest token, discovery, status or error answer."""
STATEMENT_BYTES = 32 << 20
"""Largest CapabilityStatement."""
PAGE_BYTES = 256 << 20
"""Largest page or manifest held in memory."""
ANSWER_SECONDS = 600.0
"""Longest an answer may take: a byte a minute would keep every single wait short, and the load for ever."""
WINDOW_SECONDS, SLOWEST = 60.0, 1024
"""A download that brings fewer bytes a second over such a time is given up: it would bring a file of a megabyte in a night."""
ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
"""What we ask for. Others unpack a few bytes into gigabytes at once, before they could be counted."""
ACCEPT_ENCODING = "gzip, deflate"


def require_encoding(response: httpx2.Response, *, what: str) -> None:
    """Raises IncompleteError where the answer is packed by a method nobody asked for, or more than once."""
    if response.headers.get("Content-Encoding", "").strip().lower() not in ENCODINGS:
        raise IncompleteError(
            f"{what}: {_place(response)} packs its answer by a method that was not asked for",
            "Have the proxy or server answer unpacked, or packed by gzip.",
            who="site IT",
        )


def body(response: httpx2.Response, *, cap: int, what: str) -> bytes:
    """The bytes, unpacked. Raises IncompleteError for more than `cap` of them, TemporaryError where they take for ever."""
    require_encoding(response, what=what)
    content, began = bytearray(), time.monotonic()
    for block in response.iter_bytes():
        content += block
        if time.monotonic() - began > ANSWER_SECONDS:
            raise TemporaryError(
                f"{what}: the answer of {_place(response)} has no end after {ANSWER_SECONDS:g} s",
                "Find what slows the server down; a lower fhir.page_size may help.",
                who="site IT",
            )
        if len(content) > cap:
            raise IncompleteError(
                f"{what}: {_place(response)} answers with more than {cap >> 20} MiB",
                "Lower fhir.page_size where it is a page of resources; else tell the EHR vendor.",
            )
    return bytes(content)


def flowing(response: httpx2.Response, *, what: str) -> Iterator[bytes]:
    """The blocks of a file, unpacked. Raises TemporaryError where they only drip: none of the waits in between is too long."""
    began, come = time.monotonic(), 0
    for block in response.iter_bytes():
        come += len(block)
        passed = time.monotonic() - began
        if passed > WINDOW_SECONDS:
            if come < SLOWEST * passed:
                raise TemporaryError(
                    f"{what}: {_place(response)} sends fewer than {SLOWEST} bytes a second",
                    "Find what slows the server or the network down; the next run reads it.",
                    who="site IT",
                )
            began, come = time.monotonic(), 0
        yield block


def _place(response: httpx2.Response) -> str:
    url = response.request.url
    return f"{url.scheme}://{url.host}" + (f":{url.port}" if url.port else "")
