"""One site's file, and the secrets it points to."""

import os
import re
import stat
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from schemas.errors import OperatorError
from schemas.showing import shown
from schemas.sites import SECRET_PATTERN, Site, parse_site

Secrets = Callable[[str], bytes]
"""Resolves a reference such as `env:NAME` to the secret."""
SECTION = re.compile(r"^[ \t]*\[", re.MULTILINE)
SEVERAL_LINES = re.compile("\"{3}|'{3}")
PLAIN = re.compile(r"""^(site|subject_key)[ \t]*=[ \t]*(["'])([^"'\\\n]*)\2[ \t]*(?:#.*)?$""", re.MULTILINE)
"""What a parser of TOML would say of a key, where no text of several lines and no section stands before it."""


@dataclass(frozen=True, slots=True)
class SiteFile:
    """A site and the file it was read from; paths and secrets in it are relative to the file's folder."""

    site: Site
    path: Path

    @property
    def folder(self) -> Path:
        """The file's folder."""
        return self.path.parent

    def resolve(self, relative: str) -> Path:
        """A path of the site file as an absolute one."""
        return (self.folder / relative).resolve()


def read_site(path: Path) -> SiteFile:
    """The site of a TOML file. Raises OperatorError naming file, line and key, and a file beside it that has the same `site`."""
    file = _read(path)
    for other in sorted(file.folder.glob("*.toml")):
        if other != file.path and _claims(other, "site", lambda said: said == file.site.site):
            raise _twins(file.site.site, file.path, other)
    return file


def require_own_key(file: SiteFile) -> None:
    """Raises OperatorError naming both files where another of the folder has the same subject key."""
    key = _quietly(file.folder, file.site.subject_key)
    for other in sorted(file.folder.glob("*.toml")):
        if other != file.path and _claims(other, "subject_key", lambda said: _same_secret(file, key, said)):
            raise _one_key(file.path, other)


def warn_of_one_key(file: SiteFile) -> None:
    """Says what `require_own_key` refuses, once, on standard error: a site that is loaded already cannot change its key."""
    try:
        require_own_key(file)
    except OperatorError as exc:
        _warn(f"{exc.cause}. {exc.fix}")


def try_read(path: Path) -> Site | None:
    """The site of a file; none where it cannot be read."""
    try:
        return read_site(path).site
    except OperatorError:
        return None


def try_site(path: Path) -> dict[str, str]:
    """A site file in a few words, or what is wrong with it."""
    try:
        file = read_site(path)
        require_own_key(file)
    except OperatorError as exc:
        return {"site": path.stem, "name": "", "road": "", "source": "", "schedule": "", "fault": exc.cause}
    site = file.site
    source = str(site.fhir.base_url) if site.fhir else site.files.folder if site.files else ""
    told = {"site": site.site, "name": site.name, "road": site.road, "source": source, "schedule": site.schedule}
    return {**told, "fault": ""}


def _same_secret(file: SiteFile, key: bytes, other: object) -> bool:
    """Whether another site's reference is to the same secret: by its place, else by what stands there, which for this site is `key`."""
    if not isinstance(other, str) or other == file.site.subject_key:
        return other == file.site.subject_key
    return key == _quietly(file.folder, other) != b""


def _quietly(folder: Path, reference: str) -> bytes:
    """What stands at a secret's place; nothing where it cannot be had: its own site is told so."""
    kind, _, name = reference.partition(":")
    try:
        return (folder / name).read_bytes().strip() if kind == "file" else _of_environment(kind, name)
    except (OSError, ValueError):
        return b""


def read_sites(folder: Path) -> list[SiteFile]:
    """Every site of a folder, in the order of the files' names. Raises OperatorError as `read_site` does."""
    return [read_site(path) for path in site_paths(folder)]


def site_paths(folder: Path) -> list[Path]:
    """The site files of a folder. Raises OperatorError where there is no such folder."""
    if not folder.is_dir():
        raise OperatorError(f"{folder}: no such folder of site files", "`mainstem sites new NAME` makes it.")
    return sorted(folder.glob("*.toml"))


def _read(path: Path) -> SiteFile:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        others = ", ".join(sorted(str(p) for p in path.parent.glob("*.toml"))) if path.parent.is_dir() else ""
        raise OperatorError(
            f"{path}: no such site file", f"There are: {others}." if others else "`mainstem sites new NAME` writes one."
        ) from exc
    except UnicodeDecodeError:
        raise OperatorError(
            f"{path}: is not UTF-8 text", "Save it as UTF-8; editors offer it beside the name."
        ) from None
    except OSError as exc:
        raise OperatorError(f"{path}: cannot be read ({exc.strerror})", "Check the path and its permissions.") from exc
    return SiteFile(parse_site(text, str(path)), path.resolve())


