"""A span a transaction, where telemetry is on: the library's own instrumentation refuses SQLAlchemy 2.1. No statement, no parameter."""

from contextlib import AbstractContextManager

from sqlalchemy import Connection, Engine, event

from mainstem import telemetry

_SPAN = "mainstem span"


def watch(engine: Engine) -> None:
    """From now on each of its transactions that belongs to some work is a piece of it."""
    system = engine.dialect.name

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        reads = bool(connection.get_execution_options().get("reads"))
        span = telemetry.piece("transaction", system=system, reads=int(reads))
        if span is not None:
            span.__enter__()
            connection.info[_SPAN] = span

    def ended(connection: Connection) -> None:
        span: AbstractContextManager[None] | None = connection.info.pop(_SPAN, None)
        if span is not None:
            span.__exit__(None, None, None)

    event.listen(engine, "commit", ended)
    event.listen(engine, "rollback", ended)
