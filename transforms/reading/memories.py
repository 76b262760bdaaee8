"""What is known of declared fields: the bytes of a content → the members of the record they become."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from schemas.problems import Reason
from transforms.fhir.elements import Unusable, without_element, without_modified
from transforms.fhir.keys import has_key_twice
from transforms.reading.columns import Columns
from transforms.rules.concepts import absence_in
from transforms.rules.declaring import LENT, Choice, Fields, Found, Rule, fields_beside
from transforms.rules.refusals import hides
from transforms.rules.setting import Setting

Leaves = Callable[[str], bool]
"""Whether the field policy lets an output field leave."""


Texts = Sequence[bytes]
"""Members of the record, one text a line or part, with a leading comma; empty for none."""


_MEMORIES = 1024
_FIELD_MEMORIES = 2048
"""Entries a memory holds before it starts anew: what recurs soon, recurs within a few patients' resources …"""


_PAIRED_MEMORIES = 4096
"""… but pairs of code and quantity recur everywhere."""


LONGEST_KEY = 1024
"""Longer fields are read each time, so that a memory is a few megabytes whatever the source sends."""


_NEW = 0.9
"""Share of a batch's contents that a full memory did not know: so many, and the field hardly recurs …"""


_BATCHES = 16
"""… so that in as many batches what a short cut gives is not remembered."""


_ODD = 8
"""Elements of a list that are left out of it because they cannot be used; of a field with more, all is."""


_SPARSE = 2
"""A field that stands in one of so many, or fewer, is asked for there alone: a pair for each resource is what it costs."""


_EMPTY = frozenset({b"null", b'""', b"{}", b"[]"})
_encode = msgspec.json.Encoder().encode


class Note(NamedTuple):
    """What reading a field noticed; most fields have none."""

    reason: Reason | None = None
    path: str = ""
    flags: tuple[str, ...] = ()
    unmapped: tuple[tuple[str, str, str], ...] = ()
    withdrawn: bool = False
    emptied: bool = False
    dropped: tuple[str, ...] = ()
    """Paths of what was left out because it could not be used."""
    beside: tuple[tuple[str, str], ...] = ()
    """What was said for a record beside the resource's own."""


FATAL = frozenset(
    {
        Reason.OTHER_FHIR_VERSION,
        Reason.NOT_A_FACT,
        Reason.DEFINITION,
        Reason.CONSENT_NOT_UNDERSTOOD,
        Reason.CONSENT_ELSEWHERE,
        Reason.MISSING_SUBJECT,
        Reason.MODIFIER_NOT_UNDERSTOOD,
        Reason.ABOUT_SOMEBODY_ELSE,
        Reason.TEST_DATA,
        Reason.PARTIAL_ANSWER,
        Reason.DUPLICATE_KEY,
    }
)
"""Reasons that are the resource's, in whatever field they are found."""


Notes = defaultdict[int, list[Note]]
"""Place in the batch → what was noticed there."""


EMPTY = Note(emptied=True)
"""The field stands but is null or empty, which FHIR forbids and feeds do: the line is read again without such fields."""


def members(values: Iterable[tuple[str, Any]]) -> bytes:
    """JSON members with a leading comma, empty values left out."""
    return b"".join(
        b',"%b":%b' % (name.encode(), _encode(value)) for name, value in values if value not in (None, "", [])
    )


