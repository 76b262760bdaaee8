"""What goes to whom when a hospital joins: a page each for the EHR's administrator, the firewall team, the privacy officer and
the clinical lead, as text and as HTML. From the site file, the field policy and the check; no secret stands in it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from connectors.vendors import Evidence, told_by, vendor
from mainstem.check import Finding
from mainstem.check.finding import alike
from mainstem.check.variables import declared, not_filled
from mainstem.commands.quality.page import document, text
from mainstem.commands.terminal import write_file
from mainstem.config.settings import Settings
from mainstem.config.site_files import SiteFile, file_secrets
from mainstem.config.site_keys import where_to_register
from schemas.errors import MainstemError
from schemas.outcomes import record_type_of
from schemas.showing import shown
from schemas.sites import Auth
from transforms.privacy.field_policy import FieldPolicy

PACKET = Path("packet")
"""The folder where none is named."""
ADMINISTRATOR = "administrator"
LONGEST = 4_000
"""Characters of a line: a public key is one."""
NEVER = "names, addresses below ZIP, telephone numbers, e-mail, record numbers, serial numbers of devices, free text, the EHR's own ids"


TIERS_IN_WORDS = {
    1: "Leaves to the registry (tier 1: a HIPAA limited data set, under a data use agreement)",
    2: "May leave the registry for a research extract (tier 2: de-identified by Safe Harbor, from cohorts of eleven and more)",
    3: "May stand in published tables (tier 3: counts, cells of 1 to 10 patients suppressed)",
}
FORMS_IN_WORDS = {
    "keep": "as it is",
    "year": "as years",
    "age90": "ages over 89 as 90",
    "zip3": "first three digits, where more than 20,000 people live there",
    "known": "codes of public systems alone",
    "recode": "as a random surrogate, another in each extract",
    "count": "as a class that patients are counted by",
    "summary": "as a mean or quantile over more than ten patients",
}
"""Each form of the field policy by which something leaves; what it withholds stands on no list."""


@dataclass
class Page:
    """One page for one reader: paragraphs and lists under headings."""

    name: str
    """Of its files."""
    title: str
    summary: str
    parts: list[tuple[str, list[str]]] = field(default_factory=list)
    """Heading → its lines."""

    def put(self, heading: str, lines: Sequence[str]) -> None:
        """A part, where there is something to say."""
        if lines:
            self.parts.append((heading, list(lines)))

    def as_text(self) -> str:
        """For a mail or a ticket."""
        parts = (
            "\n".join([heading, *(f"  - {shown(line, LONGEST)}" for line in lines)]) for heading, lines in self.parts
        )
        return "\n\n".join([f"{shown(self.title)}\n{self.summary}.", *parts]) + "\n"

    def as_html(self) -> str:
        """One file that needs nothing beside it."""
        return document(self.title, self.summary, "".join(_part(*part) for part in self.parts))


def _part(heading: str, lines: list[str]) -> str:
    listed = "".join(f"<li>{_with_commands(line)}</li>" for line in lines)
    return f"<section><h2>{text(heading)}</h2><ul>{listed}</ul></section>"


def _with_commands(line: str) -> str:
    """A line as HTML, what is to be typed set apart."""
    return re.sub("`([^`]*)`", r"<code>\1</code>", text(line))


def write_packet(
    file: SiteFile, settings: Settings, findings: Sequence[Finding], to: Path, *, only: str = ""
) -> list[Path]:
    """Every page, or the one of that name, twice. Raises OperatorError where the folder cannot be written."""
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    written = []
    for page in (each for each in pages(file, settings, findings) if only in ("", each.name)):
        for ending, words in (("txt", page.as_text()), ("html", page.as_html())):
            written.append(to / f"{file.site.site}-{page.name}.{ending}")
            write_file(written[-1], words)
    return written


def pages(file: SiteFile, settings: Settings, findings: Sequence[Finding]) -> list[Page]:
    """One for each reader."""
    return [
        _administrator(file, findings),
        _firewall(file, settings),
        _privacy(file, settings),
        _clinical_lead(file, findings),
    ]


def _found(findings: Sequence[Finding], name: str) -> list[str]:
    return [finding.what for finding in findings if finding.name == name]


def _administrator(file: SiteFile, findings: Sequence[Finding]) -> Page:
    site, fhir = file.site, file.site.fhir
    page = Page(
        ADMINISTRATOR,
        f"{site.name}: for the EHR's administrator",
        "What Mainstem needs to read, and how much it asks",
    )
    if fhir is None:
        folder = site.files.folder if site.files else ""
        page.put("What is delivered", [f"FHIR R4 as NDJSON into {folder}, a file a type, every night.", *_types(file)])
        return page
    page.put("The client", [f"FHIR server: {fhir.base_url}", f"Log-in: {_log_in(fhir.auth)}", *_key(file)])
    page.put("Scopes asked for, and why", [f"system/{name}.read: {_why(name)}" for name in site.types])
    named = fhir.vendor or told_by(Evidence(base_url=str(fhir.base_url)))[0]
    cohort = [f"FHIR Group {group}: these patients alone are read." for group in fhir.groups]
    page.put("Whose data", cohort or (["A list of patients, kept at the site."] if site.cohort else ["All patients."]))
    page.put("Exports", _bulk(file, vendor(named).advice if named else ""))
    page.put("Load and hours", [*_hours(file), *_found(findings, "first load")])
    page.put(
        "What the check found for you",
        [
            f"{', '.join(names)}: {told.what}. {told.fix}"
            for names, told in alike(_to_do(findings, "site IT", "EHR vendor"))
        ],
    )
    return page


def _log_in(auth: Auth) -> str:
    if auth.method == "none":
        return "none; where the server wants one, tell which kind and give a client id"
    if auth.method in ("basic", "bearer"):
        return auth.method
    return f"{auth.method}, client id {auth.client_id or 'to be given by you'}"


def _types(file: SiteFile) -> list[str]:
    return [f"{name}: {_why(name)}" for name in file.site.types]


def _why(name: str) -> str:
    kind = record_type_of(name)
    return f"becomes the network's record {kind}" if kind else "is looked up by other types"


def _key(file: SiteFile) -> list[str]:
    """Where the public key goes; the key itself where the site has one. The private half never leaves the machine."""
    if file.site.fhir is None or file.site.fhir.auth.method != "smart-backend":
        return []
    try:
        from connectors.client.keys import public_jwks
        from mainstem.config.site_keys import keys_in_use

        jwks = public_jwks(keys_in_use(file, file_secrets(file.folder)))
    except MainstemError:
        jwks = ""
    told = [f"Where the public key is registered: {place}" for place in where_to_register(file)]
    return [
        *told,
        f"Public key (JWKS): {jwks}"
        if jwks
        else "Public key: `mainstem keys new` makes it, `mainstem keys jwks` shows it.",
    ]


def _bulk(file: SiteFile, advice: str) -> list[str]:
    site, fhir = file.site, file.site.fhir
    if fhir is None or site.road not in ("auto", "bulk"):
        return []
    waits = f"An export may take {fhir.bulk_wait_minutes:g} minutes; then it is asked for again, not begun anew."
    return [*([advice] if advice else []), waits, "One export a night, of what changed since where the server can."]


def _hours(file: SiteFile) -> list[str]:
    site, fhir = file.site, file.site.fhir
    rate = f"at most {fhir.requests_per_second:g} requests a second of each of {site.parallel} readers" if fhir else ""
    return [f"{_when(site.schedule)} ({site.time_zone}); {rate}."]


def _to_do(findings: Sequence[Finding], *who: str) -> Iterator[Finding]:
    return (finding for finding in findings if not finding.ok and finding.who in who)


def _firewall(file: SiteFile, settings: Settings) -> Page:
    site, fhir = file.site, file.site.fhir
    page = Page(
        "firewall", f"{site.name}: for the firewall team", "Connections this machine opens; none is opened to it"
    )
    lines = [_way("the EHR", str(fhir.base_url))] if fhir else []
    if fhir and fhir.auth.token_url:
        lines.append(_way("the EHR's log-in", str(fhir.auth.token_url)))
    lines += [_way("the EHR's other addresses", origin) for origin in (fhir.allowed_origins if fhir else [])]
    lines += [_way("the network's Kafka", f"kafka://{broker.strip()}") for broker in settings.kafka.split(",")]
    if settings.database_url.startswith("postgres"):
        lines.append(_way("the state's PostgreSQL", settings.database_url))
    page.put("Outgoing connections, TCP", lines)
    ca = [f"The EHR's certificate authority: {fhir.ca_file}"] if fhir and fhir.ca_file else []
    secured = settings.kafka_security in ("SSL", "SASL_SSL")
    kafka = f"Kafka: {settings.kafka_security}{'' if secured else ', not encrypted'}"
    tls = fhir is not None and fhir.base_url.scheme == "https"
    way = "TLS, checked against the system's authorities." if tls else "not encrypted (http)"
    ehr = [f"The EHR: {way}"] if fhir else []
    page.put("Certificates", [*ehr, *ca, kafka])
    page.put("Proxy", [str(fhir.proxy)] if fhir and fhir.proxy else [])
    return page


def _when(schedule: str) -> str:
    """A cron expression in words, where it is of every day."""
    if found := re.fullmatch(r"(\d{1,2}) (\d{1,2}) \* \* \*", schedule):
        return f"Every day at {int(found[2]):02}:{int(found[1]):02}"
    return f"By the schedule {schedule}"


def _way(what: str, url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80, "kafka": 9092}.get(parts.scheme, 5432)
    return f"to {what}: {parts.hostname or 'a file on this machine'}, port {port}, from this machine outwards"


def _privacy(file: SiteFile, settings: Settings) -> Page:
    site = file.site
    page = Page(
        "privacy",
        f"{site.name}: for the privacy officer",
        "What leaves the hospital, what never does, and where raw data lie",
    )
    policy = FieldPolicy.load()
    kinds = ["every_record", *sorted({kind for name in site.types if (kind := record_type_of(name))})]
    for tier, what in TIERS_IN_WORDS.items():
        page.put(what, [line for kind in kinds if (line := _leaving(policy, kind, tier))])
    page.put("Never leaves", [NEVER])
    page.put(
        "Pseudonyms",
        [
            "Patients are named by a keyed hash (HMAC-SHA-256); the key stays on this machine, readable by its owner alone."
        ],
    )
    page.put(
        "Raw data",
        [
            f"In {settings.landing.absolute()} on this machine, of the last {settings.keep_loads} loads; older ones are removed after each load."
        ],
    )
    page.put(
        "Who saw what",
        [
            "`mainstem audit show` tells what was done with patients' data at the site: pulled, disclosed, resolved, forgotten; "
            "`mainstem audit verify` proves the log whole.",
            "`mainstem views list` tells who saw which person on the network's pages; `mainstem views verify` proves it whole.",
        ],
    )
    return page


def _leaving(policy: FieldPolicy, kind: str, tier: int) -> str:
    """What a tier lets leave of a record type, by the form in which; empty where nothing does."""
    forms: dict[str, list[str]] = {}
    for name in policy.listed(kind):
        forms.setdefault(policy.applies(tier, kind, name), []).append(in_words(name))
    told = [f"{words}: {', '.join(forms[form])}" for form, words in FORMS_IN_WORDS.items() if form in forms]
    return f"{in_words(kind)}: {'; '.join(told)}" if told else ""


def in_words(name: str) -> str:
    """Names of fields without the signs of programs."""
    return name.replace("_", " ")


def _clinical_lead(file: SiteFile, findings: Sequence[Finding]) -> Page:
    site = file.site
    page = Page(
        "clinical-lead",
        f"{site.name}: for the clinical lead",
        "Which of the network's variables this EHR fills, as a sample shows",
    )
    variables = [each.variable for each in declared(file.folder)]
    told = next((finding for finding in findings if finding.name == "variables"), None)
    missing = not_filled(variables, told) if told else variables
    page.put("Filled", [name for name in variables if name not in missing])
    page.put("Not filled in a sample", missing if told else [])
    if not variables:
        page.put("Variables", ["The network lists none yet (variables.csv beside the site files)."])
    elif told is None:
        page.put("Variables", ["The EHR could not be read: run the check again when it can."])
    shown = ("sample", "codes", "units", "elements")
    page.put("What comes", [f"{finding.name}: {finding.what}" for finding in findings if finding.name in shown])
    return page
