"""`mainstem home`: the families' own page."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.terminal import read_settings, tell
from schemas.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mainstem.config.settings import Settings
    from services.home.running import Centre as Acts
    from services.home.telling import Fact

KEY_BYTES = 32

group = typer.Typer()


@group.command(epilog="Example: MAINSTEM_HOME_ADDRESS=https://home.network.example mainstem home --port 8072")
def home(
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = 8072,
) -> None:
    """Serve the families' own page: how things go, what is due, what matters to them; by a code from the clinic.

    A clinician makes the code on the patient's page of `mainstem feedback`. What families say becomes records and events of the
    centre's where MAINSTEM_CENTRE_KEY is set; their words stay here. What they ask about consent goes to their site, which decides it.
    """
    from services.home.running import Place, run

    current = read_settings()
    with _centre(current) if current.centre_key else nullcontext() as centre:
        run(current, Place(host, port), centre, tell)


@contextmanager
def _centre(settings: "Settings") -> Iterator["Acts"]:
    """By the centre's key, state and publisher."""
    from mainstem.centre import SITE, Born, Centre
    from mainstem.config.site_files import file_secrets
    from mainstem.publisher import publisher_of
    from mainstem.state import State
    from services.home.running import Centre as Acts

    key = file_secrets(Path.cwd())(settings.centre_key or "")
    if len(key) < KEY_BYTES:
        raise OperatorError(
            f"the centre's key has {len(key)} bytes; at least {KEY_BYTES} are needed", "Make one of random bytes."
        )
    state = State.open(settings.database_url)
    try:
        state.migrate()
        centre = Centre(state, key, lambda: datetime.now(UTC))

        def keep(facts: "Mapping[str, Sequence[Fact]]") -> None:
            with centre.holding(), publisher_of(SITE, settings, state.outbox) as sender:
                for kind, born in facts.items():
                    centre.keep(kind, [Born(*each) for each in born])
                centre.send(sender)

        def forget(subjects: "Sequence[bytes]") -> None:
            with centre.holding(), publisher_of(SITE, settings, state.outbox) as sender:
                if centre.forget(subjects):
                    centre.send(sender)

        yield Acts(keep, forget)
    finally:
        state.close()
