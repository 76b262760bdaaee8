"""One FHIR resource type that gives no record of its own: what is kept of its resources for others, or said of those they list."""

from collections.abc import Sequence
from typing import Any

import msgspec

from schemas.problems import Problem, Reason
from transforms.fhir.elements import Unusable, bare_id, names_nothing, text_of
from transforms.fhir.keys import has_key_twice
from transforms.mapped import REF_BYTES, Lent, Outcome, Outcomes, Referred
from transforms.reading.columns import narrow
from transforms.reading.contained import ContainedReader, Inner
from transforms.reading.heads import NO_ORIGIN, Origin, Origins
from transforms.rules.declaring import Kept, Lender
from transforms.rules.setting import Setting

_MODIFIERS = ("modifierExtension", "implicitRules")
_EMPTY = frozenset({b"null", b"[]", b'""', b"{}"})


class Keeper:
    """Lines of such a type in, what is kept of them out."""

    def __init__(self, kept: Kept | Lender, setting: Setting, contained: ContainedReader | None = None) -> None:
        self._kept, self._contained = kept, contained
        self._setting = setting
        self._ref = setting.pseudonyms.refs(kept.source.encode() + b"/")
        self._origins = Origins(setting)
        self._alone = kept.alone if isinstance(kept, Kept) else {}
        self._names = ("id", "meta", *_MODIFIERS, *self._alone)
        head: Any = narrow(kept.source, self._names)
        self._decode = msgspec.json.Decoder(head).decode

    def read(self, lines: Sequence[bytes]) -> Outcomes:
        """What becomes of lines of this type. Raises msgspec's and Unicode's errors where one is no JSON object."""
        heads = [self._decode(line) for line in lines]
        outcomes = Outcomes([None] * len(lines), {}, [], [], [])
        for place, (head, line) in enumerate(zip(heads, lines, strict=True)):
            outcomes.unusual[place] = self._outcome(head, line, outcomes)
        return outcomes

    def _outcome(self, head: Any, line: bytes, outcomes: Outcomes) -> Outcome:
        found = dict(zip(self._names, msgspec.structs.astuple(head), strict=True))
        ident, meta = found["id"], found["meta"]
        if not (named := bare_id(text_of(ident), self._kept.source)) or names_nothing(named):
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
            inner = self._contained.open(line, ref) if self._contained is not None else None
            known = self._keep(inner.line if inner else line, ref, origin.updated, outcomes)
        except Unusable as fault:
            return self._problem(ref, origin, fault.reason, fault.path)
        if self._contained is not None and known:
            return self._with_contained(inner, ref, origin, outcomes)
        for name, reason in self._alone.items() if known else ():
            if found[name] is not None and bytes(found[name]) not in _EMPTY:
                return self._problem(ref, origin, reason, name)
        return Outcome(self._kept.source, ref, [], not known, origin.updated)

    def _with_contained(self, inner: Inner | None, ref: bytes, origin: Origin, outcomes: Outcomes) -> Outcome:
        """What it contains is all that it gives: what it gave before beside that is no longer so."""
        told = Outcome(self._kept.source, ref, [], False, origin.updated, alone=True)
        if inner is None or self._contained is None:
            return told
        records, unusable = self._contained.read(inner, ref, outcomes.lent[-1])
        if unusable and not records:
            return self._problem(
                ref, origin, unusable[0].reason, unusable[0].path.removeprefix(f"{self._kept.source}.")
            )
        return told._replace(records=records, in_part=bool(unusable), left_out=tuple(unusable))

    def _keep(self, line: bytes, ref: bytes, updated: int | None, outcomes: Outcomes) -> bool:
        """Adds what a resource is kept for; whether it is anything. Raises Unusable."""
        if isinstance(self._kept, Lender):
            if (lent := self._kept.lend(line, ref, self._setting)) is None:
                return False
            outcomes.lent.append(Lent(ref, dict(lent), updated))
            return True
        if (content := self._kept.keep(line)) is None:
            return False
        names = (self._ref(name.encode())[:REF_BYTES] for name in self._kept.names(line))
        outcomes.referred.extend(Referred(each, self._kept.source, content, updated) for each in (ref, *names))
        return True

    def _problem(self, ref: bytes, origin: Origin, reason: Reason, path: str) -> Outcome:
        problem = Problem(reason, self._kept.source, ".".join(filter(None, (self._kept.source, path))))
        return Outcome(self._kept.source, ref, [], False, origin.updated, problem)
