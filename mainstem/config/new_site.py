"""`mainstem sites new`: a site file to start from, and the site's pseudonym key."""

import json
import os
import re
import secrets
from pathlib import Path

from schemas.errors import OperatorError
from schemas.sites import PATTERN_WORDS, SITE_PATTERN, parse_site

SERVER = """
[fhir]
base_url = {base_url}

# SMART Backend Services: `mainstem keys new` makes the pair and says where its public half goes.
# [fhir.auth]
# method = "smart-backend"
# client_id = "from the vendor"
# private_key = "file:keys/{site}.jwks"
"""
FOLDER = """
[files]
folder = {folder}
"""
TEMPLATE = """# {site}: one site of the network. `mainstem sites keys` lists every key.
site = "{site}"
name = "{site}"
time_zone = {time_zone}
subject_key = "file:keys/{site}.subject-key"   # pseudonyms; keep it secret, keep it safe, never change it
"""


def write_site(name: str, to: Path, *, base_url: str | None, folder: Path | None, time_zone: str) -> Path:
    """Writes `<to>/<name>.toml` and `<to>/keys/<name>.subject-key`. Overwrites neither; raises OperatorError instead."""
    if (base_url is None) == (folder is None):
        raise OperatorError(
            "a site is read from a server or from a folder", "Give --base-url or --folder, one of them."
        )
    if re.fullmatch(SITE_PATTERN, name) is None:
        raise OperatorError(f"'{name}' cannot be the name of a site", f"{PATTERN_WORDS[SITE_PATTERN].capitalize()}.")
    if folder is not None and not folder.is_dir():
        raise OperatorError(
            f"{folder}: no such folder",
            "Correct --folder, or make it: the site's files are delivered there.",
            who="site IT",
        )
    text = TEMPLATE.format(site=name, time_zone=_quoted(time_zone))
    text += (
        SERVER.format(site=name, base_url=_quoted(base_url))
        if base_url
        else FOLDER.format(folder=_quoted(_absolute(folder)))
    )
    path = to / f"{name}.toml"
    parse_site(text, str(path))
    if path.exists():
        raise OperatorError(f"{path} exists", "Edit it, or choose another name.")
    key = to / "keys" / f"{name}.subject-key"
    key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not key.exists():
        descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
    path.write_text(text, encoding="utf-8")
    return path


def _quoted(text: str) -> str:
    """As a TOML string, whatever stands in it; the escapes of JSON are TOML's too."""
    return json.dumps(text, ensure_ascii=False)


def _absolute(folder: Path | None) -> str:
    return str(folder.resolve()) if folder else ""
