"""From a site's resources to the registry, the real way but without servers and a broker: mapped, derived, as events, handled."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Engine, select

import mainstem
from mainstem.consumer.received import Received, read_event
from mainstem.database import name_of
from mainstem.demo.known.resources import comes, resources
from mainstem.demo.known.truth import AS_OF, KNOWN, Known, KnownSite
from mainstem.publisher.encoding import event_id_of, instant
from schemas.errors import OperatorError
from schemas.events import CONTENT_TYPE, SPEC_VERSION, Header, Operation, data_schema, outcome_type, source_of
from schemas.loads import Gap, LoadEvent, LoadEventType, TypeCounts
from services.people.tests_of_change import Plan, Tried, note
from services.registry.handler import apply, apply_loads
from services.registry.tables import history
from transforms import Mapper
from transforms.derive import Deriver, values
from transforms.mapped import Current, Mapped

NETWORK = "known"
WANTED = (
    "bmi-z, bmi-percentile, height-z, height-percentile, weight-percentile, fev1-percent-predicted-gli2022, pga-state, "
    "hba1c-band, act-control, phq-9-severity, systemic-steroid-days-90"
)
"""The values that the network asks for."""
AT_ONCE = 5_000
BLEMISHES = (
    b'{"resourceType":"Observation","id":"cut-short","status":"final","code":{"coding":[{"system":"http://loinc.org","co',
    b'{"resourceType":"Observation","id":"no-code","status":"final","subject":{"reference":"Patient/ibd-001"},'
    b'"effectiveDateTime":"2026-01-05","valueQuantity":{"value":7.2,"unit":"%"}}',
    b'{"resourceType":"Observation","id":"no-patient","status":"final","code":{"coding":[{"system":"http://loinc.org",'
    b'"code":"4548-4"}]},"effectiveDateTime":"2026-01-05","valueQuantity":{"value":7.2,"unit":"%"}}',
)
"""Lines as real deliveries have them; every site brings some."""


@dataclass(slots=True)
class Fed:
    """What a site's data came to."""

    site: str
    events: int = 0
    types: dict[str, TypeCounts] = field(default_factory=lambda: defaultdict(TypeCounts))
    """Figures of the load by FHIR type."""


class _Told(NamedTuple):
    """A record and the day on which the site had it."""

    day: date
    record: Mapped


def feed(engine: Engine, known: Known = KNOWN) -> Iterator[Fed]:
    """Fills an empty registry with the known network, site by site; what came of each. Raises OperatorError where it is not empty."""
    with engine.connect() as connection:
        if connection.scalar(select(history.c.record).limit(1)):
            raise OperatorError(
                f"the registry {name_of(engine.url)} holds records already",
                "Give one of its own: the network is made up, and must not mix with another.",
            )
    with engine.begin() as connection:
        for test in known.tests_of_change:
            noted = datetime.combine(test.since + timedelta(days=3), time(16), UTC)
            plan = Plan(test.aim, test.since + YEAR, test.prediction, test.start)
            note(connection, Tried(test.site, MEASURE_OF[test.clinic], test.since, test.what, test.by, noted, plan))
    yield from (_feed_site(engine, known, site) for site in known.sites)


YEAR = timedelta(days=365)
MEASURE_OF = {"ibd": "IBD-1", "cf": "CF-2", "t1d": "T1D-1", "asthma": "AST-1"}
"""The measure that tells a clinic's outcome."""


def _feed_site(engine: Engine, known: Known, site: KnownSite) -> Fed:
    fed = Fed(site.id)
    key = hashlib.sha256(f"{known.seed}/{site.id}".encode()).digest()
    told = _mapped(known, site, key, fed)
    told += _derived(site, key, told)
    for events in _in_parts(_events(site, told)):
        with engine.begin() as connection:
            apply(connection, events)
        fed.events += len(events)
    with engine.begin() as connection:
        apply_loads(connection, [_load(known, fed)])
    return fed


def _mapped(known: Known, site: KnownSite, key: bytes, fed: Fed) -> list[_Told]:
    """The site's lines through its mapping, type by type, patients first."""
    lines: dict[str, list[tuple[date, bytes]]] = defaultdict(list)
    for dated in resources(known, site):
        if comes(known, site, dated):
            lines[dated.resource["resourceType"]].append((dated.day, json.dumps(dated.resource).encode()))
    lines["Observation"] += [(FAULTY_DAY, line) for line in BLEMISHES]
    mapper = Mapper(site=site.id, time_zone=site.time_zone, subject_key=key, place=site.place, today=AS_OF.date())
    in_order = sorted(lines, key=lambda name: name != "Patient")
    return [told for fhir_type in in_order for told in _mapped_type(mapper, lines[fhir_type], fed.types[fhir_type])]


