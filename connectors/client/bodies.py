"""An answer's whole body, never more of it than a cap, however it was packed."""

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx2

from connectors.formats.gzip import Bomb, TruncatedGzip, inflated, plain
from connectors.formats.utf8 import BOM, UTF16
from schemas.errors import IncompleteError, TemporaryError
from schemas.showing import host_and_port

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
READ_BYTES = 1 << 18
"""Most that is taken from a connection at once. With httpcore2's 64 KiB a download spends a fifth of its time between two."""
LARGE_BYTES = 4 << 20
"""Size from which a body is worth a connection of its own."""
LOOKED_AT = 1024
"""Bytes of an answer's beginning by which it is told from a page for people."""
GZIP = frozenset({"gzip", "x-gzip"})
DEFLATE = "deflate"
NOT_PACKED = frozenset({"", "identity", "none", "utf-8", "utf8", "7bit", "8bit", "binary", "chunked", "aws-chunked"})
"""Words that some servers and stores write there, and that say nothing of packing."""
ONCE: tuple[list[str], ...] = ([], ["deflate"], ["gzip"], ["x-gzip"])
"""What we ask for. Others, or one in the other, unpack a few bytes into gigabytes at once, before they could be counted."""
JSON_BY_NAME = (("_format", "json"),)
"""What an address says where the header that asks for JSON is not heeded."""
_FHIR_XML = re.compile(rb"""<[A-Z]\w+[^>]*xmlns=["']http://hl7\.org/fhir["']""")
ONE_BYTE = frozenset({"iso-8859-1", "latin1", "latin-1", "windows-1252", "cp1252", "us-ascii"})
"""Character sets that JSON does not know, and some gateways write."""
ACCEPT_ENCODING = "gzip, deflate"


def require_encoding(response: httpx2.Response, *, what: str) -> None:
    """Raises IncompleteError where the answer is packed by a method nobody asked for, or more than once."""
    said = _encodings(response)
    if said not in ONCE:
        raise IncompleteError(
            f"{what}: {_place(response)} packs its answer by a method that was not asked for",
            "Have the proxy or server answer unpacked, or packed by gzip.",
            who="site IT",
        )


def body(response: httpx2.Response, *, cap: int, what: str) -> bytes:
    """The bytes, unpacked, as UTF-8. Raises IncompleteError for more than `cap` of them, TemporaryError where they take for ever."""
    require_encoding(response, what=what)
    content, began = bytearray(), time.monotonic()
    too_much = IncompleteError(
        f"{what}: {_place(response)} answers with more than {cap >> 20} MiB",
        "Lower fhir.page_size where it is a page of resources; else tell the EHR vendor.",
    )
    try:
        for block in plain(_unpacked(response, what)):  # some gateways pack, and do not say so
            content += block
            if time.monotonic() - began > ANSWER_SECONDS:
                raise TemporaryError(
                    f"{what}: the answer of {_place(response)} has no end after {ANSWER_SECONDS:g} s",
                    "Find what slows the server down; a lower fhir.page_size may help.",
                    who="site IT",
                )
            if len(content) > cap:
                raise too_much
    except Bomb:
        raise too_much from None
    except TruncatedGzip:
        raise _damaged(response, what) from None
    return _utf8(response, bytes(content))


def flowing(response: httpx2.Response, *, what: str) -> Iterator[bytes]:
    """The blocks of a file, unpacked. Raises TemporaryError where they only drip: none of the waits in between is too long; Bomb
    where they unpack without end."""
    began, come = time.monotonic(), 0
    for block in _unpacked(response, what):
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


def _unpacked(response: httpx2.Response, what: str) -> Iterator[bytes]:
    """The bytes as they were before they were packed for the way. Raises IncompleteError where packed ones end too early:
    httpx2 takes what came for all there is. What is called packed and is not comes as it is."""
    said = _encodings(response)
    if response.is_stream_consumed:  # held already
        yield from response.iter_bytes()
        return
    if DEFLATE not in said and not GZIP.intersection(said):
        yield from _raw(response)
        return
    try:
        yield from plain(inflated(_raw(response)) if DEFLATE in said else _raw(response))
    except Bomb:
        raise
    except TruncatedGzip:
        raise _damaged(response, what) from None


def _damaged(response: httpx2.Response, what: str) -> IncompleteError:
    return IncompleteError(f"{what}: {_place(response)} sent damaged compressed data", "Run it again.")


def _raw(response: httpx2.Response) -> Iterator[bytes]:
    """The bytes as they come. Of a large body whose length is said the connection itself is read, behind what came with the
    headers: through all layers in between a block takes three times as long."""
    blocks, left = response.iter_raw(), _said_length(response)
    stream = response.extensions.get("network_stream") if left >= LARGE_BYTES else None
    if stream is None:
        yield from blocks
        return
    for first in blocks:  # all that the parser holds
        left -= len(first)
        yield first
        break
    seconds = response.request.extensions.get("timeout", {}).get("read")
    while left > 0:
        if not (block := _read(stream, min(left, READ_BYTES), seconds)):
            raise httpx2.RemoteProtocolError("fewer bytes than the headers say")
        left -= len(block)
        yield block


def _said_length(response: httpx2.Response) -> int:
    """0 where it is not said, or the body comes in chunks."""
    said = response.headers.get("Content-Length", "")
    whole = "Transfer-Encoding" not in response.headers and response.http_version.startswith("HTTP/1")
    return int(said) if whole and said.isascii() and said.isdigit() else 0


def _read(stream: Any, most: int, seconds: float | None) -> bytes:
    import httpcore2  # as late as httpx2 itself does

    try:
        block: bytes = stream.read(most, seconds)
    except httpcore2.TimeoutException as exc:
        raise httpx2.ReadTimeout(str(exc)) from exc
    except httpcore2.NetworkError as exc:
        raise httpx2.ReadError(str(exc)) from exc
    return block


def is_page(headers: httpx2.Headers, content: bytes) -> bool:
    """Whether a page for people came, by how it begins: some servers call a page JSON, and JSON a page."""
    content_type: str = headers.get("Content-Type", "")
    begins = content[:LOOKED_AT].removeprefix(BOM).lstrip()[:1]
    return begins == b"<" or (
        content_type.lower().startswith(("text/html", "application/xhtml")) and begins not in b"{["
    )


def is_fhir_xml(content: bytes) -> bool:
    """Whether FHIR came in its other form: some servers, and gateways that drop headers, give JSON only where `_format` asks for it."""
    begins = content[:LOOKED_AT].removeprefix(BOM).lstrip()
    return begins[:1] == b"<" and _FHIR_XML.search(begins) is not None


def _utf8(response: httpx2.Response, content: bytes) -> bytes:
    """Of an answer that begins as UTF-16 does, or says it is in letters of one byte, and is: many say so and send UTF-8."""
    if content.startswith(UTF16):
        return content.decode("utf-16", "replace").encode()
    if (response.charset_encoding or "").lower() not in ONE_BYTE:
        return content
    try:
        content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace").encode()
    return content


def _encodings(response: httpx2.Response) -> list[str]:
    """By what an answer is packed, one in the other."""
    said: str = response.headers.get("Content-Encoding", "")
    return [word for each in said.split(",") if (word := each.strip().lower()) not in NOT_PACKED]


def _place(response: httpx2.Response) -> str:
    url = response.request.url
    return f"{url.scheme}://{host_and_port(url.host, url.port)}"
