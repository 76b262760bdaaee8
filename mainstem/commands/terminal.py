"""What the commands share: where they print, bars for people, the settings they work with.

Much of what is printed was written by others: a server's software name, a gap's reason, an event. So a command prints by
`stdout`, `styled`, `say` and `tell` alone: each string becomes one printable line of bounded length, and none is markup.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from stat import S_ISREG
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from mainstem.commands.naming import site_folder, site_names
from schemas.errors import MainstemError, OperatorError
from schemas.showing import shown

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from mainstem.config.settings import Settings
    from mainstem.refresh import Progress, Refresh
    from mainstem.state import State
    from schemas.loads import Gap

_UTC = r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)"
UNCUT = 2_000
"""Columns of a pipe: only what others wrote is longer, and goes on below."""


def named_site(site: Path | None) -> Path | None:
    """Its file, where a site is named by either; nothing where none is."""
    return None if site is None else _site_file(str(site), site_folder())


def site_name(site: str | None) -> str | None:
    """Its name, where a site is named by either; a name needs no file here: the state, the registry, a topic know it."""
    named = bare(site or "")
    if Path(named).suffix != ".toml" and Path(named).name == named:
        return site and named
    from mainstem.config.site_files import read_site

    return read_site(_site_file(named, site_folder())).site.site


SitePath = Annotated[
    Path,
    typer.Argument(
        metavar="SITE",
        help="The site's TOML file, or its name in the folder of site files.",
        show_default=False,
        callback=named_site,
        autocompletion=site_names,
    ),
]
SiteOption = Annotated[
    str,
    typer.Option(
        "--site",
        help="The site's TOML file, or its name in the folder of site files.",
        show_default=False,
        autocompletion=site_names,
    ),
]
SiteName = Annotated[
    str,
    typer.Option(
        "--site",
        help="The site: its name, or its TOML file.",
        show_default=False,
        callback=site_name,
        autocompletion=site_names,
    ),
]
OnlySite = Annotated[
    str | None,
    typer.Option(
        "--site",
        help="Only this site: its name, or its TOML file.",
        show_default=False,
        callback=site_name,
        autocompletion=site_names,
    ),
]
OneOfSites = Annotated[
    str,
    typer.Argument(
        metavar="SITE",
        help="A site's name or its TOML file.",
        show_default=False,
        callback=site_name,
        autocompletion=site_names,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output on standard output.")]


def print_error(exc: MainstemError) -> None:
    """Cause and fix, on standard error."""
    console = stderr()
    for cause in exc.causes:
        console.print(styled(("error:", "bold red"), f" {cause}"), soft_wrap=True)
    if exc.fix:
        console.print(styled(("  fix:", "bold green"), f" {exc.fix}{told_to(exc.who)}"), soft_wrap=True)


def told_to(who: str) -> str:
    """Who can do it, where that is not whoever runs Mainstem: they read it here."""
    return "" if who == "network" else f" ({who})"


def print_defect(error: BaseException) -> None:
    """Where an error that is not one of ours arose, and its kind. Its text may hold what it worked on."""
    import traceback

    for line in traceback.format_tb(error.__traceback__):
        sys.stderr.write(line)
    say(f"{type(error).__name__}: a defect of Mainstem; please report it with the lines above", err=True)


def stderr() -> "Console":
    """For people, and for what is not the result."""
    return _console(to_stderr=True)


def stdout() -> "Console":
    """For the result."""
    return _console(to_stderr=False)


def _console(*, to_stderr: bool) -> "Console":
    """A console to which every string, in a cell too, is words: one printable line, no markup, no emoji codes."""
    from rich.console import Console
    from rich.text import Text

    class WordsOnly(Console):
        def render_str(self, text: str, **how: Any) -> Text:
            return super().render_str(shown(text), **how)

        def on_broken_pipe(self) -> None:
            """Whoever read it stopped: rich would end with a code that is a defect's."""
            raise BrokenPipeError

    return WordsOnly(stderr=to_stderr, markup=False, emoji=False, highlight=False, width=_width(to_stderr=to_stderr))


def _width(*, to_stderr: bool) -> int | None:
    """In a pipe or a file lines are as long as they are; elsewhere the terminal says."""
    stream = sys.stderr if to_stderr else sys.stdout
    return None if stream.isatty() or os.environ.get("COLUMNS") else UNCUT