def _said_in(path: Path) -> dict[str, object]:
    """What stands in a file that may be broken; its own reading says what is wrong with it."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}


def called(path: Path) -> str:
    """The hospital's name in a file that may be broken; empty where it cannot be told."""
    name = _said_in(path).get("name")
    return name if isinstance(name, str) else ""


def may_be_of(path: Path, site: str) -> bool:
    """Whether a file is called so, or may say that it is that site's."""
    return path.stem == site or _plain_word(path, "site") in (None, site)


def _claims(path: Path, key: str, ours: Callable[[object], bool]) -> bool:
    """Whether a file says under a top-level key what is `ours`. A plain line is enough for a no: each step of each site asks this of
    all others' files. A yes is read whole, since a broken file claims nothing."""
    plain = _plain_word(path, key)
    return (plain is None or ours(plain)) and ours(_said_in(path).get(key))


def _plain_word(path: Path, key: str) -> str | None:
    """The text behind a top-level key, where it stands on a line of its own without any escape; None where only a parser can tell."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return None
    head = text[: section.start()] if (section := SECTION.search(text)) else text
    found = [value for name, _quote, value in PLAIN.findall(head) if name == key]
    return found[0] if len(found) == 1 and not SEVERAL_LINES.search(head) else None


def _twins(site: str, one: Path, other: Path) -> OperatorError:
    """They would share records, watermarks and locks, each undoing what the other reads."""
    first, second = sorted((one, other))
    return OperatorError(
        f"{first} and {second} both say site = '{site}'", "Give one of them a name of its own, or remove it."
    )


def _one_key(one: Path, other: Path) -> OperatorError:
    """One patient number at both would be one pseudonym, and one hospital could look the other's up."""
    first, second = sorted((one, other))
    return OperatorError(
        f"{first} and {second} have one subject key: two sites would give one patient's pseudonym to two",
        "Give each its own; `mainstem sites new` makes one. A site that was loaded keeps the key it has.",
    )


def file_secrets(folder: Path) -> Secrets:
    """Resolves `env:NAME`, `file:PATH` (relative to `folder`) and `airflow:CONN_ID` (from `AIRFLOW_CONN_*`)."""

    def secret(reference: str) -> bytes:
        if re.fullmatch(SECRET_PATTERN, reference) is None:
            raise OperatorError(
                "what stands where a secret's place belongs is none",
                "Give the secret's place, never the secret: env:NAME, file:PATH or airflow:CONN_ID.",
            )
        kind, _, name = reference.partition(":")
        if kind != "file":
            return _from_environment(kind, name, reference)
        try:
            _warn_of_readers(folder / name, stat.S_IMODE((folder / name).stat().st_mode))
            return (folder / name).read_bytes().strip()
        except OSError as exc:
            raise OperatorError(
                f"secret {reference}: the file cannot be read ({exc.strerror})",
                "Create it, readable by this user only.",
            ) from None

    return secret


@cache
def _warn_of_readers(path: Path, mode: int) -> None:
    """Said once, on standard error: others on this machine can read the secret. Not refused: where secrets are mounted
    (Kubernetes, Docker) the modes are not the reader's to choose."""
    if mode & 0o077:
        _warn(f"{shown(path)} can be read by others (mode {mode:04o}); chmod 600 {shown(path)}")


@cache
def _warn(words: str) -> None:
    sys.stderr.write(f"warning: {words}\n")


def _variable(kind: str, name: str) -> str:
    """The environment variable that holds a secret, or an Airflow connection whose password it is."""
    return name if kind == "env" else "AIRFLOW_CONN_" + re.sub(r"\W", "_", name).upper()


def _of_environment(kind: str, name: str) -> bytes:
    """The secret of a variable; nothing where it is not set."""
    value = os.environ.get(_variable(kind, name), "")
    return (value if kind == "env" else unquote(urlsplit(value).password or "")).encode()


def _from_environment(kind: str, name: str, reference: str) -> bytes:
    variable = _variable(kind, name)
    if not os.environ.get(variable):
        raise OperatorError(
            f"secret {reference}: the environment variable {variable} is not set", f"export {variable}=…"
        )
    return _of_environment(kind, name)
