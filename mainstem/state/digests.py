"""When two contents of a record are the same."""

from hashlib import blake2b

DIGEST_BYTES = 16
_RAW = b',"raw_value":"'
_nothing = blake2b(digest_size=DIGEST_BYTES)
_begin = _nothing.copy
EMPTY_DIGEST = _nothing.digest()
"""The digest of a withdrawn record: it has no content."""


def digest_of(content: bytes) -> bytes:
    """BLAKE2b-128 of the record's JSON without `raw_value`: a source that writes 7.10 for 7.1 says nothing new.

    A raw value is a number and stands once, so it ends at the next quote; inside a text its own quotes would be escaped.
    """
    before, raw, after = content.partition(_RAW)  # and a copied hash: a third of the time of the plain way
    digest = _begin()
    digest.update(before)
    if raw:
        digest.update(after.partition(b'"')[2])
    return digest.digest()
