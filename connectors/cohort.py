"""Whom a site reads where it does not read everybody: its roster, and how its patients alone are asked for.

A roster holds the source's own ids. It stands in the load's landing folder, and nowhere else.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence

import msgspec

from connectors.outside.decoding import ABSENT, Unreadable, decoded, each
from connectors.vendors import Parameters

ROSTER = "cohort"
"""The cursor that holds a load's roster."""
PATIENTS, LETTERS = 50, 1_800
"""Most patients a request, and most letters of their ids: with the rest of the address below 2,000, which every server takes."""
PARAMETER = {"Patient": "_id", "Group": "member"}
"""How a search is told whose resources it is for, where it is not by `patient`."""
_NAMES = re.compile(r"(?:^|/)Patient/([^/?#|]{1,255})(?:/_history/[^/]*)?$")


class Member(msgspec.Struct, frozen=True):
    """A patient of the roster."""

    id: str
    merged: list[str] = []
    """Ids of the patients it is the same person as, by `Patient.link`, in order."""


class Roster(msgspec.Struct, frozen=True, kw_only=True):
    """The patients a load reads."""

    members: list[Member]
    by_export: bool = False
    """Whether the server exports them as a Group, and says itself whose a resource is; no members: it does not list them."""
    notes: list[str] = []
    """What somebody may want to know of how it came about; no ids."""
    by_read: list[str] = []
    """Members that no search gives."""
    gone: list[str] = []
    """No members: the server says that they were deleted."""

    @property
    def ids(self) -> list[str]:
        """Everybody, in order."""
        return [member.id for member in self.members]

    def searches(
        self, resource_type: str, fan_out: Sequence[Parameters], window: Parameters, new: Collection[str]
    ) -> list[Parameters]:
        """The searches that together give the type of these patients: of the new ones from the beginning."""
        name = PARAMETER.get(resource_type, "patient")
        whole = tuple(each for each in window if not each[1].startswith("ge"))
        known = [each for each in self.ids if each not in new]
        groups = ((known, window), ([each for each in self.ids if each in new], whole))
        return [
            ((name, ",".join(some)), *more, *updated)
            for ids, updated in groups
            for some in shards(ids)
            for more in fan_out
        ]

    def belongs(self, resource_type: str) -> Callable[[bytes], bool]:
        """Whether a line of the type is of these patients. What names no patient is for the mapping to judge."""
        ids = frozenset((*self.ids, *self.gone))

        def own(line: bytes) -> bool:
            patient = whose(resource_type, line)
            return not patient or patient in ids

        return own

    def narrowed(self, resource_type: str) -> Callable[[bytes], tuple[bytes, int]] | None:
        """A line without the members who are not these patients, and how many these were; None for types without members."""
        if resource_type != "Group":
            return None
        ids = frozenset((*self.ids, *self.gone))

        def without_others(line: bytes) -> tuple[bytes, int]:
            try:
                fields = decoded(line, _FIELDS)
                listed = decoded(fields.get("member", _NONE), _MEMBERS)
            except Unreadable:
                return line, 0  # for the mapping to judge
            kept = [each for each in listed if (found := _patient_in(each)) == "" or found in ids]
            if len(kept) == len(listed):
                return line, 0
            rest = {name: raw for name, raw in fields.items() if name != "quantity"}
            return msgspec.json.encode({**rest, "member": kept}), len(listed) - len(kept)

        return without_others


class _Reference(msgspec.Struct):
    reference: str | None = None


class _Participant(msgspec.Struct):
    actor: _Reference | None = None


class Said(msgspec.Struct, rename={"owner": "for"}):
    """Whom a resource is about."""

    id: str | None = None
    subject: _Reference | None = None
    patient: _Reference | None = None
    owner: _Reference | None = None
    """Of a Task."""
    participant: msgspec.Raw = ABSENT
    """Of an Appointment: patients are among those who take part."""


_SAID = msgspec.json.Decoder(Said)


class _Entity(msgspec.Struct):
    entity: _Reference | None = None


_NONE = msgspec.Raw(b"[]")
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MEMBERS = msgspec.json.Decoder(list[msgspec.Raw])
_ENTITY = msgspec.json.Decoder(_Entity)


def _patient_in(member: msgspec.Raw) -> str:
    try:
        entity = decoded(member, _ENTITY).entity
    except Unreadable:
        return ""
    return named(entity.reference) if entity else ""


def _said(line: bytes) -> Said:
    try:
        return decoded(line, _SAID)
    except Unreadable:
        return Said()


def whose(resource_type: str, line: bytes) -> str:
    """The id of the patient a line is about, or is; empty where it names none."""
    said = _said(line)
    return (said.id or "") if resource_type == "Patient" else patient_of(said)


def patient_of(resource: Said) -> str:
    """The id of the patient a resource is about; empty where it names none."""
    about = [resource.subject, resource.patient, resource.owner]
    if not any(about):
        about = [taking.actor for taking in each(resource.participant, _Participant)]
    return next((found for one in about if one and (found := named(one.reference))), "")


def named(reference: str | None) -> str:
    """The id in a reference to a patient; empty where it refers to none."""
    found = _NAMES.search((reference or "").strip())
    return found[1] if found else ""


def shards(ids: Sequence[str], letters: int = LETTERS) -> Iterator[list[str]]:
    """Some at a time: as many as fit into one request."""
    some: list[str] = []
    size = 0
    for ident in ids:
        if some and (len(some) >= PATIENTS or size + len(ident) >= letters):
            yield some
            some, size = [], 0
        some.append(ident)
        size += len(ident) + 1
    if some:
        yield some
