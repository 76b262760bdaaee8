"""A hospital with a quirk, over two nights: what it holds, what it does, what stands afterwards. No broker: changes are
acknowledged where they are handed over.

Twelve children, each with a weight. On the second night one child and one weight are corrected, and a thirteenth child
with a weight has come.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import stamina
import typer
from exporting import Exports
from hospital_with_faults import Answered, Asked, Fault, FaultyHospital

from connectors.landing import Landing
from connectors.roads.bulk import jobs
from mainstem.commands.run import finish_run
from mainstem.config.settings import Settings
from mainstem.demo.embedded import free_port
from mainstem.outbox import Outbox
from mainstem.publisher import Published
from mainstem.refresh import Refresh, open_refresh, run
from schemas.loads import LoadReport

Json = dict[str, Any]
TYPES = ("Patient", "Observation")
FIRST, SECOND = "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"


def child(number: int, updated: str, born: str, **values: Any) -> Json:
    name = values.pop("name", f"kid-{number}")
    return {"resourceType": "Patient", "id": name, "meta": {"lastUpdated": updated}, "birthDate": born, **values}


def weight(number: int, updated: str, value: float, **values: Any) -> Json:
    of = values.pop("name", f"kid-{number}")
    return {
        "resourceType": "Observation",
        "id": f"w-{number}",
        "meta": {"lastUpdated": updated},
        "status": "final",
        "category": [{"coding": [{"code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": f"Patient/{of}"},
        "effectiveDateTime": "2026-02-01T08:00:00Z",
        "valueQuantity": {"value": value, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
        **values,
    }


def first_night(named: Callable[[int], str]) -> list[Json]:
    found = [child(n, FIRST, f"2014-01-{n + 1:02}", name=named(n)) for n in range(12)]
    return found + [weight(n, FIRST, 20 + n, name=named(n)) for n in range(12)]


def second_night(named: Callable[[int], str], at: str = SECOND) -> list[Json]:
    changed = [child(3, at, "2015-01-04", name=named(3)), weight(3, at, 23.5, name=named(3))]
    return [*changed, child(12, at, "2014-01-13", name=named(12)), weight(12, at, 32, name=named(12))]


ALL = {*(f"2014-01-{n + 1:02}" for n in range(13)), "2015-01-04", 23.5, *(20 + n for n in range(13))} - {
    "2014-01-04",
    23,
}


@dataclass
class Place:
    """A hospital, its exports, and where files of its own may stand."""

    server: FaultyHospital
    exports: Exports
    folder: Path
    night: int = 1
    heal: "Callable[[Place], Any]" = lambda place: None
    """What is done before the second night."""
    beside: ExitStack = field(default_factory=ExitStack)
    """Servers of other origins."""

    def fault(self, fault: Fault) -> None:
        """Comes before what the hospital would answer."""
        self.server.faults.insert(0, fault)


@dataclass(frozen=True)
class Quirk:
    """What is odd at a hospital, and what comes of it."""

    arrange: Callable[[Place], Any]
    road: str = "search"
    fhir: str = ""
    """More of the site file's section."""
    types: tuple[str, ...] = TYPES
    statuses: tuple[str, str] = ("completed", "completed")
    words: tuple[str, str] = ("", "")
    """What stands in the night's report."""
    lacks: frozenset[Any] = frozenset()
    """What of all is not held after two nights."""
    more: frozenset[Any] = frozenset()
    """What is held beside."""
    stays: frozenset[str] = frozenset()
    """Types whose watermark does not move on the second night."""
    named: Callable[[int], str] = field(default=lambda number: f"kid-{number}")
    stamped: bool = True
    """Whether resources say when they were updated."""
    second: str = SECOND
    """When the second night's changes were made."""
    gone: frozenset[str] = frozenset()
    """Ids that the hospital has no more on the second night."""
    files: str = ""
    """The site file's section of a site that delivers a folder; it has no server then."""
    deliver: Callable[[Place], Any] = lambda place: None
    """How what the hospital holds is delivered, before each night."""
    dies: int = 0
    """After how many steps of the first night the process dies; it is started anew then."""
    between: Callable[[Place], Any] = lambda place: None
    """What happens at the hospital before that."""


