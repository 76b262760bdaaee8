"""`mainstem keys`: a site's key pair for SMART Backend Services: made, changed, and shown by its public half."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from connectors.client.keys import Algorithm, SigningKey, new_key, private_jwks, public_jwks, signing_keys
from connectors.vendors import Evidence, told_by, vendor, vendor_names
from mainstem.config.site_files import Secrets, SiteFile
from schemas.errors import OperatorError
from schemas.sites import Auth


@dataclass(frozen=True)
class NewKeys:
    """What was made, for whoever registers it."""

    private: Path
    public: Path
    jwks: str
    """The public document."""
    reference: str
    """What `fhir.auth.private_key` should say."""
    kept: str | None
    """The key that stays in use until the new one is known."""


def write_keys(file: SiteFile, secrets: Secrets, *, algorithm: Algorithm, to: Path | None, now: datetime) -> NewKeys:
    """A new key, the one in use beside it; overwrites no file but the one that holds the key in use."""
    in_use = [] if _is_to_be_made(file) else keys_in_use(file, secrets)
    keys = [new_key(algorithm, now), *in_use[:1]]
    private = to or _target(file)
    if private.exists() and private != _place(file):
        raise OperatorError(
            f"{private} exists", "Name another file with --to, or in fhir.auth.private_key to change its keys."
        )
    public = private.with_suffix(".public.json")
    private.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(private, private_jwks(keys), 0o600)
    _write(public, public_jwks(keys), 0o644)
    inside = private.is_relative_to(file.folder)
    shown = private.relative_to(file.folder) if inside else private
    return NewKeys(private, public, public_jwks(keys), f"file:{shown}", in_use[0].kid or "its PEM" if in_use else None)


def keys_in_use(file: SiteFile, secrets: Secrets) -> list[SigningKey]:
    """The site's keys, the one used first at the front; none where it does not log in by a key."""
    auth = _auth(file)
    return signing_keys(secrets(auth.private_key), auth) if auth.private_key else []


def where_to_register(file: SiteFile) -> list[str]:
    """Where the vendor wants the public key; of each where the site's is not known."""
    fhir = file.site.fhir
    name = (fhir.vendor or told_by(Evidence(base_url=str(fhir.base_url)))[0]) if fhir else ""
    return [f"{vendor(each).title}: {vendor(each).key_goes}" for each in ([name] if name else vendor_names())]


def _auth(file: SiteFile) -> Auth:
    return file.site.fhir.auth if file.site.fhir else Auth()


def _place(file: SiteFile) -> Path | None:
    """The file that holds the key in use."""
    reference = _auth(file).private_key or ""
    return file.resolve(reference.removeprefix("file:")) if reference.startswith("file:") else None


def _is_to_be_made(file: SiteFile) -> bool:
    """Whether the site file names the place where a new key goes, and none is there yet."""
    place = _place(file)
    return place == file.resolve(f"keys/{file.site.site}.jwks") and not place.exists()


def _target(file: SiteFile) -> Path:
    """The file in use where it is a JWKS; a PEM file holds one key."""
    place = _place(file)
    if place is not None and place.exists() and place.read_bytes().lstrip().startswith(b"{"):
        return place
    return file.resolve(f"keys/{file.site.site}.jwks")


def _write(path: Path, text: str, mode: int) -> None:
    """Whole or not at all: a run may read it at the same moment."""
    aside = path.with_name(f".{path.name}.new")
    aside.unlink(missing_ok=True)
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
    aside.replace(path)