class Memory(dict[Any, bytes]):
    """What is known of one FHIR field: its bytes (for a rule with a companion: the pair) → the members they become.

    Contents of which something was noticed are kept apart, so that the usual ones cost one look-up. In two generations,
    so that what recurs outlives what does not.
    """

    def __init__(self, name: str, rule: Rule, setting: Setting, leaves: Leaves) -> None:
        super().__init__()
        self._name = name
        self._read = rule.read
        self._fatal = rule.fatal
        self._reads_modified = rule.modified
        self._setting = setting
        self.needs = rule.needs
        self._paired = rule.needs is not None
        openings = tuple(b',"%b":' % field.encode() if leaves(field) else None for field in rule.gives)
        self._usual = rule.usual and rule.usual(setting, openings)
        self._kept = [(field, opening) for field, opening in zip(rule.gives, openings, strict=True) if opening]
        self._older: dict[Any, bytes] = {}
        self._was_full = False
        self._noted: dict[Any, tuple[bytes, Note]] = {}
        self._raised: dict[Any, Note] = {}
        self._passes = 0
        self._most = _PAIRED_MEMORIES if self._paired else _FIELD_MEMORIES

    def texts(self, contents: Sequence[Any], notes: Notes) -> Texts:
        """What a batch's contents of this field become; what was noticed is added to `notes`."""
        if self._passes:
            self._passes -= 1
            texts = list(map(self._passing, contents))
        else:
            known = len(self)
            texts = list(map(self.__getitem__, contents))
            if self._was_full and self._usual is not None and len(self) - known > _NEW * len(contents):
                self._passes = _BATCHES
                self._older.clear()  # what is not asked for need not be held
        if self._raised:
            for place, content in enumerate(contents):
                if (note := self._raised.get(content)) is not None:
                    notes[place].append(note)
            self._raised = {}
        return texts

    def _passing(self, content: Any) -> bytes:
        """The members of a content that will not come again."""
        companion, raw = content if self._paired else (None, content)
        if raw is None:
            return b""
        assert self._usual is not None
        found = self._usual(raw, companion)
        return self[content] if found is None else found

    def __missing__(self, content: Any) -> bytes:
        """The members of a content not at hand, which is remembered."""
        if self._noted and (known := self._noted.get(content)) is not None:
            text, self._raised[content] = known
            return text
        companion, raw = content if self._paired else (None, content)
        size = len(raw or b"") + len(companion or b"")
        found = b"" if raw is None else self._older.get(content)
        if found is None and self._usual is not None:
            found = self._usual(raw, companion)
        if found is None:
            found, note = self._entry(raw, companion)
            if note is not None:
                self._raised[content] = note
                if size <= LONGEST_KEY:
                    remember(self._noted, content, (found, note))
                return found
        if size <= LONGEST_KEY:
            if len(self) >= self._most:
                self._older = dict(self)
                self.clear()
                self._was_full = True
            self[content] = found
        return found

    def _entry(self, raw: bytes, companion: bytes | None) -> tuple[bytes, Note | None]:
        if raw in _EMPTY:
            return b"", EMPTY
        if raw[:1] in b"{[" and has_key_twice(raw):
            return b"", Note(Reason.DUPLICATE_KEY, self._name)
        try:
            found = self._found(raw, companion)
        except Unusable as fault:
            if hides(raw):
                return b"", Note(Reason.PARTIAL_ANSWER, self._name)
            rest = self._without_odd(raw, companion, fault)
            if rest is None:
                return b"", self._fault(fault)
            found = rest
        values = found.values
        if self._kept and not any(values.values()) and hides(raw):
            return b"", Note(Reason.PARTIAL_ANSWER, self._name)
        text = b""
        for name, opening in self._kept:
            value = values.get(name)
            if value is not None and value != "" and value != []:
                text += opening + _encode(value)
        return text, self._note(found)

    def _found(self, raw: bytes, companion: bytes | None) -> Found:
        """What the rule finds, without elements that are modified in a way nobody here knows. Raises Unusable."""
        if self._reads_modified or b'"modifierExtension"' not in raw:
            return self._read(raw, companion, self._setting)
        rest, modified = without_modified(raw)
        if rest in _EMPTY and self._fatal:
            raise Unusable(Reason.MODIFIER_NOT_UNDERSTOOD, modified[0])
        found = Found() if rest in _EMPTY else self._read(rest, companion, self._setting)
        return replace(found, dropped=(*found.dropped, *modified))

    def _without_odd(self, raw: bytes, companion: bytes | None, fault: Unusable) -> Found | None:
        """What is found without elements of lists that have another shape than FHIR's; None where that does not help."""
        odd, modified = list[str](), list[str]()
        if not self._reads_modified and b'"modifierExtension"' in raw:
            raw, modified = without_modified(raw)  # the path leads through what is left then
        while fault.reason is Reason.INVALID_FIELD and fault.path not in odd and len(odd) < _ODD:
            rest = without_element(raw, fault.path)
            if rest is None:
                return None
            raw = rest
            odd.append(fault.path)
            try:
                found = self._found(raw, companion)
            except Unusable as next_one:
                fault = next_one
                continue
            return (
                replace(found, dropped=(*found.dropped, *odd, *modified)) if found.values or not self._fatal else None
            )
        return None

    def _fault(self, fault: Unusable) -> Note:
        """Why the resource is unusable; or, where only the field is, that it was left out."""
        path = self._inside(fault.path)
        flags = (fault.flag,) if fault.flag else ()
        if self._fatal or fault.reason in FATAL:
            return Note(fault.reason, path, flags)
        return Note(flags=(*flags, f"dropped:{self._name}"), dropped=(path,))

    def _inside(self, path: str) -> str:
        """Where something stands: `period.start`, `statusHistory[0].status`."""
        return f"{self._name}{path}" if path[:1] in ("", "[") else f"{self._name}.{path}"

    def _note(self, found: Found) -> Note | None:
        if not (found.flags or found.unmapped or found.withdrawn or found.repaired or found.dropped or found.beside):
            return None
        own = [f"repaired:{self._name}"] * found.repaired + [f"dropped:{self._name}"] * bool(found.dropped)
        dropped = tuple([self._inside(path) for path in found.dropped])
        return Note(
            flags=(*found.flags, *own),
            unmapped=found.unmapped,
            withdrawn=found.withdrawn,
            dropped=dropped,
            beside=found.beside,
        )