def on(kind: str, answer: Callable[[Asked], Answered | None]) -> Fault:
    """A fault of what is asked of one type, or at one path."""
    return lambda asked: answer(asked) if asked.path == kind else None


def refused(code: str = "required", status: int = 400, severity: str = "error") -> Answered:
    issue = [{"severity": severity, "code": code, "diagnostics": "Roe, Jane"}]
    return Answered({"resourceType": "OperationOutcome", "issue": issue}, status)


def says(software: str, *, types: bool = True) -> Callable[[Place], None]:
    """The statement names its software, and its types or none."""

    def arrange(place: Place) -> None:
        def statement(asked: Asked) -> Answered:
            told = place.server._statement() | {"software": {"name": software}}
            return Answered(told if types else told | {"rest": [{"mode": "server"}]})

        place.fault(on("metadata", statement))

    return arrange


def both(*steps: Callable[[Place], Any]) -> Callable[[Place], None]:
    def arrange(place: Place) -> None:
        for step in steps:
            step(place)

    return arrange


# ---------------------------------------------------------------- the nights


@dataclass
class Acknowledging:
    """In a publisher's place: takes what is pending, as a broker would, and remembers what stands."""

    store: Outbox
    site: str
    is_connected = False
    standing: dict[bytes, Any] = field(default_factory=dict)
    """What was published last, by record; none where it was withdrawn."""
    new: Counter[bytes] = field(default_factory=Counter)
    """How often each record was told as new."""

    def publish(self) -> Published:
        """All that waits."""
        while told := self.store.told(self.site, 100):
            self.store.mark_told(self.site, [each.number for each in told])
        sent = 0
        while rows := self.store.pending(self.site, limit=1000):
            for row in rows:
                self.standing[row.id] = json.loads(row.content) if row.content is not None else None
                self.new[row.id] += row.content is not None and not row.live
            self.store.mark_published(self.site, rows)
            sent += len(rows)
        return Published(events=sent)

    def discard(self) -> None:
        """Nothing is held."""

    close = discard


class Died(BaseException):
    """The process is no more."""


@contextmanager
def dying(steps: int) -> Iterator[None]:
    """After that many steps were noted on the disk nothing is any more."""
    left = [steps]
    real = Landing.save_cursor

    def save(landing: Landing, unit: str, cursor: Any) -> None:
        if not left[0]:
            raise Died
        left[0] -= 1
        real(landing, unit, cursor)

    with (
        patch.object(Landing, "save_cursor", save),
        patch("connectors.landing.SETTLE_SECONDS", 0),
        pytest.raises(Died),
    ):
        yield


@dataclass
class Nights:
    """The site of one quirky hospital, night after night."""

    folder: Path
    path: Path
    sent: Acknowledging | None = None
    code: int = 0
    """What the last night's command ended with."""

    def refresh(self) -> LoadReport:
        """A night by `mainstem run`, which ends with the code of what it reports."""
        settings = Settings(
            kafka=f"127.0.0.1:{free_port()}",
            database_url=f"sqlite:///{self.folder / 'state.db'}",
            landing=self.folder / "landing",
            derive="none",
        )
        reports: list[LoadReport] = []

        @contextmanager
        def opened(path: Path, *_: Any, **__: Any) -> Iterator[Refresh]:
            with open_refresh(path, settings) as refresh:
                held = Acknowledging(refresh.store.outbox, refresh.site.site)
                if self.sent is not None:
                    held.standing, held.new = self.sent.standing, self.sent.new
                self.sent = vars(refresh)["_publisher"] = held
                yield refresh

        def kept(refresh: Refresh, **options: Any) -> LoadReport:
            reports.append(run(refresh, **options))
            return reports[-1]

        with (
            patch("mainstem.refresh.open_refresh", opened),
            patch("mainstem.refresh.run", kept),
            patch("mainstem.commands.run.read_settings", lambda: settings),
            redirect_stdout(StringIO()),
        ):
            self.code = 0
            try:
                finish_run(self.path, types=(), as_json=True)
            except typer.Exit as ended:
                self.code = ended.exit_code
        return reports[-1]

    def held(self) -> set[Any]:
        """Birth dates and values that stand."""
        values = (value for value in (self.sent.standing.values() if self.sent else ()) if value)
        return {found for value in values if (found := value.get("birth_date") or value.get("value")) is not None}


