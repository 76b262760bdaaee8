"""Resources that give records of many patients and none of the whole: of several versions in a batch, one counts."""

from transforms.mapped import REF_BYTES, Alike, Mapped, Outcomes


class Alone:
    """Which version of each such resource a batch holds: the newest, of equals the last."""

    def __init__(self) -> None:
        self._known: dict[bytes, int | None] = {}

    def settle(self, outcomes: Outcomes, collected: list[Mapped], alike: list[Alike]) -> None:
        """Takes the records of other versions out of some outcomes, and of what was collected before them."""
        here: dict[bytes, int] = {}
        for place in [place for place in sorted(outcomes.unusual) if outcomes.unusual[place].alone]:
            outcome = outcomes.unusual[place]
            if outcome.ref in self._known:
                if is_older(outcome.updated, self._known[outcome.ref]):
                    outcomes.unusual[place] = outcome._replace(records=[])
                    continue
                if (before := here.get(outcome.ref)) is not None:
                    outcomes.unusual[before] = outcomes.unusual[before]._replace(records=[])
                else:
                    collected[:] = [record for record in collected if record.id[:REF_BYTES] != outcome.ref]
                    alike[:] = [each for each in alike if each.ref != outcome.ref]
            here[outcome.ref] = place
            self._known[outcome.ref] = outcome.updated

    def taken(self) -> list[tuple[bytes, int | None]]:
        """Their refs and times, for the state; the next batch begins."""
        found = list(self._known.items())
        self._known.clear()
        return found


def is_older(updated: int | None, known: int | None) -> bool:
    """Whether a version is an older one; of one that says no time nobody knows."""
    return updated is not None and known is not None and updated < known
