"""`mainstem sites new` on a terminal: the few questions, the server looked at, and what is written."""

import sys
from collections.abc import Callable
from pathlib import Path

import typer

from connectors.client.capabilities import meet
from connectors.pulling import Source
from connectors.vendors import vendor_names
from mainstem.commands.terminal import print_error, say, tell
from mainstem.config.dag_stubs import write_stubs
from mainstem.config.new_site import Wanted, machine_zone, require_folder, require_name, write_site
from mainstem.config.site_files import file_secrets, read_site
from schemas.errors import MainstemError, OperatorError
from schemas.sites import parse_site

ANY = 'site = "any"\nname = "any"\ntime_zone = "UTC"\nsubject_key = "env:ANY"\n[fhir]\nbase_url = "{base_url}"\n'
"""A site file by which an answer is judged as the file would be."""
STUBS = Path("dags")
"""Where Airflow reads; stubs are written where it is there."""


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
    if not place.startswith(("http://", "https://")):
        return wanted._replace(name=name, hospital=hospital, folder=Path(place), time_zone=zone)
    vendor = wanted.vendor or _ask(
        f"The EHR's vendor ({', '.join(vendor_names())}; empty: told by the server)", _vendor, default=""
    )
    group = wanted.group or _ask("id of the FHIR Group that is read (empty: all patients)", str, default="")
    return wanted._replace(name=name, hospital=hospital, base_url=place, vendor=vendor, group=group, time_zone=zone)


def _ask(question: str, check: Callable[[str], str], default: str | None = None) -> str:
    """Until the answer can be taken; what is wrong is said in words."""
    while True:
        answer = str(typer.prompt(question, default=default, show_default=bool(default), err=True)).strip()
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
        parse_site(ANY.format(base_url=place.replace('"', "")), "the address")
        return place
    if "://" in place:
        raise OperatorError(
            f"{place}: neither http nor https", "Write https://host/path, as in the vendor's documentation."
        )
    return str(require_folder(Path(place)))


def _zone(zone: str) -> str:
    parse_site(ANY.format(base_url="https://ehr.example").replace("UTC", zone.replace('"', "")), "the time zone")
    return zone


def _vendor(name: str) -> str:
    if name and name not in vendor_names():
        raise OperatorError(
            f"{name}: no such vendor", f"Known are {', '.join(vendor_names())}; leave it empty where none fits."
        )
    return name


def finish(wanted: Wanted, to: Path) -> None:
    """Writes all, and says what comes next."""
    path = write_site(wanted, to)
    say(f"wrote {path} and {to / 'keys' / f'{wanted.name}.subject-key'} (keep it: another key gives other pseudonyms)")
    _look_at_server(path)
    if STUBS.is_dir() and list(STUBS.glob("ehr_pull__*.py")):
        for line in write_stubs(to, STUBS):
            say(line)
    say(f"next: fill in [fhir.auth] in {path}" if wanted.base_url else f"next: mainstem check {wanted.name}")
    if wanted.base_url:
        say(f"then: mainstem check {wanted.name}")
        say(f"for the EHR's administrator, firewall, privacy: mainstem sites packet {wanted.name}")


def _look_at_server(path: Path) -> None:
    """One request, without a log-in; what is wrong is told, and the file stays: it may be the network's way for now."""
    file = read_site(path)
    if file.site.fhir is None:
        return
    try:
        with Source(
            site=file.site, folder=file.folder, secrets=file_secrets(file.folder), attempts=1
        ).client() as client:
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