@pytest.fixture
def quirky(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faulty: FaultyHospital, exports: Exports
) -> Iterator[Callable[[Quirk], tuple[Place, Nights]]]:
    """A hospital with a quirk, and its nights; nobody waits for what passes."""
    monkeypatch.setattr(jobs, "SHORTEST_POLL", 0.01)
    monkeypatch.setattr(jobs, "USUAL_POLL", 0.01)
    place = Place(faulty, exports, tmp_path)

    def make(quirk: Quirk) -> tuple[Place, Nights]:
        (tmp_path / "secret").write_text("s3cret")
        (tmp_path / "subject.key").write_text("0123456789abcdef0123456789abcdef")
        head = {
            "site": "west",
            "name": "West",
            "time_zone": "America/New_York",
            "subject_key": "file:subject.key",
            "road": quirk.road,
            "types": [*quirk.types],
            "overlap_minutes": 0,
        }
        source = f'[fhir]\nbase_url = "{faulty.base_url}"\nrequests_per_second = 1000\n'
        source += ("page_size = 10\n" if "page_size" not in quirk.fhir else "") + quirk.fhir.replace(
            "BASE", faulty.base_url
        )
        path = tmp_path / "west.toml"
        path.write_text("".join(f"{key} = {value!r}\n" for key, value in head.items()) + (quirk.files or source))
        return place, Nights(tmp_path, path)

    with place.beside, stamina.set_testing(True, attempts=3):
        yield make


def stands(resources: list[Json], quirk: Quirk) -> list[Json]:
    return [each if quirk.stamped else {k: v for k, v in each.items() if k != "meta"} for each in resources]


def two_nights(quirk: Quirk, place: Place, nights: Nights) -> None:
    """The hospital as it is, then a day later: each night is judged, and what stands after both."""
    began = datetime.now(UTC).replace(microsecond=0)
    place.server.put(*stands(first_night(quirk.named), quirk))
    quirk.arrange(place)
    place.exports.transaction_time = "2026-03-01T02:00:00Z"
    quirk.deliver(place)
    if quirk.dies:
        with dying(quirk.dies):
            nights.refresh()
        quirk.between(place)
    first = nights.refresh()
    judge(first, nights.code, quirk.statuses[0], quirk.words[0])

    place.night = 2
    place.heal(place)
    for kind, rows in place.server.resources.items():
        place.server.resources[kind] = [each for each in rows if each["id"] not in quirk.gone]
    place.server.put(*stands(second_night(quirk.named, quirk.second), quirk))
    place.exports.transaction_time = "2026-03-02T02:00:00Z"
    quirk.deliver(place)
    second = nights.refresh()
    judge(second, nights.code, quirk.statuses[1], quirk.words[1])

    assert nights.held() == (ALL - quirk.lacks) | quirk.more
    assert nights.sent is not None
    assert set(nights.sent.new.values()) <= {0, 1}, "a record is new once"
    for kind in quirk.types:
        before, after = first.watermarks.get(kind), second.watermarks.get(kind)
        stood = after == before is not None and before >= began  # the server's own time, in whole seconds
        moved = after is not None and (before is None or after > before or stood) and after < datetime.now(UTC)
        assert moved == (kind not in quirk.stays), kind


def judge(report: LoadReport, code: int, status: str, words: str) -> None:
    """Its status and exit code; gaps say so, in words for somebody; no word of the server's own is repeated."""
    said = report.model_dump_json()
    assert (report.status, words in said) == (status, True), said
    assert code == (3 if status == "partial" else 0)
    assert (status == "partial") == bool(report.gaps)
    assert all(gap.fix and gap.who for gap in report.gaps)
    assert "Roe" not in said
