"""What a site could not use, line by line, for people at the site: which resource it was by its own id, why, what to do, who."""

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import msgspec

from connectors.formats.ndjson import read_lines
from mainstem.config.site_mapper import site_mapper
from mainstem.refresh.opening import Refresh
from mainstem.state import Quarantined
from schemas.problems import Problem, Reason, reason_of, who_acts
from transforms import Mapper
from transforms.fhir.elements import Scalar, text_of
from transforms.mapped import REF_BYTES


class Refused(NamedTuple):
    """One resource that gave no record. Its reference is the hospital's own: it is shown at the site and goes nowhere."""

    reference: str
    """`Observation/wt-7`; empty where the line has no id, or is kept no more."""
    ref: bytes
    """What the reference is to the state."""
    resource_type: str
    reason: Reason
    path: str
    load: str
    file: str
    """Name of the landing file; behind the folder of an earlier load where it was landed by one."""
    line: int
    source: bytes = b""
    """The line; empty where it is kept no more."""

    @property
    def who(self) -> str:
        """Who can mend it."""
        return who_acts(self.reason)


class _Identified(msgspec.Struct):
    id: Scalar = None


_identified = msgspec.json.Decoder(_Identified).decode


def refused(refresh: Refresh, *, reason: str = "", resource_type: str = "") -> Iterator[Refused]:
    """All that is in quarantine, by load and type, with the lines as far as they are kept."""
    mapper = site_mapper(refresh.file, refresh.secrets)
    landings = dict(refresh.landing_zone.loads())
    rows = sorted(
        (load, each)
        for load, each in refresh.store.quarantine.by_load(refresh.site.site)
        if reason in ("", each.reason) and resource_type in ("", each.resource_type)
    )
    for (load, name), group in groupby(rows, key=lambda row: (row[0], row[1].resource_type)):
        lines: dict[bytes, tuple[str, bytes]] = {}
        wanted = [each for _, each in group]
        if load in landings:
            refs = {each.ref for each in wanted if each.ref}
            for kind, path in landings[load].quarantined():
                if kind == name:
                    lines.update(_found(mapper, name, read_lines(path, cap=refresh.site.limits.line_bytes), refs))
        for each in wanted:
            yield _refused(load, each, *lines.get(each.ref, ("", b"")))


def _found(
    mapper: Mapper, name: str, lines: Iterator[bytes | Problem], refs: set[bytes]
) -> Iterator[tuple[bytes, tuple[str, bytes]]]:
    for line in lines:
        if isinstance(line, Problem):
            continue
        ref = mapper.record_ids(name, [line])[0][:REF_BYTES]
        if ref in refs:
            yield ref, (f"{name}/{ident_of(line)}", line)


def ident_of(line: bytes) -> str:
    """The id that a resource's line names."""
    try:
        return text_of(_identified(line).id)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return "?"


def _refused(load: str, each: Quarantined, reference: str, line: bytes) -> Refused:
    reason = reason_of(each.reason)
    return Refused(reference, each.ref, each.resource_type, reason, each.path, load, each.file, each.line, line)
