"""How a site is named, alike in every command: by --site, and as a word where no other could stand there.

`mainstem run north` and `mainstem run --site north` are one, as are `mainstem status --site north` and `mainstem status north`;
a command that takes other words too (`mainstem resolve SUBJECT --site north`) takes the site by --site alone, unless SITE is
the first of them (`mainstem gaps accept north Observation`).
"""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption
from typer.main import get_command


def site_names(incomplete: str) -> list[str]:
    """The sites that have a file and whose names begin so: what a shell completes."""
    return sorted(each.stem for each in site_folder().glob("*.toml") if each.stem.startswith(incomplete))


def site_folder() -> Path:
    """Where site files are looked for."""
    return Path(os.environ.get("MAINSTEM_SITES") or "sites")


class OfSite(TyperCommand):
    """A command of ours: where it is about a site, that is named in either way."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Its words in the order in which the command declares them."""
        if self._as_word:
            args = _site_first(args)
        elif (option := self._as_option) is not None:
            args = self._site_by_option(ctx, list(args), option)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as wrong:
            if getattr(wrong.param, "name", "") == "site" and not wrong.message:  # none was given
                wrong.message = f"Sites there are: {', '.join(site_names('')) or 'none yet'}."
            raise

    def get_params(self, ctx: Any) -> list[Any]:
        """What it declares; where that is SITE, --site besides, for its help and the shell."""
        given = super().get_params(ctx)
        return [*given[:1], _BY_OPTION, *given[1:]] if self._as_word else given

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What it takes; the site's name, too, where that may stand alone."""
        return [*super().collect_usage_pieces(ctx), *(["[SITE]"] if self._as_option is not None else [])]

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Options; names of sites, where one may stand alone."""
        found = super().shell_complete(ctx, incomplete)
        option = self._as_option
        return (
            found if option is None or incomplete.startswith("-") else [*found, *option.shell_complete(ctx, incomplete)]
        )

    @property
    def _as_word(self) -> bool:
        return any(isinstance(each, TyperArgument) and each.name == "site" for each in self.params[:1])

    @property
    def _as_option(self) -> TyperOption | None:
        """--site, where the command takes no word and is about one site."""
        if any(isinstance(each, TyperArgument) for each in self.params):
            return None
        named = (each for each in self.params if isinstance(each, TyperOption) and "--site" in each.opts)
        return next((each for each in named if not each.multiple), None)

    def _site_by_option(self, ctx: Any, args: list[str], option: TyperOption) -> list[str]:
        """One word that stands alone is the site; more of them, or one beside --site, are refused as they are."""
        given, words, _ = self.make_parser(ctx).parse_args(list(args))
        if len(words) != 1 or option.name in given or args.count(words[0]) != 1:
            return args
        place = args.index(words[0])
        return [*args[:place], f"--site={words[0]}", *args[place + 1 :]]


def _site_first(args: list[str]) -> list[str]:
    """What --site names, before the other words."""
    named, others = list[str](), list[str]()
    waiting = list(args)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            others += [word, *waiting]
            break
        if word.startswith("--site="):
            named.append(word.removeprefix("--site="))
        elif word == "--site" and waiting:
            named.append(waiting.pop(0))
        else:
            others.append(word)
    return [*named, *others]


def _by_option() -> Any:
    shown = typer.Typer(add_completion=False)

    @shown.command()
    def _of(
        named: Annotated[
            str, typer.Option("--site", help="In place of SITE.", show_default=False, autocompletion=site_names)
        ] = "",
    ) -> None:
        """Only its option is used."""
        _ = named

    option = get_command(shown).params[0]
    option.expose_value = False
    return option


_BY_OPTION = _by_option()
