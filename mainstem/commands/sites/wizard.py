"""`mainstem sites new` on a terminal: the few questions, the server looked at, and what is written."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from connectors.client.capabilities import meet
from connectors.pulling import Source
from connectors.vendors import vendor_names
from mainstem.commands.sites.packet import ADMINISTRATOR, PACKET, write_packet
from mainstem.commands.terminal import bare, print_error, read_settings, say, tell
from mainstem.config.dag_stubs import stub_of, write_each
from mainstem.config.new_site import (
    Wanted,
    machine_zone,
    require_folder,
    require_key,
    require_list,
    require_name,
    require_zone,
    site_text,
    write_site,
)
from mainstem.config.site_files import file_secrets, read_site
from schemas.errors import MainstemError, OperatorError
from schemas.mistaken import no_group
from schemas.sites import Auth, Site, parse_site

ANY = 'site = "any"\nname = "any"\ntime_zone = "UTC"\nsubject_key = "env:ANY"\n[fhir]\nbase_url = "{base_url}"\n'
"""A site file by which an answer is judged as the file would be."""
FILE = "file:"
PLACE = "env:NAME"
LIST = "file:PATH of a list"
ASKED = f"a FHIR Group's id, {LIST}, or a search as Condition?code=system|code"


def asked(wanted: Wanted, to: Path) -> Wanted:
    """What is wanted, with answers in the place of what was not given. Raises OperatorError where nobody can be asked."""
    if wanted.name and (wanted.base_url or wanted.folder is not None):
        return wanted
    if not sys.stdin.isatty():
        raise OperatorError(
            "the site's name and where it is read from are not given", "Give them: NAME and --base-url or --folder."
        )
    name = wanted.name or _ask("Short name of the site (lower case, as north-general)", _free(to))
    hospital = wanted.hospital or _ask("The hospital's name", str, default=name)
    place = wanted.base_url or (str(wanted.folder) if wanted.folder else "")
    place = place or _ask("Address of its FHIR server, or a folder of NDJSON files", _source)
    zone = wanted.time_zone or _ask("Its time zone", _zone, default=machine_zone() or "America/New_York")
    named = wanted._replace(name=name, hospital=hospital, time_zone=zone)
    if not place.startswith(("http://", "https://")):
        told = "" if wanted.cohort else _ask(f"Whose data (empty: all patients; {LIST})", _listed, default="")
        return _read_for(named._replace(folder=Path(place)), told)
    vendor = wanted.vendor or _ask(
        f"The EHR's vendor ({', '.join(vendor_names())}; empty: told by the server)", _vendor, default=""
    )
    told = "" if wanted.cohort else _ask(f"Whose data (empty: all patients; {ASKED})", _whose, default="")
    return _with_log_in(_read_for(named._replace(base_url=place, vendor=vendor), told))


def _with_log_in(wanted: Wanted) -> Wanted:
    """Which client, and by which key or secret; nothing where the vendor gave none yet."""
    client = wanted.client_id or _ask("Client id that the EHR's vendor gave (empty: not yet)", str, default="")
    if not client or wanted.private_key is not None or wanted.secret:
        return wanted._replace(client_id=client)
    told = _ask(f"Its private key's file, or its secret as {PLACE} (empty: a key is to be made)", _key, default="")
    if told.startswith(("env:", "airflow:")):
        return wanted._replace(client_id=client, secret=told)
    return wanted._replace(client_id=client, private_key=_path(told) if told else None)


def _read_for(wanted: Wanted, told: str) -> Wanted:
    """By how an answer looks: a file's name, a search, a Group's id."""
    if not told:
        return wanted
    if told.startswith(FILE):
        return wanted._replace(patients=_path(told))
    return wanted._replace(search=told) if "?" in told else wanted._replace(group=told)


def _ask(question: str, check: Callable[[str], str], default: str | None = None) -> str:
    """Until the answer can be taken; what is wrong is said in words."""
    while True:
        try:
            answer = bare(str(typer.prompt(question, default=default, show_default=bool(default), err=True)))
        except OSError:  # the terminal is gone, and the signal that says so is ignored
            raise typer.Abort from None
        try:
            return check(answer)
        except MainstemError as exc:
            print_error(exc)


def _free(to: Path) -> Callable[[str], str]:
    def check(name: str) -> str:
        if (to / f"{require_name(name)}.toml").exists():
            raise OperatorError(f"{to / f'{name}.toml'} exists", "Choose another name, or edit the file.")
        return name

    return check


def _source(place: str) -> str:
    if place.startswith(("http://", "https://")):
        _judged(ANY.format(base_url=place.replace('"', "")), "Write it as in the vendor's documentation.")
        return place
    if "://" in place:
        raise OperatorError(
            f"{place}: neither http nor https", "Write https://host/path, as in the vendor's documentation."
        )
    return str(require_folder(Path(place).expanduser()))


def _zone(zone: str) -> str:
    text = ANY.format(base_url="https://ehr.example").replace("UTC", require_zone(zone).replace('"', ""))
    _judged(text, "Write the hospital's own: America/New_York.")
    return zone


def _judged(text: str, fix: str) -> None:
    """Raises OperatorError with what a site file would be told of the answer, without line and key."""
    try:
        parse_site(text, "")
    except OperatorError as exc:
        raise OperatorError(exc.causes[0].split(": ", 2)[-1], fix) from None


def _listed(told: str) -> str:
    """Raises OperatorError where a list is meant that is not there."""
    if told and not told.startswith(FILE):
        raise OperatorError(f"{told}: not understood", f"Write {LIST}, or nothing for all patients.")
    if told:
        require_list(_path(told))
    return told


def _whose(told: str) -> str:
    if told.startswith(FILE):
        return _listed(told)
    if "?" in told:
        _judged(
            ANY.format(base_url="https://ehr.example") + f"[cohort]\nsearch = {json.dumps(told)}\n", "Write it as that."
        )
    elif told and (wrong := no_group(told)):
        raise OperatorError(f"this is no Group's id: {wrong}", f"Write {ASKED}, or nothing for all patients.")
    return told


def _key(told: str) -> str:
    if told and not told.startswith(("env:", "airflow:")):
        require_key(_path(told))
    return told


def _path(told: str) -> Path:
    return Path(told.removeprefix(FILE)).expanduser()


def _vendor(told: str) -> str:
    name = told.casefold()
    if name and name not in vendor_names():
        raise OperatorError(
            f"{name}: no such vendor", f"Known are {', '.join(vendor_names())}; leave it empty where none fits."
        )
    return name


def finish(wanted: Wanted, to: Path, dags: Path) -> None:
    """Looks at the server, writes all, and says what comes next."""
    try:
        _look_at_server(parse_site(site_text(wanted, to), ""), to)
    except KeyboardInterrupt:
        raise typer.Abort from None
    path = write_site(wanted, to)
    if not wanted.time_zone:
        say(f"time zone: {machine_zone()}, this machine's; where the hospital's is another, write that in {path}")
    say(f"wrote {path} and {to / 'keys' / f'{wanted.name}.subject-key'} (keep it: another key gives other pseudonyms)")
    for line in write_each(stub_of(wanted.name), dags) if dags.is_dir() else ():
        say(line)
    write_packet(read_site(path), read_settings(), [], to.parent / PACKET, only=ADMINISTRATOR)
    for line in _next(wanted, path):
        say(line)
    say(f"for firewall team, privacy officer and clinical lead: mainstem sites packet {wanted.name}")


def _next(wanted: Wanted, path: Path) -> Iterator[str]:
    """What comes next: the key where one is to be made, the log-in where none is known."""
    if wanted.base_url and not wanted.client_id:
        yield f"next: fill in [fhir.auth] in {path}, where the server wants a log-in"
    elif wanted.client_id and not wanted.secret and wanted.private_key is None:
        yield f"next: mainstem keys new {wanted.name}"
    yield f"next: mainstem check {wanted.name}"


def _look_at_server(site: Site, folder: Path) -> None:
    """One request, without a log-in; what is wrong is told, and the file is written: it may be the network's way for now."""
    if site.fhir is None:
        return
    open_to_all = site.model_copy(update={"fhir": site.fhir.model_copy(update={"auth": Auth()})})
    try:
        with Source(site=open_to_all, folder=folder, secrets=file_secrets(folder), attempts=1).client() as client:
            said = meet(client)
    except MainstemError as exc:
        tell("the server was asked who it is:")
        print_error(exc)
        return
    shown = (
        f"FHIR {said.fhir_version}, {said.software or 'software not named'}"
        if not said.hidden
        else "shows no statement"
    )
    say(f"the server answers: {shown}, vendor {client.vendor.title}")
