"""The keys a SMART Backend Services client signs with: read from PEM, a JWK or a JWKS, made, and shown by their public halves."""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from schemas.errors import OperatorError
from schemas.sites import Auth

Algorithm = Literal["RS384", "ES384"]
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
RSA_BITS, LEAST_RSA_BITS = 3072, 2048
PUBLIC = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y")}
"""Members of a key that are not secret; they make its thumbprint (RFC 7638)."""

MISTAKEN = {
    b"PuTTY-User-Key": "is in the form of PuTTY, not PEM (PuTTYgen writes it anew: Conversions, Export OpenSSH key)",
    b"CERTIFICATE REQUEST": "is a request for a certificate",
    b"ENCRYPTED": "has a password",
    b"BEGIN OPENSSH": "is in the form of OpenSSH, not PEM (`ssh-keygen -p -m PEM -f FILE` writes it anew)",
    b"PUBLIC KEY": "is the public half",
    b"ssh-": "is the public half",
    b"BEGIN CERTIFICATE": "is a certificate",
    b"\\n": "has \\n where its lines should end",
}
"""What stands in a file → what it is instead of a private key."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, its id as registered (None: none is said), and the algorithm it is for."""

    key: PrivateKey
    kid: str | None
    algorithm: Algorithm
    made: float = 0
    """When, in seconds since 1970, where the JWKS says it."""


def signing_keys(text: bytes, section: Auth) -> list[SigningKey]:
    """The keys at the place that `fhir.auth.private_key` names, the one to use first: `key_id`'s, else the newest.

    Raises OperatorError where none fits.
    """
    keys = _of_jwks(text, section) if text.lstrip().startswith(b"{") else [_of_pem(text, section)]
    keys.sort(key=lambda each: (each.kid != section.key_id, -each.made))
    if section.algorithm and not (keys := [each for each in keys if each.algorithm == section.algorithm]):
        raise _unusable(section, f"does not fit {section.algorithm}")
    return keys


def _of_pem(text: bytes, section: Auth) -> SigningKey:
    try:
        key = serialization.load_pem_private_key(text, password=None)
    except (ValueError, TypeError):
        raise _unusable(section, _what_it_is(text)) from None
    return SigningKey(*_fitting(key, section.key_id, section))


def _what_it_is(text: bytes) -> str:
    """What somebody put in a private key's place, told by how it begins."""
    return next(
        (what for sign, what in MISTAKEN.items() if sign in text[:4_096]), "is no private key in PEM or JWKS form"
    )


def _of_jwks(text: bytes, section: Auth) -> list[SigningKey]:
    try:
        document = json.loads(text)
        members = [each for each in document.get("keys", [document]) if "d" in each]
        found = [_of_jwk(each, section) for each in members]
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, jwt.PyJWTError):
        raise _unusable(section, "holds no JWKS that fits RS384 or ES384") from None
    if not found or (section.key_id and section.key_id not in {each.kid for each in found}):
        raise _unusable(section, f"holds no private key {section.key_id or ''}".rstrip())
    return found


def _of_jwk(member: dict[str, Any], section: Auth) -> SigningKey:
    form = RSAAlgorithm if member["kty"] == "RSA" else ECAlgorithm
    made, kid = member.get("iat"), member.get("kid")
    key, kid, algorithm = _fitting(form.from_jwk(member), kid if isinstance(kid, str) else None, section)
    return SigningKey(key, kid, algorithm, made if isinstance(made, int | float) else 0)


def _fitting(key: object, kid: str | None, section: Auth) -> tuple[PrivateKey, str | None, Algorithm]:
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= LEAST_RSA_BITS:
        return key, kid, "RS384"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp384r1":
        return key, kid, "ES384"
    raise _unusable(section, "is neither an RSA key of 2,048 bits or more nor an EC key on the curve P-384")


def _unusable(section: Auth, why: str) -> OperatorError:
    return OperatorError(
        f"the private key of client {section.client_id} ({section.private_key}) {why}",
        "Point fhir.auth.private_key to the client's own private key: PEM without password, or JWKS; "
        "`mainstem keys new` makes one.",
    )


def new_key(algorithm: Algorithm, now: datetime) -> SigningKey:
    """A fresh one; its id tells the day it was made."""
    key: PrivateKey = (
        ec.generate_private_key(ec.SECP384R1())
        if algorithm == "ES384"
        else rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    )
    kid = f"mainstem-{now:%Y-%m-%d}-{thumbprint(key)[:8]}"
    return SigningKey(key, kid, algorithm, int(now.timestamp()))


def thumbprint(key: PrivateKey) -> str:
    """Of the public half, by RFC 7638."""
    public = _members(key)
    canonical = json.dumps(
        {name: public[name] for name in PUBLIC[public["kty"]]}, separators=(",", ":"), sort_keys=True
    )
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def private_jwks(keys: Sequence[SigningKey]) -> str:
    """The document to keep: secret."""
    return _document([{**_members(each.key), **_described(each)} for each in keys])


def public_jwks(keys: Sequence[SigningKey]) -> str:
    """The document to register: of each key what is not secret."""
    shown = []
    for each in keys:
        members = _members(each.key)
        shown.append({name: members[name] for name in PUBLIC[members["kty"]]} | _described(each))
    return _document(shown)


def _members(key: PrivateKey) -> dict[str, Any]:
    form: Any = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    members: dict[str, Any] = form.to_jwk(key, as_dict=True)
    members.pop("key_ops", None)
    return members


def _described(each: SigningKey) -> dict[str, Any]:
    made = {"iat": int(each.made)} if each.made else {}
    return {"kid": each.kid or thumbprint(each.key), "alg": each.algorithm, "use": "sig", **made}


def _document(keys: list[dict[str, Any]]) -> str:
    return json.dumps({"keys": keys}, indent=2) + "\n"
