"""The page's languages: English is written in the templates; others come from `words/*.po`, each complete."""

import gettext
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

FOLDER = Path(__file__).with_name("words")
ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Language:
    """One language of the page."""

    code: str
    translations: gettext.NullTranslations

    @property
    def name(self) -> str:
        """As its speakers call it."""
        return (Locale.parse(self.code).get_display_name(self.code) or self.code).capitalize()

    def say(self, text: str, **filled: object) -> str:
        """An English sentence in this language, its gaps filled."""
        said = self.translations.gettext(text)
        return said.format(**filled) if filled else said

    def say_many(self, one: str, many: str, number: int, **filled: object) -> str:
        """The English sentence of one or of many in this language, `{number}` and its gaps filled: by this language's own plural forms."""
        said = self.translations.ngettext(one, many, number)
        return said.format(number=self.number(number), **filled)

    def day(self, day: date) -> str:
        """3 November 2026."""
        return format_date(day, "long", locale=self.code)

    def number(self, value: float, digits: int = 0) -> str:
        """With this language's marks."""
        return format_decimal(round(value, digits), locale=self.code, decimal_quantization=False)


@cache
def languages() -> Mapping[str, Language]:
    """By code; English first."""
    found = {ENGLISH: Language(ENGLISH, gettext.NullTranslations())}
    for path in sorted(FOLDER.glob("*.po")):
        compiled = BytesIO()
        with path.open("rb") as source:
            write_mo(compiled, read_po(source, locale=path.stem))
        compiled.seek(0)
        found[path.stem] = Language(path.stem, gettext.GNUTranslations(compiled))
    return found


def language_of(chosen: str | None, accepted: str) -> Language:
    """What was chosen; else the first that the browser accepts and we have; else English."""
    known = languages()
    if chosen in known:
        return known[chosen or ENGLISH]
    wanted = [each.split(";")[0].strip().lower().split("-")[0] for each in accepted[:200].split(",")]
    return next((known[code] for code in wanted if code in known), known[ENGLISH])
