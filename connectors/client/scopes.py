"""What a server granted, by the scopes of SMART App Launch 1 and 2 (`system/Patient.read`, `system/Patient.rs`)."""

import re
from collections.abc import Sequence

_SCOPE = re.compile(r"(?:system|user|patient)/(\*|[A-Za-z]+)\.(\*|read|write|[cruds]+)(?:\?.*)?")


def not_granted(types: Sequence[str], scope: str) -> list[str]:
    """The types that no granted scope lets be read; none where `scope` says nothing of types, as some servers answer."""
    granted = [found for word in scope.split() if (found := _SCOPE.fullmatch(word))]
    read = {found[1] for found in granted if found[2] != "write" and re.search("[*rs]", found[2])}
    return [] if not granted or "*" in read else [name for name in types if name not in read]
