"""The patients of a cohort, found out: the members of a FHIR Group, the lines of a list, or what a search finds.

What cannot be read whole raises: with half a roster the other half's patients would seem to have left.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

from connectors.by_id import Reading
from connectors.client.fhir_client import BadRequest, FhirClient, Gone
from connectors.cohort import Member, Roster, Said, named, patient_of, shards
from connectors.formats.bundle import BUNDLE, Page, require_bundle
from connectors.formats.ndjson import text_batches
from connectors.formats.outcome import error_answer
from connectors.outside.decoding import Unreadable, decoded
from connectors.sorting import SORTED, delivered, each_resource
from connectors.source import Source
from schemas.errors import IncompleteError, MainstemError, OperatorError
from schemas.gaps import GapCause
from schemas.problems import Reason

_ID = re.compile(r"(?:Patient/)?([A-Za-z0-9.\-_]{1,255})")
_IDENTIFIER = re.compile(r"[^|\s]*\|[^|]{1,200}")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_AROUND = " \t\r\f\v\"',;\u00a0\ufeff\u200b"
"""What spreadsheets leave around a value."""
_SAME_PERSON = frozenset({"replaced-by", "replaces"})
STRANGERS = (
    "Write FHIR ids, or record numbers with their system (system|value): a name or a number alone is known to no server. Else these "
    "are another EHR's patients."
)
FOLLOWED = 3
"""Merges of merges that are followed."""
ELEMENTS = ("_elements", "identifier,link")


class _Identifier(msgspec.Struct):
    system: str | None = None
    value: str | None = None


class _Other(msgspec.Struct):
    reference: str | None = None


class _Link(msgspec.Struct):
    type: str | None = None
    other: _Other | None = None


class _Patient(msgspec.Struct):
    id: str = ""
    identifier: list[_Identifier] | None = None
    link: list[_Link] | None = None


class _GroupMember(msgspec.Struct):
    entity: _Other | None = None
    inactive: bool | None = None


class _Group(msgspec.Struct):
    resourceType: str = ""
    member: list[_GroupMember] | None = None


_GROUP = msgspec.json.Decoder(_Group)
_PATIENT = msgspec.json.Decoder(_Patient)
_SAID = msgspec.json.Decoder(Said)


def read_roster(source: Source, *, by_files: bool) -> Roster:
    """The patients the site reads. Raises MainstemError where they cannot be told, all of them, or are none."""
    cohort, fhir = source.site.cohort, source.site.fhir
    listed, searched = (cohort.patients, cohort.search) if cohort else (None, None)
    ids, identifiers = parse_list(source.secrets(listed), listed) if listed else ([], [])
    if by_files:
        return _in_delivery(source, ids, identifiers)
    with source.client() as client:
        asking = _Asking(client, source.site.limits.pages)
        if searched:
            ids = asking.found_by(searched)
        elif not listed and fhir:
            ids = asking.in_groups(fhir.groups)
        asking.ask_for(ids, identifiers)
    return asking.roster(len(ids) + len(identifiers))


def exported_group(source: Source) -> Roster:
    """The members of the Group that is exported, so that who joins is known; none, and why, where the server does not say."""
    with source.client() as client:
        asking = _Asking(client, source.site.limits.pages)
        try:
            ids = asking.in_groups(source.fhir.groups)
        except MainstemError as exc:
            why = f"who joined the Group cannot be told ({exc.cause}): what the EHR held of them before may be missing"
            return Roster(members=[], by_export=True, notes=[why])
    return Roster(members=[Member(each) for each in sorted(ids)], by_export=True, notes=asking.notes)


def group_members(source: Source, group: str) -> list[str]:
    """The patients that one Group lists. Raises MainstemError."""
    with source.client() as client:
        return _Asking(client, source.site.limits.pages).in_group(group)


def _in_delivery(source: Source, ids: Sequence[str], identifiers: Sequence[str]) -> Roster:
    """The listed ids, those of the identifiers by the delivery's Patients, and whom these are the same person as."""
    if identifiers and source.site.files and source.site.files.delivers == "changes":
        raise OperatorError(
            f"cohort.patients: {len(identifiers)} lines are identifiers (system|value), and deliveries hold changes only",
            "List the patients' FHIR ids: a Patient that did not change does not come, and says whose an identifier is.",
        )
    members, unmet, linked = dict.fromkeys(ids), set(identifiers), dict[str, set[str]]()
    for patient in _delivered_patients(source) if identifiers else ():
        if met := _names(patient) & unmet:
            unmet -= met
            members[patient.id] = None
        if same := _same_person(patient):
            linked[patient.id] = same
    for _ in range(FOLLOWED):
        members |= dict.fromkeys(sorted({other for each in members for other in linked.get(each, ())}))
    if not members:
        raise _nobody(f"the delivery holds none of the {len(identifiers)} patients it names")
    notes = [f"the delivery holds no patient for {len(unmet)} of the {len(identifiers)} identifiers"] if unmet else []
    return Roster(members=[Member(each, sorted(linked.get(each, ()))) for each in members], notes=notes)


