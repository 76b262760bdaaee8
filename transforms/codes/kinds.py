"""Which of a network's few words a code means: kinds.csv, and what a site's code map adds to it.

A site says so for its own codes by a row whose target system is `urn:mainstem:device`, `urn:mainstem:registry` or
`urn:mainstem:consent` and whose target code is the word.
"""

import csv
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files

from transforms.codes.code_map import CodeMap

_TARGET = "urn:mainstem:"
_WORDS = {
    "device": frozenset({"pump", "cgm", "hybrid_loop"}),
    "consent": frozenset({"qi", "research", "recontact", "pro", "other"}),
}
ANY_WORD = "registry"
"""What networks have words of their own for."""
_WORD = re.compile(r"[a-z][a-z0-9_-]{0,31}")


def target_of(about: str) -> str:
    """The target system of the rows of a site's code map that say which word its codes mean."""
    return _TARGET + about


def words_of(target: str) -> re.Pattern[str] | frozenset[str] | None:
    """Which words may stand under a target system of the network's own; None for one that is none of these."""
    about = target.removeprefix(_TARGET) if target.startswith(_TARGET) else ""
    return _WORD if about == ANY_WORD else _WORDS.get(about)


def kind_of(about: str, codings: Iterable[tuple[str | None, str]], codes: CodeMap) -> str | None:
    """The word that any of the codings means; the site's own map first. Of several words none is told."""
    listed = [(system or "", code) for system, code in codings]
    target, table = target_of(about), _table(about)
    mapped = {codes[coding][target] for coding in listed if target in codes.get(coding, ())}
    meant = mapped & _WORDS[about] or {table[coding] for coding in listed if coding in table}
    return meant.pop() if len(meant) == 1 else None


def word_of(about: str, codings: Iterable[tuple[str | None, str]], codes: CodeMap) -> str | None:
    """The network's own word that the site's map has for any of the codings; of several, none is told."""
    target = target_of(about)
    listed = [codes[system or "", code] for system, code in codings if (system or "", code) in codes]
    meant = {meaning[target] for meaning in listed if _WORD.fullmatch(meaning.get(target, ""))}
    return meant.pop() if len(meant) == 1 else None


@cache
def _table(about: str) -> dict[tuple[str, str], str]:
    with files("transforms.codes").joinpath("kinds.csv").open(encoding="utf-8") as lines:
        return {(row["system"], row["code"]): row["kind"] for row in csv.DictReader(lines) if row["about"] == about}
