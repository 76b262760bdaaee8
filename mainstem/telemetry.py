"""Traces and figures for OpenTelemetry, where MAINSTEM_TELEMETRY=otlp asks for them: one trace a load, from pull to consumer, and to the pages.

A load's trace has the id that the load's name gives. So every process that works for a load joins its trace without being told:
Airflow's tasks on several machines, the publisher beside, and, by the header `traceparent`, each consumer. A request of a service has a trace of its
own or its caller's, linked to the loads it tells of. Where it goes is said by
OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT). Off, which it is unless asked for, nothing of OpenTelemetry is imported.

Attributes are ids of ours, site, type and counts: nothing of a patient, no parameter of a statement.
"""

import re
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from schemas.errors import OperatorError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

NONE, OTLP = "none", "otlp"
_OFF: AbstractContextManager[None] = nullcontext()
_NAME = "mainstem"
_WHOLE = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""A trace context that a stranger may send."""


class _Sent:
    """Where spans and figures go, once it is on."""

    def __init__(self, traces: "TracerProvider", metrics: "MeterProvider", ids: Any) -> None:
        self.traces, self.metrics, self.ids = traces, metrics, ids
        self.tracer, self.meter = traces.get_tracer(_NAME), metrics.get_meter(_NAME)
        self.instruments: dict[str, Any] = {}


_sent: _Sent | None = None


def start(wanted: str, version: str = "") -> None:
    """Begins, where `wanted` is "otlp". Raises OperatorError where OpenTelemetry is not installed."""
    global _sent
    if wanted == OTLP and _sent is None:
        _sent = _opened(version)


def is_on() -> bool:
    """Whether anything is sent."""
    return _sent is not None


def flush() -> None:
    """Sends what waits: a task's process may end without a word."""
    if _sent is not None:
        _sent.traces.force_flush(5_000)
        _sent.metrics.force_flush(5_000)


def span(name: str, load: str = "", **attributes: str | int) -> AbstractContextManager[None]:
    """A piece of work, in its load's trace or in that of the work around it."""
    return _OFF if _sent is None else _spanned(_sent, name, load, attributes)


def piece(name: str, **attributes: str | int) -> AbstractContextManager[None] | None:
    """A part of the work around it; None where there is none, or nothing is sent."""
    if _sent is None:
        return None
    from opentelemetry.trace import get_current_span

    return _spanned(_sent, name, "", attributes) if get_current_span().is_recording() else None


def traceparent(load: str) -> str:
    """The W3C trace context of a load."""
    trace, parent = _ids_of(load)
    return f"00-{trace:032x}-{parent:016x}-01"


def whole(load: str, seconds: float, **attributes: str | int) -> None:
    """The load itself, under which all its pieces stand; it ends now."""
    if _sent is None:
        return
    from opentelemetry.context import Context

    end = time.time_ns()
    with _sent.ids.given(_ids_of(load)):
        root = _sent.tracer.start_span(
            "load",
            Context(),
            start_time=end - int(seconds * 1e9),
            attributes={"mainstem.load": load, **_ours(attributes)},
        )
    root.end(end)


def consumed(parents: Iterable[bytes], began: int, **attributes: str | int) -> None:
    """What a consumer did with a batch, in the trace of each load that it came from; `began` in ns."""
    if _sent is None:
        return
    for parent in sorted(set(parents)):
        if (context := _context_of(parent.decode("ascii", "replace"))) is not None:
            piece = _sent.tracer.start_span("consume", context, start_time=began, attributes=_ours(attributes))
            piece.end()


class Request:
    """A request that is being answered."""

    def __init__(self, piece: "Span") -> None:
        self._piece = piece
        self.trace = f"{piece.get_span_context().trace_id:032x}"

    def answered(self, method: str, route: str, status: int) -> None:
        """By which route, and how."""
        self._piece.update_name(f"{method} {route}")
        self._piece.set_attributes(_ours({"method": method, "route": route, "status": status}))


