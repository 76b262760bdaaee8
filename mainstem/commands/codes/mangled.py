"""Codes of a code map that a spreadsheet or a word processor changed: no source writes them so, and their row would never be met."""

import re
import unicodedata

_MONTH = "(?:jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)"
_SIGNS = (
    (r"[0-9]([.,][0-9]+)?e\+[0-9]{2,}", "a spreadsheet rounded it; format the column as text"),
    (r"[0-9]{3,}[.,]0", "a program took it for a number; have it read the column as text"),
    (r"#([a-z/0]+[?!]|n/a)", "a spreadsheet found no value there"),
    (
        rf"[0-9]{{1,2}}[-. /]+{_MONTH}([-. /]+[0-9]{{2,4}})?|{_MONTH}[-. ]+[0-9]{{2,4}}|[0-9]{{1,2}}([/.])[0-9]{{1,2}}\2[0-9]{{4}}",
        "a spreadsheet may have turned it into a date; format the column as text",
    ),
    ("[\u2018\u201c\u201e].*|.*[\u2019\u201d]", "a word processor's quotation marks stand around it"),
)
_KNOWN = tuple((re.compile(pattern, re.IGNORECASE), said) for pattern, said in _SIGNS)


def mangled(code: str) -> str | None:
    """What was done to a code, in words; none where it may be as its source has it."""
    if any(unicodedata.category(sign) in ("Cc", "Cf") for sign in code):
        return "a sign that nobody sees stands in it; type it anew"
    return next((said for pattern, said in _KNOWN if pattern.fullmatch(code)), None)
