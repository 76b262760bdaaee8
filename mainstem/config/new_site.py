"""`mainstem sites new`: a site file to start from, and the site's pseudonym key."""

import json
import os
import re
import secrets
from pathlib import Path
from typing import NamedTuple
from zoneinfo import available_timezones

from schemas.errors import OperatorError
from schemas.sites import PATTERN_WORDS, SITE_PATTERN, parse_site, start_of

SERVER = """
[fhir]
base_url = {base_url}
{more}# page_size = 200               # resources a page; the server may give fewer
# requests_per_second = 20      # of each reader, where the EHR is to be spared
# ca_file = "keys/ca.pem"       # where the hospital's certificates are of its own authority
{auth}"""
NO_LOG_IN = """
# SMART Backend Services: `mainstem keys new` makes the pair and says where its public half goes.
# [fhir.auth]
# method = "smart-backend"
# client_id = "from the vendor"
# private_key = "{place}"
"""
SCOPE = '# scope = "system/*.read"      # system/<type>.read of each type where absent; exports often want this\n'
LOG_IN = """
[fhir.auth]
method = "{method}"
client_id = {client_id}
{key} = {place}
{scope}"""
FOLDER = """
[files]
folder = {folder}
# end_marker = "_SUCCESS"       # the file that is written last, where there is one: nothing is read without it
# every_hours = 24              # how often it is delivered: older files are read, and told as late
"""
COHORT = """
[cohort]                        # only these patients' data is read
{key} = {value}
"""
TEMPLATE = """# {site}: one site of the network. `mainstem sites keys` lists every key.
site = "{site}"
name = {hospital}
time_zone = {time_zone}
subject_key = "file:keys/{site}.subject-key"   # pseudonyms; keep it secret, keep it safe, never change it
# schedule = "{start}"        # when it is read: cron, by the site's own clock; this where nothing is said
# types = ["Patient", "Condition", "Observation"]   # all that are mapped where absent
# code_map = "{site}-codes.csv" # what the site's own codes mean; `mainstem codes suggest` writes a first one
"""


class Wanted(NamedTuple):
    """What a site file is written from; empty where nobody said."""

    name: str
    hospital: str = ""
    base_url: str = ""
    folder: Path | None = None
    vendor: str = ""
    group: str = ""
    time_zone: str = ""
    patients: Path | None = None
    """The file of a list of patients."""
    search: str = ""
    """The search that finds them."""
    client_id: str = ""
    """As the EHR's vendor gave it."""
    private_key: Path | None = None
    """Its file; that of `mainstem keys new` where neither it nor a secret is named."""
    scope: str = ""
    """What the client asks for; of each type where nobody said."""
    secret: str = ""
    """Its place, `env:NAME` or `file:PATH`, where the client has one in a key's stead."""

    @property
    def cohort(self) -> list[str]:
        """How whose data is read was said; nothing for all patients."""
        said = {"--group": self.group, "--patients": self.patients, "--search": self.search}
        return [name for name, value in said.items() if value]


def machine_zone() -> str:
    """This machine's IANA time zone; empty where it does not say a place: a server is often kept in UTC, and no hospital is."""
    named = os.environ.get("TZ", "").lstrip(":") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    return named if named in available_timezones() and "/" in named and not named.startswith("Etc/") else ""


def require_zone(zone: str) -> str:
    """The zone, where it keeps a hospital's clock. Raises OperatorError for one that has no summer time and is meant by its name."""
    if zone.upper() in WITHOUT_SUMMER:
        raise OperatorError(f"{zone}: keeps no summer time", "Write the hospital's place: America/New_York.")
    return zone


WITHOUT_SUMMER = ("EST", "MST", "HST")
"""Zones of IANA that somebody gives whose hospital changes its clocks."""


def require_name(name: str) -> str:
    """The name, where it can be a site's. Raises OperatorError."""
    if re.fullmatch(SITE_PATTERN, name) is None:
        raise OperatorError(f"'{name}' cannot be the name of a site", f"{PATTERN_WORDS[SITE_PATTERN].capitalize()}.")
    return name


def require_folder(folder: Path) -> Path:
    """The folder, where there is one. Raises OperatorError."""
    if "://" in str(folder).replace(":/", "://", 1):
        raise OperatorError(f"{folder}: an address, not a folder", "An address of a server is given by --base-url.")
    if re.match(r"[A-Za-z]:[\\/]|\\\\", str(folder)):
        raise OperatorError(
            f"{folder}: a path of Windows", "Name the folder as this machine has it, such as /mnt/c/export."
        )
    if folder.exists() and not folder.is_dir():
        raise OperatorError(f"{folder}: a file, not a folder", "Name the folder in which the site's files lie.")
    if not folder.is_dir():
        raise OperatorError(
            f"{folder}: no such folder",
            "Correct it, or make it: the site's files are delivered there.",
            who="site IT",
        )
    return folder


def require_list(path: Path) -> Path:
    """The file of a list of patients, where there is one. Raises OperatorError."""
    if not path.is_file():
        raise OperatorError(f"{path}: no such file", "Write one patient a line: the FHIR id, or system|value.")
    return path


