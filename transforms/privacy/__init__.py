"""Who may see what: pseudonyms under the site's key, and the allow-list of fields by sharing tier."""

import hmac
import tomllib
from binascii import hexlify
from collections.abc import Callable, Mapping
from hashlib import blake2b
from importlib.resources import files

from transforms.mapped import REF_BYTES

SUBJECT_BYTES = 16
REGISTRY_TIER = 1
"""HIPAA limited data set under a data use agreement: what the outcome topic carries."""


class Pseudonyms:
    """Keyed hashes under one site's key: HMAC-SHA-256 for patients, keyed BLAKE2b (RFC 7693) for resources.

    Every line needs a resource's hash, few a new patient's, and BLAKE2b takes half the time of an HMAC.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._begun = blake2b(key=hmac.digest(key, b"resources", "sha256"), digest_size=REF_BYTES)

    def subject(self, patient_id: str) -> bytes:
        """A patient's pseudonym, 16 bytes."""
        return hmac.digest(self._key, f"Patient/{patient_id}".encode(), "sha256")[:SUBJECT_BYTES]

    def ref(self, resource_type: str, resource_id: str) -> bytes:
        """A resource's keyed hash, 12 bytes."""
        return self.refs()(f"{resource_type}/{resource_id}".encode())

    def refs(self, prefix: bytes = b"") -> Callable[[bytes], bytes]:
        """The keyed hash of prefix + message as a function without attribute look-ups, for the hot path."""
        begun = self._begun.copy()
        begun.update(prefix)
        return keyed(begun)


def keyed(begun: "blake2b") -> Callable[[bytes], bytes]:
    """The hash that was begun, of each message, as a function without attribute look-ups."""
    copy = begun.copy

    def digest(message: bytes) -> bytes:
        hashing = copy()
        hashing.update(message)
        return hashing.digest()

    return digest


def hexadecimal(prefix: bytes, value: bytes) -> str:
    """`r-7f3a…`: a pseudonym as it is written outside."""
    return (prefix + hexlify(value)).decode("ascii")


class FieldPolicy:
    """The allow-list: which fields of a record leave at which tier. What is not listed does not leave."""

    def __init__(self, tiers: Mapping[str, Mapping[str, Mapping[str, str]]]) -> None:
        self._tiers = tiers

    @classmethod
    def load(cls) -> "FieldPolicy":
        """`field_policy.toml`."""
        return cls(tomllib.loads(files("transforms.privacy").joinpath("field_policy.toml").read_text(encoding="utf-8")))

    def leaves(self, record_type: str, field: str, tier: int = REGISTRY_TIER) -> bool:
        """Whether a field of a record type leaves at a tier."""
        return self._record(record_type, tier).get(field) == "keep"

    def listed(self, record_type: str, tier: int = REGISTRY_TIER) -> Mapping[str, str]:
        """What the policy decides about each field of a record type: keep or withhold."""
        return dict(self._record(record_type, tier))

    def _record(self, record_type: str, tier: int) -> Mapping[str, str]:
        return self._tiers.get(f"tier{tier}", {}).get(record_type, {})