@contextmanager
def request(parent: str, loads: Iterable[str]) -> Iterator[Request]:
    """A request's span: below `parent`, a W3C trace context where the caller sent a whole one; linked to loads. Only where it is on."""
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind, get_current_span

    assert _sent is not None
    above = _context_of(parent) if _WHOLE.fullmatch(parent) else None
    known = [get_current_span(context) for each in loads if (context := _context_of(traceparent(each)))]
    with _sent.tracer.start_as_current_span(
        "request",
        above or Context(),
        kind=SpanKind.SERVER,
        links=[Link(each.get_span_context()) for each in known],
        record_exception=False,
        set_status_on_exception=False,
    ) as piece:
        yield Request(piece)


def count(name: str, value: int, **labels: str) -> None:
    """Adds to a figure that only rises."""
    if _sent is not None and value:
        _instrument(_sent, name, "create_counter").add(value, labels)


def measured(name: str, value: float, **labels: str) -> None:
    """One more value of a distribution, such as of seconds."""
    if _sent is not None:
        _instrument(_sent, name, "create_histogram").record(value, labels)


def _instrument(sent: _Sent, name: str, kind: str) -> Any:
    if name not in sent.instruments:
        sent.instruments[name] = getattr(sent.meter, kind)(f"{_NAME}.{name}")
    return sent.instruments[name]


def _ours(attributes: dict[str, str | int]) -> dict[str, str | int]:
    return {f"{_NAME}.{name}": value for name, value in attributes.items()}


def _ids_of(load: str) -> tuple[int, int]:
    """Trace and span of a load."""
    digest = blake2b(load.encode(), digest_size=24).digest()
    return int.from_bytes(digest[:16], "big") or 1, int.from_bytes(digest[16:], "big") or 1


def _context_of(parent: str) -> "Context | None":
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    parts = parent.split("-")
    try:
        trace, own = int(parts[1], 16), int(parts[2], 16)
    except (IndexError, ValueError):
        return None
    return set_span_in_context(NonRecordingSpan(SpanContext(trace, own, True, TraceFlags(TraceFlags.SAMPLED))))


@contextmanager
def _spanned(sent: _Sent, name: str, load: str, attributes: dict[str, str | int]) -> Iterator[None]:
    from opentelemetry.trace import Status, StatusCode, get_current_span

    own = load and get_current_span().get_span_context().trace_id != _ids_of(load)[0]
    context = _context_of(traceparent(load)) if own else None
    told = {**_ours(attributes), **({f"{_NAME}.load": load} if load else {})}
    with sent.tracer.start_as_current_span(
        name, context, attributes=told, record_exception=False, set_status_on_exception=False
    ) as piece:
        try:
            yield
        except BaseException as exc:
            piece.set_status(Status(StatusCode.ERROR, type(exc).__name__))  # its text may hold what it worked on
            raise


def _opened(version: str) -> _Sent:
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    except ImportError as exc:
        raise OperatorError(
            "MAINSTEM_TELEMETRY is otlp, and OpenTelemetry is not installed", "pip install 'mainstem[telemetry]'."
        ) from exc

    class Ids(RandomIdGenerator):
        """Random ones, but where they are given."""

        _given = threading.local()

        @contextmanager
        def given(self, ids: tuple[int, int]) -> Iterator[None]:
            self._given.ids = ids
            try:
                yield
            finally:
                self._given.ids = None

        def generate_trace_id(self) -> int:
            ids = getattr(self._given, "ids", None)
            return ids[0] if ids else super().generate_trace_id()

        def generate_span_id(self) -> int:
            ids = getattr(self._given, "ids", None)
            return ids[1] if ids else super().generate_span_id()

    ids, resource = Ids(), Resource.create({"service.name": _NAME, "service.version": version})
    traces = TracerProvider(resource=resource, id_generator=ids)
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    metrics = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], resource=resource)
    return _Sent(traces, metrics, ids)
