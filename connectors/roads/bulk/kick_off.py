"""How an export is asked for: the level, the types, and the form of the request that the server understands.

Editions 1 to 3 of Bulk Data take GET with comma-joined parameters, the fourth POST with repeated ones in a Parameters
resource. What the server advertises is spoken first; what it refuses in words is asked for in another form.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import msgspec

from connectors.client.capabilities import Capabilities, advertised_edition, ask_capabilities
from connectors.client.fhir_client import FHIR_JSON, Answer, FhirClient
from connectors.outside.times import pause_after, zulu
from connectors.roads.bulk.messages import Issue, issues
from connectors.source import Source
from schemas.errors import IncompleteError, MainstemError, OperatorError, TemporaryError
from schemas.outcomes import CORE_TYPES, REFERRED_TYPES

POST_ONLY = 4
"""The edition from which GET is gone."""
THROTTLED, USUAL_PAUSE = 5, 30.0
"""How often a kick-off that is throttled is asked for, and the seconds between where the server says none."""
NEEDLESS = {"_since": "all that there is came, not what changed", "_type": "other types are left there"}
"""Parameters that an export does without where a server does not take them, and what that costs."""
FORMAT = "application/fhir+ndjson"
_YES_OR_NO = frozenset({"allowPartialManifests"})
_TAKEN = (202, 200, 201, 204)
"""Beside 202, statuses by which gateways say that it was taken, where they say where to wait."""
_ANSWERS = (*_TAKEN, 400, 405, 409, 415, 422, 429)
_URL = re.compile(r"https?://[^\s\"'<>]+")


class NotExported(OperatorError):
    """The server refuses every form of asking for an export."""


class Form(NamedTuple):
    """How a kick-off is written."""

    method: str
    repeated: bool


GET_JOINED, GET_REPEATED, POST_REPEATED = Form("GET", False), Form("GET", True), Form("POST", True)


class Accepted(NamedTuple):
    """An export that was begun."""

    place: str
    """Where the server says to wait for it; not yet trusted."""
    refused: list[str]
    """Types that the server does not export."""
    date: datetime | None
    """The server's own time."""

    def status_url(self, client: FhirClient) -> str:
        """The place, where it is one. Raises IncompleteError where none is said, OperatorError where it leads elsewhere."""
        if not self.place:
            raise IncompleteError(
                "the server accepts the export but does not say where to wait for it",
                "Answer the kick-off with Content-Location, as FHIR's asynchronous requests ask for.",
                who="EHR vendor",
            )
        return str(client.origins.trusted(self.place))


