"""`mainstem home`: the families' own page."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mainstem.commands.terminal import opened_state, read_settings, tell
from schemas.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from mainstem.centre import Centre
    from mainstem.config.settings import Settings
    from mainstem.state import State
    from services.home.telling import Fact, Keep

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
    with at_the_centre(current) if current.centre_key else nullcontext() as keep:
        run(current, Place(host, port), keep, tell)


@contextmanager
def at_the_centre(settings: "Settings") -> Iterator["Keep"]:
    """By the centre's key, state and publisher."""
    from mainstem.centre import Centre
    from mainstem.config.site_files import file_secrets

    key = file_secrets(Path.cwd())(settings.centre_key or "")
    if len(key) < KEY_BYTES:
        raise OperatorError(
            f"the centre's key has {len(key)} bytes; at least {KEY_BYTES} are needed", "Make one of random bytes."
        )
    with opened_state(settings.database_url) as state:
        yield _AtTheCentre(settings, state, Centre(state, key, lambda: datetime.now(UTC)))


class _AtTheCentre:
    """What families say, kept and forgotten by the centre, and told by its publisher."""

    def __init__(self, settings: "Settings", state: "State", centre: "Centre") -> None:
        self._settings, self._state, self._centre = settings, state, centre

    def __call__(self, facts: "Mapping[str, Sequence[Fact]]") -> None:
        from mainstem.centre import Born

        with self._sending():
            for kind, born in facts.items():
                self._centre.keep(kind, [Born(*each) for each in born])

    def forget(self, subjects: "Collection[str]") -> None:
        if self._centre.has_to_forget(subjects):
            with self._sending():
                self._centre.forget(subjects)

    @contextmanager
    def _sending(self) -> Iterator[None]:
        from mainstem.centre import SITE
        from mainstem.publisher import publisher_of

        with self._centre.holding(), publisher_of(SITE, self._settings, self._state.outbox) as sender:
            yield
            self._centre.send(sender)
