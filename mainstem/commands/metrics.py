"""`mainstem metrics`: what a monitor asks of sites and consumers."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from mainstem.commands.terminal import opened_state, read_settings, tell
from schemas.errors import ExitCode, MainstemError, OperatorError
from schemas.showing import host_and_port, shown

group = typer.Typer()


@group.command(
    epilog="Examples: mainstem metrics --serve --port 9464; mainstem metrics > /var/lib/node_exporter/mainstem.prom"
)
def metrics(
    serve: Annotated[
        bool, typer.Option("--serve", help="Answer GET /metrics until stopped, instead of printing once.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = 9464,
    database: Annotated[
        str | None, typer.Option(help="The consumers' database; the registry's if not given.", show_default=False)
    ] = None,
) -> None:
    """Tell sites and consumers as figures in Prometheus's text format: states, watermarks, what waits, gaps, lag, dead letters.

    docker/monitoring holds alert rules and a dashboard for them.
    """
    asked = _asking(database)
    if not serve:
        sys.stdout.write(asked())
        return
    _serve(asked, host, port)


def _asking(database: str | None) -> Callable[[], str]:
    from mainstem.consumer.ledger import open_database
    from mainstem.consumer.progress import as_metrics, standing
    from mainstem.state.metrics import site_metrics
    from mainstem.state.site_status import gather

    settings = read_settings()

    def asked() -> str:
        now = datetime.now(UTC)
        with opened_state(settings.database_url) as store:
            sites = site_metrics(gather(store, settings, now), now)
        try:
            with open_database(database or settings.registry_url, setting="--database") as engine:
                return sites + as_metrics(standing(engine), now)
        except OperatorError:
            if database is not None:
                raise
            return sites  # no consumer runs here: at a site that is as it should be

    return asked


TEXT = "text/plain; version=0.0.4; charset=utf-8"


def _answered(path: str, asked: Callable[[], str]) -> tuple[int, str]:
    """Status and words; of an error of ours the cause as one line, of a defect nothing but that it is one."""
    if path != "/metrics":
        return 404, "There is /metrics.\n"
    try:
        return 200, asked()
    except MainstemError as exc:
        return 503, f"{shown(exc.cause)}\n"
    except Exception as exc:  # noqa: BLE001 - the edge: its text may hold what it worked on
        tell(f"{type(exc).__name__}: a defect of Mainstem")
        return 500, "This is a defect of Mainstem.\n"


def _serve(asked: Callable[[], str], host: str, port: int) -> None:
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    from starlette.responses import PlainTextResponse

    from services.serving import HEADERS, TrustedHosts, bound

    known = TrustedHosts(PlainTextResponse(""), [*read_settings().host_names, host]).knows

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if known(self.headers.get_all("Host") or []):
                self._answer(*_answered(self.path, asked))
            else:
                self._answer(400, "This server does not go by that name: MAINSTEM_TRUSTED_HOSTS.\n")

        def _answer(self, status: int, words: str) -> None:
            body = words.encode()
            self.send_response(status)
            for name, value in {**HEADERS, "Content-Type": TEXT, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A monitor asks every few seconds."""

    with bound(host, port) as listening, ThreadingHTTPServer((host, port), Answer, bind_and_activate=False) as server:
        server.socket.close()
        server.socket = listening
        server.server_activate()
        place = host_and_port(host, listening.getsockname()[1])
        tell(f"metrics of sites and consumers at http://{place}/metrics; Ctrl-C ends it")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None
