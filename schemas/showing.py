"""How words of others are shown, wherever they go: as one printable line of bounded length; an address without its secrets."""

import re

LONGEST = 1_000
"""Characters of one line."""
HIDDEN = "…"
"""Stands for what is left out."""

_SCHEME = r"(?:https?|postgres(?:ql)?(?:\+[a-z0-9]{1,20})?|sqlite(?:\+[a-z0-9]{1,20})?)"
_HOST = r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
_ADDRESS = (
    rf"(?:(?P<scheme>{_SCHEME})://)?"
    rf"(?:[^/?#@\s]*@)?"
    rf"(?P<place>{_HOST}(?::[0-9]{{1,5}})?)?"
    rf"(?P<path>/[A-Za-z0-9._~/-]{{0,200}})?"
    rf"(?P<rest>[;?#][^@]*)?"
)
"""Compiled when it is asked for: it would be a tenth of what a start imports of ours."""


def shown(text: object, longest: int = LONGEST) -> str:
    """The text as one printable line: what steers a terminal, turns the direction of writing or breaks a line stands there
    by its escape. Shown twice, it is the same."""
    line = str(text)
    if len(line) > longest:
        line = f"{line[: longest - 1]}{HIDDEN}"
    if line.isprintable():
        return line
    escaped = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
    return escaped if len(escaped) <= longest else f"{escaped[: longest - 1]}{HIDDEN}"


def address(text: object) -> str:
    """An address in a message: scheme, host, port and path. No user, no password, no query.

    One that could be read in two ways (an `@`, a `/` or a `%` where none belongs) might show a secret as a host, so no more
    of it is shown than its scheme. Several separated by commas are named one by one, where none of them has a user.
    """
    line = str(text)
    if "," in line and "@" not in line:
        return shown(",".join(_one_address(part.strip()) for part in line.split(",")))
    return shown(_one_address(line))


def host_and_port(host: str, port: int | None) -> str:
    """`host:port`, the host alone where there is no port; an IPv6 address stands in brackets (RFC 3986, 3.2.2)."""
    named = f"[{host}]" if ":" in host else host
    return f"{named}:{port}" if port else named


def is_one_line(text: str, longest: int = LONGEST) -> bool:
    """Whether the text can be shown as it is."""
    return len(text) <= longest and text.isprintable()


def _one_address(text: str) -> str:
    found = re.fullmatch(_ADDRESS, text)
    if found is None or not (found["place"] or found["path"]):
        known = re.match(f"{_SCHEME}://", text)
        return f"{known[0] if known else ''}{HIDDEN}"
    scheme = f"{found['scheme']}://" if found["scheme"] else ""
    return f"{scheme}{found['place'] or ''}{found['path'] or ''}"
