"""LOINC codes and answers: the check digit, and codes that a spreadsheet turned into dates."""

import re
from functools import lru_cache

_CODE = re.compile(r"([0-9]{1,7})-([0-9])")
_ANSWER = re.compile(r"LA([0-9]{1,7})-([0-9])")
_DATE = re.compile(
    r"[0-9]{3,5}-[0-9]{2}-[0-9]{2}([T ].*)?"  # 9279-1 → 9279-01-01
    r"|[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,5}"  # 1/1/9279
    r"|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-. ][0-9]{2,5}",  # Jan-79
    re.IGNORECASE,
)


def check_digit(number: str) -> str:
    """The digit after the hyphen, by LOINC's mod 10 (LOINC Users' Guide, appendix C)."""
    doubled = (str(2 * int(digit)) if place % 2 == 0 else digit for place, digit in enumerate(reversed(number)))
    total = sum(int(digit) for digits in doubled for digit in digits)
    return str(-total % 10)


def _answer_digit(number: str) -> str:
    """Of an answer, LA6576-8, the letters count too: they add five before an even number of digits, two before an odd one."""
    return str((int(check_digit(number)) + (2 if len(number) % 2 else 5)) % 10)


@lru_cache(maxsize=4096)
def loinc_fault(code: str) -> str | None:
    """What is wrong with a LOINC code: `loinc-check-digit`, `loinc-spreadsheet-date`, `loinc-form`; none where it is right."""
    match = _CODE.fullmatch(code)
    if match is not None:
        return None if check_digit(match[1]) == match[2] else "loinc-check-digit"
    answer = _ANSWER.fullmatch(code)
    if answer is not None:
        return None if _answer_digit(answer[1]) == answer[2] else "loinc-check-digit"
    return "loinc-spreadsheet-date" if _DATE.fullmatch(code) else "loinc-form"
