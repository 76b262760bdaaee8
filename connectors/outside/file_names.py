"""Which files hold resources, by their names."""

import re

_READ = re.compile(r"(?is).+\.(ndjson|jsonl)(\.gz)?")
_PACKED = re.compile(r"(?is).+\.(zip|tar|tgz|7z|rar|bz2|xz|zst|gz)")


def is_read(name: str) -> bool:
    """Whether a file of this name is read: `.ndjson` or `.jsonl` in any case, packed by gzip or not."""
    return _READ.fullmatch(name) is not None


def is_packed(name: str) -> bool:
    """Whether a file of this name may hold resources in a form that is not unpacked."""
    return _PACKED.fullmatch(name) is not None
