"""One FHIR resource type that gives no record: what is kept of its resources for those that are read with them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.problems import Problem, Reason
from transforms.fhir.elements import Unusable, text_of
from transforms.fhir.keys import has_key_twice
from transforms.mapped import REF_BYTES, Outcome, Outcomes, Referred
from transforms.reading.columns import narrow
from transforms.reading.heads import NO_ORIGIN, Origin, Origins
from transforms.rules.declaring import Kept
from transforms.rules.setting import Setting

_MODIFIERS = ("modifierExtension", "implicitRules")
_EMPTY = frozenset({b"null", b"[]", b'""', b"{}"})


class Keeper:
    """Lines of a referred type in, what is kept of them out."""

    def __init__(self, kept: Kept, setting: Setting) -> None:
        self._kept = kept
        self._ref = setting.pseudonyms.refs(kept.source.encode() + b"/")
        self._origins = Origins(setting)
        self._names = ("id", "meta", *_MODIFIERS, *kept.alone)
        head: Any = narrow(kept.source, self._names)
        self._decode = msgspec.json.Decoder(head).decode

    def read(self, lines: Sequence[bytes]) -> Outcomes:
        """What becomes of lines of this type. Raises msgspec's and Unicode's errors where one is no JSON object."""
        heads = [self._decode(line) for line in lines]
        outcomes = Outcomes([None] * len(lines), {}, [], [])
        for place, (head, line) in enumerate(zip(heads, lines, strict=True)):
            outcomes.unusual[place] = self._outcome(head, line, outcomes.referred)
        return outcomes

    def record_count(self, lines: Sequence[bytes]) -> int:
        """None of them gives a record."""
        return 0

    def _outcome(self, head: Any, line: bytes, referred: list[Referred]) -> Outcome:
        found = dict(zip(self._names, msgspec.structs.astuple(head), strict=True))
        ident, meta = found["id"], found["meta"]
        if not (named := text_of(ident)):
            return self._problem(b"", NO_ORIGIN, Reason.MISSING_ID, "id")
        ref = self._ref(named.encode())[:REF_BYTES]
        origin = self._origins.of(bytes(meta)) if meta is not None else NO_ORIGIN
        if origin.note is not None and origin.note.reason is not None:
            return self._problem(ref, origin, origin.note.reason, origin.note.path)
        if has_key_twice(line):
            return self._problem(ref, origin, Reason.DUPLICATE_KEY, "")
        if origin.note is not None and origin.note.withdrawn:
            return Outcome(self._kept.source, ref, [], True, origin.updated)
        for name in _MODIFIERS:
            if found[name] is not None and bytes(found[name]) not in _EMPTY:
                return self._problem(ref, origin, Reason.MODIFIER_NOT_UNDERSTOOD, name)
        try:
            content = self._kept.keep(line)
        except Unusable as fault:
            return self._problem(ref, origin, fault.reason, fault.path)
        if content is not None:
            referred.append(Referred(ref, self._kept.source, content, origin.updated))
        for name, reason in self._kept.alone.items() if content is not None else ():
            if found[name] is not None and bytes(found[name]) not in _EMPTY:
                return self._problem(ref, origin, reason, name)
        return Outcome(self._kept.source, ref, [], content is None, origin.updated)

    def _problem(self, ref: bytes, origin: Origin, reason: Reason, path: str) -> Outcome:
        problem = Problem(reason, self._kept.source, ".".join(filter(None, (self._kept.source, path))))
        return Outcome(self._kept.source, ref, [], False, origin.updated, problem)
