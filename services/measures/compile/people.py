"""A person for evaluation in memory: the current records by type, and what links them."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Any, NamedTuple

from schemas.outcomes.observations import NO_RESULT
from schemas.outcomes.replacing import CONTINUED, Naming, names, note, replaced_of
from services.measures.compile.times import UNKNOWN, Known, moment
from services.measures.language.events import WITH_STATUS

Record = dict[str, Any]
"""A record's fields, as in the stream."""


class Said(NamedTuple):
    """What a field says in a person's records of a type: by value the places of the records, in their order."""

    words: dict[Any, list[int]]
    """Of a field that is a value."""
    listed: dict[Any, list[int]]
    """Of one that is a list of values."""


class Person:
    """One subject's current records, without those that others replace."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.of: dict[str, list[Record]] = defaultdict(list)
        self._given = sorted(records, key=lambda record: str(record["id"]))
        gone = _replaced(self._given)
        for record in self._given:
            if not (gone and names(gone.get(record["type"], ()), record["id"])):
                self.of[record["type"]].append(record)
        self.found: dict[object, Any] = {}
        """What was evaluated already: by series or pick, by record and name when it is, and by type and field what is said."""

    @cached_property
    def birth(self) -> Known:
        """The date of birth."""
        return self._day("birth_date")

    @cached_property
    def death(self) -> Known | None:
        """The date of death; none where none is recorded."""
        return self._day("death_date") if any("death_date" in each for each in self.of["person"]) else None

    def says(self, field: str) -> str | None:
        """What the person's own records say: of several the first by id that knows."""
        return next((str(each[field]) for each in self.of["person"] if each.get(field) is not None), None)

    @cached_property
    def site(self) -> str:
        """The site whose person it is."""
        return next((str(each["site"]) for records in self.of.values() for each in records if "site" in each), "")

    @cached_property
    def subject(self) -> str:
        """The pseudonym."""
        return next((str(each["subject"]) for records in self.of.values() for each in records if "subject" in each), "")

    def said(self, record: str, field: str) -> Said:
        """What a field says in the records of a type, looked up once."""
        key = (record, field)
        if key not in self.found:
            words, listed = defaultdict(list), defaultdict(list)
            for place, each in enumerate(self.of[record]):
                value = each.get(field)
                if isinstance(value, list):
                    for one in value:
                        listed[one].append(place)
                elif value is not None:
                    words[value].append(place)
            self.found[key] = Said(words, listed)
        found: Said = self.found[key]
        return found

    @cached_property
    def visits(self) -> dict[str, Record]:
        """Visits by id, replaced ones too: what happened at one still names it."""
        return {each["id"]: each for each in self._given if each["type"] == "encounter"}

    @cached_property
    def parts(self) -> dict[str, list[Record]]:
        """Components by the id of what they are of."""
        found: dict[str, list[Record]] = defaultdict(list)
        for result in self._given:
            if result["type"] == "observation" and (parent := result.get("parent")):
                found[parent].append(result)
        return found

    def _day(self, field: str) -> Known:
        for record in self.of["person"]:
            if field in record:
                return moment(record[field], None)
        return UNKNOWN


def _replaced(records: Iterable[Record]) -> dict[str, set[str]]:
    """By record type the ids that others name as what they replace; a result that is none yet, or no more, replaces nothing."""
    found: dict[str, Naming] = {}
    for record in records:
        if record.get("replaces") and record["type"] not in CONTINUED and not _no_result(record):
            note(found.setdefault(record["type"], {}), record["id"], record["replaces"])
    return {kind: replaced_of(naming) for kind, naming in found.items()}


def _no_result(record: Record) -> bool:
    return record["type"] in WITH_STATUS and record.get("status") in NO_RESULT
