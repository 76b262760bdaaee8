"""A client of SMART Backend Services, and files that only their owner can read."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import OperatorError


@dataclass(frozen=True)
class BackendClient:
    """A SMART Backend Services client: the private key for the site file, the public one for the hospital."""

    client_id: str
    private_key: Path
    key_id: str
    algorithm: str
    public_jwk: Mapping[str, Any]

    @classmethod
    def create(cls, path: Path, *, client_id: str = "mainstem", algorithm: str = "ES384") -> "BackendClient":
        """Read the PEM key at `path`, or make one there (mode 600); ES384 or RS384."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec, rsa
        from jwt.algorithms import ECAlgorithm, RSAAlgorithm

        if not path.exists():
            fresh: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
            fresh = (
                ec.generate_private_key(ec.SECP384R1())
                if algorithm == "ES384"
                else rsa.generate_private_key(65537, 2048)
            )
            pem = fresh.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            write_secret(path, pem)
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        elif isinstance(key, rsa.RSAPrivateKey):
            jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        else:
            raise OperatorError(f"{path} holds neither an EC nor an RSA key.", "Remove it; a new one is made.")
        key_id = hashlib.sha256(json.dumps(jwk, sort_keys=True).encode()).hexdigest()[:16]
        public = {**jwk, "kid": key_id, "alg": algorithm, "use": "sig", "key_ops": ["verify"]}
        return cls(client_id, path, key_id, algorithm, public)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