def plain_table(*heads: str) -> "Table":
    """A table without lines, its heads bold. Where it is too wide for the terminal, cells go on below: nothing is cut."""
    from rich.table import Table

    class Whole(Table):
        def add_column(self, header: Any = "", **how: Any) -> None:  # type: ignore[override]
            super().add_column(header, **{"overflow": "fold", **how})

    return Whole(*heads, box=None, header_style="bold", pad_edge=False)


def gap_lines(gaps: "Iterable[tuple[str, Gap]]") -> "Iterator[Text]":
    """What is missing, a cause once for all that lack it by it, with what to do and who can do it; the same in every command."""
    from schemas.loads import by_words

    for names, gap in by_words(gaps):
        yield styled("  ", ("gap", "yellow"), f" {', '.join(names)}: {gap.reason}")
        yield styled("      ", ("fix:", "bold green"), f" {gap.fix} ({gap.who})")


def styled(*parts: str | tuple[str, str]) -> "Text":
    """One line of texts and (text, style)."""
    from rich.text import Text

    pieces = [(part, "") if isinstance(part, str) else part for part in parts]
    return Text.assemble(*((shown(text), style) for text, style in pieces))


def say(line: str, *, err: bool = False) -> None:
    """One line of the result, or beside it on standard error."""
    typer.echo(shown(line), err=err)


def tell(line: str) -> None:
    """One line on what goes on, on standard error."""
    stderr().print(line, soft_wrap=True)


@cache
def _tell_once(line: str) -> None:
    tell(line)


class _ForEyes(BytesIO):
    """JSON lines on a terminal: what is not printable stands there by JSON's own escape."""

    def write(self, lines: Any) -> int:
        """The same JSON, each line printable."""
        text = bytes(lines).decode("utf-8", "replace")
        sys.stdout.write("".join(char if char.isprintable() or char == "\n" else _json_escape(char) for char in text))
        return len(lines)

    def flush(self) -> None:
        """To the terminal."""
        sys.stdout.flush()


def _json_escape(char: str) -> str:
    import json

    return json.dumps(char)[1:-1]


def json_lines() -> IO[bytes]:
    """Where JSON lines go, byte by byte; but where a person looks, nothing of them steers the terminal."""
    return _ForEyes() if sys.stdout.isatty() else sys.stdout.buffer


def print_json(value: Any) -> None:
    """The result for machines."""
    import json

    sys.stdout.write(json.dumps(_with_one_time(value), indent=2, default=str) + "\n")


def _with_one_time(value: Any) -> Any:
    """The same, its times as `2026-03-02T05:00:00Z`: libraries have a form each."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, str) and (found := re.fullmatch(_UTC, value)):
        return f"{found[1]}T{found[2]}Z"
    if isinstance(value, Mapping):
        return {key: _with_one_time(each) for key, each in value.items()}
    return [_with_one_time(each) for each in value] if isinstance(value, list | tuple) else value


def read_settings(**given: object) -> "Settings":
    """The environment, for a command that reaches database or broker; such commands log, so logs are set up."""
    from mainstem import __version__, telemetry
    from mainstem.config.logs import configure_once
    from mainstem.config.settings import load_settings, misspelt

    configure_once()
    settings = load_settings(**given)
    for sentence in misspelt():
        _tell_once(sentence)
    telemetry.start(settings.telemetry, __version__)
    return settings


def site_path(site: str, settings: "Settings") -> Path:
    """The site file that is meant by a path or by a site's name."""
    return _site_file(site, settings.sites)


def _site_file(site: str, folder: Path) -> Path:
    """Raises OperatorError where a name has no file, with the names that have one."""
    site = bare(site)
    path, named = Path(site).expanduser(), folder / f"{site}.toml"
    if path.is_file() or (path.suffix and path.parent.is_dir() and list(path.parent.glob("*.toml"))):
        return path  # read, or refused with the names of those beside it
    if site and named.is_file():
        return named
    names = sorted(each.stem for each in folder.glob("*.toml"))
    near = [name for name in names if name == Path(site.replace("\\", "/")).stem.casefold()]
    there = f"Sites there are: {', '.join(names)}." if names else NO_SITES
    raise OperatorError(_no_site(site, path, named), f"Name it: {near[0]}." if near else there)


