"""A TOML file that somebody wrote by hand: what is wrong with it, in words for who never saw a parser."""

import re
import tomllib
from typing import Any

from schemas.errors import OperatorError

BOM = "\ufeff"
"""Editors on Windows begin a file with it."""
PLACE = re.compile(r"\(at line (\d+), column \d+\)")
BRACKET = "a bracket is not closed, or a comma in it is missing"
UNREADABLE = {
    "Illegal character '\\n'": "a text is not closed: its quotation mark is missing",
    "Unterminated string": "a text is not closed: its quotation marks are missing",
    "Cannot overwrite": "a key stands twice",
    "Cannot declare": "a section stands twice",
    "Cannot mutate": "a section stands twice",
    "Invalid statement": "this is neither `key = value` nor a [section]",
    "Expected '='": "behind the key there is no =",
    "Expected ']'": BRACKET,
    "Unclosed": BRACKET,
    **dict.fromkeys(("Unescaped", "Invalid hex value"), r"a \ in a text means something else: write / in its place"),
    "Invalid value": "what stands behind = is no value; a text needs quotation marks",
    "Expected newline": "there is more on the line than one key and its value",
    "Illegal character": "there is a sign that nobody can see",
}
"""By how tomllib's own words begin."""
A_LIST = 'a list is written ["one", "two"]'
SEEN = (
    (r"\s*---\s*$", "--- begins a file of YAML: leave it out"),
    (r"\s*[\w.-]+\s*:", "a colon stands where = belongs; a section's name stands in brackets: [fhir]"),
    (
        r"\s*\[+\s*[\w.-]+\s+[\w.-]+\s*\]",
        "a section's name holds a blank; a section inside another is written [fhir.auth]",
    ),
    (r"\s*[\w.-]+ +[\w.-][\w. -]*=", "a key holds a blank: write _ in its place"),
    (r"[^\"'#]*==", "= stands twice"),
    (r"[^\"'#]*=\s*(#|$)", f"nothing stands behind =: write the value beside it, {A_LIST}, or leave the line out"),
    (r"[^\"'#]*=\s*(?i:yes|no|on|off|true|false)\s*(#|$)", "write true or false, in small letters"),
    (r"[^\"'#]*=\s*(?i:null|none|nil|n/a)\s*(#|$)", "what is not known is left out, with its key"),
    (r"[^\"'#]*=\s*-?\d[\d.]*\s*[,%a-zA-Z]", "a number stands alone, without a unit, a comma or another sign"),
    (r"[^\"'#]*=\s*(\(|\[?\s*[A-Za-z]\w*\s*,)", A_LIST),
    (r".*[\"'\]\d]\s*[,;]\s*$", "the line ends with a sign too many: leave it off"),
    (r".*\s//", "a comment begins with #"),
    (r"[^\"'#]*=\s*'[^']*'[^\s#]", 'an apostrophe ends a text that begins with one: write it between " and "'),
    (r"[^\"'#]*=\s*\"[^\"]*\"[^\s#,\]]", "a quotation mark inside a text ends it: leave it out"),
    (r"[^#]*\[.*[\"']\s+[\"']", f"a comma is missing: {A_LIST}"),
)
"""What is seen in the line that cannot be read, the likeliest first; the parser sees signs only."""
TYPOGRAPHIC = frozenset("“”„‟‘’‚«»")
NO_BLANKS = frozenset("\u00a0\u2007\u202f\u200b\u2060\ufeff")
NOT_READ = "it cannot be understood"
_WHOLE, _NUMBER = "needs a whole number, without quotation marks", "needs a number, without quotation marks"
_SECTION = "is a section: its name in one pair of brackets on a line of its own, its keys below"
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
    "too_short": "must name at least {min_length}",
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
        words = _seen(text, int(place[1])) if place else ""
        words = words or next((words for begin, words in UNREADABLE.items() if said.startswith(begin)), NOT_READ)
        where = f"{origin}:{place[1]}" if place else origin
        raise OperatorError(
            f"{where}: not valid TOML: {words}", "Correct the line; text values need quotation marks."
        ) from None
    except (RecursionError, ValueError):  # brackets or a number without end
        raise OperatorError(
            f"{origin}: not valid TOML: {NOT_READ}", "Write the file anew: `mainstem sites new`."
        ) from None


def _seen(text: str, number: int) -> str:
    """What is wrong with a line, as far as the line shows it; empty where it does not."""
    lines = text.splitlines()
    line = lines[number - 1] if number <= len(lines) else ""
    if TYPOGRAPHIC & set(line):
        return 'its quotation marks are typographic (“ ”): write the plain ones (")'
    if NO_BLANKS & set(line):
        return "a blank in it is none, as copied from a web page: type it anew"
    return next((words for seen, words in SEEN if re.match(seen, line)), "")


def in_words(error: Any) -> str:
    """What pydantic found wrong with a value."""
    words = WORDS.get(error["type"])
    return words.format(**error.get("ctx", {})) if words else str(error["msg"]).removeprefix("Value error, ")
