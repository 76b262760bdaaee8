"""What is measured on: the demo's synthetic children under many ids, as they are (much repeats) and varied (nothing does)."""

import random
import re
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta, timezone
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from holdings import holdings

from mainstem.demo.cohorts import HOSPITALS

SUBJECT_KEY = "0123456789abcdef0123456789abcdef"
UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)")
KIND = re.compile(rb'"resourceType": ?"(\w+)"')
Change = Callable[[bytes], bytes]


def copies(children: Any, types: Collection[str] | None = None, *, first: int = 1) -> Iterator[bytes]:
    """Lines of the largest hospital, again and again under other ids; of some types where they are named."""
    wanted = None if types is None else {name.encode() for name in types}
    for copy in range(first, first + 1000):
        yield from (line for line in _copy(children, copy) if wanted is None or _kind(line) in wanted)


def _copy(children: Any, copy: int) -> Iterator[bytes]:
    """One copy's lines, and what the demo's children do not have."""
    renamed, patients = _renamed(copy), list[str]()
    for line in children.lines(HOSPITALS[-1].site):
        made = UUID.sub(renamed, line)
        if _kind(made) == b"Patient":
            patients.append(orjson.loads(made)["id"])
        yield made
    yield from holdings(patients, copy)


def _renamed(copy: int) -> Callable[[re.Match[bytes]], bytes]:
    """Another id in this copy, the same wherever it stands."""
    key = copy.to_bytes(4, "big")

    def renamed(found: re.Match[bytes]) -> bytes:
        made = blake2b(found[0], digest_size=16, key=key).hexdigest().encode()
        return b"-".join((made[:8], made[8:12], made[12:16], made[16:20], made[20:]))

    return renamed


def repeated(line: bytes) -> bytes:
    """As it is: values, times and texts of the first copy in all copies."""
    return line.rstrip(b"\n") + b"\n"


def varied(line: bytes) -> bytes:
    """The same resource with values and times of its own, times with an offset, words in its references, its keys sorted."""
    resource = orjson.loads(line)
    chance = random.Random(resource["id"])
    moved = timedelta(seconds=chance.randrange(30 * 86_400))
    zone = timezone(timedelta(hours=chance.randrange(-9, 10)))
    return orjson.dumps(_vary(resource, chance, moved, zone), option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def _vary(value: Any, chance: random.Random, moved: timedelta, zone: timezone) -> Any:
    if isinstance(value, dict):
        found = {key: _vary(inner, chance, moved, zone) for key, inner in value.items()}
        if isinstance(reference := value.get("reference"), str):
            found |= {"display": f"Known as {chance.randrange(10**9)}"}
            found |= {"identifier": {"system": "urn:example:numbers", "value": f"{reference[-12:]}"}}
        return found
    if isinstance(value, list):
        return [_vary(inner, chance, moved, zone) for inner in value]
    if isinstance(value, float):
        return round(value + chance.random(), 4)
    if isinstance(value, str) and INSTANT.fullmatch(value):
        return (datetime.fromisoformat(value) - moved).astimezone(zone).isoformat(timespec="seconds")
    return value


def deliver(
    children: Any,
    folder: Path,
    wanted: int,
    change: Change,
    types: Collection[str] | None = None,
    *,
    first: int = 1,
) -> Path:
    """Writes so many lines as NDJSON files by type, from a copy on."""
    folder.mkdir()
    files: dict[bytes, Any] = {}
    for line in islice(copies(children, types, first=first), wanted):
        kind = _kind(line)
        if kind not in files:
            files[kind] = (folder / f"{kind.decode()}.ndjson").open("wb")
        files[kind].write(change(line))
    for file in files.values():
        file.close()
    return folder


def deliver_other_types(folder: Path, wanted: int, change: Change) -> Path:
    """Writes NDJSON of `other_types.ndjson`, a type a file: each line again and again, under other ids and for other patients."""
    folder.mkdir()
    patterns = Path(__file__).with_name("other_types.ndjson").read_bytes().splitlines(keepends=True)
    for place, pattern in enumerate(patterns):
        numbers = range(place, wanted, len(patterns))
        with (folder / f"{_kind(pattern).decode()}.{place}.ndjson").open("wb") as file:
            file.writelines(change(_numbered(pattern, number)) for number in numbers)
    return folder


def _numbered(pattern: bytes, number: int) -> bytes:
    return (
        pattern.replace(b"NUMBER", b"n-%d" % number)
        .replace(b"PATIENT", b"p-%d" % (number // 40))
        .replace(b"VISIT", b"v-%d" % (number // 8))
    )


def put_first(children: Any, folder: Path, count: int, change: Change) -> None:
    """Writes observations nobody has seen before those of a delivery."""
    fresh = islice(copies(children, ["Observation"], first=5000), count)
    path = folder / "Observation.ndjson"
    known = path.read_bytes()
    path.write_bytes(b"".join(map(change, fresh)) + known)


def _kind(line: bytes) -> bytes:
    found = KIND.search(line)
    return found[1] if found else b"Unknown"


def site_file(delivery: Path, *, sample: float = 0) -> Path:
    """A files site for a delivery, beside it. What judging a sample of it costs is measured by itself."""
    folder, name = delivery.parent, delivery.name
    (folder / f"{name}.key").write_text(SUBJECT_KEY + name)
    path = folder / f"{name}.toml"
    path.write_text(
        f'site = "{name}"\nname = "Bench"\ntime_zone = "America/New_York"\n'
        f'subject_key = "file:{name}.key"\nroad = "files"\nvalidate_sample = {sample}\n[files]\nfolder = "{delivery}"\n'
    )
    return path