def _delivered_patients(source: Source) -> Iterator[_Patient]:
    _, found = delivered(source)
    for part in [*found.get("Patient", []), *found.get(SORTED, [])]:
        for batch in text_batches(part.blocks(source.files), cap=source.site.limits.line_bytes, name=part.name):
            for line, kind in each_resource(batch) if not isinstance(batch, Reason) else ():
                if kind == "Patient":
                    with suppress(IncompleteError):  # the mapping says what is wrong with it
                        yield _patient(line)


def parse_list(content: bytes, origin: str) -> tuple[list[str], list[str]]:
    """Ids and identifiers (`system|value`) of a list, one a line, as text or a spreadsheet's one column; blank lines and those
    with # in front are left out.

    Raises OperatorError naming the first line that is neither, and for an empty list.
    """
    try:
        lines = content.decode("utf-16" if content.startswith(_UTF16) else "utf-8-sig").splitlines()
    except UnicodeDecodeError as exc:
        raise OperatorError(f"cohort.patients: {origin} is not UTF-8 text", "Save it as plain text (UTF-8).") from exc
    ids: dict[str, None] = {}
    identifiers: dict[str, None] = {}
    for number, text in enumerate((line.strip(_AROUND) for line in lines), start=1):
        if not text or text.startswith("#"):
            continue
        if found := _ID.fullmatch(text):
            ids[found[1]] = None
        elif _IDENTIFIER.fullmatch(text):
            identifiers[text] = None
        else:
            raise OperatorError(
                f"cohort.patients: line {number} of {origin} is neither an id nor an identifier",
                "Write one patient a line: the FHIR id, or system|value.",
            )
    if not ids and not identifiers:
        raise _nobody(f"{origin} lists no patient")
    return list(ids), list(identifiers)


def _no_group(group: str) -> OperatorError:
    return OperatorError(
        f"the cohort's Group: the server has no Group {group}",
        "Write the Group's id, not its name, as fhir.group; the EHR's administrator knows it, or has to make the Group.",
    )


def _nobody(what: str, fix: str = "") -> OperatorError:
    return OperatorError(
        f"the cohort is empty: {what}",
        fix or "Correct [cohort] or fhir.group in the site file; without both, all patients are read.",
    )