def require_key(path: Path) -> Path:
    """The file of a private key, where there is one. Raises OperatorError; what is no file's name may be a secret, and is not shown."""
    if not path.is_file():
        named = path if path.suffix in KEY_ENDINGS else "the private key's file"
        raise OperatorError(
            f"{named}: no such file",
            "Name the private key's file, or a secret's place, env:NAME; never the secret. `mainstem keys new` makes a key.",
        )
    return path


KEY_ENDINGS = (".pem", ".key", ".jwks", ".json")


def site_text(wanted: Wanted, to: Path) -> str:
    """What `<to>/<name>.toml` will hold. Raises OperatorError where a site cannot be so, or has its file."""
    name = require_name(wanted.name)
    if bool(wanted.base_url) == (wanted.folder is not None):
        raise OperatorError(
            "a site is read from a server or from a folder", "Give --base-url or --folder, one of them."
        )
    if len(wanted.cohort) > 1:
        raise OperatorError(f"{' and '.join(wanted.cohort)} are given together", "Say whose data is read in one way.")
    read_from = _read_from(wanted) + _cohort(wanted)
    if not (zone := require_zone(wanted.time_zone) or machine_zone()):
        raise OperatorError("this machine names no time zone", "Give the hospital's: --time-zone America/New_York.")
    text = TEMPLATE.format(
        site=name, hospital=_quoted(wanted.hospital or name), time_zone=_quoted(zone), start=start_of(name)
    )
    text += read_from
    _judge(text)
    if (path := to / f"{name}.toml").exists():
        raise OperatorError(f"{path} exists", "Edit it, or choose another name.")
    return text


def _read_from(wanted: Wanted) -> str:
    """The section of the folder or of the server."""
    if wanted.folder is not None:
        return FOLDER.format(folder=_quoted(_absolute(require_folder(wanted.folder))))
    more = {"vendor": wanted.vendor, "group": wanted.group}
    lines = "".join(f"{key} = {_quoted(value)}\n" for key, value in more.items() if value)
    return SERVER.format(base_url=_quoted(wanted.base_url), more=lines, auth=_log_in(wanted))


def write_site(wanted: Wanted, to: Path) -> Path:
    """Writes `<to>/<name>.toml` and `<to>/keys/<name>.subject-key`. Overwrites neither; raises OperatorError instead."""
    text = site_text(wanted, to)
    key = to / "keys" / f"{wanted.name}.subject-key"
    key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not key.exists():
        descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
    path = to / f"{wanted.name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _judge(text: str) -> None:
    """Raises OperatorError naming the flags by which what cannot stand in a site file was given: there is no file to look into."""
    try:
        parse_site(text, "")
    except OperatorError as exc:
        told = [cause.split(": ", 1)[-1] for cause in exc.causes]
        flags = [f"{FLAGS.get(key, key)}: {words}" for key, _, words in (each.partition(": ") for each in told)]
        raise OperatorError(
            flags, "Give it as it is asked for; `mainstem sites new --help` lists the options."
        ) from None


FLAGS = {
    "name": "--hospital",
    "time_zone": "--time-zone",
    "fhir.base_url": "--base-url",
    "fhir.vendor": "--vendor",
    "fhir.group": "--group",
    "cohort.search": "--search",
    "fhir.auth.secret": "--secret",
    "fhir.auth.client_id": "--client-id",
    "fhir.auth.scope": "--scope",
}
"""Key of a site file → the option of `mainstem sites new` that fills it."""


def _cohort(wanted: Wanted) -> str:
    """Its section; empty where all patients are read, or those of a Group, which stands with the server."""
    if wanted.group and wanted.folder is not None:
        raise OperatorError("a folder has no Group of a server", "Give the list of its patients: --patients FILE.")
    if wanted.patients is not None:
        return COHORT.format(key="patients", value=_quoted(f"file:{_absolute(require_list(wanted.patients))}"))
    return COHORT.format(key="search", value=_quoted(wanted.search)) if wanted.search else ""


def own_key(name: str) -> str:
    """Where `mainstem keys new` puts a site's private key, from the site file's folder."""
    return f"file:keys/{name}.jwks"


def _log_in(wanted: Wanted) -> str:
    """Its section; a comment where no client is known yet."""
    if not wanted.client_id and (wanted.private_key is not None or wanted.secret):
        raise OperatorError("a key or a secret is given, and no client", "Give the client id, too: --client-id.")
    if wanted.private_key is not None and wanted.secret:
        raise OperatorError("a private key and a secret are given together", "Give --private-key or --secret.")
    if not wanted.client_id:
        return NO_LOG_IN.format(place=own_key(wanted.name))
    key = f"file:{_absolute(require_key(wanted.private_key))}" if wanted.private_key else own_key(wanted.name)
    how = ("client-credentials", "secret", wanted.secret) if wanted.secret else ("smart-backend", "private_key", key)
    method, name, place = how
    scope = f"scope = {_quoted(wanted.scope)}\n" if wanted.scope else SCOPE
    return LOG_IN.format(
        method=method, client_id=_quoted(wanted.client_id), key=name, place=_quoted(place), scope=scope
    )


def _quoted(text: str) -> str:
    """As a TOML string, whatever stands in it; the escapes of JSON are TOML's too."""
    return json.dumps(text, ensure_ascii=False)


def _absolute(folder: Path | None) -> str:
    return str(folder.resolve()) if folder else ""