class KickOff:
    """Asks for one export, the best that the server does not refuse."""

    def __init__(
        self, client: FhirClient, source: Source, since: datetime | None, *, throttled: int = THROTTLED
    ) -> None:
        self.client, self.since, self._throttled = client, since, throttled
        self.group = next(iter(source.fhir.groups), "")
        self.more = [
            (name, value)
            for name, given in source.fhir.bulk_parameters.items()
            for value in ([given] if isinstance(given, str) else given)
        ]
        self.types = [name for name in source.site.types if name not in client.vendor.not_exported]
        self._advertised: int | None = None
        self._fewest: list[str] = []
        self._without = set[str]()
        """Parameters that the server does not take, and an export does without."""
        self._wordless = False
        """Whether the last refusal was one of the request, and did not say why."""
        self._format = False
        """Whether the server wants the files' format named."""
        self.in_the_way = ""
        """Status URL of another export of this client that the server names."""

    def ask(self) -> Accepted:
        """Raises OperatorError where every form of asking is refused, TemporaryError where another export is in the way."""
        said = self._capabilities()
        while True:
            try:
                return self._ask_each(said)
            except NotExported:
                if not self._asks_less():
                    raise

    def _asks_less(self) -> bool:
        """Whether what was refused without a word is asked for again without a parameter that an export does without."""
        less = ["_since", "_type"] if self.since else ["_type"]
        left = [name for name in less if name not in self._without]
        if not (self._wordless and left):
            return False
        self._without.add(left[0])
        return True

    def _ask_each(self, said: Capabilities) -> Accepted:
        own = [name for name in self.types if name not in REFERRED_TYPES]  # some refuse what is no patient's
        core = [name for name in own if name in CORE_TYPES]  # some refuse all for one that they do not know
        choices = [self.types]
        choices += [some for some in (own, core) if some and some not in choices]
        self._fewest = choices[-1]
        *asked, last = [(level, some) for level in self._levels(said) for some in choices]
        for level, some in asked:
            with suppress(OperatorError):
                return _told(self._ask_for(level, some, said), own, some)
        try:
            return _told(self._ask_for(*last, said), own, last[1])
        except OperatorError as exc:
            asks = " Or fhir.bulk_parameters asks for what it does not know." if self.more else ""
            fix = f'{exc.fix}{asks} `road = "search"` reads the site without an export.'
            raise NotExported(exc.cause, fix, who=exc.who) from exc

    @property
    def notes(self) -> list[str]:
        """What the server was asked otherwise than is usual."""
        return [f"the server exports without {name}: {NEEDLESS[name]}" for name in sorted(self._without)]

    def _capabilities(self) -> Capabilities:
        try:
            return ask_capabilities(self.client)
        except TemporaryError:
            raise
        except MainstemError:
            return Capabilities(fhir_version="")  # a gateway may hide the statement; the export is tried all the same

    def _edition(self, said: Capabilities) -> int:
        if self._advertised is None:
            self._advertised = advertised_edition(self.client, said)
        return self._advertised

    def _levels(self, said: Capabilities) -> list[str]:
        if self.group:
            return ["Group"]
        return ["system", "Patient"] if said.exports == ["system"] else ["Patient", "system"]

    def _ask_for(self, level: str, types: Sequence[str], said: Capabilities) -> Accepted:
        """One level: again without the types that a refusal names, again in another form where the refusal wants one."""
        left, refused = list(types), list[str]()
        forms = [POST_REPEATED, GET_REPEATED, GET_JOINED] if self._edition(said) >= POST_ONLY else [GET_JOINED]
        tried = list[Form]()
        while True:
            form = forms[0]
            answer = self._asked(level, left, form)
            place = answer.headers.get("Content-Location", "") or answer.headers.get("Location", "")
            if answer.status == 202 or (answer.status in _TAKEN and place):
                return Accepted(place, refused, answer.date)
            told = issues(answer.content)
            self._wordless = answer.status in (400, 422) and not any(issue.text.strip() for issue in told)
            if answer.status in (400, 422) and (named := _named(told, left)):
                left, refused = [name for name in left if name not in named], [*refused, *named]
                continue
            tried.append(forms.pop(0))
            forms += [other for other in _other_forms(answer.status, told) if other not in (*forms, *tried)]
            if not forms and answer.status in (400, 422) and self._asks_otherwise(told, types):
                forms = [form]
            if not forms:
                raise self._refusal(answer, level, told)

    def _asks_otherwise(self, told: Sequence[Issue], types: Sequence[str]) -> bool:
        """Whether a refusal is about a parameter that an export does without from now on, or about the format, which is named
        then. Without types only where the fewest were refused: all that the server has is much."""
        text = " ".join(issue.text for issue in told if issue.is_grave)
        if "_outputFormat" in text and not self._format:
            self._format = True
            return True
        found = {name for name in NEEDLESS if re.search(rf"(?<![\w.]){name}\b", text)} - self._without
        found -= set() if self.since else {"_since"}
        found -= set() if types == self._fewest else {"_type"}
        self._without |= found
        return bool(found)

    def _asked(self, level: str, types: Sequence[str], form: Form) -> Answer:
        """An answer that is no plea for patience. Raises TemporaryError where it is one, again and again."""
        for _ in range(self._throttled):
            answer = self._send(level, types, form)
            if answer.status not in (409, 429):
                return answer
            self.in_the_way = self._named_job(answer)
            asked = pause_after(answer.headers.get("Retry-After", ""), self.client.clock())
            if self.in_the_way or (answer.status == 409 and asked is None):
                break
            pause = USUAL_PAUSE if asked is None else asked
            self.client.patience.waits(f"the server takes no further export now ({answer.status})", pause)
            self.client.sleep(pause)
        raise TemporaryError(
            f"the server takes no further export now ({answer.status})",
            "Run it again later; the EHR vendor knows how many exports a client may have.",
        )

    def _send(self, level: str, types: Sequence[str], form: Form) -> Answer:
        path = {"system": "$export", "Patient": "Patient/$export"}.get(level, f"Group/{self.group}/$export")
        by_post = form.method == "POST"
        return self.client.ask(
            form.method,
            self.client.url(path),
            what=f"the export of {level}",
            accepted=_ANSWERS,
            params=() if by_post else self._query(types, form),
            headers={"Prefer": "respond-async", **({"Content-Type": FHIR_JSON} if by_post else {})},
            content=self._body(types) if by_post else b"",
        )

    def _query(self, types: Sequence[str], form: Form) -> list[tuple[str, str]]:
        since = [("_since", moment)] if (moment := self._since) else []
        since += [("_outputFormat", FORMAT)] if self._format else []
        types = [] if "_type" in self._without else types
        if form.repeated:
            return [*(("_type", name) for name in types), *since, *self.more]
        joined: dict[str, list[str]] = {}
        for name, value in self.more:
            joined.setdefault(name, []).append(value.replace(",", "%2C") if name == "_typeFilter" else value)
        named = [("_type", ",".join(types))] if types else []
        return [*named, *since, *((name, ",".join(values)) for name, values in joined.items())]

    @property
    def _since(self) -> str:
        return zulu(self.since) if self.since and "_since" not in self._without else ""

    def _body(self, types: Sequence[str]) -> bytes:
        types = [] if "_type" in self._without else types
        given: list[dict[str, str | bool]] = [{"name": "_type", "valueString": name} for name in types]
        given += [{"name": "_since", "valueInstant": moment}] if (moment := self._since) else []
        given += [{"name": "_outputFormat", "valueString": FORMAT}] if self._format else []
        for name, value in self.more:
            given.append(
                {"name": name, **({"valueBoolean": value == "true"} if name in _YES_OR_NO else {"valueString": value})}
            )
        return msgspec.json.encode({"resourceType": "Parameters", "parameter": given})

    def _named_job(self, answer: Answer) -> str:
        """The status URL of the export in the way, where the refusal names one at this server."""
        named = [answer.headers.get("Content-Location", ""), answer.headers.get("Location", "")]
        named += [url.rstrip(".,;)") for issue in issues(answer.content) for url in _URL.findall(issue.text)]
        for url in named:
            if url and self.client.origins.own_or_allowed(url) and not url.partition("?")[0].endswith("/$export"):
                return str(self.client.origins.trusted(url))
        return ""

    def _refusal(self, answer: Answer, level: str, told: Sequence[Issue]) -> OperatorError:
        kinds = ", ".join(sorted({issue.kind for issue in told if issue.kind}))
        place = self.client.origins.place(self.client.url(""))
        return OperatorError(
            f"the export of {level}: {place} answered {answer.status}{f' ({kinds})' if kinds else ''}",
            "Check fhir.vendor and fhir.base_url; `mainstem check` tries each type.",
        )


def _told(accepted: Accepted, wanted: Sequence[str], asked: Sequence[str]) -> Accepted:
    """What was not asked for, so that the rest is exported, was refused too."""
    return accepted._replace(refused=[*accepted.refused, *(name for name in wanted if name not in asked)])


def _named(told: Sequence[Issue], asked: Sequence[str]) -> list[str]:
    """The types that a refusal names, where it leaves any."""
    found = set[str]()
    for issue in told:
        found |= (issue.concerned(asked) or set()) if issue.is_grave else set()
    named = [name for name in asked if name in found]
    return named if len(named) < len(asked) else []


def _other_forms(status: int, told: Sequence[Issue]) -> list[Form]:
    """The forms that a refusal asks for."""
    text = " ".join(issue.text for issue in told)
    if status == 405 or re.search(r"\bPOST\b|Parameters resource", text):
        return [POST_REPEATED, GET_JOINED]
    if re.search(r"(?i)\brepeat|\bcomma", text):
        return [GET_REPEATED, GET_JOINED]
    return []
