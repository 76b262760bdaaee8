"""One site's mapping: NDJSON lines in, outcome records (or the reason why there is none) out."""

from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Collection, Iterable
from functools import partial
from zoneinfo import ZoneInfo

import msgspec

from schemas.problems import Problem, Reason
from schemas.sites import MAPPED_TYPES
from transforms.codes.code_map import CodeMapRow
from transforms.codes.code_map import code_map as meanings
from transforms.elements import path_of
from transforms.fhir_types import OTHER_VERSIONS_TYPES, R4_TYPES
from transforms.mapped import Outcome
from transforms.privacy import FieldPolicy, Pseudonyms
from transforms.reader import Reader
from transforms.resources import mappings
from transforms.rules import Setting

_OPENING = b'{"resourceType":"'
_NAME_ENDS = len(_OPENING) + 64


class _Named(msgspec.Struct, gc=False):
    resourceType: str | None = None


_name_of = msgspec.json.Decoder(_Named).decode


class Mapper:
    """Maps the resources of one site. Pure but for its counters and its memory of what recurs."""

    def __init__(
        self,
        *,
        site: str,
        time_zone: str,
        subject_key: bytes,
        code_map: Iterable[CodeMapRow] = (),
        types: Collection[str] = MAPPED_TYPES,
    ) -> None:
        self.unmapped_codes: Counter[tuple[str, str]] = Counter()
        """(system, code) → how often it came without a meaning in the target system, for the site's code map."""
        self.flags: Counter[str] = Counter()
        """How often each flag was raised."""
        setting = Setting(ZoneInfo(time_zone), Pseudonyms(subject_key), meanings(code_map))
        policy = FieldPolicy.load()
        self._readers = {
            name: Reader(
                resource,
                site=site,
                setting=setting,
                leaves=partial(policy.leaves, resource.record),
                flags=self.flags,
                unmapped=self.unmapped_codes,
            )
            for name, resource in mappings().items()
            if name in types
        }
        self._reads = {name.encode(): reader.read for name, reader in self._readers.items()}

    def map_line(self, line: bytes) -> Outcome:
        """What becomes of one NDJSON line (without its newline). Bad input gives a problem, never an exception."""
        name = line[17 : line.find(b'"', 17, _NAME_ENDS)] if line.startswith(_OPENING) else b""
        try:
            read = self._reads.get(name) or self._reads.get(name := _named(line))
            if read is None:
                return _not_mapped(name)
            return read(line)
        except msgspec.ValidationError as exc:
            return _unreadable(name, Reason.INVALID_FIELD if name else Reason.NOT_A_RESOURCE, path_of(exc))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            if line.startswith(BOM_UTF8) and not line.startswith(BOM_UTF8 * 2):
                return self.map_line(line[len(BOM_UTF8) :])  # Windows tools put one at the start of a file
            return _unreadable(name, Reason.INVALID_JSON)

    def explain(self, line: bytes) -> list[str]:
        """Why FHIR R4's own rules refuse a line, in full: field paths and kinds of error, no values."""
        from transforms.conformance import conforms  # loads fhir.resources, which takes a second

        flags, unmapped = self.flags.copy(), self.unmapped_codes.copy()
        outcome = self.map_line(line)
        self.flags.clear()
        self.flags.update(flags)
        self.unmapped_codes.clear()
        self.unmapped_codes.update(unmapped)
        ours = [f"{outcome.problem.path}: {outcome.problem.reason}"] if outcome.problem else []
        return [*ours, *(finding for finding in conforms(line) if finding not in ours)]


def _named(line: bytes) -> bytes:
    """resourceType, wherever it stands in the line; empty for none. Raises msgspec's errors."""
    name = _name_of(line).resourceType
    return name.encode() if name else b""


def _not_mapped(name: bytes) -> Outcome:
    known = name.decode("ascii", "replace")
    if not name:
        return _unreadable(name, Reason.NOT_A_RESOURCE)
    if known == "OperationOutcome":
        reason = Reason.SERVER_MESSAGE
    elif known in OTHER_VERSIONS_TYPES:
        reason = Reason.OTHER_FHIR_VERSION
    elif known in R4_TYPES:
        reason = Reason.TYPE_NOT_MAPPED
    else:
        return _unreadable(name, Reason.NOT_A_RESOURCE)
    return Outcome(known, b"", [], problem=Problem(reason, known, known))


def _unreadable(name: bytes, reason: Reason, path: str = "") -> Outcome:
    known = name.decode("ascii", "replace")
    known = known if known in R4_TYPES else "?"
    return Outcome(
        known, b"", [], problem=Problem(reason, known, ".".join(filter(None, (known, path))) if path else "")
    )