def _mapped_type(mapper: Mapper, lines: list[tuple[date, bytes]], counts: TypeCounts) -> Iterator[_Told]:
    """Records of one type's lines; what cannot be used is counted by reason."""
    outcomes = mapper.map_lines([line for _, line in lines])
    counts.read = len(lines)
    for place, (record, (day, _)) in enumerate(zip(outcomes.usual, lines, strict=True)):
        outcome = outcomes.unusual.get(place)
        if outcome and outcome.problem:
            reason = outcome.problem.reason
            counts.skipped[reason] = counts.skipped.get(reason, 0) + 1
            continue
        records = outcome.records if outcome else [record] if record else []
        counts.mapped += 1
        counts.records += len(records)
        counts.recorded += len(records)
        yield from (_Told(day, each) for each in records)


FAULTY_DAY = date(2026, 10, 30)


def _derived(site: KnownSite, key: bytes, told: Iterable[_Told]) -> list[_Told]:
    """The values of several records, each on the day of the latest of them."""
    deriver = Deriver(site=site.id, subject_key=key, values=values(WANTED))
    of_one: dict[bytes, list[Current]] = defaultdict(list)
    for _, record in told:
        of_one[record.subject].append(Current(*record[:4]))
    found: list[_Told] = []
    for records in of_one.values():
        for each in deriver.derive(records):
            if isinstance(each, Mapped):
                when = json.loads(each.content).get("effective_date") or AS_OF.date().isoformat()
                found.append(_Told(date.fromisoformat(when), each))
    return found


def _events(site: KnownSite, told: Iterable[_Told]) -> Iterator[Received]:
    """As the publisher writes them to the topic, in the order in which they became known; checked as the consumer does."""
    for day, record in sorted(told, key=lambda each: each.day):
        event = read_event(_KafkaRecord(*_key_and_value(site, record), _headers(site, record, day)))
        assert isinstance(event, Received), event
        yield event


class _KafkaRecord(NamedTuple):
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    partition: int = 0
    offset: int = 0


def _key_and_value(site: KnownSite, record: Mapped) -> tuple[bytes, bytes]:
    digest = hashlib.blake2b(record.content, digest_size=16).hexdigest().encode()
    value = (
        b'{"record":%b,"change":{"op":"recorded","sequence":1,"previous":0,"digest":"%b"},'
        b'"provenance":{"site":"%b","load":"%b/1","software":"%b",%b}}'
        % (record.content, digest, site.id.encode(), site.id.encode(), mainstem.__version__.encode(), record.provenance)
    )
    return b"s-%b/r-%b" % (record.subject.hex().encode(), record.id.hex().encode()), value


def _headers(site: KnownSite, record: Mapped, day: date) -> list[tuple[str, bytes]]:
    """The night after the day is when the site's refresh brings it."""
    name = f"r-{record.id.hex()}"
    known_at = datetime.combine(day + timedelta(days=1), time(5), UTC)
    said = {
        Header.SPEC_VERSION: SPEC_VERSION,
        Header.CONTENT_TYPE: CONTENT_TYPE,
        Header.ID: event_id_of(name, 1, 1),
        Header.TYPE: outcome_type(NETWORK, Operation.RECORDED),
        Header.SUBJECT: name,
        Header.SEQUENCE: "1.1",
        Header.SOURCE: source_of(site.id),
        Header.DATA_SCHEMA: data_schema(record.type),
        Header.TIME: instant(known_at),
    }
    return [(str(header), text.encode()) for header, text in said.items()]


def _in_parts(events: Iterator[Received]) -> Iterator[list[Received]]:
    while part := list(islice(events, AT_ONCE)):
        yield part


def _load(known: Known, fed: Fed) -> LoadEvent:
    """The site's last load; partial where its feed broke."""
    started = AS_OF - timedelta(hours=2)
    watermarks = dict.fromkeys([*fed.types, "MedicationRequest"], started)
    gaps = []
    if known.broken.site == fed.site:
        since = datetime.combine(known.broken.since, time(), UTC)
        watermarks[known.broken.fhir_type] = since
        gaps.append(
            Gap(
                resource_type=known.broken.fhir_type,
                since=since,
                until=started,
                reason=known.broken.reason,
                fix="Ask the laboratory system's people to start the interface again; the next refresh reads the window.",
                who="site IT",
            )
        )
    return LoadEvent(
        load=f"{fed.site}/1",
        site=fed.site,
        event=LoadEventType.COMPLETED,
        mode="full",
        started=started,
        ended=AS_OF,
        types=dict(fed.types),
        watermarks=watermarks,
        gaps=gaps,
        status="partial" if gaps else "completed",
        published=fed.events,
    )