def remember(memory: dict[Any, Any], key: Any, value: Any) -> None:
    """Adds to a memory, which starts anew when it is full."""
    if len(memory) >= _MEMORIES:
        memory.clear()
    memory[key] = value


class _Step(NamedTuple):
    """A declared field that gives something in a batch, or is missing from it."""

    name: str
    rule: Rule | Choice
    standing: Sequence[str]
    """Those of its FHIR fields that stand there."""


class Table:
    """Declared fields and their memories."""

    def __init__(self, fields: Fields, setting: Setting, leaves: Leaves) -> None:
        self._fields = fields
        rules: dict[str, Rule] = {}
        for name, rule in fields.items():
            rules |= rule.fields if isinstance(rule, Choice) else {name: rule}
        self.memories = {name: Memory(name, rule, setting, leaves) for name, rule in rules.items()}
        self.needs = {name: rule.needs for name, rule in rules.items() if rule.needs}
        self.refers = {name: rule.refers for name, rule in rules.items() if rule.refers}
        """Fields whose companion is looked up → the resource type they name."""
        choices = [rule for rule in fields.values() if isinstance(rule, Choice)]
        self._instead = {
            (id(rule), name): Memory(name, other, setting, leaves)
            for rule in choices
            for name, other in rule.instead.items()
        }
        others = {name: other for rule in choices for name, other in rule.instead.items()}
        self._gives = [(name, rule.gives) for name, rule in (*rules.items(), *others.items())]
        needed = [each for other in others.values() if other.needs for each in fields_beside(other.needs)]
        self.names = [
            name
            for name in dict.fromkeys(
                [*rules, *chain.from_iterable(map(fields_beside, self.needs.values())), *others, *needed]
            )
            if name != LENT
        ]
        """The FHIR fields that are decoded."""
        self.said_absent = [
            f"_{name}"
            for rule in choices
            if rule.wins == ABSENT
            for name in rule.fields
            if name.endswith(_PRIMITIVE_VALUES)
        ]
        """What stands beside values, and may say why there is none."""
        self.names += self.said_absent
        self._otherwise = {
            name: members((field, value) for field, value in rule.otherwise.items() if leaves(field))
            for name, rule in fields.items()
            if isinstance(rule, Choice)
        }
        self._steps: dict[tuple[str, ...], Sequence[_Step]] = {}

    def giving(self, beginnings: tuple[str, ...]) -> list[str]:
        """The FHIR fields that give a field of the record with such a beginning."""
        return [name for name, gives in self._gives if any(field.startswith(beginnings) for field in gives)]

    def texts(self, source: Columns, notes: Notes) -> list[Texts]:
        """What the fields of a batch give, field after field in the record's order; adds to `notes`."""
        found: list[Texts] = []
        for name in self.said_absent:
            if name in source:
                _put_absences(name, source, notes)
        standing = tuple(source.names)
        for name, rule, names in self._steps.get(standing) or self._learn(standing):
            if isinstance(rule, Choice):
                found += self._choice(name, rule, names, source, notes)
                continue
            if names:
                found.append(self._field(name, source, notes))
            if rule.missing is not None:
                for place in source.without([name]):
                    notes[place].append(Note(rule.missing, name))
        return found

    def _learn(self, standing: tuple[str, ...]) -> Sequence[_Step]:
        """What there is to do where these fields stand: few of the declared ones do, and the same in most batches."""
        found: list[_Step] = []
        for name, rule in self._fields.items():
            own, others = (rule.fields, rule.instead) if isinstance(rule, Choice) else ((name,), ())
            names = [field for field in own if field in standing]
            if names or rule.missing is not None or self._otherwise.get(name) or not {*others}.isdisjoint(standing):
                found.append(_Step(name, rule, names))
        remember(self._steps, standing, found)
        return found

    def _field(self, name: str, source: Columns, notes: Notes) -> Texts:
        contents: Sequence[Any] = source.contents(name)
        if companion := self.needs.get(name):
            companions, places = source.companions(name, companion), source.standing(name)
            if len(places) * _SPARSE <= source.count:
                pairs = [(companions[place], contents[place]) for place in places]
                return self._here_and_there(name, places, pairs, source.count, notes)
            contents = list(zip(companions, contents, strict=True))
        return self.memories[name].texts(contents, notes)

    def _here_and_there(
        self, name: str, places: Sequence[int], contents: Sequence[Any], count: int, notes: Notes
    ) -> Texts:
        """What a field gives that stands at few places: elsewhere it gives nothing, whatever stands beside."""
        noted = Notes(list)
        found = self.memories[name].texts(contents, noted)
        for number, seen in noted.items():
            notes[places[number]] += seen
        texts = [b""] * count
        for place, text in zip(places, found, strict=True):
            texts[place] = text
        return texts

    def _in_place(self, choice: int, name: str, places: Sequence[int], source: Columns, notes: Notes) -> Texts:
        """What another field gives at the places where none of a choice stands."""
        contents: list[bytes | None] = [None] * source.count
        for place in places:
            contents[place] = source.contents(name)[place]
        memory = self._instead[choice, name]
        if memory.needs is None:
            return memory.texts(contents, notes)
        return memory.texts(list(zip(source.beside(memory.needs), contents, strict=True)), notes)

    def _choice(self, name: str, rule: Choice, names: Sequence[str], source: Columns, notes: Notes) -> list[Texts]:
        found = [self._field(field, source, notes) for field in names]
        if several := source.with_several(names):
            found = _one_of_several(name, rule, names, found, several, source, notes)
        absent = source.without([*names, *rule.unless])
        vain = _in_vain(found, absent, source.count) if rule.instead else []
        for field in rule.instead if absent or vain else ():
            if field in source:
                found.append(self._in_place(id(rule), field, [*absent, *vain], source, notes))
                absent, vain = ([place for place in some if not found[-1][place]] for some in (absent, vain))
        if rule.missing is not None:
            for place in absent:
                notes[place].append(Note(rule.missing, name))
        if absent and (otherwise := self._otherwise[name]):
            texts = [b""] * source.count
            for place in absent:
                texts[place] = otherwise
            found.append(texts)
        return found


