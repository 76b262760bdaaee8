"""What a guardian sees of a patient by age, and until when: read from a file that a network may replace."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from schemas.errors import OperatorError
from services.people.families import Who

SHIPPED = Path(__file__).with_name("age_policy.toml")
ITEMS = frozenset({"growth", "lungs", "hba1c", "act", "due", "mood", "visits", "answers", "goals"})


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds at a site."""

    teenager_from: int
    majority: int
    withheld_from_guardian: frozenset[str]

    def shows(self, item: str, who: Who, years: int | None) -> bool:
        """Whether whoever looks may see an item. A guardian of somebody whose age is not known is as of a teenager."""
        teenager = years is None or years >= self.teenager_from
        return who is Who.SELF or not teenager or item not in self.withheld_from_guardian

    def may_have(self, who: Who, years: int | None) -> bool:
        """Whether a code may be printed for them: for a small child it is the guardian's, for an adult their own."""
        if who is Who.SELF:
            return years is None or years >= self.teenager_from
        return years is None or years < self.majority

    def ends(self, who: Who, born: date | None) -> date | None:
        """The day from which a guardian's way is closed."""
        if who is Who.SELF or born is None:
            return None
        year = born.year + self.majority
        return born.replace(year=year) if (born.month, born.day) != (2, 29) else date(year, 3, 1)


class AgePolicy:
    """The rules of every site."""

    def __init__(self, declared: Mapping[str, Any]) -> None:
        """Raises OperatorError naming what cannot be."""
        self._default = declared.get("default", {})
        self._states, self._sites = declared.get("state", {}), declared.get("site", {})
        if unknown := sorted({str(state) for state in self._sites.values()} - set(self._states)):
            raise OperatorError(f"no state {', '.join(unknown)} in the policy of ages", "Add [state.XX] for it.")
        for site in [None, *self._sites]:
            self.of(site)

    @classmethod
    def load(cls, path: Path | None = None) -> "AgePolicy":
        """From a network's file, or the one that ships. Raises OperatorError."""
        try:
            return cls(tomllib.loads((path or SHIPPED).read_text(encoding="utf-8")))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise OperatorError(
                f"the policy of ages {path or SHIPPED} cannot be read", "See the one that ships."
            ) from exc

    def of(self, site: str | None) -> Rule:
        """A site's."""
        said = {**self._default, **self._states.get(self._sites.get(site, ""), {})}
        try:
            rule = Rule(
                int(said["teenager_from"]), int(said["majority"]), frozenset(map(str, said["withheld_from_guardian"]))
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise OperatorError(f"the policy of ages lacks or misspells {exc}", "See the one that ships.") from exc
        if unknown := rule.withheld_from_guardian - ITEMS:
            raise OperatorError(
                f"the policy of ages withholds {', '.join(sorted(unknown))}", f"There are {', '.join(sorted(ITEMS))}."
            )
        return rule