class _Asking:
    """Of one server: who is who."""

    def __init__(self, client: FhirClient, most_pages: int) -> None:
        self.client, self._most_pages = client, most_pages
        self._merged: dict[str, list[str]] = {}
        self._met: set[str] = set()
        self._singly = Reading(client, "Patient", what="the cohort")
        self._by_read: list[str] = []
        self._gone: list[str] = []
        self.notes: list[str] = []

    def in_groups(self, groups: Sequence[str]) -> list[str]:
        """The patients that some Groups list, each once."""
        return list(dict.fromkeys(ident for group in groups for ident in self.in_group(group)))

    def in_group(self, group: str) -> list[str]:
        """The patients a Group lists."""
        what, url = "the cohort's Group", self.client.url(f"Group/{quote(group, safe='')}")
        try:
            found, _ = self.client.read(url, _GROUP, what=what)
        except (BadRequest, Gone):
            raise _no_group(group) from None
        if found.resourceType != "Group":
            raise _no_group(group)
        present = [each for each in found.member or [] if not each.inactive]
        ids = [patient for each in present if each.entity and (patient := named(each.entity.reference))]
        if not ids:
            raise OperatorError(
                "the cohort is empty: the Group lists no patient as a member",
                "Have its patients entered in it; where the EHR keeps Groups for exports only, read it by "
                '`road = "bulk"`, or list the patients in [cohort].',
                who="site IT",
            )
        if len(ids) < len(present):
            self.notes.append(
                f"{len(present) - len(ids)} members of the cohort's Group are no patients, and are not read"
            )
        return list(dict.fromkeys(ids))

    def found_by(self, search: str) -> list[str]:
        """The patients whose resources a search finds."""
        resource_type, _, query = search.partition("?")
        ids: dict[str, None] = {}
        for line in self._lines(resource_type, [*parse_qsl(query), ("_count", "200")]):
            try:
                said = decoded(line, _SAID)
            except Unreadable:
                continue
            ids[(said.id or "") if resource_type == "Patient" else patient_of(said)] = None
        ids.pop("", None)
        if not ids:
            raise _nobody("the search of [cohort] finds no patient")
        return list(ids)

    def ask_for(self, ids: Sequence[str], identifiers: Sequence[str]) -> None:
        """Whom the server knows, and as whom else; those too."""
        for some in shards(identifiers, 600):
            self._know(self._patients("identifier", [_escaped(each) for each in some]), set(some))
        asked: set[str] = set()
        wanted = [*ids, *self._others()]
        for _ in range(FOLLOWED):
            wanted = [each for each in dict.fromkeys(wanted) if each not in asked and each not in self._merged]
            asked.update(wanted)
            for some in shards(wanted):
                self._know(self._patients("_id", some), set(some))
            for each in wanted:
                if each not in self._merged:
                    self._read(each)
            wanted = self._others()

    def _read(self, ident: str) -> None:
        """Somebody whom no search gives."""
        found = self._singly.read(ident)
        if found.deleted:
            self._gone.append(ident)
        elif found.line:
            self._know([_patient(found.line)], {ident})
            self._by_read.append(ident)

    def roster(self, named_at_first: int) -> Roster:
        """Those the server knows."""
        if not self._merged:
            raise _nobody(f"the EHR knows none of the {named_at_first} patients it names", STRANGERS)
        if self._gone:
            self.notes.append(f"{len(self._gone)} patients of the cohort were deleted at the EHR, and are withdrawn")
        if unknown := named_at_first - len(self._met) - len(self._gone):
            self.notes.append(f"the EHR knows no patient for {unknown} of the {named_at_first} the cohort names")
        members = [Member(*each) for each in sorted(self._merged.items())]
        return Roster(members=members, notes=self.notes, by_read=sorted(self._by_read), gone=sorted(self._gone))

    def _others(self) -> list[str]:
        return [each for merged in self._merged.values() for each in merged if each not in self._merged]

    def _know(self, patients: Iterable[_Patient], asked: set[str]) -> None:
        """What was not asked for is left out: some servers ignore a parameter, and give everybody."""
        for patient in patients:
            if met := asked & {patient.id, *_names(patient)}:
                self._met |= met
                self._merged[patient.id] = sorted(_same_person(patient))

    def _patients(self, parameter: str, values: Sequence[str]) -> Iterator[_Patient]:
        """Of several at once; one by one where the server, or a gateway before it, does not take that."""
        try:
            for line in self._lines("Patient", [(parameter, ",".join(values)), ELEMENTS, ("_count", str(len(values)))]):
                yield _patient(line)
        except (BadRequest, Gone):
            if len(values) == 1:
                raise
            for each in values:
                yield from self._patients(parameter, [each])

    def _lines(self, resource_type: str, params: Sequence[tuple[str, str]]) -> Iterator[bytes]:
        """All pages of a search."""
        url, what, seen, came = self.client.url(resource_type), "the cohort", set[str](), 0
        given: Sequence[tuple[str, str]] = params
        for _ in range(self._most_pages):
            bundle, _answer = self.client.read(url, BUNDLE, what=what, params=given, require=require_bundle)
            page = Page(bundle, not_after=self.client.clock())
            if page.errors:
                raise error_answer(what, page.errors, "among the results")
            _require_heard(next((each.url for each in bundle.link if each.relation == "self"), ""), params)
            came += len(page.ids)
            yield from page.resources
            if not page.next:
                if came < (page.total or 0):
                    raise _short(f"the server counts {page.total} and sends {came}")
                return
            url, given = self.client.onward(resource_type, page.next), ()
            if url in seen:
                break
            seen.add(url)
        raise _short("the server's next links do not end")


def _names(patient: _Patient) -> set[str]:
    """Its identifiers, as a list may write them."""
    identifiers = patient.identifier or []
    return {f"{system}|{each.value or ''}" for each in identifiers for system in (each.system or "", "")}


def _same_person(patient: _Patient) -> set[str]:
    links = (each for each in patient.link or [] if each.other and each.type in _SAME_PERSON)
    return {found for each in links if (found := named(each.other.reference if each.other else None))}


def _patient(line: bytes) -> _Patient:
    try:
        return decoded(line, _PATIENT)
    except Unreadable as exc:
        raise IncompleteError(
            "the cohort: a Patient came that cannot be read", "Mend the resource.", who="EHR vendor"
        ) from exc


def _require_heard(own: str, params: Sequence[tuple[str, str]]) -> None:
    """A server says in the Bundle's own link which parameters it used (FHIR R4, search, 3.1.1.5.1)."""
    used = {name.partition(":")[0] for name, _ in parse_qsl(urlsplit(own).query, keep_blank_values=True)}
    name = params[0][0].partition(":")[0]
    if used and name not in used and not any(each.startswith("_get") for each in used):
        raise OperatorError(
            f"the cohort: the server ignores '{name}', by which its patients are found",
            "Name the cohort otherwise: a FHIR Group (fhir.group) or a list (cohort.patients).",
        )


def _short(what: str) -> IncompleteError:
    return IncompleteError(
        f"the cohort cannot be read whole: {what}",
        "Name it by a FHIR Group (fhir.group) or a list (cohort.patients); tell the EHR vendor.",
        gap=GapCause.SHORT_OF_COUNT,
    )


def _escaped(identifier: str) -> str:
    """As a search's value: FHIR reserves a comma and a dollar sign; the bar between system and value stays."""
    return re.sub(r"([\\,$])", r"\\\1", identifier)