ABSENT = "dataAbsentReason"
_PRIMITIVE_VALUES = ("Boolean", "Integer", "Decimal", "String", "Date", "DateTime", "Time", "Instant")


def _put_absences(name: str, source: Columns, notes: Notes) -> None:
    """What stands beside a primitive and says why there is none is said of the whole: it wins over the primitive."""
    contents = list(source.contents(ABSENT))
    for place in source.standing(name):
        said = source.contents(name)[place] or b""
        if has_key_twice(said):
            notes[place].append(Note(Reason.DUPLICATE_KEY, name))
        elif contents[place] is None:
            contents[place] = absence_in(said)
    source.add(ABSENT, contents)


def _in_vain(found: Sequence[Texts], absent: Sequence[int], count: int) -> list[int]:
    """The places where a field stands that gave nothing: unreadable, or a filler."""
    if len(found) == 1 and b"" not in found[0]:
        return []
    gave = {place for texts in found for place, text in enumerate(texts) if text}
    return sorted(set(range(count)).difference(gave, absent)) if len(gave) + len(absent) < count else []


def _one_of_several(
    name: str, rule: Choice, names: Sequence[str], found: list[Texts], several: list[int], source: Columns, notes: Notes
) -> list[Texts]:
    """What fields give that stand side by side where FHIR allows one: that of the one which wins, flagged."""
    given = [list(texts) for texts in found]
    for place in several:
        stand = [field for field in names if source.values(field)[place] is not None]
        taken = rule.wins if rule.wins in stand else "" if rule.fatal else stand[0]
        if not taken:
            notes[place].append(Note(Reason.INVALID_FIELD, name))
            continue
        notes[place].append(Note(flags=(f"several:{name}",)))
        for field, texts in zip(names, given, strict=True):
            if field != taken:
                texts[place] = b""
    return list(given)
