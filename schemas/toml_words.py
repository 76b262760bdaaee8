"""A TOML file that somebody wrote by hand: what is wrong with it, in words for who never saw a parser."""

import re
import tomllib
from typing import Any

from schemas.errors import OperatorError

BOM = "\ufeff"
"""Editors on Windows begin a file with it."""
PLACE = re.compile(r"\(at line (\d+), column \d+\)")
UNREADABLE = {
    "Illegal character '\\n'": "a text is not closed: its quotation mark is missing",
    "Unterminated string": "a text is not closed: its quotation marks are missing",
    "Cannot overwrite": "a key stands twice",
    "Cannot declare": "a section stands twice",
    "Cannot mutate": "a section stands twice",
    "Invalid statement": "this is neither `key = value` nor a [section]",
    "Expected '='": "behind the key there is no =",
    "Expected ']'": "a bracket is not closed",
    "Unclosed": "a bracket is not closed",
    **dict.fromkeys(("Unescaped", "Invalid hex value"), r"a \ in a text means something else: write / in its place"),
    "Invalid value": "what stands behind = is no value; a text needs quotation marks",
    "Expected newline": "there is more on the line than one key and its value",
    "Illegal character": "there is a sign that nobody can see",
}
"""By how tomllib's own words begin."""
TYPOGRAPHIC = frozenset("“”„‟‘’‚«»")
NO_BLANKS = frozenset("\u00a0\u2007\u202f\u200b\u2060\ufeff")
NOT_READ = "it cannot be understood"
_WHOLE, _NUMBER = "needs a whole number, without quotation marks", "needs a number, without quotation marks"
_SECTION = "is a section: its name in brackets on a line of its own, its keys below"
WORDS = {
    "string_type": "needs a text in quotation marks",
    **dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), _WHOLE),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), "needs true or false, without quotation marks"),
    "list_type": 'needs a list: ["one", "two"]',
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), _SECTION),
    "url_type": "needs an address in quotation marks: https://ehr.example/fhir",
    **dict.fromkeys(("url_parsing", "url_scheme"), "needs a whole address: https://ehr.example/fhir"),
    "literal_error": "is one of {expected}",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "string_too_short": "must not be empty",
    "string_too_long": "is longer than {max_length} characters",
    "missing": "missing",
}
"""By pydantic's name of the fault; what it fills in stands in braces."""


def read_toml(text: str, origin: str) -> dict[str, Any]:
    """The document; `origin` is the file's name. Raises OperatorError with the line."""
    try:
        return tomllib.loads(text.removeprefix(BOM))
    except tomllib.TOMLDecodeError as exc:
        said = str(exc)
        place = PLACE.search(said)
        words = _typographic(text, int(place[1])) if place else ""
        words = words or next((words for begin, words in UNREADABLE.items() if said.startswith(begin)), NOT_READ)
        where = f"{origin}:{place[1]}" if place else origin
        raise OperatorError(
            f"{where}: not valid TOML: {words}", "Correct the line; text values need quotation marks."
        ) from None
    except (RecursionError, ValueError):  # brackets or a number without end
        raise OperatorError(
            f"{origin}: not valid TOML: {NOT_READ}", "Write the file anew: `mainstem sites new`."
        ) from None


def _typographic(text: str, line: int) -> str:
    """What a word processor made of a line; empty where it did nothing."""
    lines = text.splitlines()
    signs = set(lines[line - 1]) if line <= len(lines) else set()
    if signs & TYPOGRAPHIC:
        return 'its quotation marks are typographic (“ ”): write the plain ones (")'
    return "a blank in it is none, as copied from a web page: type it anew" if signs & NO_BLANKS else ""


def in_words(error: Any) -> str:
    """What pydantic found wrong with a value."""
    words = WORDS.get(error["type"])
    return words.format(**error.get("ctx", {})) if words else str(error["msg"]).removeprefix("Value error, ")
