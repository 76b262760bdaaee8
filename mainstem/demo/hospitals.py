"""The demo's hospitals: two FHIR servers and a folder of deliveries, their keys and their site files."""

import secrets
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from mainstem.demo.cohorts import HospitalPlan
from mainstem.demo.embedded import BackendClient, Hospital, write_secret
from mainstem.demo.populations import Populations
from schemas.sites import parse_site

BLEMISHES = (
    b'{"resourceType":"Observation","id":"cut-short","status":"final","code":{"coding":[{"system":"http://loinc.org","co\n',
    b'{"resourceType":"Observation","id":"no-code","status":"final","subject":{"reference":"Patient/unknown"},'
    b'"effectiveDateTime":"2026-01-05","valueQuantity":{"value":7.2,"unit":"%"}}\n',
    b'{"resourceType":"Observation","id":"no-patient","status":"final","code":{"coding":[{"system":"http://loinc.org",'
    b'"code":"4548-4"}]},"effectiveDateTime":"2026-01-05","valueQuantity":{"value":7.2,"unit":"%"}}\n',
    b'{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"4548-4"}]},'
    b'"subject":{"reference":"Patient/unknown"},"effectiveDateTime":"2026-01-05"}\n',
)
"""Lines as real deliveries have them: cut short, without a code, without a patient, without an id."""

SITE_FILE = """\
# {name}, a hospital of the demo; written by `mainstem demo`.
site = "{site}"
name = "{name}"
time_zone = "{time_zone}"
subject_key = "file:keys/{site}.subject-key"
road = "{road}"
parallel = {parallel}
overlap_minutes = 1
"""
SERVER_SECTION = """
[fhir]
base_url = "{base_url}"
page_size = 500
requests_per_second = 200

[fhir.auth]
method = "smart-backend"
client_id = "{client_id}"
private_key = "file:keys/{site}.pem"
key_id = "{key_id}"
algorithm = "{algorithm}"
scope = "system/*.read"
"""
FILES_SECTION = """
[files]
folder = "{folder}"
"""


class SiteFiles:
    """The folder of the demo's site files: `<state>/sites/<site>.toml` and `keys/`."""

    def __init__(self, state: Path) -> None:
        self.folder = state.resolve() / "sites"
        self.keys = self.folder / "keys"
        self.deliveries = state.resolve() / "deliveries"

    def path(self, site: str) -> Path:
        """A site's file."""
        return self.folder / f"{site}.toml"

    def delivery(self, site: str) -> Path:
        """The folder that a files hospital delivers into."""
        return self.deliveries / site

    def client(self, plan: HospitalPlan) -> BackendClient:
        """The site's SMART Backend Services key; made once."""
        return BackendClient.create(self.keys / f"{plan.site}.pem", algorithm=plan.algorithm)

    def write(self, plan: HospitalPlan, server: Hospital | None) -> Path:
        """Write a site's file, and its pseudonym key unless there is one."""
        key = self.keys / f"{plan.site}.subject-key"
        if not key.exists():
            write_secret(key, secrets.token_hex(32).encode())
        text = SITE_FILE.format(**vars(plan), parallel=2 if server is None else 1)
        if server is None:
            text += FILES_SECTION.format(folder=self.delivery(plan.site))
        elif server.client is not None:
            client = server.client
            text += SERVER_SECTION.format(
                site=plan.site,
                base_url=server.base_url,
                client_id=client.client_id,
                key_id=client.key_id,
                algorithm=client.algorithm,
            )
        parse_site(text, str(self.path(plan.site)))
        self.path(plan.site).write_text(text)
        return self.path(plan.site)


def open_server(server: Hospital, children: Populations, progress: Callable[[str], None]) -> str:
    """Start a hospital with its children: from the copy that an earlier demo kept, or by loading them. What was done."""
    database = server.folder / "data" / "sekmet.db"
    kept = server.folder / f"{children.folder.name}.db"
    shutil.rmtree(server.folder / "data", ignore_errors=True)  # what another day two changed
    count = children.count(server.name)
    if kept.exists():
        database.parent.mkdir(parents=True)
        shutil.copyfile(kept, database)
        server.start()
        return f"{count:,} resources, kept from before"
    server.start()
    server.load(children.lines(server.name), lambda loaded: progress(f"{loaded:,} of {count:,} resources"))
    for old in server.folder.glob("*.db"):
        old.unlink()
    draft = kept.with_suffix(".part")
    with sqlite3.connect(database) as source, sqlite3.connect(draft) as copy:
        source.backup(copy)
    copy.close()
    source.close()
    draft.rename(kept)
    return f"{count:,} resources"


def deliver(children: Populations, site: str, folder: Path) -> int:
    """Put a hospital's files into its delivery folder, with the blemishes; how many lines."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in children.files(site):
        shutil.copyfile(path, folder / path.name)
    with (folder / "Observation.ndjson").open("ab") as file:
        file.writelines(BLEMISHES)
    return children.count(site) + len(BLEMISHES)


def deliver_newcomer(children: Populations, site: str, folder: Path) -> int:
    """Day two's delivery: one new patient, in a folder of its own that appears whole; how many lines."""
    draft = folder.parent / f"{site}.day-two"
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(children.folder / f"{site}.newcomer", draft)
    draft.rename(folder / "day-two")
    return sum(path.read_bytes().count(b"\n") for path in (folder / "day-two").glob("*.ndjson"))