NO_SITES = "`mainstem sites new` writes the first; MAINSTEM_SITES names their folder."


def _no_site(site: str, path: Path, named: Path) -> str:
    if not site:
        return "no site is named"
    if re.match(r"https?:/", site):
        return "a site is named by its file or its short name, not by an address"
    if path.is_dir():
        return f"{site}: is a folder; a site's file or its name is needed"
    if path.suffix or path.parent != Path():
        return f"{site}: no such site file"
    return f"{site}: there is no such site: no {named}"


def bare(given: str) -> str:
    """What was meant by something that was copied: without blanks around it, and the quotation marks or brackets."""
    text = given.strip()
    return text[1:-1].strip() if len(text) > 1 and text[0] + text[-1] in AROUND else text


AROUND = ('""', "''", "“”", "„“", "‘’", "«»", "<>")
"""What texts stand in where they are copied from."""


def require_known(site: str | None, store: "State", settings: "Settings") -> None:
    """Raises OperatorError for a site of which neither the state nor a site file knows, with those that are known."""
    from mainstem.database.urls import name_of

    loaded = store.sites()
    if site is None or site in loaded or (settings.sites / f"{site}.toml").is_file():
        return
    raise OperatorError(
        f"{site}: there is no such site in {name_of(store.database.engine.url)}, nor a file {settings.sites / f'{site}.toml'}",
        f"Sites that were loaded: {', '.join(loaded) or 'none'}. MAINSTEM_DATABASE_URL and MAINSTEM_SITES say where to look.",
    )


def require_day(given: str) -> str:
    """A day that is asked for, as times begin by it; empty for none. Raises OperatorError for what is no day."""
    if given and re.fullmatch(r"\d{4}-\d\d-\d\d(T.*)?", given) is None:
        raise OperatorError(f"{given}: no day", "Write it as year, month and day: 2026-11-03.")
    return given


@contextmanager
def opened_state(url: str) -> "Iterator[State]":
    """The state, its tables brought to this version: for commands that need no site file."""
    from mainstem.state import State

    with closing(State.open(url)) as state:
        state.migrate()
        yield state


@contextmanager
def open_site(site: str, *, quiet: bool) -> Iterator["Refresh"]:
    """A site on the configured parts, by its file or its name, with bars for people unless `quiet`."""
    from mainstem.refresh import open_refresh

    settings = read_settings()
    with (
        progress_bars(quiet=quiet) as progress,
        open_refresh(site_path(site, settings), settings, progress=progress, notice=tell) as refresh,
    ):
        yield refresh


@contextmanager
def progress_bars(*, quiet: bool) -> Iterator["Progress"]:
    """Bars for people: one line a step and type, on standard error, only where somebody looks."""
    if quiet or not sys.stderr.isatty():
        yield _unseen
        return
    from mainstem.commands.progress import bars

    with bars(stderr()) as show:
        yield show


def _unseen(_step: str, _unit: str, _count: int, _of: int | None = None, /) -> None:
    """Nobody looks."""


def write_file(path: Path, words: str) -> None:
    """A page or a text, for its owner alone. Raises OperatorError where it cannot be written."""
    with private_file(path) as file:
        file.write(words.encode())
    say(f"wrote {path}", err=True)


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that its owner alone reads, whoever could read it before. Raises OperatorError where it cannot be written."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(number, "wb") as file:
            if S_ISREG(os.fstat(number).st_mode):
                os.fchmod(number, 0o600)
            yield file
    except OSError as exc:
        raise OperatorError(f"{path}: cannot be written ({exc.strerror})", "Give another place.") from exc


@contextmanager
def private_csv(path: Path) -> Iterator[Any]:
    """A writer of the rows of such a file."""
    import csv
    from io import TextIOWrapper

    with private_file(path) as file, TextIOWrapper(file, encoding="utf-8", newline="", write_through=True) as text:
        yield csv.writer(text)


def reason_fix(reason: str) -> str:
    """What a reason code means and what can be done."""
    from schemas.problems import reason_of

    found = reason_of(reason)
    return f"{found.meaning} {found.fix}"
