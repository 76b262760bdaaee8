"""Resources that others are read with: which are named, and what is known of them."""

from collections.abc import Callable, Collection, Mapping, Sequence

from transforms.fhir.elements import Reference, Unusable, decode, reference_id, text_of
from transforms.mapped import REF_BYTES
from transforms.privacy import Pseudonyms
from transforms.reading.memories import LONGEST_KEY, remember

LookUp = Callable[[Collection[bytes]], Mapping[bytes, bytes]]
"""Refs of resources (12 bytes) → what is kept of those that are known."""
LookUpLent = Callable[[Collection[bytes]], Mapping[bytes, Sequence[bytes]] | None]
"""Refs of resources → what others say of them; None where nothing says anything of anything."""
Target = tuple[bytes, ...]
"""Refs by which one resource may be known, the best first; none where none is named."""
CONTAINED = (b"#",)
"""In place of a ref: the resource stands in the one that names it."""


class References:
    """One site's look-up, asked once for all that a batch names and is not known yet."""

    def __init__(self, pseudonyms: Pseudonyms, look_up: LookUp | None, lent: LookUpLent | None = None) -> None:
        self._pseudonyms = pseudonyms
        self._look_up = look_up
        self._lent = lent
        self._nothing_lent = False
        self._known: dict[bytes, bytes | None] = {}
        self._targets: dict[tuple[str, bytes], Target] = {}

    @property
    def asks(self) -> bool:
        """Whether there is anybody to ask."""
        return self._look_up is not None

    @property
    def is_told(self) -> bool:
        """Whether there is anybody to ask what is said of resources elsewhere."""
        return self._lent is not None

    def forget(self) -> None:
        """What was answered holds for one batch."""
        self._known.clear()
        self._nothing_lent = False

    def lent(self, refs: Collection[bytes]) -> Mapping[bytes, Sequence[bytes]]:
        """What is said of resources elsewhere; where nothing is, that is asked once a batch."""
        if self._lent is None or self._nothing_lent:
            return {}
        found = self._lent(refs)
        self._nothing_lent = found is None
        return found or {}

    def targets(self, resource_type: str, contents: Sequence[bytes | None]) -> list[Target]:
        """The refs of the resources that References or canonical URLs name; CONTAINED for one contained; empty for none."""
        return [self._target(resource_type, raw) if raw is not None else () for raw in contents]

    def kept(self, targets: Sequence[Target]) -> list[bytes | None]:
        """What is kept of each target, None where it is not known."""
        if self._look_up is None:
            return [None] * len(targets)
        distinct = set(targets)
        unknown = {ref for target in distinct for ref in target if len(ref) == REF_BYTES}.difference(self._known)
        if unknown:
            found = self._look_up(sorted(unknown))
            self._known.update((target, found.get(target)) for target in unknown)
        kept = {target: next(filter(None, map(self._known.get, target)), None) for target in distinct}
        return [kept[target] for target in targets]

    def _target(self, resource_type: str, raw: bytes) -> Target:
        target = self._targets.get((resource_type, raw))
        if target is None:
            target = self._read(resource_type, raw)
            if len(raw) <= LONGEST_KEY:
                remember(self._targets, (resource_type, raw), target)
        return target

    def _read(self, resource_type: str, raw: bytes) -> Target:
        try:
            if raw[:1] == b'"':
                return self._canonical(resource_type, text_of(decode(raw, str)))
            reference = decode(raw, Reference | None)
        except Unusable:
            return ()  # the field's own rule says why
        if reference is not None and (reference.reference or "").strip().startswith("#"):
            return CONTAINED
        named = reference_id(reference, resource_type)
        return (self._pseudonyms.ref(resource_type, named),) if named else ()

    def _canonical(self, resource_type: str, text: str) -> Target:
        """By the URL, then, as many servers write it, by the id in its end: `Questionnaire/7`, `https://…/Questionnaire/7|2.0`."""
        if text.startswith("#"):
            return CONTAINED
        url = text.partition("|")[0].partition("#")[0].strip()
        named = reference_id(Reference(reference=url), resource_type)
        return tuple([self._pseudonyms.ref(resource_type, name) for name in (url, named) if name])
